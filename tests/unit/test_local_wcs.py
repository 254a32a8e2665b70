"""The local WCS face, asked by a client of the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.wcs_server import WcsServer

BLOCK = 4 << 20


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).decode()


def sign(data: str, secret: str = "local-secret") -> str:
    return b64(hmac.new(secret.encode(), data.encode(), hashlib.sha1).hexdigest())


def upload_token(scope: str = "b", secret: str = "local-secret", **policy: Any) -> str:
    fields = {"scope": scope, "deadline": str(int((time.time() + 3600) * 1000)), **policy}
    encoded = b64(json.dumps({k: v for k, v in fields.items() if v is not None}))
    return f"local:{sign(encoded, secret)}:{encoded}"


class Plain:
    """Requests over one http.client connection."""

    def __init__(self, server: WcsServer) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        data = response.read()
        try:
            return response.status, json.loads(data)
        except ValueError:
            return response.status, data

    def manage(self, method: str, target: str, secret: str = "local-secret") -> tuple[int, Any]:
        token = f"local:{sign(target + chr(10), secret)}"
        return self.ask(method, target, Authorization=token)

    def block(self, size: int, order: int, body: bytes, token: str = "", batch: str = "B") -> Any:
        token = token or upload_token()
        target = f"/mkblk/{size}/{order}"
        return self.ask("POST", target, body, Authorization=token, uploadBatch=batch)

    def piece(self, ctx: str, offset: int, body: bytes, batch: str = "B") -> Any:
        headers = {"Authorization": upload_token(), "uploadBatch": batch}
        return self.ask("POST", f"/bput/{ctx}/{offset}", body, **headers)

    def join(self, size: int, contexts: list[str], token: str = "", **headers: str) -> Any:
        headers = {"Authorization": token or upload_token("b:k"), "uploadBatch": "B", **headers}
        return self.ask("POST", f"/mkfile/{size}", ",".join(contexts).encode(), **headers)

    def form(self, data: bytes, token: str, **fields: str) -> tuple[int, Any]:
        text = "".join(
            f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in {"token": token, **fields}.items()
        )
        text += '--XX\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=XX"}
        return self.ask("POST", "/file/upload", text.encode() + data + b"\r\n--XX--\r\n", **kind)


@pytest.fixture(scope="module")
def server() -> Iterator[WcsServer]:
    made = WcsServer()
    yield made
    made.close()


@pytest.fixture
def plain(server: WcsServer) -> Iterator[Plain]:
    server.state.clear()
    made = Plain(server)
    yield made
    made.connection.close()


def etag(data: bytes) -> str:
    blocks = [hashlib.sha1(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)]
    if len(blocks) > 1:
        return b64(b"\x96" + hashlib.sha1(b"".join(blocks)).digest())
    return b64(b"\x16" + hashlib.sha1(data).digest())


def test_blocks_by_pieces(plain: Plain) -> None:
    data = bytes(range(256)) * (BLOCK // 256)
    status, first = plain.block(BLOCK, 0, data[:1000])
    assert status == 200
    assert first["offset"] == 1000
    assert first["crc32"] == zlib.crc32(data[:1000])
    assert first["checksum"] == b64(hashlib.sha1(data[:1000]).digest())
    status, second = plain.piece(first["ctx"], 1000, data[1000:])
    assert second["offset"] == BLOCK
    assert second["crc32"] == zlib.crc32(data[1000:])
    assert second["checksum"] == b64(hashlib.sha1(data).digest())
    _, tail = plain.block(3, 1, b"abc")
    status, made = plain.join(BLOCK + 3, [second["ctx"], tail["ctx"]], MimeType="text/x")
    assert (status, made) == (200, {"hash": etag(data + b"abc"), "key": "k"})
    assert plain.server.content("b", "k") == data + b"abc"
    assert plain.server.state.blocks == {}
    assert plain.server.state.used == BLOCK + 3
    status, stat = plain.manage("GET", f"/stat/{b64('b:k')}")
    assert (stat["name"], stat["fsize"], stat["mimeType"]) == ("k", BLOCK + 3, "text/x")


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 8 * BLOCK + 5])
def test_hashes_of_large_blocks(plain: Plain, size: int) -> None:
    data = b"\x5a" * size
    _, made = plain.block(size, 0, data)
    assert made["checksum"] == b64(hashlib.sha1(data).digest())
    assert plain.join(size, [made["ctx"]])[1]["hash"] == etag(data)


def test_a_context_is_good_once_and_only_for_its_next_piece(plain: Plain) -> None:
    _, first = plain.block(10, 0, b"abc")
    for ctx, offset, batch in (
        ("unknown", 3, "B"),
        (first["ctx"], 2, "B"),
        (first["ctx"], 3, "other"),
    ):
        status, refusal = plain.piece(ctx, offset, b"de", batch)
        assert (status, refusal["code"]) == (400, 701)
    _, second = plain.piece(first["ctx"], 3, b"de")
    assert second["offset"] == 5
    assert plain.piece(first["ctx"], 3, b"de")[1]["code"] == 701
    assert plain.join(10, [second["ctx"]])[0] == 400
    assert plain.piece(second["ctx"], 5, b"123456")[0] == 400
    assert plain.piece(second["ctx"], 5, b"12345")[0] == 200
    assert plain.server.state.used == 10


def test_mkfile_checks_order_sizes_and_contexts(plain: Plain) -> None:
    ctx = [plain.block(BLOCK, n, bytes(BLOCK))[1]["ctx"] for n in range(2)]
    tail = plain.block(3, 2, b"abc")[1]["ctx"]
    assert plain.join(2 * BLOCK + 3, [ctx[1], ctx[0], tail])[1]["code"] == 701
    assert plain.join(2 * BLOCK, [*ctx, tail])[0] == 400
    assert plain.join(2 * BLOCK + 3, [*ctx, tail, "x"])[1]["code"] == 701
    assert plain.join(2 * BLOCK + 3, [*ctx, tail], uploadBatch="C")[1]["code"] == 701
    assert plain.join(2 * BLOCK + 3, [*ctx, tail])[0] == 200
    assert plain.join(2 * BLOCK + 3, [*ctx, tail])[1]["code"] == 701
    short = [plain.block(3, n, b"abc")[1]["ctx"] for n in range(2)]
    assert plain.join(6, short)[0] == 400
    assert plain.join(0, [], upload_token("b:empty"))[1]["hash"] == etag(b"")


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("", 401),
        ("a:b", 401),
        (upload_token(secret="wrong"), 401),
        (upload_token().replace("local", "other", 1), 401),
        (upload_token(deadline="1"), 401),
        (upload_token(deadline="x"), 401),
        (upload_token(deadline=None), 401),
        (upload_token(scope=""), 400),
        (upload_token(callbackUrl="http://x"), 400),
        (f"local:{sign('!')}:!", 400),
        (f"local:{sign(b64('[]'))}:{b64('[]')}", 400),
    ],
)
def test_bad_upload_tokens(plain: Plain, token: str, status: int) -> None:
    answered, refusal = plain.block(3, 0, b"abc", token or "x")
    assert (answered, refusal["code"]) == (status, status)
    assert "local-secret" not in refusal["message"]
    assert plain.form(b"abc", token or "x")[0] == status
    assert plain.server.state.used == 0


def test_a_large_refused_body_does_not_hang_the_client(plain: Plain) -> None:
    assert plain.block(BLOCK, 0, bytes(BLOCK), "bad")[0] == 401
    assert plain.form(bytes(BLOCK), "bad")[0] == 401
    assert plain.manage("GET", f"/stat/{b64('b:k')}")[0] == 404


def test_forms(plain: Plain) -> None:
    data = b"data\r\n--X"
    status, text = plain.form(data, upload_token("b:k"))
    assert status == 200
    answer = base64.urlsafe_b64decode(text).decode()
    assert answer == f"bucket=b&key=k&hash={etag(data)}&fsize=9"
    assert plain.server.content("b", "k") == data
    template = "$(key) $(fsize) $(x:n) $(none) $(hash"
    token = upload_token("b", returnBody=template)
    assert plain.form(b"", token, key="中", **{"x:n": "v"})[1] == "中 0 v  $(hash".encode()
    assert plain.form(b"", upload_token("b"))[0] == 200
    assert etag(b"") in plain.server.state.buckets["b"]
    assert plain.form(b"x", upload_token("b:k", overwrite=1), key="other")[0] == 401
    assert plain.form(b"xyz", upload_token("b:f", fsizeLimit=2))[0] == 401
    assert plain.form(b"xy", upload_token("b:f", fsizeLimit=2))[0] == 200
    assert plain.form(b"new", upload_token("b:f"))[1]["code"] == 614
    assert plain.form(b"xy", upload_token("b:f"))[0] == 200
    assert plain.form(b"new", upload_token("b:f", overwrite=1))[0] == 200
    assert plain.server.state.used == 9 + 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--XX\r\n",
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc',
        b"--XX\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--XX--",
        b"--XX??\r\n\r\n--XX--",
        b"--XX--\r\n",
    ],
)
def test_broken_forms(plain: Plain, body: bytes) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=XX"}
    status = plain.ask("POST", "/file/upload", body, **kind)[0]
    assert status in (400, 401)
    assert plain.ask("POST", "/file/upload", body, **{"Content-Type": "text/plain"})[0] == 400


def test_stat_and_delete(plain: Plain) -> None:
    plain.form(b"abc", upload_token("b:k"), mimeType="text/plain", deadline="2")
    status, stat = plain.manage("GET", f"/stat/{b64('b:k')}")
    assert status == 200
    assert stat["hash"] == etag(b"abc")
    assert int(stat["expirationDate"]) - stat["putTime"] == 2 * 86_400_000
    assert plain.manage("GET", f"/stat/{b64('b:none')}") == (
        404,
        {"code": 404, "message": "file not found"},
    )
    assert plain.manage("GET", f"/stat/{b64('b:k')}", "wrong")[0] == 401
    assert plain.manage("POST", f"/delete/{b64('b:k')}", "wrong")[0] == 401
    assert plain.manage("GET", "/stat/!!")[0] == 400
    assert plain.manage("GET", f"/stat/{b64('b')}")[0] == 400
    assert plain.manage("POST", f"/delete/{b64('b:k')}")[0] == 200
    assert plain.manage("POST", f"/delete/{b64('b:k')}")[0] == 404
    assert plain.server.state.used == 0


def test_lists(plain: Plain) -> None:
    keys = ["a/1", "a/2", "a/b/3", "c", "中"]
    for key in keys:
        plain.form(b"x", upload_token(f"b:{key}"))

    def listed(query: str) -> tuple[list[str], list[str], str]:
        status, page = plain.manage("GET", f"/list?bucket=b{query}")
        assert status == 200, page
        return [item["key"] for item in page["items"]], page["commonPrefixes"], page["marker"]

    assert listed("") == (sorted(keys), [], "")
    assert listed(f"&prefix={b64('a/')}") == (keys[:3], [], "")
    assert listed("&mode=1") == (["c", "中"], ["a/"], "")
    assert listed(f"&mode=1&prefix={b64('a/')}") == (["a/1", "a/2"], ["a/b/"], "")
    first, _, marker = listed("&limit=2")
    assert (first, bool(marker)) == (keys[:2], True)
    assert listed(f"&limit=3&marker={marker}") == (keys[2:], [], "")
    for query in ("&limit=0", "&limit=1001", "&limit=x", "&mode=2", "&prefix=!", "&marker=%00"):
        assert plain.manage("GET", f"/list?bucket=b{query}")[0] == 400
    assert plain.manage("GET", "/list?bucket=none")[1]["code"] == 631
    assert plain.manage("GET", "/list")[0] == 400
    assert plain.manage("GET", "/list?bucket=b", "wrong")[0] == 401


def test_unknown_operations(plain: Plain) -> None:
    assert plain.ask("GET", "/nothing")[1]["code"] == 404
    assert plain.ask("GET", "/file/upload")[1]["code"] == 405
    assert plain.block(-1, 0, b"")[0] == 400


def test_the_memory_limit(plain: Plain) -> None:
    plain.server.state.memory_limit = 100
    try:
        assert plain.block(200, 0, bytes(101))[0] == 507
        assert plain.form(bytes(101), upload_token("b:k"))[0] == 507
        assert plain.server.state.used == 0
    finally:
        plain.server.state.memory_limit = 4 << 30


@pytest.mark.parametrize("operation", ["move", "copy"])
def test_a_move_or_copy_onto_itself_keeps_the_object(plain: Plain, operation: str) -> None:
    assert plain.form(b"kept", upload_token("b:k"))[0] == 200
    entry = b64("b:k")
    assert plain.manage("POST", f"/{operation}/{entry}/{entry}")[0] == 200
    assert plain.server.content("b", "k") == b"kept"
    assert plain.server.state.used == 4
