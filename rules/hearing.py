"""A batch in the order in which rules judge it, and where each device had been silent before.

Readings are ordered by their own time, and timers run in the device's time. A clock that is ahead
is set right at once: nothing is heard before it happens, so a message that tells of the future is
moved back until it tells of its arrival. A clock that is behind (or a device that sends what it has
kept) is given time: its timers wait as long as its last reading was on the way.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.instant import NEVER, Micros
from devices.reading import F64, I16, I32, I64, Batch, Bool
from rules.plan import Plan

Rows = npt.NDArray[np.intp]


@dataclass(slots=True, eq=False)
class Silence:
    """When each device was last heard, by device id. A device may say anything to be heard.

    heard: int64 µs, event time of its last reading; of one never heard, when it became known
    ever: bool, whether it was heard at all · lag: int64 µs, how far its last reading was behind the
    server's clock, never below 0 · silent_after: int64 µs.
    """

    heard: I64
    ever: Bool
    lag: I64
    silent_after: I64

    def copy(self) -> "Silence":
        """The same in arrays of its own, but for `silent_after`, which nobody changes."""
        return Silence(self.heard.copy(), self.ever.copy(), self.lag.copy(), self.silent_after)

    def silent_at(self, devices: I32) -> I64:
        """From when in its own time each counts as silent unless it is heard again, µs."""
        return self.heard[devices] + self.silent_after[devices]

    def alive_until(self, devices: I32) -> I64:
        """As `silent_at`, in the server's time; NEVER for those that were never heard."""
        until = self.silent_at(devices) + self.lag[devices]
        return np.where(self.ever[devices], until, NEVER)


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """The rows of a batch by device and then by event time, (n,) each; ties as they came.

    time: by the device's clock, but never after the arrival · heard: in the server's time; its
    arrival, or its own time if it then waited in a queue that was not yet drained
    before: int64 µs, when the row's device had last been heard before the row · gap: bool, True
    where that is longer ago than its silence limit · newer: bool, True where the row is the first
    of its device to be later than all before the batch.
    """

    time: I64
    arrival: I64
    heard: I64
    device: I32
    metric: I16
    value: F64
    before: I64
    gap: Bool
    newer: Bool

    def heard_before(self, device: int, time: Micros, silence: Silence) -> Micros:
        """When the device was last heard before `time`; `silence` knows of before this batch."""
        base = int(silence.heard[device])
        start, end = np.searchsorted(self.device, [device, device + 1])
        row = start + int(np.searchsorted(self.time[start:end], time)) - 1
        if row < start:
            return base
        return max(int(self.time[row]), base) if silence.ever[device] else int(self.time[row])


def listen(plan: Plan, batch: Batch, silence: Silence, now: Micros) -> Hearing:
    """The batch in order, compared with what had been heard; rows of unknown devices are left out.

    now: up to which everything had been heard when the batch was. Does not change `silence`.
    """
    batch = batch.take(_known(plan, batch.device))
    time = _not_ahead(batch)
    rows = np.lexsort((batch.time, time, batch.device))
    time, device, arrival = time[rows], batch.device[rows], batch.arrival[rows]
    base = silence.heard[device]
    floor = np.where(silence.ever[device], base, NEVER)
    first = _begins(device)
    earlier = np.roll(time, 1)
    before = np.where(first, base, np.maximum(earlier, floor))
    return Hearing(
        time=time,
        arrival=arrival,
        heard=np.maximum(time, np.minimum(arrival, now)),
        device=device,
        metric=batch.metric[rows],
        value=batch.value[rows],
        before=before,
        gap=time > before + plan.silent_after[device],
        newer=(time > floor) & (first | (earlier <= floor)),
    )


def _known(plan: Plan, device: I32) -> Bool:
    known = (device >= 0) & (device < plan.size)
    known[known] = plan.silent_after[device[known]] > 0
    return known


def _begins(numbers: I32 | I64) -> Bool:
    """True (n,) where a run of equal numbers begins."""
    begins = np.ones(len(numbers), np.bool_)
    begins[1:] = numbers[1:] != numbers[:-1]
    return begins


def _not_ahead(batch: Batch) -> I64:
    """The times of the rows, those of one message moved back alike so that none is in the future.

    Rows of one device and one arrival came in one message.
    """
    ahead = batch.time - batch.arrival
    if not (ahead > 0).any():
        return batch.time
    order = np.lexsort((batch.arrival, batch.device))
    starts = np.flatnonzero(_begins(batch.device[order]) | _begins(batch.arrival[order]))
    farthest = np.maximum(np.maximum.reduceat(ahead[order], starts), 0)
    time = batch.time.copy()
    time[order] -= np.repeat(farthest, np.diff(starts, append=len(order)))
    return time


def remember(hearing: Hearing, silence: Silence) -> None:
    """Note in `silence`, in place, what was heard.

    The lag is at least what the wait in a queue does not explain and at most the whole way; what it
    was before is believed in between.
    """
    last = np.ones(len(hearing.device), np.bool_)
    last[:-1] = hearing.device[1:] != hearing.device[:-1]
    last = last & (~silence.ever[hearing.device] | (hearing.time > silence.heard[hearing.device]))
    device, time = hearing.device[last], hearing.time[last]
    least, most = hearing.heard[last] - time, hearing.arrival[last] - time
    silence.lag[device] = np.clip(silence.lag[device], least, most)
    silence.heard[device] = time
    silence.ever[device] = True


def rounds(groups: npt.NDArray[np.int32]) -> list[Rows]:
    """Rows to take one after another: the k-th of each run of equal numbers in the k-th round."""
    n = len(groups)
    starts = np.ones(n, np.bool_)
    starts[1:] = groups[1:] != groups[:-1]
    places = np.arange(n)
    rank = places - np.maximum.accumulate(np.where(starts, places, 0))
    if not rank.any():
        return [places] if n else []
    order = np.argsort(rank, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(rank[order])) + 1)
