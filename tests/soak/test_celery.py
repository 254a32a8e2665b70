"""Celery over kombu's SQS transport, on the local SQS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.live.installed import installed, run_program
from wirespeed.local import LocalCloud

PACKAGES = ("celery[sqs]>=5.5,<6",)
TASKS = """
import os
from celery import Celery

app = Celery("tasks", broker="sqs://", backend="file://" + os.environ["RESULTS"])
app.conf.task_default_queue = "celery-tasks"
app.conf.broker_transport_options = {
    "region": "us-east-1",
    "polling_interval": 0.1,
    "wait_time_seconds": 1,
    "is_secure": False,
    "endpoint_url": os.environ["AWS_ENDPOINT_URL_SQS"],
}


@app.task(bind=True, max_retries=1, default_retry_delay=1)
def add(self, left, right):
    if right and not self.request.retries:
        raise self.retry()
    return left + right
"""
CLIENT = """
import json
import tasks

sent = [tasks.add.delay(number, number % 10 == 0) for number in range(200)]
print(json.dumps([each.get(timeout=60) for each in sent]))
"""


def test_tasks_are_sent_run_and_answered(tmp_path: Path) -> None:
    packages = installed("celery-5-sqs", *PACKAGES)
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "results").mkdir()
    with LocalCloud(["sqs"]) as cloud, (tmp_path / "log").open("wb") as log:
        env = {**cloud.env(), "RESULTS": str(tmp_path / "results")}
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", "threads"]
        worker = subprocess.Popen(
            [*command, "-c", "4"],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            env={**os.environ, **env, "PYTHONPATH": str(packages)},
        )
        try:
            results = run_program(CLIENT, packages, tmp_path, env=env)
            assert results == [number + (number % 10 == 0) for number in range(200)]
            # The worker acknowledges what it has done.
            limit = time.monotonic() + 30
            state = cloud._states["sqs"]
            while any(queue.messages for queue in state.queues.values()):
                assert time.monotonic() < limit, "messages are left"
                time.sleep(0.1)
        finally:
            worker.terminate()
            try:
                worker.wait(30)
            finally:
                worker.kill()
