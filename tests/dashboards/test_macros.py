"""The expander says what Grafana's PostgreSQL data source would send."""

from datetime import datetime

import pytest

from tests.dashboards.macros import View, expand

VIEW = View(
    datetime.fromisoformat("2026-11-20T16:00:00+08:00"),
    datetime.fromisoformat("2026-11-20T17:00:00.5+08:00"),
    30_000,
    {"grid": ["g1", "o'n"], "lang": ["zh"]},
)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (
            "$__timeFilter(committed_at)",
            "committed_at BETWEEN '2026-11-20T08:00:00Z' AND '2026-11-20T09:00:00.500000Z'",
        ),
        ("$__timeFrom()", "'2026-11-20T08:00:00Z'"),
        ("$__timeTo()", "'2026-11-20T09:00:00.500000Z'"),
        ("$__interval_ms * 2", "30000 * 2"),
        ("IN (${grid:sqlstring})", "IN ('g1','o''n')"),
        ("'5 $'", "'5 $'"),
    ],
)
def test_expands(written: str, sent: str) -> None:
    assert expand(written, VIEW) == sent


@pytest.mark.parametrize("written", ["$__timeGroup(t, 5m)", "$grid", "${grid}", "$__interval"])
def test_refuses_what_it_does_not_know(written: str) -> None:
    with pytest.raises(ValueError, match=r"\$"):
        expand(written, VIEW)
