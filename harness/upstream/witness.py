"""The upstream witness: any path of any vendor, answered with the play that the marker in the request stands for."""

import asyncio
import errno
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from harness.case import MARKER, UPSTREAM, Play, Surface
from harness.exchange import Hop, Request, value
from harness.progress import ClientProgress
from harness.recording.format import Recording, RecordingError
from harness.recording.marking import find_marker
from harness.upstream import vendor_errors
from harness.upstream.answer import Answer, whole
from harness.upstream.connection import Connection
from harness.upstream.forced import calling, forced_tool
from harness.upstream.plan import gzip_offered, plan
from harness.upstream.player import Call, Player
from harness.upstream.requests import Arrived
from harness.wire.errors import Family

_GATHER_SECONDS: Final = 0.3  # for calls that are sent at once to come
_PLANS: Final = 256  # kept, so that one play for many models is planned once
MODEL_LISTS: Final = {
    Family.OPENAI: "models/openai-list",
    Family.ANTHROPIC: "models/anthropic-list",
    Family.GOOGLE: "models/gemini-list",
}


class ListenError(Exception):
    """The witness cannot listen where it was told to."""


class PortBusyError(ListenError):
    """Another program has the port."""


class _Expected:
    """What is to be answered for one marker, and what was."""

    def __init__(self, marker: str, plays: tuple[Play, ...], surface: Surface, progress: ClientProgress | None, began: float) -> None:
        self.marker = marker
        self._plays = plays
        self.surface = surface
        self.progress = progress
        self.began = began
        self.calls: list[Call] = []
        self.playing: dict[Call, Connection] = {}
        self.idle = asyncio.Event()
        self.idle.set()
        self.called = asyncio.Event()
        self.gathered = asyncio.Event()  # as many calls have come as the play wants to see together

    def take_up(self, call: Call, connection: Connection) -> Play | None:
        """What is to be answered; None: nothing, for nobody should have called."""
        play = self._plays[min(len(self.calls), len(self._plays) - 1)] if self._plays else None
        self.calls.append(call)
        self.playing[call] = connection
        self.idle.clear()
        self.called.set()
        if play is not None and len(self.calls) >= play.gather:
            self.gathered.set()
        return play

    def finish(self, call: Call) -> None:
        del self.playing[call]
        if not self.playing:
            self.idle.set()


class UpstreamWitness:
    """Lives in the event loop that `start` was awaited in; all its methods are for that loop.

    `library_loader` gives the recording of an id and raises where there is none. `pace_scale` stretches Pace.RECORDED.
    """

    def __init__(
        self, library_loader: Callable[[str], Recording], host: str = "127.0.0.1", port: int = 0, *, pace_scale: float = 1.0
    ) -> None:
        self._load = library_loader
        self._host = host
        self._port = port
        self._pace_scale = pace_scale
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._expected: dict[str, _Expected] = {}
        self._planned = lru_cache(maxsize=_PLANS)(self._plan)  # of a play, and whether gzip was offered
        self.front: str | None = None  # host:port of what stands before it, where something does that calls it by another host header
        self._unmatched: list[Call] = []
        self._model_lists: list[Call] = []
        self._failure: Exception | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._accept, self._host, self._port, backlog=1024)
        except OSError as error:
            where = f"port {self._port} of {self._host}"
            if error.errno == errno.EADDRINUSE:
                raise PortBusyError(f"{where} is taken by another program: give another one, to the gateway's vendors too") from error
            raise ListenError(f"the upstream witness cannot listen on {where} ({error.strerror}): give another one") from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends every stall and closes every connection. Raises what went wrong in the witness itself, if anything did."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*(connection.task for connection in connections if connection.task), return_exceptions=True)
        if server is not None:
            await server.wait_closed()
        self._raise_failure()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    def expect(self, marker: str, *plays: Play, surface: Surface, client_progress: ClientProgress | None, began: float) -> None:
        """Answers each call that carries `marker` with the next of `plays`, the last one again and again.

        Without any it answers with an error, since no call may come.

        Faults speak as the recording's surface does; `surface` is for the error. `began`: time.perf_counter() when the exchange did.
        Raises what the library raises, ValueError for what is no marker or is expected already, PlayError.
        """
        if find_marker(marker.encode()) != marker:
            raise ValueError(f"{marker!r} is no marker: make one with new_marker()")
        if marker in self._expected:
            raise ValueError(f"marker {marker} is expected already: forget it first, or make another")
        for play in plays:
            self._planned(play, True)
        self._expected[marker] = _Expected(marker, plays, surface, client_progress, began)

    def hops(self, marker: str) -> tuple[Hop, ...]:
        """Every call for the marker so far, in order of arrival. Raises what went wrong in the witness itself."""
        self._raise_failure()
        return tuple(call.hop() for call in self._expected[marker].calls)

    async def called(self, marker: str, timeout: float) -> bool:  # noqa: ASYNC109  the caller's own bound
        """True once a call for the marker has arrived; False when `timeout` seconds were over before that."""
        return await _set_within(self._expected[marker].called, timeout)

    async def settled(self, marker: str, timeout: float) -> bool:  # noqa: ASYNC109  the caller's own bound
        """True once no call for the marker is being answered; False when `timeout` seconds were over before that."""
        settled = await _set_within(self._expected[marker].idle, timeout)
        self._raise_failure()
        return settled

    def forget(self, marker: str) -> None:
        """Drops the marker and its hops, and hangs up on calls that are still open."""
        for connection in self._expected.pop(marker).playing.values():
            connection.cancel()

    @property
    def unmatched(self) -> tuple[Hop, ...]:
        """Requests that carried no marker we know, and were answered 404 for it."""
        return tuple(call.hop() for call in self._unmatched)

    @property
    def model_lists(self) -> tuple[Hop, ...]:
        """GET requests without a marker that were answered with a recorded model list."""
        return tuple(call.hop() for call in self._model_lists)

    def _accept(self) -> Connection:
        connection = Connection(self._serve)
        self._connections.add(connection)
        return connection

    async def _serve(self, connection: Connection) -> None:
        try:
            while self._server is not None and (arrived := await connection.next_request()) is not None:
                await self._answer(connection, arrived)
                if arrived.close:
                    break
            connection.close()
        except Exception as error:  # our own fault: told to whoever asks for the hops next
            self._failure = self._failure or error
            connection.reset()
        finally:
            self._connections.discard(connection)

    async def _answer(self, connection: Connection, arrived: Arrived) -> None:
        expected = self._expected_by(arrived)
        began = expected.began if expected else arrived.began
        request = Request(
            method=arrived.method,
            target=arrived.target,
            headers=arrived.headers,
            body=arrived.body,
            at_ms=round((arrived.began - began) * 1000),
        )
        call = Call(request, began, arrived.error)
        if expected is None:
            await self._answer_unmatched(connection, arrived, call)
            return
        play = expected.take_up(call, connection)
        try:
            if arrived.error is not None or play is None:
                await self._refuse(connection, arrived, call, expected)
                return
            if play.gather:
                await _set_within(expected.gathered, _GATHER_SECONDS)
            answer = self._answer_to(arrived, play)
            if play.named:
                answer = self._named(answer, expected.marker, self.front or value(arrived.headers, "host") or "")
            player = Player(
                connection,
                call,
                pace=play.pace,
                spread=play.split_every is not None or bool(play.split_at),
                progress=expected.progress,
                since=arrived.began,
                scale=self._pace_scale,
            )
            await player.play(answer.without_body() if arrived.method == "HEAD" else answer, close=arrived.close)
        finally:
            expected.finish(call)

    def _answer_to(self, arrived: Arrived, play: Play) -> Answer:
        tool = forced_tool(arrived.body) if play.if_forced is not None else None
        if play.if_forced is None or tool is None:
            return self._planned(play, gzip_offered(arrived.headers))
        return calling(self._planned(replace(play, recording=play.if_forced), gzip_offered(arrived.headers)), tool)

    @staticmethod
    def _named(answer: Answer, marker: str, host: str) -> Answer:
        """What stands in braces stands within one piece."""
        words = ((MARKER.encode(), marker.encode()), (UPSTREAM.encode(), host.encode()))
        pieces = answer.pieces
        for word, said in words:
            pieces = tuple(replace(piece, data=piece.data.replace(word, said)) for piece in pieces)
        return answer.with_pieces(pieces)

    async def _answer_unmatched(self, connection: Connection, arrived: Arrived, call: Call) -> None:
        if arrived.method == "GET" and call.request.path.endswith("/models") and (answer := self._model_list(arrived)):
            self._model_lists.append(call)
            await Player(connection, call).play(answer, close=arrived.close)
            return
        self._unmatched.append(call)
        await self._refuse(connection, arrived, call, None)

    def _model_list(self, arrived: Arrived) -> Answer | None:
        """None where the library has no such recording: one of another origin need not."""
        family = vendor_errors.family_called(arrived.target.partition("?")[0], arrived.headers)
        try:
            return self._planned(Play(recording=MODEL_LISTS[family]), gzip_offered(arrived.headers))
        except (LookupError, RecordingError):
            return None

    async def _refuse(self, connection: Connection, arrived: Arrived, call: Call, expected: _Expected | None) -> None:
        """400 for what is not HTTP, 404 in the vendor's shape for what should not have come."""
        family = vendor_errors.family_called(call.request.path, arrived.headers)
        status = 404
        if arrived.error is not None:
            status, message = 400, f"wireproof's upstream witness cannot read this request: {arrived.error}"
        elif expected is None:
            message = "wireproof's upstream witness knows no such marker: the request's text must carry that of an exchange under way"
        else:
            family = vendor_errors.family_of(expected.surface)
            message = "wireproof's upstream witness expects no call for this exchange: the gateway should have answered by itself"
        answer = whole(status, vendor_errors.json_type(family), vendor_errors.body(family, status, message=message))
        await Player(connection, call).play(answer, close=arrived.close)

    def _expected_by(self, arrived: Arrived) -> _Expected | None:
        """By the marker in the body, else by one in a header or the URL."""
        head = " ".join((arrived.target, *(text for _, text in arrived.headers))).encode("latin-1")
        for place in (arrived.body, head):
            marker = find_marker(place)
            if marker in self._expected:
                return self._expected[marker]
        return None

    def _plan(self, play: Play, offered: bool) -> Answer:
        return plan(self._load(play.recording), play, gzip_offered=offered)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    if event.is_set():
        return True
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
