"""The actions of SQS on the local queues: fields in, fields out, as the JSON protocol has them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from .fields import (
    QUEUE_NUMBERS,
    QUEUE_TEXTS,
    SIZE_LIMIT,
    Fields,
    checked_attributes,
    checked_message_attributes,
    checked_tags,
    entries,
    in_turn,
    listed,
    message_size,
    number,
    page_token,
    strings,
    text,
)
from .refusal import Refusal, bad_value, no_queue
from .state import (
    ACCOUNT,
    IN_FLIGHT_LIMIT,
    SENDER,
    Move,
    Queue,
    State,
    StoredMessage,
    attributes_digest,
    body_digest,
)

PAGE_LIMIT = 1000
PERMISSION_LIMIT = 7
MOVE_RATE_LIMIT = 500
_FIFO_ID = re.compile(r"[!-~]{1,128}")
_NOT_FOR_IT = "The request include parameter that is not valid for this queue type."
_BAD_ID = "It can only include alphanumeric and punctuation characters. 1 to 128 in length."
_SHARED = frozenset(
    {
        "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
        "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
    }
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_READ_ONLY = frozenset(
    {
        "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp", "LastModifiedTimestamp",
        "QueueArn",
    }
)  # fmt: skip


class Actions:
    """Every action, by its name; `run` finds it.

    Args:
        state: the queues.
        region: the region of the queues' ARNs.
    """

    def __init__(self, state: State, region: str = "us-east-1") -> None:
        self._state = state
        self._region = region
        self._actions: dict[str, Callable[[Fields], Fields | Awaitable[Fields]]] = {
            "AddPermission": self._add_permission,
            "CancelMessageMoveTask": self._cancel_move,
            "ChangeMessageVisibility": self._change_visibility,
            "ChangeMessageVisibilityBatch": self._change_visibility_batch,
            "CreateQueue": self._create,
            "DeleteMessage": self._delete_message,
            "DeleteMessageBatch": self._delete_message_batch,
            "DeleteQueue": self._delete,
            "GetQueueAttributes": self._get_attributes,
            "GetQueueUrl": self._get_url,
            "ListDeadLetterSourceQueues": self._list_sources,
            "ListMessageMoveTasks": self._list_moves,
            "ListQueueTags": self._list_tags,
            "ListQueues": self._list,
            "PurgeQueue": self._purge,
            "ReceiveMessage": self._receive,
            "RemovePermission": self._remove_permission,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "SetQueueAttributes": self._set_attributes,
            "StartMessageMoveTask": self._start_move,
            "TagQueue": self._tag,
            "UntagQueue": self._untag,
        }
        self.trace = ""
        """The X-Amzn-Trace-Id of the request under way; set by each request."""
        self.base_url = ""
        """What queue URLs begin with; set by each request from its Host header."""

    async def run(self, action: str, fields: Fields) -> Fields:
        """Carry out an action.

        Raises:
            Refusal: the service says no.
        """
        handler = self._actions.get(action)
        if handler is None:
            raise Refusal("InvalidAction", f"The action {action} is not valid for this endpoint.")
        result = handler(fields)
        return result if isinstance(result, dict) else await result

    def _queue(self, fields: Fields) -> Queue:
        return self._state.find(text(fields, "QueueUrl").rstrip("/").rpartition("/")[2])

    def _url(self, name: str) -> str:
        return f"{self.base_url}/{ACCOUNT}/{name}"

    # ---- queues ----

    def _create(self, fields: Fields) -> Fields:
        name = fields.get("QueueName")
        if not isinstance(name, str):
            name = text(fields, "QueueName")
        if not _NAME.fullmatch(name):
            raise Refusal(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. "
                "1 to 80 in length",
            )
        given = checked_attributes(fields.get("Attributes") or {})
        tags = checked_tags(name, strings(fields.get("tags") or fields.get("Tags") or {}, "tags"))
        is_fifo = name.endswith(".fifo")
        if (given.get("FifoQueue") == "true") != is_fifo:
            raise bad_value("QueueName", "A FIFO queue's name ends in .fifo, and no other's does.")
        self._check_redrive(given, is_fifo=is_fifo)
        there = self._state.queues.get(name)
        if there is not None:
            if any(_attribute_of(there, each) != value for each, value in given.items()):
                raise Refusal(
                    "QueueNameExists",
                    "A queue already exists with the same name and a different value for attribute "
                    + ", ".join(
                        each for each, value in given.items() if _attribute_of(there, each) != value
                    ),
                )
            return {"QueueUrl": self._url(name)}
        arn = f"arn:aws:sqs:{self._region}:{ACCOUNT}:{name}"
        queue = Queue(name, arn, given, tags, self._state.now(), self._state.journal)
        self._state.queues[name] = queue
        self._state.journal.save(queue)
        return {"QueueUrl": self._url(name)}

    def _check_redrive(self, given: dict[str, str], *, is_fifo: bool) -> None:
        """Refuse a RedrivePolicy that cannot be followed, and write its number as a number."""
        policy = given.get("RedrivePolicy")
        if not policy:
            return
        try:
            target, count = (json.loads(policy)[key] for key in
                             ("deadLetterTargetArn", "maxReceiveCount"))  # fmt: skip
            fits = 1 <= int(count) <= 1000
        except (ValueError, KeyError, TypeError):
            fits, target = False, ""
        if not fits:
            raise bad_value("RedrivePolicy", "It must name deadLetterTargetArn, maxReceiveCount.")
        found = self._state.by_arn(str(target))
        if found is None:
            raise bad_value("RedrivePolicy", "Dead letter target does not exist.", policy)
        if found.is_fifo != is_fifo:
            raise bad_value(
                "RedrivePolicy",
                "Dead-letter queue must be same type of queue as the source.",
                policy,
            )
        if not isinstance(count, int):
            given["RedrivePolicy"] = json.dumps(
                {**json.loads(policy), "maxReceiveCount": int(count)}
            )

    def _get_url(self, fields: Fields) -> Fields:
        return {"QueueUrl": self._url(self._state.find(text(fields, "QueueName")).name)}

    def _page(self, fields: Fields, names: list[str], key: str) -> Fields:
        size = number(fields, "MaxResults", 1, PAGE_LIMIT)
        after = page_token(fields)
        names = [name for name in sorted(names) if name > after]
        page = names[: size or PAGE_LIMIT]
        reply: Fields = {key: [self._url(name) for name in page]}
        if len(page) < len(names) and size is not None:
            reply["NextToken"] = base64.urlsafe_b64encode(page[-1].encode()).decode()
        return reply

    def _list(self, fields: Fields) -> Fields:
        prefix = str(fields.get("QueueNamePrefix") or "")
        return self._page(
            fields, [name for name in self._state.queues if name.startswith(prefix)], "QueueUrls"
        )

    def _list_sources(self, fields: Fields) -> Fields:
        arn = self._queue(fields).arn
        names = [
            queue.name
            for queue in self._state.queues.values()
            if queue.redrive is not None and queue.redrive[0] == arn
        ]
        return self._page(fields, names, "queueUrls")

    def _delete(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        del self._state.queues[queue.name]
        queue.drop()
        return {}

    def _purge(self, fields: Fields) -> Fields:
        self._queue(fields).purge(self._state.now())
        return {}

    def _get_attributes(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        known = {
            **queue.defaults,
            "SqsManagedSseEnabled": "true",
            "QueueArn": queue.arn,
            "CreatedTimestamp": str(int(queue.created)),
            "LastModifiedTimestamp": str(int(queue.modified)),
            **queue.counts(self._state.now()),
            **queue.given,
        }
        if queue.permissions:
            known["Policy"] = json.dumps(
                {
                    "Version": "2012-10-17",
                    "Id": f"{queue.arn}/SQSDefaultPolicy",
                    "Statement": list(queue.permissions.values()),
                }
            )
        names = listed(fields, "AttributeNames")
        for name in names:
            if name != "All" and name not in QUEUE_NUMBERS and name not in QUEUE_TEXTS | _READ_ONLY:
                raise Refusal("InvalidAttributeName", f"Unknown Attribute {name}.")
        chosen = known if "All" in names else {name: known[name] for name in names if name in known}
        return {"Attributes": chosen} if chosen else {}

    def _set_attributes(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        given = checked_attributes(fields.get("Attributes") or {})
        if "FifoQueue" in given:
            raise Refusal("InvalidAttributeValue", "A queue cannot become a FIFO queue.")
        self._check_redrive(given, is_fifo=queue.is_fifo)
        for name, value in given.items():
            if value == "" and name not in QUEUE_NUMBERS:
                queue.given.pop(name, None)
            else:
                queue.given[name] = value
        queue.modified = self._state.now()
        self._state.journal.save(queue)
        return {}

    def _list_tags(self, fields: Fields) -> Fields:
        tags = self._queue(fields).tags
        return {"Tags": dict(tags)} if tags else {}

    def _tag(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        given = strings(fields.get("Tags") or {}, "Tags")
        if not given:
            raise Refusal("MissingParameter", "The request must contain the parameter Tags.")
        queue.tags = checked_tags(queue.name, {**queue.tags, **given})
        self._state.journal.save(queue)
        return {}

    def _untag(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        names = listed(fields, "TagKeys")
        if not all(1 <= len(name) <= 128 for name in names or [""]):
            raise Refusal(
                "InvalidParameterValue", "Tag keys must be between 1 and 128 characters in length."
            )
        for name in names:
            queue.tags.pop(name, None)
        self._state.journal.save(queue)
        return {}

    def _add_permission(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        label = text(fields, "Label")
        if label in queue.permissions:
            raise bad_value("Label", "Already exists.", label)
        accounts, actions = listed(fields, "AWSAccountIds"), listed(fields, "Actions")
        if not actions:
            raise Refusal("MissingParameter", "The request must contain the parameter Actions.")
        if not accounts:
            raise bad_value("PrincipalId", "Unable to verify.", "[]")
        if len(actions) > PERMISSION_LIMIT:
            raise Refusal(
                "OverLimit",
                f"{len(actions)} Actions were found, maximum allowed is {PERMISSION_LIMIT}.",
                403,
            )
        for action in actions:
            if action != "*" and action not in _SHARED:
                raise bad_value(
                    "ActionName",
                    "Only the queue owner is allowed to invoke this action.",
                    f"SQS:{action}",
                )
        queue.permissions[label] = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _alone([f"arn:aws:iam::{each}:root" for each in accounts])},
            "Action": _alone([f"SQS:{action}" for action in actions]),
            "Resource": queue.arn,
        }
        self._state.journal.save(queue)
        return {}

    def _remove_permission(self, fields: Fields) -> Fields:
        queue, label = self._queue(fields), text(fields, "Label")
        if queue.permissions.pop(label, None) is None:
            raise bad_value("Label", "can't find label on existing policy.", label)
        self._state.journal.save(queue)
        return {}

    # ---- messages ----

    def _send(self, fields: Fields) -> Fields:
        return self._store(self._queue(fields), fields)

    def _store(self, queue: Queue, fields: Fields) -> Fields:
        now = self._state.now()
        body = fields.get("MessageBody")
        if not isinstance(body, str) or not body:
            raise Refusal("MissingParameter", "The request must contain the parameter MessageBody.")
        attributes = checked_message_attributes(fields.get("MessageAttributes") or {})
        size = message_size(body, attributes)
        if size > queue.number("MaximumMessageSize"):
            raise Refusal(
                "InvalidParameterValue",
                f"One or more parameters are invalid. Reason: Message must be shorter than "
                f"{queue.number('MaximumMessageSize')} bytes.",
            )
        if _NOT_XML.search(body):
            raise Refusal(
                "InvalidMessageContents", "Invalid characters found. Only XML 1.0 text is allowed."
            )
        delay = number(fields, "DelaySeconds", 0, 900)
        group, deduplication_id = fields.get("MessageGroupId"), fields.get("MessageDeduplicationId")
        system = {"SenderId": SENDER, "SentTimestamp": str(int(now * 1000))}
        trace = (fields.get("MessageSystemAttributes") or {}).get("AWSTraceHeader")
        if trace or self.trace:
            system["AWSTraceHeader"] = str(trace.get("StringValue", "")) if trace else self.trace
        for name, value in (
            ("MessageGroupId", group),
            ("MessageDeduplicationId", deduplication_id),
        ):
            if value and not _FIFO_ID.fullmatch(str(value)):
                raise bad_value(name, _BAD_ID, value)
        reply: Fields = {"MD5OfMessageBody": body_digest(body)}
        if attributes:
            reply["MD5OfMessageAttributes"] = attributes_digest(attributes)
        if queue.is_fifo:
            if not group:
                raise Refusal(
                    "MissingParameter", "The request must contain the parameter MessageGroupId."
                )
            if delay:
                raise bad_value("DelaySeconds", _NOT_FOR_IT, delay)
            if not deduplication_id:
                if queue.given.get("ContentBasedDeduplication") != "true":
                    raise Refusal(
                        "InvalidParameterValue",
                        "The queue should either have ContentBasedDeduplication enabled or "
                        "MessageDeduplicationId provided explicitly",
                    )
                deduplication_id = hashlib.sha256(body.encode()).hexdigest()
            system["MessageDeduplicationId"] = str(deduplication_id)
            known = queue.duplicate(str(group), str(deduplication_id), now)
            if known is not None:
                return {**reply, "MessageId": known.message_id, "SequenceNumber": known.sequence}
        elif deduplication_id:
            raise bad_value("MessageDeduplicationId", _NOT_FOR_IT, deduplication_id)
        if group:
            system["MessageGroupId"] = str(group)
        message = StoredMessage(body, attributes, system, now, size, group=str(group or ""))
        # A message of a FIFO queue has no delay of its own, not even none.
        wait = queue.number("DelaySeconds") if delay is None or queue.is_fifo else delay
        sequence = queue.put(message, now, wait)
        reply["MessageId"] = message.message_id
        if sequence:
            reply["SequenceNumber"] = sequence
        return reply

    def _send_batch(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        total = 0
        for entry in entries("SendMessage", fields):
            body = entry.get("MessageBody")
            total += message_size(body if isinstance(body, str) else "", {})
        if total > SIZE_LIMIT:
            raise Refusal(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {SIZE_LIMIT} bytes. You have sent {total} "
                "bytes.",
            )
        return in_turn("SendMessage", fields, lambda entry: self._store(queue, entry))

    async def _receive(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        count = number(fields, "MaxNumberOfMessages", 1, 10) or 1
        wait = number(fields, "WaitTimeSeconds", 0, 20)
        visibility = number(fields, "VisibilityTimeout", 0, 43_200)
        if wait is None:
            wait = queue.number("ReceiveMessageWaitTimeSeconds")
        if visibility is None:
            visibility = queue.number("VisibilityTimeout")
        until = self._state.now() + wait
        while True:
            now = self._state.now()
            found = self._take(queue, count, visibility, now)
            if found or now >= until:
                break
            await queue.changed(min(until, queue.next_change()) - now)
            if self._state.queues.get(queue.name) is not queue:
                raise no_queue()
        return {"Messages": [_shown(message, fields) for message in found]} if found else {}

    def _take(self, queue: Queue, count: int, visibility: int, now: float) -> list[StoredMessage]:
        redrive = queue.redrive
        if len(queue.messages) >= IN_FLIGHT_LIMIT:
            flying = sum(each.in_flight for each in queue.messages.values())
            if flying >= IN_FLIGHT_LIMIT:
                raise Refusal("OverLimit", "Too many messages in flight.", 403)
        found: list[StoredMessage] = []
        for message in queue.take(now):
            if redrive is not None and message.receives >= redrive[1]:
                target = self._state.by_arn(redrive[0])
                if target is not None:
                    queue.remove(message)
                    # A copy: the receipts of this queue are of a message that is gone.
                    moved = replace(
                        message,
                        receives=0,
                        first_received=0.0,
                        source_arn=queue.arn,
                        system={**message.system, "DeadLetterQueueSourceArn": queue.arn},
                    )
                    target.put(moved, now)
                    continue
            queue.hide(message, now, visibility)
            found.append(message)
            if len(found) == count:
                break
        return found

    def _delete_message(self, fields: Fields) -> Fields:
        self._queue(fields).delete(text(fields, "ReceiptHandle"), self._state.now())
        return {}

    def _delete_message_batch(self, fields: Fields) -> Fields:
        queue = self._queue(fields)

        def one(entry: Fields) -> Fields:
            queue.delete(text(entry, "ReceiptHandle"), self._state.now())
            return {}

        return in_turn("DeleteMessage", fields, one)

    def _hide(self, queue: Queue, fields: Fields) -> Fields:
        seconds = number(fields, "VisibilityTimeout", 0, 43_200)
        if seconds is None:
            raise Refusal(
                "MissingParameter", "The request must contain the parameter VisibilityTimeout."
            )
        queue.change_visibility(text(fields, "ReceiptHandle"), self._state.now(), seconds)
        return {}

    def _change_visibility(self, fields: Fields) -> Fields:
        return self._hide(self._queue(fields), fields)

    def _change_visibility_batch(self, fields: Fields) -> Fields:
        queue = self._queue(fields)
        return in_turn("ChangeMessageVisibility", fields, lambda entry: self._hide(queue, entry))

    # ---- redrive ----

    def _start_move(self, fields: Fields) -> Fields:
        source = self._source(fields)
        wanted = str(fields.get("DestinationArn") or "")
        if wanted and self._state.by_arn(wanted) is None:
            raise Refusal("ResourceNotFoundException", "The destination does not exist.", 404)
        rate = number(fields, "MaxNumberOfMessagesPerSecond", 1, MOVE_RATE_LIMIT)
        for move in self._state.moves:
            if move.task["SourceArn"] == source.arn and move.task["Status"] == "RUNNING":
                raise Refusal(
                    "UnsupportedOperation",
                    f'A message move task is already running on queue "{source.name}"',
                )
        task = {
            "TaskHandle": base64.b64encode(uuid.uuid4().bytes).decode(),
            "Status": "RUNNING",
            "SourceArn": source.arn,
            "ApproximateNumberOfMessagesMoved": 0,
            "ApproximateNumberOfMessagesToMove": sum(
                not message.in_flight for message in source.messages.values()
            ),
            "StartedTimestamp": int(self._state.now() * 1000),
        }
        if wanted:
            task["DestinationArn"] = wanted
        if rate is not None:
            task["MaxNumberOfMessagesPerSecond"] = rate
        started = Move(task)
        self._state.moves.insert(0, started)
        handle = task["TaskHandle"]
        self._move(source, started)
        return {"TaskHandle": handle}

    def _source(self, fields: Fields) -> Queue:
        source = self._state.by_arn(text(fields, "SourceArn"))
        if source is None:
            raise Refusal(
                "ResourceNotFoundException",
                "The resource that you specified for the SourceArn parameter doesn't exist.",
                404,
            )
        return source

    def _move(self, source: Queue, move: Move) -> None:
        """Move what a second allows, and go on in a second where there may be more."""
        task = move.task
        there = move in self._state.moves and self._state.by_arn(source.arn) is source
        if not there or task["Status"] != "RUNNING":
            return
        rate = task.get("MaxNumberOfMessagesPerSecond")
        now = self._state.now()
        moved = 0
        for message in list(source.messages.values()):
            target = self._state.by_arn(task.get("DestinationArn") or message.source_arn)
            if message.in_flight or target is None:
                continue
            if moved == rate:
                asyncio.get_running_loop().call_later(1, self._move, source, move)
                break
            source.remove(message)
            message.system.pop("DeadLetterQueueSourceArn", None)
            target.put(message, now)
            moved += 1
        else:
            task["Status"] = "COMPLETED"
            # The service names a task only while it can be cancelled.
            del task["TaskHandle"]
        task["ApproximateNumberOfMessagesMoved"] += moved
        self._state.journal.save(move)

    def _list_moves(self, fields: Fields) -> Fields:
        arn = self._source(fields).arn
        count = number(fields, "MaxResults", 1, 10) or 1
        tasks = [move.task for move in self._state.moves]
        found = [task for task in tasks if task["SourceArn"] == arn]
        return {"Results": [dict(task) for task in found[:count]]}

    def _cancel_move(self, fields: Fields) -> Fields:
        handle = text(fields, "TaskHandle")
        for move in self._state.moves:
            task = move.task
            if task.get("TaskHandle") == handle:
                task["Status"] = "CANCELLED"
                del task["TaskHandle"]
                self._state.journal.save(move)
                moved = task["ApproximateNumberOfMessagesMoved"]
                return {"ApproximateNumberOfMessagesMoved": moved}
        raise Refusal(
            "ResourceNotFoundException",
            f'The task handle "{handle}" is not valid or does not exist',
            404,
        )


def _alone(values: list[str]) -> str | list[str]:
    """Return a list as policies have it: one value stands alone."""
    return values[0] if len(values) == 1 else values


def _attribute_of(queue: Queue, name: str) -> str | None:
    return queue.given.get(name, queue.defaults.get(name))


def _shown(message: StoredMessage, fields: Fields) -> Fields:
    """Return a message as a receive shows it."""
    shown: Fields = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": body_digest(message.body),
        "Body": message.body,
    }
    wanted = listed(fields, "MessageSystemAttributeNames") + listed(fields, "AttributeNames")
    system = {
        **message.system,
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received * 1000)),
    }
    chosen = {name: value for name, value in system.items() if name in wanted or "All" in wanted}
    if chosen:
        shown["Attributes"] = chosen
    names = listed(fields, "MessageAttributeNames")
    picked = {
        name: attribute
        for name, attribute in message.attributes.items()
        if any(_matches(name, pattern) for pattern in names)
    }
    if picked:
        shown["MessageAttributes"] = picked
        shown["MD5OfMessageAttributes"] = attributes_digest(picked)
    return shown


def _matches(name: str, pattern: str) -> bool:
    if pattern in ("All", ".*", name):
        return True
    return pattern.endswith(".*") and name.startswith(pattern[:-2])
