"""The drivers carry effects out, in threads and on an event loop alike."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from wirespeed.engine import aio, threads
from wirespeed.engine.effects import Compute, Exchange, Flow, Gather, Sleep, Wakeup
from wirespeed.errors import TransportError


class SyncEcho:
    """A transport that answers a request with its own upper case, or raises it."""

    def exchange(self, effect: Exchange) -> Any:
        if isinstance(effect.request, BaseException):
            raise effect.request
        return effect.request.upper()

    def submit(self, effect: Exchange, done: Callable[[Any, BaseException | None], None]) -> None:
        if isinstance(effect.request, BaseException):
            done(None, effect.request)
        else:
            done(effect.request.upper(), None)


class LoopEcho:
    async def exchange(self, effect: Exchange) -> Any:
        await asyncio.sleep(0)
        return SyncEcho().exchange(effect)


def run_in_threads(flow: Flow[Any]) -> Any:
    return threads.run(flow, SyncEcho())


def run_on_loop(flow: Flow[Any]) -> Any:
    return asyncio.run(aio.run(flow, LoopEcho()))


@pytest.fixture(params=[run_in_threads, run_on_loop], ids=["threads", "aio"])
def run(request: pytest.FixtureRequest) -> Callable[[Flow[Any]], Any]:
    driver: Callable[[Flow[Any]], Any] = request.param
    return driver


def exchange(request: Any) -> Exchange:
    return Exchange("endpoint", request, time.monotonic() + 1)


def test_result_of_effects_reaches_the_flow(run: Callable[[Flow[Any]], Any]) -> None:
    def flow() -> Flow[Any]:
        reply = yield exchange("a")
        sleeping = yield Sleep(0.0)
        total = yield Compute(sum, [1, 2, 3])
        return reply, sleeping, total

    assert run(flow()) == ("A", False, 6)


def test_flow_may_catch_an_error_and_go_on(run: Callable[[Flow[Any]], Any]) -> None:
    def flow() -> Flow[Any]:
        caught = []
        for number in range(3):
            try:
                yield exchange(TransportError(str(number)))
            except TransportError as error:
                caught.append(error.message)
        reply = yield exchange("b")
        return caught, reply

    assert run(flow()) == (["0", "1", "2"], "B")


def test_uncaught_error_leaves_the_flow(run: Callable[[Flow[Any]], Any]) -> None:
    closed = []

    def flow() -> Flow[Any]:
        try:
            yield exchange(TransportError("lost"))
        finally:
            closed.append(True)

    with pytest.raises(TransportError, match="lost"):
        run(flow())
    assert closed == [True]


def test_gather_keeps_order_and_respects_the_limit(run: Callable[[Flow[Any]], Any]) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def enter(step: int) -> None:
        nonlocal running, most
        with lock:
            running += step
            most = max(most, running)

    def one(number: int) -> Flow[int]:
        yield Compute(enter, 1)
        yield Sleep(0.01)
        yield Compute(enter, -1)
        return number

    def flow() -> Flow[Any]:
        return (yield Gather([one(number) for number in range(7)], 3))

    assert run(flow()) == list(range(7))
    assert 2 <= most <= 3


def test_gather_raises_the_first_error(run: Callable[[Flow[Any]], Any]) -> None:
    def good() -> Flow[str]:
        return (yield exchange("a"))

    def bad() -> Flow[str]:
        yield Sleep(0.0)
        raise TransportError("one failed")

    def flow() -> Flow[Any]:
        return (yield Gather([good(), bad(), good()], 2))

    with pytest.raises(TransportError, match="one failed"):
        run(flow())


def test_gather_stops_the_others_at_their_next_exchange(run: Callable[[Flow[Any]], Any]) -> None:
    carried = 0

    def endless() -> Flow[None]:
        nonlocal carried
        for _ in range(1000):
            yield exchange("a")
            yield Sleep(0.001)
            carried += 1

    def bad() -> Flow[str]:
        yield Sleep(0.01)
        raise TransportError("one failed")

    def flow() -> Flow[Any]:
        return (yield Gather([endless(), bad(), endless()], 3))

    with pytest.raises(TransportError, match="one failed"):
        run(flow())
    assert carried < 500


def test_sleep_ends_early_when_woken(run: Callable[[Flow[Any]], Any]) -> None:
    wake = Wakeup()

    def flow() -> Flow[Any]:
        timer = threading.Timer(0.02, wake.set)
        timer.start()
        woken = yield Sleep(5.0, wake)
        timer.join()
        again = yield Sleep(0.0, wake)
        return woken, again

    start = time.monotonic()
    assert run(flow()) == (True, False)
    assert time.monotonic() - start < 2


def test_wakeup_before_the_sleep_is_not_lost(run: Callable[[Flow[Any]], Any]) -> None:
    wake = Wakeup()
    wake.set()

    def flow() -> Flow[Any]:
        return (yield Sleep(5.0, wake))

    assert run(flow()) is True


def test_yielding_something_else_is_a_type_error(run: Callable[[Flow[Any]], Any]) -> None:
    def flow() -> Flow[Any]:
        yield "no effect"  # type: ignore[misc]

    with pytest.raises(TypeError, match="no effect"):
        run(flow())


def test_cancelling_a_task_closes_its_flow() -> None:
    closed = []

    def flow() -> Flow[Any]:
        try:
            yield Sleep(5.0)
        finally:
            closed.append(True)

    async def main() -> None:
        task = asyncio.ensure_future(aio.run(flow(), LoopEcho()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed == [True]


def test_background_runs_many_flows_without_a_thread_for_each() -> None:
    background = threads.Background(SyncEcho(), "test")
    done: list[Any] = []
    before = threading.active_count()

    def flow(number: int) -> Flow[None]:
        first = yield exchange(f"x{number}")
        yield Sleep(0.01)
        try:
            yield exchange(TransportError("lost"))
        except TransportError:
            done.append(first)

    tasks = [background.start(flow(number)) for number in range(50)]
    for task in tasks:
        assert task.finished.wait(5)
    assert sorted(done) == sorted(f"X{number}" for number in range(50))
    assert threading.active_count() <= before + 1
    background.close()
    background.close()


def test_background_cancel_closes_the_flow_and_sleep_can_be_woken() -> None:
    background = threads.Background(SyncEcho(), "test")
    closed = threading.Event()
    woken = threading.Event()
    wake = Wakeup()

    def flow() -> Flow[None]:
        try:
            if (yield Sleep(5.0, wake)):
                woken.set()
            yield Sleep(60.0)
        finally:
            closed.set()

    task = background.start(flow())
    wake.set()
    assert woken.wait(2)
    task.cancel()
    assert closed.wait(2) and task.finished.wait(2)
    background.close()


def test_answers_that_come_at_once_do_not_nest() -> None:
    background = threads.Background(SyncEcho(), "test")
    counted: list[int] = []

    def flow() -> Flow[None]:
        for _ in range(5000):
            yield exchange("x")
            yield Compute(int)
        counted.append(5000)

    task = background.start(flow())
    assert task.finished.wait(10)
    assert counted == [5000]
    background.close()


def test_a_flow_stopped_on_threads_begins_nothing_after_that() -> None:
    going_out, may_go = threading.Event(), threading.Event()
    begun: list[str] = []

    class Slow(SyncEcho):
        def submit(self, effect: Exchange, done: Callable[..., None]) -> None:
            begun.append(effect.request)
            going_out.set()
            may_go.wait(5)
            super().submit(effect, done)

    def flow() -> Flow[None]:
        yield exchange("first")
        yield exchange("second")

    background = threads.Background(Slow(), "test")
    task = background.start(flow())
    assert going_out.wait(2)
    stopper = threading.Thread(target=threads.stop, args=([task],))
    stopper.start()
    stopper.join(0.1)
    assert stopper.is_alive() and not task.finished.is_set()
    may_go.set()
    stopper.join(2)
    assert not stopper.is_alive() and task.finished.is_set()
    assert begun == ["first"]
    background.close()


def test_a_flow_stopped_on_a_loop_has_ended_then() -> None:
    async def main() -> None:
        background = aio.Background(LoopEcho(), "test")
        closed: list[bool] = []

        def flow() -> Flow[None]:
            try:
                yield Sleep(60.0)
            finally:
                closed.append(True)

        task = background.start(flow())
        await asyncio.sleep(0)
        await aio.stop([task])
        assert closed and task.done()
        await background.close()

    asyncio.run(main())


def test_slow_items_spread_over_the_worker_threads() -> None:
    background = threads.Background(SyncEcho(), "test")
    used: set[int] = set()
    barrier = threading.Barrier(4)

    def work(item: int) -> None:
        used.add(threading.get_ident())
        barrier.wait(5)

    pool = background.worker_pool(work, 4)
    pool.put(range(8))
    assert pool.close(5) == 0
    assert len(used) == 4
    background.close()


def test_worker_pool_counts_what_it_dropped() -> None:
    background = threads.Background(SyncEcho(), "test")
    release = threading.Event()
    pool = background.worker_pool(lambda item: release.wait(5) and None, 1)
    pool.put(range(5))
    time.sleep(0.05)
    assert pool.close(0.05) == 4
    release.set()
    background.close()


def test_closing_ends_a_flow_whose_cancellation_got_lost() -> None:
    lost: list[bool] = []

    class Swallowing:
        async def exchange(self, effect: Exchange) -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(True)
            return "an answer all the same"

    def flow() -> Flow[None]:
        while True:
            yield exchange("x")

    async def main() -> None:
        background = aio.Background(Swallowing(), "test")
        background.start(flow())
        await asyncio.sleep(0)
        await asyncio.wait_for(background.close(), 3)

    asyncio.run(main())
    assert lost == [True]


def test_loop_worker_pool_runs_suspended_items_side_by_side() -> None:
    async def main() -> None:
        background = aio.Background(LoopEcho(), "test")
        running, most = 0, 0

        async def work(item: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

        pool = background.worker_pool(work, 3)
        pool.put(range(9))
        assert await pool.close(5) == 0
        assert most == 3
        await background.close()

    asyncio.run(main())
