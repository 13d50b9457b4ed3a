"""`gridwarden doctor`: what is wrong with settings, database, time, site, broker, and the cure."""

import asyncio
from collections.abc import Iterator

import psycopg
from psycopg import Connection

from devices.instant import SECOND, Micros, format_duration, to_micros
from gridwarden.broker_probe import BrokerReport, probe
from gridwarden.clock import clock_of
from gridwarden.doctor_shards import examine_shards
from gridwarden.edition import server
from gridwarden.errors import MigrationError
from gridwarden.finding import Finding
from gridwarden.migrate import missing
from gridwarden.odd import odd_now
from gridwarden.settings import MIN_KEY, Settings
from ingest.conduct import marks
from ingest.trouble import trouble

__all__ = ["Finding", "examine", "judge_broker", "judge_settings"]

MAX_SKEW: Micros = 2 * SECOND
"""How far the database's clock may be from ours: half of the 5 s limit of GB 50396 for an alarm."""

FEWEST_IN_FLIGHT = 1_000

_SHOWN = 8
"""Odd devices that are named."""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; a part that cannot be reached is a finding, never an exception."""
    ca_file = settings.broker().ca_file
    asking = asyncio.to_thread(probe, settings.mqtt_url, settings.mqtt_version, ca_file)
    broker = asyncio.create_task(asking)
    findings = [*judge_settings(settings), *await asyncio.to_thread(_examine_database, settings)]
    findings += await examine_shards(settings)
    return [*findings, *judge_broker(await broker, settings.receive_window)]


def judge_settings(settings: Settings) -> Iterator[Finding]:
    """What the settings alone tell."""
    length = len(settings.secret_key.get_secret_value())
    detail = f"{length} characters" if length else "not set: every restart signs everybody out"
    yield Finding(
        "secret key",
        length > 0,
        detail,
        f"set GRIDWARDEN_SECRET_KEY to {MIN_KEY} random characters or more",
    )
    real_time = settings.clock_origin is None and settings.clock_speed == 1
    yield Finding(
        "service clock",
        real_time,
        "real time" if real_time else f"scaled: {settings.clock_speed:g} × real time",
        "unset GRIDWARDEN_CLOCK_ORIGIN and GRIDWARDEN_CLOCK_SPEED; they are for demos and tests",
    )


def judge_broker(report: BrokerReport, window: int) -> Iterator[Finding]:
    """What the probe of the broker tells."""
    if report.error:
        yield Finding("broker", False, report.error, "check GRIDWARDEN_MQTT_URL, user and password")
        return
    yield Finding("broker", True, f"answers at {report.address} with MQTT {report.version}")
    wanted = min(window, FEWEST_IN_FLIGHT)
    yield Finding(
        "broker window",
        report.in_flight >= wanted,
        f"sends {report.in_flight} of {report.published} messages ahead of our PUBACKs",
        "set max_inflight_messages 0, max_queued_messages high (deploy/mosquitto/mosquitto.conf)",
    )
    yield Finding(
        "broker session",
        report.session_kept,
        "kept while we are away" if report.session_kept else "forgotten when we disconnect",
        "allow persistent sessions (persistence true, no persistent_client_expiration)",
    )
    yield Finding(
        "broker access",
        not report.open,
        "lets anybody in, to publish as any device" if report.open else "wants an account",
        "give it accounts: `gridwarden accounts init` (docs/accounts.md)",
    )
    plain = "in the clear, on this machine" if report.here else "in the clear over the network"
    yield Finding(
        "broker TLS",
        report.encrypted or report.here,
        "encrypted" if report.encrypted else plain,
        "passwords can be read on the way: `gridwarden tls init`, then mqtts:// (docs/accounts.md)",
    )


def _examine_database(settings: Settings) -> list[Finding]:
    url = settings.database_url.get_secret_value()
    try:
        with psycopg.connect(url, connect_timeout=5) as conn:
            findings = [_server(conn)]
            schema = _schema(url)
            findings.append(schema)
            findings.append(_skew(conn, settings))
            findings.append(_durability(conn))
            if schema.well:
                findings += [_writes(conn), _site(conn), _people(conn), _ledger(conn)]
                findings.append(_odd(conn, settings))
            return findings
    except psycopg.Error as error:
        first = str(error).strip().splitlines()[0]
        return [Finding("database", False, first, "check GRIDWARDEN_DATABASE_URL and the server")]


def _server(conn: Connection) -> Finding:
    found = server(conn)
    timescale = f", TimescaleDB {found.timescaledb}" if found.timescaledb else ""
    detail = f"PostgreSQL {found.postgresql}{timescale}, {found.edition.value} edition"
    return Finding("database", True, detail)


def _schema(url: str) -> Finding:
    try:
        lacking = missing(url)
    except MigrationError as error:
        return Finding("schema", False, str(error), "run the version of gridwarden that fits")
    detail = f"lacks {', '.join(lacking)}" if lacking else "up to date"
    return Finding("schema", not lacking, detail, "run `gridwarden migrate`")


def _skew(conn: Connection, settings: Settings) -> Finding:
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    ours = clock_of(settings).now()
    skew = abs(ours - to_micros(row[0])) if row else 0
    return Finding(
        "time",
        skew <= MAX_SKEW,
        f"our clock and the database's differ by {format_duration(skew)}",
        "keep both machines on NTP (chrony or systemd-timesyncd)",
    )


def _durability(conn: Connection) -> Finding:
    query = """
    SELECT string_agg(name || '=' || setting, ', ') FROM pg_settings
    WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'
    """
    row = conn.execute(query).fetchone()
    wrong = row[0] if row else None
    detail = wrong or "a commit is on disk when it returns"
    mend = "switch them on: a commit must survive a power cut before we acknowledge its messages"
    return Finding("durability", wrong is None, detail, mend)


def _writes(conn: Connection) -> Finding:
    """Writes a row as a batch would, and takes it back."""
    query = """
    INSERT INTO rejected_messages (seq, arrival, topic, payload, reason, detail, partial)
    VALUES (0, now(), '', '', 'unstorable', '', false)
    """
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query)
    except psycopg.Error as error:
        met = trouble(error)
        first = str(error).strip().splitlines()[0]
        return Finding("database writes", False, f"{met.state}: {first}", met.mend)
    return Finding("database writes", True, "taken")


def _site(conn: Connection) -> Finding:
    devices = _count(conn, "SELECT count(*) FROM devices WHERE retired_at IS NULL")
    rules = _count(conn, "SELECT count(*) FROM rules WHERE valid_to IS NULL")
    detail = f"{devices} devices, {rules} rules"
    return Finding("site", bool(devices and rules), detail, "run `gridwarden site apply DIR`")


def _people(conn: Connection) -> Finding:
    query = """
    SELECT string_agg(m.code, ', ' ORDER BY m.code) FROM members m
    WHERE m.retired_at IS NULL AND m.password_hash IS NULL
      AND EXISTS (SELECT FROM duties d WHERE d.member_id = m.id AND d.valid_to IS NULL)
    """
    row = conn.execute(query).fetchone()
    without = row[0] if row else None
    detail = f"cannot sign in, no password: {without}" if without else "all on duty can sign in"
    return Finding("members", without is None, detail, "run `gridwarden set-password MEMBER`")


def _ledger(conn: Connection) -> Finding:
    query = """
    SELECT (SELECT coalesce(sum(received), 0) FROM ledger),
           (SELECT coalesce(sum(messages), 0) FROM batches)
         + (SELECT coalesce(sum(messages), 0) FROM dropped_batches)
    """
    row = conn.execute(query).fetchone()
    by_device, by_batch = row or (0, 0)
    detail = f"{by_device} messages by device, {by_batch} by batch"
    return Finding(
        "ledger", by_device == by_batch, detail, "report it: a message is unaccounted for"
    )


def _odd(conn: Connection, settings: Settings) -> Finding:
    now = clock_of(settings).now()
    told = {where: marks(conduct, now) for where, conduct in odd_now(conn).items()}
    found = [f"{'/'.join(where)} {', '.join(said)}" for where, said in told.items() if said]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return Finding(
        "devices",
        not found,
        f"{'; '.join(found[:_SHOWN])}{more}" or "none has a wrong clock or sends too much",
        "set their time, or see to what makes them send (`gridwarden devices show`, docs/mqtt.md)",
    )


def _count(conn: Connection, query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
