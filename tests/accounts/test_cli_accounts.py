"""`gridwarden accounts` on a real broker and a real database."""

import asyncio
import csv
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from devices.accounts.account import ADMIN, SERVICE, Access, Entry, device, member
from devices.accounts.commands import Command, delete, disable, entries, hand_out
from gridwarden.cli import app
from tests import small_site
from tests.accounts.guarded import Guarded, guard
from tests.accounts.party import Party, Said
from tests.services.server import Provider
from tests.whole import apply_site

NOT_AUTHORISED = 135
NAME = "lvyuan/wearable-1"
UP = "gw/v1/lvyuan/wearable-1/up"
DEVICE = device("lvyuan", "wearable-1")


class Office:
    """The command line at a broker and a site in force."""

    def __init__(self, url: str, guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self.guarded = guarded
        monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", url)
        monkeypatch.setenv("GRIDWARDEN_MQTT_URL", guarded.url(SERVICE))
        monkeypatch.setenv("GRIDWARDEN_BROKER_ADMIN_URL", guarded.url(ADMIN))

    async def run(self, *words: str) -> Result:
        """`gridwarden accounts` and these words."""
        return await asyncio.to_thread(CliRunner().invoke, app, ["accounts", *words])

    async def password(self, *words: str) -> str:
        """The one password that it showed."""
        result = await self.run(*words)
        assert result.exit_code == 0, result.output
        (found,) = re.findall(r"^password +(\S+)$", result.stdout, flags=re.MULTILINE)
        return str(found)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the database answers."""
        with psycopg.connect(self.url) as conn:
            return conn.execute(query.encode()).fetchall()

    def party(self, password: str, name: str = NAME, **options: str) -> Party:
        """Somebody with this password."""
        return Party(self.guarded.port, name, password, **options)  # type: ignore[arg-type]

    def refused(self, password: str, name: str = NAME) -> bool:
        """Whether the broker does not let them in."""
        party = self.party(password, name)
        party.close()
        return party.refusal == NOT_AUTHORISED

    def audit(self) -> list[tuple[object, ...]]:
        return self.rows(
            "SELECT action, detail->>'account', detail->>'reason' FROM audit_log ORDER BY id"
        )


@pytest.fixture
async def office(
    database_url: str, guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Office:
    folder = tmp_path / "site"
    folder.mkdir()
    await apply_site(database_url, small_site.write(folder, "lvyuan"), datetime.now(UTC))
    return Office(database_url, guarded, monkeypatch)


async def test_a_device_with_its_account_is_heard(office: Office, listener: Party) -> None:
    password = await office.password("create", NAME)
    assert listener.subscribe("gw/v1/+/+/up") == 1
    with office.party(password) as speaker:
        assert speaker.publish(UP, "hello") == 0
        assert listener.hear() == Said(UP, b"hello")
        assert speaker.publish("gw/v1/lvyuan/wearable-2/up") == NOT_AUTHORISED
    assert office.audit() == [("account.created", NAME, None)]
    listed = (await office.run("list")).stdout
    assert re.search(rf"{NAME} +device +in force +created \d{{4}}-", listed)
    assert "1 accounts" in listed


async def test_a_second_account_is_not_made(office: Office) -> None:
    password = await office.password("create", NAME)
    again = await office.run("create", NAME, "lvyuan/wearable-2")
    assert again.exit_code == 1
    assert f"has an account already: {NAME}" in again.stderr
    assert not office.refused(password)
    assert office.rows("SELECT count(*) FROM broker_accounts") == [(1,)]


async def test_a_rotated_password(office: Office) -> None:
    old = await office.password("create", NAME)
    with office.party(old) as connected:
        new = await office.password("rotate", NAME)
        assert connected.thrown_out()
    assert office.refused(old)
    assert not office.refused(new)
    assert office.rows("SELECT rotated_at IS NOT NULL FROM broker_accounts") == [(True,)]
    assert office.audit()[1:] == [("account.rotated", NAME, None)]


async def test_a_revoked_account(office: Office) -> None:
    password = await office.password("create", NAME)
    with office.party(password) as connected:
        assert (await office.run("revoke", "--yes", NAME)).exit_code == 0
        assert connected.thrown_out()
    assert office.refused(password)
    assert office.audit()[1:] == [("account.revoked", NAME, None)]
    assert "Nothing to change" in (await office.run("sync", "--yes")).stdout
    assert "no account in force" in (await office.run("rotate", NAME)).stderr
    another = await office.password("create", NAME)
    assert not office.refused(another)


async def test_a_revocation_that_was_cut_off_is_finished_by_sync(office: Office) -> None:
    password = await office.password("create", NAME)
    with psycopg.connect(office.url) as conn:
        conn.execute("UPDATE broker_accounts SET revoked_at = now()")
    assert not office.refused(password)
    assert (await office.run("sync", "--yes")).exit_code == 0
    assert office.refused(password)


async def test_a_creation_that_was_cut_off_is_made_again(office: Office) -> None:
    await office.guarded.run(hand_out(DEVICE, "never shown", client=False, role=False))
    told = await office.run("sync", "--yes")
    assert told.exit_code == 1
    assert f"LOOK    {NAME}: nobody was given it" in told.stdout
    password = await office.password("create", NAME)
    assert office.refused("never shown")
    assert not office.refused(password)


async def test_a_retired_device_cannot_sign_in_until_it_is_back(office: Office) -> None:
    password = await office.password("create", NAME)
    with psycopg.connect(office.url) as conn:
        conn.execute("UPDATE devices SET retired_at = now() WHERE code = 'wearable-1'")
    shown = await office.run("sync", "--dry-run")
    assert f"change  {NAME}: its device or member is retired" in shown.stdout
    with office.party(password) as connected:
        assert (await office.run("sync", "--yes")).exit_code == 0
        assert connected.thrown_out()
    assert office.refused(password)
    assert "Nothing to change" in (await office.run("sync", "--yes")).stdout
    assert "no account in force" in (await office.run("rotate", NAME)).stderr
    with psycopg.connect(office.url) as conn:
        conn.execute("UPDATE devices SET retired_at = NULL")
    assert (await office.run("sync", "--yes")).exit_code == 0
    assert not office.refused(password)
    assert [reason for _, _, reason in office.audit()] == [None, "retired", "returned"]


async def test_a_list_that_was_tampered_with_is_mended(office: Office, listener: Party) -> None:
    password = await office.password("create", NAME)
    more = {"acltype": Access.PUBLISH.value, "topic": "gw/#", "priority": 0, "allow": True}
    wide = [*entries(DEVICE), more]
    await office.guarded.run([Command("modifyRole", NAME, {"rolename": NAME, "acls": wide})])
    assert listener.subscribe("gw/v1/+/+/up") == 1
    with office.party(password) as speaker:
        assert speaker.publish("gw/v1/lvyuan/wearable-2/up", "before") == 0
        assert listener.hear().payload == b"before"
        assert "allows something else" in (await office.run("sync", "--yes")).stdout
        assert speaker.publish("gw/v1/lvyuan/wearable-2/up", "after") == NOT_AUTHORISED
        assert speaker.publish(UP, "own") == 0
        assert listener.hear() == Said(UP, b"own")


async def test_a_broker_that_lost_an_account(office: Office) -> None:
    await office.password("create", NAME)
    await office.guarded.run(delete(NAME))
    told = await office.run("sync", "--yes")
    assert told.exit_code == 1
    assert f"LOOK    {NAME}: the broker does not have it" in told.stdout
    password = await office.password("rotate", NAME)
    assert not office.refused(password)
    assert (await office.run("sync", "--yes")).exit_code == 0


async def test_a_device_that_became_a_gateway(office: Office, listener: Party) -> None:
    password = await office.password("create", NAME)
    with psycopg.connect(office.url) as conn:
        conn.execute("UPDATE devices SET kind = 'gateway' WHERE code = 'wearable-1'")
    assert (await office.run("sync", "--yes")).exit_code == 0
    assert listener.subscribe("gw/v1/+/ext/#") == 1
    with office.party(password) as speaker:
        assert speaker.publish("gw/v1/lvyuan/ext/senml/x", "ours") == 0
        assert listener.hear().payload == b"ours"
        assert speaker.publish("gw/v1/other/ext/senml/x") == NOT_AUTHORISED


async def test_all_devices_into_a_file(office: Office, tmp_path: Path) -> None:
    await office.password("create", NAME)
    with psycopg.connect(office.url) as conn:
        conn.execute("UPDATE devices SET address = 'hall' WHERE code = 'wearable-2'")
        conn.execute(
            "UPDATE devices SET gateway_id = other.id FROM devices AS other"
            " WHERE devices.code = 'wearable-5' AND other.code = 'wearable-6'"
        )
        conn.execute("UPDATE devices SET retired_at = now() WHERE code = 'wearable-3'")
    file = tmp_path / "accounts.csv"
    result = await office.run("create", "--all", "--out", str(file))
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(newline="") as lines:
        rows = {row["username"]: row for row in csv.DictReader(lines)}
    assert len(rows) == small_site.WEARABLES - 4
    for name in ("lvyuan/wearable-4", "lvyuan/wearable-20"):
        assert not office.refused(rows[name]["password"], name)
        assert rows[name]["publish"].split() == [f"gw/v1/{name}/status", f"gw/v1/{name}/up"]
    assert not any(row["password"] in result.output for row in rows.values())
    again = await office.run("create", "lvyuan/wearable-2", "--out", str(file))
    assert f"{file} exists; it is not overwritten" in again.stderr.replace("\n", "")
    assert "Nothing to change" in (await office.run("sync", "--dry-run")).stdout


async def test_a_member_and_a_client_id(office: Office, listener: Party) -> None:
    password = await office.password("create", "member:wang-fang", "--client-id", "phone-7")
    topic = "gw/v1/lvyuan/alerts/wang-fang"
    assert office.refused(password, member("wang-fang").username)
    with office.party(password, "member:wang-fang", client_id="phone-7") as phone:
        assert phone.subscribe(topic) == 1
        assert listener.publish(topic, "alert") == 0
        assert phone.hear() == Said(topic, b"alert")


async def test_the_services_own_password(office: Office) -> None:
    new = await office.password("rotate", SERVICE)
    assert office.refused(office.guarded.secrets[SERVICE], SERVICE)
    assert not office.refused(new, SERVICE)
    assert office.audit() == [("account.rotated", SERVICE, None)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "lvyuan/nobody"), "not registered: lvyuan/nobody"),
        (("create", "nonsense"), "neither COMMUNITY/DEVICE nor member:CODE"),
        (("create", NAME, "--client-id", "gridwarden-ingest"), "as the service's own"),
        (("rotate", NAME), f"no account in force: {NAME}"),
        (("revoke", "--yes", NAME), f"never given an account: {NAME}"),
    ],
)
async def test_what_cannot_be_done(office: Office, words: tuple[str, ...], told: str) -> None:
    result = await office.run(*words)
    assert result.exit_code == 1
    assert told in result.stderr
    assert office.audit() == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "GRIDWARDEN_BROKER_ADMIN_URL is not set"),
        ("mqtt://gridwarden-admin:hush-hush@127.0.0.1:1", "refused"),
        ("wrong password", "Not authorized"),
        ("as the service", "does not let 'gridwarden' administer it"),
    ],
)
async def test_no_administrator(
    office: Office, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    port = office.guarded.port
    known = {
        "wrong password": f"mqtt://gridwarden-admin:hush-hush@127.0.0.1:{port}",
        "as the service": office.guarded.url(SERVICE),
    }
    monkeypatch.setenv("GRIDWARDEN_BROKER_ADMIN_URL", known.get(url, url))
    result = await office.run("create", NAME)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "hush-hush" not in result.output
    assert office.guarded.secrets[SERVICE] not in result.output
    assert office.rows("SELECT count(*) FROM broker_accounts") == [(0,)]


async def test_no_secret_is_in_the_database(office: Office) -> None:
    password = await office.password("create", NAME)
    tables = office.rows("SELECT to_jsonb(a)::text FROM broker_accounts a")
    assert NAME in str(tables)
    assert password not in str([*tables, *office.audit()])


async def test_an_account_that_the_broker_disabled_is_enabled_by_another_password(
    office: Office,
) -> None:
    await office.password("create", NAME)
    await office.guarded.run([disable(NAME)])
    password = await office.password("rotate", NAME)
    assert not office.refused(password)


def test_entries_are_compared_as_the_broker_tells_them() -> None:
    assert Entry("publishClientSend", "x") == Entry(Access.PUBLISH, "x")


async def test_a_new_broker_with_accounts_of_all_devices(
    database_url: str,
    services: Callable[[], Provider],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "site").mkdir()
    folder = small_site.write(tmp_path / "site", "lvyuan")
    await apply_site(database_url, folder, datetime.now(UTC))
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", database_url)
    monkeypatch.setenv("GRIDWARDEN_MQTT_URL", "mqtts://broker.example")
    file, out = tmp_path / "dynamic-security.json", tmp_path / "accounts.csv"
    words = ["accounts", "init", str(file), "--all", "--out", str(out)]
    made = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert made.exit_code == 0, made.output
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, out)] == [0o600, 0o600]
    line = re.compile(r"^GRIDWARDEN_\w+=mqtts://(.+):(.+)@broker.example:8883$", re.MULTILINE)
    shown = dict(line.findall(made.stdout))
    assert set(shown) == {SERVICE, ADMIN}
    with out.open(newline="") as lines:
        shown |= {row["username"]: row["password"] for row in csv.DictReader(lines)}
    server = services().guarded_mosquitto(guard(file.read_bytes(), tmp_path / "tls"))
    try:
        for name in (SERVICE, ADMIN, NAME, "lvyuan/wearable-20"):
            Party(server.port, name, shown[name]).__enter__().close()
        url = f"mqtt://{ADMIN}:{shown[ADMIN]}@127.0.0.1:{server.port}"
        monkeypatch.setenv("GRIDWARDEN_BROKER_ADMIN_URL", url)
        told = await asyncio.to_thread(CliRunner().invoke, app, ["accounts", "sync", "--yes"])
        assert "Nothing to change" in told.stdout
    finally:
        server.remove()
    again = await asyncio.to_thread(CliRunner().invoke, app, words[:3])
    assert "is not overwritten" in again.stderr.replace("\n", " ")


def test_all_needs_a_file_for_the_passwords(tmp_path: Path) -> None:
    for words in (["init", str(tmp_path / "x"), "--all"], ["create", "--all"], ["create"]):
        assert CliRunner().invoke(app, ["accounts", *words]).exit_code == 2
    assert list(tmp_path.iterdir()) == []
