"""The console, driven in headless Chromium as a person would: by its words and by the keyboard."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from wirespeed import cmq, cos, rocketmq, sqs, wcs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import Busy
from wirespeed.local import LocalCloud

PAIR = ("local", "local-secret")
KEYS = Credentials(*PAIR)
SCREENSHOTS = os.environ.get("WIRESPEED_SCREENSHOTS", "")

ATTACKS = (
    "<script>window.struck=1</script>",
    "<img src=x onerror=window.struck=1>",
    '"><svg onload=window.struck=1>',
    "'><body onpageshow=window.struck=1>",
    "<iframe srcdoc='<script>parent.struck=1</script>'>",
    "<details open ontoggle=window.struck=1>",
    "javascript:window.struck=1",
    "{{constructor.constructor('window.struck=1')()}}",
    "${window.struck=1}",
    "</td></tr></table><script>window.struck=1</script>",
    "</title><script>window.struck=1</script>",
    "</textarea><script>window.struck=1</script>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.struck=1>",
    "<a href='javascript:window.struck=1'>x</a>",
    "<input autofocus onfocus=window.struck=1>",
    "<object data='data:text/html,<script>parent.struck=1</script>'>",
    "<base href='http://127.0.0.1:1/'>",
    "<link rel=stylesheet href='http://127.0.0.1:1/x.css'>",
    "\u2028window.struck=1//",
    "&lt;script&gt;window.struck=1&lt;/script&gt;",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: make live installs it"
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(console=True) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


@pytest.fixture
def page(browser: Browser, cloud: LocalCloud) -> Iterator[Page]:
    """A page that has complained of nothing in the end."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    complaints: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("dialog", lambda dialog: dialog.accept())
    opened.set_default_timeout(10_000)
    opened.goto(cloud.console_url)
    yield opened
    picture(opened, "last")
    opened.close()
    assert complaints == []
    assert all(url.startswith((cloud.console_url, "data:")) for url in asked), asked


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def row(page: Page, service: str, name: str) -> str:
    """Return the words of a row."""
    cell = page.locator(f"#card-{service} tr").filter(has=page.get_by_text(name, exact=True))
    return " ".join(cell.inner_text().split())


def test_depths_are_live_and_messages_are_shown_sent_and_purged(
    page: Page, cloud: LocalCloud
) -> None:
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client:
        queue = client.create_queue("orders")
        queue.send("first order")
        opens = page.get_by_role("button", name="Open orders")
        expect(opens).to_be_visible()
        assert row(page, "sqs", "orders").startswith("orders 1 0 0")
        queue.send("second order")
        expect(page.locator("#card-sqs tbody td").nth(1)).to_have_text("2")
        opens.click()
        details = page.get_by_role("dialog")
        expect(details).to_contain_text("first order")
        details.get_by_label("Body").fill("from the page")
        details.get_by_role("button", name="Send").click()
        expect(details.locator(".message")).to_have_count(3)
        expect(details).to_contain_text("from the page")
        picture(page, "messages")
        page.keyboard.press("Escape")
        expect(details).to_be_hidden()
        assert {each.body for each in queue.receive(10)} == {
            "first order",
            "second order",
            "from the page",
        }
        expect(page.locator("#card-sqs tbody td").nth(2)).to_have_text("3")
        page.get_by_role("button", name="Purge orders").click()
        expect(page.locator("#status")).to_have_text("3 deleted")
        assert queue.count() == 0


def test_dead_letters_are_sent_again(page: Page, cloud: LocalCloud) -> None:
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client:
        client.create_queue("dead")
        arn = "arn:aws:sqs:us-east-1:000000000000:dead"
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
        queue = client.create_queue("q", {"RedrivePolicy": policy, "VisibilityTimeout": 0})
        queue.send("x")
        queue.receive()
        assert not queue.receive(wait=0)
        page.get_by_role("button", name="Redrive dead").click()
        expect(page.locator("#status")).to_have_text("1 sent again")
        assert queue.receive()[0].body == "x"


def test_topics_and_groups_of_rocketmq(page: Page, cloud: LocalCloud) -> None:
    with rocketmq.Producer("g", cloud.namesrv) as producer:
        producer.send("events", b"one", tag="T")
        reader = rocketmq.LitePullConsumer(
            "readers", namesrv=cloud.namesrv, start_from=rocketmq.StartFrom.FIRST
        )
        reader.subscribe("events")
        with reader:
            assert reader.poll(timeout=10)
            reader.commit()
            expect(page.locator("#card-rocketmq")).to_contain_text("readers")
            assert row(page, "rocketmq", "readers").startswith("readers 1 ")
        for number in range(3):
            producer.send("events", str(number).encode())
        page.get_by_role("button", name="Open events").click()
        details = page.get_by_role("dialog")
        expect(details.locator(".message")).to_have_count(4)
        expect(details).to_contain_text("TAGS=T")
        details.get_by_label("Body").fill("five")
        details.get_by_label("Tag").fill("X")
        details.get_by_role("button", name="Send").click()
        expect(details.locator(".message")).to_have_count(5)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Skip the backlog of readers").click()
        expect(page.locator("#status")).to_contain_text("skipped")
        assert " 0 " in row(page, "rocketmq", "readers")


def test_objects_and_uploads(page: Page, cloud: LocalCloud) -> None:
    url = cloud.wcs_url
    with (
        wcs.Client(*PAIR, upload_url=url, manage_url=url) as films,
        cos.Client(
            "10001", *PAIR, endpoint=cloud.cos_url, download_endpoint=cloud.cos_url
        ) as store,
    ):
        films.bucket("films").put("a/one.txt", b"x" * 2048)
        films.bucket("films").put("b/two.txt", b"")
        store.bucket("b").put("k", b"y")
    page.get_by_role("button", name="Open films").click()
    details = page.get_by_role("dialog")
    expect(details).to_contain_text("2.0 KiB")
    details.get_by_label("Prefix").fill("b/")
    expect(details).not_to_contain_text("a/one.txt")
    details.get_by_role("button", name="Delete b/two.txt").click()
    expect(details).not_to_contain_text("b/two.txt")
    details.get_by_role("button", name="Close").click()
    expect(page.locator("#card-wcs tbody td").nth(1)).to_have_text("1")
    expect(page.locator("#card-cos")).to_contain_text("b-10001")


def test_faults_time_and_snapshots(page: Page, cloud: LocalCloud) -> None:
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS, retry=Retry(1)) as client:
        queue = client.create_queue("q")
        queue.send("late", delay=900)
        page.get_by_label("Kind").select_option("status")
        page.locator("#fault-form").get_by_label("Service").select_option("sqs")
        page.get_by_label("Operation").fill("SendMessage")
        page.get_by_label("Code", exact=True).fill("502")
        page.get_by_role("button", name="Add the fault").click()
        expect(page.locator("#faults")).to_contain_text("status, sqs, SendMessage: struck 0")
        with pytest.raises(Busy):
            queue.send("x")
        expect(page.locator("#faults")).to_contain_text("struck 1")
        expect(page.locator("#log")).to_contain_text("502")
        page.get_by_role("button", name="End fault").click()
        expect(page.locator("#faults li")).to_have_count(0)
        page.get_by_role("button", name="Take a snapshot").click()
        expect(page.locator("#snapshots")).to_contain_text("default")
        page.locator("#travel-form").get_by_label("Seconds").fill("900")
        page.get_by_role("button", name="Move the clock ahead").click()
        expect(page.locator("#clock")).to_contain_text("900 s ahead")
        queue.ack(queue.receive()[0])
        assert queue.count() == 0
        page.get_by_role("button", name="Restore default").click()
        expect(page.locator("#status")).to_have_text("restored default")
        assert queue.receive()[0].body == "late"
        page.get_by_label("Filter").fill("no such thing")
        expect(page.locator("#log tr")).to_have_count(0)
        picture(page, "faults")
        page.get_by_role("button", name="Forget everything").click()
        expect(page.locator("#card-sqs")).to_contain_text("none")
        page.get_by_role("button", name="Delete default").click()
        expect(page.locator("#snapshots li")).to_have_count(0)


def test_the_keyboard_is_enough(page: Page, cloud: LocalCloud) -> None:
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client:
        client.create_queue("q").send("x")
        opens = page.get_by_role("button", name="Open q", exact=True)
        expect(opens).to_be_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the services"
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Open q":
                break
        expect(opens).to_be_focused()
        page.wait_for_timeout(2500)
        expect(opens).to_be_focused()
        page.keyboard.press("Enter")
        details = page.get_by_role("dialog")
        expect(details).to_contain_text("received 0 times")
        page.keyboard.press("Tab")
        page.keyboard.type("typed")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(details).to_contain_text("typed")
        page.keyboard.press("Escape")
        expect(details).to_be_hidden()


def test_nothing_that_is_held_becomes_markup(page: Page, cloud: LocalCloud) -> None:
    url = cloud.wcs_url
    with (
        sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client,
        cmq.Client(cloud.cmq_url, KEYS) as old,
        rocketmq.Producer("g", cloud.namesrv) as producer,
        wcs.Client(*PAIR, upload_url=url, manage_url=url) as films,
    ):
        queue, jobs = client.create_queue("q"), old.create_queue("j")
        old.create_topic("news").subscribe("s", "http://127.0.0.1:1/<img src=x>", protocol="http")
        for attack in ATTACKS:
            queue.send(attack, attributes={"a": attack})
            jobs.send(attack)
            producer.send("events", attack.encode(), keys=[attack.replace(" ", "")])
            films.bucket("b").put(attack, b"", mime_type="text/plain")
        cloud.snapshot(ATTACKS[0])
        cloud.faults.add("delay", "sqs", ATTACKS[1], seconds=0)
    for opens in ("q", "j", "events", "b"):
        page.get_by_role("button", name=f"Open {opens}", exact=True).click()
        items = page.locator("#items")
        for attack in ATTACKS:
            shown = " ".join(attack.split())
            expect(items.get_by_text(shown, exact=opens != "events").first).to_be_visible()
        assert items.locator("script, img, iframe, a, object, input, base, link").count() == 0
        page.keyboard.press("Escape")
    expect(page.locator("#snapshots")).to_contain_text(ATTACKS[0])
    expect(page.locator("#faults")).to_contain_text(ATTACKS[1])
    assert page.evaluate("window.struck") is None
