"""Twelve servers that must not be trusted: nothing is sent to any of them."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fault.test_http_tls import exchange_all
from tests.scripted import Peer, ScriptedServer
from wirespeed.errors import TlsError, TransportError
from wirespeed.http.models import Origin
from wirespeed.http.tls import new_context

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc)


@dataclass
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def save(self, path: Path, *chain: Issued) -> str:
        """Write key and certificates to one file."""
        text = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        for each in (self, *chain):
            text += each.certificate.public_bytes(serialization.Encoding.PEM)
        path.write_bytes(text)
        return str(path)


def issue(
    issuer: Issued | None,
    name: str = "localhost",
    *,
    names: tuple[str, ...] = ("localhost",),
    addresses: tuple[str, ...] = (),
    begins: datetime.datetime = NOW - DAY,
    ends: datetime.datetime = NOW + DAY,
    authority: bool = False,
    usage: Any = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer or Issued(None, key)  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    if alternatives and not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Issued(builder.sign(signer.key, hashes.SHA256()), key)


@pytest.fixture(scope="module")
def authority() -> Issued:
    return issue(None, "Test Authority", authority=True)


HOST = {"another address": "127.0.0.1", "a name for an address": "127.0.0.1"}


def wrong(case: str, authority: Issued) -> tuple[Issued, tuple[Issued, ...]]:
    """Return the certificate of a case and what is sent with it."""
    match case:
        case "expired":
            return issue(authority, ends=NOW - DAY / 2), ()
        case "not yet valid":
            return issue(authority, begins=NOW + DAY / 2), ()
        case "another name":
            return issue(authority, names=("example.org",)), ()
        case "no name but the subject's":
            return issue(authority, names=()), ()
        case "another address":
            return issue(authority, names=(), addresses=("127.0.0.2",)), ()
        case "a name for an address":
            return issue(authority, names=("127.0.0.1",)), ()
        case "a wildcard for all":
            return issue(authority, names=("*",)), ()
        case "a name that begins alike":
            return issue(authority, names=("localhost.example.org",)), ()
        case "signed by itself":
            return issue(None), ()
        case "an unknown authority":
            other = issue(None, "Other Authority", authority=True)
            return issue(other), (other,)
        case "signed by what is no authority":
            middle = issue(authority, "middle")
            return issue(middle), (middle,)
        case "for clients alone":
            return issue(authority, usage=ExtendedKeyUsageOID.CLIENT_AUTH), ()
    raise AssertionError(case)


CASES = [
    "expired",
    "not yet valid",
    "another name",
    "no name but the subject's",
    "another address",
    "a name for an address",
    "a wildcard for all",
    "a name that begins alike",
    "signed by itself",
    "an unknown authority",
    "signed by what is no authority",
    "for clients alone",
]


def serve(context: ssl.SSLContext, seen: list[bytes]) -> ScriptedServer:
    def answer(peer: Peer) -> None:
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        with peer.sock:
            while (request := peer.read_request()) is not None:
                seen.append(request[1])
                peer.answer(200, request[1])

    return ScriptedServer(answer)


def trusting(authority: Issued, folder: Path) -> ssl.SSLContext:
    path = folder / "authority.pem"
    path.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return new_context(str(path))


@pytest.mark.parametrize("kind", ["threads", "aio"])
@pytest.mark.parametrize("case", ["right", *CASES])
def test_certificates(kind: str, case: str, authority: Issued, tmp_path: Path) -> None:
    issued, chain = (issue(authority), ()) if case == "right" else wrong(case, authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.save(tmp_path / "server.pem", *chain))
    seen: list[bytes] = []
    with serve(context, seen) as server:
        origin = Origin("https", HOST.get(case, "localhost"), server.port)
        if case == "right":
            exchange_all(kind, origin, [b"secret"], trusting(authority, tmp_path))
            assert seen == [b"secret"]
            return
        with pytest.raises(TlsError) as caught:
            exchange_all(kind, origin, [b"secret"], trusting(authority, tmp_path))
        assert caught.value.outcome == "not_sent"
        assert seen == []


@pytest.mark.parametrize("kind", ["threads", "aio"])
def test_old_protocols_are_refused(kind: str, authority: Issued, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(issue(authority).save(tmp_path / "server.pem"))
    seen: list[bytes] = []
    with serve(context, seen) as server, pytest.raises(TransportError) as caught:
        origin = Origin("https", "localhost", server.port)
        exchange_all(kind, origin, [b"secret"], trusting(authority, tmp_path))
    assert caught.value.outcome == "not_sent"
    assert seen == []
