"""The same rules once more, as plain loops over single readings with dictionaries.

Slow and obvious; what `rules.evaluate` must agree with. Each kind has a module `oracle_…` of its
own. Rules with a lateness hear a stream of their own, in which everything happens so much later.
"""

from collections import defaultdict
from collections.abc import Sequence

from devices.instant import Micros
from devices.reading import Reading
from rules.plan import Plan
from rules.transition import Transition
from tests.rules import (  # noqa: F401 - each knows a kind
    oracle_absence,
    oracle_baseline,
    oracle_correlation,
    oracle_count,
    oracle_in_a_row,
    oracle_joined,
    oracle_measure,
    oracle_occupancy,
    oracle_replaced,
    oracle_score,
    oracle_threshold,
)
from tests.rules.oracle_core import TRACKS, Stream, by_subject
from tests.rules.oracle_quiet import Quiet
from tests.rules.oracle_risk import RiskTrack

__all__ = ["TRACKS", "Oracle", "by_subject"]


class Oracle:
    """Judges batches as `evaluate` does; keeps its own state."""

    def __init__(self, plan: Plan, now: Micros) -> None:
        self.streams = {late: Late(plan, late, now) for late in plan.groups}
        self.quiet = Quiet(plan)
        self.size = len(plan.rules)

    def evaluate(self, readings: Sequence[Reading], now: Micros) -> list[Transition]:
        """Fold these readings, then let timers fire up to `now`; sorted by `at`, stably."""
        said: dict[int, list[Transition]] = {}
        indexes: dict[int, RiskTrack] = {}
        for late in self.streams.values():
            late.evaluate(readings, now)
            for number, track in late.stream.tracks.items():
                said[number] = track.take_said()
                if isinstance(track, RiskTrack):
                    indexes[number] = track
        ordinary = {n: said[n] for n in range(self.size) if n not in indexes}
        told = self.quiet.told(ordinary, now, {})
        for number, track in indexes.items():
            track.judge_all([t for own in told.values() for t in own], now)
            said[number] = track.take_said()
        told |= self.quiet.told({n: said[n] for n in indexes}, now, told)
        self.quiet.end(told)
        return sorted((t for n in range(self.size) for t in told[n]), key=lambda t: t.at)


class Late:
    """The rules of one lateness. waiting: readings that are too new for them."""

    def __init__(self, plan: Plan, late: Micros, now: Micros) -> None:
        self.late = late
        self.stream = Stream(plan, plan.groups[late], now)
        gateways = {gateway for gateway in plan.gateway.tolist() if gateway >= 0}
        own = (track.own.devices.tolist() for track in self.stream.tracks.values())
        self.covered = gateways.union(*own)
        self.waiting: list[Reading] = []

    def evaluate(self, readings: Sequence[Reading], now: Micros) -> None:
        if not self.late:
            self.stream.evaluate(readings, now)
            return
        self.waiting += not_ahead([r for r in readings if r.device in self.covered])
        now -= self.late
        come = sorted((r for r in self.waiting if r.time <= now), key=always_alike)
        self.waiting = [r for r in self.waiting if r.time > now]
        come = [r._replace(arrival=max(r.time, r.arrival - self.late)) for r in come]
        self.stream.evaluate(come, now)


def not_ahead(readings: Sequence[Reading]) -> list[Reading]:
    """The same, those of one device and arrival moved back until none is of the future."""
    ahead: dict[tuple[int, Micros], Micros] = defaultdict(int)
    for r in readings:
        ahead[r.device, r.arrival] = max(ahead[r.device, r.arrival], r.time - r.arrival)
    return [r._replace(time=r.time - ahead[r.device, r.arrival]) for r in readings]


def always_alike(reading: Reading) -> tuple[object, ...]:
    """The order of readings of one time: it does not depend on that in which they came."""
    time, arrival, *what = reading
    return (time, *what, arrival)
