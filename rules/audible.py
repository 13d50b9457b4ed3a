"""Which subjects could be heard at a moment of the batch, and from when that is otherwise.

For kinds of rule that judge at moments of their own choice (the end of a step), between readings.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I32, I64, Bool
from rules.panes import bisect
from rules.places import places_of
from rules.silence import Rows
from rules.turn import Slots, Turn


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """What a batch told of silence; `turn` after it. Of gaps: by device and then by time, (k,)."""

    turn: Turn
    device: I64
    until: I64
    time: I64

    @classmethod
    def of(cls, turn: Turn) -> "Listening":
        """What this turn's batch told."""
        words, seen = turn.hearing.words, turn.hearing.seen
        gaps = turn.hearing.gaps
        return cls(turn, words.device[gaps], seen.until[gaps], words.time[gaps])

    def at(self, slots: Slots, times: I64) -> tuple[Bool, I64]:
        """Whether all devices of each slot were silent at this time, and the next time of change.

        That is FOREVER where nothing is known to change it; not later than the change really comes.
        """
        places = places_of(self.turn.own, slots)
        devices, starts, moments = (
            self.turn.own.devices.take(places.there),
            places.starts,
            places.spread(times),
        )
        gone = self.turn.silence.silent_at(devices)
        silent = gone < moments
        change = np.where(silent, FOREVER, gone)
        if len(self.device):
            self._gaps(devices, moments, silent, change)
        all_silent: Bool = np.logical_and.reduceat(silent, starts)
        back = np.minimum.reduceat(change, starts)
        gone = np.maximum.reduceat(np.where(silent, NEVER, change), starts)
        return all_silent, np.where(all_silent, back, gone)

    def _gaps(self, devices: I32, moments: I64, silent: Bool, change: I64) -> None:
        low = np.searchsorted(self.device, devices).astype(np.int64)
        high = np.searchsorted(self.device, devices, side="right").astype(np.int64)
        place = bisect(self.time, low, high, moments + 1)
        rows = np.flatnonzero(place < high)
        until, time = self.until[place[rows]], self.time[place[rows]]
        silent[rows] = until < moments[rows]
        change[rows] = np.where(silent[rows], time, until)


class Heard(NamedTuple):
    """Slots, with repeats, and when what was said of each was said, and heard; µs."""

    slot: I64
    time: I64
    heard: I64


def returned(turn: Turn, now: Micros) -> Heard:
    """Slots of which a device was silent before `now` and is heard at a later time than before."""
    return _heard(turn, turn.hearing.returned(now))


def left(turn: Turn) -> Heard:
    """Slots of which a device, or its gateway, said 'offline'.

    By nothing else a silence comes sooner than was known.
    """
    words = turn.hearing.offlines
    own = _heard(turn, words)
    device, behind = turn.hearing.words.device[words], turn.silence.behind
    gateways = words[behind.is_gateway(device)] if len(words) else words
    if not len(gateways):
        return own
    devices, counts = behind.of(turn.hearing.words.device[gateways])
    theirs = turn.own.slot[devices].astype(np.int64)
    said = gateways.repeat(counts)[theirs >= 0]
    more = (theirs[theirs >= 0], turn.hearing.words.time[said], turn.hearing.heard_at(said))
    return Heard(*(np.concatenate(pair) for pair in zip(own, more, strict=True)))


def _heard(turn: Turn, words: Rows) -> Heard:
    hearing = turn.hearing
    slot = turn.own.slot[hearing.words.device[words]].astype(np.int64)
    ours = slot >= 0
    words = words[ours]
    return Heard(slot[ours], hearing.words.time[words], hearing.heard_at(words))


class Slowed(NamedTuple):
    """Slots of which a device fell further behind, when it was heard and how far they were; µs."""

    slot: I64
    heard: I64
    before: I64


def slowed(turn: Turn, step: Micros, now: Micros) -> Slowed | None:
    """Those of which a device is behind the end of a step that it was not behind before.

    And perhaps others; None where there are none. After the batch. step: how long steps are, µs.
    """
    hearing, silence = turn.hearing, turn.silence
    if not hearing.reaches_back(step, now) or not len(hearing.slower):
        return None
    device = hearing.lags[0][hearing.slower]
    time = silence.alive[device]
    ended = ((time - 1) // step < (now - 1) // step).nonzero()[0]
    if not len(ended):
        return None
    slot = turn.own.slot[device[ended]].astype(np.int64)
    device, slot = device[ended[slot >= 0]], slot[slot >= 0]
    if not len(slot):
        return None
    heard = silence.alive[device] + silence.lag[device]
    there, starts = places_of(turn.own, slot)
    theirs = turn.own.devices.take(there)
    before: I64 = np.maximum.reduceat(hearing.lag_before(theirs, silence), starts)
    return Slowed(slot, heard, before)
