"""Every finding of the doctor, well and not well, on real servers."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from devices.accounts.account import SERVICE
from gridwarden.broker_probe import BrokerReport
from gridwarden.cli import app
from gridwarden.doctor import Finding, examine, judge_broker
from gridwarden.settings import Settings
from tests import small_site
from tests.accounts.guarded import Guarded
from tests.accounts.party import PAHO_LEAVES_ITS_SOCKET
from tests.conftest import OwnPostgres
from tests.services.server import Provider, Server
from tests.whole import apply_site

KEY = "0123456789abcdef"
NOBODY = "127.0.0.1:1"


async def findings(database_url: str, mqtt_url: str, **settings: object) -> dict[str, Finding]:
    """What the doctor finds, by what was looked at."""
    urls = {"database_url": SecretStr(database_url), "mqtt_url": SecretStr(mqtt_url)}
    found = await examine(Settings.model_validate(urls | settings))
    return {finding.what: finding for finding in found}


def assert_wrong(finding: Finding, detail: str, mend: str) -> None:
    assert not finding.well
    assert detail in finding.detail
    assert mend in finding.mend
    assert finding.line().startswith(f"WRONG  {finding.what}: ")
    assert finding.line().endswith(finding.mend)


def doctor(url: str, broker: str, secret_key: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """The command with these settings."""
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", url)
    monkeypatch.setenv("GRIDWARDEN_MQTT_URL", broker)
    monkeypatch.setenv("GRIDWARDEN_SECRET_KEY", secret_key)
    return CliRunner().invoke(app, ["doctor"])


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> str:
    """A database with the small site in force; its member has a password."""
    await apply_site(database_url, small_site.write(tmp_path, "lvyuan"), datetime.now(UTC))
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE members SET password_hash = 'x'")
    return database_url


@pytest.fixture(scope="module")
def narrow_broker(services: Callable[[], Provider]) -> Iterator[Server]:
    """A broker with Mosquitto's default window."""
    server = services().mosquitto(max_inflight_messages="20")
    yield server
    server.remove()


async def test_what_is_looked_at(site: str, broker_url: str) -> None:
    found = await findings(site, broker_url, secret_key=SecretStr(KEY))
    wrong = [finding.line() for finding in found.values() if not finding.well]
    # the tests' shared servers forgo safety for speed
    assert [line.partition(":")[0] for line in wrong] == [
        "WRONG  durability",
        "WRONG  broker access",
    ]
    assert set(found) == {
        "secret key",
        "service clock",
        "database",
        "schema",
        "time",
        "durability",
        "database writes",
        "site",
        "members",
        "ledger",
        "devices",
        "broker",
        "broker window",
        "broker session",
        "broker access",
        "broker TLS",
    }
    assert found["site"].detail == "20 devices, 1 rules"


async def test_a_database_that_is_read_only(site: str) -> None:
    with psycopg.connect(site, autocommit=True) as conn:
        name = conn.info.dbname
        conn.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    found = await findings(site, f"mqtt://{NOBODY}")
    assert_wrong(found["database writes"], "read-only: cannot execute INSERT", "target_session")
    assert found["site"].well


async def test_a_broker_with_a_narrow_window(database_url: str, narrow_broker: Server) -> None:
    found = await findings(database_url, narrow_broker.url, mqtt_version="3.1.1")
    assert found["broker"].well
    assert found["broker session"].well
    assert_wrong(
        found["broker window"],
        "sends 20 of 1200 messages ahead of our PUBACKs",
        "set max_inflight_messages 0",
    )


async def test_with_mqtt_5_mosquitto_lets_the_client_choose_the_window(
    database_url: str, narrow_broker: Server
) -> None:
    found = await findings(database_url, narrow_broker.url, mqtt_version="5")
    assert found["broker window"].line() == (
        "ok     broker window: sends 1200 of 1200 messages ahead of our PUBACKs"
    )


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_broker_that_lets_anybody_in(
    database_url: str, broker_url: str, version: str
) -> None:
    found = await findings(database_url, broker_url, mqtt_version=version)
    assert_wrong(found["broker access"], "lets anybody in", "gridwarden accounts init")
    assert found["broker TLS"].well


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_broker_with_accounts_and_tls(
    database_url: str, guarded: Guarded, version: str
) -> None:
    secret, port = guarded.secrets[SERVICE], guarded.server.tls_port
    url = f"mqtts://{SERVICE}:{secret}@localhost:{port}"
    found = await findings(
        database_url, url, mqtt_version=version, mqtt_ca_file=Path(guarded.ca_file)
    )
    wrong = [name for name, finding in found.items() if name[:6] == "broker" and not finding.well]
    assert wrong == []
    assert found["broker access"].detail == "wants an account"
    assert found["broker TLS"].detail == "encrypted"


@PAHO_LEAVES_ITS_SOCKET
async def test_a_broker_that_nobody_known_vouches_for(database_url: str, guarded: Guarded) -> None:
    url = f"mqtts://{SERVICE}:x@localhost:{guarded.server.tls_port}"
    found = await findings(database_url, url)
    assert_wrong(found["broker"], "certificate", "check GRIDWARDEN_MQTT_URL")


def test_a_broker_elsewhere_in_the_clear() -> None:
    report = BrokerReport("mqtt://broker.example:1883", "5", here=False)
    found = {finding.what: finding for finding in judge_broker(report, 1)}
    assert_wrong(found["broker TLS"], "in the clear over the network", "gridwarden tls init")


async def test_no_broker_and_no_database() -> None:
    found = await findings(f"postgresql://u:hush@{NOBODY}/x", f"mqtt://u:hush@{NOBODY}")
    assert_wrong(found["broker"], f"{NOBODY} does not answer: ", "check GRIDWARDEN_MQTT_URL")
    assert_wrong(found["database"], "connection", "check GRIDWARDEN_DATABASE_URL")
    assert "hush" not in "".join(finding.line() for finding in found.values())


async def test_a_database_without_tables(empty_database_url: str, broker_url: str) -> None:
    found = await findings(empty_database_url, broker_url)
    assert found["database"].well
    assert_wrong(found["schema"], "lacks 0001_", "run `gridwarden migrate`")
    assert "site" not in found


async def test_a_database_of_another_version(database_url: str, broker_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO migrations (name, checksum) VALUES ('9999_later.sql', 'x')")
    found = await findings(database_url, broker_url)
    assert_wrong(found["schema"], "has migration 9999_later.sql", "run the version")


async def test_no_secret_key_and_a_scaled_clock(database_url: str, broker_url: str) -> None:
    found = await findings(
        database_url,
        broker_url,
        clock_speed=60,
        clock_origin=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert_wrong(found["secret key"], "every restart signs everybody out", "GRIDWARDEN_SECRET_KEY")
    assert_wrong(found["service clock"], "60 × real time", "unset GRIDWARDEN_CLOCK_ORIGIN")
    assert_wrong(found["time"], "differ by ", "NTP")


async def test_no_site(database_url: str, broker_url: str) -> None:
    found = await findings(database_url, broker_url)
    assert_wrong(found["site"], "0 devices, 0 rules", "run `gridwarden site apply DIR`")


async def test_a_member_on_duty_without_a_password(site: str, broker_url: str) -> None:
    with psycopg.connect(site) as conn:
        conn.execute("UPDATE members SET password_hash = NULL")
    found = await findings(site, broker_url)
    assert_wrong(found["members"], "no password: wang-fang", "run `gridwarden set-password")


async def test_a_message_that_is_unaccounted_for(site: str, broker_url: str) -> None:
    with psycopg.connect(site) as conn:
        conn.execute("INSERT INTO ledger VALUES (0, 2, 0, 0, 2)")
    found = await findings(site, broker_url)
    assert_wrong(found["ledger"], "2 messages by device, 0 by batch", "report it")


async def test_a_server_that_forgets_commits(site: str, broker_url: str) -> None:
    with psycopg.connect(site, autocommit=True) as conn:
        ((name,),) = conn.execute("SELECT current_database()").fetchall()
        conn.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    found = await findings(site, broker_url)
    assert_wrong(found["durability"], "synchronous_commit=off", "power cut")


async def test_the_command_succeeds_where_all_is_well(
    own_postgres: OwnPostgres, guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    await apply_site(own_postgres.url, small_site.write(folder, "lvyuan"), datetime.now(UTC))
    with psycopg.connect(own_postgres.url) as conn:
        conn.execute("UPDATE members SET password_hash = 'x'")
    broker = guarded.url(SERVICE)
    result = await asyncio.to_thread(doctor, own_postgres.url, broker, KEY, monkeypatch)
    assert result.exit_code == 0
    assert "WRONG" not in result.output


@pytest.mark.parametrize(("secret_key", "wrong"), [(KEY, 2), ("", 3)])
def test_the_command_tells_all_and_fails_if_something_is_wrong(
    site: str, broker_url: str, secret_key: str, wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = doctor(site, broker_url, secret_key, monkeypatch)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert sum(line.startswith("WRONG") for line in lines) == wrong
    assert sum(line.startswith("ok") for line in lines) == 16 - wrong
