"""When the next of many ends: the soonest are kept in order, all are looked through now and then.

What ends when may change at any time, mostly to later. So each is kept with a moment before which
it does not end, and whoever asks looks at those of which that has come.
"""

from dataclasses import dataclass, field

import numpy as np

from devices.instant import NEVER, Micros
from devices.reading import I64

_FEW, _SHARE = 1_024, 64
"""So many are kept at least, and so many of all. Ours: looking through all costs a thousandth of a
millisecond for each dozen."""


def _nothing() -> I64:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Aging:
    """slot, until: (k,), by `until`, µs: what does not end before then; a slot may have several.

    horizon: µs, of every slot that ends before it one is among these.
    """

    slot: I64 = field(default_factory=_nothing)
    until: I64 = field(default_factory=_nothing)
    horizon: Micros = NEVER

    @classmethod
    def of(cls, slot: I64, until: I64, latest: Micros) -> "Aging":
        """The soonest of all that end, (n,), up to `latest` at most."""
        most = max(_FEW, len(slot) // _SHARE)
        if len(slot) > most:
            latest = min(latest, int(np.partition(until, most)[most]))
        return cls(horizon=latest).put(slot, until)

    @property
    def soonest(self) -> Micros:
        """Nothing ends before then, µs."""
        return min(self.horizon, int(self.until[0])) if len(self.until) else self.horizon

    def put(self, slot: I64, until: I64) -> "Aging":
        """With these too, (k,), as far as they end before the horizon."""
        near = until < self.horizon
        if not np.count_nonzero(near):
            return self
        slot = np.concatenate([self.slot, slot[near]])
        until = np.concatenate([self.until, until[near]])
        order = until.argsort(kind="stable")
        return Aging(slot[order], until[order], self.horizon)

    def before(self, time: Micros) -> tuple[I64, "Aging"]:
        """The slots, each once, that may end before this time, µs; and what is left."""
        count = int(self.until.searchsorted(time))
        left = Aging(self.slot[count:], self.until[count:], self.horizon)
        return np.unique(self.slot[:count]), left
