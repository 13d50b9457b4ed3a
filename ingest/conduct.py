"""How a device behaves that sends oddly, and whether its clock is wrong. Pure.

Late: older than the device's newest by more than its interval, and more than a minute on its way.
Contradicting: the device, metric and time of a reading that is there, with another value. Ahead:
dated more than a minute after its arrival. Impossible: refused for its time. Too many: refused
because the device sends too much.

A clock is told by each message's lag: its arrival less its newest time. It is wrong where
consecutive messages lag by about the same, beyond what a network does; what a gateway replays lags
less and less, what waited at the broker comes within moments. A duplicate tells nothing of a clock,
nor does a reading dated by its arrival, nor one that may have waited at the broker since its time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from devices.instant import DAY, HOUR, MINUTE, NEVER, Micros
from devices.reading import I32, I64, Batch, Bool, concatenate
from ingest.decoded import Decoded

NOTABLE: Micros = MINUTE
"""A time this far from its arrival is looked at; our choice, well beyond a network's delay."""

WRONG: Micros = 5 * MINUTE
"""A clock this far off is wrong, and lags this much apart are not the same; our choice."""

FEWEST = 5
"""Messages that it takes to call a clock wrong; our choice."""

LASTING: Micros = 10 * MINUTE
"""How long they must have come for; our choice."""

SPELL: Micros = DAY
"""Impossible times further apart than this have nothing to do with each other; our choice."""

STALE: Micros = 7 * DAY
"""After so long without a message that tells it, nothing is said of a clock any more."""

_LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class Tally:
    """How many, and when the last one arrived (µs since the Unix epoch, UTC; None: never)."""

    count: int = 0
    last: Micros | None = None

    def and_one(self, arrival: Micros) -> "Tally":
        """One more, that arrived then."""
        return Tally(self.count + 1, max(arrival, NEVER if self.last is None else self.last))


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive messages by which a clock is wrong by about the same.

    since, last: arrivals, µs since the Unix epoch, UTC · lowest, highest: lags, µs.
    """

    since: Micros
    last: Micros
    messages: int
    lowest: Micros
    highest: Micros

    def and_one(self, arrival: Micros, lag: Micros) -> "Run":
        """With one more message; begun anew where its lag is another."""
        lowest, highest = min(self.lowest, lag), max(self.highest, lag)
        if highest - lowest > WRONG:
            return Run(arrival, arrival, 1, lag, lag)
        since, last = min(self.since, arrival), max(self.last, arrival)
        return Run(since, last, self.messages + 1, lowest, highest)

    @property
    def tells(self) -> bool:
        """True where it is enough to call the clock wrong."""
        return self.messages >= FEWEST and self.last - self.since >= LASTING


@dataclass(frozen=True, slots=True)
class Spell:
    """Impossible times, less than a day apart; lag: the last one's, µs."""

    since: Micros
    messages: int
    lag: Micros


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is kept of one device. offset: its clock less ours, µs; None: not found wrong."""

    device: int
    late: Tally = Tally()
    contradicting: Tally = Tally()
    ahead: Tally = Tally()
    impossible: Tally = Tally()
    too_many: Tally = Tally()
    run: Run | None = None
    spell: Spell | None = None
    offset: Micros | None = None

    @property
    def suspected(self) -> bool:
        """True where its next right message changes what is kept."""
        return self.run is not None or self.offset is not None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a device before a batch.

    newest: the time of its newest reading, µs since the Unix epoch, UTC, `NEVER` if there is none ·
    interval: the longest it stays silent when healthy, µs.
    """

    conduct: Conduct
    newest: Micros = NEVER
    interval: Micros = 0


class _What(Enum):
    SAID = 0
    IMPOSSIBLE = 1
    TOO_MANY = 2


class _Sighting(NamedTuple):
    message: int
    device: int
    what: _What
    time: Micros
    lag: Micros = 0


def lags(time: I64, arrival: I64, heard: Micros) -> I64:
    """How long after its time each reading came to the broker at the least, µs (n,).

    Negative: it is dated so long after its arrival · heard: up to when all that the broker accepted
    was known before these came, µs since the Unix epoch, UTC. Where that is long ago, after an
    outage of ours, one that came to the broker since then may have come at its time: 0.
    """
    lag = arrival - time
    waited = (arrival - heard > NOTABLE) & (lag > 0)
    return np.where(waited, np.maximum(heard - time, 0), lag) if waited.any() else lag


def concerned(decoded: Decoded, suspected: Sequence[int]) -> list[int]:
    """The devices of which this batch may change what is kept, in order.

    suspected: those whose next right message changes something.
    """
    rows = _rows(decoded)
    lag = lags(rows.time, rows.arrival, decoded.heard)
    dated = lag != 0
    # One look at the whole column: usually that is all.
    unusual = (lag > NOTABLE) | (lag < -NOTABLE)
    if suspected:
        unusual |= dated & np.isin(rows.device, np.array(suspected, np.int32))
    found = set(np.unique(rows.device[unusual]).tolist())
    found |= set(decoded.contradicting.device.tolist())
    found |= {sighting.device for sighting in _refused(decoded)}
    return sorted(found - {0})


def contradicting(rows: Batch, kept: Bool) -> Batch:
    """Of the rows left out as repeats of a key, those with another value than the one kept.

    kept: bool (n,), True at the first row of each device, metric and time.
    """
    if bool(kept.all()):
        return Batch.empty()
    order = np.lexsort((~kept, rows.time, rows.metric, rows.device))
    first = np.maximum.accumulate(np.where(kept[order], np.arange(len(order)), 0))
    other = rows.value[order] != rows.value[order][first]
    return rows.take(np.sort(order[other]))


def after(
    decoded: Decoded, stored: Bool, contradicted: Batch, known: Mapping[int, Known]
) -> list[Conduct]:
    """What is kept of the known devices after this batch, by device; only where it changed.

    stored: bool, one per message, True where something in it was new · contradicted: rows that
    contradict the database.
    """
    conduct = {device: one.conduct for device, one in known.items()}
    newest = {device: one.newest for device, one in known.items()}
    for sighting in _sightings(decoded, stored, known):
        device, arrival = sighting.device, decoded.messages[sighting.message].arrival
        before = conduct[device]
        if sighting.what is _What.SAID:
            margin = max(known[device].interval, NOTABLE)
            if sighting.lag > NOTABLE and sighting.time < newest[device] - margin:
                before = replace(before, late=before.late.and_one(arrival))
            newest[device] = max(newest[device], min(sighting.time, arrival))
            conduct[device] = _clocked(before, arrival, sighting.lag)
        else:
            conduct[device] = _REFUSED[sighting.what](before, arrival, sighting.time)
    for row in concatenate((decoded.contradicting, contradicted)).rows():
        if row.device in conduct:
            before = conduct[row.device]
            conduct[row.device] = replace(
                before, contradicting=before.contradicting.and_one(row.arrival)
            )
    return [conduct[d] for d in sorted(conduct) if conduct[d] != known[d].conduct]


def clock_offset(conduct: Conduct, now: Micros) -> Micros | None:
    """By how much the device's clock is wrong (its clock less ours, µs); None: not known to be.

    now: µs since the Unix epoch, UTC.
    """
    run, spell = conduct.run, conduct.spell
    if conduct.offset is not None and run is not None and now - run.last <= STALE:
        return conduct.offset
    last = conduct.impossible.last
    if spell is None or last is None or now - last > SPELL:
        return None
    if spell.messages >= FEWEST and last - spell.since >= LASTING:
        return -spell.lag
    return None


def marks(conduct: Conduct, now: Micros) -> tuple[str, ...]:
    """What is to be told of the device besides whether it lives. now: µs since the epoch, UTC."""
    offset = clock_offset(conduct, now)
    clock = () if offset is None else (f"clock wrong ({offset_text(offset)})",)
    last = conduct.too_many.last
    return (*clock, "sends too much") if last is not None and now - last <= HOUR else clock


def offset_text(offset: Micros) -> str:
    """A clock's offset for people, e.g. 'about +1 h'."""
    size = abs(offset)
    for unit, span, from_ in _SPANS:
        if size >= from_:
            return f"about {'-' if offset < 0 else '+'}{round(size / span, 1):g} {unit}"
    return f"about {'-' if offset < 0 else '+'}{round(size / MINUTE):g} min"


_SPANS = (
    ("years", 1_461 * DAY // 4, 300 * DAY),
    ("d", DAY, 36 * HOUR),
    ("h", HOUR, 50 * MINUTE),
)


def _clocked(conduct: Conduct, arrival: Micros, lag: Micros) -> Conduct:
    """With one message that was taken, by its lag."""
    if lag == 0:
        return conduct  # dated by its arrival
    if lag < -NOTABLE:
        conduct = replace(conduct, ahead=conduct.ahead.and_one(arrival))
    if abs(lag) <= WRONG:
        return replace(conduct, run=None, offset=None) if conduct.suspected else conduct
    return _running(conduct, arrival, lag)


def _running(conduct: Conduct, arrival: Micros, lag: Micros) -> Conduct:
    run = conduct.run.and_one(arrival, lag) if conduct.run else Run(arrival, arrival, 1, lag, lag)
    return replace(conduct, run=run, offset=-run.lowest if run.tells else conduct.offset)


def _impossible(conduct: Conduct, arrival: Micros, time: Micros) -> Conduct:
    lag = max(-_LARGEST, min(arrival - time, _LARGEST))
    spell, last = conduct.spell, conduct.impossible.last
    if spell is None or last is None or arrival - last > SPELL:
        spell = Spell(arrival, 0, lag)
    counted = replace(
        conduct,
        impossible=conduct.impossible.and_one(arrival),
        spell=Spell(min(spell.since, arrival), spell.messages + 1, lag),
    )
    return _running(counted, arrival, lag)


def _too_many(conduct: Conduct, arrival: Micros, _time: Micros) -> Conduct:
    return replace(conduct, too_many=conduct.too_many.and_one(arrival))


_REFUSED: Mapping[_What, Callable[[Conduct, Micros, Micros], Conduct]] = {
    _What.IMPOSSIBLE: _impossible,
    _What.TOO_MANY: _too_many,
}


def _rows(decoded: Decoded) -> Batch:
    return (
        concatenate((decoded.readings, decoded.events))
        if len(decoded.events)
        else (decoded.readings)
    )


def _sightings(decoded: Decoded, stored: Bool, known: Mapping[int, Known]) -> list[_Sighting]:
    """What each message said of each of these devices' clocks, in the order of the messages."""
    said = _newest_said(decoded, stored, np.array(sorted(known), np.int32))
    refused = [sighting for sighting in _refused(decoded) if sighting.device in known]
    return sorted([*said, *refused], key=lambda sighting: sighting.message)


def _newest_said(decoded: Decoded, stored: Bool, devices: I32) -> Iterable[_Sighting]:
    rows = _rows(decoded)
    message = np.concatenate((decoded.reading_message, decoded.event_message))
    wanted = np.isin(rows.device, devices) & stored[message]
    rows, message = rows.take(np.flatnonzero(wanted)), message[wanted]
    if not len(rows):
        return ()
    order = np.lexsort((rows.time, rows.device, message))
    last = np.ones(len(order), np.bool_)
    last[:-1] = (np.diff(message[order]) != 0) | (np.diff(rows.device[order]) != 0)
    chosen: I64 = order[last]
    lag = lags(rows.time[chosen], rows.arrival[chosen], decoded.heard)
    columns = (message[chosen], rows.device[chosen], rows.time[chosen], lag)
    return (
        _Sighting(m, d, _What.SAID, t, lag)
        for m, d, t, lag in zip(*(column.tolist() for column in columns), strict=True)
    )


def _refused(decoded: Decoded) -> list[_Sighting]:
    too_many = [
        _Sighting(message, int(decoded.device[message]), _What.TOO_MANY, 0)
        for message in decoded.too_many
    ]
    return too_many + [
        _Sighting(rejection.message, device, _What.IMPOSSIBLE, time)
        for rejection in decoded.rejections
        for device, time in rejection.impossible
    ]
