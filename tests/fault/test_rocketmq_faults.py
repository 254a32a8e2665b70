"""The RocketMQ clients against a server that misbehaves: deadlines hold, outcomes are true."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.remoting_server import Answer, RemotingServer, packed
from tests.scripted import Peer, closed_port
from wirespeed.config import Credentials
from wirespeed.engine.effects import Exchange
from wirespeed.errors import (
    ClosedError,
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    ProtocolError,
    SendError,
    TransportError,
    WirespeedError,
)
from wirespeed.remoting.connection import Command, Frame
from wirespeed.remoting.threads import Transport
from wirespeed.rocketmq import AsyncProducer, Producer, PushConsumer

SLACK = 0.5


def send_in_threads(address: str, **options: Any) -> Any:
    with Producer("g", address, **options) as producer:
        return producer.send("t", b"x")


def send_on_loop(address: str, **options: Any) -> Any:
    async def main() -> Any:
        async with AsyncProducer("g", address, **options) as producer:
            return await producer.send("t", b"x")

    return asyncio.run(main())


@pytest.fixture(params=[send_in_threads, send_on_loop], ids=["threads", "aio"])
def send(request: pytest.FixtureRequest) -> Callable[..., Any]:
    function: Callable[..., Any] = request.param
    return function


def silent(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
    return None


def cut(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
    peer.reset()
    raise ConnectionResetError


def test_closed_port_fails_at_once(send: Callable[..., Any]) -> None:
    with pytest.raises(ConnectError, match="running") as caught:
        send(f"127.0.0.1:{closed_port()}")
    assert caught.value.outcome == "not_sent"


@pytest.mark.parametrize("address", ["host", "host:", "host:0", "host:70000", ":1", "", "h:x"])
def test_bad_address_is_named(send: Callable[..., Any], address: str) -> None:
    with pytest.raises(ConfigError, match=r"address|port|namesrv"):
        send(address)


def test_silent_name_server_meets_the_deadline(send: Callable[..., Any]) -> None:
    with RemotingServer(on_105=silent) as server:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            send(server.address, timeout=0.3)
        assert 0.25 < time.monotonic() - start < 0.3 + SLACK
        assert caught.value.outcome == "not_sent"


def test_silent_broker_meets_the_deadline_and_the_outcome_is_unknown(
    send: Callable[..., Any],
) -> None:
    with RemotingServer(on_310=silent) as server:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            send(server.address, timeout=0.3)
        assert 0.25 < time.monotonic() - start < 0.3 + SLACK
        assert caught.value.outcome == "unknown"
        assert server.codes().count(310) == 1


def test_lost_reply_is_sent_again_with_the_same_id(send: Callable[..., Any]) -> None:
    def cut_first(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        if server.codes().count(310) == 1:
            return cut(server, peer, frame)
        return server.answer(frame)

    with RemotingServer(on_310=cut_first) as server:
        result = send(server.address)
        assert result.attempts == 2 and result.possible_duplicate
        first, second = [frame for frame in server.received if frame.code == 310]
        assert first.ext_fields["i"] == second.ext_fields["i"]


def test_broker_that_always_cuts_is_tried_three_times(send: Callable[..., Any]) -> None:
    with RemotingServer(on_310=cut) as server:
        with pytest.raises(SendError) as caught:
            send(server.address)
        assert (caught.value.attempts, caught.value.outcome) == (3, "unknown")
        assert server.codes().count(310) == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">ii", 2**31 - 1, 0),
        struct.pack(">ii", -1, 0),
        struct.pack(">iI", 8, 0x7F000004) + b"abcd",
        struct.pack(">ii", 8, 4) + b"{{{{",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_garbage_is_a_protocol_error_not_a_hang(send: Callable[..., Any], garbage: bytes) -> None:
    def answer(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        peer.send(garbage)
        peer.sock.shutdown(1)
        return None

    with RemotingServer(on_105=answer) as server:
        start = time.monotonic()
        with pytest.raises((ProtocolError, WirespeedError)):
            send(server.address, timeout=1.0)
        assert time.monotonic() - start < 1.0 + SLACK


def test_replies_in_single_bytes_arrive_whole(send: Callable[..., Any]) -> None:
    def dribble(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        code, fields, body = server.answer(frame)
        for byte in packed(code, frame.opaque, 1, fields, body):
            peer.send(bytes((byte,)))
        return None

    with RemotingServer(on_105=dribble, on_310=dribble) as server:
        assert send(server.address).attempts == 1


def test_late_and_unknown_replies_are_dropped(send: Callable[..., Any]) -> None:
    def answer(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        peer.send(packed(0, frame.opaque + 1000, 1, {"queueId": "9"}, b""))
        peer.send(packed(0, frame.opaque - 1000, 1, {"queueId": "9"}, b""))
        return server.answer(frame)

    with RemotingServer(on_310=answer) as server:
        assert send(server.address).queue.queue_id != 9


def test_unknown_server_requests_are_answered_unless_oneway(send: Callable[..., Any]) -> None:
    def ask(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        peer.send(packed(307, 5, 0, {}, b"") + packed(40, 6, 2, {}, b""))
        return server.answer(frame)

    with RemotingServer(on_310=ask) as server:
        send(server.address)
        answers = [frame for frame in server.received if frame.flag & 1]
        assert [(frame.opaque, frame.code) for frame in answers] == [(5, 3)]


def test_sixteen_threads_that_all_send_first_on_a_cold_topic_all_succeed() -> None:
    with RemotingServer() as server, Producer("g", server.address) as producer:
        results: list[Any] = []
        barrier = threading.Barrier(16)

        def work() -> None:
            barrier.wait(5)
            results.extend(producer.send("cold", b"x") for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(results) == 320
        assert len({result.message_id for result in results}) == 320


def test_replies_out_of_order_reach_their_own_callers() -> None:
    held: list[tuple[Peer, Frame]] = []
    lock = threading.Lock()

    def shuffle(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        with lock:
            held.append((peer, frame))
            if len(held) < 8:
                return None
            batch, held[:] = held[::-1], []
        for each, asked in batch:
            fields = {"queueId": "0", "queueOffset": asked.body.decode(), "msgId": ""}
            each.send(packed(0, asked.opaque, 1, fields, b""))
        return None

    with RemotingServer(on_310=shuffle) as server, Producer("g", server.address) as producer:
        wrong: list[Any] = []

        def work(number: int) -> None:
            for step in range(50):
                value = number * 1000 + step
                if producer.send("t", str(value)).queue_offset != value:
                    wrong.append(value)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert not wrong and len([f for f in server.received if f.code == 310]) == 400


def test_cancelled_sends_leave_the_connection_clean() -> None:
    def slow(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        time.sleep(0.001)
        fields = {"queueId": "0", "queueOffset": frame.body.decode(), "msgId": ""}
        return 0, fields, b""

    async def main() -> None:
        with RemotingServer(on_310=slow) as server:
            async with AsyncProducer("g", server.address) as producer:
                await producer.send("t", b"1")
                for number in range(100):
                    task = asyncio.ensure_future(producer.send("t", b"7"))
                    await asyncio.sleep(0.0005 * (number % 4))
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    if number % 10 == 0:
                        result = await producer.send("t", str(number))
                        assert result.queue_offset == number

    asyncio.run(main())


def test_oneway_waits_for_nothing() -> None:
    with RemotingServer(on_310=silent) as server, Producer("g", server.address) as producer:
        start = time.monotonic()
        producer.send_oneway("t", b"x")
        assert time.monotonic() - start < SLACK
        assert server.wait_for(310)[0].flag & 2


def test_use_after_close_and_double_close() -> None:
    with RemotingServer() as server:
        producer = Producer("g", server.address)
        producer.send("t", b"x")
        producer.close()
        producer.close()
        with pytest.raises(ClosedError):
            producer.send("t", b"x")
        consumer = PushConsumer("g", {"t": "*"}, server.address)
        consumer.close()
        with pytest.raises(ClosedError):
            consumer.start(print)


def test_close_tells_every_broker_that_the_group_leaves() -> None:
    with RemotingServer() as server:
        with Producer("g", server.address) as producer:
            producer.send("t", b"x")
        assert server.wait_for(35)[0].ext_fields["producerGroup"] == "g"


def test_forgotten_producer_warns_and_closes_its_sockets() -> None:
    with RemotingServer() as server:
        producer = Producer("g", server.address)
        producer.send("t", b"x")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del producer
            import gc

            gc.collect()
        assert [warning.category for warning in caught] == [ResourceWarning]
        deadline = time.monotonic() + 3
        while any("wirespeed-127" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_makes_its_own_connection_and_ids() -> None:
    with RemotingServer() as server, Producer("g", server.address) as producer:
        producer.send("t", b"parent")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                ids = [producer.send("t", b"child").message_id for _ in range(3)]
                os.write(writer, " ".join(ids).encode())
                os._exit(0)
            except BaseException:
                os._exit(1)
        mine = [producer.send("t", b"parent").message_id for _ in range(3)]
        _, status = os.waitpid(child, 0)
        assert status == 0
        theirs = os.read(reader, 1000).decode().split()
        os.close(reader)
        os.close(writer)
        assert len({*mine, *theirs}) == 6
        clients = {frame.body for frame in server.received if frame.code == 310}
        assert clients == {b"parent", b"child"}


INTERRUPTED = """
import sys, time
from wirespeed.rocketmq import Producer, PushConsumer
action, address = sys.argv[1:]
print("ready", flush=True)
start = time.monotonic()
try:
    if action == "send":
        Producer("g", address, timeout=60).send("t", b"x")
    elif action == "start":
        Producer("g", address, timeout=60).start()
    else:
        PushConsumer("g", {"t": "*"}, address).run(print)
except KeyboardInterrupt:
    print(f"interrupted {time.monotonic() - start:.2f}", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.parametrize("action", ["send", "start", "run"])
def test_ctrl_c_ends_every_wait(action: str, tmp_path: Path) -> None:
    behaviours = {"send": {"on_310": silent}, "start": {"on_105": silent}, "run": {}}[action]
    with RemotingServer(**behaviours) as server:  # type: ignore[arg-type]
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", INTERRUPTED, action, server.address],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        server.wait_for({"send": 310, "start": 105, "run": 34}[action])
        time.sleep(0.1)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        output = child.stdout.read()
        assert child.wait(5) == 0
        child.stdout.close()
        assert output.startswith("interrupted")
        assert time.monotonic() - sent < 2.0


def test_interpreter_exits_cleanly_with_live_clients_and_names_them() -> None:
    code = (
        "import sys\n"
        "from wirespeed.rocketmq import Producer, PushConsumer\n"
        "p = Producer('g', sys.argv[1]); p.send('t', b'x')\n"
        "c = PushConsumer('g', {'t': '*'}, sys.argv[1]); c.start(print)\n"
    )
    with RemotingServer() as server:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "always::ResourceWarning", "-c", code, server.address],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0 and "Fatal" not in done.stderr, done.stderr
        assert "unclosed PushConsumer" in done.stderr and "unclosed Producer" in done.stderr
        assert time.monotonic() - start < 5


def test_dead_broker_does_not_delay_other_exchanges_of_the_consumer() -> None:
    def held(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        return None

    def members(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        heartbeat = server.wait_for(34)[0]
        import json

        identity = json.loads(heartbeat.body)["clientID"]
        return 0, {}, json.dumps({"consumerIdList": [identity]}).encode()

    def offset(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        return 0, {"offset": "3"}, b""

    with RemotingServer(on_11=held, on_38=members, on_14=offset) as server:
        consumer = PushConsumer("g", {"t": "*"}, server.address)
        consumer.start(print)
        pulls = server.wait_for(11, 8)
        topics = {frame.ext_fields["topic"] for frame in pulls}
        assert topics == {"t", "%RETRY%g"}
        start = time.monotonic()
        consumer.close()
        assert time.monotonic() - start < 3
        stored = [frame.ext_fields["commitOffset"] for frame in server.received if frame.code == 15]
        assert stored and set(stored) == {"3"}
        assert server.wait_for(35)[0].ext_fields["consumerGroup"] == "g"


@pytest.mark.parametrize("behaviour", [silent, cut, None], ids=["silent", "cut", "refused"])
def test_no_secret_in_logs_reprs_or_errors(
    behaviour: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "canary-secret-value"
    caplog.set_level("DEBUG")

    def refuse(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        return 16, {}, b""

    with RemotingServer(on_310=behaviour or refuse) as server:
        credentials = Credentials("access", secret, "canary-token")
        producer = Producer("g", server.address, credentials=credentials, timeout=0.3)
        shown = [repr(producer), repr(credentials)]
        with pytest.raises(WirespeedError) as caught:
            producer.send("t", b"x")
        producer.close()
        error: BaseException | None = caught.value
        while error is not None:
            shown += [repr(error), str(error), repr(vars(error))]
            error = error.__cause__
        assert server.received[0].ext_fields["AccessKey"] == "access"
    assert "canary" not in "".join(shown) + caplog.text


def test_an_exchange_that_nobody_waits_for_ends_at_its_deadline_too() -> None:
    outcomes: list[tuple[Any, BaseException | None]] = []
    ended = threading.Event()

    def done(frame: Any, error: BaseException | None) -> None:
        outcomes.append((frame, error))
        ended.set()

    with RemotingServer(on_34=silent) as server:
        transport = Transport(lambda frame: None)
        start = time.monotonic()
        transport.submit(Exchange(server.address, Command(34), start + 0.3), done)
        assert ended.wait(3)
        assert 0.25 < time.monotonic() - start < 0.3 + SLACK
        assert isinstance(outcomes[0][1], DeadlineExceeded)
        ended.clear()
        transport.submit(Exchange(server.address, Command(34), time.monotonic() + 5), done)
        server.wait_for(34, 2)
        transport.close()
        assert ended.wait(3)
        assert len(outcomes) == 2 and isinstance(outcomes[1][1], TransportError)
