"""The life of an outgoing message, over every backend."""

from __future__ import annotations

import array
from types import ModuleType

import pytest


def test_a_message_holds_what_was_set(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("orders")
    assert isinstance(message, rocketmq.MessageHandle)
    assert rocketmq.message_is_alive(message) is True
    assert rocketmq.message_set_tags(message, "paid") == 0
    assert rocketmq.message_set_keys(message, "a b") == 0
    assert rocketmq.message_set_property(message, "名", "值 ü 😀") == 0
    assert rocketmq.message_set_body(message, b"\x00body\xff") == 0
    assert rocketmq.message_set_delay_level(message, 3) == 0
    assert rocketmq.message_get_topic(message) == "orders"
    assert rocketmq.message_get_tags(message) == "paid"
    assert rocketmq.message_get_keys(message) == "a b"
    assert rocketmq.message_get_property(message, "名") == "值 ü 😀"
    assert rocketmq.message_get_body(message) == b"\x00body\xff"
    assert rocketmq.message_get_properties(message) == {
        "TAGS": "paid",
        "KEYS": "a b",
        "名": "值 ü 😀",
        "DELAY": "3",
    }


def test_an_empty_message_gives_empty_values(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create(None)
    assert rocketmq.message_get_topic(message) == ""
    assert rocketmq.message_get_tags(message) == ""
    assert rocketmq.message_get_keys(message) == ""
    assert rocketmq.message_get_body(message) == b""
    assert rocketmq.message_get_property(message, "x") == ""
    assert rocketmq.message_get_properties(message) == {}


def test_setting_again_replaces(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("first")
    rocketmq.message_set_topic(message, "second")
    for value in ("a", "a much longer value", "", "b"):
        rocketmq.message_set_property(message, "one", value)
        rocketmq.message_set_property(message, "two", value * 2)
        assert rocketmq.message_get_properties(message) == {"one": value, "two": value * 2}
    assert list(rocketmq.message_get_properties(message)) == ["one", "two"]
    assert rocketmq.message_get_topic(message) == "second"


def test_one_name_that_begins_another_is_not_it(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    rocketmq.message_set_property(message, "abc", "1")
    assert rocketmq.message_get_property(message, "ab") == ""
    assert rocketmq.message_get_property(message, "abcd") == ""
    assert rocketmq.message_get_property(message, "1") == ""


def test_many_and_long_properties(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t" * 1000)
    expected = {f"name-{number}": "v" * number for number in range(200)}
    for name, value in expected.items():
        assert rocketmq.message_set_property(message, name, value) == 0
    assert rocketmq.message_get_properties(message) == expected
    assert rocketmq.message_get_topic(message) == "t" * 1000


def test_properties_stop_at_32767_bytes(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    assert rocketmq.message_set_property(message, "k", "v" * 32764) == 0
    with pytest.raises(ValueError, match="32767"):
        rocketmq.message_set_property(message, "l", "")
    with pytest.raises(ValueError, match="32767"):
        rocketmq.message_set_property(message, "k", "v" * 32765)
    assert rocketmq.message_set_property(message, "k", "short") == 0
    assert rocketmq.message_set_property(message, "l", "") == 0
    assert rocketmq.message_get_properties(message) == {"k": "short", "l": ""}


def test_a_topic_stops_at_32767_bytes(rocketmq: ModuleType) -> None:
    assert rocketmq.message_get_topic(rocketmq.message_create("t" * 32767)) == "t" * 32767
    with pytest.raises(ValueError, match="32767"):
        rocketmq.message_create("t" * 32768)


def test_a_destroyed_message_answers_1(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    rocketmq.message_set_property(message, "k", "v")
    rocketmq.message_set_body(message, b"body")
    assert rocketmq.message_destroy(message) == 0
    for dead in (message, None):
        assert rocketmq.message_destroy(dead) == 1
        assert rocketmq.message_is_alive(dead) is False
        assert rocketmq.message_set_topic(dead, "t") == 1
        assert rocketmq.message_set_tags(dead, "t") == 1
        assert rocketmq.message_set_keys(dead, "t") == 1
        assert rocketmq.message_set_body(dead, b"x") == 1
        assert rocketmq.message_set_body_length(dead, b"x", 1) == 1
        assert rocketmq.message_set_property(dead, "k", "v") == 1
        assert rocketmq.message_set_delay_level(dead, 1) == 1
        assert rocketmq.message_get_topic(dead) == ""
        assert rocketmq.message_get_tags(dead) == ""
        assert rocketmq.message_get_keys(dead) == ""
        assert rocketmq.message_get_body(dead) == b""
        assert rocketmq.message_get_property(dead, "k") == ""
        assert rocketmq.message_get_properties(dead) == {}


def test_a_missing_argument_answers_1(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    assert rocketmq.message_set_topic(message, None) == 1
    assert rocketmq.message_set_tags(message, None) == 1
    assert rocketmq.message_set_keys(message, None) == 1
    assert rocketmq.message_set_body(message, None) == 1
    assert rocketmq.message_set_body_length(message, None, 0) == 1
    assert rocketmq.message_set_property(message, None, "v") == 1
    assert rocketmq.message_set_property(message, "k", None) == 1
    assert rocketmq.message_set_delay_level(message, None) == 1
    assert rocketmq.message_get_property(message, None) == ""
    assert rocketmq.message_get_properties(message) == {}


@pytest.mark.parametrize("bad", ["\x01", "a\x02b", "ü\x01", "值\x02", "😀\x01"])
def test_separators_are_refused(rocketmq: ModuleType, bad: str) -> None:
    message = rocketmq.message_create("t")
    for setter, argument in (
        (rocketmq.message_set_tags, "tags"),
        (rocketmq.message_set_keys, "keys"),
    ):
        with pytest.raises(ValueError, match=f"{argument} must not contain the control"):
            setter(message, bad)
    with pytest.raises(ValueError, match="property name must not contain the control"):
        rocketmq.message_set_property(message, bad, "v")
    with pytest.raises(ValueError, match="property value must not contain the control"):
        rocketmq.message_set_property(message, "k", bad)
    with pytest.raises(ValueError, match="property name must not be empty"):
        rocketmq.message_set_property(message, "", "v")
    assert rocketmq.message_get_properties(message) == {}


def test_wrong_types_are_refused(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    for call in (
        lambda: rocketmq.message_create(1),
        lambda: rocketmq.message_create(b"t"),
        lambda: rocketmq.MessageHandle(),
        lambda: rocketmq.message_destroy("t"),
        lambda: rocketmq.message_set_topic(message, b"t"),
        lambda: rocketmq.message_set_topic(object(), "t"),
        lambda: rocketmq.message_set_tags(message, 1),
        lambda: rocketmq.message_set_keys(message, ["k"]),
        lambda: rocketmq.message_set_property(message, 1, "v"),
        lambda: rocketmq.message_set_property(message, "k", 1),
        lambda: rocketmq.message_set_body(message, 1),
        lambda: rocketmq.message_set_body(message, ["x"]),
        lambda: rocketmq.message_set_body_length(message, b"x", "1"),
        lambda: rocketmq.message_set_delay_level(message, "1"),
        lambda: rocketmq.message_get_property(message, 1),
        lambda: rocketmq.message_get_topic(1),
        lambda: rocketmq.message_get_body(1),
        lambda: rocketmq.message_get_properties(1),
        lambda: rocketmq.message_is_alive(1),
    ):
        with pytest.raises(TypeError):
            call()


def test_a_lone_surrogate_is_refused(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    for call in (
        lambda: rocketmq.message_create("\ud800"),
        lambda: rocketmq.message_set_tags(message, "\ud800"),
        lambda: rocketmq.message_set_body(message, "\ud800"),
        lambda: rocketmq.message_get_property(message, "\ud800"),
    ):
        with pytest.raises(UnicodeEncodeError):
            call()


def test_bytes_are_held_and_given_back_themselves(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    body = b"x" * 100
    rocketmq.message_set_body(message, body)
    assert rocketmq.message_get_body(message) is body
    rocketmq.message_set_body_length(message, body, 100)
    assert rocketmq.message_get_body(message) is body


def test_other_buffers_are_held_not_copied(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    body = bytearray(b"before")
    rocketmq.message_set_body(message, body)
    body[:] = b"behind"
    assert rocketmq.message_get_body(message) == b"behind"
    with pytest.raises(BufferError):
        body.append(0)
    rocketmq.message_destroy(message)
    body.append(0)
    assert body == b"behind\x00"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("text ü", "text ü".encode()),
        (b"", b""),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[1:3], b"bc"),
        (array.array("i", [1, -1]), array.array("i", [1, -1]).tobytes()),
        (memoryview(b"abcd").cast("B", (2, 2)), b"abcd"),
        (array.array("i"), b""),
    ],
)
def test_bodies_of_all_kinds(rocketmq: ModuleType, body: object, expected: bytes) -> None:
    message = rocketmq.message_create("t")
    assert rocketmq.message_set_body(message, body) == 0
    assert rocketmq.message_get_body(message) == expected
    for length in range(len(expected) + 1):
        assert rocketmq.message_set_body_length(message, body, length) == 0
        assert rocketmq.message_get_body(message) == expected[:length]
    for length in (-1, len(expected) + 1, 2**40):
        with pytest.raises(ValueError, match="length must be within"):
            rocketmq.message_set_body_length(message, body, length)


def test_a_scattered_buffer_is_refused(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("t")
    with pytest.raises(BufferError):
        rocketmq.message_set_body(message, memoryview(b"abcd")[::2])


@pytest.mark.parametrize("level", [-(2**31), -1, 0, 18, 2**31 - 1, True])
def test_delay_levels(rocketmq: ModuleType, level: int) -> None:
    message = rocketmq.message_create("t")
    assert rocketmq.message_set_delay_level(message, level) == 0
    assert rocketmq.message_get_property(message, "DELAY") == str(int(level))


@pytest.mark.parametrize("level", [2**31, -(2**31) - 1, 2**80])
def test_a_delay_level_is_an_int32(rocketmq: ModuleType, level: int) -> None:
    message = rocketmq.message_create("t")
    with pytest.raises(ValueError, match="level must be within"):
        rocketmq.message_set_delay_level(message, level)


def test_many_handles_do_not_mix(rocketmq: ModuleType) -> None:
    messages = [rocketmq.message_create(f"topic-{number}") for number in range(300)]
    for number, message in enumerate(messages):
        rocketmq.message_set_property(message, "n", str(number))
        rocketmq.message_set_body(message, str(number))
    for message in messages[::2]:
        rocketmq.message_destroy(message)
    again = [rocketmq.message_create("again") for _ in range(150)]
    assert all(rocketmq.message_get_properties(message) == {} for message in again)
    for number in range(1, 300, 2):
        assert rocketmq.message_get_topic(messages[number]) == f"topic-{number}"
        assert rocketmq.message_get_property(messages[number], "n") == str(number)
        assert rocketmq.message_get_body(messages[number]) == str(number).encode()
