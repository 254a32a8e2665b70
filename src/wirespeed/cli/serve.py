"""`wirespeed serve`: the local cloud, until it is told to stop."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from wirespeed.cli import exits
from wirespeed.errors import ConfigError

if TYPE_CHECKING:
    from wirespeed.local import LocalCloud

HELP = "run the local cloud: RocketMQ, CMQ, COS, SQS and WCS on this machine, in memory"

_HTTP_SERVICES = ("cmq", "cos", "sqs", "wcs")
_SERVICES = ("rocketmq", *_HTTP_SERVICES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--only",
        metavar="NAMES",
        default=",".join(_SERVICES),
        help="services, by commas: %(default)s",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine alone)"
    )
    parser.add_argument(
        "--rocketmq-port",
        type=int,
        default=0,
        metavar="N",
        help="port of the name server (a free one)",
    )
    parser.add_argument(
        "--broker-port", type=int, default=0, metavar="N", help="port of the broker (a free one)"
    )
    for name in _HTTP_SERVICES:
        parser.add_argument(
            f"--{name}-port",
            type=int,
            default=0,
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
        "--rocketmq-tls-only", action="store_true", help="turn clients away that do not speak TLS"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object on one line")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop also when standard input ends"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM.

    Returns:
        0 after the end of standard input, 130 after SIGINT, 143 after SIGTERM.
    """
    from wirespeed.local import LocalCloud

    only = [name.strip() for name in args.only.split(",") if name.strip()]
    if not only:
        raise ConfigError("--only names no service")
    ports = {
        "namesrv": args.rocketmq_port,
        "broker": args.broker_port,
        **{name: getattr(args, f"{name}_port") for name in _HTTP_SERVICES},
    }
    options: dict[str, Any] = {
        "rocketmq_users": dict(_user(text) for text in args.rocketmq_user),
        "rocketmq_tls_only": args.rocketmq_tls_only,
    }
    if args.rocketmq_certificate or args.rocketmq_key:
        if not (args.rocketmq_certificate and args.rocketmq_key):
            raise ConfigError("--rocketmq-certificate and --rocketmq-key need each other")
        options["rocketmq_tls"] = (args.rocketmq_certificate, args.rocketmq_key)
    stop = threading.Event()
    codes = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}
    code = exits.OK

    def on_signal(number: int, frame: object) -> None:
        nonlocal code
        code = codes[signal.Signals(number)]
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in codes}
    try:
        with LocalCloud(only, args.host, ports, **options) as cloud:
            announce(cloud, only, as_json=args.json)
            if args.until_eof:
                threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
            # A wait without end is deaf to Ctrl-C on Windows.
            while not stop.wait(1):
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


def _user(text: str) -> tuple[str, str]:
    name, colon, secret = text.partition(":")
    if not (name and colon and secret):
        raise ConfigError(f"--rocketmq-user must be KEY:SECRET, not {text!r}")
    return name, secret


def announce(cloud: LocalCloud, services: list[str], *, as_json: bool) -> None:
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
        print(json.dumps(report), flush=True)
        return
    print("The local cloud is up; Ctrl-C stops it, and all it holds is gone.\n")
    if "rocketmq" in services:
        print(f"  RocketMQ name server   {cloud.namesrv}")
    for name in _HTTP_SERVICES:
        if name in services:
            print(f"  {name.upper():<22} {getattr(cloud, f'{name}_url')}")
    print("\nFor a shell:\n")
    for name, value in variables.items():
        print(f"  export {name}={shlex.quote(value)}")
    print(flush=True)


def _wait_for_eof(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    stop.set()
