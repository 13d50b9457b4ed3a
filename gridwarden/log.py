"""Logs: a fixed sentence, a stable `action`, and keys. Values of secrets never get here."""

import asyncio
import io
import logging
from collections.abc import Iterator

_MINUTE = 60.0
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class KeyFormatter(logging.Formatter):
    """`time level action sentence key=value …`, one line each, times in UTC."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, with its traceback, if any, below."""
        action = getattr(record, "action", record.name)
        head = f"{self.formatTime(record)} {record.levelname:<7} {action} {record.getMessage()}"
        line = " ".join([head, *_keys(record)])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Seldom(logging.Filter):
    """Lets the same message pass once a minute: the pool complains at every try."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it was not told within the last minute, by the record's own time."""
        now, message = record.created, record.getMessage()
        self._passed = {m: at for m, at in self._passed.items() if 0 <= now - at < _MINUTE}
        return self._passed.setdefault(message, now) == now


def configure(level: str) -> None:
    """Send the service's log to standard error at this level."""
    handler = logging.StreamHandler()
    handler.setFormatter(KeyFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for quiet in ("uvicorn.access", "psycopg.pool", "httpx"):
        logging.getLogger(quiet).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    logging.getLogger("psycopg.pool").addFilter(Seldom())


def tasks() -> None:
    """Log what every task of the running loop waits for; `gridwarden run` does so at SIGUSR1."""
    for task in asyncio.all_tasks():
        stack = io.StringIO()
        task.print_stack(file=stack)
        logging.getLogger(__name__).warning(
            "A task waits.",
            extra={
                "action": "service.task",
                "task": task.get_name(),
                "cancelling": task.cancelling(),
                "stack": stack.getvalue(),
            },
        )


def _keys(record: logging.LogRecord) -> Iterator[str]:
    for key, value in vars(record).items():
        if key not in _PLAIN and key != "action" and not key.startswith("_"):
            yield f"{key}={value!r}" if isinstance(value, str) else f"{key}={value}"
