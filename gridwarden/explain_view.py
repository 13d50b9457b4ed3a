"""The explanation of an alert, as text for people and as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson
import typer
from rich.table import Table

from alerts.web.language import Speaker
from devices.instant import Micros, format_duration, to_datetime, to_micros
from devices.metric import BY_NAME
from devices.reading import Json
from gridwarden.cli_devices import printable
from gridwarden.cli_ledger import show
from gridwarden.explain_words import word
from gridwarden.explaining import Explanation, Heard
from rules.account import Before
from rules.recall import Fact

_SOME = 3
"""So many of the devices that were silent are named."""

_OF_NAMES = {
    ("InARow", "moment.last"): "moment.last_of_row",
    ("RiskIndex", "number.value"): "number.index",
    ("Baseline", "number.value"): "number.deviation",
    ("Occupancy", "number.total"): "number.devices",
}
"""What a name means in some kinds."""


def tell_json(found: Explanation) -> None:
    """One JSON object; instants in RFC 3339, UTC."""
    typer.echo(orjson.dumps(_fields(found)).decode())


def tell(found: Explanation, limit: int, language: str) -> None:
    """Text and tables in zh or en, in the site's time; the newest `limit` of what there is much."""
    view = _View(found, limit, language)
    for part in (view.head(), view.rule(), view.readings(), view.account(), view.told()):
        for line in part:
            if isinstance(line, Table):
                show(line)
            else:
                typer.echo(line)


@dataclass(frozen=True, slots=True)
class _View:
    found: Explanation
    limit: int
    language: str

    def say(self, key: str, **parts: object) -> str:
        return word(key, self.language, **parts)

    def head(self) -> Iterator[str]:
        """What it is about, and since when."""
        alert, speak = self.found.alert, Speaker(self.language)
        yield self.say(
            "alert",
            id=alert.id,
            title=printable(speak.name(alert.title)),
            rule=alert.rule_code,
            severity=speak.of("severity", alert.severity),
            category=alert.category,
            place=self.found.place,
            state=speak.of("state", alert.state),
        )
        yield self.say(
            "times",
            since=self.local(alert.since),
            due=self.local(alert.fired_at),
            opened=self.local(alert.opened_at),
        )
        yield self.say("zone", zone=self.found.zone)

    def rule(self) -> Iterator[str]:
        """The rule's text as it was."""
        then = self.found.rule
        if then is None:
            return
        end = then.valid_to
        until = "" if end is None else self.say("rule.until", end=self.local(end))
        begin = self.local(then.valid_from)
        yield ""
        yield self.say("rule", source=then.source, line=then.line, begin=begin, until=until)
        for line in then.text.splitlines():
            yield f"    {printable(line)}"

    def readings(self) -> Iterator[str | Table]:
        """The readings from the last before the span on."""
        listed = list(self.found.readings)
        left = len(listed) - self.limit
        more = self.say("readings.left", n=left) if left > 0 else ""
        yield ""
        yield self.say("readings", n=len(listed)) + more
        judged = any(one.holds is not None for one in listed)
        names = ("time", "arrival", "device", "metric", "value")
        table = self.table(*names, *(("condition",) if judged else ()))
        for one in listed[-self.limit :] if self.limit else []:
            said = ["" if one.holds is None else self.say("holds" if one.holds else "holds.not")]
            value = f"{one.value:g} {self.unit(one.metric)}".strip()
            moments = self.moment(one.time), self.moment(one.arrival)
            row = (*moments, one.device, self.metric(one.metric), value, *said)
            table.add_row(*row[: len(table.columns)])
        if table.row_count:
            yield table

    def account(self) -> Iterator[str]:
        """What the rule remembered just before, and what the replay says."""
        account = self.found.account
        yield ""
        if account is None:
            yield self.say("before.not", why=self.say(self.found.why_not))
            return
        beside = len(self.found.beside)
        others = self.say("others", n=beside)
        yield self.say("before.with", others=others) if beside else self.say("before")
        for line in self.before(account.before):
            yield f"    {line}"
        fired = account.fired
        if fired is None:
            yield f"    {self.say('fires.not')}"
            return
        lasted = fired.at - fired.since
        after = self.say("fires.after", after=format_duration(lasted)) if lasted else ""
        cause = Speaker(self.language).of("cause", fired.cause)
        value = "" if fired.value is None else self.say("fires.value", value=f"{fired.value:.6g}")
        said = self.say("fires", at=self.moment(fired.at), after=after, cause=cause, value=value)
        yield f"    {said}"

    def before(self, before: Before) -> Iterator[str]:
        """The state just before, line by line."""
        for name, at in before.moments.items():
            if at is not None:
                what = self.named("moment", name)
                yield self.say("line", what=what, said=self.moment(at))
            elif name == "pending":
                yield self.say("moment.pending.not")
        for name, number in before.numbers.items():
            yield self.say("line", what=self.named("number", name), said=f"{number:.6g}")
        yield from self.facts(before)
        yield from self.silent(before)
        yield from self.quiet(before)

    def silent(self, before: Before) -> Iterator[str]:
        """From when its devices would be silent, and which were by then."""
        fired = to_micros(self.found.alert.fired_at)
        alive = [(d, at) for d, at in before.silent.items() if at is None or at >= fired]
        for device, at in alive[: self.limit]:
            yield self.say("silent", device=self.code(device), at=self.moment(at))
        if len(alive) > self.limit:
            yield self.say("fact.more", n=len(alive) - self.limit)
        gone = [self.code(d) for d, at in before.silent.items() if at is not None and at < fired]
        if gone:
            some = ", ".join(gone[:_SOME]) + (", …" if len(gone) > _SOME else "")
            yield self.say("silent.then", n=len(gone), devices=some)

    def quiet(self, before: Before) -> Iterator[str]:
        """Which rules kept it quiet, or might have."""
        if before.quiet:
            yield self.say("quiet", rules=", ".join(before.quiet))
        elif self.found.unless:
            yield self.say("quiet.none", rules=", ".join(self.found.unless))
        if before.held is not None:
            yield self.say("quiet.held", at=self.moment(before.held.at))

    def facts(self, before: Before) -> Iterator[str]:
        """What there may be several of; the last ones, for the earlier are the older."""
        earlier = [f"{f.number:g}" for f in before.facts if f.what == "earlier"]
        if earlier:
            yield self.say("fact.earlier", numbers=", ".join(earlier))
        others = [f for f in before.facts if f.what != "earlier"]
        for fact in others[-self.limit :] if self.limit else []:
            yield self.fact(fact)
        if len(others) > self.limit:
            yield self.say("fact.more", n=len(others) - self.limit)

    def fact(self, fact: Fact) -> str:
        """One of them."""
        key = f"fact.{fact.what}"
        if fact.what.startswith("open_"):
            key, colour = "fact.open", fact.what.removeprefix("open_")
        else:
            colour = ""
        if fact.what == "parameter" and fact.at is None:
            key = "fact.parameter.not"
        return self.say(
            key,
            device=self.code(fact.device),
            metric=self.metric(fact.metric),
            unit=self.unit(fact.metric),
            at=self.moment(fact.at),
            until=self.moment(fact.until),
            number="" if fact.number is None else f"{fact.number:g}",
            colour=Speaker(self.language).of("severity", colour),
        )

    def told(self) -> Iterator[str | Table]:
        """Who was told, why they, and whether it arrived."""
        speak = Speaker(self.language)
        reason = speak.of("cause", self.found.alert.route_reason)
        yield ""
        yield self.say("told", reason=reason)
        names = ("member", "role", "why", "channel", "occasion", "state", "written", "delivered")
        table = self.table(*names)
        for one in self.found.told:
            table.add_row(
                one.code,
                one.role or "-",
                speak.of("cause", one.reason) if one.reason else "-",
                one.channel or "-",
                speak.of("occasion", one.occasion) if one.occasion else "-",
                one.state or "-",
                "-" if one.created_at is None else self.local(one.created_at),
                "-" if one.delivered_at is None else self.local(one.delivered_at),
            )
        if self.found.told:
            yield table
        else:
            yield f"    {self.say('told.nobody')}"

    def table(self, *columns: str) -> Table:
        """An empty one with these columns."""
        return Table(*(self.say(f"column.{name}") for name in columns), box=None)

    def named(self, family: str, name: str) -> str:
        """What this is called in a rule of this kind."""
        key = f"{family}.{name}"
        return self.say(_OF_NAMES.get((self.found.condition, key), key))

    def code(self, device: int | None) -> str:
        """COMMUNITY/CODE of the device."""
        return "-" if device is None else self.found.codes.get(device, str(device))

    def metric(self, name: str) -> str:
        """The metric by its name in this language, and by that in rules."""
        known = BY_NAME.get(name)
        return f"{known.zh} {name}" if known and self.language == "zh" else name

    def unit(self, name: str) -> str:
        """Its unit; '' for what has none."""
        unit = BY_NAME[name].unit if name in BY_NAME else ""
        return "" if unit == "1" else unit

    def moment(self, at: Micros | None) -> str:
        """In the site's time."""
        return "-" if at is None else self.local(to_datetime(at))

    def local(self, at: datetime) -> str:
        """In the site's time, with milliseconds where there are any."""
        local = at.astimezone(self.found.zone)
        exact = "milliseconds" if local.microsecond else "seconds"
        return local.replace(tzinfo=None).isoformat(" ", exact)


def _fields(found: Explanation) -> dict[str, Json]:
    alert, then = found.alert, found.rule
    return {
        "alert": alert.id,
        "rule": alert.rule_code,
        "category": alert.category,
        "severity": alert.severity,
        "state": alert.state,
        "subject": alert.subject_kind,
        "place": found.place,
        "since": _utc(alert.since),
        "fired": _utc(alert.fired_at),
        "opened": _utc(alert.opened_at),
        "value": alert.value,
        "rule_then": None
        if then is None
        else {
            "source": then.source,
            "line": then.line,
            "text": then.text,
            "valid_from": _utc(then.valid_from),
            "valid_to": None if then.valid_to is None else _utc(then.valid_to),
        },
        "readings": [_reading(one) for one in found.readings],
        "before": None if found.account is None else _before(found.account.before, found),
        "replayed": None
        if found.account is None or found.account.fired is None
        else {
            "since": _iso(found.account.fired.since),
            "fired": _iso(found.account.fired.at),
            "cause": str(found.account.fired.cause),
        },
        "why_not": found.why_not or None,
        "route_reason": alert.route_reason,
        "told": [
            {
                "member": one.code,
                "role": one.role,
                "reason": one.reason,
                "channel": one.channel,
                "occasion": one.occasion,
                "state": one.state,
                "delivered": None if one.delivered_at is None else _utc(one.delivered_at),
            }
            for one in found.told
        ],
    }


def _reading(one: Heard) -> dict[str, Json]:
    return {
        "time": _iso(one.time),
        "arrival": _iso(one.arrival),
        "device": one.device,
        "metric": one.metric,
        "value": one.value,
        "holds": one.holds,
    }


def _before(before: Before, found: Explanation) -> dict[str, Json]:
    moments: dict[str, Json] = {name: _iso(at) for name, at in before.moments.items()}
    silent: dict[str, Json] = {
        found.codes.get(device, str(device)): _iso(at) for device, at in before.silent.items()
    }
    counted: list[Json] = [_iso(at) for at in before.counted]
    facts: list[Json] = [
        {
            "what": fact.what,
            "device": None if fact.device is None else found.codes.get(fact.device),
            "metric": fact.metric or None,
            "at": _iso(fact.at),
            "until": _iso(fact.until),
            "number": fact.number,
        }
        for fact in before.facts
    ]
    numbers: dict[str, Json] = dict(before.numbers)
    held = None if before.held is None else _iso(before.held.at)
    return {
        **moments,
        "value": before.numbers.get("value"),
        "numbers": numbers,
        "counted": counted,
        "facts": facts,
        "silent_at": silent,
        "kept_quiet_by": list(before.quiet),
        "held_back_at": held,
    }


def _iso(at: Micros | None) -> str | None:
    return None if at is None else to_datetime(at).isoformat()


def _utc(moment: datetime) -> str:
    return moment.astimezone(to_datetime(0).tzinfo).isoformat()
