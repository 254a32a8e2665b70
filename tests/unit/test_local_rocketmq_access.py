"""The local RocketMQ asks who is there, and speaks TLS: to a plain socket and to our clients."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.test_http_certificates import Issued, issue, trusting
from tests.rocketmq_probe import Answer, Probe
from tests.rocketmq_sides import KINDS, Inbox, Side, until
from tests.unit.test_local_cloud import broker_of
from wirespeed.config import Credentials
from wirespeed.errors import AccessDenied, ConfigError, TlsError, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import StartFrom, Tls

USERS = {"amy": "secret-of-amy", "bob": "secret-of-bob"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalCloud]:
    """A cloud whose broker has users."""
    with LocalCloud(["rocketmq"], rocketmq_users=USERS) as cloud:
        yield cloud


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- users --


def signed(
    fields: dict[str, Any], body: bytes = b"", user: str = "amy", secret: str = USERS["amy"],
    unsigned: frozenset[str] = frozenset(),
) -> dict[str, Any]:  # fmt: skip
    """Return the fields with the two that a signed command has."""
    fields = {**fields, "AccessKey": user}
    content = "".join(str(fields[name]) for name in sorted(fields.keys() - unsigned)).encode()
    digest = hmac.new(secret.encode(), content + body, hashlib.sha1).digest()
    return {**fields, "Signature": base64.b64encode(digest).decode()}


SEND = {
    "a": "probes", "b": "guarded", "c": "TBW102", "d": 4, "e": 0, "f": 0, "g": 1, "h": 0,
    "i": "KEYS\x01\u00e9\u4e2d\x02EMPTY\x01\x02", "j": 0, "k": "false", "m": "false", "n": "",
}  # fmt: skip


@pytest.mark.parametrize("binary", [False, True])
def test_a_signed_command_is_answered(guarded: LocalCloud, binary: bool) -> None:
    with Probe(broker_of(guarded)) as probe:
        answer = probe.ask(310, signed(SEND, b"\xff\x00"), b"\xff\x00", binary=binary)
        assert answer.code == 0
        bob = signed({"topic": "guarded", "queueId": 0}, b"", "bob", USERS["bob"])
        assert int(probe.ask(30, bob).fields["offset"]) >= 1


def change(**fields: str) -> dict[str, Any]:
    return {**signed(SEND, b"x"), **fields}


def drop(name: str) -> dict[str, Any]:
    return {key: value for key, value in signed(SEND, b"x").items() if key != name}


@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        (SEND, "username cannot be null."),
        (drop("AccessKey"), "username cannot be null."),
        (change(AccessKey=""), "username cannot be null."),
        (signed(SEND, b"x", "eve"), "User:eve is not found."),
        (drop("Signature"), "check signature failed."),
        (change(Signature=""), "check signature failed."),
        (change(Signature="\u00e9"), "check signature failed."),
        (change(e="1"), "check signature failed."),
        (change(extra="field"), "check signature failed."),
        (drop("k"), "check signature failed."),
        (change(AccessKey="bob"), "check signature failed."),
        (signed(SEND, b"y"), "check signature failed."),
        (signed(SEND, b"x", "amy", USERS["bob"]), "check signature failed."),
        (signed(SEND, b"x", unsigned=frozenset("k")), "check signature failed."),
    ],
)
def test_any_other_is_refused(guarded: LocalCloud, fields: dict[str, Any], remark: str) -> None:
    with Probe(broker_of(guarded)) as probe:
        asked = {"topic": "guarded", "queueId": 0}
        before = probe.ask(30, signed(asked)).fields
        answer = probe.ask(310, fields, b"x")
        assert (answer.code, answer.remark) == (16, remark)
        assert probe.ask(30, signed(asked)).fields == before


def test_one_way_commands_are_checked_too(guarded: LocalCloud) -> None:
    with Probe(broker_of(guarded)) as probe:
        probe.send(310, {**SEND, "b": "one-way"}, b"x", oneway=True)
        probe.send(310, signed({**SEND, "b": "one-way"}, b"x"), b"x", oneway=True)
        asked = signed({"topic": "one-way", "queueId": 0})
        assert probe.ask(30, asked).fields["offset"] == "1"


@pytest.mark.parametrize(("version", "is_signed"), [(393, False), (399, False), (401, True)])
def test_old_clients_leave_one_field_out(
    guarded: LocalCloud, version: int, is_signed: bool
) -> None:
    fields = {
        "topic": "guarded", "key": "none", "maxNum": 1, "beginTimestamp": 0, "endTimestamp": 1,
        "_UNIQUE_KEY_QUERY": "true",
    }  # fmt: skip

    def ask(unsigned: frozenset[str]) -> Answer:
        with Probe(broker_of(guarded)) as probe:
            return probe.ask(12, signed(fields, unsigned=unsigned), version=version)

    accepted, refused = frozenset[str](), frozenset({"_UNIQUE_KEY_QUERY"})
    if not is_signed:
        accepted, refused = refused, accepted
    assert (ask(accepted).code, ask(refused).code) == (22, 16)


def test_the_name_server_and_a_broker_without_users_check_nothing(guarded: LocalCloud) -> None:
    with Probe(guarded.namesrv) as names:
        assert names.route("TBW102", version=513).code == 0
        assert names.ask(206, {"AccessKey": "eve", "Signature": "wrong"}).code == 0
    with LocalCloud(["rocketmq"]) as open_cloud, Probe(broker_of(open_cloud)) as probe:
        assert probe.ask(310, change(AccessKey="eve"), b"x").code == 0


def test_our_clients_are_users(guarded: LocalCloud, kind: str) -> None:
    amy = Credentials("amy", USERS["amy"])
    side = Side(kind, guarded.namesrv)
    try:
        topic, box = f"ours-{kind}", Inbox()
        producer = side.make("Producer", "users", credentials=amy)
        sent = side.do(producer.send, topic, "h\u00e9", keys="k", properties={"\u4e2d": "\u00e9"})
        consumer = side.make(
            "PushConsumer", f"{kind}-users", {topic: "*"}, start_from=StartFrom.FIRST,
            credentials=amy,
        )  # fmt: skip
        side.do(consumer.start, box)
        until(lambda: box.got, 15)
        assert [message.message_id for message in box.got] == [sent.message_id]
        admin = side.make("Admin", credentials=amy)
        [found] = side.do(admin.find_by_id, topic, sent.message_id)
        assert found.body == "h\u00e9".encode()
        for credentials in (None, Credentials("amy", "wrong"), Credentials("eve", "x")):
            stranger = side.make("Producer", "strangers", credentials=credentials)
            with pytest.raises(AccessDenied) as caught:
                side.do(stranger.send, topic, b"x")
            assert caught.value.code == 16
    finally:
        side.close()


def test_users_need_a_key_and_a_secret() -> None:
    for users in ({"": "x"}, {"x": ""}):
        with pytest.raises(ConfigError, match="rocketmq_users"):
            LocalCloud(["rocketmq"], rocketmq_users=users)


# -- TLS --


@pytest.fixture(scope="module")
def authority() -> Issued:
    return issue(None, "Test Authority", authority=True)


@pytest.fixture(scope="module")
def files(authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    mine = issue(authority, addresses=("127.0.0.1",))
    path = mine.save(folder / "server.pem", authority)
    return path, path


@pytest.fixture(scope="module", params=[False, True], ids=["permissive", "enforcing"])
def only(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def secured(files: tuple[str, str], only: bool) -> Iterator[LocalCloud]:
    """A cloud that speaks TLS."""
    with LocalCloud(["rocketmq"], rocketmq_tls=files, rocketmq_tls_only=only) as cloud:
        yield cloud


def test_plain_clients_are_served_or_turned_away(secured: LocalCloud, only: bool) -> None:
    if not only:
        with Probe(broker_of(secured)) as probe:
            sent = probe.publish("plain", b"p" * 200_000)
            assert sent is not None and sent.code == 0
            assert len(probe.pull_until(1, "plain", "plain")) == 1
        return
    with Probe(secured.namesrv) as probe, pytest.raises(ConnectionResetError):
        probe.route("TBW102")


def test_our_clients_speak_tls(
    secured: LocalCloud, authority: Issued, kind: str, tmp_path: Path
) -> None:
    side = Side(kind, secured.namesrv)
    tls = trusting(authority, tmp_path)
    try:
        topic, box = f"tls-{kind}", Inbox()
        producer = side.make("Producer", "tls", tls=tls)
        # More than a record of TLS, and more than one read.
        bodies = [b"small", b"large" * 200_000, b"last"]
        for body in bodies:
            side.do(producer.send, topic, body)
        consumer = side.make(
            "PushConsumer", f"tls-{kind}", {topic: "*"}, start_from=StartFrom.FIRST, tls=Tls(tls)
        )
        side.do(consumer.start, box)
        until(lambda: len(box.got) == 3, 15)
        side.do(producer.send, topic, b"woken")
        until(lambda: len(box.got) == 4, 15)
        assert sorted(box.bodies()) == sorted([*bodies, b"woken"])
        stranger = side.make("Producer", "strangers", tls=True)
        with pytest.raises(TlsError):
            side.do(stranger.send, topic, b"x")
    finally:
        side.close()


def talk(address: str, context: ssl.SSLContext, data: bytes, piece: int) -> bytes:
    """Shake hands and send the data in pieces of some bytes; return what comes first."""
    host, _, port = address.rpartition(":")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection((host, int(port)), 10) as plain:
        steps = [session.do_handshake, lambda: session.write(data), lambda: session.read(4096)]
        while True:
            try:
                result = steps[0]()
                del steps[0]
            except ssl.SSLWantReadError:
                result = None
            sent = outgoing.read()
            for start in range(0, len(sent), piece):
                plain.sendall(sent[start : start + piece])
            if not steps:
                assert isinstance(result, bytes)
                return result
            if result is None and not (received := plain.recv(65536)):
                return b""
            elif result is None:
                incoming.write(received)


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_tls_comes_in_pieces(
    secured: LocalCloud, authority: Issued, piece: int, tmp_path: Path
) -> None:
    head = b'{"code":105,"opaque":7,"flag":0,"version":513,"extFields":{"topic":"TBW102"}}'
    frame = (len(head) + 4).to_bytes(4, "big") + len(head).to_bytes(4, "big") + head
    assert b"broker-a" in talk(secured.namesrv, trusting(authority, tmp_path), frame, piece)


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x00\x05hello", b"\x16" * 100, b"\x16\x03\x01\xff\xff" + bytes(70_000)],
)
def test_broken_tls_ends_the_connection(secured: LocalCloud, data: bytes) -> None:
    host, _, port = secured.namesrv.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as plain:
        plain.sendall(data)
        rest = b""
        try:
            while received := plain.recv(4096):
                rest += received
        except ConnectionResetError:
            pass
    assert len(rest) <= 7, "nothing but an alert"


def test_a_cloud_closes_with_clients_of_every_kind(files: tuple[str, str]) -> None:
    with LocalCloud(["rocketmq"], rocketmq_tls=files) as cloud:
        host, _, port = cloud.namesrv.rpartition(":")
        silent = socket.create_connection((host, int(port)), 5)
        half = socket.create_connection((host, int(port)), 5)
        half.sendall(b"\x16\x03")
        with Probe(cloud.namesrv) as probe:
            assert probe.route("TBW102").code == 0
    for each in (silent, half):
        with each, contextlib.suppress(ConnectionResetError):
            assert each.recv(1) == b""


def test_without_a_certificate_tls_is_turned_away(authority: Issued, tmp_path: Path) -> None:
    side = Side("threads", "")
    with LocalCloud(["rocketmq"]) as cloud:
        try:
            producer = side.make(
                "Producer", "tls", namesrv=cloud.namesrv, tls=trusting(authority, tmp_path)
            )
            with pytest.raises(WirespeedError, match="no TLS with"):
                producer.send("t", b"x")
        finally:
            side.close()


def test_tls_needs_its_files(files: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rocketmq_tls_only needs rocketmq_tls"):
        LocalCloud(["rocketmq"], rocketmq_tls_only=True)
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (tmp_path / "missing.pem", broken):
        cloud = LocalCloud(["rocketmq"], rocketmq_tls=(path, files[1]))
        with pytest.raises(ConfigError, match="rocketmq_tls: "):
            cloud.start()
