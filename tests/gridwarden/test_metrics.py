"""/metrics: what is counted, as Prometheus reads it, from a running service and from its parts."""

import asyncio
import socket
import urllib.request
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg_pool import AsyncConnectionPool

from devices.errors import RejectReason
from gridwarden.clock import WallClock
from gridwarden.metrics import TOLD, Figures, MetricsPortError, served
from gridwarden.survey import Standing, Survey
from ingest.batch import BatchPolicy
from ingest.fate import Counts
from ingest.source import Source
from ingest.tally import Tally
from tests.gridwarden.conftest import Whole
from tests.service_process import ServiceProcess
from tests.waiting import until

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def page(port: int) -> str:
    """What Prometheus gets."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def scrape(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and its labels' values."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page(port))
        for sample in family.samples
    }


class Idle(Source):
    """Never opened, and so without a network."""

    @property
    def connections(self) -> int:
        return 3


def idle() -> Source:
    return Idle(
        url="mqtt://127.0.0.1:1", client_id="none", policy=BatchPolicy(1, 1), clock=WallClock()
    )


async def test_every_metric_that_is_named_is_served(pool: Pool) -> None:
    tally = Tally(counts=Counts(6, 3, 1, 2))
    tally.rejected[RejectReason.BAD_PAYLOAD] = 2
    tally.in_part[RejectReason.OUT_OF_RANGE] = 1
    clock = WallClock()
    survey = Survey(pool, clock, 0, lambda: 0)
    survey.standing = Standing(
        clock.now(), {"mqtt": 4}, 2.5, {("mqtt", "retry"): 7}, {("red", "open"): 1}, 5
    )
    port = free_port()
    with served("127.0.0.1", port, Figures(tally, idle(), survey, clock)) as served_on:
        assert served_on == port
        told = await asyncio.to_thread(scrape, port)
    names = {name for name, _labels in told}
    for name, (kind, _labels, _about) in TOLD.items():
        assert (f"{name}_bucket" if kind == "histogram" else name) in names, name
    assert told["gridwarden_messages_stored_total", ()] == 3
    assert told["gridwarden_messages_rejected_total", ("bad_payload",)] == 2
    assert told["gridwarden_broker_reconnects_total", ()] == 2
    assert told["gridwarden_outbox_queued", ("mqtt",)] == 4
    assert told["gridwarden_tellings_total", ("mqtt", "retry")] == 7
    assert told["gridwarden_alerts_standing", ("red", "open")] == 1
    assert told["gridwarden_alerts_standing", ("blue", "open")] == 0
    assert told["process_cpu_seconds_total", ()] > 0
    assert told["process_resident_memory_bytes", ()] > 0
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(scrape, port)


async def test_nothing_is_served_unless_asked_for_and_a_taken_port_is_said(pool: Pool) -> None:
    figures = Figures(Tally(), idle(), Survey(pool, WallClock(), 0, lambda: 0), WallClock())
    with served("127.0.0.1", 0, figures) as port:
        assert port == 0
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        taken = sock.getsockname()[1]
        with (
            pytest.raises(MetricsPortError, match=f"127.0.0.1:{taken}.*GRIDWARDEN_METRICS_PORT"),
            served("127.0.0.1", taken, figures),
        ):
            pass


async def test_a_running_service_tells_what_it_did(whole: Whole) -> None:
    port = free_port()
    await whole.service.close()
    service = ServiceProcess(
        database_url=whole.url,
        mqtt_url=whole.broker.url,
        log_file=whole.service.log_file,
        metrics_port=str(port),
    )
    try:
        await service.start()
        await service.until_connected()
        whole.say("wearable-3", spo2=80)
        whole.say("wearable-3", pulse=7_100)
        whole.say("ghost", pulse=70)

        async def told() -> bool:
            found = await asyncio.to_thread(scrape, port)
            return (
                found["gridwarden_messages_received_total", ()] == 3
                and found["gridwarden_messages_stored_total", ()] == 1
                and found.get(("gridwarden_messages_rejected_total", ("out_of_range",))) == 1
                and found.get(("gridwarden_messages_rejected_total", ("unknown_device",))) == 1
                and found["gridwarden_arrival_to_commit_seconds_count", ()] == 1
                and found["gridwarden_in_flight_messages", ()] == 0
                and found["gridwarden_broker_connected", ()] == 1
                and found.get(("gridwarden_alerts_standing", ("red", "open"))) == 1
                and found.get(("gridwarden_tellings_total", ("web", "delivered"))) == 1
                and found["gridwarden_judge_behind_batches", ()] == 0
            )

        await until(told, what="metrics of three messages and an alert", at_most_s=60)
        text = await asyncio.to_thread(page, port)
        assert whole.community not in text
        assert "wearable-3" not in text
    finally:
        await service.close()
