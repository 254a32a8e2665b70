"""Runs flows with blocking calls: `run` in the calling thread, `Background` without one.

`Background` carries many long-lived flows (pull loops, heartbeats) on the threads that
complete their effects, so that a pending long poll costs no thread.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

from ...errors import Cancelled
from ..effects import Compute, Effect, Exchange, Flow, Gather, Sleep
from ..forks import track_forks as track_forks
from . import queues as queues

T = TypeVar("T")
_log = logging.getLogger("wirespeed.engine")
MAY_BLOCK = True
"""Blocking calls may be made where an answer comes in."""
_RAMP = 0.002
_STOPPING = 1.0


class Transport(Protocol):
    """Carries one exchange out and waits for its reply."""

    def exchange(self, effect: Exchange) -> Any:
        """Return the reply, or raise a `TransportError` or `ProtocolError`."""


class CallbackTransport(Protocol):
    """Carries an exchange out without waiting."""

    def submit(self, effect: Exchange, done: Callable[[Any, BaseException | None], None]) -> None:
        """Begin the exchange; call `done(reply, None)` or `done(None, error)` exactly once."""


def run(flow: Flow[T], transport: Transport) -> T:
    """Run `flow` to its end in this thread and return its result, or raise what it raises."""
    outcome: Any = None
    error: BaseException | None = None
    try:
        while True:
            if error is None:
                effect = flow.send(outcome)
            else:
                failure, error = error, None
                effect = flow.throw(failure)
            try:
                if type(effect) is Exchange:
                    outcome = transport.exchange(effect)
                else:
                    outcome = _perform(effect, transport)
            except BaseException as caught:
                error = caught
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _perform(effect: Effect, transport: Transport) -> Any:
    if type(effect) is Sleep:
        return _sleep(effect)
    if type(effect) is Compute:
        return effect.function(*effect.args)
    if type(effect) is Gather:
        return _gather(effect, transport)
    raise TypeError(f"a flow yielded {effect!r}, which is no effect")


def _sleep(effect: Sleep) -> bool:
    wake = effect.wake
    if wake is None:
        time.sleep(effect.seconds)
        return False
    event = threading.Event()
    wake.notify = event.set
    try:
        if not wake.is_set:
            event.wait(effect.seconds)
        woken, wake.is_set = wake.is_set, False
        return woken
    finally:
        wake.notify = None


class _Group:
    """The transport of a `Gather`'s flows: it carries nothing more out once one has failed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.ended = threading.Event()
        self.failure: BaseException | None = None

    def exchange(self, effect: Exchange) -> Any:
        if self.ended.is_set():
            raise Cancelled("another part of the call has failed")
        return self._transport.exchange(effect)

    def interrupt(self) -> None:
        """Break off what is under way, which would else go on to its deadline."""
        self.ended.set()
        interrupt = getattr(self._transport, "interrupt", None)
        if interrupt is not None:
            interrupt()

    def run(self, flow: Flow[Any]) -> Any:
        """Run one of the flows, or close it where another failed before it began."""
        if self.ended.is_set():
            flow.close()
            return None
        try:
            return run(flow, self)
        except BaseException as error:
            if not self.ended.is_set():
                self.failure = error
                self.ended.set()
            raise


def _gather(effect: Gather, transport: Transport) -> list[Any]:
    flows = effect.flows
    if len(flows) <= 1 or effect.limit <= 1:
        return [run(flow, transport) for flow in flows]
    group = _Group(transport)
    with ThreadPoolExecutor(min(effect.limit, len(flows)), "wirespeed-gather") as pool:
        futures: list[Future[Any]] = [pool.submit(group.run, flow) for flow in flows]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            group.interrupt()
            raise
    if group.failure is not None:
        raise group.failure
    return [future.result() for future in futures]


class Timers:
    """Calls functions at given times, on one daemon thread that starts with the first use."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Call `function` at `when` (monotonic seconds). It must not block."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._heap, (when, next(self._serial), function))
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()
            elif self._heap[0][2] is function:
                self._changed.notify()

    def close(self) -> None:
        """Forget what is due and end the thread."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while True:
                    if self._closed:
                        return
                    now = time.monotonic()
                    if self._heap and self._heap[0][0] <= now:
                        function = heapq.heappop(self._heap)[2]
                        break
                    self._changed.wait(self._heap[0][0] - now if self._heap else None)
            try:
                function()
            except Exception:
                _log.exception("a timer of %s failed", self._name)


class Task:
    """A flow under way in a `Background`."""

    __slots__ = (
        "_background",
        "_ended_early",
        "_flow",
        "_lock",
        "_running",
        "_sleep",
        "_stopped",
        "finished",
    )

    def __init__(self, background: Background, flow: Flow[Any]) -> None:
        self._background = background
        self._flow = flow
        self._lock = threading.Lock()
        self._running = False
        self._stopped = False
        self._sleep: object | None = None
        self._ended_early: tuple[Any, BaseException | None] | None = None
        self.finished = threading.Event()

    def cancel(self) -> None:
        """Close the flow now, or as soon as its running step ends.

        Once it is `finished` it begins nothing more.
        """
        with self._lock:
            self._stopped = True
            if self._running or self.finished.is_set():
                return
            self._running = True
        self._end()

    def _end(self) -> None:
        try:
            self._flow.close()
        except Exception:
            _log.exception("a background flow failed as it was closed")
        self.finished.set()
        self._background.forget(self)

    def step(self, outcome: Any, error: BaseException | None) -> None:
        """Send the outcome of the last effect and begin the next one."""
        with self._lock:
            if self._running:
                self._ended_early = outcome, error
                return
            if self.finished.is_set():
                return
            self._running = True
        while True:
            try:
                effect = self._flow.throw(error) if error is not None else self._flow.send(outcome)
            except StopIteration:
                self._finish(None)
                return
            except BaseException as failure:
                self._finish(failure)
                return
            if not self._stopped:
                self._begin(effect)
            with self._lock:
                if not self._stopped and self._ended_early is None:
                    self._running = False
                    return
                ended, self._ended_early = self._ended_early, None
            if ended is None or self._stopped:
                self._end()
                return
            outcome, error = ended

    def _begin(self, effect: Effect) -> None:
        """Have `step` called with the effect's outcome, once, perhaps before this returns."""
        if type(effect) is Exchange:
            self._background.transport.submit(effect, self.step)
        elif type(effect) is Sleep:
            self._start_sleep(effect)
        elif type(effect) is Compute:
            try:
                outcome = effect.function(*effect.args)
            except BaseException as failure:
                self.step(None, failure)
            else:
                self.step(outcome, None)
        else:
            self.step(None, TypeError(f"a background flow may not yield {effect!r}"))

    def _finish(self, failure: BaseException | None) -> None:
        self.finished.set()
        self._background.forget(self)
        if failure is not None:
            _log.error("a background flow ended", exc_info=failure)

    def _start_sleep(self, effect: Sleep) -> None:
        token = object()
        wake = effect.wake
        with self._lock:
            self._sleep = token

        def end() -> None:
            with self._lock:
                if self._sleep is not token:
                    return
                self._sleep = None
            woken = False
            if wake is not None:
                wake.notify = None
                woken, wake.is_set = wake.is_set, False
            self.step(woken, None)

        timers = self._background.timers
        if wake is not None:
            wake.notify = lambda: timers.call_at(0.0, end)
            if wake.is_set:
                timers.call_at(0.0, end)
        timers.call_at(time.monotonic() + effect.seconds, end)


def stop(tasks: Iterable[Task]) -> None:
    """Cancel flows and wait until they begin nothing more, for at most a second."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    ends = time.monotonic() + _STOPPING
    for task in tasks:
        task.finished.wait(max(0.0, ends - time.monotonic()))


class _Submitting:
    """Carries each exchange out on a thread of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(self, effect: Exchange, done: Callable[[Any, BaseException | None], None]) -> None:
        threading.Thread(
            target=self._carry_out, args=(effect, done), name="wirespeed-exchange", daemon=True
        ).start()

    def _carry_out(
        self, effect: Exchange, done: Callable[[Any, BaseException | None], None]
    ) -> None:
        try:
            outcome = self._transport.exchange(effect)
        except BaseException as error:
            done(None, error)
        else:
            done(outcome, None)


def background_transport(transport: Transport) -> CallbackTransport:
    """Return what a `Background` runs the exchanges of a few flows on, a thread for each."""
    return _Submitting(transport)


class Background:
    """Runs flows on the threads that complete their effects; no thread waits for one flow."""

    def __init__(self, transport: CallbackTransport, name: str) -> None:
        self.transport = transport
        self._name = name
        self.timers = Timers(f"{name}-timers")
        self._tasks: set[Task] = set()
        self._lock = threading.Lock()

    def start(self, flow: Flow[Any]) -> Task:
        """Begin `flow` on the timer thread and return its task."""
        task = Task(self, flow)
        with self._lock:
            self._tasks.add(task)
        self.timers.call_at(0.0, lambda: task.step(None, None))
        return task

    def worker_pool(self, work: Callable[[Any], None], concurrency: int) -> WorkerPool:
        """Return a pool that calls `work` for each item put into it."""
        return WorkerPool(work, concurrency, self.timers, f"{self._name}-worker")

    def forget(self, task: Task) -> None:
        """Drop a task that ended."""
        with self._lock:
            self._tasks.discard(task)

    def close(self) -> None:
        """Cancel every flow and end the timer thread. Twice is fine."""
        with self._lock:
            tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self.timers.close()

    discard = close


class WorkerPool:
    """Calls `work(item)` for each item on up to `concurrency` daemon threads.

    One thread takes all items as long as `work` is quick, which spares thread switches; what a
    slow call holds up is given to further threads within `_RAMP` seconds.
    """

    def __init__(
        self, work: Callable[[Any], None], concurrency: int, timers: Timers, name: str
    ) -> None:
        self._work = work
        self._concurrency = concurrency
        self._timers = timers
        self._name = name
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._slow = False
        self._ramping = False
        self._closing = False

    def put(self, items: Iterable[Any]) -> None:
        """Queue items. Never blocks."""
        self._items.extend(items)
        with self._changed:
            if self._closing:
                return
            self._engage(len(self._items) if self._slow else 1)
            if not self._ramping:
                self._ramping = True
                self._timers.call_at(time.monotonic() + _RAMP, self._ramp)

    def _engage(self, busy: int) -> None:
        wanted = min(busy, self._concurrency) - (self._threads - self._idle)
        if wanted <= 0:
            return
        self._changed.notify(min(wanted, self._idle))
        for _ in range(min(wanted - self._idle, self._concurrency - self._threads)):
            self._threads += 1
            threading.Thread(target=self._loop, name=self._name, daemon=True).start()

    def _ramp(self) -> None:
        with self._changed:
            backlog = len(self._items)
            self._slow = self._ramping = backlog > 0
            if self._ramping:
                self._engage(backlog + self._threads - self._idle)
                self._timers.call_at(time.monotonic() + _RAMP, self._ramp)

    def _loop(self) -> None:
        pop = self._items.popleft
        while True:
            try:
                item = pop()
            except IndexError:
                with self._changed:
                    if self._items:
                        continue
                    if self._closing:
                        self._threads -= 1
                        self._changed.notify_all()
                        return
                    self._idle += 1
                    self._changed.wait()
                    self._idle -= 1
                continue
            try:
                self._work(item)
            except BaseException:
                _log.exception("a handler of %s failed", self._name)

    def close(self, timeout: float) -> int:
        """Let the threads finish what is queued for up to `timeout` seconds.

        Returns:
            How many items were dropped.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._threads and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.1))
            dropped = len(self._items)
            self._items.clear()
            return dropped


class Event(threading.Event):
    """A `threading.Event` whose `wait` without a timeout can be interrupted on every platform."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; False when `timeout` seconds passed first."""
        if timeout is not None:
            return super().wait(timeout)
        while not super().wait(0.1):
            pass
        return True


Lock = threading.Lock
make_state_lock = threading.Lock


def call_handler(handler: Callable[[Any], Any], argument: Any) -> Any:
    """Call a user's handler and return what it returns."""
    return handler(argument)
