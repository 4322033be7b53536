import asyncio

from reference_gateway.cancelling import cancel


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    """As a loop does that awaits a library which answers a cancellation with an error of its own."""
    lost = 0

    async def loses_two() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    async def fails() -> None:
        raise OSError("its own")

    tasks = [asyncio.create_task(loses_two()), asyncio.create_task(fails()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.sleep(0)
    await cancel(*tasks)
    assert lost == 2
    assert all(task.done() for task in tasks)


async def test_nothing_to_end() -> None:
    await cancel()
