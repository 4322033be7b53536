"""How far one client has read: told by the client witness, waited for by the upstream witness (Pace.LOCKSTEP)."""

import asyncio
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    wanted: int
    loop: asyncio.AbstractEventLoop
    reached: asyncio.Future[bool]


class ClientProgress:
    """Counts the body bytes that one client got, after transfer-decoding and before content-decoding.

    `advance` and `close` may be called from any thread, since sync SDKs read in threads of their own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = 0
        self._closed = False
        self._waiters: list[_Waiter] = []

    @property
    def received(self) -> int:
        return self._received

    @property
    def closed(self) -> bool:
        """The client hung up, or has the whole answer: nothing more will be read."""
        return self._closed

    def advance(self, size_bytes: int) -> None:
        with self._lock:
            self._received += size_bytes
            self._wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wake()

    async def wait(self, size_bytes: int, timeout_s: float) -> bool:
        """True once `size_bytes` in all were received; False when the time was over or the client closed before that."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(size_bytes, loop, loop.create_future())
        with self._lock:
            if self._closed or self._received >= size_bytes:
                return self._received >= size_bytes
            self._waiters.append(waiter)
        try:
            return await asyncio.wait_for(waiter.reached, timeout_s)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _wake(self) -> None:
        """Answers the waiters that know enough now. The lock is held."""
        for waiter in [w for w in self._waiters if self._closed or self._received >= w.wanted]:
            self._waiters.remove(waiter)
            if not waiter.loop.is_closed():
                waiter.loop.call_soon_threadsafe(_tell, waiter.reached, self._received >= waiter.wanted)


def _tell(reached: asyncio.Future[bool], value: bool) -> None:
    if not reached.done():
        reached.set_result(value)
