"""The local RocketMQ broker beside a model: queues, delays, offsets, locks, retries, halves."""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from tests.property.machines import QUICK, Clock, Still
from tests.rocketmq_probe import batch_part
from wirespeed._native.pure import rocketmq as codec
from wirespeed.local.rocketmq import store
from wirespeed.local.rocketmq.broker import Broker
from wirespeed.local.rocketmq.server import Refusal, Reply, Request

LEVELS = (1.0, 5.0, 10.0, 30.0, 60.0)
TOPIC, GROUP = "orders", "readers"
RETRY, DEAD = f"%RETRY%{GROUP}", f"%DLQ%{GROUP}"
QUEUES = 2
MOST_RECONSUMES = 2
TICK = 5.0
TAGS = st.sampled_from(["", "a", "b"])
NUMBERS = st.integers(0, QUEUES - 1)
CLIENTS = st.sampled_from(["one", "two"])


class FakeLoop(asyncio.SelectorEventLoop):
    """A loop whose timers go by a clock that is set by hand."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.began = clock.now

    def time(self) -> float:
        # The loop adds a nanosecond, which a float of today's seconds has no room for.
        return self.clock.now - self.began


class Client:
    """What stands in for a connection; keeps the answers that came later."""

    def __init__(self) -> None:
        self.peer = ("127.0.0.1", 1)
        self.language, self.version = 0, 513
        self.answers: dict[int, Reply] = {}

    def reply(self, request: Request, reply: Reply) -> None:
        assert request.opaque not in self.answers, "answered twice"
        self.answers[request.opaque] = reply

    def notify(self, *ignored: Any) -> None:
        """Take no notice."""


@dataclass(eq=False)
class Letter:
    """A message of the model."""

    body: bytes
    tag: str = ""
    reconsumed: int = 0
    stored: float = 0.0


@dataclass
class Held:
    """A pull that waits."""

    opaque: int
    queue: int
    offset: int
    until: float
    tag: str


@dataclass
class Later:
    """A message that is stored when its time comes."""

    due: float
    place: tuple[str, int]
    letter: Letter


@dataclass
class Model:
    """What the broker should hold."""

    queues: dict[tuple[str, int], list[Letter]] = field(default_factory=dict)
    later: list[Later] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    locks: dict[int, tuple[str, float]] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)


class Machine(RuleBasedStateMachine):
    """One topic of two queues, one group."""

    messages = Bundle("messages")
    halves = Bundle("halves")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.loop = FakeLoop(self.clock)
        self.client = Client()
        self.broker = Broker(store.Store(clock=Still(self.clock)), LEVELS)
        self.model = Model()
        self.count = 0
        self.settled: set[int] = set()
        fields = {"topic": TOPIC, "readQueueNums": QUEUES, "writeQueueNums": QUEUES, "perm": 6}
        assert self.ask(17, **fields).code == 0
        settings = {"groupName": GROUP, "retryMaxTimes": MOST_RECONSUMES}
        assert self.ask(200, json.dumps(settings).encode()).code == 0
        for number in range(QUEUES):
            self.model.queues[TOPIC, number] = []
        self.model.queues[RETRY, 0] = []

    def teardown(self) -> None:
        """Forget the timers."""
        self.broker.clear()
        self.loop.close()

    def send_command(self, code: int, body: bytes = b"", **fields: Any) -> tuple[int, Reply | None]:
        # No two commands come at the same moment: what is due at one has no order.
        self.tick(1 / 1024)
        self.count += 1
        texts = {name: str(value) for name, value in fields.items()}
        connection: Any = self.client
        request = Request(code, 0, 513, self.count, False, texts, body, connection)

        async def handle() -> Reply | None:
            try:
                return self.broker.handle(request)
            except Refusal as refusal:
                return Reply(refusal.code, refusal.remark, refusal.fields)
            finally:
                # What came wakes the pulls in the loop's next round.
                await asyncio.sleep(0)

        return self.count, self.loop.run_until_complete(handle())

    def ask(self, code: int, body: bytes = b"", **fields: Any) -> Reply:
        _, reply = self.send_command(code, body, **fields)
        assert reply is not None
        return reply

    def publish(self, number: int, body: bytes, properties: dict[str, str], **more: Any) -> Reply:
        text = codec.encode_properties(properties).decode()
        return self.ask(
            more.pop("code", 10), body, producerGroup="p", topic=TOPIC, defaultTopic="TBW102",
            defaultTopicQueueNums=4, queueId=number, sysFlag=0, bornTimestamp=1, flag=0,
            properties=text, **more,
        )  # fmt: skip

    def append(self, place: tuple[str, int], letter: Letter) -> None:
        letter.stored = self.clock.now
        self.model.queues.setdefault(place, []).append(letter)

    # -- time --

    @rule(seconds=st.sampled_from([0.5, 1, 5, 10, 31, 61]))
    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.tick(0.5)

    def tick(self, seconds: float) -> None:
        """Let a little time pass, and what is due be done."""
        self.clock.now += seconds
        self.loop.run_until_complete(self.rounds())
        due = [each for each in self.model.later if each.due <= self.clock.now]
        for each in sorted(due, key=lambda each: each.due):
            self.model.later.remove(each)
            self.append(each.place, each.letter)

    @staticmethod
    async def rounds() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    # -- sending --

    @rule(number=NUMBERS, tag=TAGS, level=st.sampled_from([0, 0, 0, 1, 2, 4, 9]))
    def send(self, number: int, tag: str, level: int) -> None:
        letter = Letter(b"%d" % self.count, tag)
        properties = {"TAGS": tag, "DELAY": str(level)} if level else {"TAGS": tag}
        reply = self.publish(number, letter.body, properties)
        assert (reply.code, reply.fields["queueId"]) == (0, str(number))
        if level:
            due = self.clock.now + LEVELS[min(level, len(LEVELS)) - 1]
            self.model.later.append(Later(due, (TOPIC, number), letter))
            return
        assert reply.fields["queueOffset"] == str(len(self.model.queues[TOPIC, number]))
        self.append((TOPIC, number), letter)

    @rule(number=NUMBERS, tags=st.lists(TAGS, min_size=1, max_size=40))
    def send_batch(self, number: int, tags: list[str]) -> None:
        letters = [Letter(b"%d-%d" % (self.count, at), tag) for at, tag in enumerate(tags)]
        body = b"".join(batch_part(each.body, {"TAGS": each.tag}) for each in letters)
        reply = self.publish(number, body, {}, code=320, batch="true")
        queue = self.model.queues[TOPIC, number]
        assert (reply.code, reply.fields["queueOffset"]) == (0, str(len(queue)))
        assert len(reply.fields["msgId"].split(",")) == len(letters)
        for each in letters:
            self.append((TOPIC, number), each)

    @rule(target=halves, number=NUMBERS)
    def prepare(self, number: int) -> Any:
        letter = Letter(b"half %d" % self.count)
        reply = self.publish(number, letter.body, {"TRAN_MSG": "true", "PGROUP": "p"})
        assert reply.code == 0
        offset = struct.unpack(">q", bytes.fromhex(reply.fields["msgId"][-16:]))[0]
        return number, letter, reply.fields["queueOffset"], offset

    @rule(half=halves, verdict=st.sampled_from([8, 12]))
    def settle(self, half: tuple[int, Letter, str, int], verdict: int) -> None:
        number, letter, table, offset = half
        reply = self.ask(
            37, producerGroup="p", commitOrRollback=verdict, tranStateTableOffset=table,
            commitLogOffset=offset,
        )  # fmt: skip
        if offset in self.settled:
            assert reply.code == 1
            return
        assert reply.code == 0
        self.settled.add(offset)
        if verdict == 8:
            self.append((TOPIC, number), letter)

    # -- consuming --

    def pull(self, place: tuple[str, int], offset: int, tag: str, **more: Any) -> dict[str, Any]:
        return {
            "consumerGroup": GROUP, "topic": place[0], "queueId": place[1], "queueOffset": offset,
            "maxMsgNums": 32, "sysFlag": 4, "commitOffset": 0, "suspendTimeoutMillis": 0,
            "subscription": tag or "*", **more,
        }  # fmt: skip

    def check(self, reply: Reply, place: tuple[str, int], offset: int, tag: str, most: int) -> Any:
        """Compare an answer with the model; return what came."""
        queue = self.model.queues[place]
        end = len(queue)
        if offset > end:
            assert (reply.code, reply.fields["nextBeginOffset"]) == (21, str(end))
            return []
        if offset == end:
            assert (reply.code, reply.fields["nextBeginOffset"]) == (19, str(end))
            return []
        wanted = []
        position = offset
        while position < end and len(wanted) < most:
            if not tag or queue[position].tag == tag:
                wanted.append(position)
            position += 1
        assert reply.code == (0 if wanted else 20)
        assert reply.fields["nextBeginOffset"] == str(position)
        assert reply.fields["maxOffset"] == str(end)
        got = codec.decode_messages(reply.body)
        assert [(each.queue_offset, each.body) for each in got] == [
            (at, queue[at].body) for at in wanted
        ]
        assert [each.reconsume_times for each in got] == [queue[at].reconsumed for at in wanted]
        return [(each.physical_offset, queue[each.queue_offset]) for each in got]

    @rule(
        target=messages,
        place=st.sampled_from([(TOPIC, 0), (TOPIC, 1), (RETRY, 0), (DEAD, 0)]),
        offset=st.integers(0, 60),
        tag=TAGS,
        most=st.sampled_from([1, 2, 32]),
    )
    def read(self, place: tuple[str, int], offset: int, tag: str, most: int) -> Any:
        reply = self.ask(11, **self.pull(place, offset, tag, maxMsgNums=most))
        if place not in self.model.queues:
            assert reply.code == 17
            return multiple()
        return multiple(*self.check(reply, place, offset, tag, most))

    @rule(number=NUMBERS, tag=TAGS, seconds=st.sampled_from([2, 15]))
    def read_later(self, number: int, tag: str, seconds: int) -> None:
        place = (TOPIC, number)
        offset = len(self.model.queues[place])
        fields = self.pull(place, offset, tag, sysFlag=6, suspendTimeoutMillis=seconds * 1000)
        opaque, reply = self.send_command(11, **fields)
        assert reply is None
        self.model.held.append(Held(opaque, number, offset, self.clock.now + seconds, tag))

    @rule(number=NUMBERS, offset=st.integers(0, 50))
    def commit(self, number: int, offset: int) -> None:
        place = {"consumerGroup": GROUP, "topic": TOPIC, "queueId": number}
        assert self.ask(15, **place, commitOffset=offset).code == 0
        self.model.offsets[number] = offset

    @rule(number=NUMBERS, zero=st.sampled_from(["true", "false"]))
    def offset(self, number: int, zero: str) -> None:
        place = {"consumerGroup": GROUP, "topic": TOPIC, "queueId": number}
        reply = self.ask(14, **place, setZeroIfNotFound=zero)
        wanted = self.model.offsets.get(number)
        if wanted is None and (zero == "false" or not self.model.queues[TOPIC, number]):
            assert reply.code == 22
        else:
            assert (reply.code, reply.fields["offset"]) == (0, str(wanted or 0))

    @rule(ago=st.sampled_from([-10, 0, 7, 40]), at=st.integers(0, 20))
    def reset(self, ago: int, at: int) -> None:
        """Go to some time ago, or for 0 to just when a message was stored."""
        moment = int((self.clock.now - ago) * 1000)
        if not ago and at < len(self.model.queues[TOPIC, 0]):
            moment = int(self.model.queues[TOPIC, 0][at].stored * 1000)
        reply = self.ask(222, topic=TOPIC, group=GROUP, timestamp=moment, isForce="true")
        if len(self.model.offsets) < QUEUES:
            assert reply.code == 1
            return
        assert reply.code == 0
        for number in range(QUEUES):
            queue = self.model.queues[TOPIC, number]
            before = sum(int(each.stored * 1000) < moment for each in queue)
            self.model.offsets[number] = before
            found = self.ask(29, topic=TOPIC, queueId=number, timestamp=moment)
            assert found.fields["offset"] == str(before)
            self.offset(number, "false")

    @rule(message=messages, level=st.sampled_from([0, 1, 3]))
    def send_back(self, message: tuple[int, Letter], level: int) -> None:
        offset, letter = message
        fields = {"group": GROUP, "offset": offset, "delayLevel": level, "originTopic": TOPIC}
        assert self.ask(36, **fields).code == 0
        again = Letter(letter.body, letter.tag, letter.reconsumed + 1)
        if letter.reconsumed >= MOST_RECONSUMES:
            self.append((DEAD, 0), again)
            return
        chosen = min(level or 3 + letter.reconsumed, len(LEVELS))
        self.model.later.append(Later(self.clock.now + LEVELS[chosen - 1], (RETRY, 0), again))

    @rule(level=st.sampled_from([0, 1, 2]))
    def retry(self, level: int) -> None:
        """Read the newest of the retry topic, or else of a queue, and send it back."""
        for place in ((RETRY, 0), (TOPIC, 0), (TOPIC, 1)):
            if queue := self.model.queues[place]:
                offset = len(queue) - 1
                reply = self.ask(11, **self.pull(place, offset, ""))
                [message] = self.check(reply, place, offset, "", 32)
                self.send_back(message, level)
                return

    # -- locks --

    @rule(client=CLIENTS, numbers=st.sets(NUMBERS, min_size=1), gives_back=st.booleans())
    def lock(self, client: str, numbers: set[int], gives_back: bool) -> None:
        queues = [{"topic": TOPIC, "brokerName": "broker-a", "queueId": each} for each in numbers]
        body = {"consumerGroup": GROUP, "clientId": client, "mqSet": queues}
        reply = self.ask(42 if gives_back else 41, json.dumps(body).encode())
        now = self.clock.now
        assert reply.code == 0
        granted = set()
        for number in numbers:
            owner, until = self.model.locks.get(number, ("", 0.0))
            if gives_back:
                if owner == client:
                    del self.model.locks[number]
            elif owner == client or until <= now:
                self.model.locks[number] = (client, now + 60)
                granted.add(number)
        if not gives_back:
            given = json.loads(reply.body)["lockOKMQSet"]
            assert {each["queueId"] for each in given} == granted

    @rule(numbers=st.sets(NUMBERS, min_size=1))
    def take_over(self, numbers: set[int]) -> None:
        """Let a lock run out, nearly or just."""
        self.lock("one", numbers, False)
        for seconds in (59, 2):
            self.wait(seconds)
            self.lock("two", numbers, False)

    # -- what always holds --

    @invariant()
    def ends(self) -> None:
        for (topic, number), queue in self.model.queues.items():
            reply = self.ask(30, topic=topic, queueId=number)
            assert reply.fields["offset"] == str(len(queue)), (topic, number)

    @invariant()
    def pulls_wait_as_long_as_they_must(self) -> None:
        for held in list(self.model.held):
            queue = self.model.queues[TOPIC, held.queue]
            came = [each for each in queue[held.offset :] if each.stored < held.until]
            answer = self.client.answers.get(held.opaque)
            if any(not held.tag or each.tag == held.tag for each in came):
                assert answer is not None, "a message came and woke nobody"
                assert answer.code == 0
            elif self.clock.now >= held.until:
                # What came at that very moment may be in the answer.
                assert answer is not None, "its time passed"
                assert answer.code in (0, 19, 20)
            elif not came:
                assert answer is None
            # What does not match is told at the next tick, or when the time passes.
            elif answer is not None:
                assert answer.code == 20
                assert self.clock.now >= came[0].stored + TICK, "it woke somebody"
            if answer is not None:
                self.model.held.remove(held)


Machine.TestCase.settings = QUICK
TestRocketmq = Machine.TestCase
