import asyncio
import threading

from harness.progress import ClientProgress


async def test_a_waiter_wakes_when_enough_was_read_and_not_before() -> None:
    progress = ClientProgress()
    waiting = asyncio.create_task(progress.wait(10, 5))
    await asyncio.sleep(0)
    progress.advance(9)
    await asyncio.sleep(0)
    assert not waiting.done()
    progress.advance(1)
    assert await waiting
    assert progress.received == 10


async def test_what_was_read_before_counts() -> None:
    progress = ClientProgress()
    progress.advance(3)
    assert await progress.wait(3, 0)


async def test_waiting_ends_with_its_time_or_when_the_client_closed() -> None:
    progress = ClientProgress()
    assert not await progress.wait(1, 0.001)
    waiting = asyncio.create_task(progress.wait(1, 5))
    await asyncio.sleep(0)
    progress.close()
    assert not await waiting
    assert progress.closed
    assert not await progress.wait(1, 5)


async def test_threads_may_advance() -> None:
    progress = ClientProgress()

    def read() -> None:
        for _ in range(500):
            progress.advance(1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    waits = [asyncio.create_task(progress.wait(wanted, 5)) for wanted in (1, 700, 2000)]
    for thread in threads:
        thread.start()
    assert await asyncio.gather(*waits) == [True, True, True]
    for thread in threads:
        thread.join()
    assert progress.received == 2000
