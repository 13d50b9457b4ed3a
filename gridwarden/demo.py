"""The demo: everything on this machine, a community in speeded-up time, and a view of it.

Starting goes down `demo_stage.set_up`; stopping is the same backwards: the simulator first, then
what it sent is stored and judged, then service, broker and database end.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import psycopg

from devices.instant import DAY, SECOND, to_datetime
from devices.simulator.publish import Address, Publisher
from gridwarden.clock import WallClock
from gridwarden.demo_books import raised_since, read_books
from gridwarden.demo_judge import judge
from gridwarden.demo_life import InboxWatch, Simulation
from gridwarden.demo_site import PASSWORD
from gridwarden.demo_stage import Options, Stage, set_up
from gridwarden.demo_summary import Summary, summarise
from gridwarden.demo_text import word
from gridwarden.demo_view import View
from gridwarden.embedded import EmbeddedError
from gridwarden.latency import LatencyMeter
from gridwarden.settings import Settings
from gridwarden.settlement import settled, totals
from gridwarden.stopping import stopping_on_signals
from gridwarden.terminal import Picture

WINDOW = 500
SETTLE_TIMEOUT_S = 15.0
REFRESH_S = 0.4


def run(options: Options, settings: Settings, view: View) -> Summary | None:
    """Run the demo until Ctrl-C, SIGTERM or its minutes are over; None if stopped before it began.

    Everything that it started has ended when it returns or raises. Raises GridwardenError,
    SiteError or PublishError, whose texts say what is wrong.
    """
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(stopping_on_signals(stop))
        try:
            stage = set_up(
                stack, options, settings, lambda key: view.say(word(key, options.language))
            )
            if stop.is_set():
                return None
            with psycopg.connect(stage.database_url, autocommit=True) as conn:
                return _live(stage, conn, view, stop)
        except psycopg.OperationalError as error:
            log = settings.state_dir / "postgres" / "log"
            raise EmbeddedError(
                f"the database (PostgreSQL) is gone: {str(error).strip()}. What was committed is "
                f"kept: start again to go on. Its log is {log}"
            ) from error


def _live(stage: Stage, conn: psycopg.Connection, view: View, stop: threading.Event) -> Summary:
    meter = LatencyMeter(stage.clock)
    with (
        InboxWatch(stage.database_url, meter, stage.before.last_alert),
        Publisher(Address.parse(stage.broker.url), window=WINDOW) as publisher,
        Simulation(stage, publisher, meter) as simulation,
    ):
        with view:
            _watch(stage, view, stop, lambda: _picture(stage, conn, simulation, meter))
        simulation.finish()
        _await_books(stage, conn, publisher.accepted)
        measured = meter.percentiles()
        return summarise(stage, conn, publisher.accepted, measured, simulation.incidents)


def _watch(
    stage: Stage,
    view: View,
    stop: threading.Event,
    picture: Callable[[], Picture],
) -> None:
    minutes = stage.options.minutes
    until = WallClock().now() + round(minutes * 60 * SECOND) if minutes else None
    while until is None or WallClock().now() < until:
        stage.check()
        view.show(picture())
        if stop.wait(REFRESH_S):
            return


def _picture(
    stage: Stage, conn: psycopg.Connection, simulation: Simulation, meter: LatencyMeter
) -> Picture:
    simulation.check()
    now = stage.clock.now()
    books = read_books(conn, stage.options.language)
    received = books.ledger.received - stage.before.ledger.received
    return Picture(
        address=stage.address,
        members=stage.town.members,
        password=PASSWORD,
        now=to_datetime(now).astimezone(stage.town.zone),
        day=(now - simulation.span.midnight(now)) / DAY,
        speed=stage.options.speed,
        accepted=simulation.publisher.accepted,
        in_flight=max(0, simulation.publisher.accepted - received),
        books=books,
        latency=meter.percentiles(),
        incidents=_verdicts(stage, conn, simulation),
        note=stage.broker.limits,
        language=stage.options.language,
    )


def _verdicts(stage: Stage, conn: psycopg.Connection, simulation: Simulation) -> Mapping[str, int]:
    alerts = raised_since(conn, stage.before.last_alert)
    judged = judge(simulation.incidents, alerts, stage.clock.now())
    return Counter(verdict.value for _, verdict in judged)


def _await_books(stage: Stage, conn: psycopg.Connection, accepted: int) -> None:
    """Wait until all that the broker accepted is stored and judged, or for 15 s.

    The ledger must stand still as well: what an earlier run left in the broker comes in between.
    """
    pause = threading.Event()
    deadline = WallClock().now() + round(SETTLE_TIMEOUT_S * SECOND)
    before, received = -1, totals(conn).received
    while WallClock().now() < deadline:
        if settled(conn, stage.before, accepted) and received == before:
            return
        stage.check()
        pause.wait(0.2)
        before, received = received, totals(conn).received
