"""A gateway dies with thirty devices behind it: one alert, none for them.

The broker is real and publishes the gateway's last will; the clock is in the test's hand.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from psycopg_pool import AsyncConnectionPool

from alerts.channels.mqtt import Broker, DeviceChannel
from devices.instant import MINUTE, Micros, to_datetime
from gridwarden.judge import Judge
from gridwarden.pipeline import Pipeline
from ingest.address import parse_address
from ingest.batch import BatchPolicy
from ingest.decode import Limits
from ingest.source import Source
from tests import small_site
from tests.clock import ManualClock
from tests.publisher import Publisher
from tests.services.server import Server
from tests.whole import apply_site, until_count

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

BUTTONS = [f"sos-{n}" for n in range(1, 31)]
ALONE = "alone-1"
"""A button that is behind no gateway: its alert proves that the time has passed."""

TEXTS = "category: care, severity: yellow, title: {zh: 失联, en: Silent}"
RULES = f"""\
- {{id: device.gateway_lost, watch: {{metric: heartbeat, kind: gateway}}, when: heartbeat < 1,
   for: 2m, no_data: alert, {TEXTS}}}
- {{id: device.button_silent, watch: {{metric: heartbeat, kind: sos_button}}, absent: 30m, {TEXTS}}}
"""
GATEWAY_LIMIT = 15 * MINUTE


@dataclass(slots=True)
class Town:
    """The pipeline at work on a broker and a database."""

    community: str
    url: str
    broker: Server
    clock: ManualClock
    publisher: Publisher

    def status(self, device: str) -> str:
        """The topic on which it says whether it is there."""
        return f"gw/v1/{self.community}/{device}/status"

    async def online(self, *devices: str) -> None:
        """These say that they are there, now; return when that is stored."""
        for device in devices:
            self.publisher.publish(self.status(device), b"online")
        await self.stored(1, *devices)

    async def stored(self, word: int, *devices: str) -> None:
        """Return when this is stored as the last word of each, as of now."""
        codes = ", ".join(f"'{device}'" for device in devices)
        query = f"""SELECT count(*) FROM latest_readings l JOIN devices d ON d.id = l.device_id
                    WHERE l.value = {word} AND d.code IN ({codes})
                    AND l.time >= '{to_datetime(self.clock.now()).isoformat()}'"""  # noqa: S608
        await until_count(self.url, query, len(devices))

    async def until(self, rule: str, at_least: int = 1, *, state: str = "open") -> None:
        """Return when so many alerts of this rule are in this state."""
        where = f"rule_code = '{rule}' AND state = '{state}'"
        await until_count(self.url, f"SELECT count(*) FROM alerts WHERE {where}", at_least)  # noqa: S608

    async def alerts(self) -> list[tuple[Any, ...]]:
        """(device, state) of all alerts, by code."""
        async with await psycopg.AsyncConnection.connect(self.url) as conn:
            cursor = await conn.execute(
                "SELECT d.code, a.state FROM alerts a JOIN devices d ON d.id = a.subject_id"
                " ORDER BY d.code, a.id"
            )
            return await cursor.fetchall()

    @contextlib.contextmanager
    def gateway(self) -> Iterator[mqtt.Client]:
        """The gateway's own connection, with its last will; ends without a word."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, "gw-1", reconnect_on_failure=False)
        client.will_set(self.status("gw-1"), b"offline", qos=1, retain=True)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        try:
            client.publish(self.status("gw-1"), b"online", qos=1, retain=True).wait_for_publish(30)
            yield client
        finally:
            client.loop_stop()


def site(folder: Path, community: str, *, declared: bool) -> Path:
    """The small site with a gateway and buttons; behind it only where that is declared."""
    small_site.write(folder, community, rules=RULES)
    behind = ", gateway: gw-1" if declared else ""
    with (folder / "devices.yaml").open("a") as devices:
        devices.write("- {code: gw-1, kind: gateway, area: grid-1}\n")
        for code in (*BUTTONS, ALONE):
            more = "" if code == ALONE else behind
            devices.write(
                f"- {{code: {code}, kind: sos_button, household: h-1, interval: 10m{more}}}\n"
            )
    return folder


@contextlib.asynccontextmanager
async def working(town: Town, pool: Pool) -> AsyncIterator[None]:
    """The pipeline runs on the town's clock."""
    judge = await Judge.resume(pool, town.clock, shard=0, snapshot_every=60 * MINUTE)
    address = parse_address(town.broker.url)
    source = Source(
        url=town.broker.url,
        client_id="gridwarden-ingest",
        policy=BatchPolicy(messages=100, age=0.01),
        clock=town.clock,
        receive_window=1_000,
    )
    async with source:
        pipeline = Pipeline(
            pool=pool,
            source=source,
            judge=judge,
            channels={},
            devices=DeviceChannel(Broker(address.host, address.port)),
            clock=town.clock,
            limits=Limits(earliest=0, max_ahead=MINUTE),
            tick_s=0.05,
            site_changed=asyncio.Event(),
            newest=0,
        )
        running = asyncio.create_task(pipeline.run())
        await source.wait_connected()
        yield
        source.stop()
        await running


@pytest.fixture
async def town(
    request: pytest.FixtureRequest,
    own_broker: Server,
    database_url: str,
    pool: Pool,
    tmp_path: Path,
) -> AsyncIterator[Town]:
    """Gateway and buttons have just said that they are there; `param`: whether behind it."""
    clock, community = ManualClock(), "lvyuan"
    await apply_site(
        database_url, site(tmp_path, community, declared=request.param), to_datetime(clock.now())
    )
    publisher = await asyncio.to_thread(Publisher, own_broker.url, "devices")
    town = Town(community, database_url, own_broker, clock, publisher)
    async with working(town, pool):
        await town.online("gw-1", *BUTTONS, ALONE)
        yield town
    await asyncio.to_thread(publisher.close)


def tear(client: mqtt.Client) -> None:
    """The connection is gone, with no goodbye."""
    connection = client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)


def later(town: Town, span: Micros) -> None:
    town.clock.advance(span)


LOST = [(ALONE, "open"), ("gw-1", "open")]
EACH = [(ALONE, "open"), *((code, "open") for code in sorted([*BUTTONS, "gw-1"]))]


@pytest.mark.parametrize(
    ("town", "told"),
    [(True, LOST), (False, EACH)],
    ids=["behind it", "not declared"],
    indirect=["town"],
)
@pytest.mark.parametrize("will", [True, False], ids=["will", "silence"])
async def test_a_gateway_that_dies_is_one_alert_and_its_devices_none(
    town: Town, told: list[tuple[str, str]], *, will: bool
) -> None:
    later(town, MINUTE)
    with town.gateway() as client:
        await town.stored(1, "gw-1")
        if will:
            later(town, MINUTE)
            tear(client)
            await town.stored(0, "gw-1")
        else:
            client.disconnect()
    later(town, 2 * MINUTE + 1 if will else GATEWAY_LIMIT + 1)
    await town.until("device.gateway_lost")
    assert await town.alerts() == [("gw-1", "open")]
    later(town, 40 * MINUTE)
    await town.until("device.button_silent", len(told) - 1)
    assert await town.alerts() == told
    await town.online("gw-1", *BUTTONS, ALONE)
    await town.until("device.gateway_lost", state="cleared")
    await town.until("device.button_silent", len(told) - 1, state="cleared")
    assert await town.alerts() == [(code, "cleared") for code, _ in told]


@pytest.mark.parametrize("town", [True], indirect=True)
async def test_devices_that_stay_away_when_the_gateway_is_back_are_told_of(town: Town) -> None:
    later(town, GATEWAY_LIMIT + 1)
    await town.until("device.gateway_lost")
    later(town, 40 * MINUTE)
    await town.online("gw-1", ALONE)
    await town.until("device.gateway_lost", state="cleared")
    for _ in range(3):
        later(town, 10 * MINUTE - 1)
        await town.online("gw-1", ALONE)
    codes = {code for code, state in await town.alerts() if state == "open"}
    assert codes == set()
    later(town, 3)
    await town.until("device.button_silent", len(BUTTONS))
    open_ = [code for code, state in await town.alerts() if state == "open"]
    assert open_ == sorted(BUTTONS)
