"""Rules about replaced cards: true at each reading of a card after a later issue of it was read.

A card that is lost is replaced by one of the same credential and a higher `issue` (the issue level
of access control); whoever still uses the old one should not have it. Of each credential the latest
issue that was read is remembered, and since when. Each such use is an occurrence of its own, which
a person ends; one that is heard only after a later one was told is not told.
"""

from dataclasses import dataclass, field
from typing import TypeAlias, cast

import numpy as np

from devices.instant import NEVER, Micros
from devices.reading import Bool
from devices.token import NO_ISSUE
from rules.model import Replaced, SubjectKind
from rules.silence import Rows
from rules.sparse import Sparse
from rules.table import Table
from rules.transition import Cause, Change, Subject, Transition
from rules.turn import Turn

_NEVER = np.int64(NEVER)
_Key: TypeAlias = tuple[int, int]


def _cards() -> Table:
    return Table(token=np.int64, issue=np.int32, since=np.int64, newest=np.int64, told=np.int64)


@dataclass(slots=True, eq=False)
class ReplacedMemory:
    """cards: one row per credential: its latest issue, and in µs when that was first read, when any
    was last, and the last use of an older one that was told, NEVER before the first.

    newest: (n,) the newest reading, µs · firing, since: (n,), nothing stands for long here.
    """

    firing: Bool
    since: Sparse[np.int64]
    newest: Sparse[np.int64]
    cards: Table = field(default_factory=_cards)
    earliest: Micros = NEVER


def fresh_replaced(n: int) -> ReplacedMemory:
    """Of n communities nothing was heard."""
    return ReplacedMemory(np.zeros(n, np.bool_), Sparse(n, _NEVER), Sparse(n, _NEVER))


@dataclass(slots=True)
class _Card:
    """A row of the table."""

    issue: int
    since: Micros
    newest: Micros
    told: Micros = NEVER
    row: int = -1


def fold(turn: Turn, memory: ReplacedMemory, rows: Rows) -> None:
    """Judge these rows of the rule's metric; `memory` is changed in place."""
    if not np.count_nonzero(turn.hearing.batch.issue != NO_ISSUE):
        return
    rows = _naming(turn, rows)
    if len(rows):
        _Fold(turn, memory, rows).run()


def tick(_turn: Turn, _memory: ReplacedMemory, _now: Micros) -> None:
    """Nothing follows from time alone."""


def _naming(turn: Turn, rows: Rows) -> Rows:
    """Those of these rows that say which card was read, in the order of their time."""
    hearing, where = turn.hearing, cast("Replaced", turn.own.rule.condition).of.where
    slot = turn.own.slot[hearing.device[rows]]
    rows = rows[(slot >= 0) & (hearing.issue[rows] != NO_ISSUE)]
    if where is not None:
        holds = where.evaluate(hearing.value[rows], turn.attributes(hearing.device[rows]))
        rows = rows[holds]
    order = np.lexsort((hearing.issue[rows], hearing.time[rows]))
    return rows[order]


class _Fold:
    """One fold of one rule: the cards that these rows name."""

    def __init__(self, turn: Turn, memory: ReplacedMemory, rows: Rows) -> None:
        self.turn, self.memory = turn, memory
        self.keep = cast("Replaced", turn.own.rule.condition).keep
        hearing = turn.hearing
        self.slot = turn.own.slot[hearing.device[rows]]
        columns = (self.slot, hearing.token[rows], hearing.issue[rows])
        facts = (hearing.time[rows], hearing.device[rows])
        self.read = list(zip(*(c.tolist() for c in (*columns, *facts)), strict=True))
        self.newest = {slot: int(memory.newest[slot]) for slot in set(self.slot.tolist())}
        self.cards = self._known(np.unique(hearing.token[rows]))

    def run(self) -> None:
        for slot, token, issue, time, device in self.read:
            card = self.cards.setdefault((slot, token), _Card(issue, time, time))
            if card.newest < self.newest[slot] - self.keep:
                card.issue, card.since, card.told = issue, time, NEVER
            self.newest[slot] = max(self.newest[slot], time)
            if issue > card.issue:
                card.issue, card.since = issue, time
            elif issue == card.issue:
                card.since = min(card.since, time)
            elif time > max(card.since, card.told) and self._is_active(time):
                card.told = time
                self._tell(device, time)
            card.newest = max(card.newest, time)
        self._write()

    def _known(self, tokens: Rows) -> dict[_Key, _Card]:
        cards = self.memory.cards
        rows = np.flatnonzero(np.isin(cards["token"], tokens))
        columns = (cards.slot, *(cards[name] for name in ("token", "issue", "since", "newest")))
        found = zip(*(c[rows].tolist() for c in (*columns, cards["told"])), strict=True)
        numbered = zip(rows.tolist(), found, strict=True)
        return {
            (slot, token): _Card(issue, since, newest, told, row)
            for row, (slot, token, issue, since, newest, told) in numbered
        }

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

    def _write(self) -> None:
        """Note what these cards are now; forget those that were not read for long."""
        memory, cards = self.memory, self.memory.cards
        memory.newest.put(np.array(list(self.newest)), list(self.newest.values()))
        old = [card for card in self.cards.values() if card.row >= 0]
        rows = [card.row for card in old]
        for name in ("issue", "since", "newest", "told"):
            cards[name][rows] = [getattr(card, name) for card in old]
        new = {key: card for key, card in self.cards.items() if card.row < 0}
        if new:
            columns = {n: [getattr(c, n) for c in new.values()] for n in ("issue", "since")}
            further = {n: [getattr(c, n) for c in new.values()] for n in ("newest", "told")}
            tokens = [token for _, token in new]
            cards.add([slot for slot, _ in new], token=tokens, **columns, **further)
        cards.keep(cards["newest"] >= memory.newest[cards.slot] - self.keep)
