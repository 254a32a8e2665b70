"""`wirespeed serve`: the local cloud, until it is told to stop."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wirespeed.cli import exits
from wirespeed.errors import ConfigError

if TYPE_CHECKING:
    from wirespeed.local import LocalCloud

HELP = "run the local cloud: RocketMQ, CMQ, COS, SQS and WCS on this machine"

_HTTP_SERVICES = ("cmq", "cos", "sqs", "wcs")
_SERVICES = ("rocketmq", *_HTTP_SERVICES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--only",
        metavar="NAMES",
        help=f"services, by commas: {','.join(_SERVICES)}",
    )
    parser.add_argument(
        "--dir", metavar="DIR", help="folder to keep what it holds in (it is kept in memory)"
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with all of this, and queues")
    parser.add_argument("--host", help="address to listen on (127.0.0.1: this machine alone)")
    parser.add_argument(
        "--public",
        action="store_true",
        default=None,
        help="let other machines in, at a --host they can reach; prints a new secret key",
    )
    parser.add_argument(
        "--rocketmq-port",
        type=int,
        metavar="N",
        help="port of the name server (a free one)",
    )
    parser.add_argument(
        "--broker-port", type=int, metavar="N", help="port of the broker (a free one)"
    )
    for name in _HTTP_SERVICES:
        parser.add_argument(
            f"--{name}-port",
            type=int,
            metavar="N",
            help=f"port of the {name.upper()} (a free one)",
        )
    parser.add_argument(
        "--rocketmq-user",
        action="append",
        default=[],
        metavar="KEY:SECRET",
        help="an access key of the broker and its secret; may be repeated (anybody may ask it)",
    )
    parser.add_argument(
        "--rocketmq-certificate",
        metavar="FILE",
        help="PEM file for clients that speak TLS to the name server and the broker",
    )
    parser.add_argument(
        "--rocketmq-key", metavar="FILE", help="PEM file with the certificate's key"
    )
    parser.add_argument(
        "--rocketmq-tls-only",
        action="store_true",
        default=None,
        help="turn clients away that do not speak TLS",
    )
    parser.add_argument(
        "--console-port", type=int, metavar="N", help="port of the console's page (a free one)"
    )
    parser.add_argument(
        "--no-console", dest="console", action="store_false", default=None, help="serve no console"
    )
    parser.add_argument("--example-config", action="store_true", help="print a file for --config")
    parser.add_argument("--json", action="store_true", help="print a JSON object on one line")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop also when standard input ends"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM.

    Returns:
        0 after the end of standard input, 130 after SIGINT, 143 after SIGTERM.
    """
    from wirespeed.cli import serve_config
    from wirespeed.local import LocalCloud

    if args.example_config:
        print(serve_config.EXAMPLE, end="")
        return exits.OK
    config = serve_config.read(args.config) if args.config else {}
    only = config.get("only", list(_SERVICES))
    if args.only is not None:
        only = [name.strip() for name in args.only.split(",") if name.strip()]
    if not only:
        raise ConfigError("--only names no service")
    options = _options(args, config)
    stop = threading.Event()
    codes = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}
    code = exits.OK

    def on_signal(number: int, frame: object) -> None:
        nonlocal code
        code = codes[signal.Signals(number)]
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in codes}
    try:
        with LocalCloud(only, **options) as cloud:
            serve_config.make(cloud, config)
            announce(cloud, only, options["directory"], as_json=args.json)
            if args.until_eof:
                threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
            # A wait without end is deaf to Ctrl-C on Windows.
            while not stop.wait(1):
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


def _options(args: argparse.Namespace, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the cloud: what the command line says comes before the file."""
    given: Mapping[str, Any] = config.get("rocketmq", {})
    ports = dict(config.get("ports", {}))
    if "rocketmq" in ports:
        ports["namesrv"] = ports.pop("rocketmq")
    flags = {
        "namesrv": args.rocketmq_port,
        "broker": args.broker_port,
        "console": args.console_port,
        **{name: getattr(args, f"{name}_port") for name in _HTTP_SERVICES},
    }
    ports.update({name: port for name, port in flags.items() if port is not None})
    certificate = args.rocketmq_certificate or given.get("certificate")
    key = args.rocketmq_key or given.get("key")
    if bool(certificate) != bool(key):
        raise ConfigError("--rocketmq-certificate and --rocketmq-key need each other")
    console = _first(args.console, config.get("console"))
    if console is None:
        # Without the extra there is no console, and RocketMQ can do without.
        console = importlib.util.find_spec("starlette") is not None
    return {
        "host": _first(args.host, config.get("host"), "127.0.0.1"),
        "ports": ports,
        "console": console,
        "public": bool(_first(args.public, config.get("public"))),
        "directory": _first(args.dir, config.get("dir")),
        "rocketmq_users": dict(map(_user, args.rocketmq_user)) or given.get("users"),
        "rocketmq_tls": (certificate, key) if certificate else None,
        "rocketmq_tls_only": bool(_first(args.rocketmq_tls_only, given.get("tls_only"))),
    }


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _user(text: str) -> tuple[str, str]:
    name, colon, secret = text.partition(":")
    if not (name and colon and secret):
        raise ConfigError(f"--rocketmq-user must be KEY:SECRET, not {text!r}")
    return name, secret


def announce(
    cloud: LocalCloud, services: list[str], directory: str | None, *, as_json: bool
) -> None:
    """Print where the services are."""
    variables = cloud.env()
    if as_json:
        report: dict[str, object] = {"env": variables}
        if "rocketmq" in services:
            report["rocketmq"] = {"namesrv": cloud.namesrv}
        for name in _HTTP_SERVICES:
            if name in services:
                url = getattr(cloud, f"{name}_url")
                report[name] = {"url": url, "access_key": cloud.access_key}
        if "WIRESPEED_CONSOLE_URL" in variables:
            report["console"] = {"url": cloud.console_url, "token": cloud.console_token}
        print(json.dumps(report), flush=True)
        return
    left = "all it holds is gone" if directory is None else f"what it holds stays in {directory}"
    print(f"The local cloud is up; Ctrl-C stops it, and {left}.\n")
    if "rocketmq" in services:
        print(f"  RocketMQ name server   {cloud.namesrv}")
    for name in _HTTP_SERVICES:
        if name in services:
            print(f"  {name.upper():<22} {getattr(cloud, f'{name}_url')}")
    if "WIRESPEED_CONSOLE_URL" in variables:
        print(f"  {'Console':<22} {cloud.console_url}")
    if variables and cloud.secret_key != "local-secret":
        print(f"\n  Access key {cloud.access_key}, secret key {cloud.secret_key}")
    print("\nFor a shell:\n")
    for name, value in variables.items():
        print(f"  export {name}={shlex.quote(value)}")
    print(flush=True)


def _wait_for_eof(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    stop.set()
