"""Loops that end when they are told to.

Before Python 3.12 `asyncio.wait_for` swallows a cancellation that comes in the very moment in which
what it waits for is done, and the connection pool waits that way. A loop that goes on for ever then
goes on for ever, and a stop hangs. So every such loop asks here at each turn.
"""

import asyncio


def give_way() -> None:
    """Raise asyncio.CancelledError if the running task was cancelled, even if that got lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
