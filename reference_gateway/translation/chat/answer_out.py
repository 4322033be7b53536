"""An answer as a chat client gets it, whole or streamed (translation.md 3.2, 3.7, 3.8; C27, contract:140, contract:147).

Lost on the way (losses.py says all): the upstream's own id, which stop sequence was met, and where thoughts stood between calls.
Thoughts go in the open as `reasoning_content`; those with a proof go once more as `thinking_blocks`, for a client that sends them back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, assert_never

import msgspec

from reference_gateway import errors
from reference_gateway.translation.chat.usage import write_usage
from reference_gateway.translation.codec import Naming
from reference_gateway.translation.common.glue import Run, exchanged
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
    ToolCall,
)

# tables

# Source: openai-chat "finish_reason"; translation.md 3.7.
FINISH_REASONS: Final = {
    Stop.END: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.CONTEXT_FULL: "length",
    Stop.TOOL_CALLS: "tool_calls",
    Stop.REFUSAL: "content_filter",
    Stop.PAUSE: "stop",
}
# Where the finish_reason says less than was known, the vendor's own word stands beside it.
_SAYS_LESS: Final = {Stop.CONTEXT_FULL, Stop.PAUSE}

FUNCTIONS: Final = "functions"  # in Ask.echo: the client used the deprecated `functions`, and reads `function_call`


def thinking_block(thought: Reasoning) -> dict[str, Any]:
    """As Anthropic has it where it is Anthropic's; `maker` and `id` say of any other whose proof it is."""
    block: dict[str, Any]
    if thought.opaque is not None and not thought.text and thought.signature is None:
        block = {"type": "redacted_thinking", "data": thought.opaque}
    else:
        block = {"type": "thinking", "thinking": thought.text}
        if thought.signature is not None:
            block["signature"] = thought.signature
        if thought.opaque is not None:
            block["data"] = thought.opaque
    if thought.maker not in (None, Maker.ANTHROPIC):
        block["maker"] = thought.maker
    if thought.id is not None:
        block["id"] = thought.id
    return block


def _proved(thought: Reasoning) -> bool:
    return thought.signature is not None or thought.opaque is not None


def _finish_reason(stop: Stop, ask: Ask) -> str:
    if stop is Stop.TOOL_CALLS and FUNCTIONS in ask.echo:
        return "function_call"
    return FINISH_REASONS[stop]


def _signature(signature: str) -> dict[str, Any]:
    """Of a Gemini call, where Google's own chat dialect has it."""
    return {"google": {"thought_signature": signature}}


# a whole answer


def write_answer(answer: Answer, ask: Ask, naming: Naming) -> dict[str, Any]:
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[Reasoning] = []
    calls: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for item in answer.items:
        match item:
            case Text():
                texts.append(item.text)
            case Refused():
                refusals.append(item.text)
            case Reasoning():
                thoughts.append(item)
            case ToolCall():
                function = {"name": naming.stands_for.get(item.name, item.name), "arguments": item.arguments or "{}"}
                call: dict[str, Any] = {"id": item.id, "type": "function", "function": function}
                if item.signature is not None:
                    call["extra_content"] = _signature(item.signature)
                calls.append(call)
            case Image(source=source):
                url = f"data:{source.media_type};base64,{source.base64}" if isinstance(source, Inline) else source.url
                images.append({"type": "image_url", "image_url": {"url": url}})
            case _:
                assert_never(item)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts or not (calls or refusals) else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if said := "".join(thought.text for thought in thoughts):
        message["reasoning_content"] = said
    if proved := [thinking_block(thought) for thought in thoughts if _proved(thought)]:
        message["thinking_blocks"] = proved
    if images:
        message["images"] = images
    if calls and FUNCTIONS in ask.echo:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    choice: dict[str, Any] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(answer.stop, ask),
    }
    if answer.stop in _SAYS_LESS and answer.vendor_stop:
        choice["native_finish_reason"] = answer.vendor_stop
    body: dict[str, Any] = {
        "id": f"chatcmpl-{naming.id}",
        "object": "chat.completion",
        "created": naming.created,
        "model": naming.model,
        "choices": [choice],
    }
    if answer.tokens is not None:
        body["usage"] = write_usage(answer.tokens)
    return body


# a stream

_json: Final = msgspec.json.encode
DONE: Final = b"data: [DONE]\n\n"
_HEAD: Final = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":'
_FIRST: Final = b'{"role":"assistant","content":"","refusal":null}'
_LAST: Final = b'[{"index":0,"delta":{},"logprobs":null,"finish_reason":%b'
_TEXT, _THOUGHT, _CALL = PartKind.TEXT, PartKind.REASONING, PartKind.TOOL_CALL  # looked up once: that takes longer than a call


class _Part(msgspec.Struct, kw_only=True):
    """An open part: what stands before and after each of its deltas, and what has to be remembered until it ends."""

    kind: PartKind
    before: bytes
    after: bytes
    text: list[str] = []  # of a thought; a Struct's list is its own
    proof: Signed | None = None
    silent: bool = True  # a call whose arguments have not begun


class StreamWriter:
    """Events in, chunks out. Each chunk has the same id, created and model, and a null finish_reason until the last (C27 for usage)."""

    def __init__(self, ask: Ask, naming: Naming) -> None:
        self._ask = ask
        self._naming = naming
        self._head = _HEAD % (_json(f"chatcmpl-{naming.id}"), naming.created, _json(naming.model))
        self._usage = b',"usage":null}\n\n' if ask.include_usage else b"}\n\n"
        self._delta = self._head + b'[{"index":0,"delta":'
        self._after = b',"logprobs":null,"finish_reason":null}]' + self._usage
        self._text = (self._delta + b'{"content":', b"}" + self._after)
        self._parts: dict[int, _Part | None] = {}  # None: what chat cannot say
        self._calls = 0  # begun so far: chat counts tool calls, not parts
        self._thinking_blocks = 0

    def write(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        parts = self._parts
        for event in events:
            if type(event) is Delta:
                part = parts[event.index]
                if part is None:
                    continue
                if part.kind is not _TEXT:
                    self._remember(part, event.text)
                if event.text:
                    out += (part.before, _json(event.text), part.after)
            else:
                out.append(self._say(event))
        return b"".join(out)

    def more(self, index: int, run: Run) -> bytes | None:
        part = self._parts.get(index)
        if part is None or part.kind not in (_TEXT, _THOUGHT):
            return None
        if part.kind is _THOUGHT:
            part.text.append(run.text)
        return exchanged(part.before, run.texts, part.after)

    def _say(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._delta + _FIRST + self._after
            case PartStarted():
                return self._begin(event)
            case Signed():
                part = self._parts[event.index]
                if part is not None:
                    part.proof = event
                return b""
            case PartEnded():
                return self._leave(self._parts.pop(event.index))
            case Ended():
                return self._end(event)
            case Broken():
                return errors.chat_event(errors.upstream_status(event.status), event.message)
            case Delta():
                return self.write((event,))
            case _:
                assert_never(event)

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return self._delta + _json(delta) + self._after

    def _remember(self, part: _Part, text: str) -> None:
        if part.kind is _THOUGHT:
            part.text.append(text)
        elif text:
            part.silent = False

    def _begin(self, event: PartStarted) -> bytes:
        match event.kind:
            case PartKind.TEXT:
                before, after = self._text
            case PartKind.REASONING:
                before, after = self._delta + b'{"reasoning_content":', b"}" + self._after
            case PartKind.REFUSAL:
                before, after = self._delta + b'{"refusal":', b"}" + self._after
            case PartKind.TOOL_CALL:
                return self._begin_call(event)
            case _:
                assert_never(event.kind)
        self._parts[event.index] = _Part(kind=event.kind, before=before, after=after)
        return b""

    def _begin_call(self, event: PartStarted) -> bytes:
        number, self._calls = self._calls, self._calls + 1
        function = {"name": self._naming.stands_for.get(event.name, event.name), "arguments": ""}
        if FUNCTIONS in self._ask.echo:
            if number:  # the deprecated form has one call
                self._parts[event.index] = None
                return b""
            before, after = b'{"function_call":{"arguments":', b"}}"
            delta: dict[str, Any] = {"function_call": function}
        else:
            before, after = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % number, b"}}]}"
            call: dict[str, Any] = {"index": number, "id": event.id, "type": "function", "function": function}
            if event.signature is not None:
                call["extra_content"] = _signature(event.signature)
            delta = {"tool_calls": [call]}
        self._parts[event.index] = _Part(kind=event.kind, before=self._delta + before, after=after + self._after)
        return self._chunk(delta)

    def _leave(self, part: _Part | None) -> bytes:
        if part is None:
            return b""
        if part.kind is _CALL and part.silent:  # a call of no arguments: its text has to be an object all the same
            return part.before + b'"{}"' + part.after
        proof = part.proof
        if proof is None:
            return b""
        thought = Reasoning(text="".join(part.text), signature=proof.signature, opaque=proof.opaque, maker=proof.maker, id=proof.id)
        if not _proved(thought):
            return b""
        number, self._thinking_blocks = self._thinking_blocks, self._thinking_blocks + 1
        return self._chunk({"thinking_blocks": [{"index": number, **thinking_block(thought)}]})  # the SDK adds up lists by `index`

    def _end(self, event: Ended) -> bytes:
        choice = _LAST % _json(_finish_reason(event.stop, self._ask))
        if event.stop in _SAYS_LESS and event.vendor_stop:
            choice += b',"native_finish_reason":' + _json(event.vendor_stop)
        end = self._head + choice + b"}]" + self._usage
        if self._ask.include_usage and event.tokens is not None:
            end += self._head + b'[],"usage":' + _json(write_usage(event.tokens)) + b"}\n\n"
        return end + DONE
