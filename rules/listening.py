"""Listening to a batch: its words in order, and what each device had said before them.

Most devices say one word in a batch, and do not leave with it: these are compared all at once, in
as few steps as that takes. Only the odd ones, of several words or of the word 'offline', are
followed word by word.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I64, Batch, Bool
from rules.hearing import Hearing, Lags, Seen
from rules.plan import Plan
from rules.silence import Outages, Rows, Silence
from rules.sparse import Numbers
from rules.words import Words, order_of, words_of


@dataclass(slots=True, eq=False)
class _Own:
    """What each word's device itself had said before the word, and has with it, (w,).

    left: None where that is FOREVER of all · known: whether all had spoken before.
    """

    before: I64
    silent_at: I64
    newer: Bool
    alive: I64
    left: I64 | None
    known: bool

    def put(self, rows: Rows, of: "_Own") -> None:
        """Write, in place, what is so of these words."""
        self.before[rows] = of.before
        self.silent_at[rows] = of.silent_at
        self.newer[rows] = of.newer
        self.alive[rows] = of.alive
        if of.left is not None and self.left is None:
            self.left = np.full(len(self.before), FOREVER, np.int64)
        if self.left is not None:
            self.left[rows] = FOREVER if of.left is None else of.left


class _Few(NamedTuple):
    """Words followed one by one: rows, which they are; the lags of their devices after them."""

    rows: Rows
    words: Words
    heard: I64
    lags: Lags


def listen(plan: Plan, batch: Batch, silence: Silence, now: Micros) -> Hearing:
    """The batch in order, compared with what had been heard; rows of unknown devices are left out.

    now: up to which everything had been heard when the batch was. Does not change `silence`.
    """
    words = words_of(batch, plan.silent_after)
    heard = np.maximum(words.time, np.minimum(words.arrival, now))
    few = _few(words, heard, silence)
    if few is not None and words.leaves:
        words, heard[few.rows] = _put_back(words, few), few.heard
    own = _own(words, silence)
    earlier = silence.heard.take(words.device)
    unlike = _unlike(words, own, earlier, few)
    lag = _lag(words, heard, own.newer, silence)
    if few is not None:
        own.put(few.rows, _own_by_word(few.words, few.words.offline, silence))
        lag[few.rows] = _lag_of(few.words.device, few.lags, silence)
    outages, moved = _outages(words, heard, own, silence, now)
    fresh = _fresh(words, earlier, few)
    loss = _loss(words, own.before, outages, silence)
    seen = _seen(words, own, words.offline, loss, fresh)
    if np.count_nonzero(loss.possible):
        moved = np.concatenate([moved, _nearer(words, lag, loss)])
    if not seen.known:  # the first words of devices may be from before these became known
        moved = np.concatenate([moved, words.device[seen.alive < seen.before]])
    if words.leaves or np.count_nonzero(seen.gap):
        moved = np.concatenate([moved, words.device[seen.gap | words.offline]])
    return Hearing(
        batch,
        words,
        seen,
        heard=heard,
        lags=(words.device, lag),
        before_lags=silence.lag.take(words.device),
        outages=outages,
        moved=moved,
        unlike=unlike,
    )


def _few(words: Words, heard: I64, silence: Silence) -> _Few | None:
    """Those of devices of several words, or that say 'offline'; None where there are none."""
    device = words.device
    again = (device[1:] == device[:-1]).nonzero()[0]
    if not (len(again) or words.leaves):
        return None
    flags = words.offline.copy()
    flags[again] = flags[again + 1] = True
    rows = flags.nonzero()[0]
    some, theirs = words.take(rows), heard.take(rows)
    if words.leaves:
        return _Few(rows, *_with_offline(some, theirs, silence))
    return _Few(rows, some, theirs, _lags(some, theirs, silence))


def _with_offline(words: Words, heard: I64, silence: Silence) -> tuple[Words, I64, Lags]:
    """The word 'offline' in its device's time, in which it may come earlier; and not overtaken."""
    itself = (~words.offline).nonzero()[0]
    lags = _lags(words.take(itself), heard.take(itself), silence)
    theirs = heard - _lag_of(words.device, lags, silence)
    words = replace(words, time=np.where(words.offline, np.minimum(words.time, theirs), words.time))
    order = order_of(words)
    if order is not None:
        words, heard = words.take(order), heard.take(order)
    device = words.device
    late = silence.spoke.take(device) & (words.time < silence.alive.take(device))
    offline = words.offline & ~late
    return replace(words, offline=offline, leaves=bool(offline.any())), heard, lags


def _put_back(words: Words, few: _Few) -> Words:
    """All words, with those few as they are now; the order of devices is the same."""

    def written(column: Numbers, theirs: Numbers) -> Numbers:
        column = column.copy()
        column[few.rows] = theirs
        return column

    some = few.words
    return replace(
        words,
        time=written(words.time, some.time),
        said=written(words.said, some.said),
        arrival=written(words.arrival, some.arrival),
        offline=written(words.offline, some.offline),
        leaves=some.leaves,
        start=written(words.start, some.start),
        count=written(words.count, some.count),
    )


def _own(words: Words, silence: Silence) -> _Own:
    """As if each were the only word of its device, and not 'offline'."""
    device, time = words.device, words.time
    base, known, left = silence.said(device), silence.known(device), silence.away_of(device)
    every = np.count_nonzero(known) == len(known)
    floor = base if every else np.where(known, base, NEVER)
    alive, silent_at = np.maximum(time, floor), base + words.limit
    if left is not None:
        silent_at = np.minimum(silent_at, left)
        left = np.where(left >= alive, left, FOREVER)
    return _Own(base, silent_at, time > floor, alive, left, every)


def _own_by_word(words: Words, offline: Bool, silence: Silence) -> _Own:
    """offline: the words that count as 'offline'."""
    device, time = words.device, words.time
    base, left, known = silence.said(device), silence.away(device), silence.known(device)
    floor = np.where(known, base, NEVER)
    first = _begins(device)
    place = np.arange(len(device))
    begin = np.maximum.accumulate(np.where(first, place, 0))
    last = np.maximum.accumulate(np.where(first | ~offline, place, 0))
    earlier = place.copy()
    np.copyto(earlier[1:], last[:-1], where=~first[1:])
    spoke = ~first & ~offline[earlier]
    before = np.where(spoke, np.maximum(time[earlier], floor), base)
    said = np.where(spoke, earlier + 1, begin)
    gone = offline.cumsum()
    unanswered: Bool = gone[earlier] == gone[begin] - offline[begin]
    left = np.where(~spoke | ((left >= before) & unanswered), left, FOREVER)
    left = np.where(said < place, np.minimum(left, time[said]), left)
    alive = np.where(offline, before, np.maximum(time, floor))
    stays = np.where(left >= alive, left, FOREVER)
    return _Own(
        before=before,
        silent_at=np.minimum(before + words.limit, left),
        newer=~offline & (time > floor) & (~spoke | (time[earlier] <= floor)),
        alive=alive,
        left=np.where(offline, np.minimum(left, time), stays),
        known=bool(known.all()),
    )


def _unlike(words: Words, own: _Own, earlier: I64, few: _Few | None) -> Rows | None:
    """The words of devices that rules on `heartbeat` see otherwise; None where there are none.

    own: as of `_own` · earlier: when each was heard, be it to say 'offline', before the batch.
    """
    unlike = earlier != own.before
    if own.left is not None:
        unlike |= own.silent_at < own.before + words.limit
    if words.leaves and few is not None:
        unlike[few.rows] = True
    return unlike.nonzero()[0] if np.count_nonzero(unlike) else None


def of_heartbeats(hearing: Hearing, silence: Silence) -> Hearing:
    """The same for rules on `heartbeat`, to whom 'offline' is a reading.

    silence: `Silence.of_heartbeats` of what was heard before the batch.
    """
    rows, seen = hearing.unlike, hearing.seen
    if rows is None:
        return hearing
    words = hearing.words.take(rows)
    spoken = np.zeros(len(rows), np.bool_)
    several = np.count_nonzero(words.device[1:] == words.device[:-1])
    own = _own_by_word(words, spoken, silence) if several else _own(words, silence)
    loss = _Loss(hearing.outages, silence, np.ones(len(rows), np.bool_))
    return hearing.seen_as(seen.put(rows, _seen(words, own, spoken, loss, seen.fresh[rows])))


def _lag(words: Words, heard: I64, newer: Bool, silence: Silence) -> I64:
    """How far behind each word's device is after it, as if it were the only one; see `_lags`."""
    lag, time = silence.lag.take(words.device), words.time
    anew = np.minimum(np.maximum(lag, heard - time), words.arrival - time)
    return anew if np.count_nonzero(newer) == len(newer) else np.where(newer, anew, lag)


def _lags(words: Words, heard: I64, silence: Silence) -> Lags:
    """Devices that were heard anew, and how far behind the last word of each is.

    Of several of one time that is the one that arrived last, whatever the order in which they came.
    The lag is at least what the wait in a queue does not explain and at most the whole way; what it
    was before is believed in between.
    """
    last = _last_arrived(words, _ends(words.device))
    device, time = words.device.take(last), words.time.take(last)
    new = ~silence.spoke.take(device) | (time > silence.alive.take(device))
    if np.count_nonzero(new) < len(new):
        device, time, last = device[new], time[new], last[new]
    least, most = heard.take(last) - time, words.arrival.take(last) - time
    return device, np.minimum(np.maximum(silence.lag.take(device), least), most)


def _last_arrived(words: Words, last: Rows) -> Rows:
    """Of each device the last to arrive of those words that tie with its last."""
    last_but_one = np.maximum(last - 1, 0)
    columns = (words.device, words.time, words.said)
    tie = last_but_one < last
    for column in columns:
        tie &= column.take(last_but_one) == column.take(last)
    if not np.count_nonzero(tie):
        return last
    rows = np.lexsort((words.arrival, *reversed(columns)))
    latest: Rows = rows[_ends(words.device[rows])]
    return latest


def _lag_of(device: I64, lags: Lags, silence: Silence) -> I64:
    """How far behind each of these is, the new `lags` known."""
    lag = silence.lag.take(device)
    spoke, new = lags
    if len(spoke):
        place = np.minimum(spoke.searchsorted(device), len(spoke) - 1)
        lag = np.where(spoke[place] == device, new[place], lag)
    return lag


def _fresh(words: Words, earlier: I64, few: _Few | None) -> Bool:
    """Words later than all of their device before them, in whatever batch."""
    fresh = words.time > earlier
    if few is not None:
        device, time = few.words.device, few.words.time
        rises = _begins(device)
        rises[1:] |= time[1:] > time[:-1]
        fresh[few.rows] &= rises
    return fresh


class _Loss(NamedTuple):
    """What gateways take with them. possible: (w,), where else nobody can have been lost."""

    outages: Outages
    silence: Silence
    possible: Bool


def _loss(words: Words, before: I64, outages: Outages, silence: Silence) -> _Loss:
    """before: when the device of each word had last been heard."""
    if not len(silence.gateways):
        return _Loss(outages, silence, np.zeros(len(words), np.bool_))
    place, gone = silence.behind.place.take(words.device), silence.gone
    if len(outages.heard):
        gone = gone.copy()
        gone[silence.gateways.searchsorted(outages.heard)] = outages.gone
    possible: Bool = gone.take(place) < words.time + silence.lag.take(words.device)
    if not silence.cut.untouched:
        cut = silence.cut[words.device]
        possible |= (cut >= before) & (cut < words.time)
    if len(outages.gateway):
        back = np.zeros(len(gone), np.bool_)
        back[silence.gateways.searchsorted(outages.gateway)] = True
        possible |= back.take(place)
    return _Loss(outages, silence, possible)


def _nearer(words: Words, lag: I64, loss: _Loss) -> I64:
    """Devices less far behind than they were, which may have outlived their gateway.

    Now that it is known when they spoke, their gateway may outlive them: then they are lost sooner.
    """
    device = words.device[loss.possible]
    return device[lag[loss.possible] < loss.silence.lag.take(device)]


def _seen(words: Words, own: _Own, offline: Bool, loss: _Loss, fresh: Bool) -> Seen:
    """offline: the words that count as 'offline'; takes over the columns of `own`."""
    time, until = words.time, own.silent_at
    gap = (time > until) | loss.possible
    missed = ~gap
    which = gap.nonzero()[0]
    if len(which):
        device, before, alone = words.device[which], own.before[which], until[which]
        lost = loss.outages.lost(device, before, loss.silence)
        until[which] = np.minimum(alone, lost)
        missed[which] = alone <= lost
        gap = time > until
        gap &= ~offline
    return Seen(own.before, until, gap, missed, own.newer, own.alive, own.left, fresh, own.known)


def _outages(
    words: Words, heard: I64, own: _Own, silence: Silence, now: Micros
) -> tuple[Outages, I64]:
    """What gateways say, and devices behind them whose silence it may move other than to later."""
    which = silence.behind.is_gateway(words.device).nonzero()[0]
    if not len(which):
        return NO_OUTAGES, which
    mine, off, before = words.device[which], words.offline[which], own.silent_at[which]
    lag, after = silence.lag[mine], own.alive[which] + words.limit[which]
    if own.left is not None:
        after = np.minimum(after, own.left[which])
    after += lag
    last = _ends(mine)
    ended = (words.time[which] > before) & ~off
    start, back = before[ended] + lag[ended], heard[which[ended]]
    outages = Outages(mine[last], after[last], mine[ended], start, back)
    gone = silence.gone_from(outages.heard)
    late, told = gone < now, ended | off
    if np.count_nonzero(told):
        late[outages.heard.searchsorted(mine[told])] = True
    return outages, _moved(outages.heard, gone, late, silence)


NO_OUTAGES = Outages.none()


def _moved(gateways: I64, gone: I64, all_of: Bool, silence: Silence) -> I64:
    """The devices behind some gateways, and of others those heard after it was gone."""
    behind, count = silence.behind.of(gateways)
    said = np.maximum(silence.alive.take(behind), silence.heard.take(behind))
    after = said + silence.lag.take(behind) > gone.repeat(count)
    return behind[after | all_of.repeat(count)]


def _ends(device: I64) -> Rows:
    """The last word of each device."""
    last = np.ones(len(device), np.bool_)
    last[:-1] = device[1:] != device[:-1]
    return last.nonzero()[0]


def _begins(numbers: I64) -> Bool:
    """True (n,) where a run of equal numbers begins."""
    begins = np.ones(len(numbers), np.bool_)
    begins[1:] = numbers[1:] != numbers[:-1]
    return begins


def remember(hearing: Hearing, silence: Silence) -> None:
    """Note in `silence`, in place, what was heard."""
    words, seen = hearing.words, hearing.seen
    device, (_, lag) = words.device, hearing.lags
    silence.alive[device] = seen.alive  # of a device's words the last one is left behind
    if seen.left is not None:
        ends = _ends(device)
        silence.left.put(device[ends], seen.left[ends])
    silence.note(hearing.outages)
    silence.lag[device] = lag
    silence.gateways_changed(hearing.outages.heard)
    heard = np.maximum(silence.heard.take(device), words.time)
    if seen.known:
        silence.heard[device] = heard
        return
    silence.heard[device] = np.where(silence.ever.take(device), heard, words.time)
    silence.ever[device] = True
    silence.spoke[device[~words.offline]] = True
