"""Secured connections, servers that go away, and what a client tells of both."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.fault.test_http_certificates import Issued, issue, trusting
from tests.remoting_server import Answer, RemotingServer
from tests.rocketmq_sides import KINDS, Side, until
from tests.scripted import Peer, ScriptedServer
from wirespeed import rocketmq
from wirespeed.errors import Busy, SendError, ServiceError, TlsError, WirespeedError
from wirespeed.remoting.connection import Frame
from wirespeed.rocketmq import Tls
from wirespeed.rocketmq.flow import discovery


def work(kind: str, namesrv: str, act: Callable[[Any], Any], **options: Any) -> Any:
    """Call `act` with a producer, and each of the coroutines that it yields."""
    if kind == "threads":
        with rocketmq.Producer("group", namesrv, **options) as producer:
            for _ in act(producer):
                pass
        return

    async def main() -> None:
        async with rocketmq.AsyncProducer("group", namesrv, **options) as producer:
            for step in act(producer):
                await step

    asyncio.run(main())


@pytest.fixture(scope="module")
def authority() -> Issued:
    return issue(None, "Test Authority", authority=True)


def serving(issued: Issued, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.save(folder / "server.pem"))
    return context


@pytest.mark.parametrize("kind", KINDS)
def test_a_trusted_server_gets_large_and_many_messages(
    kind: str, authority: Issued, tmp_path: Path
) -> None:
    context = serving(issue(authority, names=(), addresses=("127.0.0.1",)), tmp_path)

    def act(producer: Any) -> Any:
        yield producer.send("t", os.urandom(3_000_000))
        for number in range(50):
            yield producer.send("t", b"%d" % number)

    with RemotingServer(tls=context) as server:
        work(kind, server.address, act, tls=trusting(authority, tmp_path))
        sent = server.wait_for(310, 51)
    assert [len(frame.body) for frame in sent] == [3_000_000, *(len(b"%d" % n) for n in range(50))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ["unknown", "name", "plain"])
def test_a_server_that_is_not_trusted_gets_nothing(
    kind: str, case: str, authority: Issued, tmp_path: Path
) -> None:
    issued = issue(None) if case == "unknown" else issue(authority, names=("localhost",))
    context = None if case == "plain" else serving(issued, tmp_path)
    with RemotingServer(tls=context) as server:
        client = trusting(authority, tmp_path)
        with pytest.raises(WirespeedError) as caught:
            work(kind, server.address, lambda producer: [producer.start()], tls=client)
        assert caught.value.outcome == "not_sent"
        if case != "plain":
            assert isinstance(caught.value, TlsError), caught.value
        assert 105 not in server.codes() and 310 not in server.codes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_may_have_another_name_than_the_address(
    kind: str, authority: Issued, tmp_path: Path
) -> None:
    context = serving(issue(authority, names=("brokers.test",)), tmp_path)
    with RemotingServer(tls=context) as server:
        tls = Tls(trusting(authority, tmp_path), "brokers.test")
        work(kind, server.address, lambda producer: [producer.send("t", b"x")], tls=tls)
        assert len(server.wait_for(310)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_shows_its_certificate(kind: str, authority: Issued, tmp_path: Path) -> None:
    context = serving(issue(authority, names=(), addresses=("127.0.0.1",)), tmp_path)
    tls = trusting(authority, tmp_path)
    context.load_verify_locations(str(tmp_path / "authority.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    mine = issue(authority, "client", names=("client",), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    with RemotingServer(tls=context) as server:
        with pytest.raises(WirespeedError):
            work(kind, server.address, lambda producer: [producer.send("t", b"x")], tls=tls)
        tls.load_cert_chain(mine.save(tmp_path / "client.pem"))
        work(kind, server.address, lambda producer: [producer.send("t", b"x")], tls=tls)
        assert len(server.wait_for(310)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_goes_away_is_left_for_a_new_connection(kind: str) -> None:
    peers: list[Peer] = []

    def go_away(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
        peers.append(peer)
        return (1500, {}, b"") if len(peers) == 1 else server.answer(frame)

    told: list[Any] = []

    def act(producer: Any) -> Any:
        for event in ("retry", "reconnect", "throttle"):
            producer.on(event, told.append)
        yield producer.send("t", b"x")
        assert producer.metrics.snapshot()["retries"] == 1

    with RemotingServer(on_310=go_away) as server:
        work(kind, server.address, act)
    assert len(peers) == 2 and peers[0] is not peers[1]
    assert {event.name for event in told} == {"retry", "reconnect", "throttle"}
    (retry,) = [event for event in told if event.name == "retry"]
    assert (retry.service, retry.attempt, retry.detail) == ("rocketmq", 1, "t")
    assert isinstance(retry.error, Busy)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_broker_is_told_of(kind: str) -> None:
    def cut(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        peer.reset()
        return None

    told: list[Any] = []

    def act(producer: Any) -> Any:
        producer.on("broker_down", told.append)
        assert producer.status().ok
        yield producer.send("t", b"x")

    with RemotingServer(on_310=cut) as server:
        with pytest.raises(SendError):
            work(kind, server.address, act)
        assert [event.endpoint for event in told] == [server.address] * 3
        assert all(event.error is not None for event in told)


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_server_names_the_name_servers(kind: str) -> None:
    with RemotingServer() as server:

        def answer(peer: Peer) -> None:
            while (request := peer.read_request()) is not None:
                assert request[0].startswith(b"GET /rocketmq/nsaddr ")
                peer.answer(200, f"{server.address}\nignored\n".encode())

        with ScriptedServer(answer) as directory:
            url = f"http://127.0.0.1:{directory.port}/rocketmq/nsaddr"
            work(kind, url, lambda producer: [producer.send("t", b"x")])
            assert len(server.wait_for(310)) == 1

        def refuse(peer: Peer) -> None:
            while peer.read_request() is not None:
                peer.answer(404)

        with ScriptedServer(refuse) as directory:
            url = f"http://127.0.0.1:{directory.port}/rocketmq/nsaddr"
            with pytest.raises(ServiceError, match="named no name server"):
                work(kind, url, lambda producer: [producer.start()])


@pytest.mark.parametrize("name", ["Producer", "PushConsumer", "Admin"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_address_server_is_asked_again(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "INTERVAL", 0.05)
    with RemotingServer() as broker, RemotingServer() as first, RemotingServer() as second:

        def route(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
            return 0, {}, json.dumps(broker.route()).encode()

        first.behaviours = second.behaviours = {105: route}
        listed = [first.address]
        asked: list[str] = []

        def answer(peer: Peer) -> None:
            while peer.read_request() is not None:
                asked.append(";".join(listed))
                peer.answer(200 if listed else 503, ";".join(listed).encode())

        with ScriptedServer(answer) as directory:
            url = f"http://127.0.0.1:{directory.port}/rocketmq/nsaddr"
            side = Side(kind, url)
            arguments = {"Producer": ("g",), "PushConsumer": ("g", {"t": "*"}), "Admin": ()}[name]
            client = side.make(name, *arguments)
            side.do(client.start, *([print] if name == "PushConsumer" else []))
            before = first.codes().count(105)
            assert before and not second.received
            listed[:] = []
            until(lambda: len(asked) > 3, 5)
            side.do(client.ping)
            assert first.codes().count(105) > before
            listed[:] = [second.address]
            until(
                lambda: second.address in asked and first.address not in client.status().endpoints
            )
            before = first.codes().count(105)
            side.do(client.ping)
            assert 105 in second.codes() and first.codes().count(105) == before
            side.close()
            # One question may be under way.
            time.sleep(0.1)
            ended = len(asked)
            time.sleep(0.2)
            assert len(asked) == ended


@pytest.mark.parametrize("kind", KINDS)
def test_slow_brokers_are_left_out_for_a_while(kind: str) -> None:
    with RemotingServer(queues=2) as slow, RemotingServer(queues=2) as quick:

        def route(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
            both = server.route()
            both["queueDatas"].append({**both["queueDatas"][0], "brokerName": "c"})
            both["brokerDatas"].append({"brokerName": "c", "brokerAddrs": {"0": quick.address}})
            return 0, {}, json.dumps(both).encode()

        def delay(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
            time.sleep(0.6)
            return server.answer(frame)

        slow.behaviours = {105: route, 310: delay}

        def act(producer: Any) -> Any:
            for number in range(20):
                yield producer.send("t", b"%d" % number)

        work(kind, slow.address, act, avoid_slow=True)
        assert slow.codes().count(310) == 1
        assert quick.codes().count(310) == 19
