"""A pool of threads whose tasks are waited for."""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger
from queue import Queue
from threading import Lock, Thread
from typing import Any

logger = getLogger(__name__)

Task = tuple[Callable[..., Any] | None, tuple[Any, ...], dict[str, Any]]


class WorkerThread(Thread):
    """One thread; `get_result` tells how its tasks went."""

    def __init__(self, task_queue: Queue[Task], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task_queue = task_queue
        self._succ_task_num = 0
        self._fail_task_num = 0
        self._ret: list[Any] = []

    def run(self) -> None:
        """Carry out tasks until one is None."""
        while True:
            func, args, kwargs = self._task_queue.get()
            if func is None:
                return
            try:
                self._ret.append(func(*args, **kwargs))
                self._succ_task_num += 1
            except Exception as error:
                logger.warning("%s", error)
                self._fail_task_num += 1
                self._ret.append(error)
            finally:
                self._task_queue.task_done()

    def get_result(self) -> tuple[int, int, list[Any]]:
        """Return how many tasks went well, how many failed, and what they returned or raised."""
        return self._succ_task_num, self._fail_task_num, self._ret


class SimpleThreadPool:
    """Threads that are started with the first task and ended by `wait_completion`."""

    def __init__(self, num_threads: int = 5) -> None:
        self._num_threads = num_threads
        self._queue: Queue[Task] = Queue(num_threads)
        self._lock = Lock()
        self._workers: list[WorkerThread] = []
        self._active = False
        self._finished = False

    def add_task(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Add a task; wait while as many as there are threads wait already."""
        with self._lock:
            if not self._active:
                self._active = True
                self._workers = [
                    WorkerThread(self._queue, daemon=True) for _ in range(self._num_threads)
                ]
                for worker in self._workers:
                    worker.start()
        self._queue.put((func, args, kwargs))

    def wait_completion(self) -> None:
        """Wait for all tasks, and end the threads."""
        self._queue.join()
        for _ in self._workers:
            self._queue.put((None, (), {}))
        for worker in self._workers:
            worker.join()
        self._active = False
        self._finished = True

    def get_result(self) -> dict[str, Any]:
        """Return whether all went well, and each thread's result."""
        assert self._finished
        detail = [worker.get_result() for worker in self._workers]
        return {"success_all": all(failed == 0 for _, failed, _ in detail), "detail": detail}
