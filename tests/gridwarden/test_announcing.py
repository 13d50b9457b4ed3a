"""Devices that announce themselves: understood by it, also after a restart of the service."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from devices.formats.sparkplug_message import read
from gridwarden.cli import app
from ingest.address import parse_address
from tests.formats.test_sparkplug import bdseq, degrees, payload
from tests.gridwarden.conftest import Whole
from tests.waiting import until

CONFIG = "homeassistant/binary_sensor/hall/door/config"
DOOR = {
    "name": "Door",
    "dev_cla": "door",
    "stat_t": "hall/door",
    "avty_t": "hall/lwt",
    "uniq_id": "d-1",
    "dev": {"ids": ["0xdoor"], "name": "Hall door", "mf": "Maker", "mdl": "M1"},
}
NODE = """\
- {code: boiler, kind: motion_sensor, area: grid-1, address: G/E}
- {code: cellar, kind: leak_sensor, area: grid-1, address: G/E/D}
"""
VALUES = """SELECT d.code, m.name, r.value FROM readings r
            JOIN devices d ON d.id = r.device_id JOIN metrics m ON m.id = r.metric_id
            ORDER BY r.arrival, m.id"""


def say(whole: Whole, name: str, topic: str, content: bytes) -> None:
    whole.publisher.publish(f"gw/v1/{whole.community}/ext/{name}/{topic}", content)


async def run(whole: Whole, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", whole.url)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["devices", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_a_door_sensor_announces_itself_is_adopted_and_reports(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    say(whole, "homeassistant", CONFIG, orjson.dumps(DOOR))
    await whole.until("rejected_messages WHERE unknown = '{0xdoor}'")
    (line,) = (await run(whole, monkeypatch, "pending", "--json")).splitlines()
    waiting = orjson.loads(line)
    assert (waiting["address"], waiting["announced"]) == (
        "0xdoor",
        {
            "name": "Hall door",
            "maker": "Maker",
            "model": "M1",
            "entities": ["Door"],
            "metrics": ["door_open"],
            "kind": "door",
        },
    )
    shown = await run(whole, monkeypatch, "pending", "--community", whole.community)
    assert "door_open" in shown.replace("\n", "")
    folder = str(whole.folder)
    await run(whole, monkeypatch, "add", folder, "--address", "0xdoor", "--area", "grid-1", "-y")
    assert whole.rows("SELECT code, kind FROM devices WHERE code = '0xdoor'") == [
        ("0xdoor", "door")
    ]
    await whole.service.until_logged("site.adopted")
    say(whole, "homeassistant", "hall/door", b"ON")
    await whole.until("readings")
    await whole.service.stop()
    await whole.start()
    say(whole, "homeassistant", "hall/door", b"OFF")
    say(whole, "homeassistant", "hall/lwt", b"offline")
    await whole.until("readings", 2)
    await whole.until("events e JOIN metrics m ON m.id = e.metric_id WHERE m.name = 'heartbeat'")
    assert whole.rows(VALUES) == [("0xdoor", "door_open", 1.0), ("0xdoor", "door_open", 0.0)]


async def test_what_did_not_announce_its_kind_is_not_guessed(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", whole.url)
    await whole.start()
    config = {"stat_t": "t", "dev_cla": "temperature", "unit_of_meas": "°C", "dev": {"ids": "0xt"}}
    say(whole, "homeassistant", "homeassistant/sensor/t/config", orjson.dumps(config))
    await whole.until("announcements")
    for address, why in (
        ("0xt", "'0xt' announced temperature"),
        ("0xnobody", "'0xnobody' announced itself in no community"),
    ):
        words = ["devices", "add", str(whole.folder), "--address", address, "--area", "grid-1"]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == 1
        assert f"say what it is with --kind: {why}" in result.stderr


class Commands:
    """What a gateway hears on its community's commands: topic, payload and QoS of each."""

    def __init__(self, url: str, community: str) -> None:
        address = parse_address(url)
        self.heard: list[MQTTMessage] = []
        self._granted = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.heard.append(message)
        self._client.on_subscribe = lambda *_: self._granted.set()
        self._client.connect(address.host, address.port)
        self._client.subscribe(f"gw/v1/{community}/cmd/#", 1)
        self._client.loop_start()
        assert self._granted.wait(30)

    async def some(self) -> bool:
        return bool(self.heard)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
async def commands(whole: Whole) -> AsyncIterator[Commands]:
    commands = await asyncio.to_thread(Commands, whole.broker.url, whole.community)
    yield commands
    await asyncio.to_thread(commands.close)


def node(whole: Whole, kind: str, *metrics: dict[str, Any], seq: int, device: str = "") -> None:
    topic = f"spBv1.0/G/{kind}/E" + (f"/{device}" if device else "")
    say(whole, "sparkplug", topic, payload(*metrics, seq=seq, time=None))


async def test_an_edge_node_is_asked_once_for_its_birth_and_its_aliases_outlive_a_restart(
    whole: Whole, commands: Commands
) -> None:
    await whole.apply(devices=NODE)
    await whole.start()
    alias = {"alias": 7, "float": 20.5}
    node(whole, "NDATA", alias, seq=8)
    await until(commands.some, what="a request for the births of G/E")
    node(whole, "NDATA", alias, seq=9)
    node(whole, "DDATA", alias, seq=10, device="D")
    await whole.until("rejected_messages", 3)
    node(whole, "NBIRTH", bdseq(1), degrees(20.0, alias=7), seq=0)
    node(whole, "DBIRTH", degrees(5.0, alias=9), seq=1, device="D")
    node(whole, "NDATA", {"alias": 7, "float": 20.5}, seq=2)
    await whole.until("readings", 3)
    await whole.service.kill()
    await whole.start()
    node(whole, "DDATA", {"alias": 9, "float": 6.5}, seq=3, device="D")
    await whole.until("readings", 4)
    assert whole.rows(VALUES) == [
        ("boiler", "temperature", 20.0),
        ("cellar", "temperature", 5.0),
        ("boiler", "temperature", 20.5),
        ("cellar", "temperature", 6.5),
    ]
    assert len(whole.rows("SELECT FROM rejected_messages")) == 3
    (request,) = commands.heard
    assert request.topic == f"gw/v1/{whole.community}/cmd/sparkplug/spBv1.0/G/NCMD/E"
    (metric,) = read(bytes(request.payload)).metrics
    assert (metric.name, metric.value) == ("Node Control/Rebirth", True)
    assert (request.qos, request.retain) == (0, False)
    node(whole, "NDEATH", bdseq(1), seq=0)
    await whole.until("events WHERE value = 0", 2)
