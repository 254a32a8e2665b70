# Each target works on a clean clone with nothing run before it, and makes its own .venv.

PYTHON_IN_VENV := .venv/bin/python
PYTEST := $(PYTHON_IN_VENV) -m pytest
LONG_ROOMS := live soak fuzz proof
# Nothing in these depends on the backend: the last run has them.
ANY_BACKEND := $(addprefix --ignore-glob=tests/, unit/test_local_* unit/test_cli* unit/test_layers.py \
	unit/test_readme.py unit/test_rocketmq_features.py unit/test_rocketmq_direct.py \
	unit/test_sqs_consumer.py property/test_state_*)
CPU_PATHS := portable$(shell grep -qsw sha_ni /proc/cpuinfo && echo ,sha-ni)$(shell \
	grep -qsw avx2 /proc/cpuinfo && echo ,avx2)$(shell \
	grep -qsw avx512bw /proc/cpuinfo && echo ,avx512)

.PHONY: help demo test proof live bench soak fuzz clean

help:
	@echo "make demo    the main job on the local cloud: messages sent and consumed, a file uploaded"
	@echo "make test    lint, types and all quick tests, over all three backends      (15 minutes)"
	@echo "make proof   sanitizers, short fuzzing, other CPUs and platforms           (15 minutes)"
	@echo "make live    the clients against real Apache RocketMQ, ElasticMQ, moto        (20 minutes)"
	@echo "make bench   we and our peers in one run; ONLY=\"digest message\" chooses groups"
	@echo "make soak    a long run against a real broker; SECONDS_TO_RUN=600"
	@echo "make fuzz    long fuzzing of the C parsers; SECONDS_PER_TARGET=600 or RUNS_PER_TARGET=10000000"
	@echo "make clean   removes what the others made"

demo:
	@.ci/venv local
	@.venv/bin/wirespeed demo

test:
	@.ci/venv dev
	$(PYTHON_IN_VENV) -m ruff check
	$(PYTHON_IN_VENV) -m mypy
	$(PYTHON_IN_VENV) .github/scripts/generate_sync.py --check
	WIRESPEED_BACKEND=cffi $(PYTEST) -q tests/unit tests/golden tests/property $(ANY_BACKEND)
	WIRESPEED_BACKEND=pure $(PYTEST) -q tests/unit tests/golden tests/property $(ANY_BACKEND)
	WIRESPEED_REQUIRE_BACKENDS=cython,cffi,pure WIRESPEED_REQUIRE_CPU=$(CPU_PATHS) \
		$(PYTEST) tests $(LONG_ROOMS:%=--ignore=tests/%)

proof:
	@.ci/venv dev
	@.ci/need --install gcc=gcc clang=clang aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu \
		qemu-aarch64=qemu-user patchelf=patchelf
	@$(PYTHON_IN_VENV) -c 'import auditwheel, cibuildwheel, ziglang' 2> /dev/null || \
		$(PYTHON_IN_VENV) -m pip install --quiet auditwheel cibuildwheel ziglang
	$(PYTEST) --durations=5 tests/proof

live:
	@.ci/venv dev
	@.ci/need --install java=default-jdk-headless javac=default-jdk-headless mvn=maven \
		chromium=chromium
	$(PYTEST) --durations=10 tests/live

bench:
	@.ci/venv dev
	@$(PYTHON_IN_VENV) -m benchmarks $(ONLY)

soak:
	@.ci/venv dev
	@.ci/need java=default-jdk-headless mvn=maven
	SECONDS_TO_RUN=$(or $(SECONDS_TO_RUN),600) $(PYTEST) tests/soak

fuzz:
	@.ci/venv dev
	@.ci/need --install clang=clang
	SECONDS_PER_TARGET=$(or $(SECONDS_PER_TARGET),600) RUNS_PER_TARGET=$(or $(RUNS_PER_TARGET),0) \
		$(PYTEST) -rP tests/proof -k fuzz

clean:
	rm -rf .venv .venv-* .cache build dist benchmarks/out .mypy_cache .ruff_cache .pytest_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	find src \( -name '*.so' -o -name '*.pyd' -o -name '*.egg-info' \) -prune -exec rm -rf {} +
