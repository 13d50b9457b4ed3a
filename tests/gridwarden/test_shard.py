"""Who owns which community, and what of a site a shard has."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.inventory import Area, Device, Household, Inventory
from gridwarden.errors import ShardError
from gridwarden.shard import MOST, WHOLE, Shard, layout, owner, spanning
from gridwarden.site_state import load_site
from rules.loader import load
from tests.gridwarden import several
from tests.whole import apply_site

CODES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


def test_the_hash_is_the_same_for_ever() -> None:
    """BLAKE2b with 8 bytes: `printf lvyuan | b2sum -l 64` gives 14f9180cd417c4d8."""
    assert owner("lvyuan", 2**64) == 0x14F9180CD417C4D8


@given(CODES, st.integers(1, MOST))
def test_each_community_has_one_owner(community: str, shards: int) -> None:
    owners = [shard.number for shard in layout(shards) if shard.owns(community)]
    assert owners == [owner(community, shards)]


def test_communities_are_spread_evenly() -> None:
    owned = Counter(owner(f"community-{number}", 4) for number in range(4_000))
    assert set(owned) == {0, 1, 2, 3}
    assert max(owned.values()) < 1_100


@pytest.mark.parametrize(("text", "number", "of"), [("0/1", 0, 1), ("1/2", 1, 2), ("9/10", 9, 10)])
def test_a_shard_is_read_as_it_is_written(text: str, number: int, of: int) -> None:
    assert Shard.parse(text) == Shard(number, of)
    assert str(Shard(number, of)) == text


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "0/0", "1/2/3", "a/b", "0/257", "٠/١x"])
def test_what_is_no_shard_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ShardError, match="write i/n"):
        Shard.parse(text)


def test_each_layout_has_sessions_of_its_own() -> None:
    shards = [shard for shards in (1, 2, 3) for shard in layout(shards)]
    assert len({shard.client_id("gridwarden-ingest") for shard in shards}) == 6
    assert WHOLE.client_id("gridwarden-ingest") == "gridwarden-ingest"


def inventory(*communities: str) -> Inventory:
    """Each community with a grid, a home and a device, below one street."""
    name = {"zh": "", "en": ""}
    areas, homes, devices = [Area(1, "street-1", "street", None, name)], [], []
    for number, code in enumerate(communities, 1):
        areas += [
            Area(10 * number, code, "community", 1, name),
            Area(10 * number + 1, f"grid-{code}", "grid", 10 * number, name),
        ]
        homes.append(Household(number, f"home-{code}", 10 * number + 1, name))
        devices.append(
            Device(number, "w-1", code, "wearable", 10 * number + 1, number, 60, ("spo2",), name)
        )
    return Inventory.of(areas, homes, devices, version=7)


@given(st.lists(CODES, unique=True, max_size=8), st.integers(1, 4))
def test_the_parts_of_a_site_are_the_site(communities: list[str], shards: int) -> None:
    whole = inventory(*communities)
    parts = [shard.part_of(whole) for shard in layout(shards)]
    assert sorted(d for part in parts for d in part.devices) == sorted(whole.devices)
    assert sorted(h for part in parts for h in part.households) == sorted(whole.households)
    assert sorted(c for part in parts for c in part.communities) == sorted(communities)
    for shard, part in zip(layout(shards), parts, strict=True):
        assert all(shard.owns(d.community) for d in part.devices.values())
        assert all(part.path(d.area)[-1] == 1 for d in part.devices.values())
        assert part.version == whole.version


RULE = """\
- id: care.{per}
  category: care
  watch: {{metric: spo2}}
  when: count >= 3
  where: spo2 <= 91
  within: 10m
  per: {per}
  severity: red
  title: {{zh: 低, en: Low}}
"""


def test_rules_over_areas_above_the_community_are_found() -> None:
    written = "".join(RULE.format(per=per) for per in ("device", "household", "grid", "street"))
    rules = load({"care.yaml": written + RULE.format(per="community")})
    assert [rule.code for rule in spanning(rules, inventory("a", "b"))] == ["care.street"]


async def test_a_worker_among_several_has_its_own_part_and_no_rule_that_spans(
    database_url: str,
    unique: Callable[[str], str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mine, theirs = several.communities(unique, 0, 1)
    folder = several.write(tmp_path, [mine, theirs], several.RULES + several.STREET)
    await apply_site(database_url, folder, datetime.now(UTC))
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        site = await load_site(conn, Shard(0, 2))
        whole = await load_site(conn)
    assert site.inventory.communities == {mine}
    assert {rule.code for rule in whole.rules} - {rule.code for rule in site.rules} == {
        "safety.many_alarms"
    }
    refused = [r for r in caplog.records if getattr(r, "action", "") == "rule.spans_shards"]
    assert [(r.rule, r.shard) for r in refused] == [("safety.many_alarms", "0/2")]  # type: ignore[attr-defined]
