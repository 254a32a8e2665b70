"""One call of an HTTP service: what is tried again, when, at what cost, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wirespeed.config import Clock, Retry
from wirespeed.engine.effects import Exchange, Sleep
from wirespeed.errors import (
    Busy,
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    ServiceError,
    Throttled,
    TransportError,
    WirespeedError,
)
from wirespeed.http.calls import LONGEST_PAUSE, Budget, Doubt, Patience, call
from wirespeed.http.models import Origin, Request, Response
from wirespeed.telemetry import EVENTS, Event, Telemetry

ORIGIN = Origin("http", "h", 80)
WALL = 1_700_000_000.0


def patience(**options: Any) -> Patience:
    settings: dict[str, Any] = {
        "service": "sqs",
        "timeout": 30.0,
        "retry": Retry(3),
        "clock": Clock(lambda: 100.0, lambda: WALL, lambda: 1.0),
        "telemetry": Telemetry("sqs"),
        **options,
    }
    return Patience(**settings)


def error(kind: type[WirespeedError] = TransportError, **fields: Any) -> WirespeedError:
    return kind("it failed", **{"retryable": True, "outcome": "unknown", **fields})


class Play:
    """Runs a call against a list of outcomes: errors of the transport, or answers."""

    def __init__(
        self,
        *outcomes: WirespeedError | Response,
        settings: Patience | None = None,
        deadline: float = float("inf"),
        **options: Any,
    ) -> None:
        self.slept: list[float] = []
        self.exchanges = 0
        self.doubt = Doubt()
        self.result: Any = None
        left = list(outcomes)
        flow = call(
            settings or patience(),
            ORIGIN,
            lambda: Request("POST", "/"),
            parse,
            deadline,
            self.doubt,
            **options,
        )
        send: Callable[[], Any] = lambda: next(flow)  # noqa: E731
        try:
            while True:
                effect = send()
                if isinstance(effect, Sleep):
                    self.slept.append(effect.seconds)
                    send = lambda: flow.send(False)  # noqa: E731
                    continue
                assert isinstance(effect, Exchange)
                self.exchanges += 1
                outcome = left.pop(0)
                if isinstance(outcome, WirespeedError):
                    send = lambda outcome=outcome: flow.throw(outcome)  # type: ignore[misc]  # noqa: E731
                else:
                    send = lambda outcome=outcome: flow.send(outcome)  # type: ignore[misc]  # noqa: E731
        except StopIteration as stop:
            self.result = stop.value


def parse(response: Response) -> bytes:
    if response.status == 200:
        return response.body
    kind: type[ServiceError] = Throttled if response.status == 429 else Busy
    raise kind("the service said no", retryable=True, outcome="rejected")


def answer(status: int = 200, **headers: str) -> Response:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status, "", pairs, b"ok")


def test_a_failure_is_tried_again_with_jitter_that_doubles() -> None:
    play = Play(error(), error(), answer())
    assert (play.result, play.exchanges) == (b"ok", 3)
    assert play.slept == [0.05, 0.1]
    assert play.doubt.exists


def test_the_last_error_is_raised_with_its_tries() -> None:
    with pytest.raises(TransportError) as caught:
        Play(error(), error(), error())
    assert (caught.value.attempts, caught.value.service) == (3, "sqs")
    assert caught.value.endpoint == "http://h:80"


def test_what_may_have_been_done_is_not_done_again_where_that_is_unsafe() -> None:
    with pytest.raises(TransportError):
        Play(error(), ambiguous=False)
    play = Play(error(ConnectError, outcome="not_sent"), answer(), ambiguous=False)
    assert play.exchanges == 2
    assert not play.doubt.exists


def test_what_cannot_get_better_is_not_tried_again() -> None:
    with pytest.raises(TransportError) as caught:
        Play(error(retryable=False))
    assert caught.value.attempts == 1


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("100000", LONGEST_PAUSE),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.05),
        ("Wed, 15 Nov 2023 22:13:50 GMT", LONGEST_PAUSE),
        ("-1", 0.05),
        ("soon", 0.05),
        ("٣", 0.05),
        ("", 0.05),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, pause: float) -> None:
    assert Play(answer(429, retry_after=text), answer()).slept == [pause]


def test_no_retry_passes_the_deadline() -> None:
    with pytest.raises(Busy):
        Play(answer(503, retry_after="20"), answer(), deadline=119.0)
    assert Play(answer(503, retry_after="20"), answer(), deadline=121.0).exchanges == 2


def test_the_budget_stops_a_storm_and_success_pays_back() -> None:
    settings = patience(budget=Budget(12))
    assert Play(error(), error(), answer(), settings=settings).exchanges == 3
    assert settings.budget.left == 12
    with pytest.raises(TransportError):
        Play(error(), error(), error(), settings=settings)
    assert settings.budget.left == 2
    with pytest.raises(TransportError) as caught:
        Play(error(), settings=settings)
    assert caught.value.attempts == 1
    assert settings.telemetry.snapshot()["retry_budget_exhausted"] == 1
    for _ in range(4):
        Play(answer(), settings=settings)
    assert settings.budget.left == 6
    assert Play(error(), answer(), settings=settings).exchanges == 2
    slow = patience(budget=Budget(9))
    with pytest.raises(DeadlineExceeded):
        Play(error(DeadlineExceeded), settings=slow)


def test_retries_and_throttling_are_told_and_counted() -> None:
    settings = patience()
    events: list[Event] = []
    for name in EVENTS:
        settings.telemetry.on(name, events.append)
    Play(answer(429, retry_after="3"), error(), answer(), settings=settings)
    assert [(event.name, event.attempt, event.delay) for event in events] == [
        ("throttle", 1, 0.0),
        ("retry", 1, 3.0),
        ("retry", 2, 0.1),
    ]
    assert isinstance(events[0].error, Throttled)
    assert events[1].service == "sqs"
    counts = settings.telemetry.snapshot()
    assert (counts["retries"], counts["throttled"]) == (2, 1)


def test_listeners_end_and_their_errors_stay_with_them(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry("cmq")
    seen: list[str] = []

    def broken(_: Event) -> None:
        raise ValueError("broken listener")

    end = telemetry.on("retry", lambda event: seen.append(event.name))
    telemetry.on("retry", broken)
    telemetry.emit("retry")
    end()
    telemetry.emit("retry")
    assert seen == ["retry"]
    assert "broken listener" in caplog.text
    with pytest.raises(ConfigError, match="retry"):
        telemetry.on("retries", seen.append)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="listener"):
        telemetry.on("retry", 7)  # type: ignore[arg-type]
