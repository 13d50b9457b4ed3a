"""Listening to a batch: its words in order, and what each device had said before them."""

from dataclasses import dataclass, replace

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I64, Batch, Bool
from rules.hearing import Hearing, Lags, Seen
from rules.plan import Plan
from rules.silence import Outages, Rows, Silence
from rules.words import Words, order_of, words_of


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """What each word's device itself had said before the word, and has with it, (w,)."""

    first: Bool
    before: I64
    silent_at: I64
    newer: Bool
    alive: I64
    left: I64


def listen(plan: Plan, batch: Batch, silence: Silence, now: Micros) -> Hearing:
    """The batch in order, compared with what had been heard; rows of unknown devices are left out.

    now: up to which everything had been heard when the batch was. Does not change `silence`.
    """
    words = words_of(batch, plan.silent_after)
    order = order_of(words)
    words = words if order is None else words.take(order)
    heard = np.maximum(words.time, np.minimum(words.arrival, now))
    if np.count_nonzero(words.offline):
        words, heard, lags = _with_offline(words, heard, silence)
    else:
        lags = _lags(words, heard, silence)
    own = _own(words, words.offline, silence)
    outages, moved = _outages(words, heard, own, silence, now)
    seen = _seen(words, own, words.offline, outages, silence)
    return Hearing(
        batch,
        words,
        seen,
        heard=heard,
        lags=lags,
        before_lags=silence.lag.take(lags[0]),
        outages=outages,
        moved=np.concatenate([moved, words.device[seen.gap | words.offline]]),
    )


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
    return replace(words, offline=words.offline & ~late), heard, lags


def of_heartbeats(hearing: Hearing, silence: Silence) -> Hearing:
    """The same for rules on `heartbeat`, to whom 'offline' is a reading.

    silence: `Silence.of_heartbeats` of what was heard before the batch.
    """
    words = hearing.words
    if not np.count_nonzero(words.offline) and not silence.differs(words.device):
        return hearing
    spoken = np.zeros(len(words), np.bool_)
    own = _own(words, spoken, silence)
    return hearing.seen_as(_seen(words, own, spoken, hearing.outages, silence))


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
        place = np.minimum(np.searchsorted(spoke, device), len(spoke) - 1)
        lag = np.where(spoke[place] == device, new[place], lag)
    return lag


def _own(words: Words, offline: Bool, silence: Silence) -> _Own:
    """offline: the words that count as 'offline'."""
    device, time = words.device, words.time
    base, left, known = silence.said(device), silence.away(device), silence.known(device)
    floor = base if np.count_nonzero(known) == len(known) else np.where(known, base, NEVER)
    first = _begins(device)
    if np.count_nonzero(first) == len(first) and not np.count_nonzero(offline):
        alive = np.maximum(time, floor)
        return _Own(
            first=first,
            before=base,
            silent_at=np.minimum(base + silence.silent_after.take(device), left),
            newer=time > floor,
            alive=alive,
            left=np.where(left >= alive, left, FOREVER),
        )
    place = np.arange(len(device))
    begin = np.maximum.accumulate(np.where(first, place, 0))
    last = np.maximum.accumulate(np.where(first | ~offline, place, 0))
    earlier = np.where(first, place, np.roll(last, 1))
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
        first=first,
        before=before,
        silent_at=np.minimum(before + silence.silent_after.take(device), left),
        newer=~offline & (time > floor) & (~spoke | (time[earlier] <= floor)),
        alive=alive,
        left=np.where(offline, np.minimum(left, time), stays),
    )


def _seen(words: Words, own: _Own, offline: Bool, outages: Outages, silence: Silence) -> Seen:
    device, time = words.device, words.time
    lost = outages.lost(device, own.before, silence)
    until = np.minimum(own.silent_at, lost)
    fresh = time > silence.heard.take(device)
    fresh[1:] &= own.first[1:] | (time[1:] > time[:-1])
    return Seen(
        before=own.before,
        until=until,
        gap=(time > until) & ~offline,
        missed=own.silent_at <= lost,
        newer=own.newer,
        alive=own.alive,
        left=own.left,
        fresh=fresh,
    )


def _outages(
    words: Words, heard: I64, own: _Own, silence: Silence, now: Micros
) -> tuple[Outages, I64]:
    """What gateways say, and devices behind them whose silence it may move other than to later."""
    device = words.device
    which = silence.behind.is_gateway(device).nonzero()[0]
    if not len(which):
        return Outages.none(), which
    mine, off = device.take(which), words.offline.take(which)
    lag = silence.lag.take(mine)
    after = np.minimum(own.alive[which] + silence.silent_after.take(mine), own.left[which]) + lag
    last = _ends(mine)
    ended = (words.time[which] > own.silent_at[which]) & ~off
    back, start = which[ended], own.silent_at[which[ended]] + lag[ended]
    outages = Outages(mine[last], after[last], mine[ended], start, heard[back])
    gone = silence.gone_from(outages.heard)
    late = np.isin(outages.heard, mine[ended | off]) | (gone < now)
    return outages, _moved(outages.heard, gone, late, silence)


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
    ends = _ends(words.device)
    device, time = words.device.take(ends), words.time.take(ends)
    silence.alive[device] = seen.alive.take(ends)
    silence.left.put(device, seen.left.take(ends))
    silence.note(hearing.outages)
    spoke, lag = hearing.lags
    silence.lag[spoke] = lag
    ever, heard = silence.ever.take(device), silence.heard.take(device)
    silence.heard[device] = np.where(ever, np.maximum(heard, time), time)
    silence.ever[device] = True
    silence.spoke[words.device[~words.offline]] = True
