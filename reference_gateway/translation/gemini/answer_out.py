"""An answer as a Gemini client gets it, whole or streamed (translation.md 3.5, 3.7, 3.8; C26, contract:133, contract:137).

Lost on the way (losses.py says all): the upstream's own id, which stop sequence was met. A call is said when it is whole, since `args` is
an object; all else at once. The last chunk has the finishReason and the usage; nothing comes after it, no `[DONE]` either (C26).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

import msgspec

from reference_gateway import errors
from reference_gateway.translation.codec import Naming
from reference_gateway.translation.common.arguments import object_of
from reference_gateway.translation.common.glue import Run, exchanged
from reference_gateway.translation.gemini import carried
from reference_gateway.translation.gemini.usage import write_usage
from reference_gateway.translation.items import (
    Answer,
    Ask,
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
    Reasoning,
    Refused,
    Signed,
    Source,
    Started,
    Stop,
    Text,
    ToolCall,
    Unwritable,
)

# tables

# Source: gemini-generate-content "FinishReason"; translation.md 3.7.
FINISH_REASONS: Final = {
    Stop.END: "STOP",
    Stop.STOP_SEQUENCE: "STOP",
    Stop.LENGTH: "MAX_TOKENS",
    Stop.CONTEXT_FULL: "MAX_TOKENS",
    Stop.TOOL_CALLS: "STOP",
    Stop.REFUSAL: "SAFETY",
    Stop.PAUSE: "STOP",
}
CUT: Final = {Stop.LENGTH, Stop.CONTEXT_FULL}  # where a call's arguments may be cut too


def _finish_reason(stop: Stop, *, refused: bool) -> str:
    return FINISH_REASONS[Stop.REFUSAL if refused and stop is Stop.END else stop]


def _thought(text: str, maker: Maker | None, signature: str | None, opaque: str | None, id_: str | None) -> dict[str, Any] | None:
    """None where there is nothing to say. A proof of Gemini's without a thought is that of a text."""
    proof = carried.signature_of(maker, signature, opaque, id_)
    if proof is None:
        return {"text": text, "thought": True} if text else None
    if not text and maker is Maker.GEMINI and signature is not None:
        return {"text": "", "thoughtSignature": proof}
    return {"text": text, "thought": True, "thoughtSignature": proof}


def _call(start: PartStarted, naming: Naming, args: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"id": start.id, "name": naming.stands_for.get(start.name, start.name), "args": args}}
    if start.signature is not None:
        part["thoughtSignature"] = start.signature
    return part


def _image(source: Source) -> dict[str, Any]:
    if isinstance(source, Inline):
        return {"inlineData": {"mimeType": source.media_type, "data": source.base64}}
    return {"fileData": {"mimeType": source.media_type or "image/png", "fileUri": source.url}}


def _response(candidate: dict[str, Any], naming: Naming, usage: dict[str, Any] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"candidates": [candidate]}
    if usage is not None:
        body["usageMetadata"] = usage
    return {**body, "modelVersion": naming.model, "responseId": naming.id}


# a whole answer


def write_answer(answer: Answer, ask: Ask, naming: Naming) -> dict[str, Any]:
    """Raises Unwritable where a call's arguments are no JSON object: `args` has no other form."""
    parts: list[dict[str, Any]] = []
    for item in answer.items:
        match item:
            case Text(text=text) | Refused(text=text):
                if text:
                    parts.append({"text": text})
            case Reasoning():
                part = _thought(item.text, item.maker, item.signature, item.opaque, item.id)
                if part is not None:
                    parts.append(part)
            case ToolCall():
                start = PartStarted(index=0, kind=PartKind.TOOL_CALL, id=item.id, name=item.name, signature=item.signature)
                parts.append(_call(start, naming, object_of(item.arguments, cut=answer.stop in CUT)))
            case Image(source=source):
                parts.append(_image(source))
            case _:
                assert_never(item)
    refused = any(isinstance(item, Refused) for item in answer.items)
    candidate = {
        "content": {"parts": parts, "role": "model"},
        "finishReason": _finish_reason(answer.stop, refused=refused),
        "index": 0,
    }
    return _response(candidate, naming, None if answer.tokens is None else write_usage(answer.tokens))


# a stream

_json: Final = msgspec.json.encode


@dataclass(slots=True, kw_only=True)
class _Part:
    """An open part: what stands before and after each of its texts; a call's are kept until it is whole."""

    start: PartStarted
    before: bytes = b""
    after: bytes = b""
    said: list[str] = field(default_factory=list)
    silent: bool = True  # a thought of which nothing was said


class StreamWriter:
    """Events in, chunks out: as events, or as one JSON array where the client did not ask for `alt=sse` (contract:137).

    A call whose arguments are no object waits for the end, which says whether they were cut: if not, `write` raises Unwritable.
    """

    def __init__(self, ask: Ask, naming: Naming, *, json_array: bool = False) -> None:
        self._naming = naming
        self._begin, self._end = (b"", b"") if json_array else (b"data: ", b"\r\n\r\n")
        self._array = json_array
        self._first = True
        tail = _json({"modelVersion": naming.model, "responseId": naming.id})[1:]
        self._head = self._begin + b'{"candidates":[{"content":{"parts":['
        self._tail = b'],"role":"model"},"index":0}],' + tail + self._end
        self._text = (self._head + b'{"text":', b"}" + self._tail)
        self._thought = (self._head + b'{"text":', b',"thought":true}' + self._tail)
        self._parts: dict[int, _Part] = {}
        self._broken_calls: list[_Part] = []
        self._refused = False

    def write(self, events: Iterable[Event]) -> bytes:
        """Raises Unwritable; an error can be written after what it has."""
        out: list[bytes] = []
        try:
            for event in events:
                if type(event) is Delta:
                    part = self._parts[event.index]
                    if not part.before:
                        part.said.append(event.text)
                    elif event.text:
                        part.silent = False
                        if self._array:
                            out.append(self._between())
                        out += (part.before, _json(event.text), part.after)
                else:
                    self._say(event, out)
        except Unwritable as problem:
            problem.written = b"".join(out)
            raise
        return b"".join(out)

    def more(self, index: int, run: Run) -> bytes | None:
        part = self._parts.get(index)
        if part is None or not part.before or part.silent or self._array:
            return None
        return exchanged(part.before, run.texts, part.after)

    def _between(self) -> bytes:
        """What stands before an object of the array."""
        if not self._array:
            return b""
        first, self._first = self._first, False
        return b"[" if first else b",\r\n"

    def _chunk(self, part: dict[str, Any], out: list[bytes]) -> None:
        out += (self._between(), self._head, _json(part), self._tail)

    def _say(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Started():
                pass  # it says nothing that the first chunk does not
            case PartStarted():
                self._parts[event.index] = self._part(event)
            case Signed():
                part = self._parts[event.index]
                # A thought that was shown is proved by a piece of it without text.
                proof = _thought("", event.maker, event.signature, event.opaque, event.id)
                if proof is not None:
                    self._chunk(proof if part.silent else {**proof, "thought": True}, out)
            case PartEnded():
                self._leave(self._parts.pop(event.index), out)
            case Ended():
                for part in list(self._parts.values()):  # a reader that ended no part
                    self._leave(part, out)
                self._parts.clear()
                self._finish(event, out)
            case Broken():
                self._error(event, out)
            case Delta():
                out.append(self.write((event,)))
            case _:
                assert_never(event)

    def _part(self, start: PartStarted) -> _Part:
        match start.kind:
            case PartKind.TOOL_CALL:
                return _Part(start=start)
            case PartKind.REASONING:
                before, after = self._thought
            case PartKind.TEXT | PartKind.REFUSAL:
                self._refused = self._refused or start.kind is PartKind.REFUSAL
                before, after = self._text
            case _:
                assert_never(start.kind)
        return _Part(start=start, before=before, after=after)

    def _leave(self, part: _Part, out: list[bytes]) -> None:
        if part.start.kind is not PartKind.TOOL_CALL:
            return
        try:
            args = object_of("".join(part.said))
        except Unwritable:
            self._broken_calls.append(part)
        else:
            self._chunk(_call(part.start, self._naming, args), out)

    def _finish(self, event: Ended, out: list[bytes]) -> None:
        for part in self._broken_calls:
            args = object_of("".join(part.said), cut=event.stop in CUT)
            self._chunk(_call(part.start, self._naming, args), out)
        candidate = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": _finish_reason(event.stop, refused=self._refused),
            "index": 0,
        }
        body = _response(candidate, self._naming, None if event.tokens is None else write_usage(event.tokens))
        out += (self._between(), self._begin, _json(body), self._end or b"]")

    def _error(self, event: Broken, out: list[bytes]) -> None:
        """The error object in the place of the end; Google's own client raises by its code."""
        data = errors.gemini_event(errors.upstream_status(event.status), event.message)
        if self._array:
            data = data.removeprefix(b"data: ").rstrip() + b"]"
        out += (self._between(), data)
