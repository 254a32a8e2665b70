"""JSON as RocketMQ's Java servers write it: keys may be numbers or objects."""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH_LIMIT = 32
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^"{}\[\],:]+', re.DOTALL)


def loads(data: bytes) -> Any:
    """Return the value of a reply's body.

    A key that is a number becomes its text, one that is an object the JSON text of that object.

    Raises:
        ValueError: it is neither JSON nor that dialect of it, or nested in more than 32 levels.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return json.loads(standard(data.decode("utf-8")))


def standard(text: str) -> str:
    """Return `text` with each key that is no string made one; all else stays as it is.

    Raises:
        ValueError: a bracket or quote is not closed, an object is a key inside a key, or it is
            nested in more than 32 levels.
    """
    out: list[str] = []
    open_brackets: list[tuple[str, int | None]] = []
    """Of each: what closes it, and where in `out` it began if it is a key itself."""
    at_key = False
    position = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if match.start() != position:
            break
        position = match.end()
        if token in ("{", "["):
            if len(open_brackets) == DEPTH_LIMIT:
                raise ValueError(f"the JSON is nested in more than {DEPTH_LIMIT} levels")
            # A key in a key would double its backslashes at each level.
            if at_key and any(start is not None for _, start in open_brackets):
                raise ValueError("the JSON has an object as a key inside a key")
            open_brackets.append(("}" if token == "{" else "]", len(out) if at_key else None))
            at_key = token == "{"
            out.append(token)
        elif token in ("}", "]"):
            closing, key_start = open_brackets.pop() if open_brackets else ("", None)
            if token != closing:
                raise ValueError(f"the JSON has a {token} that closes nothing")
            out.append(token)
            at_key = False
            if key_start is not None:
                out[key_start:] = [json.dumps("".join(out[key_start:]))]
        elif token == ",":
            out.append(token)
            at_key = bool(open_brackets) and open_brackets[-1][0] == "}"
        elif at_key and not token.isspace():
            out.append(token if token[0] == '"' else json.dumps(token.strip()))
            at_key = False
        else:
            out.append(token)
    if position != len(text) or open_brackets:
        raise ValueError("the JSON ends inside a string or a bracket")
    return "".join(out)
