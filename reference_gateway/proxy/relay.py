"""One stream on its way from an upstream to a caller: each read is forwarded when it comes, unparsed; `feed` sees it first.

Two things are held back, both for the caller's sake. The read at which `feed` says that the answer is complete waits until the
settlement is written, so that whoever has read the last event finds it in the account. And where a read ends inside an SSE event, that
event's first part waits up to PARTIAL_S for the rest (no SSE client can use it earlier): if the upstream breaks there, the error event
that follows can be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from reference_gateway.proxy.server import Answer
from reference_gateway.proxy.upstream import SECOND_LOOK_S, Connection, UpstreamBroken, UpstreamTimeout

PARTIAL_S: Final = 0.015
MAX_PARTIAL_BYTES: Final = 16 * 1024
EVENT_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Milestone(Enum):
    COMPLETE = auto()  # the completing read is held back until `proceed`
    END = auto()  # the upstream's body is over
    NO_STREAM = auto()  # the body is over, and it was no stream: nothing of it was forwarded, `body` has it


class CallerGone(Exception):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: for the first read, between reads, and for a caller that takes nothing."""

    first_s: float
    idle_s: float
    stall_s: float


class Relay:
    """A body that starts with one of the bytes `not_stream` is gathered instead of forwarded.

    `sse`: the body is plain SSE, so that events have ends that we can see. `start` is called before the first byte is forwarded. What
    `feed` returns is true at the completing read.
    """

    def __init__(
        self,
        connection: Connection,
        answer: Answer,
        *,
        start: Callable[[], None],
        feed: Callable[[bytes], object],
        not_stream: bytes,
        sse: bool,
        patience: Patience,
        max_body_bytes: int,
    ) -> None:
        self._connection = connection
        self._answer = answer
        self._start = start
        self._feed = feed
        self._not_stream = not_stream
        self.sse = sse
        self._patience = patience
        self._max_body_bytes = max_body_bytes
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._parked: list[bytes] = []  # from the completing read on
        self._is_parked = False
        self._last = b""  # the completing read, where the body ended with it
        self._partial = b""
        self._partial_timer: asyncio.TimerHandle | None = None
        self._gathered: list[bytes] | None = None
        self._gathered_bytes = 0
        self._ended = False
        self._broken: UpstreamBroken | None = None
        self._paused = False
        self._last_move = self._loop.time()
        self._overdue = 0.0  # the last move at the first of two looks
        self._look_again_s = min(patience.first_s, patience.idle_s, patience.stall_s)
        self._timer = self._loop.call_later(self._look_again_s, self._on_timer)
        self._read_any = False
        self._at_event_end = True
        self._smooth = False  # the last read was whole events and has gone, and nothing is held back
        self.started = False
        self.awake: Callable[[], None] | None = None  # of whoever awaits nothing: called where `reached` may say something else

    @property
    def body(self) -> bytes:
        return b"".join(self._gathered or ())

    async def run(self) -> Milestone:
        """To the first milestone. Raises UpstreamBroken, UpstreamTimeout, CallerGone."""
        self.begin()
        return await self.next()

    def begin(self) -> None:
        self._answer.on_gone = self._on_gone
        self._answer.on_pause = self._pause
        self._answer.on_resume = self._resume
        if self._answer.paused:
            self._pause()
        self._connection.attach(self)

    def reached(self) -> Milestone | None:
        """Where the stream stands; None between two milestones. Raises as `run`."""
        if self._answer.gone:
            raise CallerGone
        if self._is_parked:
            return Milestone.COMPLETE
        if self._broken is not None:
            raise self._broken
        if self._ended:
            return Milestone.END if self._gathered is None else Milestone.NO_STREAM
        return None

    async def next(self) -> Milestone:
        while (milestone := self.reached()) is None:
            self._waiter = self._loop.create_future()
            await self._waiter
        return milestone

    def proceed(self) -> None:
        """Forwards the completing read and goes on."""
        self._is_parked = False
        parked, self._parked = self._parked, []
        if self._ended:
            self._last = parked.pop()  # goes with the end of the body
        for read in parked:
            self._forward(read)
        if not self._paused:
            self._connection.resume()

    def finish(self, closing: bytes = b"", *, drop_partial: bool = False) -> None:
        """Ends the answer; `closing` is an event of our own, put after the last whole event of the upstream's."""
        last = self._last if drop_partial else self._last + self._partial
        self._drop_partial()
        if closing:
            at_event_end = not self.sse or last.endswith(EVENT_ENDS) if last else self._at_event_end
            last += closing if at_event_end else b"\n\n" + closing
        if last:
            self._begin()
        self._answer.finish(last)

    def close(self) -> None:
        """Lets go of the caller; the connection stays whoever's it is."""
        self._timer.cancel()
        self._drop_partial()
        self._answer.on_gone = self._answer.on_pause = self._answer.on_resume = None

    def _wake(self) -> None:
        if self.awake is not None:
            self.awake()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # what the upstream does

    def on_read(self, read: bytes) -> None:
        self._last_move = self._loop.time()
        if self._smooth and read.endswith(b"\n\n"):
            if self._feed(read):
                self._park(read)
            else:
                self._answer.write(read)
            return
        self._smooth = False
        if not self._read_any:
            self._read_any = True
            first = read.lstrip()[:1]
            if first and first in self._not_stream:
                self._gathered = []
        if self._gathered is not None:
            self._gather(self._gathered, read)
            return
        if self._is_parked:
            self._parked.append(read)
            return
        if self._partial:
            read = self._partial + read
            self._drop_partial()
        if self.sse and not read.endswith(EVENT_ENDS):
            read = self._keep_partial(read)
            if not read:
                return
        self._take(read)

    def _take(self, read: bytes) -> None:
        if self._feed(read):
            self._park(read)
            return
        self._forward(read)

    def _park(self, read: bytes) -> None:
        self._smooth = False
        self._is_parked = True
        self._parked.append(read)
        self._connection.pause()
        self._wake()

    def _begin(self) -> None:
        if not self.started:
            self.started = True
            self._start()

    def _forward(self, read: bytes) -> None:
        self._begin()
        self._at_event_end = not self.sse or read.endswith(EVENT_ENDS)
        self._smooth = self.sse and self._at_event_end and not self._partial and not self._is_parked
        self._answer.write(read)

    def _keep_partial(self, read: bytes) -> bytes:
        """Keeps what stands after the last whole event; returns what may go on."""
        cut = read.rfind(b"\n\n") + 2
        cut = max(cut, read.rfind(b"\n\r\n", cut) + 3, read.rfind(b"\r\r", cut) + 2)  # only what stands after it: a read may be large
        whole = read[:cut] if cut > 2 else b""
        if len(read) - len(whole) > MAX_PARTIAL_BYTES or (not self._at_event_end and not whole):
            return read  # too much to hold, or its first part has gone already
        self._partial = read[len(whole) :]
        self._partial_timer = self._loop.call_later(PARTIAL_S, self._flush_partial)
        return whole

    def _flush_partial(self) -> None:
        partial = self._partial
        self._drop_partial()
        if partial and not self._is_parked:
            self._take(partial)
        elif partial:
            self._parked.append(partial)

    def _drop_partial(self) -> None:
        self._partial = b""
        if self._partial_timer is not None:
            self._partial_timer.cancel()
            self._partial_timer = None

    def _gather(self, gathered: list[bytes], read: bytes) -> None:
        gathered.append(read)
        self._gathered_bytes += len(read)
        if self._gathered_bytes > self._max_body_bytes:
            self._connection.abort(UpstreamBroken(f"The upstream's answer is over {self._max_body_bytes} bytes."))

    def on_end(self) -> None:
        self._ended = True
        if self._partial and not self._is_parked and self._gathered is None and self._feed(self._partial):
            # The last event lacks its blank line, and it is the completing one.
            self._parked, self._is_parked = [self._partial], True
            self._drop_partial()
        self._wake()

    def on_broken(self, reason: UpstreamBroken) -> None:
        self._broken = reason
        self._wake()

    # what the caller does

    def _on_gone(self) -> None:
        self._connection.abort(UpstreamBroken("The caller has gone."))
        self._wake()

    def _pause(self) -> None:
        self._paused = True
        self._last_move = self._loop.time()
        self._connection.pause()

    def _resume(self) -> None:
        self._paused = False
        self._last_move = self._loop.time()
        if not self._is_parked:
            self._connection.resume()

    def _on_timer(self) -> None:
        """One timer a stream, put off lazily: a silent upstream is broken off, and so is a caller that takes nothing."""
        if self._ended or self._broken is not None:
            return
        patience = self._patience
        bound = patience.stall_s if self._paused else patience.idle_s if self._read_any else patience.first_s
        quiet = self._loop.time() - self._last_move
        if quiet < bound:
            self._timer = self._loop.call_later(min(bound - quiet, self._look_again_s), self._on_timer)
        elif self._overdue != self._last_move:
            self._overdue = self._last_move
            self._timer = self._loop.call_later(SECOND_LOOK_S, self._on_timer)
        elif self._paused:
            self._answer.abort()
        elif self._is_parked:
            self._timer = self._loop.call_later(bound, self._on_timer)
        else:
            self._connection.abort(UpstreamTimeout("The upstream fell silent before its answer was whole."))
