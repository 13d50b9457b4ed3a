"""The package's SQL, by the name of its file in `alerts/sql`."""

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> bytes:
    """The statement in sql/{name}.sql, with named parameters."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_bytes()
