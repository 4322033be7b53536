"""A storm: many calls at once, in the midst of which nodes of the gateway are killed and started again.

Of each call little is kept: whether it was answered, how, and its request id. What the books say of all of them is for the checks.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from harness.account import Account
from harness.case import Step, Storm
from harness.client import Call, ClientResult, ClientWitness
from harness.exchange import Balance, End, StormCall, value
from harness.progress import ClientProgress
from harness.recording.library import Library
from harness.recording.marking import new_marker
from harness.target import Bases, Turn
from harness.upstream.witness import UpstreamWitness
from harness.wire import sse

_SEED: Final = 19
_CALLS_A_KILL: Final = 1500
_LOOK_SECONDS: Final = 0.25  # between two readings of books that have not come to rest
_MakeCall = Callable[[Step, str, ClientProgress], Call]  # the step, its marker, and how far its client has read
Restart = Callable[[int], Awaitable[None]]  # kills the node of that number, from 0, and returns once it serves again


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a storm is driven with."""

    storm: Storm
    calls: int
    turn: Turn
    restart: Restart
    make_call: _MakeCall
    clients: ClientWitness
    witness: UpstreamWitness
    library: Library
    began: float  # time.perf_counter() when the exchange began


@dataclass(slots=True)
class _Nodes:
    """Which of them serve: whoever has a call to send goes round those."""

    bases: tuple[Bases, ...]
    next: int = 0
    up: list[asyncio.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.up = [asyncio.Event() for _ in self.bases]
        for event in self.up:
            event.set()

    async def pick(self) -> int:
        self.next += 1
        turns = [(self.next + ahead) % len(self.bases) for ahead in range(len(self.bases))]
        serving = [node for node in turns if self.up[node].is_set()]
        if not serving:
            await self.up[turns[0]].wait()
        return serving[0] if serving else turns[0]


class _Driving:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._nodes = _Nodes(tuple(means.turn.nodes))
        self._left = means.calls
        self._kills = max(means.storm.kills, means.calls // _CALLS_A_KILL)
        self._kills_left = self._kills
        self._seen: list[StormCall] = []
        self._more = asyncio.Condition()
        self._ends: dict[str, str | None] = {}  # of a recording: its last event's data

    async def drive(self) -> tuple[tuple[StormCall, ...], tuple[int, ...]]:
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill())
            for number in range(self._means.storm.under_way):
                group.create_task(self._call_on(random.Random(_SEED + number)))
        return tuple(self._seen), killing.result()

    async def _call_on(self, dice: random.Random) -> None:
        while self._left > 0 or self._kills_left:  # on beyond the end, until the last node serves again
            self._left -= 1
            act = dice.choice(self._means.storm.acts)
            seen = await self._call(act)
            async with self._more:
                self._seen.append(seen)
                self._more.notify_all()

    async def _kill(self) -> tuple[int, ...]:
        """At a random moment of each part of the calls a node, in turn. Each serves again before the next one goes."""
        dice = random.Random(_SEED)
        part = self._means.calls // (self._kills + 1)
        kills = []
        for kill in range(self._kills):
            moment = part * kill + dice.randrange(part // 2, part + 1)
            async with self._more:
                await self._more.wait_for(lambda moment=moment: len(self._seen) >= moment)  # type: ignore[misc]  # a lambda's default
            kills.append(len(self._seen))
            node = kill % len(self._nodes.bases)
            self._nodes.up[node].clear()
            await self._means.restart(node)
            self._nodes.up[node].set()
            self._kills_left -= 1
        return tuple(kills)

    async def _call(self, act: Step) -> StormCall:
        means = self._means
        node = await self._nodes.pick()
        marker, progress = new_marker(), ClientProgress()
        means.witness.expect(marker, *act.plays, surface=act.surface, client_progress=progress, began=means.began)
        try:
            call = replace(means.make_call(act, marker, progress), base=self._nodes.bases[node])
            result = await means.clients.drive(call)
        finally:
            means.witness.forget(marker)
        response = result.hop.response
        return StormCall(
            act=act.name,
            node=node,
            status=response.status if response else None,
            whole=self._is_whole(act, result),
            request_id=value(response.headers, "x-request-id") if response else None,
        )

    def _is_whole(self, act: Step, result: ClientResult) -> bool:
        response = result.hop.response
        if response is None or response.end is not End.EOF:
            return False
        if not response.is_sse:
            return True
        frames = [frame for frame in response.frames if frame.dispatches]
        return bool(frames) and frames[-1].data == self._last_event(act)

    def _last_event(self, act: Step) -> str | None:
        name = act.plays[0].recording
        if name not in self._ends:
            frames = [frame for frame in sse.frames(self._means.library.load(name).body) if frame.dispatches]
            self._ends[name] = frames[-1].data if frames else None
        return self._ends[name]


async def drive(means: Means) -> tuple[tuple[StormCall, ...], tuple[int, ...]]:
    """The calls in the order in which they ended, and after how many of them a node was killed."""
    return await _Driving(means).drive()


async def at_rest(account: Account, before: Balance, bound_s: float) -> Balance:
    """The books once the wallet has lost what the new rows say, or the bound is over: holds of what was killed are swept by then."""
    known = {row.request_id for row in before.rows or ()}
    deadline = time.perf_counter() + bound_s
    while True:
        books = await account.read()
        rows = [row for row in books.rows or () if row.request_id not in known]
        lost = before.available_micro_usd - books.available_micro_usd
        if lost == sum(row.cost_micro_usd for row in rows) or time.perf_counter() >= deadline:
            return books
        await asyncio.sleep(_LOOK_SECONDS)
