"""The explanation of an alert, as text for people and as JSON."""

from collections.abc import Iterable
from datetime import datetime

import orjson
import typer
from rich.table import Table

from devices.instant import Micros, format_duration, to_datetime
from devices.reading import Json
from gridwarden.cli_devices import printable
from gridwarden.cli_ledger import show
from gridwarden.explaining import Explanation, Heard
from rules.account import Before

_NAMES = {
    "judged": "last judged reading",
    "pending": "true without a break since",
    "last": "last heard of what counts",
    "due": "so it was due at",
    "since": "a span had begun at",
    "spent": "counted in a span that ended, up to",
}


def tell_json(found: Explanation) -> None:
    """One JSON object; instants in RFC 3339, UTC."""
    typer.echo(orjson.dumps(_fields(found)).decode())


def tell(found: Explanation, limit: int) -> None:
    """Text and tables, in local time; the newest `limit` readings."""
    alert = found.alert
    typer.echo(
        f"alert {alert.id}: {alert.rule_code}, {alert.severity}, {alert.category}, "
        f"at {found.place}, {alert.state}"
    )
    typer.echo(
        f"true since {_local(alert.since)}, due {_local(alert.fired_at)}, "
        f"opened {_local(alert.opened_at)}"
    )
    _tell_rule(found)
    _tell_readings(found.readings, limit)
    _tell_account(found)
    _tell_told(found)


def _tell_rule(found: Explanation) -> None:
    then = found.rule
    if then is None:
        return
    until = "" if then.valid_to is None else f" to {_local(then.valid_to)}"
    typer.echo(
        f"\nthe rule as it was ({then.source}:{then.line}, in force from "
        f"{_local(then.valid_from)}{until}):"
    )
    for line in then.text.splitlines():
        typer.echo(f"    {printable(line)}")


def _tell_readings(readings: Iterable[Heard], limit: int) -> None:
    listed = list(readings)
    left = len(listed) - limit
    typer.echo(
        f"\nreadings, from the last before the span on: {len(listed)}"
        + (f", the first {left} not shown: --limit" if left > 0 else "")
    )
    table = Table("time", "arrival", "device", "metric", "value", "condition", box=None)
    for one in listed[-limit:] if limit else []:
        word = "" if one.holds is None else ("holds" if one.holds else "does not hold")
        moments = _local(to_datetime(one.time)), _local(to_datetime(one.arrival))
        table.add_row(*moments, one.device, one.metric, f"{one.value:g}", word)
    if table.row_count:
        show(table)


def _tell_account(found: Explanation) -> None:
    if found.account is None:
        typer.echo(f"\nthe state before it cannot be told: {found.why_not}")
        return
    typer.echo("\njust before it fired, by replay of the readings through this rule alone:")
    before, fired = found.account.before, found.account.fired
    for name, moment in before.moments.items():
        if moment is None and name != "pending":
            continue
        typer.echo(f"    {_NAMES.get(name, name)}: {_moment(moment)}")
    for name, number in before.numbers.items():
        typer.echo(f"    {name}: {number:g}")
    if before.counted:
        typer.echo(f"    counted at: {', '.join(_moment(at) for at in before.counted)}")
    for device, at in before.silent.items():
        typer.echo(f"    {found.codes.get(device, device)} would be silent from: {_moment(at)}")
    if fired is None:
        typer.echo(
            "    the replay does not fire: what the service knew before these readings, or the"
            " site of then, is needed for it"
        )
    else:
        after = format_duration(fired.at - fired.since)
        typer.echo(f"    it fires at {_moment(fired.at)}, after {after}: {fired.cause}")


def _tell_told(found: Explanation) -> None:
    typer.echo(f"\nwho was told ({found.alert.route_reason}):")
    table = Table("member", "role", "why", "channel", "occasion", "state", "written", "delivered")
    table.box = None
    for one in found.told:
        table.add_row(
            one.code,
            one.role or "-",
            one.reason or "-",
            one.channel or "-",
            one.occasion or "-",
            one.state or "-",
            "-" if one.created_at is None else _local(one.created_at),
            "-" if one.delivered_at is None else _local(one.delivered_at),
        )
    if found.told:
        show(table)
    else:
        typer.echo("    nobody")


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
    return {
        **moments,
        "value": before.numbers.get("value"),
        "counted": counted,
        "silent_at": silent,
    }


def _iso(at: Micros | None) -> str | None:
    return None if at is None else to_datetime(at).isoformat()


def _utc(moment: datetime) -> str:
    return moment.astimezone(to_datetime(0).tzinfo).isoformat()


def _moment(at: Micros | None) -> str:
    return "-" if at is None else _local(to_datetime(at))


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(" ", "milliseconds")
