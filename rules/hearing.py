"""A batch in the order in which rules judge it, and where each device had been silent before.

Readings are ordered by their own time, and timers run in the device's time. A clock that is ahead
is set right at once: nothing is heard before it happens, so a message that tells of the future is
moved back until it tells of its arrival. A clock that is behind (or a device that sends what it has
kept) is given time: its timers wait as long as its last reading was on the way.

A heartbeat of 0 is the word 'offline': the device is silent from then on, until it says something
else. The broker dates that word, so it is moved into the device's time. For rules on `heartbeat`
it is a reading like any other.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_NAME
from devices.reading import F64, I16, I32, I64, Batch, Bool
from rules.plan import Plan
from rules.silence import Outages, Rows, Silence

HEARTBEAT = BY_NAME["heartbeat"].id


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """The rows of a batch by device and then by event time, (n,) each; ties as they came.

    time: by the device's clock, but never after the arrival · heard: in the server's time; its
    arrival, or its own time if it then waited in a queue that was not yet drained
    offline: bool, the word 'offline', not overtaken · before: int64 µs, when the row's device had
    last been heard before the row · until: int64 µs, from when it had been silent if it was not
    heard by then · gap: bool, True where it was not · missed: bool, True where that was its own
    silence, not its gateway's · newer: bool, True where the row is the first of its device to be
    later than all before the batch · alive, left: as in `Silence`, after the row
    lags: (k,) devices and how far each is behind after the batch
    outages: of gateways, up to the end of the batch · unsettled: whether a silence may have moved
    other than to later.
    """

    time: I64
    arrival: I64
    heard: I64
    device: I32
    metric: I16
    value: F64
    offline: Bool
    before: I64
    until: I64
    gap: Bool
    missed: Bool
    newer: Bool
    alive: I64
    left: I64
    lags: tuple[I32, I64]
    outages: Outages
    unsettled: bool

    def silent_before(self, device: int, time: Micros, silence: Silence) -> Micros:
        """From when the device was silent by what was heard before `time`, unless heard again.

        `silence` knows of before this batch.
        """
        devices = np.array([device], np.int32)
        alive, left = int(silence.said(devices)[0]), int(silence.away(devices)[0])
        start, end = np.searchsorted(self.device, [device, device + 1])
        row = start + int(np.searchsorted(self.time[start:end], time)) - 1
        if row >= start:
            alive, left = int(self.alive[row]), int(self.left[row])
        own = min(alive + int(silence.silent_after[device]), left)
        lost = self.outages.lost(devices, np.array([alive], np.int64), silence)
        return min(own, int(lost[0]))


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """What each row's device itself had said before the row, and has with it, (n,) each."""

    before: I64
    silent_at: I64
    newer: Bool
    alive: I64
    left: I64


def listen(plan: Plan, batch: Batch, silence: Silence, now: Micros) -> Hearing:
    """The batch in order, compared with what had been heard; rows of unknown devices are left out.

    now: up to which everything had been heard when the batch was. Does not change `silence`.
    """
    batch = batch.take(_known(plan, batch.device))
    time, device = _not_ahead(batch), batch.device
    heard = np.maximum(time, np.minimum(batch.arrival, now))
    offline = (batch.metric == HEARTBEAT) & (batch.value == 0)
    spoken = np.column_stack([time, batch.time, heard, batch.arrival])
    lags = _lags(device[~offline], spoken[~offline], silence)
    keys: tuple[I64 | I32 | Bool, ...] = (batch.time, time, device)
    if offline.any():
        time = np.where(offline, np.minimum(time, heard - _lag_of(device, lags, silence)), time)
        keys = (batch.time, offline, time, device)
    rows = np.lexsort(keys)
    time, device, offline = time[rows], device[rows], offline[rows]
    if offline.any():
        offline &= ~silence.spoke[device] | (time >= silence.alive[device])
    own = _own(device, time, offline, silence)
    outages = _outages(device, heard[rows], (time > own.silent_at) & ~offline, own, silence)
    lost = outages.lost(device, own.before, silence)
    until = np.minimum(own.silent_at, lost)
    gap = (time > until) & ~offline
    return Hearing(
        time=time,
        arrival=batch.arrival[rows],
        heard=heard[rows],
        device=device,
        metric=batch.metric[rows],
        value=batch.value[rows],
        offline=offline,
        before=own.before,
        until=until,
        gap=gap,
        missed=own.silent_at <= lost,
        newer=own.newer,
        alive=own.alive,
        left=own.left,
        lags=lags,
        outages=outages,
        unsettled=bool((offline | gap | silence.is_gateway(device)).any()),
    )


def of_heartbeats(hearing: Hearing, silence: Silence) -> Hearing:
    """The same for rules on `heartbeat`, to whom 'offline' is a reading.

    silence: `Silence.of_heartbeats` of what was heard before the batch.
    """
    if not hearing.offline.any() and not silence.differs(hearing.device):
        return hearing
    device, time = hearing.device, hearing.time
    own = _own(device, time, np.zeros(len(device), np.bool_), silence)
    lost = hearing.outages.lost(device, own.before, silence)
    until = np.minimum(own.silent_at, lost)
    return replace(
        hearing,
        before=own.before,
        until=until,
        gap=time > until,
        missed=own.silent_at <= lost,
        newer=own.newer,
        alive=own.alive,
        left=own.left,
    )


def _lags(device: I32, spoken: I64, silence: Silence) -> tuple[I32, I64]:
    """Devices that were heard anew, and how far behind the last reading of each is.

    spoken: (n, 4), of each reading its time, that time as it was said, when it was heard, and its
    arrival. The lag is at least what the wait in a queue does not explain and at most the whole
    way; what it was before is believed in between.
    """
    rows = np.lexsort((spoken[:, 1], spoken[:, 0], device))
    last = rows[_ends(device[rows])]
    new = ~silence.spoke[device[last]] | (spoken[last, 0] > silence.alive[device[last]])
    last = last[new]
    least, most = spoken[last, 2] - spoken[last, 0], spoken[last, 3] - spoken[last, 0]
    return device[last], np.clip(silence.lag[device[last]], least, most)


def _lag_of(device: I32, lags: tuple[I32, I64], silence: Silence) -> I64:
    """How far behind each of these is, the new `lags` known."""
    lag = silence.lag[device]
    spoke, new = lags
    if len(spoke):
        place = np.minimum(np.searchsorted(spoke, device), len(spoke) - 1)
        lag = np.where(spoke[place] == device, new[place], lag)
    return lag


def _own(device: I32, time: I64, offline: Bool, silence: Silence) -> _Own:
    base, left = silence.said(device), silence.away(device)
    floor = np.where(silence.known(device), base, NEVER)
    first = _begins(device)
    place = np.arange(len(device))
    begin = np.maximum.accumulate(np.where(first, place, 0))
    last = np.maximum.accumulate(np.where(first | ~offline, place, 0))
    earlier = np.where(first, place, np.roll(last, 1))
    spoke = ~first & ~offline[earlier]
    before = np.where(spoke, np.maximum(time[earlier], floor), base)
    said = np.where(spoke, earlier + 1, begin)
    words = np.cumsum(offline)
    unanswered: Bool = words[earlier] == words[begin] - offline[begin]
    left = np.where(~spoke | ((left >= before) & unanswered), left, FOREVER)
    left = np.where(said < place, np.minimum(left, time[said]), left)
    alive = np.where(offline, before, np.maximum(time, floor))
    stays = np.where(left >= alive, left, FOREVER)
    return _Own(
        before=before,
        silent_at=np.minimum(before + silence.silent_after[device], left),
        newer=~offline & (time > floor) & (~spoke | (time[earlier] <= floor)),
        alive=alive,
        left=np.where(offline, np.minimum(left, time), stays),
    )


def _outages(device: I32, heard: I64, ends: Bool, own: _Own, silence: Silence) -> Outages:
    """Of the gateways: those that ended in the batch, and from when each is gone after it."""
    if not len(silence.gateways):
        return Outages.none()
    gone = silence.gone_from(silence.gateways)
    last = _ends(device)
    which = last[silence.is_gateway(device[last])]
    mine = device[which]
    after = np.minimum(own.alive[which] + silence.silent_after[mine], own.left[which])
    gone[np.searchsorted(silence.gateways, mine)] = after + silence.lag[mine]
    back = np.flatnonzero(ends & silence.is_gateway(device))
    return Outages(gone, device[back], own.silent_at[back] + silence.lag[device[back]], heard[back])


def _ends(device: I32) -> Rows:
    """The last row of each device."""
    last = np.ones(len(device), np.bool_)
    last[:-1] = device[1:] != device[:-1]
    return np.flatnonzero(last)


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
    """Note in `silence`, in place, what was heard."""
    ends = _ends(hearing.device)
    device = hearing.device[ends]
    silence.alive[device] = hearing.alive[ends]
    silence.left.put(device, hearing.left[ends])
    silence.note(hearing.outages)
    spoke, lag = hearing.lags
    silence.lag[spoke] = lag
    last = ends[~silence.ever[device] | (hearing.time[ends] > silence.heard[device])]
    silence.heard[hearing.device[last]] = hearing.time[last]
    silence.ever[device] = True
    silence.spoke[hearing.device[~hearing.offline]] = True


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
