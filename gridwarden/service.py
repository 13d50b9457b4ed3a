"""The running service: pipeline, inbox, shard lease and the watch over the site, as named tasks.

`run` returns when all of it has stopped: the batch in hand is finished, judged and saved first.
"""

import asyncio
import contextlib
import gc
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import cast

from psycopg_pool import AsyncConnectionPool

from alerts.channels.mqtt import Broker, DeviceChannel, MqttChannel
from alerts.channels.web import WebChannel
from alerts.outbox import DATABASE_AWAY, DOWN
from alerts.web.app import create_app
from alerts.web.config import WebConfig
from alerts.web.serve import InboxServer
from devices.cancelling import give_way
from devices.connection import CONNECT_TIMEOUT_S, PunctualConnection
from devices.formats.memory import Memory
from devices.instant import SECOND, Clock
from gridwarden import lease
from gridwarden.clock import ForwardClock, WallClock, clock_of
from gridwarden.collecting import allowance_of, limits_of, open_source
from gridwarden.errors import InboxPortError, NotMigratedError
from gridwarden.heartbeat import Heartbeat
from gridwarden.judge import Judge
from gridwarden.layout import record_layout
from gridwarden.metrics import Figures, served
from gridwarden.migrate import missing
from gridwarden.pipeline import RETRY_S, Pipeline, Pool
from gridwarden.settings import Settings
from gridwarden.shard import WHOLE, Shard
from gridwarden.subscriptions import follow, record
from gridwarden.survey import Survey
from gridwarden.upkeep import keep_up
from gridwarden.watch import watch_site
from ingest.announced import announced
from ingest.source import Source
from ingest.store import last_heard
from ingest.tally import Tally

log = logging.getLogger(__name__)

CONNECTION_S = 5.0
"""Real seconds to wait for a free connection to the database before it counts as away."""

RECONNECT_S = 2.0
"""Real seconds for which the pool, of its own accord, knocks at a database that is away.

Each failure doubles the pool's pause: after an outage of minutes it would look again minutes later.
So it gives up soon, and whoever asks for a connection next has it look at once.
"""

MADE_BETWEEN_LOOKS = 20_000
"""Objects made, less those gone, until the collector of garbage looks at the youngest: four of a
message, so every few thousand messages instead of every two hundred."""

STOP_GRACE_S = 20.0
"""Real seconds the pipeline is given to finish its batch; what is left comes again later."""


async def run(
    settings: Settings,
    *,
    shard: Shard = WHOLE,
    inbox: bool = True,
    ready: asyncio.Event | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run this shard's worker until `stop` is set; `ready` is set once it collects and judges.

    inbox: whether it serves the inbox. Raises, alone or in a group, NotMigratedError,
    MigrationError, ShardError, InboxPortError, MetricsPortError, LeaseLostError, and
    psycopg.OperationalError where the database goes away while it starts.
    """
    stop = stop or asyncio.Event()
    held = await _unless(stop, lease.take(settings.database_url.get_secret_value(), shard))
    if held is not None:
        try:
            lacking = await asyncio.to_thread(missing, settings.database_url.get_secret_value())
            if lacking:
                raise NotMigratedError(
                    f"the database lacks {', '.join(lacking)}; run `gridwarden migrate`"
                )
            await record_layout(held, shard)
            worker = Worker(settings, shard, inbox=inbox)
            await worker.work(held, ready or asyncio.Event(), stop)
        finally:
            await held.close()
    log.info("The service has stopped.", extra={"action": "service.stopped"})


@dataclass(frozen=True, slots=True)
class Worker:
    """Who runs: by which settings, for which shard, with the inbox or without."""

    settings: Settings
    shard: Shard
    inbox: bool

    async def work(self, held: lease.Connection, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """The worker's life while its lease is held."""
        url = self.settings.database_url.get_secret_value()
        async with open_pool(self.settings) as pool:
            service = await Service.resume(self, pool)
            async with asyncio.TaskGroup() as parts:
                keeping = parts.create_task(lease.keep(url, self.shard, held), name="lease")
                await service.run(parts, ready, stop)
                keeping.cancel()


class Service:
    """The parts of one worker, wired from settings."""

    def __init__(self, worker: Worker, pool: Pool, clock: Clock, judge: Judge) -> None:
        settings = worker.settings
        self._settings = settings
        self._shard = worker.shard
        self._pool = pool
        self._clock = clock
        self._judge = judge
        self._site_changed = asyncio.Event()
        self._adopted = asyncio.Event()
        self._tally = Tally()
        self._inbox = _inbox(settings, pool, clock) if worker.inbox else None

    @classmethod
    async def resume(cls, worker: Worker, pool: Pool) -> "Service":
        """A worker that goes on where the last one stopped."""
        clock: Clock = clock_of(worker.settings)
        number, shards = worker.shard.number, worker.shard.of
        if isinstance(clock, WallClock):
            async with pool.connection() as conn:
                clock = ForwardClock(clock, await last_heard(conn, number))
        every = round(worker.settings.snapshot_every_s * SECOND)
        judge = await Judge.resume(pool, clock, shard=number, shards=shards, snapshot_every=every)
        return cls(worker, pool, clock, judge)

    async def run(
        self, parts: asyncio.TaskGroup, ready: asyncio.Event, stop: asyncio.Event
    ) -> None:
        """Run until `stop`; then finish what is in hand, in the order of the flow."""
        url = self._settings.database_url.get_secret_value()
        watching = parts.create_task(
            watch_site(url, lambda: self._judge.site.version, self._site_changed), name="watch site"
        )
        upkeep = parts.create_task(
            keep_up(url, self._settings.retention(), self._clock), name="upkeep"
        )
        serving = self._inbox and parts.create_task(self._inbox.serve(), name="inbox")
        mqtt = MqttChannel(self._broker("alerts"))
        devices = DeviceChannel(self._broker(DOWN))
        # The last questions whose failure ends the start: the database may go away from here on.
        newest = await self._judge.last_committed()
        async with self._pool.connection() as conn:
            memory = await announced(conn)
        async with await self._open_source() as source:
            stations = self._pipeline(source, mqtt, devices, newest, memory)
            async with self._watched(parts, source):
                pipeline = parts.create_task(stations.run(), name="pipeline")
                following = parts.create_task(self._follow(source), name="follow site")
                if self._inbox and serving:
                    await _listening(self._inbox, serving)
                leave_to_stay()
                ready.set()
                self._say_running()
                await stop.wait()
                following.cancel()
                source.stop()
                await _finish(pipeline)
        await mqtt.close()
        await devices.close()
        watching.cancel()
        upkeep.cancel()
        if self._inbox:
            self._inbox.stop()

    async def _follow(self, source: Source) -> None:
        """Be subscribed to the communities of the site as it is in force, until cancelled."""
        while True:
            give_way()
            self._adopted.clear()
            try:
                await follow(
                    self._pool, source, self._shard, self._judge.site.inventory.communities
                )
            except DATABASE_AWAY:
                await asyncio.sleep(RETRY_S)
                continue
            give_way()  # a cancellation may have got lost in the pool
            await self._adopted.wait()

    @contextlib.asynccontextmanager
    async def _watched(self, parts: asyncio.TaskGroup, source: Source) -> AsyncIterator[None]:
        """Report what the worker counts, to the database and to whoever reads the metrics."""
        survey = Survey(self._pool, self._clock, self._shard.number, lambda: self._judge.seq)
        heart = Heartbeat(self._pool, self._clock, self._shard.number, source, self._tally)
        host, port = self._settings.metrics_host, self._settings.metrics_port
        if port:
            heart.more = survey.look
        with served(host, port, Figures(self._tally, source, survey, self._clock)):
            beating = parts.create_task(heart.beat(), name="heartbeat")
            yield
            beating.cancel()
            await heart.leave()

    def _say_running(self) -> None:
        host = self._settings.web_host
        log.info(
            "The service is running.",
            extra={
                "action": "service.running",
                "shard": str(self._shard),
                "inbox": f"http://{host}:{self._inbox.port}" if self._inbox else "not served",
                "seq": self._judge.seq,
            },
        )

    async def _open_source(self) -> Source:
        settings = self._settings
        async with self._pool.connection() as conn:
            topics = await record(conn, self._shard, self._judge.site.inventory.communities)
        return await open_source(self._pool, settings, self._clock, self._shard, topics)

    def _broker(self, what: str) -> Broker:
        settings = self._settings
        address = settings.broker()
        return Broker(
            address.host,
            address.port,
            address.username,
            address.password,
            settings.mqtt_version,
            f"{self._shard.client_id(settings.mqtt_client_id)}-{what}",
            tls=address.tls,
            ca_file=address.ca_file,
        )

    def _pipeline(
        self,
        source: Source,
        mqtt: MqttChannel,
        devices: DeviceChannel,
        newest: int,
        memory: Memory,
    ) -> Pipeline:
        settings = self._settings
        return Pipeline(
            pool=self._pool,
            source=source,
            judge=self._judge,
            channels={"web": WebChannel(self._pool), "mqtt": mqtt},
            devices=devices,
            clock=self._clock,
            limits=limits_of(settings),
            tick_s=settings.tick_ms / 1_000,
            site_changed=self._site_changed,
            newest=newest,
            memory=memory,
            tally=self._tally,
            adopted=self._adopted,
            allowance=allowance_of(settings),
        )


@contextlib.asynccontextmanager
async def open_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Connections to the database, opened when the database answers, closed at the end."""
    pool = AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        connection_class=PunctualConnection,
        kwargs={"connect_timeout": CONNECT_TIMEOUT_S},
        configure=PunctualConnection.limit,
        min_size=2,
        max_size=10,
        timeout=CONNECTION_S,
        open=False,
        check=PunctualConnection.check,
        reconnect_timeout=RECONNECT_S,
        name="gridwarden",
    )
    async with pool:
        yield cast("Pool", pool)


def leave_to_stay() -> None:
    """Keep what was made at the start out of garbage collection, and let that look less often.

    It would look through all of it again and again, for a tenth of a second, and find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE_BETWEEN_LOOKS, *gc.get_threshold()[1:])


async def _unless(
    stop: asyncio.Event, waiting: Coroutine[object, object, lease.Connection]
) -> lease.Connection | None:
    """What is waited for; None, and no longer waited for, once `stop` is set."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    taking = asyncio.create_task(waiting, name="take lease")
    try:
        await asyncio.wait([stopped, taking], return_when=asyncio.FIRST_COMPLETED)
        return await taking if taking.done() else None
    finally:
        stopped.cancel()
        taking.cancel()


async def _listening(inbox: InboxServer, serving: asyncio.Task[None]) -> None:
    """Return once the inbox listens; InboxPortError if its port cannot be had."""
    ready = asyncio.create_task(inbox.ready.wait())
    await asyncio.wait([ready, serving], return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        host, port = inbox.config.host, inbox.config.port
        raise InboxPortError(
            f"the inbox cannot listen on {host}:{port}; set GRIDWARDEN_WEB_HOST and "
            "GRIDWARDEN_WEB_PORT to an address of this machine and a port that is free"
        )


async def _finish(pipeline: asyncio.Task[None]) -> None:
    """Wait for the pipeline to finish its batch; cancel it when that takes too long."""
    _done, late = await asyncio.wait([pipeline], timeout=STOP_GRACE_S)
    if late:
        log.warning(
            "The last batch was not finished in time; the broker will deliver it again.",
            extra={"action": "service.stop_cut_short", "waited_s": STOP_GRACE_S},
        )
        pipeline.cancel()


def _inbox(settings: Settings, pool: Pool, clock: Clock) -> InboxServer:
    """The inbox's server. Without a key of our own a fresh one is made: it signs everybody out."""
    config = WebConfig(
        secret_key=settings.secret_key.get_secret_value() or secrets.token_urlsafe(32),
        public_url=settings.public_url,
        secure_cookies=settings.public_url.startswith("https:"),
    )
    return InboxServer(create_app(pool, clock, config), settings.web_host, settings.web_port)
