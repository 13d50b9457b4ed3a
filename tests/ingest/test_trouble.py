"""Each way in which a database refuses a batch has a word and a cure."""

import psycopg
import pytest

from ingest.trouble import trouble


@pytest.mark.parametrize(
    ("error", "state", "mend"),
    [
        (psycopg.errors.DiskFull(), "disk full", "free space"),
        (psycopg.errors.ReadOnlySqlTransaction(), "read-only", "GRIDWARDEN_DATABASE_URL"),
        (psycopg.errors.OutOfMemory(), "out of memory", "max_locks_per_transaction"),
        (psycopg.errors.TooManyConnections(), "too many connections", "max_connections"),
        (psycopg.errors.CannotConnectNow(), "starting", "wait"),
        (psycopg.errors.IoError(), "disk failing", "disk"),
        (psycopg.errors.InsufficientPrivilege(), "not allowed", "GRANT"),
        (psycopg.errors.UndefinedTable(), "schema missing", "gridwarden migrate"),
        (psycopg.OperationalError("the connection is closed"), "away", "the server"),
        (psycopg.errors.AdminShutdown(), "away", "the server"),
        (psycopg.errors.DataCorrupted(), "refusing", "database's log"),
    ],
)
def test_every_refusal_has_a_word_and_a_cure(error: psycopg.Error, state: str, mend: str) -> None:
    met = trouble(error)
    assert met.state == state
    assert mend in met.mend
    assert met.mend.endswith("the broker's queue holds what comes")
