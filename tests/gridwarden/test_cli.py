"""The commands when something is wrong: a clear sentence with the cure, no traceback, no secret."""

import logging
import os
import socket
import subprocess
import sys

import psycopg
import pytest
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner, Result

from gridwarden.cli import app
from gridwarden.cli_errors import explain
from gridwarden.log import KeyFormatter
from gridwarden.settings import Settings

NOWHERE = "postgresql://gridwarden:hush-hush@127.0.0.1:1/x?connect_timeout=5"
SECRETS = ("hush-hush", "0123456789")


def gridwarden(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with these settings by field name and no others."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("GRIDWARDEN_")}
    own = {f"GRIDWARDEN_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "gridwarden", *command],
        env=others | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def invoke(monkeypatch: pytest.MonkeyPatch, *command: str, stdin: str = "", **own: str) -> Result:
    """The command in this process."""
    for name, value in own.items():
        monkeypatch.setenv(f"GRIDWARDEN_{name.upper()}", value)
    return CliRunner().invoke(app, list(command), input=stdin)


def assert_said(result: subprocess.CompletedProcess[str], *parts: str, code: int = 1) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr
    for secret in SECRETS:
        assert secret not in result.stderr + result.stdout


def test_run_on_a_database_that_is_not_migrated(empty_database_url: str, broker_url: str) -> None:
    result = gridwarden("run", database_url=empty_database_url, mqtt_url=broker_url, web_port="0")
    assert_said(result, "error: the database lacks 0001_", "; run `gridwarden migrate`")


def test_run_where_the_port_is_taken(database_url: str, broker_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = gridwarden(
            "run", database_url=database_url, mqtt_url=broker_url, web_port=str(port)
        )
    assert_said(
        result, f"error: the inbox cannot listen on 127.0.0.1:{port}; set GRIDWARDEN_WEB_HOST"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("web_port", "many", "GRIDWARDEN_WEB_PORT: Input should be a valid integer"),
        (
            "database_url",
            "postgres//u:hush-hush@h/x",
            "GRIDWARDEN_DATABASE_URL: Value error, is not postgresql://[user:password@]host",
        ),
        (
            "mqtt_url",
            "http://u:hush-hush@h",
            "GRIDWARDEN_MQTT_URL: Value error, the broker's URL must be mqtt://",
        ),
        (
            "secret_key",
            "0123456789",
            "GRIDWARDEN_SECRET_KEY: Value error, has 10 characters, fewer than 16",
        ),
        (
            "clock_origin",
            "2026-01-01T00:00:00",
            "GRIDWARDEN_CLOCK_ORIGIN: Input should have timezone info",
        ),
    ],
)
def test_run_with_a_bad_setting(name: str, value: str, said: str) -> None:
    assert_said(gridwarden("run", **{name: value}), said, code=2)


def test_every_bad_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(monkeypatch, "site", "check", "x", web_port="many", batch_messages="0")
    assert result.exit_code == 2
    assert "GRIDWARDEN_WEB_PORT: " in result.output
    assert "GRIDWARDEN_BATCH_MESSAGES: " in result.output


@pytest.mark.parametrize("command", [["migrate"], ["set-password", "wang-fang"]])
def test_a_database_that_cannot_be_reached(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = "long enough\nlong enough\n"
    result = invoke(monkeypatch, *command, stdin=stdin, database_url=NOWHERE)
    assert result.exit_code == 1
    assert "error: the database cannot be used: " in result.output
    assert "is GRIDWARDEN_DATABASE_URL right, and the server up?" in result.output
    assert "hush-hush" not in result.output


def test_a_database_whose_migrations_were_edited(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE migrations SET checksum = 'x' WHERE name LIKE '0001%'")
    for command in ("migrate", "run"):
        assert_said(gridwarden(command, database_url=database_url), "was edited after it was")


def test_migrate_says_what_it_applied(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = invoke(monkeypatch, "migrate", database_url=empty_database_url)
    assert first.output.startswith("applied 0001_")
    second = invoke(monkeypatch, "migrate", database_url=empty_database_url)
    assert (second.exit_code, second.output) == (0, "nothing to do\n")


@pytest.fixture
def wang(database_url: str) -> str:
    """A database with the member wang-fang, who has no password yet."""
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO members (code, name) VALUES ('wang-fang', '{}')")
    return database_url


def test_set_password(wang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(
        monkeypatch,
        "set-password",
        "wang-fang",
        stdin="long enough\nlong enough\n",
        database_url=wang,
    )
    assert result.exit_code == 0
    assert result.output.endswith("wang-fang can sign in.\n")
    assert "long enough" not in result.output
    with psycopg.connect(wang) as conn:
        ((hashed,),) = conn.execute("SELECT password_hash FROM members").fetchall()
    assert hashed.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("member", "password", "said"),
    [
        ("wang-fang", "short", "error: a password has 8 to 256 characters, this one has 5"),
        ("ghost", "long enough", "error: there is no member 'ghost' in service"),
    ],
)
def test_set_password_refused(
    wang: str, member: str, password: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = f"{password}\n{password}\n"
    result = invoke(monkeypatch, "set-password", member, stdin=twice, database_url=wang)
    assert result.exit_code == 1
    assert said in result.output
    with psycopg.connect(wang) as conn:
        assert conn.execute("SELECT password_hash FROM members").fetchall() == [(None,)]


def test_an_unexpected_error_keeps_its_traceback() -> None:
    assert explain(KeyError("x")) is None


def test_secrets_are_never_shown() -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://u:hush-hush@h/x"),
        mqtt_url=SecretStr("mqtt://u:hush-hush@h"),
        secret_key=SecretStr("hush-hush-hush-hush"),
    )
    record = KeyFormatter().format(_log_record(settings))
    for shown in (repr(settings), str(settings), f"{settings.secret_key}", record):
        assert "hush" not in shown
        assert "***" in shown


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(secret_key=SecretStr("hush-hush"), database_url=SecretStr("x//u:hush@h"))
    assert "hush" not in str(refused.value) + repr(refused.value)
    assert refused.value.error_count() == 2


def _log_record(settings: Settings) -> logging.LogRecord:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "Settings.", (), None)
    vars(record).update(settings=settings, action="x", url=settings.database_url)
    return record


@pytest.mark.parametrize("shard", ["2/2", "1", "x/2"])
def test_run_as_a_shard_that_there_is_not(monkeypatch: pytest.MonkeyPatch, shard: str) -> None:
    result = invoke(monkeypatch, "run", "--shard", shard)
    assert result.exit_code == 1
    assert "write i/n" in result.output


def test_reshard_on_a_database_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(monkeypatch, "reshard", "2", database_url=NOWHERE)
    assert result.exit_code == 1
    assert "the database cannot be used" in result.output
    for secret in SECRETS:
        assert secret not in result.output


def test_reshard_on_a_database_that_is_not_migrated(
    monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    result = invoke(monkeypatch, "reshard", "2", database_url=empty_database_url)
    assert result.exit_code == 1
    assert "run `gridwarden migrate`" in result.output
