"""`wirespeed cloud VERB`: look into a local cloud that runs, and control it."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from wirespeed.errors import ConfigError, ServiceError, TransportError

HELP = "look into a local cloud that runs: depths, requests, faults, time, snapshots"

_SECONDS = 30.0
_KINDS = ("drop", "delay", "cut", "status", "throttle", "corrupt", "skew")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, call: Callable[[argparse.Namespace, _Console], object], text: str) -> Any:
        made = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.set_defaults(call=call)
        made.add_argument(
            "--url", default=os.environ.get("WIRESPEED_CONSOLE_URL"), help="URL of the console"
        )
        made.add_argument("--json", action="store_true", help="print JSON")
        return made

    verb("status", _status, "what every service holds, the faults, the clock and the snapshots")
    requests = verb("requests", _requests, "the last requests, the oldest first")
    requests.add_argument(
        "--after", type=int, default=0, metavar="N", help="those with a number past N alone"
    )
    fault = verb("fault", _fault, "let requests go wrong")
    fault.add_argument("kind", choices=_KINDS)
    fault.add_argument("--service", default="", help="cmq, cos, rocketmq, sqs or wcs (any)")
    fault.add_argument("--operation", default="", metavar="WORD", help='such as "SendMessage"')
    fault.add_argument("--seconds", type=float, metavar="N", help="of delay and skew (1)")
    fault.add_argument("--status", type=int, metavar="CODE", help="of status")
    fault.add_argument("--probability", type=float, default=1.0, metavar="P", help="0 to 1 (1)")
    fault.add_argument("--count", type=int, metavar="N", help="how many requests (without end)")
    heal = verb("heal", _heal, "end a fault, or all")
    heal.add_argument("number", type=int, nargs="?", default=0, help="which (all)")
    travel = verb("travel", _travel, "move the clock ahead: delays, leases, deadlines end sooner")
    travel.add_argument("seconds", type=float)
    for name, call, text in (
        ("snapshot", _snapshot, "remember all that is held"),
        ("restore", _restore, "hold again what a snapshot remembers, and nothing else"),
    ):
        verb(name, call, text).add_argument("name", nargs="?", default="default")
    reset = verb("reset", _reset, "forget everything but the snapshots")
    reset.add_argument("--yes", action="store_true", help="do it; nothing is asked")


def run(args: argparse.Namespace) -> int:
    """Carry it out.

    Raises:
        ConfigError: no cloud's console is known, or it refuses an argument.
        ServiceError: it refuses the token.
        TransportError: it does not answer.
    """
    if not args.url:
        raise ConfigError(
            "no console is known",
            hint="set WIRESPEED_CONSOLE_URL and WIRESPEED_CONSOLE_TOKEN as `wirespeed serve` prints"
            " them",
        )
    told = args.call(args, _Console(args.url))
    if args.json:
        print(json.dumps(told))
    return 0


class _Console:
    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--url must begin with http://, not {url!r}")
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def change(self, method: str, path: str, fields: dict[str, Any]) -> Any:
        return self._ask(method, path, json.dumps(fields).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {}
        if method != "GET":
            headers["x-wirespeed-token"] = os.environ.get("WIRESPEED_CONSOLE_TOKEN", "")
        asked = urllib.request.Request(f"{self._url}/api/{path}", body, headers, method=method)
        try:
            with self._opener.open(asked, timeout=_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode("utf-8", "replace")
            try:
                text = json.loads(text)["error"]
            except (ValueError, KeyError, TypeError):
                text = f"the console answered {error.code}"
            if error.code == 400:
                raise ConfigError(text) from None
            raise ServiceError(text, hint="is WIRESPEED_CONSOLE_TOKEN this cloud's?") from None
        except (OSError, ValueError) as error:
            raise TransportError(f"{self._url} does not answer: {error}") from error


def _status(args: argparse.Namespace, console: _Console) -> object:
    told = console.get("overview")
    if not args.json:
        for service, held in told["services"].items():
            for kind, things in held.items():
                for thing in things if isinstance(things, list) else ():
                    print(_line(service, kind, thing))
        for fault in told["faults"]:
            print(
                f"fault {fault['number']}: {fault['kind']}, {fault['service'] or 'any service'}, "
                f"{fault['operation'] or 'any operation'}, struck {fault['hits']}"
            )
        if told["ahead"]:
            print(f"clock: {told['ahead']:.0f} seconds ahead")
        if told["snapshots"]:
            print(f"snapshots: {', '.join(told['snapshots'])}")
    return told


def _line(service: str, kind: str, thing: dict[str, Any]) -> str:
    numbers = ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in thing.items()
        if isinstance(value, int) and not isinstance(value, bool)
    )
    name = thing["name"] if "bucket" not in thing else f"{thing['bucket']} {thing['name']}"
    return f"{service:<9} {kind[:-1]:<7} {name}: {numbers}"


def _requests(args: argparse.Namespace, console: _Console) -> object:
    told = console.get(f"requests?after={args.after}")
    if not args.json:
        for each in told:
            print(
                f"{each['number']:>6} {each['service']:<9} {each['method']} {each['operation']} "
                f"{each['path']} -> {each['status']} in {each['seconds'] * 1000:.1f} ms "
                f"{each['fault']}".rstrip()
            )
    return told


def _fault(args: argparse.Namespace, console: _Console) -> object:
    names = ("kind", "service", "operation", "seconds", "status", "probability", "count")
    fields = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    told = console.change("POST", "faults", fields)
    if not args.json:
        print(f"fault {told['number']} is on; wirespeed cloud heal {told['number']} ends it")
    return told


def _heal(args: argparse.Namespace, console: _Console) -> object:
    return console.change("DELETE", f"faults?number={args.number}", {})


def _travel(args: argparse.Namespace, console: _Console) -> object:
    told = console.change("POST", "travel", {"seconds": args.seconds})
    if not args.json:
        print(f"the clock is {told['ahead']:.0f} seconds ahead")
    return told


def _snapshot(args: argparse.Namespace, console: _Console) -> object:
    return console.change("POST", "snapshots", {"name": args.name})


def _restore(args: argparse.Namespace, console: _Console) -> object:
    return console.change("POST", "restore", {"name": args.name})


def _reset(args: argparse.Namespace, console: _Console) -> object:
    if not args.yes:
        raise ConfigError("reset forgets everything that the cloud holds: add --yes to do it")
    return console.change("POST", "reset", {})
