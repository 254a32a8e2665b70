"""The life of a local cloud: start, stop, reset, its limits and its errors."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

from tests.rocketmq_probe import Probe
from wirespeed.errors import ClosedError, ConfigError
from wirespeed.local import LocalCloud
from wirespeed.local.rocketmq import Store
from wirespeed.local.rocketmq.server import Refusal
from wirespeed.local.rocketmq.store import Draft


def broker_of(cloud: LocalCloud) -> str:
    with Probe(cloud.namesrv) as probe:
        address: str = json.loads(probe.route("TBW102").body)["brokerDatas"][0]["brokerAddrs"]["0"]
    return address


def test_all_services_run_and_stop() -> None:
    cloud = LocalCloud()
    with pytest.raises(ClosedError):
        _ = cloud.namesrv
    with cloud:
        assert cloud.start() is cloud
        namesrv, url = cloud.namesrv, cloud.wcs_url
        assert cloud.env() == {
            "NAMESRV_ADDR": namesrv,
            "WIRESPEED_CMQ_URL": cloud.cmq_url,
            "WIRESPEED_CMQ_SECRET_ID": "local",
            "WIRESPEED_CMQ_SECRET_KEY": "local-secret",
            "WIRESPEED_COS4_URL": cloud.cos_url,
            "WIRESPEED_COS4_APPID": "10001",
            "WIRESPEED_COS4_SECRET_ID": "local",
            "WIRESPEED_COS4_SECRET_KEY": "local-secret",
            "AWS_ENDPOINT_URL_SQS": cloud.sqs_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local-secret",
            "AWS_REGION": "us-east-1",
            "WIRESPEED_WCS_URL": url,
            "WIRESPEED_WCS_DOWNLOAD_URL": f"{url}/download/{{bucket}}",
            "WIRESPEED_WCS_ACCESS_KEY": "local",
            "WIRESPEED_WCS_SECRET_KEY": "local-secret",
        }
        with Probe(namesrv) as probe:
            assert probe.route("TBW102").code == 0
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/stat/x", timeout=5)
        refused.value.close()
        assert namesrv in repr(cloud)
    cloud.close()
    assert repr(cloud) == "<LocalCloud stopped>"
    assert cloud.env() == {}
    with pytest.raises(ClosedError):
        _ = cloud.wcs_url
    with pytest.raises(ConnectionRefusedError):
        Probe(namesrv)
    assert "wirespeed-local" not in {thread.name for thread in threading.enumerate()}


def test_it_may_start_again() -> None:
    cloud = LocalCloud(["rocketmq"])
    for _ in range(2):
        with cloud, Probe(cloud.namesrv) as probe:
            assert probe.route("TBW102").code == 0


def test_async_with() -> None:
    async def use() -> str:
        async with LocalCloud(["rocketmq"]) as cloud:
            return cloud.namesrv

    assert asyncio.run(use()).startswith("127.0.0.1:")


def test_one_service_alone() -> None:
    with LocalCloud(["rocketmq"]) as cloud, pytest.raises(ClosedError, match="runs no wcs"):
        _ = cloud.wcs_url


def test_reset_forgets() -> None:
    with LocalCloud(["rocketmq"]) as cloud, Probe(broker_of(cloud), "client") as probe:
        probe.publish("orders")
        probe.heartbeat("group", {"orders": "*"})
        place = {"consumerGroup": "group", "topic": "orders", "queueId": 0}
        probe.ask(15, {**place, "commitOffset": 5})
        held = probe.send(11, probe.pull_fields("group", "orders", 1, suspend=10_000))
        cloud.reset()
        assert probe.answer(held).code == 21
        assert probe.ask(14, place).code == 22
        with Probe(cloud.namesrv) as names:
            assert names.route("orders").code == 17
            assert names.route("%RETRY%group").code == 0
        assert probe.publish("orders").fields["queueOffset"] == "0"
    with pytest.raises(ClosedError):
        cloud.reset()


def test_fixed_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
        with pytest.raises(OSError, match="ddress already in use"):
            LocalCloud(["rocketmq"], ports={"namesrv": port}).start()
    with LocalCloud(["rocketmq"], ports={"namesrv": port}) as cloud:
        assert cloud.namesrv == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"services": ["kafka"]}, "kafka"),
        ({"ports": {"kafka": 1}}, "kafka"),
        ({"ports": {"wcs": 65536}}, "65535"),
        ({"ports": {"wcs": "80"}}, "65535"),
    ],
)
def test_arguments(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        LocalCloud(**arguments)


def test_a_cloud_left_running_is_told() -> None:
    cloud = LocalCloud(["rocketmq"]).start()
    thread, loop = cloud._thread, cloud._loop
    assert thread is not None and loop is not None
    shut = asyncio.run_coroutine_threadsafe(cloud._shut(), loop)
    shut.result(5)
    del shut
    with pytest.warns(ResourceWarning, match="unclosed <LocalCloud"):
        del cloud
        gc.collect()
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_the_missing_extra_is_named() -> None:
    code = (
        "import sys\n"
        "sys.modules['uvicorn'] = None\n"
        "from wirespeed.local import LocalCloud\n"
        "try:\n"
        "    LocalCloud(['wcs']).start()\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=20
    )
    assert run.stdout == (
        "the local WCS needs starlette and uvicorn: pip install 'wirespeed[local]'\n"
    )
    assert run.stderr == ""


def test_a_store_refuses_past_its_limit() -> None:
    store = Store(memory_limit=1000)
    store.create("orders", 1)
    draft = Draft("orders", 0, b"x" * 600, {}, 0, 0, 0, ("127.0.0.1", 1))
    first = store.append(draft)
    assert store.used == len(first.record)
    assert store.at(0) is first
    with pytest.raises(Refusal, match="1000 bytes") as refused:
        store.append(draft)
    assert refused.value.code == 14


def test_ipv6_hosts_are_stored() -> None:
    from wirespeed._native import decode_messages

    store = Store(store_host=("::1", 10911))
    store.create("orders", 1)
    stored = store.append(Draft("orders", 0, b"x", {"TAGS": "a"}, 0, 0, 0, ("fe80::1", 9)))
    [message] = decode_messages(stored.record)
    assert message.born_host == "[fe80::1]:9"
    assert message.store_host == "[::1]:10911"
    assert message.offset_message_id == stored.offset_message_id
