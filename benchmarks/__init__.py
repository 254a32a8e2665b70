"""We and our peers, measured in one run: ``python -m benchmarks [GROUP...]``."""
