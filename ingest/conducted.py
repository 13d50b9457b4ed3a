"""What is kept of how devices behave: read, and written with the batch that changed it.

Everything here runs in the caller's transaction.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow, dict_row

from devices.instant import NEVER, Micros, to_datetime, to_micros
from devices.reading import Bool
from ingest.conduct import Conduct, Known, Run, Spell, Tally, after, concerned
from ingest.decoded import Decoded

_SQL = {
    name: (Path(__file__).parent / "sql" / f"{name}.sql").read_bytes()
    for name in ("suspected_devices", "known_conduct", "upsert_conduct")
}
_TALLIES = ("late", "contradicting", "ahead", "impossible", "too_many")

Cursor = AsyncCursor[TupleRow]
Row = Mapping[str, Any]


async def known_before(cursor: Cursor, decoded: Decoded) -> dict[int, Known]:
    """What is known of the devices that this batch may say something notable of.

    To be asked before the batch is written. Usually none: then that is all it costs.
    """
    await cursor.execute(_SQL["suspected_devices"])
    suspected = [device for (device,) in await cursor.fetchall()]
    return await known(cursor.connection, concerned(decoded, suspected))


async def keep_conduct(
    cursor: Cursor, decoded: Decoded, stored: Bool, differs: Bool, before: Mapping[int, Known]
) -> None:
    """Write what this batch changed.

    stored: bool, one per message, True where something in it was new · differs: bool, one per
    reading, True where it was there with another value · before: what `known_before` gave.
    """
    contradicted = decoded.readings.take(differs & ~decoded.repeated()[decoded.reading_message])
    strangers = sorted(set(contradicted.device.tolist()) - before.keys())
    every = {**before, **await known(cursor.connection, strangers)}
    changed = after(decoded, stored, contradicted, every)
    if changed:
        await cursor.executemany(_SQL["upsert_conduct"], [_row(one) for one in changed])


async def known(conn: AsyncConnection[Any], devices: Iterable[int]) -> dict[int, Known]:
    """What is known of these devices' conduct now."""
    wanted = list(devices)
    if not wanted:
        return {}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SQL["known_conduct"], {"devices": wanted})
        return {row["device_id"]: _known(row) for row in await cursor.fetchall()}


def _known(row: Row) -> Known:
    newest = _micros(row["newest"])
    conduct = conduct_of(row) if row["late"] is not None else Conduct(row["device_id"])
    return Known(conduct, NEVER if newest is None else newest, row["interval_us"] or 0)


def conduct_of(row: Row) -> Conduct:
    """A row of the table as a value."""
    tallies = {name: Tally(row[name], _micros(row[f"last_{name}"])) for name in _TALLIES}
    run = spell = None
    if row["run_from"] is not None:
        since, last = to_micros(row["run_from"]), to_micros(row["run_last"])
        run = Run(since, last, row["run_messages"], row["run_lowest_us"], row["run_highest_us"])
    if row["spell_from"] is not None:
        spell = Spell(to_micros(row["spell_from"]), row["spell_messages"], row["spell_lag_us"])
    return Conduct(row["device_id"], **tallies, run=run, spell=spell, offset=row["offset_us"])


def _row(conduct: Conduct) -> dict[str, object]:
    run, spell = conduct.run, conduct.spell
    row: dict[str, object] = {"device_id": conduct.device, "offset_us": conduct.offset}
    for name in _TALLIES:
        tally: Tally = getattr(conduct, name)
        row |= {name: tally.count, f"last_{name}": _datetime(tally.last)}
    row |= {
        "run_from": _datetime(run.since if run else None),
        "run_last": _datetime(run.last if run else None),
        "run_messages": run.messages if run else None,
        "run_lowest_us": run.lowest if run else None,
        "run_highest_us": run.highest if run else None,
    }
    return row | {
        "spell_from": _datetime(spell.since if spell else None),
        "spell_messages": spell.messages if spell else None,
        "spell_lag_us": spell.lag if spell else None,
    }


def _micros(moment: Any) -> Micros | None:
    return None if moment is None else to_micros(moment)


def _datetime(micros: Micros | None) -> object:
    return None if micros is None else to_datetime(micros)
