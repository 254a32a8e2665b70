"""The file that `wirespeed serve --config` reads: TOML."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wirespeed.errors import ConfigError

if TYPE_CHECKING:
    from wirespeed.config import Credentials
    from wirespeed.local import LocalCloud

EXAMPLE = """\
only = ["rocketmq", "sqs"]          # services; all by default
dir = "cloud"                       # keep what it holds there; in memory by default
host = "127.0.0.1"
public = false
console = true

[ports]                             # free ones by default; "rocketmq" is the name server's
sqs = 9324

[rocketmq]
users = { access = "secret" }       # anybody may ask by default
certificate = "tls.pem"
key = "tls.key"
tls_only = false

[queues.sqs]                        # made at the start where they are not there
orders = { VisibilityTimeout = 60 }

[queues.cmq]
jobs = { visibilityTimeout = 60 }

[topics.rocketmq]
events = { queues = 8 }
"""

_KINDS: dict[str, type] = {
    "only": list,
    "dir": str,
    "host": str,
    "public": bool,
    "console": bool,
    "ports": dict,
    "rocketmq": dict,
    "queues": dict,
    "topics": dict,
}
_WORDS = {bool: "boolean", dict: "table", list: "list", str: "string"}
_ROCKETMQ_KINDS = {"users": dict, "certificate": str, "key": str, "tls_only": bool}


def read(path: str) -> dict[str, Any]:
    """Return what a file says.

    Raises:
        ConfigError: it is no TOML, or says something that there is not.
        OSError: it cannot be read.
    """
    try:
        toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError as error:
        raise ConfigError("--config needs tomli: pip install 'wirespeed[local]'") from error
    with open(path, "rb") as file:
        try:
            found: dict[str, Any] = toml.load(file)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
    _check(path, found, _KINDS)
    _check(f"{path}: rocketmq", found.get("rocketmq", {}), _ROCKETMQ_KINDS)
    for kind, services in (("queues", ("cmq", "sqs")), ("topics", ("rocketmq",))):
        _check(f"{path}: {kind}", found.get(kind, {}), dict.fromkeys(services, dict))
        for service, things in found.get(kind, {}).items():
            _check(f"{path}: {kind}.{service}", things, dict.fromkeys(things, dict))
    return found


def _check(place: str, found: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    for name, value in found.items():
        if name not in kinds:
            raise ConfigError(f"{place}: {name!r} is none of {', '.join(kinds)}")
        if not isinstance(value, kinds[name]):
            raise ConfigError(f"{place}: {name} must be a {_WORDS[kinds[name]]}, not {value!r}")


def make(cloud: LocalCloud, config: Mapping[str, Any]) -> None:
    """Make the queues and topics that a file names, where they are not there.

    Raises:
        ConfigError: one of them has an attribute that there is not.
        ServiceError: the service refuses one.
    """
    from wirespeed.config import Credentials

    keys = Credentials(cloud.access_key, cloud.secret_key)
    queues, topics = config.get("queues", {}), config.get("topics", {})
    if queues.get("sqs"):
        from wirespeed import sqs

        region = cloud.env()["AWS_REGION"]
        with sqs.Client(region, endpoint=cloud.sqs_url, credentials=keys) as client:
            for name, attributes in queues["sqs"].items():
                client.create_queue(name, attributes)
    if queues.get("cmq"):
        _make_cmq(cloud, keys, queues["cmq"])
    if topics.get("rocketmq"):
        _make_topics(cloud, config.get("rocketmq", {}), topics["rocketmq"])


def _make_topics(
    cloud: LocalCloud, options: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]]
) -> None:
    from wirespeed import rocketmq

    context = None
    if options.get("tls_only"):
        import ssl

        # The certificate is our own, whatever name it bears.
        context = ssl.create_default_context(cafile=options["certificate"])
        context.check_hostname = False
    keys = cloud.rocketmq_credentials
    with rocketmq.Admin(cloud.namesrv, credentials=keys, tls=context or False) as admin:
        for name, given in wanted.items():
            if given.keys() - {"queues"}:
                raise ConfigError(f"topics.rocketmq.{name}: there is queues alone")
            admin.create_topic(name, queues=given.get("queues", 8))


def _make_cmq(
    cloud: LocalCloud, keys: Credentials, wanted: Mapping[str, Mapping[str, Any]]
) -> None:
    from wirespeed import cmq
    from wirespeed.errors import Conflict

    with cmq.Client(cloud.cmq_url, credentials=keys) as client:
        for name, attributes in wanted.items():
            with contextlib.suppress(Conflict):
                client.create_queue(name, attributes)
