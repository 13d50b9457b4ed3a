"""vast2016_access: a week of card reads and gas readings in an office building.

Each zone is a card reader: a read is `access_granted` with its credential as attribute. Reads are
stamped to the minute, so several persons share zone and minute, and one card read twice in a minute
in one zone leaves two equal lines: the second is a duplicate. The place is fictional; its local
time is taken as UTC.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.real.source import Converted, Row, in_order, read, rule, site

GAS_LIMIT = 5.0
GAS_RULE = "vast.gas_high"
SERVER_ROOM = "zone-3-server-room"
SERVER_ROOM_RULE = "vast.server_room"


REPLACED: dict[str, object] = {
    "id": "access.replaced_card",
    "category": "access",
    "watch": {"metric": "access_granted"},
    "replaced": "366d",
    "severity": "orange",
    "title": {"zh": "旧卡", "en": "A replaced card"},
}
ISSUE_DIGITS = 3
"""So many digits at the end of a card's number say which card of its owner it is."""


def replaced_reads(rows: list[Row]) -> set[tuple[datetime, str]]:
    """When which owner used a card older than one used before: what a rule must find."""
    newest: dict[str, int] = {}
    found: set[tuple[datetime, str]] = set()
    for row in rows:
        if row.metric == "access_granted":
            facts = json.loads(row.attributes)
            owner, issue = facts["credential"], facts["issue"]
            if issue < newest.get(owner, 0):
                found.add((row.time, owner))
            newest[owner] = max(issue, newest.get(owner, 0))
    return found


ODD = ("access.office_at_night", "access.office_at_weekend")
"""The library's rules on hours at which nobody should come."""


def odd_reads(rows: list[Row], opens: int, closes: int) -> set[tuple[datetime, str]]:
    """When which reader was used outside these hours or at the weekend, by hand.

    opens, closes: hours of the day, 24 for midnight.
    """
    return {
        (row.time, row.device)
        for row in rows
        if row.metric == "access_granted"
        and (row.time.isoweekday() > 5 or not opens <= row.time.hour < closes)
    }


def convert(folder: Path, community: str, more: Sequence[dict[str, object]] = ()) -> Converted:
    """A card reader per zone and a gas detector per hazium column. more: rules beside ours."""
    reads = [_read(row) for row in read(folder / "proxOut-MC2.csv")]
    gas = list(_gas(read(folder / "hazium.csv")))
    here = f"{community}-here"
    readers = [_device(code, "card_reader", here) for code in sorted({r.device for r in reads})]
    detectors = [_device(code, "gas_detector", here) for code in sorted({r.device for r in gas})]
    return Converted(
        site(community, "UTC", devices=[*readers, *detectors], rules=[*_rules(), *more]),
        in_order([*reads, *gas]),
    )


def gas_spans(rows: list[Row]) -> int:
    """How often a detector rose above the limit, told by hand: what the rule must find exactly."""
    last: dict[str, bool] = {}
    rises = 0
    for row in (r for r in rows if r.metric == "gas_concentration"):
        above = float(row.value) > GAS_LIMIT
        rises += above and not last.get(row.device, False)
        last[row.device] = above
    return rises


def _rules() -> list[dict[str, object]]:
    seldom = rule(SERVER_ROOM_RULE, "access", "access_granted", "access_granted == 1")
    only_there = {"watch": {"metric": "access_granted", "device": SERVER_ROOM}}
    return [
        rule(GAS_RULE, "safety", "gas_concentration", f"gas_concentration > {GAS_LIMIT:g}"),
        {**seldom, **only_there},
    ]


def _read(row: Mapping[str, str]) -> Row:
    zone = row["zone"].lower().replace(" ", "-")
    owner, issue = row["prox-id"][:-ISSUE_DIGITS], int(row["prox-id"][-ISSUE_DIGITS:])
    credential = json.dumps({"credential": owner, "issue": issue})
    return Row(
        _utc(row["timestamp"]), f"zone-{row['floor']}-{zone}", "access_granted", "1", credential
    )


def _gas(rows: list[dict[str, str]]) -> Iterator[Row]:
    for row in rows:
        for column, value in row.items():
            place, colon, _ = column.partition(":")
            if colon and value:
                code = f"gas-{place.lower().replace('_', '-')}"
                yield Row(_utc(row["Date/Time"]), code, "gas_concentration", value)


def _device(code: str, kind: str, area: str) -> dict[str, object]:
    return {"code": code, "kind": kind, "area": area, "interval": "1d"}


def _utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
