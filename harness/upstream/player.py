"""Plays one Answer on one connection, and keeps what was really sent and when."""

import asyncio
import time
from typing import Final, assert_never

from harness.case import Pace
from harness.exchange import End, Headers, Hop, Request, Response
from harness.exchange import Read as SentRead
from harness.progress import ClientProgress
from harness.recording.format import Read
from harness.upstream.answer import LAST_CHUNK, Answer, Ending, chunk, head_bytes
from harness.upstream.connection import Connection, PeerGone

LOCKSTEP_S: Final = 2.0  # how long a read waits for the client to have the one before
_BEATS: Final = 20  # in which it is waited
_PUNCTUAL: Final = 5  # of them at least: while our own loop stands still it is not told what the client got either
_MISSES: Final = 3  # so many, and the rest is sent unwaited: a gateway that buffers everything would cost 2 s a read
_BURST_BYTES: Final = 1 << 16  # written at once
_BEFORE_RESET_S: Final = 0.02  # an RST may overtake what its receiver has not read yet


class Call:
    """One call of the gateway, as it goes on."""

    def __init__(self, request: Request, began: float, error: str | None = None) -> None:
        self.request = request
        self.error = error
        self.missed: list[int] = []
        self._began = began  # time.perf_counter() when the exchange began
        self._head: tuple[int, Headers] | None = None
        self._head_ms = 0
        self._reads: list[SentRead] = []
        self._end = End.TIMEOUT  # until it is known better: our side gave up
        self._end_ms: int | None = None
        self._closed_ms: int | None = None

    def head_sent(self, status: int, headers: Headers) -> None:
        self._head = (status, headers)
        self._head_ms = self._now_ms()

    def sent(self, data: bytes) -> None:
        self._reads.append(SentRead(at_ms=self._now_ms(), data=data))

    def ended(self, end: End) -> None:
        self._end = end
        self._end_ms = self._now_ms()

    def peer_left(self) -> None:
        self._closed_ms = self._now_ms()
        self.ended(End.ABORTED)

    def hop(self) -> Hop:
        """The call so far.

        `Response.end`: EOF, all was sent; RESET, broken off as the play says; ABORTED, the gateway left first;
        TIMEOUT, still open, or ended by `forget` or `stop`.
        """
        response = None
        if self._head is not None:
            status, headers = self._head
            response = Response(
                status=status,
                headers=headers,
                reads=tuple(self._reads),
                end=self._end,
                at_ms=self._head_ms,
                end_ms=self._now_ms() if self._end_ms is None else self._end_ms,
            )
        return Hop(
            request=self.request,
            response=response,
            closed_ms=self._closed_ms,
            lockstep_missed=tuple(self.missed),
            error=self.error,
        )

    def _now_ms(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)


class Player:
    """`spread`: each piece is a write of its own even in a burst. `scale` stretches the recorded times, which count from `since`."""

    def __init__(
        self,
        connection: Connection,
        call: Call,
        *,
        pace: Pace = Pace.BURST,
        spread: bool = False,
        progress: ClientProgress | None = None,
        since: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        self._connection = connection
        self._call = call
        self._pace = pace
        self._spread = spread
        self._progress = progress
        self._scale = scale
        self._since = since
        self._waiting = progress is not None

    async def play(self, answer: Answer, *, close: bool = False) -> None:
        """Never raises for what the gateway does; the call says how it ended."""
        try:
            if not answer.silent:
                await self._send(answer, close=close)
            await self._end(answer.ending)
        except PeerGone:
            self._call.peer_left()
        except asyncio.CancelledError:  # the witness stops, or forgets the marker
            self._call.ended(End.TIMEOUT)
            raise

    async def _send(self, answer: Answer, *, close: bool) -> None:
        headers = answer.sent_headers(close=close)
        head = head_bytes(answer.status, headers)
        last = LAST_CHUNK if answer.chunked and answer.ending is Ending.COMPLETE else b""
        if self._pace is Pace.RECORDED and answer.pieces:
            await self._until(answer.pieces[0].at_ms)
        self._connection.require()
        self._call.head_sent(answer.status, headers)
        if self._pace is Pace.BURST and not self._spread:
            await self._burst(answer, head, last)
        else:
            await self._write(head)
            await self._one_by_one(answer, last)

    async def _burst(self, answer: Answer, head: bytes, last: bytes) -> None:
        batch = head
        pieces: list[Read] = []
        for piece in answer.pieces:
            batch += chunk(piece.data) if answer.chunked else piece.data
            pieces.append(piece)
            if len(batch) > _BURST_BYTES:
                await self._write(batch, *pieces)
                batch = b""
                pieces.clear()
        await self._write(batch + last, *pieces)

    async def _one_by_one(self, answer: Answer, last: bytes) -> None:
        before = self._progress.received if self._progress else 0  # by an earlier call for the same marker
        sent = 0
        for number, piece in enumerate(answer.pieces):
            match self._pace:
                case Pace.BURST:
                    await asyncio.sleep(0)  # the loop's turn: the write before leaves as a segment of its own
                case Pace.RECORDED:
                    await self._until(piece.at_ms)
                case Pace.LOCKSTEP:
                    if not await self._client_has(before + sent):
                        self._call.missed.append(number - 1)
                        self._waiting = len(self._call.missed) < _MISSES
                case _:
                    assert_never(self._pace)
            await self._write(chunk(piece.data) if answer.chunked else piece.data, piece)
            sent += len(piece.data)
        await self._write(last)

    async def _write(self, data: bytes, *pieces: Read) -> None:
        """Writes `data`, which carries the pieces, and waits until the kernel has it."""
        self._connection.write(data)
        for piece in pieces:
            self._call.sent(piece.data)
        await self._connection.drain()

    async def _client_has(self, size_bytes: int) -> bool:
        """False after two seconds in vain, or later where our own loop was late. Once the client hung up nobody will read on."""
        progress = self._progress
        if progress is None or not self._waiting or progress.received >= size_bytes:
            return True
        began, beat, punctual = time.perf_counter(), LOCKSTEP_S / _BEATS, 0
        for _ in range(2 * _BEATS):
            before = time.perf_counter()
            if await self._connection.unless_gone(progress.wait(size_bytes, beat)):
                return True
            now = time.perf_counter()
            punctual += now - before < 1.5 * beat
            if progress.closed or (punctual >= _PUNCTUAL and now - began >= LOCKSTEP_S):
                break
        if not progress.closed:
            return False
        self._waiting = False
        await self._connection.hold(LOCKSTEP_S)  # the gateway's turn to hang up too
        return True

    async def _until(self, at_ms: int) -> None:
        due = self._since + at_ms * self._scale / 1000
        if (left := due - time.perf_counter()) > 0:
            await self._connection.hold(left)

    async def _end(self, ending: Ending) -> None:
        match ending:
            case Ending.COMPLETE:
                self._call.ended(End.EOF)
            case Ending.FIN:
                self._connection.close()
                self._call.ended(End.RESET)
            case Ending.RESET:
                await self._connection.hold(_BEFORE_RESET_S)
                self._connection.reset()
                self._call.ended(End.RESET)
            case Ending.STALL:
                await self._connection.hold(None)
            case _:
                assert_never(ending)
