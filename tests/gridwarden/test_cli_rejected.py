"""`gridwarden rejected`: from a message of nobody's to a stored reading, and who looked at what."""

import asyncio

import orjson
import pytest
from typer.testing import CliRunner, Result

from gridwarden.cli import app
from tests.gridwarden.conftest import Whole


async def run(whole: Whole, monkeypatch: pytest.MonkeyPatch, *words: str, code: int = 0) -> Result:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", whole.url)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["rejected", *words])
    assert result.exit_code == code, result.output
    return result


async def test_messages_from_before_the_registration_are_stored_after_it(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    whole.say("watch-77", spo2=80)
    whole.say("watch-77", pulse=71)
    whole.say("wearable-3", pulse=7_100)
    await whole.until("rejected_messages", 3)
    listed = (await run(whole, monkeypatch, "list")).stdout
    assert "3 rejected messages" in listed
    assert "7100" not in listed
    device = "- {code: watch-77, kind: wearable, household: h-1, interval: 10m}\n"
    await whole.apply(devices=device)
    tried = await run(whole, monkeypatch, "retry", "--dry-run")
    assert "3 messages decoded again: 2 would be stored" in tried.stdout
    assert whole.rows("SELECT count(*) FROM readings") == [(0,)]
    done = await run(whole, monkeypatch, "retry", "--reason", "unknown_device")
    assert "2 messages decoded again: 2 stored" in done.stdout
    assert "still refused: out_of_range" in (await run(whole, monkeypatch, "retry")).stdout
    assert whole.ledger() == (3, 2, 0, 1)
    ((action, detail),) = whole.rows("SELECT action, detail FROM audit_log")
    assert (action, detail["stored"], len(detail["ids"])) == ("rejected.retry", 2, 2)
    lines = (await run(whole, monkeypatch, "list", "--json")).stdout.splitlines()
    assert [orjson.loads(line)["reason"] for line in lines] == ["out_of_range"]
    # A reading that comes now is judged; what was stored by the retry raised no alert by then.
    whole.say("wearable-4", spo2=80)
    await whole.until("alerts")
    assert whole.rows("SELECT d.code FROM alerts a JOIN devices d ON d.id = a.device_id") == [
        ("wearable-4",)
    ]


async def test_what_a_registered_device_said_is_shown_on_record_only(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    whole.say("wearable-3", pulse=7_100)
    whole.say("watch-77", pulse=71)
    await whole.until("rejected_messages", 2)
    ids = dict(whole.rows("SELECT reason, id::text FROM rejected_messages"))
    closed = (await run(whole, monkeypatch, "show", ids["out_of_range"])).stdout
    assert "7100" not in closed
    assert "today    refused: out_of_range" in closed
    free = (await run(whole, monkeypatch, "show", ids["unknown_device"])).stdout
    assert '"pulse":71' in free
    assert whole.rows("SELECT count(*) FROM audit_log") == [(0,)]
    opened = (await run(whole, monkeypatch, "show", ids["out_of_range"], "--values")).stdout
    assert "7100" in opened
    ((action, detail),) = whole.rows("SELECT action, detail FROM audit_log")
    assert (action, str(detail["id"])) == ("rejected.show", ids["out_of_range"])
    missing = await run(whole, monkeypatch, "show", "999", code=1)
    assert "no message 999 is kept as rejected" in missing.stderr
