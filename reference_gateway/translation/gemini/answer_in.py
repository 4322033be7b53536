"""A Gemini upstream's answer, whole or streamed, as an `Answer` or events (translation.md 3.5 "Response", 3.7, 3.8, 3.12).

A stream's objects are of the same kind as a whole answer, so both go the same way. No object says that it is the last: the bytes have to
end after a finishReason, or after the prompt was blocked.

Lost on the way (losses.py says all): candidates after the first, ratings, citations, grounding, what the vendor's own tools did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from reference_gateway.translation.common import glue
from reference_gateway.translation.events import collect
from reference_gateway.translation.gemini import frames
from reference_gateway.translation.gemini.partial_args import PartialArg, put
from reference_gateway.translation.gemini.usage import UsageMetadata, read_usage
from reference_gateway.translation.items import (
    Answer,
    Broken,
    Delta,
    Ended,
    Event,
    Image,
    Inline,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Signed,
    Started,
    Stop,
)

# tables

# Source: gemini-generate-content "FinishReason"; translation.md 3.7.
STOPS: Final = {
    "STOP": Stop.END,
    "MAX_TOKENS": Stop.LENGTH,
    "SAFETY": Stop.REFUSAL,
    "RECITATION": Stop.REFUSAL,
    "LANGUAGE": Stop.REFUSAL,
    "BLOCKLIST": Stop.REFUSAL,
    "PROHIBITED_CONTENT": Stop.REFUSAL,
    "SPII": Stop.REFUSAL,
    "IMAGE_SAFETY": Stop.REFUSAL,
    "IMAGE_PROHIBITED_CONTENT": Stop.REFUSAL,
    "IMAGE_RECITATION": Stop.REFUSAL,
}
# The vendor writes numbers where a client asked for `enum-encoding=int`.
_NUMBERS: Final = (
    *("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST"),
    *("PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY"),
)

# What an error inside a 200 would have been as a status (translation.md 3.12), by its word where its code is none.
ERROR_STATUS: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# The gateway's own standing with the vendor is nothing that a caller did, and its words name the account.
_OWN_STANDING: Final = {401: 502, 402: 503, 403: 502, 429: 429}
_OTHERWISE: Final = {408: 504, 409: 400, 422: 400, 500: 502}
_KEY_INVALID: Final = ("API_KEY", "api key", "API key")  # a 400 that is about the gateway's key


def stop_of(word: str, *, calls: bool, content: bool) -> Stop | Broken:
    """translation.md 3.7. A failure, or a word that is not known, is an end of an answer that said something: thoughts are not enough."""
    stop = STOPS.get(word)
    if stop is None:
        if not content:
            return Broken(status=502, message=f"the upstream gave up: {word}", type=word)
        stop = Stop.END
    return Stop.TOOL_CALLS if stop is Stop.END and calls else stop


def failure(error: object) -> Broken:
    """The `error` member of an object."""
    said: Mapping[str, Any] = error if isinstance(error, dict) else {}
    word, message, code = said.get("status"), said.get("message"), said.get("code")
    word = word if isinstance(word, str) else ""
    message = message if isinstance(message, str) and message else "the upstream failed"
    status = code if isinstance(code, int) and 400 <= code <= 599 else ERROR_STATUS.get(word, 502)
    if status in (400, 403) and any(name in message for name in _KEY_INVALID):
        status = 401
    if status in _OWN_STANDING:
        return Broken(status=_OWN_STANDING[status], message="the upstream does not serve the gateway at the moment", type=word)
    return Broken(status=_OTHERWISE.get(status, status), message=message, type=word)


# Wire types have only what is read: any other member may be what it likes. One that is read and is not what it should be makes the object
# unreadable, since to go on without it would lose what the model said.


_NOTHING: Final = msgspec.Raw()


class _Call(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    args: dict[str, Any] | None = None
    id: str | None = None
    will_continue: bool | None = None
    partial_args: list[PartialArg] | None = None


class _Blob(msgspec.Struct, frozen=True, rename="camel"):
    mime_type: str = ""
    data: str = ""


class _Part(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None


class _Content(msgspec.Struct, frozen=True, gc=False):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    content: _Content | None = None
    finish_reason: str | int | None = None
    index: int | None = None
    grounding_metadata: msgspec.Raw = _NOTHING  # looked into for its queries alone: whatever else it may be loses no word


class _Grounding(msgspec.Struct, frozen=True, rename="camel"):
    web_search_queries: list[str] | None = None


class _Feedback(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    block_reason: str | int | None = None


_COUNTS: Final = b"TokenCount"
_QUERIES: Final = b'"webSearchQueries"'
_PROMPT_COUNTED: Final = b'"promptTokenCount"'


class _Chunk(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: msgspec.Raw = _NOTHING  # each chunk has one, and one of them counts
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode
_decode_usage: Final = msgspec.json.Decoder(UsageMetadata | None).decode
_decode_grounding: Final = msgspec.json.Decoder(_Grounding).decode
_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SPELLING: Final = glue.Spelling(
    member=b'"text"',
    mark=b'"text"',
    varying=re.compile(rb'okenCount": ?(?P<number>\d+)[,}\s]'),
    event_end=b"\r\n\r\n",
)


def _text_alone(chunk: _Chunk) -> _Part | None:
    """The part of a chunk that brings nothing but more of a text or a thought, and counts."""
    candidates = chunk.candidates
    if candidates is None or len(candidates) != 1 or chunk.prompt_feedback is not None or chunk.error is not None:
        return None
    candidate = candidates[0]
    content = candidate.content
    if candidate.finish_reason is not None or candidate.index or content is None or content.parts is None or len(content.parts) != 1:
        return None
    part = content.parts[0]
    if not part.text or part.thought_signature is not None or part.function_call is not None:
        return None
    return part if candidate.grounding_metadata is _NOTHING else None


# a stream


class _Phase(Enum):
    WAITING = auto()  # no object yet
    SPEAKING = auto()
    FINISHED = auto()  # a finishReason was seen, or the prompt was blocked; more may follow
    OVER = auto()  # Ended or Broken was given


@dataclass(slots=True, kw_only=True)
class _Partial:
    """A call whose arguments come value by value. `index` is its part's."""

    index: int
    args: dict[str, Any]


class StreamReader:
    """Objects in, events out: the end of the bytes after a finishReason is the end; all else is Broken.

    One part is open at a time. A call is whole when it comes, so all of its events come at once.
    """

    def __init__(self) -> None:
        self._queries: set[str] = set()
        self._frames = frames.Reader()
        self._phase = _Phase.WAITING
        self._id = ""
        self._parts = 0  # begun so far
        self._speaking: PartKind | None = None  # the open part, a text or a thought, which is at
        self._at = -1
        self._partial: _Partial | None = None
        self._calls = 0
        self._content = False  # something was said that is no thought
        self._finish_reason = ""
        self._blocked = ""
        self._usage = b"{}"
        self._uncounted = b""  # an object whose counts have not been looked at
        self.look = glue.Look(_SPELLING)
        self.images: dict[int, Inline] = {}  # index of a text part that stands for an image -> the image

    @property
    def between_events(self) -> bool:
        return self._frames.between_events

    def went_on(self, run: glue.Run) -> None:
        self._uncounted = run.last

    def feed(self, data: bytes) -> list[Event]:
        return self.objects(self._frames.feed(data))

    def close(self) -> list[Event]:
        events = self.objects(self._frames.close())
        if self._phase is _Phase.FINISHED and self._frames.complete:
            self._end(events)
        elif self._phase is not _Phase.OVER:
            self._break(events, Broken(status=502, message="the upstream ended before a finishReason"))
        return events

    def objects(self, found: list[bytes]) -> list[Event]:
        events: list[Event] = []
        if found:
            self._settle()
        newest: tuple[bytes, str] | None = None  # the last object and its text, where there is nothing else in it
        for data in found:
            if self._phase is _Phase.OVER:
                break
            newest = None
            try:
                chunk = _decode(data)
            except _BAD_JSON as problem:
                if data.strip():
                    self._break(events, Broken(status=502, message=f"the upstream sent what cannot be read: {problem}"))
                continue
            part = _text_alone(chunk)
            if part is None or part.text is None:
                self._chunk(chunk, events)
                continue
            newest = data, part.text
            if (PartKind.REASONING if part.thought else PartKind.TEXT) is self._speaking:
                self._count(chunk.usage_metadata)  # nearly all chunks are so: what `_chunk` would do, at half the cost
                events.append(Delta(index=self._at, text=part.text))
            else:
                self._chunk(chunk, events)
        if newest is not None and self.look.learns:  # a thought is spelled as a text is
            data, text = newest
            self.look.learn(b"", glue.around(data, _SPELLING.member, text), self._at)
        return events

    def _settle(self) -> None:
        """Counts a run's last object, which has the counts of all before it."""
        if self._uncounted:
            data, self._uncounted = self._uncounted, b""
            self._count(_decode(data).usage_metadata)

    def _count(self, metadata: msgspec.Raw) -> None:
        """Of the whole answer so far: the last one counts, and of those that leave the prompt out only where none has it."""
        usage = bytes(metadata)
        if _PROMPT_COUNTED in usage or (_COUNTS in usage and _PROMPT_COUNTED not in self._usage):
            self._usage = usage

    def _chunk(self, chunk: _Chunk, events: list[Event]) -> None:
        if chunk.error is not None:
            self._break(events, failure(chunk.error))
            return
        self._count(chunk.usage_metadata)
        feedback, candidates = chunk.prompt_feedback, chunk.candidates
        if candidates is None and (feedback is None or not _names_a_reason(feedback.block_reason)) and not bytes(chunk.usage_metadata):
            return  # nothing of an answer
        if self._phase is _Phase.WAITING:
            self._phase = _Phase.SPEAKING
            self._id = chunk.response_id or ""
            events.append(Started(id=self._id, model=chunk.model_version or ""))
        for candidate in candidates or ():
            if candidate.index:
                continue
            if candidate.content is not None and candidate.content.parts is not None:
                for part in candidate.content.parts:
                    self._part(part, events)
                    if self._phase is _Phase.OVER:
                        return
            if _QUERIES in (grounding := bytes(candidate.grounding_metadata)):
                self._note_queries(grounding)
            if candidate.finish_reason not in (None, ""):
                self._finish_reason = _word(candidate.finish_reason)
                self._phase = _Phase.FINISHED
        if feedback is not None and _names_a_reason(feedback.block_reason) and not self._parts:
            self._blocked = _word(feedback.block_reason or "")
            self._phase = _Phase.FINISHED

    def _note_queries(self, grounding: bytes) -> None:
        """Each query is a search; chunks repeat them. No word of the answer stands there, so what cannot be read is passed over."""
        with suppress(*_BAD_JSON):
            self._queries.update(query for query in _decode_grounding(grounding).web_search_queries or () if query)

    def _part(self, part: _Part, events: list[Event]) -> None:
        text = part.text
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature, events)
        elif text is not None or (part.thought_signature is not None and part.inline_data is None):
            if text:
                kind = PartKind.REASONING if part.thought else PartKind.TEXT
                if self._speaking is not kind:
                    self._begin(kind, events)
                events.append(Delta(index=self._at, text=text))
                self._content = self._content or not part.thought
            if part.thought_signature:
                self._sign(part.thought_signature, thought=bool(part.thought), events=events)
        elif part.inline_data is not None and part.inline_data.data:
            self._image(part.inline_data, events)

    def _sign(self, signature: str, *, thought: bool, events: list[Event]) -> None:
        """A thought's proof ends it. That of a text is a thought of its own, which says nothing."""
        if not (thought and self._speaking is PartKind.REASONING):
            self._begin(PartKind.REASONING, events)
        events.append(Signed(index=self._at, maker=Maker.GEMINI, signature=signature))
        self._leave(events)

    def _image(self, blob: _Blob, events: list[Event]) -> None:
        """A stream has no part for it: as text, an image in Markdown."""
        self._begin(PartKind.TEXT, events)
        kind = blob.mime_type or "image/png"
        self.images[self._at] = Inline(media_type=kind, base64=blob.data)
        events.append(Delta(index=self._at, text=f"![image](data:{kind};base64,{blob.data})"))
        self._leave(events)
        self._content = True

    def _call(self, call: _Call, signature: str | None, events: list[Event]) -> None:
        if not call.name:
            self._continue(call, events)
            return
        self._begin(PartKind.TOOL_CALL, events, name=call.name, id_=call.id or self._call_id(call), signature=signature)
        self._calls += 1
        self._content = True
        if call.will_continue or call.partial_args is not None:
            self._partial = _Partial(index=self._at, args=dict(call.args or {}))
            self._continue(call, events)
            return
        if call.args:
            events.append(Delta(index=self._at, text=_compact(call.args)))
        self._leave(events)

    def _call_id(self, call: _Call) -> str:
        """The same each time that this answer is read: of its id and the call's number, or of what it says where it has no id."""
        made_of = self._id or sha256(_compact([call.name, call.args]).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"call_{made_of}_{self._calls}"

    def _continue(self, call: _Call, events: list[Event]) -> None:
        partial = self._partial
        if partial is None:
            self._break(events, Broken(status=502, message="the upstream called a tool without its name"))
            return
        if not all(put(partial.args, arg) for arg in call.partial_args or ()):
            self._break(events, Broken(status=502, message="the upstream called a tool with arguments that have no place"))
            return
        if not call.will_continue:
            self._leave(events)

    def _begin(self, kind: PartKind, events: list[Event], *, name: str = "", id_: str = "", signature: str | None = None) -> None:
        self._leave(events)
        self.look.forget()
        self._speaking, self._at = kind, self._parts
        self._parts += 1
        events.append(PartStarted(index=self._at, kind=kind, id=id_, name=name, signature=signature))

    def _leave(self, events: list[Event]) -> None:
        """The open part ends."""
        if self._partial is not None:
            if self._partial.args:
                events.append(Delta(index=self._at, text=_compact(self._partial.args)))
            self._partial = None
        if self._speaking is not None:
            events.append(PartEnded(index=self._at))
            self._speaking = None
            self.look.forget()

    def _end(self, events: list[Event]) -> None:
        self._settle()
        try:
            tokens = read_usage(_decode_usage(self._usage))
        except _BAD_JSON:  # counts that are none
            tokens = None
        if tokens is not None and self._queries:
            tokens = replace(tokens, searches=len(self._queries))
        if self._blocked:
            stop: Stop | Broken = Stop.REFUSAL
            tokens = None if tokens is None else replace(tokens, output=0, reasoning=None)
        else:
            stop = stop_of(self._finish_reason, calls=self._calls > 0, content=self._content)
        if isinstance(stop, Broken):
            self._break(events, stop)
            return
        self._leave(events)
        events.append(Ended(stop=stop, tokens=tokens, vendor_stop=self._blocked or self._finish_reason))
        self._phase = _Phase.OVER

    def _break(self, events: list[Event], broken: Broken) -> None:
        events.append(broken)
        self._phase = _Phase.OVER


# a whole answer


def read_answer(body: Mapping[str, Any]) -> Answer | Broken:
    """As its stream of one object."""
    reader = StreamReader()
    answer = collect([*reader.objects([json.dumps(body).encode()]), *reader.close()])
    if isinstance(answer, Broken) or not reader.images:
        return answer
    images = {index: Image(source=source) for index, source in reader.images.items()}
    return replace(answer, items=tuple(images.get(index, item) for index, item in enumerate(answer.items)))


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _names_a_reason(value: str | int | None) -> bool:
    """0 says that there is none."""
    return value > 0 if isinstance(value, int) else bool(value)


def _word(value: str | int) -> str:
    if isinstance(value, str):
        return value
    return _NUMBERS[value] if 0 <= value < len(_NUMBERS) else str(value)
