"""Occupancy rules as a plain loop over words and silences of devices."""

from typing import NamedTuple

from devices.instant import NEVER, Micros
from rules.model import Occupancy
from rules.plan import RulePlan
from rules.transition import Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track
from tests.rules.oracle_spans import Point, Span


class Word(NamedTuple):
    """word: True, False, or None for unknown."""

    time: Micros
    silence: bool
    device: int
    word: bool | None


class OccupancyTrack(Track):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, Occupancy)
        self.condition = own.rule.condition
        how = self.condition.judging
        self.spans = {subject: Span(self, subject, how) for subject in own.subjects}
        self.word: dict[int, bool | None] = {}
        self.at: dict[int, Micros] = {}
        self.rows: list[Row] = []
        self.silences: list[Word] = []

    def judge(self, row: Row) -> None:
        if row.device in self.subject:
            self.rows.append(row)

    def returned(self, device: int, time: Micros) -> None:
        at = self.silent_at(device)
        if device in self.subject and time > at:
            self.silences.append(Word(at, True, device, None))

    def tick(self, now: Micros) -> None:
        for subject, span in self.spans.items():
            self._judge(subject, span, now)
        self.rows, self.silences = [], []

    def _judge(self, subject: Subject, span: Span, now: Micros) -> None:
        mine = [d for d in self.devices[subject] if d in self.subject]
        rows = [row for row in self.rows if row.device in mine]
        words = [Word(r.time, False, r.device, self._word(r)) for r in rows]
        words += [word for word in self.silences if word.device in mine]
        accepted = self._accepted(words)
        states, since = dict(self.word), dict(self.at)
        for word in accepted:
            states[word.device], since[word.device] = word.word, word.time
        until = max([now, *(row.heard for row in rows)])
        for device in mine:
            at = self.silent_at(device)
            if states.get(device) is not None and at + self.stream.lag[device] <= until:
                accepted.append(Word(at, True, device, None))
        self._apply(span, mine, accepted)
        span.until(now - max(self.stream.lag[d] for d in self.devices[subject]))
        for word in sorted(accepted):
            self.word[word.device], self.at[word.device] = word.word, word.time

    def _word(self, row: Row) -> bool | None:
        if self.holds(self.condition.where, row):
            return True
        return False if self.fails(self.condition.where, row) else None

    def _accepted(self, words: list[Word]) -> list[Word]:
        accepted = []
        at = dict(self.at)
        for word in sorted(words, key=lambda w: (w.time, w.silence)):
            last = at.get(word.device, NEVER)
            if word.time > last or (word.silence and word.time == last):
                accepted.append(word)
                at[word.device] = word.time
        return accepted

    def _apply(self, span: Span, mine: list[int], words: list[Word]) -> None:
        """Each word in the order of time, and what the numbers are after it."""
        before = dict(self.word)

        def so(at: Micros) -> list[int] | None:
            states = dict(before)
            for word in sorted(words, key=lambda w: (w.time, w.silence)):
                if word.time <= at:
                    states[word.device] = word.word
            return [d for d in mine if states.get(d)] or None

        span.causes = so
        states, points = dict(before), []
        heard = span.heard
        for word in sorted(words, key=lambda w: (max(w.time, heard), w.time, w.silence)):
            if word.word is None and states.get(word.device) is None:
                continue
            states[word.device] = word.word
            known = [states[d] for d in mine if states.get(d) is not None]
            points.append(self._point(max(word.time, heard), known, len(mine)))
        span.take(points)

    def _point(self, time: Micros, known: list[bool | None], devices: int) -> Point:
        if not known or len(known) < self.condition.known * devices:
            return Point(time, None)
        number, total = float(sum(bool(w) for w in known)), float(len(known))
        numbers = {"share": number / total, "number": number, "total": total}
        return Point(time, numbers | {"value": number / total}, numbers[self.condition.told])


TRACKS[Occupancy] = OccupancyTrack
