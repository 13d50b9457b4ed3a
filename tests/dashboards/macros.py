"""What Grafana does to a panel's SQL before it sends it: variables, then macros."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")
_INTERVAL = re.compile(r"\$__interval_ms\b")
_MACRO = re.compile(r"\$__(\w+)\(([^)]*)\)")
_LEFT = re.compile(r"\$(?:__|\{|[A-Za-z])")


@dataclass(frozen=True, slots=True)
class View:
    """What a person has chosen on the page: the time range, the grain, the variables' values."""

    start: datetime
    end: datetime
    interval_ms: int
    variables: Mapping[str, Sequence[str]]


def expand(sql: str, view: View) -> str:
    """The SQL that the database gets; ValueError for a macro or variable that is not known."""
    sql = _VARIABLE.sub(lambda match: _quoted(view.variables[match[1]]), sql)
    sql = _INTERVAL.sub(str(view.interval_ms), sql)
    sql = _MACRO.sub(lambda match: _macro(match[1], match[2].strip(), view), sql)
    if left := _LEFT.search(sql):
        raise ValueError(f"not expanded: {sql[left.start() :][:40]!r}")
    return sql


def _quoted(values: Sequence[str]) -> str:
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def _macro(name: str, argument: str, view: View) -> str:
    start, end = f"'{_stamp(view.start)}'", f"'{_stamp(view.end)}'"
    match name:
        case "timeFilter":
            return f"{argument} BETWEEN {start} AND {end}"
        case "timeFrom":
            return start
        case "timeTo":
            return end
    raise ValueError(f"unknown macro $__{name}")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
