"""TLS: verified by default, trusted only when told to, and no byte to the wrong peer."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed.engine.effects import Exchange
from wirespeed.errors import DeadlineExceeded, TlsError
from wirespeed.http import aio, threads
from wirespeed.http.models import Origin, Request


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl makes the test certificate; install it")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [openssl, *request.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate, key


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))

    def echo(peer: Peer) -> None:
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        with peer.sock:
            while (request := peer.read_request()) is not None:
                peer.answer(200, request[1])

    with ScriptedServer(echo) as made:
        yield made


@pytest.fixture(params=["threads", "aio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def exchange_all(
    kind: str, origin: Origin, bodies: list[Any], tls: ssl.SSLContext | None, seconds: float = 5
) -> tuple[list[bytes], int]:
    """Return the answers to some bodies, and how many connections were idle at the end."""

    def effect(body: Any) -> Exchange:
        return Exchange(origin, Request("POST", "/", (), body), time.monotonic() + seconds)

    if kind == "threads":
        with threads.Transport(tls=tls) as blocking:
            answers = [blocking.exchange(effect(body)).body for body in bodies]
            return answers, blocking.idle_connections

    async def main() -> tuple[list[bytes], int]:
        async with aio.Transport(tls=tls) as looped:
            answers = [(await looped.exchange(effect(body))).body for body in bodies]
            return answers, looped.idle_connections

    return asyncio.run(main())


def test_a_trusted_peer(kind: str, server: ScriptedServer, certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    large = bytes(range(256)) * 8192
    bodies = [b"one", b"", memoryview(large), [b"a", large, b"b"]]
    origin = Origin("https", "localhost", server.port)
    answers, idle = exchange_all(kind, origin, bodies, trusting)
    assert answers == [b"one", b"", large, b"a" + large + b"b"]
    assert idle == 1
    assert len(server.peers) == 1


def test_an_unknown_peer_gets_nothing(kind: str, server: ScriptedServer) -> None:
    with pytest.raises(TlsError, match="certificate") as caught:
        exchange_all(kind, Origin("https", "localhost", server.port), [b"secret"], None)
    assert caught.value.outcome == "not_sent"
    assert server.peers[0].requests == []


def test_a_peer_of_another_name_gets_nothing(
    kind: str, server: ScriptedServer, certificate: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with pytest.raises(TlsError, match=r"127\.0\.0\.1"):
        exchange_all(kind, Origin("https", "127.0.0.1", server.port), [b"secret"], trusting)
    assert server.peers[0].requests == []


def test_a_plain_server_is_a_tls_error_with_a_hint(kind: str) -> None:
    def plain(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.answer(400, b"")

    with ScriptedServer(plain) as made, pytest.raises(TlsError, match="https"):
        exchange_all(kind, Origin("https", "localhost", made.port), [b""], None)


def test_a_silent_handshake_meets_the_deadline(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = Origin("https", "localhost", listener.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            exchange_all(kind, origin, [b""], None, 0.3)
        assert time.monotonic() - began < 1.5
        assert caught.value.outcome == "not_sent"
