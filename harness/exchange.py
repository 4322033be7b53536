"""Everything both witnesses saw of one request and its answer. Pure data: checks read it, nothing here judges.

Times are whole milliseconds since the exchange began (the client was about to write its first byte).
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from harness.case import Case, RecordingFacts, Route, Surface
from harness.recording.format import Headers as Headers
from harness.recording.format import Read as Read  # on the upstream side: one write
from harness.wire import WireError, chat, gemini, messages, responses, sse


class End(StrEnum):
    """How a body ended."""

    EOF = "eof"
    RESET = "reset"  # the peer broke off: RST, a missing last chunk, fewer bytes than content-length says
    ABORTED = "aborted"  # our side hung up first
    TIMEOUT = "timeout"  # our side gave up waiting


def values(headers: Headers, name: str) -> tuple[str, ...]:
    """All values of a header, in order. Names compare without case (RFC 9110 5.1)."""
    wanted = name.lower()
    return tuple(value for key, value in headers if key.lower() == wanted)


def value(headers: Headers, name: str) -> str | None:
    """The first value of a header, or None."""
    found = values(headers, name)
    return found[0] if found else None


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    target: str  # path and query, as on the request line
    headers: Headers
    body: bytes
    at_ms: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None where it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Undecodable(ValueError):
    """The body does not decode by its own content-encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One SSE event as the client got it."""

    frame: int  # its place in the stream, counted from 0
    raw: sse.Frame
    data: Any  # the data as JSON, or NOT_JSON
    event: Any  # the typed form of the surface's codec, or None where the data is no JSON object

    @property
    def offset(self) -> int:
        return self.raw.offset


class _NotJson:
    def __repr__(self) -> str:
        return "NOT_JSON"

    def __bool__(self) -> bool:
        return False


NOT_JSON = _NotJson()  # the data of a frame that does not parse; `[DONE]` is one


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int
    headers: Headers
    reads: tuple[Read, ...]
    end: End
    at_ms: int = 0  # when the head was there
    end_ms: int = 0

    @cached_property
    def encoded(self) -> bytes:
        """The body after transfer-decoding: what content-length counts."""
        return b"".join(read.data for read in self.reads)

    @cached_property
    def body(self) -> bytes:
        """The body after content-decoding; raises Undecodable where that fails."""
        data = self.encoded
        coding = (value(self.headers, "content-encoding") or "identity").strip().lower()
        try:
            match coding:
                case "identity" | "":
                    return data
                case "gzip" | "x-gzip":
                    return gzip.decompress(data) if data else b""
                case "deflate":
                    return zlib.decompress(data) if data else b""
        except (OSError, EOFError, zlib.error) as error:
            raise Undecodable(f"content-encoding {coding}: {error}") from error
        raise Undecodable(f"content-encoding {coding} is not one that the client offered")

    @cached_property
    def text(self) -> bytes:
        """The body, or what arrived of it where it does not decode. For checks that look for traces, not for shape."""
        try:
            return self.body
        except Undecodable:
            return self.encoded

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or NOT_JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return NOT_JSON

    @cached_property
    def is_sse(self) -> bool:
        return (value(self.headers, "content-type") or "").partition(";")[0].strip().lower() == "text/event-stream"

    @cached_property
    def frames(self) -> tuple[sse.Frame, ...]:
        return sse.frames(self.text)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One request and what was seen of its answer, by one witness."""

    request: Request
    response: Response | None  # None: no head ever came (or, upstream, none was sent)
    closed_ms: int | None = None  # when this witness's peer was gone, where that was seen: an abort
    lockstep_missed: tuple[int, ...] = ()  # upstream: reads that the client had not got when two seconds were over
    error: str | None = None  # client: the transport's own words, for example "ReadTimeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkError:
    type: str  # class name, for example "RateLimitError"
    message: str
    status: int | None = None
    code: str | None = None
    error_type: str | None = None
    request_id: str | None = None
    official: bool = True  # False: a bare transport or parser exception that the SDK let through


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkReading:
    """What the official SDK made of the client's bytes: the second reading."""

    sdk: str  # for example "anthropic 2.12.0"
    call: str  # for example "messages.stream"
    events: tuple[Any, ...] = ()  # each event that the SDK yielded, as JSON values
    final: Any = None  # the answer, or what the SDK accumulated, as a JSON value; None: none
    error: SdkError | None = None
    request_id: str | None = None

    @property
    def told(self) -> Any:
        """What its user has in hand: the answer, in which a stream's items are besides under `done`, each as it stood when it was done."""
        done = [event["item"] for event in self.events if isinstance(event, dict) and event.get("type") == "response.output_item.done"]
        return {**self.final, "done": done} if done and isinstance(self.final, dict) else self.final


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One billed request, as the target lists it. Money in micro-USD."""

    request_id: str
    model: str
    cost_micro_usd: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    available_micro_usd: int
    rows: tuple[UsageRow, ...] | None  # None: the target lists no rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReading:
    """Balance and usage before the exchange, after it, and (where a stall made it visible) while it was open."""

    before: Balance
    after: Balance
    during: Balance | None = None
    prices: dict[str, int] = field(default_factory=dict)  # such as "output_per_1m" -> micro-USD, where the target has a price table

    @property
    def charged_micro_usd(self) -> int:
        return self.before.available_micro_usd - self.after.available_micro_usd

    @property
    def new_rows(self) -> tuple[UsageRow, ...] | None:
        if self.after.rows is None or self.before.rows is None:
            return None
        known = {row.request_id for row in self.before.rows}
        return tuple(row for row in self.after.rows if row.request_id not in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormCall:
    """One call of a storm, in few words."""

    act: str  # name of the step that it was
    node: int  # which of the gateway's, from 0
    status: int | None  # None: no head came
    whole: bool  # the answer has its end, a stream its vendor's last event
    request_id: str | None


@dataclass(frozen=True, kw_only=True)
class StepSeen:
    """What both witnesses saw of one step of a case. Its calls went out together."""

    name: str
    calls: tuple[Hop, ...] = ()
    upstream: tuple[Hop, ...] = ()
    books: Balance | None = None  # read after it, where the case asks for that
    at_s: int = 0  # Unix seconds by our clock when it was over
    unsent: str | None = None  # why it was not sent: an earlier answer lacks what it is made of
    storm: tuple[StormCall, ...] = ()  # in the order in which they ended
    kills: tuple[int, ...] = ()  # after so many of them a node was killed
    sdk: SdkReading | None = None  # of the first call

    @property
    def answer(self) -> Response | None:
        """Of the first call."""
        return self.calls[0].response if self.calls else None

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None


_CODECS = {
    Surface.CHAT: chat.decode_event,
    Surface.RESPONSES: responses.decode_event,
    Surface.MESSAGES: messages.decode_event,
    Surface.GEMINI: gemini.decode_event,
}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    id: str  # "case id @ model", unique in a run
    case: Case
    model: str
    route: Route
    marker: str
    client: Hop
    upstream: tuple[Hop, ...] = ()  # every call that the gateway made for it, in order
    sdk: SdkReading | None = None
    account: AccountReading | None = None
    recording: RecordingFacts | None = None
    promises: dict[str, Any] = field(default_factory=dict)  # what the target file says of itself, for checks that need it
    lag_ms: int = 0  # how late our own event loop was at worst meanwhile: no time here is truer than that
    errored: str | None = None  # why we could not drive it: our fault, not the target's
    steps: tuple[StepSeen, ...] = ()  # of a case with steps; `client` is then the last one's first call, and `upstream` empty

    def step(self, name: str) -> StepSeen:
        """Raises KeyError for a name that the case does not have."""
        for seen in self.steps:
            if seen.name == name:
                return seen
        raise KeyError(f"case {self.case.id} has no step {name}")

    @property
    def upstream_surface(self) -> Surface:
        """The protocol that the upstream was to speak: the client's own on a native route."""
        return self.case.upstream.surface if self.case.upstream else self.case.surface

    @cached_property
    def client_events(self) -> tuple[Seen, ...]:
        """Every SSE event that reached the client; empty where there was no stream."""
        return tuple(self._events(self.client.response, self.case.surface))

    @cached_property
    def upstream_events(self) -> tuple[Seen, ...]:
        """Every SSE event that the last upstream call was answered with."""
        return tuple(self._events(self.upstream[-1].response if self.upstream else None, self.upstream_surface))

    def _events(self, response: Response | None, surface: Surface) -> Iterator[Seen]:
        if response is None or not response.is_sse:
            return
        decode = _CODECS.get(surface)
        for number, frame in enumerate(response.frames):
            if frame.data is None:
                yield Seen(frame=number, raw=frame, data=NOT_JSON, event=None)
                continue
            try:
                data = json.loads(frame.data)
            except ValueError:
                data = NOT_JSON
            typed = None
            if decode is not None and isinstance(data, dict):
                try:
                    typed = decode(frame)
                except WireError:
                    typed = None
            yield Seen(frame=number, raw=frame, data=data, event=typed)
