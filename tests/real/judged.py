"""Recorded readings judged as `gridwarden rules replay` judges them, and what came of it."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from devices.instant import MINUTE, Micros, to_datetime
from devices.inventory import Inventory
from gridwarden.backtest import LeftOut
from gridwarden.backtest_file import read_recording
from gridwarden.backtest_ground import ground_of_site
from gridwarden.replay import Reader
from gridwarden.rule_library import library_texts
from gridwarden.site import check_files
from ingest.decode import Limits
from rules.model import Rule, SubjectKind
from rules.plan import make_plan
from rules.replay import Replay, cut, steps
from rules.spell import Spell, Spells
from rules.transition import Subject, Transition
from tests.real.source import Converted

Figures = dict[str, object]
"""What was found, to be printed as one JSON object."""

LIMITS = Limits(earliest=0, max_ahead=5 * MINUTE)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the rules said of a recording. start, end: µs since epoch, UTC."""

    rules: Sequence[Rule]
    inventory: Inventory
    said: Sequence[Transition]
    alerts: Sequence[Spell]
    left_out: LeftOut
    readings: int
    start: Micros
    end: Micros

    def of(self, *codes: str) -> list[Spell]:
        """The alerts of these rules, by when they fired."""
        return [alert for alert in self.alerts if alert.rule.code in codes]

    def place(self, subject: Subject) -> str:
        """The code of a device, a household or an area."""
        if subject.kind is SubjectKind.DEVICE:
            return self.inventory.devices[subject.id].code
        if subject.kind is SubjectKind.HOUSEHOLD:
            return self.inventory.households[subject.id].code
        return self.inventory.areas[subject.id].code


def judged(converted: Converted, community: str, *, every: Micros = MINUTE) -> Judged:
    """All rules of the converted site over all of its rows, in batches of `every` µs."""
    site, rules = check_files(converted.site)
    ground = ground_of_site(site)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recorded.csv"
        file.write_text(converted.csv(), "utf-8")
        recording = read_recording(
            file, Reader("recorded.csv", community), ground.inventory, LIMITS
        )
    plan = make_plan(rules, ground.inventory, ground.zone)
    said, spells, count = list[Transition](), Spells(), 0
    own = Replay.begin(plan, recording.start)
    batches = (batch for rows in recording.readings for batch in cut(rows, every))
    for step in steps(batches, recording.start, recording.end):
        count += len(step.batch)
        now = own.take(step)
        said += now
        spells.take(now)
        for failure in own.failures:
            raise failure.error
    return Judged(
        rules,
        ground.inventory,
        said,
        spells.all(),
        recording.left_out,
        count,
        recording.start,
        recording.end,
    )


def library_rule(code: str, **change: object) -> dict[str, object]:
    """A rule of the library as data, with these keys changed."""
    (found,) = (
        item
        for text in library_texts().values()
        for item in yaml.safe_load(text)
        if item["id"] == code
    )
    return {**found, **change}


def when(moment: Micros | None) -> datetime | None:
    """An instant as an aware datetime, UTC."""
    return None if moment is None else to_datetime(moment)


def told(own: Judged, alerts: Sequence[Spell]) -> Iterator[dict[str, object]]:
    """Each alert as a record: rule, place, since, fired, until (RFC 3339), why, the first value."""
    for one in alerts:
        until = when(one.until)
        yield {
            "rule": one.rule.code,
            "place": own.place(one.subject),
            "since": to_datetime(one.since).isoformat(),
            "fired": to_datetime(one.fired).isoformat(),
            "until": until and until.isoformat(),
            "why": str(one.cause),
            "value": one.value,
        }
