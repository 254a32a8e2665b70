"""The local SQS beside a model: who sees a message when, in what order, and where it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from tests.property.machines import QUICK, Clock, Loop
from wirespeed.local.sqs.actions import Actions
from wirespeed.local.sqs.refusal import Refusal
from wirespeed.local.sqs.state import State

MOST_RECEIVES = 2
RETENTION = 100
HIDDEN = 30
GROUPS = st.sampled_from(["a", "b"])
QUEUES = ("work", "line.fifo")
DEAD = {"work": "dead", "line.fifo": "dead.fifo"}


@dataclass(eq=False)
class Letter:
    """A message of the model."""

    body: str
    group: str
    sent: float
    visible_at: float
    receives: int = 0
    handle: str = ""
    in_flight: bool = False
    home: str = ""


@dataclass
class Model:
    """A queue of the model: its messages, the oldest first."""

    letters: list[Letter] = field(default_factory=list)
    purged: float = float("-inf")

    def settle(self, now: float) -> None:
        """Let time pass: what is too old goes, what was hidden long enough comes back."""
        self.letters = [each for each in self.letters if each.sent > now - RETENTION]
        for each in self.letters:
            each.in_flight = each.in_flight and each.visible_at > now

    def ready(self, now: float, fifo: bool) -> list[Letter]:
        """Return what may be received now, in order."""
        blocked = {each.group for each in self.letters if each.in_flight} if fifo else set()
        found = []
        for each in self.letters:
            if each.group in blocked or each.in_flight:
                continue
            if each.visible_at > now:
                blocked |= {each.group} if fifo else set()
                continue
            found.append(each)
        return found


class Machine(RuleBasedStateMachine):
    """Two queues, each with a queue for its dead letters."""

    letters = Bundle("letters")

    def __init__(self) -> None:
        super().__init__()
        self.run = Loop()
        self.clock = Clock()
        self.actions = Actions(State(self.clock))
        self.models = {name: Model() for pair in DEAD.items() for name in pair}
        self.sent: dict[tuple[str, str], tuple[float, str]] = {}
        for name in (*DEAD.values(), *QUEUES):
            given = {"MessageRetentionPeriod": str(RETENTION), "VisibilityTimeout": str(HIDDEN)}
            if name.endswith(".fifo"):
                given["FifoQueue"] = "true"
            if name in DEAD:
                arn = self.ask("GetQueueAttributes", DEAD[name], AttributeNames=["QueueArn"])
                given["RedrivePolicy"] = json.dumps(
                    {
                        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
                        "maxReceiveCount": MOST_RECEIVES,
                    }
                )
            self.ask("CreateQueue", name, QueueName=name, Attributes=given)

    def teardown(self) -> None:
        """End the loop."""
        self.run.close()

    def ask(self, action: str, queue: str, **fields: Any) -> dict[str, Any]:
        return self.run(self.actions.run(action, {"QueueUrl": f"/0/{queue}", **fields}))

    def refused(self, code: str, action: str, queue: str, **fields: Any) -> None:
        with pytest.raises(Refusal) as caught:
            self.ask(action, queue, **fields)
        assert caught.value.code == code

    def model(self, queue: str) -> Model:
        model = self.models[queue]
        model.settle(self.clock.now)
        return model

    @rule(seconds=st.sampled_from([1, 10, HIDDEN, 61, 250]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(delay=st.sampled_from([0, 0, 0, 5, 40]), body=st.sampled_from("xyz"))
    def send(self, delay: int, body: str) -> None:
        self.ask("SendMessage", "work", MessageBody=body, DelaySeconds=delay)
        now = self.clock.now
        self.model("work").letters.append(Letter(body, "", now, now + delay, home="work"))

    @rule(group=GROUPS, key=st.sampled_from("1234"), body=st.sampled_from("xyz"))
    def send_in_line(self, group: str, key: str, body: str) -> None:
        reply = self.ask(
            "SendMessage", "line.fifo", MessageBody=body, MessageGroupId=group,
            MessageDeduplicationId=key,
        )  # fmt: skip
        now = self.clock.now
        at, known = self.sent.get(("line.fifo", key), (float("-inf"), ""))
        if at + 300 > now:
            assert reply["MessageId"] == known
            return
        assert reply["MessageId"] != known
        self.sent["line.fifo", key] = (now, reply["MessageId"])
        self.model("line.fifo").letters.append(Letter(body, group, now, now, home="line.fifo"))

    @rule(
        target=letters,
        queue=st.sampled_from([*QUEUES, *DEAD.values()]),
        count=st.sampled_from([1, 2, 10]),
        hidden=st.sampled_from([None, None, 0, 5, 100]),
    )
    def receive(self, queue: str, count: int, hidden: int | None) -> Any:
        fields: dict[str, Any] = {"AttributeNames": ["All"], "MaxNumberOfMessages": count}
        if hidden is not None:
            fields["VisibilityTimeout"] = hidden
        got = self.ask("ReceiveMessage", queue, **fields).get("Messages", [])
        now = self.clock.now
        model = self.model(queue)
        wanted: list[Letter] = []
        for letter in model.ready(now, queue.endswith(".fifo")):
            if queue in DEAD and letter.receives >= MOST_RECEIVES:
                model.letters.remove(letter)
                letter.receives, letter.home = 0, DEAD[queue]
                letter.visible_at = now
                self.model(DEAD[queue]).letters.append(letter)
                continue
            wanted.append(letter)
            if len(wanted) == count:
                break
        assert [each["Body"] for each in got] == [each.body for each in wanted]
        for each, letter in zip(got, wanted, strict=True):
            letter.receives += 1
            letter.visible_at = now + (HIDDEN if hidden is None else hidden)
            letter.in_flight = True
            letter.handle = each["ReceiptHandle"]
            attributes = each["Attributes"]
            assert attributes["ApproximateReceiveCount"] == str(letter.receives)
            assert attributes["SentTimestamp"] == str(int(letter.sent * 1000))
            assert attributes.get("MessageGroupId", "") == letter.group
            assert ("DeadLetterQueueSourceArn" in attributes) == (queue not in DEAD)
        return multiple(*((letter, letter.handle, queue) for letter in wanted))

    @rule(queue=st.sampled_from(QUEUES))
    def wear(self, queue: str) -> None:
        """Receive until what is there is a dead letter."""
        for _ in range(MOST_RECEIVES + 1):
            self.receive(queue, 10, 0)

    @rule(queue=st.sampled_from(QUEUES))
    def extend(self, queue: str) -> None:
        """Receive, hide for longer, and look when it would have come back."""
        self.receive(queue, 1, 5)
        for letter in self.model(queue).letters:
            if letter.in_flight and letter.visible_at == self.clock.now + 5:
                self.hide((letter, letter.handle, queue), 60)
        self.clock.now += 10
        self.counts()

    @rule(receipt=letters)
    def delete(self, receipt: tuple[Letter, str, str]) -> None:
        letter, handle, queue = receipt
        model = self.model(queue)
        there = letter in model.letters
        if queue.endswith(".fifo") and there and letter.visible_at <= self.clock.now:
            self.refused("InvalidParameterValue", "DeleteMessage", queue, ReceiptHandle=handle)
            return
        self.ask("DeleteMessage", queue, ReceiptHandle=handle)
        if there and letter.handle == handle:
            model.letters.remove(letter)

    @rule(receipt=letters, seconds=st.sampled_from([0, 5, 60]))
    def hide(self, receipt: tuple[Letter, str, str], seconds: int) -> None:
        letter, handle, queue = receipt
        fields = {"ReceiptHandle": handle, "VisibilityTimeout": seconds}
        there = letter in self.model(queue).letters
        now = self.clock.now
        if not there or letter.handle != handle or letter.visible_at <= now:
            self.refused("MessageNotInflight", "ChangeMessageVisibility", queue, **fields)
            return
        self.ask("ChangeMessageVisibility", queue, **fields)
        letter.visible_at = now + seconds
        letter.in_flight = seconds > 0

    @rule(queue=st.sampled_from(QUEUES), chance=st.integers(0, 5))
    def purge(self, queue: str, chance: int) -> None:
        if chance:
            return
        model = self.model(queue)
        if self.clock.now < model.purged + 60:
            self.refused("PurgeQueueInProgress", "PurgeQueue", queue)
            return
        self.ask("PurgeQueue", queue)
        model.purged = self.clock.now
        model.letters.clear()

    @invariant()
    def counts(self) -> None:
        now = self.clock.now
        for queue in self.models:
            letters = self.model(queue).letters
            flying = sum(each.in_flight for each in letters)
            delayed = sum(not each.in_flight and each.visible_at > now for each in letters)
            shown = self.ask("GetQueueAttributes", queue, AttributeNames=["All"])["Attributes"]
            for name, count in (
                ("", len(letters) - flying - delayed),
                ("NotVisible", flying),
                ("Delayed", delayed),
            ):
                assert shown[f"ApproximateNumberOfMessages{name}"] == str(count), (queue, name)


Machine.TestCase.settings = QUICK
TestSqs = Machine.TestCase


def test_a_dead_letter_ends_though_a_younger_one_came_before_it() -> None:
    machine = Machine()
    try:
        machine.send(0, "x")
        machine.wait(1)
        machine.send(0, "y")
        # The first stays hidden while the second is received, twice, and moved.
        for count, hidden in ((1, 5), (1, 0), (1, 0), (1, 0)):
            machine.receive("work", count, hidden)
        machine.wait(10)
        for _ in range(2):
            machine.receive("work", 1, 0)
        assert [each.body for each in machine.models["dead"].letters] == ["y", "x"]
        machine.wait(89.5)
        machine.counts()
        assert [each.body for each in machine.models["dead"].letters] == ["y"]
    finally:
        machine.teardown()
