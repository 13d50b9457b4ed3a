"""Rules about replaced cards: true at each reading of a card after a later issue of it was read.

A card that is lost is replaced by one of the same credential and a higher `issue` (the issue level
of access control); whoever still uses the old one should not have it. Of each credential the latest
issue that was read is remembered, and since when. Each such use is an occurrence of its own, which
a person ends; one that is heard only after a later one was told is not told.
"""

from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple, TypeAlias, cast

import numpy as np

from devices.instant import NEVER, Micros
from devices.reading import I32, I64, Bool
from devices.token import NO_ISSUE
from rules.cards import Cards, Found, keys
from rules.model import Replaced, SubjectKind
from rules.silence import Rows
from rules.spans import FORGOTTEN
from rules.sparse import Sparse
from rules.table import Table
from rules.transition import Cause, Change, Subject, Transition
from rules.turn import Turn

_NEVER = np.int64(NEVER)
_PUT_OFF = 16
"""Cards that are forgotten are dropped some time later, this part of how long they are kept."""
_NONE: Rows = np.empty(0, np.intp)
_FEW = 16
"""Up to so many reads it is quicker to look at each by itself."""
_Read: TypeAlias = tuple[int, int, int, int, int]
"""Slot, token, issue, time and device."""
_BY_TIME = itemgetter(3, 2)


@dataclass(slots=True, eq=False)
class ReplacedMemory:
    """cards: one row per credential: its latest issue, and in µs when that was first read, when any
    was last, and the last use of an older one that was told, NEVER before the first.

    newest: (n,) the newest reading, µs · firing, since: (n,), nothing stands for long here · slack:
    for so long, µs, no card will be forgotten, at least; if negative, none is for longer.
    """

    firing: Bool
    since: Sparse[np.int64]
    newest: Sparse[np.int64]
    cards: Table = field(default_factory=Cards)
    slack: Micros = FORGOTTEN


def fresh_replaced(n: int) -> ReplacedMemory:
    """Of n communities nothing was heard."""
    return ReplacedMemory(np.zeros(n, np.bool_), Sparse(n, _NEVER), Sparse(n, _NEVER))


class _Reads(NamedTuple):
    """Cards that were read, (k,): where, whose, which, when, and by which device."""

    slot: I64
    token: I64
    issue: I32
    time: I64
    device: I64

    def take(self, rows: Rows) -> "_Reads":
        slot, token, issue, time, device = self
        return _Reads(
            slot.take(rows), token.take(rows), issue.take(rows), time.take(rows), device.take(rows)
        )


def fold(turn: Turn, memory: ReplacedMemory, rows: Rows) -> None:
    """Judge these rows of the rule's metric; `memory` is changed in place."""
    if not np.count_nonzero(turn.hearing.batch.issue):
        return
    reads = _naming(turn, rows)
    if not len(reads.slot):
        return
    memory.cards = cards = Cards.of(memory.cards)
    grown = (_few if len(reads.slot) <= _FEW else _many)(turn, memory, cards.found, reads)
    memory.slack -= grown
    if memory.slack < -_keep(turn) // _PUT_OFF:
        _drop(memory, cards, _keep(turn))


def tick(_turn: Turn, _memory: ReplacedMemory, _now: Micros) -> None:
    """Nothing follows from time alone."""


def _naming(turn: Turn, rows: Rows) -> _Reads:
    """Those of these rows that say which card was read, in the order of the hearing."""
    hearing, where = turn.hearing, cast("Replaced", turn.own.rule.condition).of.where
    device, issue = hearing.device.take(rows).astype(np.int64), hearing.issue.take(rows)
    slot = turn.own.slot[device].astype(np.int64)
    named = (slot >= 0) & (issue != NO_ISSUE)
    if where is not None:
        named &= where.evaluate(hearing.value.take(rows), turn.attributes(device))
    time, token = hearing.time.take(rows), hearing.token.take(rows)
    reads = _Reads(slot, token, issue, time, device)
    return reads if np.count_nonzero(named) == len(rows) else reads.take(named.nonzero()[0])


def _few(turn: Turn, memory: ReplacedMemory, found: Found, reads: _Reads) -> Micros:
    """Judge a few reads; how far the newest of a community has moved at most."""
    one = _OneByOne(turn, memory, found)
    read = sorted(zip(*(column.tolist() for column in reads), strict=True), key=_BY_TIME)
    newest = {slot: int(memory.newest[slot]) for slot in {this[0] for this in read}}
    grown = 0
    for this in read:
        slot, time = this[0], this[3]
        heard = newest[slot]
        one.judge(this, heard)
        if time > heard:
            newest[slot] = time
            grown += time - heard if heard != NEVER else 0
    memory.newest[list(newest)] = list(newest.values())
    return grown


def _many(turn: Turn, memory: ReplacedMemory, found: Found, reads: _Reads) -> Micros:
    """As `_few`, but one by one are judged only reads that say something new of a known card."""
    before = memory.newest[:]
    after = before.copy()
    np.maximum.at(after, reads.slot, reads.time)
    row = found.find(reads.slot, reads.token)
    known = _calm(found, reads, row, after - _keep(turn))
    new = _single(reads, (row < 0).nonzero()[0])
    if len(known) + len(new) < len(row):
        careful = np.ones(len(row), np.bool_)
        careful[known] = careful[new] = False
        _carefully(_OneByOne(turn, memory, found), reads, careful.nonzero()[0], before)
    if len(known):
        np.maximum.at(found.columns["newest"], row.take(known), reads.time.take(known))
    if len(new):
        slot, token, issue, time, _ = reads.take(new)
        never = np.full(len(new), NEVER, np.int64)
        found.put(slot, token=token, issue=issue, since=time, newest=time, told=never)
        memory.slack = min(memory.slack, int((time - after.take(slot)).min()) + _keep(turn))
    memory.newest[:] = after
    # Where nothing was heard before there is no card, and the difference is below 0.
    return int((after - before).max(initial=0))


def _calm(found: Found, reads: _Reads, row: I64, kept: I64) -> Rows:
    """Reads of a card that is known, of which nothing but the latest issue is read.

    kept: cards that were last read before that are forgotten, µs, by community.
    """
    there, columns = row >= 0, found.columns
    if not np.count_nonzero(there):
        return _NONE
    calm: Bool = columns["issue"].take(row) == reads.issue
    calm &= columns["newest"].take(row) >= kept.take(reads.slot)
    calm &= columns["since"].take(row) <= reads.time
    odd = there > calm
    if np.count_nonzero(odd):
        calm &= ~np.isin(row, row[odd])
    calm &= there
    return calm.nonzero()[0]


def _single(reads: _Reads, rows: Rows) -> Rows:
    """Of these the only reads of their card."""
    key = keys(reads.slot.take(rows), reads.token.take(rows))
    ordered = np.sort(key)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    return rows[~np.isin(key, again)] if len(again) else rows


def _carefully(one: "_OneByOne", reads: _Reads, rows: Rows, before: I64) -> None:
    """Judge these one by one in the order of their time; before: when communities were heard."""
    heard = _heard(reads, before).take(rows)
    reads = reads.take(rows)
    order = np.lexsort((reads.issue, reads.time))
    read = zip(*(column.tolist() for column in reads.take(order)), strict=True)
    for this, newest in zip(read, heard.take(order).tolist(), strict=True):
        one.judge(this, newest)


def _heard(reads: _Reads, before: I64) -> I64:
    """The newest reading of its community before each of these, µs; in the order of `_BY_TIME`."""
    order = np.lexsort((reads.issue, reads.time, reads.slot))
    slot, time = reads.slot.take(order), reads.time.take(order)
    heard = before.take(slot)
    same = (slot[1:] == slot[:-1]).nonzero()[0]
    heard[same + 1] = np.maximum(heard[same + 1], time[same])
    found = np.empty_like(heard)
    found[order] = heard
    return found


class _OneByOne:
    """Judges reads one by one, in the order of their time."""

    def __init__(self, turn: Turn, memory: ReplacedMemory, found: Found) -> None:
        self.turn, self.memory, self.found = turn, memory, found
        self.keep = _keep(turn)

    def judge(self, read: _Read, heard: Micros) -> None:
        """heard: the newest reading of the community before this one, µs."""
        slot, token, issue, time, device = read
        row = self.found.row_of(slot, token)
        if row < 0:
            self.found.put_one(slot, token, (issue, time, time, NEVER))
            slack = min(time - heard, 0) + self.keep
            self.memory.slack = min(self.memory.slack, slack)
            return
        columns = self.found.columns
        issues, since, newest, told = (
            columns[name] for name in ("issue", "since", "newest", "told")
        )
        latest, first, last = issues.item(row), since.item(row), newest.item(row)
        if last < heard - self.keep:
            issues[row], since[row], told[row] = issue, time, NEVER
        elif issue > latest:
            issues[row], since[row] = issue, time
        elif issue == latest:
            since[row] = min(first, time)
        elif time > max(first, told.item(row)) and self._is_active(time):
            told[row] = time
            self._tell(device, time)
        newest[row] = max(last, time)

    def _is_active(self, time: Micros) -> bool:
        return bool(self.turn.own.calendar.is_active(np.array([time]))[0])

    def _tell(self, device: int, time: Micros) -> None:
        subject = Subject(SubjectKind.DEVICE, device)
        rule, cause = self.turn.own.rule, Cause.OCCURRED
        self.turn.said.append(
            Transition(
                rule, subject, Change.FIRED, cause, time, time, (device,), 1.0, rule.severity
            )
        )


def _drop(memory: ReplacedMemory, cards: Cards, keep: Micros) -> None:
    """Forget cards that were not read for so long."""
    cards.keep(cards["newest"] >= memory.newest[cards.slot] - keep)
    left = cards["newest"] - memory.newest[cards.slot]
    memory.slack = int(left.min(initial=0)) + keep


def _keep(turn: Turn) -> Micros:
    return cast("Replaced", turn.own.rule.condition).keep
