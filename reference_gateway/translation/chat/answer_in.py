"""A chat upstream's answer, whole or streamed, as an `Answer` or events (translation.md 3.4, 3.7, 3.8, 3.12).

Lost on the way (losses.py says all): choices after the first, log probabilities, annotations, audio, the system fingerprint; in a stream
the order of text and thoughts is kept, in a whole answer thoughts come first, since chat keeps them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

import msgspec

from reference_gateway.translation.chat.dialect import OPENAI, Dialect
from reference_gateway.translation.chat.usage import read_usage
from reference_gateway.translation.common import glue, sse
from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
)

# tables

# Source: openai-chat "finish_reason". `function_call` answers the deprecated `functions`, which no writer of ours sends.
STOPS: Final = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
    "content_filter": Stop.REFUSAL,
}

# What an error object inside a 200 would have been as a status (translation.md 3.12). The gateway's own standing with the vendor, its key
# and its balance, is nothing that a caller did: 502 and 503.
ERROR_STATUS: Final = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_policy_violation": 400,
    "content_filter": 400,
    "invalid_api_key": 502,
    "authentication_error": 502,
    "model_not_found": 404,
    "insufficient_quota": 503,
    "billing_error": 503,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "tokens": 429,
    "requests": 429,
    "overloaded_error": 503,
    "service_unavailable": 503,
    "timeout": 504,
    "timeout_error": 504,
    "insufficient_system_resource": 503,
}
_OWN_STANDING: Final = {401: 502, 402: 503, 500: 502}  # statuses that are never handed on as they are
_OWN_WORDS: Final = {
    "invalid_api_key",
    "authentication_error",
    "insufficient_quota",
    "billing_error",
}  # their texts tell of the gateway's key


def stop_of(word: str, *, calls: bool, refused: bool, content: bool, dialect: Dialect) -> Stop | Broken:
    """translation.md 3.7. A forced call ends with `stop`, and so does a refusal: what was said decides over the word.

    An unknown word ends an answer that said something, and is a failure of one that said nothing (the ruling on Gemini's odd reasons).
    """
    if word in dialect.failures:
        return Broken(status=dialect.failures[word], message=f"the upstream gave up: {word}", type=word)
    stop = STOPS.get(word)
    if stop is None:
        if not content:
            return Broken(status=502, message="the upstream ended for a reason that is not known, and said nothing", type=word)
        stop = Stop.END
    if calls:
        return Stop.TOOL_CALLS if stop is Stop.END else stop
    if refused and stop is Stop.END:
        return Stop.REFUSAL
    return Stop.END if stop is Stop.TOOL_CALLS else stop


def failure(error: object) -> Broken:
    """The `error` member of a body or a frame; its code may be a status, in digits or not."""
    said = error if isinstance(error, dict) else {"message": error}
    code, kind, message = said.get("code"), said.get("type"), said.get("message")
    words = [word for word in (code, kind) if isinstance(word, str)]
    word = words[0] if words else ""
    digits = str(code) if isinstance(code, int | str) else ""
    status = int(digits) if len(digits) == 3 and digits.isdecimal() and digits[0] in "45" else 0
    if status:
        own = status in (401, 402)
        status = _OWN_STANDING.get(status, status)
        word = kind if isinstance(kind, str) else str(code)
    else:
        own = not _OWN_WORDS.isdisjoint(words)
        status = next((ERROR_STATUS[each] for each in words if each in ERROR_STATUS), 502)
    if own:
        return Broken(status=status, message="the upstream does not serve the gateway at the moment", type=word)
    return Broken(status=status, message=message if isinstance(message, str) and message else "the upstream failed", type=word)


# a whole answer


def read_answer(body: Mapping[str, Any], dialect: Dialect = OPENAI) -> Answer | Broken:
    if body.get("error") is not None:
        return failure(body["error"])
    try:
        whole = msgspec.convert(body, _Completion)
    except msgspec.ValidationError as problem:
        return Broken(status=502, message=f"the upstream's answer is no chat completion: {problem}")
    choice = next((choice for choice in whole.choices if choice.index == 0), None)
    if choice is None:
        return Broken(status=502, message="the upstream's answer has no choice")
    message = choice.message or _NOTHING
    if choice.message is None and choice.finish_reason != "content_filter":
        return Broken(status=502, message="the upstream's answer has no message")
    items: list[AssistantItem] = []
    if message.reasoning_content:
        items.append(Reasoning(text=message.reasoning_content))
    if message.content:
        items.append(Text(text=message.content))
    if message.refusal:
        items.append(Refused(text=message.refusal))
    for number, call in enumerate(message.tool_calls or ()):
        function = call.function
        if function is None or not function.name:
            return Broken(status=502, message="the upstream called a tool without its name")
        items.append(
            ToolCall(
                id=call.id or f"call_{number}_{whole.id}",
                name=function.name,
                arguments=function.arguments or "",
                signature=call.signature,
                maker=Maker.GEMINI if call.signature else None,
            )
        )
    if message.function_call is not None and message.function_call.name:
        function = message.function_call
        items.append(ToolCall(id=f"call_0_{whole.id}", name=function.name or "", arguments=function.arguments or ""))
    if not choice.finish_reason:
        return Broken(status=502, message="the upstream's answer has no finish_reason")
    stop = stop_of(
        choice.finish_reason,
        calls=any(isinstance(item, ToolCall) for item in items),
        refused=bool(message.refusal),
        content=bool(items),
        dialect=dialect,
    )
    if isinstance(stop, Broken):
        return stop
    return Answer(
        id=whole.id,
        model=whole.model,
        items=tuple(items),
        stop=stop,
        tokens=read_usage(whole.usage),
        vendor_stop=choice.finish_reason,
    )


# Wire types have only what is read: any other member may be what it likes. A member that is read and is not what it should be makes the
# frame unreadable, since to go on without it would lose what the model said.


class _Function(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    extra_content: Any = None  # Google's chat dialect: {"google": {"thought_signature": ...}}

    @property
    def signature(self) -> str | None:
        google = self.extra_content.get("google") if isinstance(self.extra_content, dict) else None
        signature = google.get("thought_signature") if isinstance(google, dict) else None
        return signature if isinstance(signature, str) else None


class _Said(msgspec.Struct, frozen=True):
    """A `delta`, or a `message`: they have the same members."""

    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


_NOTHING: Final = _Said()


class _ChunkChoice(msgspec.Struct, frozen=True):
    index: int = 0
    delta: _Said | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    choices: list[_ChunkChoice] | None = None
    usage: Any = None
    error: Any = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Said | None = None  # Azure leaves it out where its filter took all
    index: int = 0
    finish_reason: str | None = None


class _Completion(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    id: str = ""
    model: str = ""
    usage: Any = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SPELLING: Final = glue.Spelling(member=b'"content"', mark=b'"content":', varying=re.compile(rb'"obfuscation":"(?P<word>[a-zA-Z0-9]*)"'))

# a stream


class _Phase(Enum):
    WAITING = auto()  # no chunk yet
    SPEAKING = auto()
    FINISHED = auto()  # a finish_reason was seen; usage may follow
    OVER = auto()


# Members that every chunk is compared with: to look one up in its enum takes three times as long as to call a function.
_WAITING, _SPEAKING, _FINISHED, _OVER = _Phase
_TEXT: Final = PartKind.TEXT


@dataclass(slots=True, kw_only=True)
class _ToolPart:
    """A call as far as it has come. `index` is None until its name is known, and `open` until nothing can follow."""

    id: str
    name: str = ""
    signature: str | None = None
    index: int | None = None
    open: bool = True
    said: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Its arguments are one JSON object, so they are all that there will be."""
        try:
            msgspec.json.decode("".join(self.said), type=dict)
        except _BAD_JSON:
            return False
        return True


class StreamReader:
    """Chunks in, events out. `[DONE]`, or the end of the bytes after a finish_reason, is the end; all else is Broken.

    One text-like part is open at a time, and any number of calls: their deltas may be interleaved. A call ends as soon as another part
    begins and its own arguments are a whole object, so that a writer who needs parts one after another does not wait for the last.
    """

    def __init__(self, dialect: Dialect = OPENAI) -> None:
        self._dialect = dialect
        self._sse = sse.Reader()
        self._phase = _WAITING
        self._id = ""
        self._parts = 0  # begun so far
        self._speaking: PartKind | None = None  # the open text-like part, which is at
        self._at = -1
        self._calls: dict[int, _ToolPart] = {}  # by the upstream's index
        self._all_calls: list[_ToolPart] = []
        self._last_call: _ToolPart | None = None
        self._called = False
        self._refused = False
        self._alike: tuple[bytes, bytes] | None = None  # what stood around the text of the newest chunk that brought nothing else
        self.look = glue.Look(_SPELLING)
        self._finish_reason = ""
        self._tokens: Tokens | None = None

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
            self._end(events)
        return events

    def _read(self, frames: list[sse.Frame]) -> list[Event]:
        events: list[Event] = []
        for name, data in frames:
            if self._phase is _OVER:
                break
            if self._alike is not None and not name:  # most chunks differ from the one before in their text alone
                before, after = self._alike
                if data.startswith(before) and data.endswith(after):
                    try:
                        text = _decode_text(data[len(before) : -len(after)])
                    except _BAD_JSON:
                        pass  # read as any other
                    else:
                        if text:
                            events.append(Delta(index=self._at, text=text))
                        if self.look.learns and self.look.glue is None:
                            self.look.learn(name, self._alike, self._at)
                        continue
            if data == b"[DONE]":
                self._end(events)
                continue
            try:
                chunk = _decode(data)
            except _BAD_JSON as problem:
                if data.strip() and name in (b"", b"message", b"error"):  # another event's data are its own affair
                    self._break(events, _unreadable(name, data, problem))
                continue
            if name == b"error" and chunk.error is None:
                self._break(events, failure(msgspec.json.decode(data)))
            elif chunk.error is not None:
                self._break(events, failure(chunk.error))
            elif chunk.choices is not None or chunk.usage is not None:
                self._chunk(chunk, events)
                if self._speaking is _TEXT and (self._alike is None or self.look.learns):
                    found = _around(data, chunk)
                    self._alike = found or self._alike
                    if self.look.learns:
                        self.look.learn(name, found, self._at)
        return events

    def _chunk(self, chunk: _Chunk, events: list[Event]) -> None:
        if self._phase is _WAITING:
            self._phase = _SPEAKING
            self._id = chunk.id or ""
            events.append(Started(id=self._id, model=chunk.model or ""))
        if chunk.usage is not None:
            self._tokens = read_usage(chunk.usage) or self._tokens
        for choice in chunk.choices or ():
            if choice.index:
                continue
            said = choice.delta or _NOTHING
            if said.reasoning_content:
                self._say(PartKind.REASONING, said.reasoning_content, events)
            if said.content:
                self._say(_TEXT, said.content, events)
            if said.refusal:
                self._refused = True
                self._say(PartKind.REFUSAL, said.refusal, events)
            if said.tool_calls:
                for call in said.tool_calls:
                    self._call(call, events)
                    if self._phase is _OVER:
                        return
            if said.function_call is not None:
                self._call(_Call(index=0, function=said.function_call), events)  # the deprecated form has one call and no index
            if choice.finish_reason:
                self._phase = _FINISHED
                self._finish_reason = choice.finish_reason
                self._close_parts(events)

    def _say(self, kind: PartKind, text: str, events: list[Event]) -> None:
        if self._speaking is not kind:
            self._leave(events)
            self._speaking, self._at = kind, self._parts
            self._parts += 1
            events.append(PartStarted(index=self._at, kind=kind))
        events.append(Delta(index=self._at, text=text))

    def _leave(self, events: list[Event]) -> None:
        """Another part begins: the text-like one ends, and every call that is whole."""
        if self._speaking is not None:
            events.append(PartEnded(index=self._at))
            self._speaking = self._alike = None
            self.look.forget()
        for call in self._all_calls:
            if call.open and call.index is not None and call.complete:
                call.open = False
                events.append(PartEnded(index=call.index))

    def _call(self, delta: _Call, events: list[Event]) -> None:
        function = delta.function or _Function()
        call = self._last_call if delta.index is None else self._calls.get(delta.index)
        # A new id begins a new call, also where the index is the same, or absent as in Google's dialect.
        if call is None or (delta.id and call.index is not None and delta.id != call.id and (function.name or delta.index is None)):
            call = _ToolPart(id=delta.id or f"call_{len(self._all_calls)}_{self._id}")
            self._all_calls.append(call)
            self._calls[len(self._calls) if delta.index is None else delta.index] = call
        self._last_call = call
        call.signature = delta.signature or call.signature
        if call.index is None:
            call.id = delta.id or call.id
            call.name = function.name or ""
            if call.name:
                self._leave(events)
                call.index = self._parts
                self._parts += 1
                self._called = True
                events.append(PartStarted(index=call.index, kind=PartKind.TOOL_CALL, id=call.id, name=call.name, signature=call.signature))
                events += [Delta(index=call.index, text=text) for text in call.said]
        if function.arguments:
            if not call.open:
                if function.arguments.strip():
                    self._break(events, Broken(status=502, message="the upstream went on with the arguments of a call that was whole"))
                return
            call.said.append(function.arguments)
            if call.index is not None:
                events.append(Delta(index=call.index, text=function.arguments))

    def _close_parts(self, events: list[Event]) -> None:
        if self._speaking is not None:
            events.append(PartEnded(index=self._at))
            self._speaking = self._alike = None
            self.look.forget()
        for call in self._all_calls:
            if call.open and call.index is not None:
                call.open = False
                events.append(PartEnded(index=call.index))

    def _end(self, events: list[Event]) -> None:
        if self._phase is not _FINISHED:
            self._break(events, Broken(status=502, message="the upstream ended before its finish_reason"))
            return
        for call in self._all_calls:
            if call.index is None:
                self._break(events, Broken(status=502, message="the upstream called a tool without its name"))
                return
        stop = stop_of(self._finish_reason, calls=self._called, refused=self._refused, content=self._parts > 0, dialect=self._dialect)
        if isinstance(stop, Broken):
            self._break(events, stop)
            return
        self._close_parts(events)
        self._phase = _OVER
        events.append(Ended(stop=stop, tokens=self._tokens, vendor_stop=self._finish_reason))

    def _break(self, events: list[Event], broken: Broken) -> None:
        self._phase = _OVER
        events.append(broken)


def _around(data: bytes, chunk: _Chunk) -> tuple[bytes, bytes] | None:
    """What stands before and after the JSON string that is the text of a chunk that brings nothing but text.

    Any other JSON string in its place is the same chunk with another text. What is not seen to be so at once is left to the next chunk.
    """
    if chunk.usage is not None or chunk.choices is None or len(chunk.choices) != 1:
        return None
    choice = chunk.choices[0]
    said = choice.delta
    if choice.index or choice.finish_reason is not None or said is None or not said.content:
        return None
    if said.reasoning_content is not None or said.refusal is not None or said.tool_calls is not None or said.function_call is not None:
        return None
    return glue.around(data, _SPELLING.member, said.content)


def _unreadable(name: bytes, data: bytes, problem: Exception) -> Broken:
    """An error event whose data is no error object is still one; any other frame is not JSON, or no chunk."""
    if name == b"error":
        return failure(data.decode("utf-8", "replace"))
    return Broken(status=502, message=f"the upstream sent a frame that is no chunk: {problem}")
