import asyncio

import pytest

from devices.cancelling import give_way


async def test_a_loop_ends_though_its_cancellation_was_swallowed() -> None:
    turns = 0
    waiting = asyncio.Event()

    async def loop() -> None:
        nonlocal turns
        while True:
            give_way()
            turns += 1
            waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue  # as wait_for does when it is done at the same moment

    task = asyncio.create_task(loop())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert turns == 1


async def test_a_task_that_nobody_cancelled_goes_on() -> None:
    give_way()
