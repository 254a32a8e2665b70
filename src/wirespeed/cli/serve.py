"""`wirespeed serve`: the local cloud, until it is told to stop."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING

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
    stop = threading.Event()
    codes = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}
    code = exits.OK

    def on_signal(number: int, frame: object) -> None:
        nonlocal code
        code = codes[signal.Signals(number)]
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in codes}
    try:
        with LocalCloud(only, args.host, ports) as cloud:
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
