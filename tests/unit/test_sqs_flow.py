"""What SQS calls do next, as lists of replies: retries, ambiguity, ids, batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from wirespeed import errors
from wirespeed.config import Clock, Credentials, Retry
from wirespeed.engine.effects import Exchange, Flow, Gather, Sleep
from wirespeed.errors import ConnectError, DeadlineExceeded
from wirespeed.http.models import Origin, Request, Response
from wirespeed.sqs import Message, SendResult, flow

URL = "http://h/1/q"
FIFO = "http://h/1/q.fifo"
HELLO = "5d41402abc4b2a76b9719d911017c592"
STORED = {"MessageId": "m", "MD5OfMessageBody": HELLO}
LOST = DeadlineExceeded("lost", outcome="unknown", retryable=True)
REFUSED = ConnectError("refused", outcome="not_sent", retryable=True)


def settings(ambiguous: bool = True, attempts: int = 3) -> flow.Settings:
    numbers = iter(range(100))
    return flow.Settings(
        credentials=lambda: Credentials("a", "s"),
        region="r",
        origin=Origin("http", "h", 80),
        timeout=30.0,
        retry=Retry(attempts),
        clock=Clock(monotonic=lambda: 0.0, wall=lambda: 1.5e9, random=lambda: 0.5),
        ambiguous=ambiguous,
        new_id=lambda: f"id-{next(numbers)}",
    )


def answer(fields: object, status: int = 200, **headers: str) -> Response:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status, "", named, json.dumps(fields).encode())


def drive(work: Flow[Any], replies: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Run a flow on a list of replies; return its result and its requests and pauses."""
    seen: list[Any] = []
    left = iter(replies)

    def run(one: Flow[Any]) -> Any:
        outcome: Any = None
        failure: BaseException | None = None
        while True:
            try:
                effect = one.throw(failure) if failure is not None else one.send(outcome)
            except StopIteration as stop:
                return stop.value
            outcome, failure = None, None
            if isinstance(effect, Gather):
                outcome = [run(each) for each in effect.flows]
            elif isinstance(effect, Sleep):
                seen.append(effect.seconds)
            else:
                assert isinstance(effect, Exchange)
                request = effect.request
                assert isinstance(request, Request)
                action = dict(request.headers)["X-Amz-Target"].removeprefix("AmazonSQS.")
                assert isinstance(request.body, bytes)
                seen.append((action, json.loads(request.body)))
                reply = next(left)
                if isinstance(reply, BaseException):
                    failure = reply
                else:
                    outcome = reply

    result = run(work)
    assert next(left, None) is None, "a reply is left over"
    return result, seen


def lost() -> Iterator[BaseException]:
    while True:
        yield DeadlineExceeded("lost", outcome="unknown", retryable=True)


def queue(given: str = URL) -> flow.QueueState:
    return flow.QueueState(given)


def test_a_name_is_looked_up_once() -> None:
    state = queue("q")
    send = flow.send(settings(), state, Message("hello"), 9.0)
    result, seen = drive(send, [answer({"QueueUrl": URL}), answer(STORED)])
    assert result == SendResult("m")
    assert seen == [
        ("GetQueueUrl", {"QueueName": "q"}),
        ("SendMessage", {"QueueUrl": URL, "MessageBody": "hello"}),
    ]
    _, seen = drive(flow.send(settings(), state, Message("hello"), 9.0), [answer(STORED)])
    assert [action for action, _ in seen] == ["SendMessage"]


def test_a_lost_send_is_sent_again_and_marked() -> None:
    work = flow.send(settings(), queue(), Message("hello"), 9.0)
    result, seen = drive(work, [DeadlineExceeded("x", outcome="unknown", retryable=True),
                                answer(STORED)])  # fmt: skip
    assert result == SendResult("m", None, 2, possible_duplicate=True)
    assert seen[1] == pytest.approx(0.025)
    result, _ = drive(
        flow.send(settings(), queue(), Message("hello"), 9.0),
        [ConnectError("x", outcome="not_sent", retryable=True), answer(STORED)],
    )
    assert result == SendResult("m", None, 2, possible_duplicate=False)


def test_a_lost_send_is_not_sent_again_where_the_caller_says_so() -> None:
    work = flow.send(settings(ambiguous=False), queue(), Message("hello"), 9.0)
    with pytest.raises(DeadlineExceeded) as caught:
        drive(work, lost())  # type: ignore[arg-type]
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 1)
    same = Message("hello", group_id="g", deduplication_id="d")
    result, _ = drive(
        flow.send(settings(ambiguous=False), queue(FIFO), same, 9.0),
        [next(lost()), answer(STORED)],
    )
    assert result == SendResult("m", None, 2, possible_duplicate=False)


def test_retries_end() -> None:
    work = flow.send(settings(attempts=3), queue(), Message("hello"), 9.0)
    with pytest.raises(errors.Busy) as caught:
        drive(work, [answer({}, 503), answer({}, 503), answer({}, 503)])
    assert (caught.value.attempts, caught.value.outcome) == (3, "unknown")
    work = flow.send(settings(), queue(), Message("hello"), 0.01)
    with pytest.raises(errors.Busy) as caught:
        drive(work, [answer({}, 503)])
    assert caught.value.attempts == 1
    with pytest.raises(errors.NotFound):
        drive(flow.send(settings(), queue(), Message("hello"), 9.0),
              [answer({"__type": "QueueDoesNotExist"}, 400)])  # fmt: skip


def test_retry_after_is_waited_for() -> None:
    replies = [answer({}, 429, retry_after="2"), answer(STORED)]
    _, seen = drive(flow.send(settings(), queue(), Message("hello"), 9.0), replies)
    assert seen[1] == 2.0
    replies = [answer({}, 429, retry_after="later"), answer(STORED)]
    _, seen = drive(flow.send(settings(), queue(), Message("hello"), 9.0), replies)
    assert seen[1] < 1


def test_another_message_stored_is_an_error() -> None:
    with pytest.raises(errors.IntegrityError):
        drive(flow.send(settings(), queue(), Message("hallo"), 9.0), [answer(STORED)])


def test_a_fifo_queue_is_asked_once_whether_it_makes_ids() -> None:
    state, shared = queue(FIFO), settings()
    message = Message("hello", group_id="g")
    content = answer({"Attributes": {"ContentBasedDeduplication": "false"}})
    _, seen = drive(flow.send(shared, state, message, 9.0), [content, answer(STORED)])
    assert seen[0][1]["AttributeNames"] == ["ContentBasedDeduplication"]
    assert seen[1][1]["MessageDeduplicationId"] == "id-0"
    _, seen = drive(flow.send(shared, state, message, 9.0), [answer(STORED)])
    assert seen[0][1]["MessageDeduplicationId"] == "id-1"
    state = queue(FIFO)
    content = answer({"Attributes": {"ContentBasedDeduplication": "true"}})
    _, seen = drive(flow.send(shared, state, message, 9.0), [content, answer(STORED)])
    assert "MessageDeduplicationId" not in seen[1][1]
    state = queue(FIFO)
    denied = answer({"__type": "AccessDenied"}, 403)
    _, seen = drive(flow.send(shared, state, message, 9.0), [denied, answer(STORED)])
    assert "MessageDeduplicationId" in seen[1][1]


def test_messages_that_have_ids_ask_nothing() -> None:
    own = Message("hello", group_id="g", deduplication_id="own")
    _, seen = drive(flow.send(settings(), queue(FIFO), own, 9.0), [answer(STORED)])
    assert [action for action, _ in seen] == ["SendMessage"]
    _, seen = drive(flow.send_many(settings(), queue(FIFO), [own], 9.0), [batch_reply(["0"])])
    assert [fields["Entries"][0]["MessageDeduplicationId"] for _, fields in seen] == ["own"]


def batch_reply(done: Sequence[str], failed: Sequence[str] = ()) -> Response:
    return answer(
        {
            "Successful": [{"Id": name, **STORED} for name in done],
            "Failed": [
                {"Id": name, "Code": "InternalError", "Message": "m", "SenderFault": False}
                for name in failed
            ],
        }
    )


def test_a_batch_says_of_each_message_how_it_went() -> None:
    messages = [Message("hello")] * 12
    first = batch_reply([str(n) for n in range(9)], ["9"])
    results, seen = drive(
        flow.send_many(settings(), queue(), messages, 9.0), [first, batch_reply(["10"])]
    )
    assert [len(fields["Entries"]) for _, fields in seen] == [10, 2]
    assert results[:9] == [SendResult("m")] * 9 and results[10] == SendResult("m")
    assert isinstance(results[9], errors.Busy) and results[9].retryable
    assert isinstance(results[11], errors.ProtocolError) and results[11].outcome == "unknown"


def test_a_batch_that_failed_does_not_fail_the_others() -> None:
    messages = [Message("hello")] * 11
    results, _ = drive(
        flow.send_many(settings(attempts=1), queue(), messages, 9.0),
        [answer({}, 503), batch_reply(["10"])],
    )
    assert all(isinstance(result, errors.Busy) for result in results[:10])
    assert results[10] == SendResult("m")


def test_a_fifo_queue_gets_nothing_after_a_batch_that_failed() -> None:
    state = queue(FIFO)
    state.makes_ids = True
    messages = [Message("hello", group_id="g")] * 11
    results, seen = drive(
        flow.send_many(settings(), state, messages, 9.0),
        [batch_reply([str(n) for n in range(9)], ["9"])],
    )
    assert len(seen) == 1
    assert isinstance(results[10], errors.SendError) and results[10].outcome == "not_sent"


def test_no_message_needs_no_request() -> None:
    assert drive(flow.send_many(settings(), queue(), [], 9.0), []) == ([], [])


def test_a_long_poll_may_take_as_long_as_it_waits() -> None:
    work = flow.receive(settings(), queue(), 10, 20, None, float("inf"))
    effect = next(work)
    assert isinstance(effect, Exchange) and effect.deadline == 50.0


def test_receipts_go_in_batches() -> None:
    entries = [{"ReceiptHandle": str(n)} for n in range(11)]
    results, seen = drive(
        flow.settle_many(settings(attempts=1), queue(), "DeleteMessageBatch", entries, 9.0),
        [batch_reply([str(n) for n in range(9)], ["9"]), answer({}, 503)],
    )
    assert [len(fields["Entries"]) for _, fields in seen] == [10, 1]
    assert results[:9] == [None] * 9
    assert isinstance(results[9], errors.Busy) and isinstance(results[10], errors.Busy)


@pytest.mark.parametrize("fields", [{}, {"QueueUrl": ""}, {"QueueUrl": 5}])
def test_a_reply_that_lacks_what_it_must_have(fields: object) -> None:
    with pytest.raises(errors.ProtocolError):
        drive(flow.url_of(settings(), queue("q"), 9.0), [answer(fields)])


def test_a_listing_that_does_not_advance() -> None:
    work = flow.list_page(settings(), "ListQueues", {}, "t", 9.0)
    with pytest.raises(errors.ProtocolError, match="advance"):
        drive(work, [answer({"QueueUrls": [], "NextToken": "t"})])
