"""A backtest shown: tables for people, JSON lines for programs."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo

import orjson
import typer
from rich.table import Table

from devices.instant import SECOND, Micros, format_duration, to_datetime
from devices.reading import Json
from gridwarden.backtest import Router
from gridwarden.backtest_report import (
    Outcome,
    alert_fields,
    changes,
    longest,
    score_fields,
    sum_fields,
    tallies,
    whereabouts,
)
from gridwarden.cli_ledger import show
from rules.detection import Detection, Score
from rules.difference import Difference
from rules.spell import Spell

_SHOWN_UNKNOWN = 5


def tell_json(outcome: Outcome) -> None:
    """One object a line: every alert, what differs, who is told how much, scores; then the sum."""
    for line in _lines(outcome):
        typer.echo(orjson.dumps(line).decode())


def _lines(outcome: Outcome) -> Iterator[dict[str, Json]]:
    router = Router(outcome.ground)
    for spell in outcome.spells:
        yield {"alert": alert_fields(spell, outcome, router)}
    if outcome.difference is not None:
        yield from _differences(outcome, outcome.difference, router)
    for one in tallies(outcome):
        counts: dict[str, Json] = {
            "rule": one.rule.code,
            "watches": one.watched,
            "alerts": one.alerts,
            "standing": one.standing,
            "lasted_s": one.lasted / SECOND,
        }
        yield {"total": counts}
    for (member, day), count in sorted(outcome.load.alerts.items()):
        yield {"member": member, "day": day.isoformat(), "alerts": count}
    for name, found in (("detection", outcome.detection), ("detection_before", outcome.before)):
        if found is not None:
            for code, score in found.rules.items():
                yield {name: {"rule": code, **score_fields(score)}}
            missed: list[Json] = [incident.name for incident in found.missed]
            yield {name: {**score_fields(found.whole), "missed": missed}}
    nobody: dict[str, Json] = dict(outcome.load.nobody)
    yield {"sum": {**sum_fields(outcome), "nobody": nobody, "outside": outcome.outside}}


def _differences(
    outcome: Outcome, difference: Difference, router: Router
) -> Iterator[dict[str, Json]]:
    for spell in difference.added:
        yield {"only_new": alert_fields(spell, outcome, router)}
    for spell in difference.removed:
        yield {"only_old": alert_fields(spell, outcome, router)}
    for code, (same, moved, added, removed) in changes(difference).items():
        counts: dict[str, Json] = {
            "rule": code,
            "same": same,
            "moved": moved,
            "only_new": added,
            "only_old": removed,
        }
        yield {"change": counts}


def tell(outcome: Outcome, limit: int) -> None:
    """Tables; at most `limit` rows of those that list alerts."""
    zone = outcome.ground.zone
    _tell_span(outcome, zone)
    _tell_rules(outcome)
    if outcome.difference is not None:
        _tell_difference(outcome, outcome.difference, limit)
    for title, found in (("old rules", outcome.before), ("found and missed", outcome.detection)):
        if found is not None:
            _tell_detection(title, found, outcome.outside)
    _tell_load(outcome)
    if outcome.spells and limit:
        typer.echo("\nlongest:")
        _tell_spells(outcome, longest(outcome, limit), limit)
    span = (outcome.end - outcome.start) / SECOND
    typer.echo(
        f"\n{outcome.seconds:.1f} s: {outcome.played.readings / outcome.seconds:.0f} readings/s,"
        f" {span / outcome.seconds:.0f} times as fast as they came"
    )


def _tell_span(outcome: Outcome, zone: tzinfo) -> None:
    typer.echo(
        f"{_local(outcome.start, zone)} to {_local(outcome.end, zone)}: "
        f"devices {len(outcome.ground.inventory.devices)}, "
        f"readings {outcome.played.readings}, in batches of {format_duration(outcome.every)}"
    )
    left_out = outcome.left_out
    unknown = sum(left_out.unknown.values())
    if unknown:
        named = [code for code, _ in left_out.unknown.most_common(_SHOWN_UNKNOWN)]
        more = ", …" if len(left_out.unknown) > len(named) else ""
        typer.echo(
            f"left out, of devices that the site does not have: {unknown} "
            f"({', '.join(named)}{more})"
        )
    if left_out.out_of_range or left_out.impossible_time:
        typer.echo(
            f"left out as the service refuses them: out of range {left_out.out_of_range}, "
            f"impossible time {left_out.impossible_time}"
        )
    for run in outcome.played.runs:
        for failure in run.failures:
            typer.echo(f"rule {failure.rule.code} failed and was left out: {failure.error!r}")


def _tell_rules(outcome: Outcome) -> None:
    headings = ("severity", "watches", "alerts", "standing at the end", "lasted in all")
    table = Table("rule", *headings, box=None)
    for one in tallies(outcome):
        rule = one.rule
        lasted = _span(one.lasted) if one.alerts else "-"
        counts = (one.watched, one.alerts, one.standing)
        table.add_row(rule.code, str(rule.severity), *map(str, counts), lasted)
    show(table)
    typer.echo(f"alerts {len(outcome.spells)}")


def _tell_difference(outcome: Outcome, difference: Difference, limit: int) -> None:
    typer.echo("\nagainst the old rules:")
    table = Table("rule", "same", "of these moved", "only new", "only old", box=None)
    for code, counts in changes(difference).items():
        table.add_row(code, *map(str, counts))
    show(table)
    for title, spells in (("only new", difference.added), ("only old", difference.removed)):
        if spells:
            typer.echo(f"{title}: {len(spells)}")
            _tell_spells(outcome, spells[:limit], limit)


def _tell_spells(outcome: Outcome, spells: Sequence[Spell], limit: int) -> None:
    zone = outcome.ground.zone
    table = Table("rule", "place", "since", "fired", "lasted", box=None)
    for spell in spells[:limit]:
        still = " and on" if spell.until is None else ""
        table.add_row(
            spell.rule.code,
            whereabouts(spell, outcome.ground.inventory).shown(outcome.ground),
            _local(spell.since, zone),
            _local(spell.fired, zone),
            _span(spell.lasted(outcome.end)) + still,
        )
    show(table)


def _tell_detection(title: str, found: Detection, outside: int) -> None:
    typer.echo(f"\n{title}:")
    headings = ("alerts", "right", "precision", "incidents", "found", "recall", "time to tell")
    table = Table("rule", *headings, "at most", box=None)
    for code, score in found.rules.items():
        table.add_row(code, *_score(score))
    table.add_row("in all", *_score(found.whole))
    show(table)
    if found.missed:
        typer.echo(f"missed: {', '.join(sorted({one.name for one in found.missed}))}")
    if outside:
        typer.echo(f"incidents outside the recording, not counted: {outside}")


def _score(score: Score) -> Iterable[str]:
    delay = score.median_delay
    return (
        str(score.alerts),
        str(score.right),
        _percent(score.precision),
        str(score.incidents),
        str(score.found),
        _percent(score.recall),
        "-" if delay is None else _span(delay),
        _span(score.delays[-1]) if score.delays else "-",
    )


def _tell_load(outcome: Outcome) -> None:
    load = outcome.load
    if load.alerts:
        typer.echo("\nwho would have been told:")
        table = Table("member", "day", "alerts", box=None)
        for (member, day), count in sorted(load.alerts.items()):
            table.add_row(member, day.isoformat(), str(count))
        show(table)
    for category, count in sorted(load.nobody.items()):
        typer.echo(f"nobody was on duty for {count} alerts of the category {category}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _span(span: Micros) -> str:
    """To the second."""
    return format_duration(round(span / SECOND) * SECOND)


def _local(instant: Micros, zone: tzinfo) -> str:
    return to_datetime(instant).astimezone(zone).isoformat(" ", "seconds")
