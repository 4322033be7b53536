"""An answer as a Messages client gets it, whole or streamed (translation.md 3.4, 3.7, 3.8).

Sources: contract:113, contract:117, contract:121, contract:142, contract:146.

Lost on the way (losses.py says all): the upstream's own id; a refusal is a text block; the signature of a text (Gemini's), which is known
when the text has been told, and thinking stands before text: the gateway keeps it by that text (reasoning_store.py).

Messages has one block open at a time: what comes of a later part before the earlier one has ended waits for it, and nothing else waits.
`signature_delta` comes only where something proves the thought. message_start has an estimate of the input tokens where the upstream
counts them only at the end; message_delta has the truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, assert_never

import msgspec

from reference_gateway.translation.codec import Naming
from reference_gateway.translation.common.arguments import object_of
from reference_gateway.translation.common.estimate import input_tokens
from reference_gateway.translation.common.glue import Run, exchanged
from reference_gateway.translation.common.names import LONGEST_ID, fitting
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
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
    Unwritable,
)
from reference_gateway.translation.messages import carried
from reference_gateway.translation.messages.usage import write_usage

# tables

# Source: anthropic-messages "stop_reason"; translation.md 3.7.
STOP_REASONS: Final = {
    Stop.END: "end_turn",
    Stop.STOP_SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.CONTEXT_FULL: "model_context_window_exceeded",
    Stop.TOOL_CALLS: "tool_use",
    Stop.REFUSAL: "refusal",
    Stop.PAUSE: "pause_turn",
}
CUT: Final = {Stop.LENGTH, Stop.CONTEXT_FULL}  # where a call's arguments may be cut too

# Source: anthropic-messages errors; translation.md 3.12. Any other status is an api_error.
ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",  # of the caller's own key, withdrawn meanwhile (C5): what the gateway's is refused is no 401 here
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _stop(stop: Stop, stop_sequence: str | None, *, refused: bool) -> dict[str, Any]:
    if refused and stop is Stop.END:
        stop = Stop.REFUSAL
    details = {"type": "refusal", "category": None, "explanation": None} if stop is Stop.REFUSAL else None
    sequence = stop_sequence if stop is Stop.STOP_SEQUENCE else None
    return {"stop_reason": STOP_REASONS[stop], "stop_sequence": sequence, "stop_details": details}


def _call_id(call_id: str) -> str:
    """Letters, digits, `_` and `-` are what the vendor takes back in a later request."""
    return fitting((call_id,), longest=LONGEST_ID)[call_id]


# a whole answer


def write_answer(answer: Answer, ask: Ask, naming: Naming) -> dict[str, Any]:
    """Raises Unwritable where a call's arguments are no JSON object: `input` has no other form."""
    content: list[dict[str, Any]] = []
    for item in answer.items:
        match item:
            case Text(text=text) | Refused(text=text):
                if text:
                    content.append({"type": "text", "text": text})
            case Reasoning():
                block = carried.block(item)
                if block is not None and not (item.proves_text and any(each["type"] == "text" for each in content)):
                    content.append(block)
            case ToolCall(id=call_id, name=name, arguments=arguments):
                value = object_of(arguments, cut=answer.stop in CUT)
                content.append({"type": "tool_use", "id": _call_id(call_id), "name": naming.stands_for.get(name, name), "input": value})
            case Image(source=source):  # no block of an answer holds one
                url = f"data:{source.media_type};base64,{source.base64}" if isinstance(source, Inline) else source.url
                content.append({"type": "text", "text": f"![image]({url})"})
            case _:
                assert_never(item)
    refused = any(isinstance(item, Refused) for item in answer.items)
    return {
        "model": naming.model,
        "id": f"msg_{naming.id}",
        "type": "message",
        "role": "assistant",
        "content": content,
        **_stop(answer.stop, answer.stop_sequence, refused=refused),
        "usage": write_usage(answer.tokens),
    }


# a stream

_json: Final = msgspec.json.encode
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END: Final = b"}}\n\n"
_CALL, _THOUGHT, _REFUSAL = PartKind.TOOL_CALL, PartKind.REASONING, PartKind.REFUSAL  # looked up once: that takes longer than a call
# The delta of each kind of part: its type, and the member that has the text.
_MEMBERS: Final = {
    PartKind.TEXT: (b"text_delta", b"text"),
    PartKind.REFUSAL: (b"text_delta", b"text"),
    PartKind.REASONING: (b"thinking_delta", b"thinking"),
    PartKind.TOOL_CALL: (b"input_json_delta", b"partial_json"),
}
_MESSAGE_START: Final = (
    b'event: message_start\ndata: {"type":"message_start","message":{"model":%b,"id":%b,"type":"message","role":"assistant","content":[],'
    b'"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":%b}}\n\n'
)
_BLOCK_START: Final = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_TEXT_BLOCK: Final = b'{"type":"text","text":""}'
_THINKING_BLOCK: Final = b'{"type":"thinking","thinking":"","signature":""}'
_BLOCK_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_MESSAGE_DELTA: Final = b'event: message_delta\ndata: {"type":"message_delta","delta":%b,"usage":%b}\n\n'
_MESSAGE_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def _event(event: dict[str, Any]) -> bytes:
    name: str = event["type"]
    return b"event: " + name.encode() + b"\ndata: " + _json(event) + b"\n\n"


class _Part(msgspec.Struct, kw_only=True):
    """A part whose end has not been written. `before` is None until its block has begun: a part that says nothing has none."""

    start: PartStarted
    before: bytes | None = None  # all of a delta that stands before its text
    block: int = -1
    arguments: list[str] | None = None  # of a call: they are judged when it has ended
    waiting: list[Delta | Signed | PartEnded] = []  # of its own, as a Struct's are; while an earlier part is open


class StreamWriter:
    """Events in, bytes out: message_start, blocks one after another, message_delta, message_stop; or `error` in place of the end."""

    def __init__(self, ask: Ask, naming: Naming) -> None:
        self._ask = ask
        self._naming = naming
        self._parts: dict[int, _Part] = {}  # open or waiting, in order of appearance: the first is the one that may speak
        self._speaker: _Part | None = None
        self._blocks = 0  # begun so far
        self._refused = False
        self._told = False  # a text
        self._wrong: Unwritable | None = None  # of the first call whose arguments are no object

    def write(self, events: Iterable[Event]) -> bytes:
        """Raises Unwritable at the end of an answer whose calls' arguments are no JSON objects, unless its limit has cut them."""
        out: list[bytes] = []
        for event in events:
            if type(event) is Delta:
                part = self._speaker
                if part is not None and part.before is not None and part.start.index == event.index:
                    if event.text:
                        out += (part.before, _json(event.text), _DELTA_END)
                        if part.arguments is not None:
                            part.arguments.append(event.text)
                    continue
            try:
                self._say(event, out)
            except Unwritable as problem:
                problem.written = b"".join(out)
                raise
        return b"".join(out)

    def more(self, index: int, run: Run) -> bytes | None:
        part = self._speaker
        if part is None or part.before is None or part.arguments is not None or part.start.index != index:
            return None
        return exchanged(part.before, run.texts, _DELTA_END)

    def _say(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Started():
                out.append(self._message_start(event))
            case PartStarted():
                self._refused = self._refused or event.kind is _REFUSAL
                part = _Part(start=event)
                self._parts[event.index] = part
                if self._speaker is None:
                    self._give_word(part, out)
            case Delta() | Signed() | PartEnded():
                part = self._parts[event.index]
                if part is self._speaker:
                    self._part(part, event, out)
                else:
                    part.waiting.append(event)
            case Ended():
                while self._speaker is not None:  # a reader that ended no part
                    self._part(self._speaker, PartEnded(index=self._speaker.start.index), out)
                out.append(self._message_end(event))
            case Broken():
                out.append(self._error(event))
            case _:
                assert_never(event)

    def _message_start(self, event: Started) -> bytes:
        tokens = event.tokens or Tokens(input=input_tokens(self._ask), output=0)
        naming = self._naming
        return _MESSAGE_START % (_json(naming.model), _json(f"msg_{naming.id}"), _json(write_usage(tokens)))

    def _give_word(self, part: _Part, out: list[bytes]) -> None:
        self._speaker = part
        if part.start.kind is _CALL:  # a call is something said, whatever its arguments
            part.arguments = []
            name = self._naming.stands_for.get(part.start.name, part.start.name)
            self._block(part, _json({"type": "tool_use", "id": _call_id(part.start.id), "name": name, "input": {}}), out)
            out += (part.before or b"", b'""', _DELTA_END)  # as the vendor has it: the first of a call's deltas is empty

    def _part(self, part: _Part, event: Delta | Signed | PartEnded, out: list[bytes]) -> None:
        """Of the part that has the word."""
        match event:
            case Delta(text=text):
                if text:
                    self._begin(part, out)
                    out += (part.before or b"", _json(text), _DELTA_END)
                    if part.arguments is not None:
                        part.arguments.append(text)
            case Signed():
                self._sign(part, event, out)
            case PartEnded():
                if part.block >= 0:
                    out.append(_BLOCK_STOP % part.block)
                if part.arguments is not None:
                    self._judge(part.arguments)
                del self._parts[part.start.index]
                self._next(out)
            case _:
                assert_never(event)

    def _next(self, out: list[bytes]) -> None:
        """The next part has the word, and says what it kept."""
        self._speaker = None
        part = next(iter(self._parts.values()), None)
        if part is None:
            return
        self._give_word(part, out)
        kept, part.waiting = part.waiting, []
        for event in kept:
            self._part(part, event, out)

    def _judge(self, arguments: list[str]) -> None:
        try:
            object_of("".join(arguments))
        except Unwritable as problem:
            self._wrong = self._wrong or problem

    def _begin(self, part: _Part, out: list[bytes]) -> None:
        if part.before is None:
            thinking = part.start.kind is _THOUGHT
            self._told = self._told or not thinking
            self._block(part, _THINKING_BLOCK if thinking else _TEXT_BLOCK, out)

    def _block(self, part: _Part, content_block: bytes, out: list[bytes]) -> None:
        part.block, self._blocks = self._blocks, self._blocks + 1
        part.before = _DELTA % (part.block, *_MEMBERS[part.start.kind])
        out.append(_BLOCK_START % (part.block, content_block))

    def _sign(self, part: _Part, event: Signed, out: list[bytes]) -> None:
        if event.maker is Maker.ANTHROPIC and event.signature is None and event.opaque is not None and part.before is None:
            self._block(part, _json({"type": "redacted_thinking", "data": event.opaque}), out)
            return
        if self._told and part.before is None and event.maker is Maker.GEMINI and event.signature is not None:
            return
        signature = carried.signature_of(event.maker, event.signature, event.opaque, event.id)
        if signature:
            self._begin(part, out)
            delta = {"type": "signature_delta", "signature": signature}
            out.append(_event({"type": "content_block_delta", "index": part.block, "delta": delta}))

    def _message_end(self, event: Ended) -> bytes:
        if self._wrong is not None and event.stop not in CUT:
            raise self._wrong
        delta = _stop(event.stop, event.stop_sequence, refused=self._refused)
        return _MESSAGE_DELTA % (_json(delta), _json(write_usage(event.tokens))) + _MESSAGE_STOP

    def _error(self, event: Broken) -> bytes:
        """contract:146: in place of message_stop; blocks stay open, as the vendor leaves them."""
        error = {"type": ERROR_TYPES.get(event.status, "api_error"), "message": event.message}
        return _event({"type": "error", "error": error, **({"request_id": self._naming.request_id} if self._naming.request_id else {})})
