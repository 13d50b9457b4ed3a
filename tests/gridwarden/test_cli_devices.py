"""`gridwarden devices`: registered ones, and a stranger from its first message to its adoption."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest
from typer.testing import CliRunner, Result

from devices.instant import to_micros
from gridwarden.cli import app
from gridwarden.cli_devices import _pending_row
from gridwarden.doctor import _odd
from gridwarden.pending import Pending, pending
from gridwarden.settings import Settings
from tests import small_site
from tests.gridwarden.conftest import Whole
from tests.waiting import until

ZIGBEE = "gw/v1/{}/ext/zigbee2mqtt/zigbee2mqtt/{}"


async def run(whole: Whole, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", whole.url)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["devices", *words])
    assert result.exit_code == 0, result.output
    return result


async def test_a_stranger_waits_with_its_last_message_until_it_is_adopted(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    for battery in (80, 79):
        topic = ZIGBEE.format(whole.community, "Hall/Sos")
        whole.publisher.publish(topic, b'{"battery": %d}' % battery)
    whole.publisher.publish(f"gw/v1/{whole.community}/watch-77/up", b'{"values": {"pulse": 70}}')
    await whole.until("rejected_messages WHERE unknown IS NOT NULL", 3)
    lines = (await run(whole, monkeypatch, "pending", "--json")).stdout.splitlines()
    ours = [one for one in map(orjson.loads, lines) if one["community"] == whole.community]
    assert [(p["address"], p["messages"], p["payload"]) for p in ours] == [
        ("watch-77", 1, '{"values": {"pulse": 70}}'),
        ("Hall/Sos", 2, '{"battery": 79}'),
    ]
    shown = await run(whole, monkeypatch, "pending", "--community", whole.community)
    assert "2 devices wait to be adopted" in shown.stdout
    said = await run(whole, monkeypatch, "heard", whole.community, "hall/sos", "--limit", "2")
    first, second = (line for line in said.stdout.splitlines() if line.startswith("    {"))
    assert (first.strip(), second.strip()) == ('{"battery": 79}', '{"battery": 80}')
    assert '"metric":"battery","value":79.0,"unit":"%"' in said.stdout
    folder, adopted = str(whole.folder), ("--address", "Hall/Sos", "--kind", "sos_button")
    await run(whole, monkeypatch, "add", folder, *adopted, "--household", "h-1", "--yes")
    assert whole.rows("SELECT code, address FROM devices WHERE kind = 'sos_button'") == [
        ("hall-sos", "Hall/Sos")
    ]
    left = (await run(whole, monkeypatch, "pending", "--json")).stdout
    assert "watch-77" in left
    nobody = await asyncio.to_thread(
        CliRunner().invoke, app, ["devices", "heard", whole.community, "ghost"]
    )
    assert nobody.exit_code == 1
    assert "Nothing was heard of 'ghost'" in nobody.stderr
    assert "Hall/Sos" not in left


async def test_one_device_is_shown_without_its_values(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    whole.say("wearable-3", pulse=71)
    whole.say("wearable-3", pulse=7_100)
    await whole.until("rejected_messages")
    shown = (await run(whole, monkeypatch, "show", whole.community, "wearable-3")).stdout
    assert "online" in shown
    assert "pulse" in shown
    assert "71" not in shown.replace(whole.community, "")
    assert "out_of_range" in shown
    assert "received 2 = stored 1 + duplicate 0 + rejected 1" in shown
    plain = await run(whole, monkeypatch, "show", whole.community, "wearable-3", "--json")
    (place,) = orjson.loads(plain.stdout)["placements"]
    assert (place["area"], place["household"], place["valid_to"]) == ("grid-1", "h-1", None)
    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["devices", "show", whole.community, "ghost"]
    )
    assert result.exit_code == 1
    assert "error: no device 'ghost' is or was registered" in result.stderr


async def test_a_device_moves_is_replaced_and_leaves_and_its_past_stays_dated(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    folder, device = str(whole.folder), f"{whole.community}/wearable-3"
    await run(whole, monkeypatch, "move", folder, device, "--area", "grid-1", "--yes")
    for address in ("A1", "B2"):
        await run(whole, monkeypatch, "replace", folder, device, "--address", address, "--yes")
    await run(whole, monkeypatch, "retire", folder, device, "--yes")
    shown = await run(whole, monkeypatch, "show", whole.community, "wearable-3", "--json")
    found = orjson.loads(shown.stdout)
    assert found["state"] == "retired"
    assert [p["household"] for p in found["placements"]] == ["h-1", None]
    assert [a["address"] for a in found["addresses"]] == ["A1", "B2"]
    dated = found["placements"] + found["addresses"]
    assert all(one["valid_from"] < one["valid_to"] for one in dated)
    assert "A1" in (await run(whole, monkeypatch, "show", whole.community, "wearable-3")).stdout
    assert "wearable-3," not in whole.folder.joinpath("devices.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("move", "{}", "c/wearable-3"), "Give either --area or --household."),
        (("retire", "{}", "c/ghost"), "has no such device"),
        (("replace", "{}", "c/wearable-3", "--address", " "), "empty"),
        (("move", "{}", "c/wearable-3", "--household", "h-9"), "h-9"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    folder = small_site.write(tmp_path, "c")
    before = folder.joinpath("devices.yaml").read_text()
    result = CliRunner().invoke(app, ["devices", *(word.format(folder) for word in words)])
    assert result.exit_code == 1
    assert told in result.stderr
    assert folder.joinpath("devices.yaml").read_text() == before


async def test_what_a_registered_device_says_beside_a_stranger_is_not_shown(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    both = b'[{"n": "wearable-3/pulse", "v": 71}, {"n": "watch-77/pulse", "v": 66}]'
    whole.publisher.publish(f"gw/v1/{whole.community}/ext/senml/x", both)
    await whole.until("rejected_messages WHERE unknown IS NOT NULL AND partial")
    lines = (await run(whole, monkeypatch, "pending", "--json")).stdout.splitlines()
    (ours,) = [p for p in map(orjson.loads, lines) if p["community"] == whole.community]
    assert (ours["address"], ours["payload"]) == ("watch-77", "")
    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["devices", "heard", whole.community, "watch-77"]
    )
    assert (result.exit_code, '"v": 71' in result.output) == (1, False)


async def test_strangers_of_elsewhere_do_not_crowd_out_those_asked_for(
    whole: Whole, unique: Callable[[str], str]
) -> None:
    await whole.start()
    for community in (whole.community, unique("elsewhere")):
        whole.publisher.publish(f"gw/v1/{community}/watch-77/up", b'{"values": {"pulse": 70}}')
        await whole.until(f"rejected_messages WHERE community = '{community}'")
    now = to_micros(datetime.now(UTC))
    (found,) = await pending(whole.url, now, whole.community, limit=1)
    assert (found.community, found.address) == (whole.community, "watch-77")


def test_what_a_stranger_sends_does_not_steer_the_terminal() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    stranger = Pending("c", "a\x1b[2J", 1, now, now, "t\x07", b"\x1b[31m\xff[red]")
    row = _pending_row(stranger)
    assert row[1] == r"a\x1b[2J"
    assert row[-1] == r"t\x07 \x1b[31m\xff[red]"


async def test_the_registered_are_listed(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    await whole.start()
    whole.say("wearable-3", pulse=71)
    whole.say("wearable-4", datetime.now(UTC) - timedelta(hours=1), pulse=72)
    whole.publisher.publish(f"gw/v1/{whole.community}/wearable-5/status", b"offline")
    await whole.until("latest_readings", 3)
    lines = (
        await run(whole, monkeypatch, "list", "--json", "--community", whole.community)
    ).stdout.splitlines()
    found = [orjson.loads(line) for line in lines]
    assert len(found) == 20
    heard = {device["code"]: device["state"] for device in found if device["heard"]}
    assert heard == {"wearable-3": "online", "wearable-4": "silent", "wearable-5": "offline"}
    assert {d["state"] for d in found if not d["heard"]} == {"never heard"}
    assert "20 devices" in (await run(whole, monkeypatch, "list")).stdout


OF_THE_TWO = """readings r JOIN devices d ON d.id = r.device_id
WHERE d.code IN ('wearable-3', 'wearable-4')"""


async def until_caught_up(whole: Whole) -> None:
    """Return once the service knows that nothing has waited for it at the broker any more."""

    async def caught_up() -> bool:
        whole.say("wearable-1", pulse=70)
        (row,) = whole.rows("SELECT coalesce(max(heard_until) > now() - interval '30 s', false)"
                            " FROM batches")  # fmt: skip
        return bool(row[0])

    await until(caught_up, what="nothing waits at the broker")


async def test_a_device_whose_clock_stays_wrong_is_marked_until_it_is_right(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    await until_caught_up(whole)
    hour = timedelta(hours=1)
    began = datetime.now(UTC) - hour
    for n in range(5):
        whole.say("wearable-3", began + timedelta(milliseconds=n), pulse=71)
    await whole.until(OF_THE_TWO, 5)
    # So that the five came over twenty minutes.
    with psycopg.connect(whole.url) as conn:
        conn.execute("UPDATE device_conduct SET run_from = run_from - interval '20 min'")
    whole.say("wearable-3", datetime.now(UTC) - hour, pulse=71)
    whole.say("wearable-4", datetime.now(UTC) - hour, pulse=71)
    await whole.until(OF_THE_TWO, 7)
    ours = ("--community", whole.community)
    lines = (await run(whole, monkeypatch, "list", "--json", *ours)).stdout.splitlines()
    marked = {one["code"]: one["marks"] for one in map(orjson.loads, lines) if one["marks"]}
    assert marked == {"wearable-3": ["clock wrong (about -1 h)"]}
    with psycopg.connect(whole.url) as conn:
        odd = _odd(conn, Settings())
    assert not odd.well
    assert odd.detail == f"{whole.community}/wearable-3 clock wrong (about -1 h)"
    whole.say("wearable-3", pulse=71)
    await whole.until(OF_THE_TWO, 8)
    whole.say("wearable-3", datetime.now(UTC) - hour, pulse=71)
    await whole.until(OF_THE_TWO, 9)
    shown = (await run(whole, monkeypatch, "show", whole.community, "wearable-3")).stdout
    assert "clock wrong" not in shown
    assert "late" in shown
    with psycopg.connect(whole.url) as conn:
        assert _odd(conn, Settings()).well


async def test_devices_of_a_lost_gateway_are_unknown(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = "- {code: gw-1, kind: gateway, area: grid-1}\n"
    behind = "- {code: sos-%d, kind: sos_button, household: h-1, gateway: gw-1}\n"
    await whole.apply(devices=gateway + "".join(behind % n for n in range(2)))
    await whole.start()
    for code, status in (("sos-0", b"online"), ("gw-1", b"offline"), ("sos-1", b"online")):
        whole.publisher.publish(f"gw/v1/{whole.community}/{code}/status", status)
        await whole.until(
            f"latest_readings l JOIN devices d ON d.id = l.device_id WHERE code = '{code}'"
        )
    listed = await run(whole, monkeypatch, "list", "--json", "--community", whole.community)
    found = {one["code"]: one for one in map(orjson.loads, listed.stdout.splitlines())}
    states = {code: found[code]["state"] for code in ("gw-1", "sos-0", "sos-1")}
    assert states == {"gw-1": "offline", "sos-0": "unknown", "sos-1": "online"}
    assert (found["sos-0"]["gateway"], found["sos-0"]["gateway_state"]) == ("gw-1", "offline")
    shown = (await run(whole, monkeypatch, "list", "--state", "unknown")).stdout
    assert "sos-0" in shown
    assert "sos-1" not in shown
    assert "1 devices: 1 unknown" in shown
    every = (await run(whole, monkeypatch, "list")).stdout
    assert "23 devices: 1 online, 1 offline, 1 unknown, 20 never heard" in every
    one = await run(whole, monkeypatch, "show", whole.community, "sos-0", "--json")
    assert orjson.loads(one.stdout)["state"] == "unknown"
    wrong = await asyncio.to_thread(CliRunner().invoke, app, ["devices", "list", "--state", "of"])
    assert wrong.exit_code == 1
    assert "--state 'of' is no state of a device" in wrong.stderr
