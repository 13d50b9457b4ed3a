"""What a database that does not take a batch is short of, and what to do. Pure.

Codes: PostgreSQL, Appendix A, "PostgreSQL Error Codes".
"""

from typing import NamedTuple

import psycopg

_PLAIN = "nothing is acknowledged until it takes batches: the broker's queue holds what comes"


class Trouble(NamedTuple):
    """state: a word for it, the same as long as it lasts · mend: what to do."""

    state: str
    mend: str


_KNOWN = {
    "53100": Trouble("disk full", "free space on the database's disk, or give it more"),
    "25006": Trouble(
        "read-only",
        "it is a standby, or set read-only: let GRIDWARDEN_DATABASE_URL name the primary (several"
        " hosts and target_session_attrs=read-write), or set default_transaction_read_only off",
    ),
    "53200": Trouble("out of memory", "give it more memory, or more max_locks_per_transaction"),
    "53300": Trouble("too many connections", "raise its max_connections, or end other clients"),
    "57P03": Trouble("starting", "wait: it starts or recovers; its log says how far it is"),
    "58030": Trouble("disk failing", "see to its disk: it could not read or write"),
    "42501": Trouble("not allowed", "GRANT its user what the reason names"),
    "42P01": Trouble("schema missing", "run `gridwarden migrate`"),
}
_AWAY = Trouble("away", "see to the server, the network and GRIDWARDEN_DATABASE_URL")
_OTHER = Trouble("refusing", "see the reason, and the database's log")


def trouble(error: psycopg.Error) -> Trouble:
    """What is wrong with the database that raised this, with what to do."""
    known = _KNOWN.get(error.sqlstate or "")
    if known is None:
        known = _AWAY if isinstance(error, psycopg.OperationalError) else _OTHER
    return Trouble(known.state, f"{known.mend}; {_PLAIN}")
