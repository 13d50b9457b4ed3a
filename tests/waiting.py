"""Waiting for another process: it gives no signal we could await, so its effects are looked at."""

import asyncio
from collections.abc import Awaitable, Callable

LOOK_EVERY_S = 0.05


async def until(
    reached: Callable[[], Awaitable[bool]], *, what: str, at_most_s: float = 60
) -> None:
    """Return once `reached()` is true; AssertionError naming `what` after `at_most_s` seconds."""
    try:
        async with asyncio.timeout(at_most_s):
            while not await reached():  # noqa: ASYNC110 - no event comes from there
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {at_most_s:g} s: {what}") from None
