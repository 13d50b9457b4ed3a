"""The plain loop of replaced cards: of each credential the latest issue that was read."""

from collections.abc import Iterable
from operator import itemgetter

from devices.instant import NEVER, Micros
from rules.model import Replaced
from rules.plan import RulePlan
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Row, Track

_TIME_AND_ISSUE = itemgetter(0, 9)


class _Card:
    """The latest issue of a credential: since when it is read, and an older one was told last."""

    __slots__ = ("issue", "newest", "since", "told")

    def __init__(self, issue: int, time: Micros) -> None:
        self.issue, self.since, self.newest, self.told = issue, time, time, NEVER


class CardTrack(Track):
    """A card is read of which a later issue was read before."""

    whole = True

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, Replaced)
        self._where, self._keep = self.closure(condition.of.where), condition.keep
        self._heard: list[Row] = []
        self._newest: dict[Key, Micros] = {}
        self._cards: dict[tuple[Key, int], _Card] = {}

    def read(self, row: Row) -> None:
        if row.issue and row.device in self.subject and self._where(row.value, row.device):
            self._heard.append(row)

    def take_changed(self) -> Iterable[Key]:
        if self._heard:
            self._heard.sort(key=_TIME_AND_ISSUE)
            for row in self._heard:
                self._take(row, self.subject[row.device])
            self._heard = []
        return ()

    def _take(self, row: Row, key: Key) -> None:
        time, newest = row.time, self._newest.get(key, NEVER)
        card = self._cards.get((key, row.token))
        if card is None or card.newest < newest - self._keep:
            card = self._cards[key, row.token] = _Card(row.issue, time)
        elif row.issue > card.issue:
            card.issue, card.since = row.issue, time
        elif row.issue == card.issue:
            card.since = min(card.since, time)
        elif time > max(card.since, card.told):
            card.told = time
            if self.is_active(time):
                ids, span = (row.device,), (time, time)
                self.say(
                    Change.FIRED,
                    Cause.OCCURRED,
                    key,
                    span,
                    value=1.0,
                    devices=ids,
                    about=row.device,
                )
        card.newest = max(card.newest, time)
        if time > newest:
            self._newest[key] = time
