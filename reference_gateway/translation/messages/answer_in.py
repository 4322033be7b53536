"""A Messages upstream's answer, whole or streamed, as an `Answer` or events (translation.md 3.2, 3.7, 3.8, 3.12).

Lost on the way (losses.py says all): citations, blocks of the vendor's own tools (their calls are not the client's to answer), the
container, the counts of server tools, padding and pings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

import msgspec

from reference_gateway.translation.common import glue, sse
from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Signed,
    Started,
    Stop,
    Text,
    ToolCall,
)
from reference_gateway.translation.messages.dialect import ANTHROPIC, Dialect
from reference_gateway.translation.messages.usage import merge, read_usage

# tables

# Source: anthropic-messages "stop_reason"; `compaction` is a beta's, which stops as a long turn does. No request of ours asks for it: one
# that comes all the same and says nothing else is no answer, since its block has no word in other protocols to be sent back in.
COMPACTION: Final = "compaction"
STOPS: Final = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.CONTEXT_FULL,
    "tool_use": Stop.TOOL_CALLS,
    "pause_turn": Stop.PAUSE,
    COMPACTION: Stop.PAUSE,
    "refusal": Stop.REFUSAL,
}

# What an error inside a 200 would have been as a status (translation.md 3.12). The gateway's own standing with the vendor, its key, its
# balance and its permissions, is nothing that a caller did.
ERROR_STATUS: Final = {
    "invalid_request_error": 400,
    "conflict_error": 400,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "authentication_error": 502,
    "permission_error": 502,
    "api_error": 502,
    "billing_error": 503,
    "overloaded_error": 503,
    "timeout_error": 504,
}
_OWN_STANDING: Final = {"authentication_error", "permission_error", "billing_error", "rate_limit_error"}  # their texts name the account


def stop_of(word: object, *, calls: bool, content: bool, dialect: Dialect) -> Stop | Broken:
    """translation.md 3.7. An unknown word ends an answer that said something, and is a failure of one that said nothing."""
    if not isinstance(word, str):
        return Broken(status=502, message="the upstream ended without a stop_reason")
    if word in dialect.failures:
        return Broken(status=dialect.failures[word], message=f"the upstream gave up: {word}", type=word)
    stop = STOPS.get(word)
    if (stop is None or word == COMPACTION) and not content:
        return Broken(status=502, message="the upstream ended for a reason that is not known, and said nothing", type=word)
    if stop is None:
        stop = Stop.END
    if calls:
        return Stop.TOOL_CALLS if stop is Stop.END else stop  # after an unknown word, too: the client has to answer the call
    return Stop.END if stop is Stop.TOOL_CALLS else stop  # there is nothing to answer


def failure(error: object) -> Broken:
    """The `error` member of an error event or body."""
    said: Mapping[str, Any] = error if isinstance(error, dict) else {}
    word, message = said.get("type"), said.get("message")
    word = word if isinstance(word, str) else ""
    status = ERROR_STATUS.get(word, 502)
    if word in _OWN_STANDING:
        return Broken(status=status, message="the upstream does not serve the gateway at the moment", type=word)
    return Broken(status=status, message=message if isinstance(message, str) and message else "the upstream failed", type=word)


def arguments_of(value: object) -> str:
    """A tool's input as JSON text; "" where it is empty, as the stream of a call without arguments is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""


def _explanation(details: object) -> str:
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) else ""


# a whole answer


class _Block(msgspec.Struct, frozen=True):
    """Any block: only what is read, each only where the block's type has it."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Message(msgspec.Struct, frozen=True):
    content: list[_Block]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None
    usage: Any = None


def read_answer(body: Mapping[str, Any], dialect: Dialect = ANTHROPIC) -> Answer | Broken:
    if body.get("type") == "error" or (body.get("error") is not None and "content" not in body):
        return failure(body.get("error"))
    try:
        message = msgspec.convert(body, _Message)
    except msgspec.ValidationError as problem:
        return Broken(status=502, message=f"the upstream's answer is no message: {problem}")
    items: list[AssistantItem] = []
    for block in message.content:
        match block.type:
            case "text":
                items.append(Text(text=block.text or ""))
            case "thinking":
                items.append(Reasoning(text=block.thinking or "", signature=block.signature or None, maker=dialect.maker))
            case "redacted_thinking":
                items.append(Reasoning(opaque=block.data or "", maker=dialect.maker))
            case "tool_use":
                if not block.id or not block.name:
                    return Broken(status=502, message="the upstream called a tool without its id or name")
                items.append(ToolCall(id=block.id, name=block.name, arguments=arguments_of(block.input)))
            case _:  # the vendor's own tools, and blocks of its future
                pass
    if explanation := _explanation(message.stop_details):
        items.append(Refused(text=explanation))
    calls = any(isinstance(item, ToolCall) for item in items)
    stop = stop_of(message.stop_reason, calls=calls, content=bool(items), dialect=dialect)
    if isinstance(stop, Broken):
        return stop
    return Answer(
        id=message.id,
        model=message.model,
        items=tuple(items),
        stop=stop,
        tokens=read_usage(message.usage),
        stop_sequence=message.stop_sequence,
        vendor_stop=message.stop_reason or "",
    )


# a stream


class _Delta(msgspec.Struct, frozen=True, gc=False):
    """The `delta` of content_block_delta; one of a type that is not known has none of these."""

    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class _Frame(msgspec.Struct, frozen=True, gc=False):
    """Any event. What comes once a stream is left as it is: only deltas are by the thousand."""

    type: str = ""
    index: int = -1
    delta: _Delta | None = None
    content_block: Any = None
    message: Any = None
    usage: Any = None
    error: Any = None


class _Named(msgspec.Struct, frozen=True):
    type: str = ""


_decode: Final = msgspec.json.Decoder(_Frame).decode
_name_of: Final = msgspec.json.Decoder(_Named).decode
_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SPELLING: Final = glue.Spelling(  # the vendor pads its events
    member=b'"text"', mark=b'"text_delta"', varying=re.compile(rb"\}(?P<blank> *)\}$")
)
_KNOWN: Final = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
}


class _Phase(Enum):
    WAITING = auto()  # for message_start
    SPEAKING = auto()
    OVER = auto()  # Ended or Broken was given


# Members that events are compared with: to look one up in its enum takes three times as long as to call a function.
_WAITING, _SPEAKING, _OVER = _Phase
_TEXT, _THOUGHT, _CALL = PartKind.TEXT, PartKind.REASONING, PartKind.TOOL_CALL


class _Open(msgspec.Struct, kw_only=True):
    """A block that has begun. `part` is None for one that a client is not told of."""

    part: int | None
    kind: PartKind | None = None
    input: Any = None  # of a tool_use that came whole; what is streamed takes its place
    signature: str = ""


_HIDDEN: Final = _Open(part=None)


class StreamReader:
    """Events in, events out. `message_stop` is the only end; bytes that end before it are Broken.

    Blocks are told apart by their index, so that those of an upstream that interleaves them are read all the same.
    """

    def __init__(self, dialect: Dialect = ANTHROPIC) -> None:
        self._dialect = dialect
        self._sse = sse.Reader()
        self._phase = _WAITING
        self._open: dict[int, _Open] = {}  # by the upstream's index
        self._parts = 0  # begun so far
        self._called = False
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self.look = glue.Look(_SPELLING)

    @property
    def between_events(self) -> bool:
        return self._sse.between_events

    def went_on(self, run: glue.Run) -> None:
        pass  # a text leaves nothing behind

    def feed(self, data: bytes) -> list[Event]:
        return self._read(self._sse.feed(data))

    def close(self) -> list[Event]:
        events = self._read(self._sse.close())
        if self._phase is not _OVER:
            self._break(events, Broken(status=502, message="the upstream ended before message_stop"))
        return events

    def _read(self, frames: list[sse.Frame]) -> list[Event]:
        events: list[Event] = []
        for name, data in frames:
            if self._phase is _OVER:
                break
            try:
                frame = _decode(data)
            except _BAD_JSON as problem:
                self._unreadable(name, data, problem, events)
                continue
            delta = frame.delta
            if delta is not None and frame.type == "content_block_delta" and delta.text is not None:  # as nearly all are
                block = self._open.get(frame.index)
                if block is not None and block.kind is _TEXT:
                    if delta.text:
                        part = block.part or 0
                        events.append(Delta(index=part, text=delta.text))
                        if self.look.learns:
                            self.look.learn(name, glue.around(data, _SPELLING.member, delta.text), part)
                    continue
            self._say(frame.type or name.decode("utf-8", "replace"), frame, events)
        return events

    def _unreadable(self, name: bytes, data: bytes, problem: Exception, events: list[Event]) -> None:
        """A frame of a type that is not known may have any shape, as long as it is JSON."""
        try:
            known = _name_of(data).type or name.decode("utf-8", "replace")
        except _BAD_JSON:
            known = "" if data.strip() else "ping"  # an event of no data is a keep-alive
        if known == "error":
            self._break(events, failure(None))
        elif known in _KNOWN or not known:
            self._break(events, Broken(status=502, message=f"the upstream sent an event that cannot be read: {problem}"))

    def _say(self, kind: str, frame: _Frame, events: list[Event]) -> None:
        if kind == "error":
            self._break(events, failure(frame.error))
        elif kind == "message_start":
            self._start(frame.message, events)
        elif kind not in _KNOWN:  # ping, and events of the vendor's future
            pass
        elif self._phase is _WAITING:
            self._break(events, Broken(status=502, message=f"the upstream sent {kind} before message_start"))
        else:
            self._go_on(kind, frame, events)

    def _start(self, message: object, events: list[Event]) -> None:
        if self._phase is not _WAITING:
            self._break(events, Broken(status=502, message="the upstream sent message_start twice"))
            return
        said: Mapping[str, Any] = message if isinstance(message, dict) else {}
        self._phase = _SPEAKING
        self._usage = merge({}, said.get("usage"))
        stop_reason = said.get("stop_reason")
        self._stop_reason = stop_reason if isinstance(stop_reason, str) else None
        events.append(
            Started(id=_word(said.get("id")), model=_word(said.get("model")), tokens=read_usage({"output_tokens": 0, **self._usage}))
        )

    def _go_on(self, kind: str, frame: _Frame, events: list[Event]) -> None:
        match kind:
            case "content_block_start":
                self._begin(frame.index, frame.content_block, events)
            case "content_block_delta":
                block = self._open.get(frame.index)
                if block is None:
                    self._break(events, Broken(status=502, message="the upstream sent a delta of a block that is not open"))
                elif block.part is not None and frame.delta is not None:
                    self._delta(block, block.part, frame.delta, events)
            case "content_block_stop":
                block = self._open.pop(frame.index, None)
                self.look.forget()
                if block is None:
                    self._break(events, Broken(status=502, message="the upstream ended a block that is not open"))
                else:
                    self._leave(block, events)
            case "message_delta":
                self._usage = merge(self._usage, frame.usage)
                if frame.delta is not None:
                    self._stop_reason = frame.delta.stop_reason or self._stop_reason
                    self._stop_sequence = frame.delta.stop_sequence or self._stop_sequence
                    if frame.delta.stop_details is not None:
                        self._explain(_explanation(frame.delta.stop_details), events)
            case _:
                self._end(events)

    def _begin(self, index: int, content_block: object, events: list[Event]) -> None:
        if index in self._open:
            self._break(events, Broken(status=502, message="the upstream began a block that is open"))
            return
        try:
            block = msgspec.convert(content_block, _Block)
        except msgspec.ValidationError as problem:
            self._break(events, Broken(status=502, message=f"the upstream began a block that cannot be read: {problem}"))
            return
        part = self._parts
        match block.type:
            case "text":
                self._open[index] = _Open(part=part, kind=_TEXT)
                events.append(PartStarted(index=part, kind=_TEXT))
                text = block.text
            case "thinking":
                self._open[index] = _Open(part=part, kind=_THOUGHT, signature=block.signature or "")
                events.append(PartStarted(index=part, kind=_THOUGHT))
                text = block.thinking
            case "redacted_thinking":
                self._open[index] = _Open(part=part, kind=_THOUGHT)
                events.append(PartStarted(index=part, kind=_THOUGHT))
                events.append(Signed(index=part, maker=self._dialect.maker, opaque=block.data or ""))
                text = None
            case "tool_use":
                if not block.id or not block.name:
                    self._break(events, Broken(status=502, message="the upstream called a tool without its id or name"))
                    return
                self._called = True
                self._open[index] = _Open(part=part, kind=_CALL, input=block.input)
                events.append(PartStarted(index=part, kind=_CALL, id=block.id, name=block.name))
                text = None
            case _:
                self._open[index] = _HIDDEN
                return
        self._parts += 1
        if text:
            events.append(Delta(index=part, text=text))

    def _delta(self, block: _Open, part: int, delta: _Delta, events: list[Event]) -> None:
        text: str | None = None
        if block.kind is _TEXT:
            text = delta.text
        elif block.kind is _CALL:
            text = delta.partial_json
            if text:
                block.input = None
        elif block.kind is _THOUGHT:
            text = delta.thinking
            block.signature = delta.signature or block.signature
        if text:
            events.append(Delta(index=part, text=text))

    def _leave(self, block: _Open, events: list[Event]) -> None:
        if block.part is None:
            return
        if block.input:
            events.append(Delta(index=block.part, text=arguments_of(block.input)))
        if block.signature:
            events.append(Signed(index=block.part, maker=self._dialect.maker, signature=block.signature))
        events.append(PartEnded(index=block.part))

    def _explain(self, text: str, events: list[Event]) -> None:
        """Why the model refused is said at the end, and belongs to no block."""
        if not text:
            return
        part, self._parts = self._parts, self._parts + 1
        events += (PartStarted(index=part, kind=PartKind.REFUSAL), Delta(index=part, text=text), PartEnded(index=part))

    def _end(self, events: list[Event]) -> None:
        stop = stop_of(self._stop_reason, calls=self._called, content=self._parts > 0, dialect=self._dialect)
        if isinstance(stop, Broken):
            self._break(events, stop)
            return
        for block in self._open.values():
            self._leave(block, events)
        self._phase = _OVER
        events.append(
            Ended(
                stop=stop,
                tokens=read_usage(self._usage),
                stop_sequence=self._stop_sequence,
                vendor_stop=self._stop_reason or "",
            )
        )

    def _break(self, events: list[Event], broken: Broken) -> None:
        self._phase = _OVER
        events.append(broken)


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
