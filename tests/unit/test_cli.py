"""The commands, each as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wirespeed
from wirespeed import _native, errors
from wirespeed.cli import doctor, exits

EMPTY = "Fto5o-5ea0sNMlW_75VgGJCv2AcJ"
UMU = "FpAEzHGOWdh-QAYhattxl1vqHLMw"
ORIGINAL = "import sys; from wirespeed.cli.wcs_etag_cal import main; sys.exit(main())"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "umu").write_bytes(b"UMUTech@qq.com")
    (tmp_path / "etag").write_bytes(b"UMUTech@qq.com")
    (tmp_path / "folder").mkdir()
    return tmp_path


def run(
    folder: Path, *arguments: str, stdin: bytes = b"", original: bool = False
) -> subprocess.CompletedProcess[str]:
    program = ["-c", ORIGINAL] if original else ["-m", "wirespeed"]
    done = subprocess.run(
        [sys.executable, "-W", "error", *program, *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_etag_prints_a_line_for_each_file(files: Path) -> None:
    done = run(files, "etag", "empty", "umu", "-", stdin=b"UMUTech@qq.com")
    assert done.stdout == f"{EMPTY}  empty\n{UMU}  umu\n{UMU}  -\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_etag_goes_on_after_a_file_that_cannot_be_read(files: Path) -> None:
    done = run(files, "etag", "nothing", "folder", "umu")
    assert done.stdout == f"{UMU}  umu\n"
    assert done.stderr == (
        "wirespeed: nothing: No such file or directory\nwirespeed: folder: Is a directory\n"
    )
    assert done.returncode == exits.NO_OBJECT


def test_etag_in_json(files: Path) -> None:
    done = run(files, "etag", "--json", "umu", "folder")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"file": "umu", "etag": UMU},
        {
            "file": "folder",
            "error": {"type": "IsADirectoryError", "text": "folder: Is a directory"},
        },
    ]
    assert done.returncode == exits.FAILED


def test_etag_of_a_name_that_is_no_text(files: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    try:
        (files / name).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes text only")
    done = subprocess.run(
        [sys.executable, "-m", "wirespeed", "etag", name],
        cwd=files,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == f"{EMPTY}  ".encode() + b"caf\xe9\n"


@pytest.mark.parametrize(
    "arguments", [["etag"], ["etag", "--bogus", "umu"], ["bogus"], [], ["etag", "--threads=x", "a"]]
)
def test_wrong_usage_is_code_2(files: Path, arguments: list[str]) -> None:
    done = run(files, *arguments)
    assert done.returncode == exits.USAGE
    assert done.stderr.startswith("usage: wirespeed")


def test_a_bad_value_is_code_2_and_named(files: Path) -> None:
    done = run(files, "etag", "--threads", "0", "umu")
    assert done.returncode == exits.USAGE
    assert done.stderr == "wirespeed: threads is 0: it must be 1 to 32\n"


def test_a_name_that_is_empty_is_shown(files: Path) -> None:
    done = run(files, "etag", "")
    assert (done.returncode, done.stderr) == (4, "wirespeed: '': No such file or directory\n")


@pytest.mark.skipif(os.name != "posix", reason="Windows shells cannot close standard input")
def test_etag_without_a_standard_input(files: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m wirespeed etag - <&-'],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (exits.FAILED, "")
    assert done.stderr == "wirespeed: -: standard input is closed\n"


@pytest.mark.parametrize("arguments", [["etag", "umu"], ["doctor"], ["--help"]])
@pytest.mark.parametrize("variable", ["WIRESPEED_BACKEND", "WIRESPEED_CPU"])
def test_a_backend_that_is_not_there_is_told_in_one_line(
    files: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str
) -> None:
    monkeypatch.delenv("WIRESPEED_BACKEND", raising=False)
    monkeypatch.setenv(variable, "none-such")
    done = run(files, *arguments)
    assert (done.returncode, done.stdout) == (exits.USAGE, "")
    assert done.stderr.startswith(f"wirespeed: {variable} is 'none-such': ")
    assert len(done.stderr.splitlines()) == 1


def test_help_names_every_command(files: Path) -> None:
    done = run(files, "--help")
    assert done.returncode == 0
    for name in ("etag", "serve", "demo", "doctor", "version"):
        assert re.search(rf"^    {name} +\w", done.stdout, flags=re.M), name


def test_version(files: Path) -> None:
    for arguments in (["version"], ["--version"]):
        assert run(files, *arguments).stdout == f"wirespeed {wirespeed.__version__}\n"
    assert json.loads(run(files, "version", "--json").stdout) == {"version": wirespeed.__version__}


def test_etag_of_names_imports_next_to_nothing(files: Path) -> None:
    code = (
        "import sys; from wirespeed.cli import main; main(['etag', 'umu']);"
        "print(sorted({'argparse', 'asyncio', 'hashlib', 'json', 'logging', 'ssl', 'socket'}"
        " & sys.modules.keys()))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "WIRESPEED_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=files, env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"{UMU}  umu\n[]\n", done.stderr
    assert run(files, "etag", "-").returncode == 0
    assert run(files, "etag", "--bad", "umu").returncode == exits.USAGE


def test_doctor(files: Path) -> None:
    report = json.loads(run(files, "doctor", "--json").stdout)
    assert report["wirespeed"] == wirespeed.__version__
    assert report["backend"] in ("cython", "cffi", "pure")
    assert report["cpu_path"] in report["cpu_paths"]
    assert report["plan"][-1]["from"] == 1
    assert set(report["packages"]) >= {"httptools", "requests", "starlette", "lz4"}
    text = run(files, "doctor").stdout
    assert f"backend            {report['backend']}" in text
    assert report["cpu_path"] in text


def test_doctor_measures_every_path(files: Path) -> None:
    report = json.loads(run(files, "doctor", "--json", "--measure").stdout)
    assert set(report["measured_gb_per_s"]) == set(report["cpu_paths"])
    for rates in report["measured_gb_per_s"].values():
        assert all(rate > 0 for rate in rates.values())
    assert set(report["lanes_gb_per_s"]) >= {"1", "8", "16", "32"}
    for rates in report["lanes_gb_per_s"].values():
        assert "as planned" in rates and all(rate > 0 for rate in rates.values())
    assert isinstance(report["plan_disagrees"], list)


def test_doctor_says_where_the_plan_does_not_fit() -> None:
    rates = {
        1: {doctor.PLANNED: 1.0, "one": 1.0, "two": 0.5},
        2: {doctor.PLANNED: 1.0, "one": 1.0, "two": 1.05},
        9: {doctor.PLANNED: 1.0, "one": 1.0, "two": 1.5},
    }
    assert doctor.disagreements(rates) == ["9 inputs: two reaches 1.50 GB/s, the plan 1.00"]
    report = {**doctor.examine(), "lanes_gb_per_s": rates, "plan_disagrees": []}
    assert doctor.lines(report)[-1] == "the plan fits this CPU"
    report["plan_disagrees"] = doctor.disagreements(rates)
    assert doctor.lines(report)[-1].startswith("the plan does not fit this CPU: 9 inputs: two")


def test_the_older_command_prints_as_it_did(files: Path) -> None:
    done = run(files, "etag", "empty", "umu", original=True)
    assert done.stdout == f"['empty', 'umu']\n{EMPTY} {UMU}\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert run(files, "etag", "umu", original=True).stdout == f"['umu']\n{UMU}\n"
    usage = run(files, "-h", original=True).stdout
    assert usage.startswith("usage: WCS-Python-SDK [-h] {etag} ...\n")
    assert re.search(r"^    etag +etag \[file\.\.\.\]$", usage, flags=re.M)


def test_the_older_command_without_its_word(files: Path) -> None:
    assert run(files, "umu", original=True).stdout == f"{UMU}  umu\n"
    assert run(files, "--", "etag", original=True).stdout == f"{UMU}  etag\n"
    assert run(files, original=True).returncode == exits.USAGE
    assert run(files, "etag", original=True).returncode == exits.USAGE
    missing = run(files, "etag", "nothing", original=True)
    assert missing.returncode == exits.NO_OBJECT
    assert missing.stderr == "wirespeed: nothing: No such file or directory\n"


def test_a_reader_that_goes_away_is_no_traceback(files: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "wirespeed", "etag", *["umu"] * 3000],
        cwd=files,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == f"{UMU}  umu\n".encode()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_ctrl_c_ends_in_one_line(files: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "wirespeed", "etag", "umu", "-"],
        cwd=files,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{UMU}  umu\n".encode()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    # Standard input stays open: the signal alone must end it.
    assert process.wait(30) == exits.INTERRUPTED
    _, said = process.communicate(timeout=30)
    assert said == b"wirespeed: interrupted\n"


def test_the_bar_is_drawn_on_a_terminal_only(files: Path) -> None:
    pty = pytest.importorskip("pty", reason="this platform has no terminals of that kind")
    read_end, write_end = os.pipe()
    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wirespeed", "etag", "-"],
        cwd=files,
        stdin=read_end,
        stdout=subprocess.PIPE,
        stderr=inner,
    )
    os.close(read_end)
    os.close(inner)
    os.write(write_end, b"UMUTech")
    drawn = b""
    deadline = time.monotonic() + 30
    while b"B/s" not in drawn and time.monotonic() < deadline:
        time.sleep(0.12)
        if b"B/s" not in drawn:
            os.write(write_end, b"@")
            os.set_blocking(terminal, False)
            try:
                drawn += os.read(terminal, 4096)
            except BlockingIOError:
                continue
    os.close(write_end)
    assert process.stdout is not None
    assert process.stdout.read().endswith(b"  -\n")
    process.stdout.close()
    assert process.wait(30) == 0
    os.close(terminal)
    assert drawn.startswith(b"\r\x1b[K-") and b"B/s" in drawn


def test_an_etag_imports_little(files: Path) -> None:
    unwanted = {"asyncio", "ssl", "requests", "socket", "dataclasses"}
    unwanted |= {"wirespeed.config", "wirespeed.rocketmq", "wirespeed.http"}
    if _native.BACKEND == "cython":
        unwanted |= {"json", "pathlib"}
    program = (
        "import sys; from wirespeed.cli import main; main(['etag', 'umu']);"
        f"print(sorted({unwanted} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=files, capture_output=True, timeout=30, check=True
    )
    assert done.stdout.decode().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.TopicNotFound("x"), 3),
        (errors.ObjectNotFound("x"), 4),
        (FileNotFoundError(2, "x"), 4),
        (errors.DeadlineExceeded("x"), 5),
        (errors.ConnectError("x"), 5),
        (errors.Throttled("x"), 5),
        (errors.SendError("x", retryable=True), 5),
        (errors.SendError("x"), 6),
        (errors.AccessDenied("x"), 6),
        (errors.ServiceError("x"), 6),
        (PermissionError(13, "x"), 6),
        (errors.IntegrityError("x"), 7),
        (errors.CorruptMessage("x"), 7),
        (errors.ClosedError("x"), 1),
        (IsADirectoryError(21, "x"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_exit_code_of_an_error(error: BaseException, code: int) -> None:
    assert exits.code_of(error) == code
