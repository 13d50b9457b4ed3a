"""What lives beside the demo's view: the simulated community, and the watch on the inbox."""

import json
import threading
from types import TracebackType
from typing import Self

import psycopg

from devices.instant import DAY
from devices.simulator.city import City
from devices.simulator.incidents import Incidence
from devices.simulator.message import Message
from devices.simulator.publish import Publisher, play
from devices.simulator.rhythm import Span
from gridwarden.clock import WallClock
from gridwarden.demo_books import arrivals
from gridwarden.demo_stage import Stage
from gridwarden.latency import LatencyMeter

DAYS_AHEAD = 30
INCIDENTS_FILE = "incidents.jsonl"


class Simulation:
    """The community's messages, published in a thread as the demo's clock reaches them."""

    def __init__(self, stage: Stage, publisher: Publisher, meter: LatencyMeter) -> None:
        start = stage.clock.now()
        self.publisher = publisher
        self.span = Span(start, start + DAYS_AHEAD * DAY, stage.town.zone)
        city = City(
            stage.town.inventory,
            self.span,
            seed=stage.options.seed,
            incidence=Incidence(),
        )
        self.incidents = city.incidents
        self._city = city
        self._stage = stage
        self._meter = meter
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._play, name="simulator", daemon=True)

    def __enter__(self) -> Self:
        """Write the ground truth beside the state, and begin."""
        lines = [json.dumps(i.record(), ensure_ascii=False) for i in self.incidents]
        (self._stage.state_dir / INCIDENTS_FILE).write_text("\n".join(lines) + "\n", "utf-8")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if error is not None:
            self.publisher.give_up()
        self._thread.join()

    def check(self) -> None:
        """Raise what the simulator's thread ended with, if anything."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Send no more, and return when the broker has accepted all that was sent."""
        self._stop.set()
        self._thread.join()
        self.check()
        self.publisher.drain()

    def _play(self) -> None:
        try:
            play(
                self._city.messages(),
                self.publisher,
                clock=self._stage.clock,
                speed=self._stage.options.speed,
                stop=self._stop,
                sent=self._note,
            )
        except Exception as error:  # noqa: BLE001 - told to the demo's own thread by `check`
            self._error = error

    def _note(self, message: Message) -> None:
        device = message.topic.split("/")[3]
        self._meter.published(device, message.due, WallClock().now())


class InboxWatch:
    """Notes the real instant at which each alert lies in an inbox: it hears the same NOTIFY."""

    def __init__(self, database_url: str, meter: LatencyMeter, last_alert: int) -> None:
        self._conn = psycopg.connect(database_url, autocommit=True)
        self._meter = meter
        self._last = last_alert
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="inbox watch", daemon=True)

    def __enter__(self) -> Self:
        self._conn.execute("LISTEN gridwarden_inbox")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._conn.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                heard = list(self._conn.notifies(timeout=0.5, stop_after=1))
            except psycopg.OperationalError:
                return
            if heard:
                self._note(WallClock().now())

    def _note(self, real_now: int) -> None:
        for arrival in arrivals(self._conn, self._last):
            self._meter.arrived(arrival.devices, arrival.fired_at, real_now)
            self._last = arrival.alert
