"""Metrics in Prometheus' text format, on a port of their own: /metrics.

No label names a device, a household, a member or a topic: there may be a million of them, and they
are nobody's business who watches machines. Names and labels are listed in docs/metrics.md.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from devices.instant import SECOND, Clock
from gridwarden.errors import GridwardenError
from gridwarden.survey import Standing, Survey
from ingest.source import Source
from ingest.tally import Histogram, Tally

Values = Mapping[tuple[str, ...], float]

TOLD: Mapping[str, tuple[str, tuple[str, ...], str]] = MappingProxyType(
    {
        "gridwarden_messages_received_total": (
            "counter",
            (),
            "Messages received from the broker, redeliveries included.",
        ),
        "gridwarden_messages_stored_total": ("counter", (), "Messages that told something new."),
        "gridwarden_messages_duplicate_total": (
            "counter",
            (),
            "Messages of which everything was stored before.",
        ),
        "gridwarden_messages_rejected_total": (
            "counter",
            ("reason",),
            "Messages refused as a whole, and kept.",
        ),
        "gridwarden_messages_rejected_in_part_total": (
            "counter",
            ("reason",),
            "Messages stored in part, of which the rest was refused.",
        ),
        "gridwarden_batch_messages": ("histogram", (), "Messages in a committed batch."),
        "gridwarden_commit_seconds": (
            "histogram",
            (),
            "Real seconds of a batch's transaction, waiting for a connection included.",
        ),
        "gridwarden_reading_age_seconds": (
            "histogram",
            (),
            "From a new reading's own time to its commit; 0 if that is ahead.",
        ),
        "gridwarden_arrival_to_commit_seconds": (
            "histogram",
            (),
            "From a new reading's arrival to its commit.",
        ),
        "gridwarden_in_flight_messages": (
            "gauge",
            (),
            "Messages received and not yet acknowledged.",
        ),
        "gridwarden_waiting_messages": ("gauge", (), "Of these, those that are in no batch yet."),
        "gridwarden_broker_connected": ("gauge", (), "1 while the broker serves our session."),
        "gridwarden_broker_reconnects_total": (
            "counter",
            (),
            "Connections to the broker tried after the first.",
        ),
        "gridwarden_database_failures_total": (
            "counter",
            (),
            "Tries of a batch that the database failed.",
        ),
        "gridwarden_judge_behind_batches": (
            "gauge",
            (),
            "Committed batches that the rules have not judged.",
        ),
        "gridwarden_outbox_queued": (
            "gauge",
            ("channel",),
            "What waits to be told; channel device: answers to devices that called.",
        ),
        "gridwarden_outbox_oldest_seconds": ("gauge", (), "How long the oldest of these waits."),
        "gridwarden_tellings_total": (
            "counter",
            ("channel", "outcome"),
            "Attempts since the start: delivered, retry, rejected, dropped.",
        ),
        "gridwarden_alerts_standing": (
            "gauge",
            ("severity", "state"),
            "Alerts that are open, or acknowledged and not closed.",
        ),
        "gridwarden_survey_age_seconds": (
            "gauge",
            (),
            "How old the figures from the database are: those of judge, outbox and alerts.",
        ),
    }
)
"""Every metric of ours: its type, its labels, its help."""


class MetricsPortError(GridwardenError):
    """Metrics cannot be served where they should."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures(Collector):
    """Gathers one worker's metrics when asked; runs in the server's thread, and only reads."""

    tally: Tally
    source: Source
    survey: Survey
    clock: Clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry need not gather to know that the names are free."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All metrics as they are now; those of the database as of the last look, if any."""
        values = self._collecting()
        standing = self.survey.standing
        if standing is not None:
            values |= _standing(standing)
            age = max(0, self.clock.now() - standing.at) / SECOND
            values["gridwarden_survey_age_seconds"] = {(): age}
        yield from (_family(name, told) for name, told in values.items())
        tally = self.tally
        for name, histogram in (
            ("gridwarden_batch_messages", tally.batch),
            ("gridwarden_commit_seconds", tally.commit),
            ("gridwarden_reading_age_seconds", tally.age),
            ("gridwarden_arrival_to_commit_seconds", tally.arrival),
        ):
            yield _histogram(name, histogram)

    def _collecting(self) -> dict[str, Values]:
        tally, source = self.tally, self.source
        rejected = tally.rejected.copy()
        in_part = tally.in_part.copy()
        return {
            "gridwarden_messages_received_total": {(): source.received},
            "gridwarden_messages_stored_total": {(): tally.counts.stored},
            "gridwarden_messages_duplicate_total": {(): tally.counts.duplicate},
            "gridwarden_messages_rejected_total": {(r.value,): n for r, n in rejected.items()},
            "gridwarden_messages_rejected_in_part_total": {
                (r.value,): n for r, n in in_part.items()
            },
            "gridwarden_in_flight_messages": {(): source.in_flight},
            "gridwarden_waiting_messages": {(): source.waiting},
            "gridwarden_broker_connected": {(): float(source.connected)},
            "gridwarden_broker_reconnects_total": {(): max(0, source.connections - 1)},
            "gridwarden_database_failures_total": {(): tally.database_failures},
        }


def registry(figures: Figures) -> CollectorRegistry:
    """These figures, and the process' CPU, memory and open files."""
    made = CollectorRegistry()
    made.register(figures)
    ProcessCollector(registry=made)
    return made


@contextlib.contextmanager
def served(host: str, port: int, figures: Figures) -> Iterator[int]:
    """Serve /metrics in a thread until left; gives the port. Port 0 serves nothing.

    MetricsPortError if the port cannot be had.
    """
    if port == 0:
        yield 0
        return
    try:
        server, thread = start_http_server(port, host, registry(figures))
    except OSError as error:
        raise MetricsPortError(
            f"metrics cannot be served on {host}:{port}: {error}; set GRIDWARDEN_METRICS_HOST and "
            "GRIDWARDEN_METRICS_PORT to an address of this machine and a port that is free"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _standing(standing: Standing) -> dict[str, Values]:
    return {
        "gridwarden_judge_behind_batches": {(): standing.behind},
        "gridwarden_outbox_queued": {(channel,): n for channel, n in standing.queued.items()},
        "gridwarden_outbox_oldest_seconds": {(): standing.oldest_s},
        "gridwarden_tellings_total": {(*key,): n for key, n in standing.told.items()},
        "gridwarden_alerts_standing": {
            (severity, state): standing.alerts.get((severity, state), 0)
            for severity in ("red", "orange", "yellow", "blue")
            for state in ("open", "acknowledged")
        },
    }


def _family(name: str, values: Values) -> Metric:
    kind, labels, about = TOLD[name]
    make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    family = make(name, about, labels=labels)
    for own, value in values.items():
        family.add_metric(own, value)
    return family


def _histogram(name: str, histogram: Histogram) -> Metric:
    counts = histogram.cumulative()
    bounds = [f"{bound:g}" for bound in histogram.bounds]
    buckets = list(zip([*bounds, "+Inf"], counts, strict=True))
    return HistogramMetricFamily(name, TOLD[name][2], buckets, histogram.sum)
