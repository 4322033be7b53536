"""What happened, noted while it happens and looked at later.

On the path of a request one record is appended to a list and nothing else. A few times a second, and before anybody is shown the metrics,
the list is handed over in one piece: to the counters, the access log, the traces. So what they cost is paid once per batch, and a slow
disk or collector never holds a request up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

import msgspec

from reference_gateway.billing.interface import Settled

EVERY_S: Final = 0.25
_request_id: Final = attrgetter("request_id")
MOST_SETTLED: Final = 10_000


class Answered(msgspec.Struct, frozen=True, gc=False):
    """One request, whatever came of it. `surface` and `model` are "" for what is no model call; `status` is 0 where the caller left first.

    `started` is Unix seconds, `seconds` the time until the last byte was handed to the socket. `traceparent` is the caller's header.
    """

    request_id: str
    started: float
    seconds: float
    method: bytes
    path: bytes
    surface: str
    model: str
    status: int
    size_bytes: int
    key_id: str
    account: str
    traceparent: bytes


class Asked(msgspec.Struct, frozen=True, gc=False):
    """One attempt at an upstream. `seconds` to the head of its answer; `status` 0 where there was none."""

    channel: str
    seconds: float
    status: int


class Batch(NamedTuple):
    """`costs` has the settlement of each answered request that had one."""

    answered: Sequence[Answered]
    settled: Sequence[Settled]
    asked: Sequence[Asked]
    costs: dict[str, Settled]


class Reader(Protocol):
    def take(self, batch: Batch) -> None: ...


class Journal:
    """`answered`, `settled` and `asked` are what the data plane calls: each is a list's own append.

    A request's settlement is noted before its answer; a task's has none.
    """

    def __init__(self, readers: Iterable[Reader] = ()) -> None:
        self.readers = list(readers)
        self._answered: list[Answered] = []
        self._settled: list[Settled] = []
        self._asked: list[Asked] = []
        self._costs: dict[str, Settled] = {}  # of requests whose end has not come yet
        self.answered = self._answered.append
        self.settled = self._settled.append
        self.asked = self._asked.append
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.flush()

    def _tick(self) -> None:
        self.flush()
        self.start()

    def flush(self) -> None:
        """Hands over what was noted; nothing where there is nothing."""
        if not (self._answered or self._settled or self._asked):
            return
        answered, settled, asked = self._answered.copy(), self._settled.copy(), self._asked.copy()
        self._answered.clear()
        self._settled.clear()
        self._asked.clear()
        costs = self._costs
        costs.update(zip(map(_request_id, settled), settled, strict=True))
        known = {answer.request_id: cost for answer in answered if (cost := costs.pop(answer.request_id, None)) is not None}
        while len(costs) > MOST_SETTLED:  # tasks: nobody waits for their answer
            del costs[next(iter(costs))]
        batch = Batch(answered, settled, asked, known)
        for reader in self.readers:
            reader.take(batch)
