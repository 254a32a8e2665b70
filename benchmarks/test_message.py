"""The message life cycle beside rocketmq 0.4.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import librocketmqclientpython as ours_module
from benchmarks import peers
from benchmarks.conftest import Compare

BODY = b"x" * 128
TEXT = BODY.decode()


def test_life_cycle(compare: Compare) -> None:
    """Create, keys, tag, property, body, read all back, destroy."""
    try:
        module = peers.rocketmq_client()
    except LookupError as missing:
        pytest.skip(str(missing))
    message_class, received_class = module.Message, module.RecvMessage

    def peer() -> tuple[object, ...]:
        message = message_class("orders")
        message.set_keys("key-1")
        message.set_tags("TagA")
        message.set_property("colour", "red")
        message.set_body(BODY)
        received = received_class(message._as_parameter_)
        return (
            received.keys,
            received.tags,
            received.get_property("colour"),
            received.body,
        )

    m = ours_module
    create, destroy = m.CreateMessage, m.DestroyMessage
    set_keys, set_tags, set_body = m.SetMessageKeys, m.SetMessageTags, m.SetMessageBody
    set_property, get_property = m.SetMessageProperty, m.GetMessageProperty
    get_keys, get_tags, get_body = m.GetMessageKeys, m.GetMessageTags, m.GetMessageBody

    def ours() -> tuple[object, ...]:
        message = create("orders")
        set_keys(message, "key-1")
        set_tags(message, "TagA")
        set_property(message, "colour", "red")
        set_body(message, TEXT)
        read = (get_keys(message), get_tags(message), get_property(message, "colour"),
                get_body(message))  # fmt: skip
        destroy(message)
        return read

    assert ours() == ("key-1", "TagA", "red", TEXT)
    assert peer() == (b"key-1", b"TagA", b"red", BODY)
    compare("message", "message life cycle", ours, peer, against="rocketmq 0.4.4", goal=10.0,
            calls=5000)  # fmt: skip


def test_life_cycle_by_the_classes(compare: Compare) -> None:
    """The same through `rocketmq.client.Message`, ours beside theirs."""
    try:
        module = peers.rocketmq_client()
    except LookupError as missing:
        pytest.skip(str(missing))
    ours_class, ours_received = peers.dropin_rocketmq()
    classes = (ours_class, ours_received), (module.Message, module.RecvMessage)

    def life(message_class: Any, received_class: Any) -> Callable[[], tuple[object, ...]]:
        def live() -> tuple[object, ...]:
            message = message_class("orders")
            message.set_keys("key-1")
            message.set_tags("TagA")
            message.set_property("colour", "red")
            message.set_body(BODY)
            received = received_class(message._as_parameter_)
            return (received.keys, received.tags, received.get_property("colour"), received.body)

        return live

    ours, peer = (life(*pair) for pair in classes)
    assert ours() == peer() == (b"key-1", b"TagA", b"red", BODY)
    compare("message", "message life cycle, rocketmq.client.Message", ours, peer,
            against="rocketmq 0.4.4", goal=10.0, calls=5000)  # fmt: skip
