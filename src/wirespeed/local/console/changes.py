"""What the console changes in the services' states."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from ...errors import ConfigError
from ..vault import Vault

Json = dict[str, Any]

_DLQ_PREFIX = "%DLQ%"


def text(fields: Json, name: str, default: str | None = None) -> str:
    """Return a text of a request.

    Raises:
        ConfigError: it is missing and has no default, or is no text.
    """
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be given, a text")
    return value


class Changes:
    """Carries out what somebody at the console asks for.

    Args:
        vault: the services' states.
    """

    VERBS = ("send", "purge", "redrive", "skip", "delete")

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def run(self, verb: str, fields: Json) -> Json:
        """Carry one of `VERBS` out; return what there is to tell.

        Raises:
            ConfigError: an argument is wrong, or the service says no.
        """
        call: Callable[[Json], Awaitable[Json]] = getattr(self, f"_{verb}")
        return await call(fields)

    def _state(self, fields: Json) -> tuple[str, Any]:
        service = text(fields, "service")
        if service not in self._vault.states:
            raise ConfigError(f"service: {service!r} does not run here")
        return service, self._vault.states[service]

    async def _send(self, fields: Json) -> Json:
        service, state = self._state(fields)
        send = {"rocketmq": _send_rocketmq, "sqs": _send_sqs, "cmq": _send_cmq}.get(service)
        if send is None:
            raise ConfigError(f"service: {service} takes no messages")
        sent = await send(state, text(fields, "name"), text(fields, "body"), fields)
        return {"id": sent}

    def _queue(self, fields: Json) -> Any:
        service, state = self._state(fields)
        name = text(fields, "name")
        queue = state.queues.get(name) if service in ("cmq", "sqs") else None
        if queue is None:
            raise ConfigError(f"name: there is no queue {name!r}")
        return queue

    async def _purge(self, fields: Json) -> Json:
        return {"purged": self._queue(fields).clear()}

    async def _redrive(self, fields: Json) -> Json:
        service, state = self._state(fields)
        name = text(fields, "name")
        if service == "rocketmq":
            if not name.startswith(_DLQ_PREFIX) or name not in state.store.topics:
                raise ConfigError(f"name: {name!r} holds no dead letters")
            return {"moved": state.redrive(name)}
        if service == "sqs":
            from ..sqs.actions import Actions

            await Actions(state).run("StartMessageMoveTask", {"SourceArn": self._queue(fields).arn})
            return {"moved": state.moves[0].task["ApproximateNumberOfMessagesMoved"]}
        raise ConfigError(f"service: {service} cannot send dead letters again")

    async def _skip(self, fields: Json) -> Json:
        """Let a group go to the end of all its topics."""
        service, state = self._state(fields)
        group = text(fields, "name")
        if service != "rocketmq":
            raise ConfigError(f"service: {service} has no groups")
        skipped = 0
        for place in [place for place in state.offsets if place[0] == group]:
            end = len(state.store.queue(place[1], place[2]))
            skipped += max(end - state.offsets[place], 0)
            state.offsets[place] = end
        return {"skipped": skipped}

    async def _delete(self, fields: Json) -> Json:
        """Delete an object."""
        service, state = self._state(fields)
        bucket, name = text(fields, "bucket"), text(fields, "name")
        if service not in ("cos", "wcs") or bucket not in state.buckets:
            raise ConfigError(f"bucket: there is no {bucket!r}")
        from ..cos.refusal import Refusal as CosRefusal
        from ..wcs.replies import Refusal as WcsRefusal

        try:
            if service == "wcs":
                state.delete(bucket, name)
            else:
                state.buckets[bucket].delete(name)
        except (CosRefusal, WcsRefusal) as refusal:
            raise ConfigError(refusal.message) from None
        return {"deleted": name}


async def _send_rocketmq(broker: Any, topic: str, body: str, fields: Json) -> str:
    from ..rocketmq.server import Refusal

    properties = {"TAGS": text(fields, "tag", ""), "KEYS": text(fields, "key", "")}
    given = {name: value for name, value in properties.items() if value}
    try:
        return str(broker.publish(topic, body.encode(), given))
    except Refusal as refusal:
        raise ConfigError(refusal.remark) from None


async def _send_sqs(state: Any, queue: str, body: str, fields: Json) -> str:
    from ..sqs.actions import Actions
    from ..sqs.refusal import Refusal

    asked = {"QueueUrl": f"/{queue}", "MessageBody": body}
    if queue.endswith(".fifo"):
        asked["MessageGroupId"] = text(fields, "group", "") or "console"
        asked["MessageDeduplicationId"] = secrets.token_hex(16)
    try:
        return str((await Actions(state).run("SendMessage", asked))["MessageId"])
    except Refusal as refusal:
        raise ConfigError(refusal.message) from None


async def _send_cmq(state: Any, name: str, body: str, fields: Json) -> str:
    from ..cmq.actions import Actions
    from ..cmq.refusal import Refusal

    asked = {"Action": "PublishMessage", "topicName": name, "msgBody": body}
    if name in state.queues:
        asked = {"Action": "SendMessage", "queueName": name, "msgBody": body}
    try:
        return str((await Actions(state).run(asked))["msgId"])
    except Refusal as refusal:
        raise ConfigError(refusal.message) from None
