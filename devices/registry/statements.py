"""The registry's SQL, by the name of its file."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> bytes:
    """The text of sql/{name}.sql, as psycopg takes it."""
    return (files("devices.registry") / "sql" / f"{name}.sql").read_bytes()
