"""The JSON of RocketMQ's servers, read beside the standard library's."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wirespeed.rocketmq import fastjson

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers(-99, 99), each, max_size=3)
    ),
    max_leaves=12,
)
queues = st.fixed_dictionaries({"brokerName": st.text(max_size=8), "queueId": st.integers(0, 9)})


def written(value: Any) -> str:
    """Return what a Java server writes: keys that are numbers stay numbers."""
    if isinstance(value, dict):
        members = (
            f"{key if isinstance(key, int) else json.dumps(key)} : {written(each)}"
            for key, each in value.items()
        )
        return "{" + " , ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def plain(value: Any) -> Any:
    """Return the value with every key a string."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


@given(values)
@example({0: "a", 1: {2: {}}})
def test_numbers_as_keys(value: Any) -> None:
    assert fastjson.loads(written(value).encode()) == plain(value)


@given(values)
def test_standard_json_stays_as_it_is(value: Any) -> None:
    text = json.dumps(plain(value))
    assert fastjson.standard(text) == text


@given(st.lists(queues, max_size=4), values)
def test_objects_as_keys(keys: list[dict[str, object]], value: Any) -> None:
    members = ",".join(f"{json.dumps(key)}:{written(value)}" for key in keys)
    table = fastjson.loads(f'{{"offsetTable":{{{members}}}}}'.encode())["offsetTable"]
    wanted = {json.dumps(key): plain(value) for key in keys}
    assert {json.dumps(json.loads(key)): each for key, each in table.items()} == wanted


@given(values, st.integers(0, 200), st.sampled_from('{}[]:,"\\0 \ud800'), st.booleans())
def test_mutated_text_is_read_or_refused(value: Any, at: int, other: str, cut: bool) -> None:
    text = written({"table": {1: value}})
    at %= len(text)
    mutated = text[:at] if cut else text[:at] + other + text[at + 1 :]
    with contextlib.suppress(ValueError):
        fastjson.loads(mutated.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        fastjson.loads(data)


@pytest.mark.parametrize("text", ["{0:" * 33 + "1" + "}" * 33, "{{{0:1}:1}:1}", "{0:1", '{0:"'])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        fastjson.loads(text.encode())
