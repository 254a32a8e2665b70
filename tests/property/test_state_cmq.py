"""The local CMQ beside a model: receives, receipts, delays, rewinds and dead letters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from tests.property.machines import QUICK, Clock, Loop, Still
from wirespeed.local.cmq.actions import Actions
from wirespeed.local.cmq.refusal import Refusal
from wirespeed.local.cmq.state import State

MOST_RECEIVES = 2
RETENTION = 300
REWOUND = 120
HIDDEN = 30


@dataclass(eq=False)
class Letter:
    """A message of the model."""

    body: str
    sent: float
    visible_at: float
    receives: int = 0
    first: float = 0.0
    handle: str = ""
    deleted: float | None = None


@dataclass
class Model:
    """A queue of the model; `buried` is where its dead letters go."""

    letters: list[Letter] = field(default_factory=list)
    buried: Model | None = None
    rewinds: int = 0

    def settle(self, now: float) -> None:
        """Let time pass."""
        self.letters = [
            each
            for each in self.letters
            if each.sent > now - RETENTION
            and (each.deleted is None or each.deleted > now - self.rewinds)
        ]
        if self.buried is None:
            return
        for each in list(self.letters):
            if each.deleted is None and each.visible_at <= now and each.receives >= MOST_RECEIVES:
                self.letters.remove(each)
                self.buried.letters.append(Letter(each.body, now, now))


class Machine(RuleBasedStateMachine):
    """A queue that can be rewound, one whose dead letters go to a third."""

    receipts = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.run = Loop()
        self.clock = Clock()
        self.actions = Actions(State(Still(self.clock)))
        dead = Model()
        self.models = {"dead": dead, "work": Model(buried=dead), "kept": Model(rewinds=REWOUND)}
        numbers = {"visibilityTimeout": HIDDEN, "msgRetentionSeconds": RETENTION}
        self.ask("CreateQueue", "dead", **numbers)
        policy = {"deadLetterQueue": "dead", "policy": 0, "maxReceiveCount": MOST_RECEIVES}
        self.ask("CreateQueue", "work", **numbers, deadLetterPolicy=json.dumps(policy))
        self.ask("CreateQueue", "kept", **numbers, rewindSeconds=REWOUND)

    def teardown(self) -> None:
        """End the loop."""
        self.run.close()

    def ask(self, action: str, queue: str, **fields: Any) -> dict[str, Any]:
        texts = {name: str(value) for name, value in fields.items()}
        return self.run(self.actions.run({"Action": action, "queueName": queue, **texts}))

    def refused(self, code: int, action: str, queue: str, **fields: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self.ask(action, queue, **fields)
        assert caught.value.code == code
        return caught.value

    def model(self, queue: str) -> Model:
        model = self.models[queue]
        model.settle(self.clock.now)
        return model

    @rule(seconds=st.sampled_from([1, 10, HIDDEN, 61, 100]))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(
        queue=st.sampled_from(["work", "work", "kept"]),
        bodies=st.lists(st.sampled_from("xyz"), min_size=1, max_size=3),
        delay=st.sampled_from([0, 0, 0, 5, 40]),
    )
    def send(self, queue: str, bodies: list[str], delay: int) -> None:
        now = self.clock.now
        if len(bodies) == 1:
            self.ask("SendMessage", queue, msgBody=bodies[0], delaySeconds=delay)
        else:
            numbered = {f"msgBody.{number}": body for number, body in enumerate(bodies)}
            self.ask("BatchSendMessage", queue, **numbered, delaySeconds=delay)
        self.model(queue).letters += [Letter(body, now, now + delay) for body in bodies]

    @rule(
        target=receipts,
        queue=st.sampled_from(["work", "work", "kept", "dead"]),
        count=st.sampled_from([0, 1, 2, 16]),
    )
    def receive(self, queue: str, count: int) -> Any:
        """Receive so many by a batch, or with 0 one alone."""
        now = self.clock.now
        self.model("work")
        visible = [
            each
            for each in self.model(queue).letters
            if each.deleted is None and each.visible_at <= now
        ][: max(count, 1)]
        action = "BatchReceiveMessage" if count else "ReceiveMessage"
        fields = {"numOfMsg": count} if count else {}
        if not visible:
            self.refused(7000, action, queue, **fields)
            return multiple()
        reply = self.ask(action, queue, **fields)
        got = reply["msgInfoList"] if count else [reply]
        assert [each["msgBody"] for each in got] == [each.body for each in visible]
        for each, letter in zip(got, visible, strict=True):
            letter.receives += 1
            letter.first = letter.first or now
            letter.visible_at = now + HIDDEN
            letter.handle = each["receiptHandle"]
            assert each["dequeueCount"] == letter.receives
            assert each["enqueueTime"] == int(letter.sent)
            assert each["firstDequeueTime"] == int(letter.first)
            assert each["nextVisibleTime"] == int(letter.visible_at)
        return multiple(*((letter, letter.handle, queue) for letter in visible))

    def deletes(self, receipt: tuple[Letter, str, str]) -> bool:
        """Delete in the model, and tell whether that may be."""
        letter, handle, queue = receipt
        model = self.model(queue)
        fits = letter in model.letters and letter.handle == handle and letter.deleted is None
        if not fits or letter.visible_at <= self.clock.now:
            return False
        letter.deleted = self.clock.now
        return True

    @rule(receipt=receipts)
    def delete(self, receipt: tuple[Letter, str, str]) -> None:
        _, handle, queue = receipt
        if self.deletes(receipt):
            self.ask("DeleteMessage", queue, receiptHandle=handle)
        else:
            self.refused(4430, "DeleteMessage", queue, receiptHandle=handle)

    @rule(body=st.sampled_from("xyz"), pause=st.sampled_from([1, HIDDEN, 61]))
    def keep(self, body: str, pause: int) -> None:
        """Send, receive all and delete all, of the queue that can be rewound."""
        self.send("kept", [body], 0)
        count = 16
        now = self.clock.now
        ready = [
            each
            for each in self.model("kept").letters
            if each.deleted is None and each.visible_at <= now
        ][:count]
        reply = self.ask("BatchReceiveMessage", "kept", numOfMsg=count)
        for each, letter in zip(reply["msgInfoList"], ready, strict=True):
            letter.receives += 1
            letter.first = letter.first or now
            letter.visible_at, letter.handle = now + HIDDEN, each["receiptHandle"]
        self.clock.now += pause
        for letter in ready:
            self.delete((letter, letter.handle, "kept"))

    @rule(found=st.lists(receipts, min_size=1, max_size=3))
    def delete_many(self, found: list[tuple[Letter, str, str]]) -> None:
        queue = found[0][2]
        found = [each for each in found if each[2] == queue]
        numbered = {f"receiptHandle.{number}": each[1] for number, each in enumerate(found)}
        failed = [each[1] for each in found if not self.deletes(each)]
        if not failed:
            self.ask("BatchDeleteMessage", queue, **numbered)
            return
        code = 6020 if len(failed) == len(found) else 6010
        refusal = self.refused(code, "BatchDeleteMessage", queue, **numbered)
        assert [each["receiptHandle"] for each in refusal.fields["errorList"]] == failed

    @rule(ago=st.sampled_from([0, 30, 100, 500]))
    def rewind(self, ago: int) -> None:
        now = self.clock.now
        since = int(now) - ago
        self.refused(6050, "RewindQueue", "work", startConsumeTime=since)
        self.ask("RewindQueue", "kept", startConsumeTime=since)
        for letter in self.model("kept").letters:
            if letter.deleted is not None and letter.sent >= since:
                letter.deleted, letter.visible_at = None, now

    @invariant()
    def counts(self) -> None:
        now = self.clock.now
        self.model("work")
        for queue in ("dead", "work", "kept"):
            shown = self.ask("GetQueueAttributes", queue)
            letters = self.model(queue).letters
            living = [each for each in letters if each.deleted is None]
            active = sum(each.visible_at <= now for each in living)
            delayed = sum(each.visible_at > now and not each.handle for each in living)
            assert shown["activeMsgNum"] == active, queue
            assert shown["delayMsgNum"] == delayed, queue
            assert shown["inactiveMsgNum"] == len(living) - active - delayed, queue
            assert shown["rewindmsgNum"] == len(letters) - len(living), queue


Machine.TestCase.settings = QUICK
TestCmq = Machine.TestCase
