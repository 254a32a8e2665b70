"""What the console shows, read from the services' states."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from ... import _native
from ..faults import Faults
from ..vault import Vault

BODY_LIMIT = 4096
"""Bytes of a message's body that are shown."""

_DLQ_PREFIX = "%DLQ%"

Json = dict[str, Any]


def overview(vault: Vault, faults: Faults) -> Json:
    """Return the depth of everything, in a form that JSON can hold."""
    states, now = vault.states, vault.clock.now()
    views: dict[str, Callable[[Any, float], Json]] = {
        "rocketmq": _rocketmq,
        "sqs": _sqs,
        "cmq": _cmq,
        "wcs": _wcs,
        "cos": _cos,
    }
    shown = {name: view(states[name], now) for name, view in views.items() if name in states}
    return {
        "services": shown,
        "requests": faults.counts(),
        "faults": [asdict(fault) for fault in faults.active()],
        "snapshots": vault.snapshots(),
        "now": now,
        "ahead": vault.clock.ahead,
    }


def _rocketmq(broker: Any, now: float) -> Json:
    topics = [
        {
            "name": name,
            "queues": len(topic.queues),
            "messages": sum(map(len, topic.queues)),
            "dead_letters": name.startswith(_DLQ_PREFIX),
        }
        for name, topic in sorted(broker.store.topics.items())
    ]
    lags: dict[str, dict[str, int]] = {}
    for (group, topic, queue_id), offset in broker.offsets.items():
        behind = len(broker.store.queue(topic, queue_id)) - offset
        topics_of = lags.setdefault(group, {})
        topics_of[topic] = topics_of.get(topic, 0) + max(behind, 0)
    members = {name: len(group.members) for name, group in broker.clients.groups.items()}
    groups = [
        {
            "name": name,
            "members": members.get(name, 0),
            "lag": sum(lags.get(name, {}).values()),
            "topics": lags.get(name, {}),
        }
        for name in sorted({*broker.clients.known, *lags})
    ]
    return {"topics": topics, "groups": groups, "waiting": broker.waiting()}


def _sqs(state: Any, now: float) -> Json:
    queues = []
    for name, queue in sorted(state.queues.items()):
        counts = queue.counts(now)
        target = state.by_arn(queue.redrive[0]) if queue.redrive else None
        queues.append(
            {
                "name": name,
                "ready": int(counts["ApproximateNumberOfMessages"]),
                "in_flight": int(counts["ApproximateNumberOfMessagesNotVisible"]),
                "delayed": int(counts["ApproximateNumberOfMessagesDelayed"]),
                "dead_letters_to": target.name if target is not None else "",
            }
        )
    targets = {queue["dead_letters_to"] for queue in queues}
    for queue in queues:
        queue["dead_letters"] = queue["name"] in targets
    return {"queues": queues}


def _cmq(state: Any, now: float) -> Json:
    queues = []
    for name, queue in sorted(state.queues.items()):
        told = queue.describe(now)
        rule = queue.dead_letters
        queues.append(
            {
                "name": name,
                "ready": told["activeMsgNum"],
                "in_flight": told["inactiveMsgNum"],
                "delayed": told["delayMsgNum"],
                "dead_letters_to": rule.target.name if rule is not None else "",
            }
        )
    topics = [
        {
            "name": name,
            "subscriptions": [
                {"name": each.name, "endpoint": each.endpoint, "pending": each.pending}
                for each in topic.subscriptions.values()
            ],
        }
        for name, topic in sorted(state.topics.items())
    ]
    return {"queues": queues, "topics": topics}


def _wcs(state: Any, now: float) -> Json:
    buckets = [
        {
            "name": name,
            "objects": len(objects),
            "bytes": sum(each.size for each in objects.values()),
        }
        for name, objects in sorted(state.buckets.items())
    ]
    uploads: dict[tuple[str, str], Json] = {}
    for block in state.blocks.values():
        upload = uploads.setdefault(
            (block.bucket, block.batch),
            {"bucket": block.bucket, "name": block.batch, "parts": 0, "bytes": 0},
        )
        upload["parts"] += 1
        upload["bytes"] += len(block.content)
    return {"buckets": buckets, "uploads": list(uploads.values())}


def _cos(state: Any, now: float) -> Json:
    buckets, uploads = [], []
    for name, bucket in sorted(state.buckets.items()):
        objects = [each for each in bucket.entries.values() if each.data is not None]
        size = sum(len(each.data) for each in objects)
        buckets.append({"name": name, "objects": len(objects), "bytes": size})
        for path, upload in sorted(bucket.uploads.items()):
            held = sum(len(part.data) for part in upload.parts.values())
            uploads.append(
                {
                    "bucket": name,
                    "name": path,
                    "parts": len(upload.parts),
                    "bytes": held,
                    "size": upload.size,
                }
            )
    return {"buckets": buckets, "uploads": uploads}


def messages(vault: Vault, service: str, name: str, count: int) -> list[Json] | None:
    """Return the first messages of a queue, or the last of a topic; None where there is none."""
    state = vault.states.get(service)
    if state is None:
        return None
    if service == "rocketmq":
        topic = state.store.topics.get(name)
        if topic is None:
            return None
        last = [each for queue in topic.queues for each in queue[-count:]] if count else []
        found = [_native.decode_messages(each.record)[0] for each in last]
        found.sort(key=lambda message: message.store_timestamp, reverse=True)
        return [_rocketmq_message(message) for message in found[:count]]
    queue = state.queues.get(name) if service in ("cmq", "sqs") else None
    if queue is None:
        return None
    now = vault.clock.now()
    if service == "sqs":
        stored = itertools.islice(queue.messages.values(), count)
        return [_sqs_message(message, now) for message in stored]
    living: Iterable[Any] = (each for each in queue.messages if each.deleted_at is None)
    return [_cmq_message(message, now) for message in itertools.islice(living, count)]


def _rocketmq_message(message: Any) -> Json:
    return {
        "id": message.property("UNIQ_KEY") or message.offset_message_id,
        "body": _shown(message.body),
        "size": len(message.body),
        "time": message.store_timestamp / 1000,
        "state": f"queue {message.queue_id}, offset {message.queue_offset}",
        "receives": message.reconsume_times,
        "properties": dict(message.properties),
    }


def _sqs_message(message: Any, now: float) -> Json:
    waiting = "in flight" if message.in_flight else "delayed"
    return {
        "id": message.message_id,
        "body": _shown(message.body.encode()),
        "size": message.size,
        "time": message.sent,
        "state": "ready" if message.visible_at <= now else waiting,
        "receives": message.receives,
        "properties": {
            **message.system,
            **{
                name: each.get("StringValue", each.get("BinaryValue", ""))
                for name, each in message.attributes.items()
            },
        },
    }


def _cmq_message(message: Any, now: float) -> Json:
    waiting = "in flight" if message.handle else "delayed"
    return {
        "id": message.message_id,
        "body": _shown(message.body.encode()),
        "size": len(message.body.encode()),
        "time": message.enqueued,
        "state": "ready" if message.visible_at <= now else waiting,
        "receives": message.receives,
        "properties": {},
    }


def objects(vault: Vault, service: str, bucket: str, prefix: str, count: int) -> list[Json] | None:
    """Return the first objects of a bucket, by name; None where there is no such bucket."""
    state = vault.states.get(service) if service in ("cos", "wcs") else None
    if state is None or bucket not in state.buckets:
        return None
    if service == "wcs":
        held = state.buckets[bucket]
        keys = sorted(key for key in held if key.startswith(prefix))[:count]
        return [
            {
                "name": key,
                "size": held[key].size,
                "hash": held[key].hash,
                "type": held[key].mime_type,
                "time": held[key].put_time / 1000,
            }
            for key in keys
        ]
    entries = state.buckets[bucket].entries
    paths = sorted(path for path in entries if path.startswith(prefix))[:count]
    return [
        {
            "name": path,
            "size": len(entries[path].data or b""),
            "hash": entries[path].sha,
            "type": "folder" if entries[path].data is None else "object",
            "time": entries[path].modified,
        }
        for path in paths
    ]


def _shown(body: bytes) -> str:
    text = body[:BODY_LIMIT].decode("utf-8", "replace")
    return text + (f" ... ({len(body)} bytes)" if len(body) > BODY_LIMIT else "")
