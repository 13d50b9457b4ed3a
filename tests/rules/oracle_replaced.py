"""Replaced cards as a plain loop over readings."""

from devices.instant import NEVER, Micros
from rules.model import Replaced, SubjectKind
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject, Transition
from tests.rules.oracle_core import TRACKS, Row, Stream, Track

Card = tuple[Subject, int]
"""Where, and the credential."""


class ReplacedTrack(Track):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, Replaced)
        self.condition = own.rule.condition
        self.heard: list[Row] = []
        self.newest: dict[Subject, Micros] = {}
        self.cards: dict[Card, tuple[int, Micros, Micros, Micros]] = {}

    def judge(self, row: Row) -> None:
        if row.device in self.subject and row.issue and self.holds(self.condition.of.where, row):
            self.heard.append(row)

    def tick(self, now: Micros) -> None:  # noqa: ARG002
        for row in sorted(self.heard, key=lambda r: (r.time, r.issue)):
            subject = self.subject[row.device]
            forgotten = self.newest.get(subject, NEVER) - self.condition.keep
            fresh = (row.issue, row.time, row.time, NEVER)
            known = self.cards.get((subject, row.token), fresh)
            issue, since, read, told = known if known[2] >= forgotten else fresh
            if row.issue > issue:
                issue, since = row.issue, row.time
            elif row.issue == issue:
                since = min(since, row.time)
            elif row.time > max(since, told) and self.is_active(row.time):
                told = row.time
                about, change = Subject(SubjectKind.DEVICE, row.device), Change.FIRED
                self.said.append(
                    Transition(
                        self.rule,
                        about,
                        change,
                        Cause.OCCURRED,
                        told,
                        told,
                        (about.id,),
                        1.0,
                        self.rule.severity,
                    )
                )
            self.cards[subject, row.token] = (issue, since, max(read, row.time), told)
            self.newest[subject] = max(self.newest.get(subject, NEVER), row.time)
        self.heard = []


TRACKS[Replaced] = ReplacedTrack
