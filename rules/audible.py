"""Which subjects could be heard at a moment of the batch, and from when that is otherwise.

For kinds of rule that judge at moments of their own choice (the end of a step), between readings.
"""

from dataclasses import dataclass

import numpy as np

from devices.instant import FOREVER, NEVER
from devices.reading import I32, I64, Bool
from rules.panes import bisect
from rules.places import places_of
from rules.silence import Rows
from rules.turn import Slots, Turn


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """What a batch told of silence; `turn` after it. Of gaps: by device and then by time, (k,)."""

    turn: Turn
    device: I32
    until: I64
    time: I64

    @classmethod
    def of(cls, turn: Turn) -> "Listening":
        """What this turn's batch told."""
        hearing = turn.hearing
        rows = np.flatnonzero(hearing.gap)
        return cls(turn, hearing.device[rows], hearing.until[rows], hearing.time[rows])

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

    def heard(self) -> tuple[I32, I64]:
        """Slots of which a device was heard at a later time than before, and when; with repeats."""
        hearing = self.turn.hearing
        return self._of(np.flatnonzero(hearing.newer | hearing.gap))

    def left(self) -> tuple[I32, I64, I64]:
        """Slots of which a device, or its gateway, said 'offline'; when, and when that was heard.

        With repeats. By nothing else a silence comes sooner than was known.
        """
        hearing, plan = self.turn.hearing, self.turn.plan
        rows = np.flatnonzero(hearing.offline)
        slot, time = self._of(rows)
        heard = hearing.heard[rows][self.turn.own.slot[hearing.device[rows]] >= 0]
        of_gateways = rows[np.isin(hearing.device[rows], plan.gateways)]
        for row in of_gateways.tolist():
            behind = np.flatnonzero(plan.gateway == hearing.device[row])
            theirs = self.turn.own.slot[behind]
            theirs = theirs[theirs >= 0]
            slot = np.concatenate([slot, theirs])
            time = np.concatenate([time, np.full(len(theirs), hearing.time[row])])
            heard = np.concatenate([heard, np.full(len(theirs), hearing.heard[row])])
        return slot, time, heard

    def _of(self, rows: Rows) -> tuple[I32, I64]:
        hearing = self.turn.hearing
        slot = self.turn.own.slot[hearing.device[rows]]
        return slot[slot >= 0], hearing.time[rows][slot >= 0]
