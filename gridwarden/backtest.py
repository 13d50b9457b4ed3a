"""A backtest: recorded readings through rules, and what they would have told.

Nothing is written: no alert, no cursor. Who would have been told is asked of the code that routes
alerts, with the duties of that time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import cache

from alerts.model import Duty
from alerts.place import locate
from alerts.routing import by_area, route
from devices.instant import SECOND, Micros, to_datetime
from devices.inventory import Inventory
from devices.reading import Batch
from rules.evaluate import Failure
from rules.model import Rule
from rules.plan import Plan, make_plan
from rules.replay import Replay, cut_across, steps
from rules.spell import Spell, Spells

USUAL_BATCH: Micros = 1 * SECOND
LARGE_BATCH: Micros = 60 * SECOND
LARGE = 20_000
"""With so many devices or more the larger batch is the usual one: docs/backtests.md."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The site on which it is played. members: code by id, as in the duties.

    private: whether places and values of alerts about people stay unsaid: the readings are the
    service's own, and a look at them would have to be on record.
    """

    inventory: Inventory
    rules: Sequence[Rule]
    duties: Sequence[Duty]
    members: Mapping[int, str]
    zone: tzinfo
    private: bool = False

    def usual_batch(self) -> Micros:
        """How much is judged at once where nobody says it, µs."""
        return LARGE_BATCH if len(self.inventory.devices) >= LARGE else USUAL_BATCH


@dataclass(slots=True)
class LeftOut:
    """Readings that the service would have refused, or of devices that the site does not have."""

    unknown: Counter[str] = field(default_factory=Counter)
    out_of_range: int = 0
    impossible_time: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Readings by arrival, and what was left out of them so far. start, end: µs, UTC."""

    readings: Iterable[Batch]
    start: Micros
    end: Micros
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one set of rules said: its alerts by when they fired, and rules that failed inside.

    watched: how many subjects each rule has on the site, by its code.
    """

    rules: Sequence[Rule]
    watched: Mapping[str, int]
    spells: Sequence[Spell]
    failures: Sequence[Failure]


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """All runs of a backtest, one for each set of rules; readings: how many were judged."""

    runs: Sequence[Run]
    readings: int


Tell = Callable[[Micros], None]


def play(
    ground: Ground,
    sets: Sequence[Sequence[Rule]],
    recording: Recording,
    every: Micros,
    tell: Tell = lambda _: None,
) -> Played:
    """Each of these sets of rules over the same readings, judged in batches of `every` µs.

    tell: is told up to which instant it is.
    """
    plans = [make_plan(rules, ground.inventory, ground.zone) for rules in sets]
    runs = [Replay.begin(plan, recording.start) for plan in plans]
    heard = [Spells() for _ in runs]
    count = 0
    for step in steps(_batches(recording.readings, every), recording.start, recording.end):
        count += len(step.batch)
        for run, spells in zip(runs, heard, strict=True):
            spells.take(run.take(step))
        tell(step.now)
    return Played(
        [
            Run(rules, _watched(plan), spells.all(), tuple(run.failures))
            for rules, plan, spells, run in zip(sets, plans, heard, runs, strict=True)
        ],
        count,
    )


def _watched(plan: Plan) -> Mapping[str, int]:
    return {bound.rule.code: len(bound.subject_ids) for bound in plan.rules}


def _batches(readings: Iterable[Batch], every: Micros) -> Iterator[Batch]:
    return cut_across(_ahead(readings), every)


def _ahead(readings: Iterable[Batch]) -> Iterator[Batch]:
    """The same, each got while the one before it is judged."""
    source = iter(readings)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, None)
        while (rows := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield rows


@dataclass(frozen=True, slots=True)
class Load:
    """Whom alerts would have been brought to. alerts: by member's code and local date.

    nobody: how many by category for which nobody was on duty.
    """

    alerts: Mapping[tuple[str, date], int]
    nobody: Mapping[str, int]


def load_of(spells: Iterable[Spell], ground: Ground) -> Load:
    """Each alert to the members who were on duty for it where and when it fired."""
    routed = Router(ground)
    alerts: Counter[tuple[str, date]] = Counter()
    nobody: Counter[str] = Counter()
    for spell in spells:
        members = routed.members(spell)
        day = to_datetime(spell.fired).astimezone(ground.zone).date()
        alerts.update((member, day) for member in members)
        if not members:
            nobody[spell.rule.category] += 1
    return Load(alerts, nobody)


class Router:
    """Asks who would have been told, of the code that routes alerts."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._duties = by_area(ground.duties)
        self._path = cache(lambda subject: locate(subject, ground.inventory).path)

    def members(self, spell: Spell) -> list[str]:
        """Codes of the members on duty for this alert when it fired, in order."""
        path = self._path(spell.subject)
        duties = (duty for area in path for duty in self._duties.get(area, ()))
        told = route(path, spell.rule.category, duties, spell.fired).recipients
        return sorted(self._ground.members[recipient.member] for recipient in told)
