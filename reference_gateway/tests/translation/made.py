"""Answers by hypothesis, and what each vendor sends for them: its stream and its whole body, written from the same value.

What one protocol cannot say, or says in one order only, is left out or put in order before anything is written.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from hypothesis import strategies as st

from reference_gateway.routes import Surface


class Kind(StrEnum):
    TEXT = "text"
    THOUGHT = "thought"
    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`text` is a call's arguments; `proof` a thought's."""

    kind: Kind
    text: str
    id: str = ""
    name: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`prompt` without what was read from a cache; `output` with the thoughts."""

    prompt: int
    read: int
    output: int
    thoughts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    parts: tuple[Part, ...]
    cut: bool  # by its limit
    counts: Counts

    @property
    def calls(self) -> list[Part]:
        return [part for part in self.parts if part.kind is Kind.CALL]

    def of(self, kind: Kind) -> str:
        return "".join(part.text for part in self.parts if part.kind is kind)


# by hypothesis

_ODD: Final = ("\u2028", "\x00", "\x7f", '"', "\\", "data: x\n\n", "\r\n", "[DONE]", "😀", "é", "{", "</s>", "\ufeff")
texts: Final = st.lists(st.sampled_from(_ODD) | st.text(max_size=8), min_size=1, max_size=5).map("".join).filter(bool)
_values: Final = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6) | st.just(0.5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_arguments: Final = st.dictionaries(st.text(min_size=1, max_size=5), _values, min_size=1, max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
)
_names: Final = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
_proofs: Final = st.binary(min_size=12, max_size=24).map(lambda data: data.hex())
_parts: Final = st.one_of(
    st.builds(Part, kind=st.just(Kind.TEXT), text=texts),
    st.builds(Part, kind=st.just(Kind.THOUGHT), text=texts, proof=_proofs),
    st.builds(Part, kind=st.just(Kind.CALL), text=_arguments, name=_names),
)
_counts: Final = st.builds(
    Counts, prompt=st.integers(1, 10**6), read=st.integers(0, 10**5), output=st.integers(100, 10**5), thoughts=st.integers(0, 100)
)


@st.composite
def answers(draw: st.DrawFn, spoken: Surface) -> Said:
    found = [replace(part, id=f"call_{number}") for number, part in enumerate(draw(st.lists(_parts, min_size=1, max_size=5)))]
    if spoken is Surface.CHAT:  # has one thought without a proof, one text, then calls
        found = [
            *(Part(kind=Kind.THOUGHT, text=text) for text in ["".join(part.text for part in found if part.kind is Kind.THOUGHT)] if text),
            *(Part(kind=Kind.TEXT, text=text) for text in ["".join(part.text for part in found if part.kind is Kind.TEXT)] if text),
            *(part for part in found if part.kind is Kind.CALL),
        ]
    if spoken is Surface.GEMINI:  # neighbours of a kind are one
        merged: list[Part] = []
        for part in found:
            if part.kind is not Kind.CALL and merged and merged[-1].kind is part.kind:
                merged[-1] = replace(merged[-1], text=merged[-1].text + part.text)
            else:
                merged.append(part)
        found = merged
    counts = draw(_counts)
    if spoken is Surface.MESSAGES:
        counts = replace(counts, thoughts=0)  # not every model counts them
    cut = draw(st.booleans()) and all(part.kind is not Kind.CALL for part in found)
    return Said(parts=tuple(found), cut=cut, counts=counts)


def pieces(text: str, size: int) -> Iterator[str]:
    """Of so many characters each."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


# what each vendor sends


def stream(spoken: Surface, said: Said, size: int) -> bytes:
    """Its texts come in pieces of `size` characters."""
    match spoken:
        case Surface.CHAT:
            return b"".join(_chat_stream(said, size))
        case Surface.RESPONSES:
            return b"".join(_responses_stream(said, size))
        case Surface.MESSAGES:
            return b"".join(_messages_stream(said, size))
        case Surface.GEMINI:
            return b"".join(_gemini_stream(said, size))
        case _:
            raise ValueError(spoken)


def body(spoken: Surface, said: Said) -> dict[str, Any]:
    match spoken:
        case Surface.CHAT:
            return _chat_body(said)
        case Surface.RESPONSES:
            return _response(said, [_item(number, part) for number, part in enumerate(said.parts)])
        case Surface.MESSAGES:
            return {**_message(), "content": [_block(part) for part in said.parts], **_message_end(said)}
        case Surface.GEMINI:
            return _gemini(said, [_gemini_part(part, part.text, last=True) for part in said.parts], end=True)
        case _:
            raise ValueError(spoken)


def _event(value: dict[str, Any], *, named: bool = False) -> bytes:
    name = f"event: {value['type']}\n" if named else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


# chat


def _chat_usage(counts: Counts) -> dict[str, Any]:
    prompt = counts.prompt + counts.read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": counts.output,
        "total_tokens": prompt + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.read},
        "completion_tokens_details": {"reasoning_tokens": counts.thoughts},
    }


def _finish(said: Said) -> str:
    return "length" if said.cut else "tool_calls" if said.calls else "stop"


def _chat_stream(said: Said, size: int) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], "usage": None})

    yield chunk({"role": "assistant", "content": ""})
    calls = itertools.count()
    for part in said.parts:
        if part.kind is Kind.CALL:
            index = next(calls)
            function = {"name": part.name, "arguments": ""}
            yield chunk({"tool_calls": [{"index": index, "id": part.id, "type": "function", "function": function}]})
            for piece in pieces(part.text, size):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        else:
            name = "content" if part.kind is Kind.TEXT else "reasoning_content"
            for piece in pieces(part.text, size):
                yield chunk({name: piece})
    yield chunk({}, _finish(said))
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    yield _event({**head, "usage": _chat_usage(said.counts)}) + b"data: [DONE]\n\n"


def _chat_body(said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.of(Kind.TEXT) or None}
    if thoughts := said.of(Kind.THOUGHT):
        message["reasoning_content"] = thoughts
    if said.calls:
        message["tool_calls"] = [
            {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.text}} for part in said.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish(said)}
    head = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return {**head, "usage": _chat_usage(said.counts)}


# responses


def _response(said: Said, output: list[dict[str, Any]]) -> dict[str, Any]:
    counts = said.counts
    usage = {
        "input_tokens": counts.prompt + counts.read,
        "input_tokens_details": {"cached_tokens": counts.read},
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": counts.thoughts},
        "total_tokens": counts.prompt + counts.read + counts.output,
    }
    status = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}} if said.cut else {"status": "completed"}
    return {"id": "r1", "object": "response", "model": "m", "error": None, **status, "output": output, "usage": usage}


def _item(number: int, part: Part) -> dict[str, Any]:
    match part.kind:
        case Kind.TEXT:
            content = [{"type": "output_text", "text": part.text, "annotations": []}]
            return {"id": f"i{number}", "type": "message", "role": "assistant", "status": "completed", "content": content}
        case Kind.THOUGHT:
            summary = [{"type": "summary_text", "text": part.text}]
            return {"id": f"i{number}", "type": "reasoning", "summary": summary, "encrypted_content": part.proof}
        case _:
            call = {"call_id": part.id, "name": part.name, "arguments": part.text, "status": "completed"}
            return {"id": f"i{number}", "type": "function_call", **call}


_NAMES: Final = {
    Kind.TEXT: ("output_text", {"content_index": 0}),
    Kind.THOUGHT: ("reasoning_summary_text", {"summary_index": 0}),
    Kind.CALL: ("function_call_arguments", {}),
}


def _responses_stream(said: Said, size: int) -> Iterator[bytes]:
    begun = {"id": "r1", "object": "response", "model": "m", "status": "in_progress", "output": []}
    yield _event({"type": "response.created", "response": begun}, named=True)
    for number, part in enumerate(said.parts):
        item, (name, more) = _item(number, part), _NAMES[part.kind]
        empty = {**item, **{key: value for key, value in (("content", []), ("summary", []), ("arguments", "")) if key in item}}
        yield _event({"type": "response.output_item.added", "output_index": number, "item": empty}, named=True)
        at = {"output_index": number, "item_id": item["id"], **more}
        for piece in pieces(part.text, size):
            yield _event({"type": f"response.{name}.delta", "delta": piece, **at}, named=True)
        whole = "arguments" if part.kind is Kind.CALL else "text"
        yield _event({"type": f"response.{name}.done", whole: part.text, **at}, named=True)
        yield _event({"type": "response.output_item.done", "output_index": number, "item": item}, named=True)
    response = _response(said, [_item(number, part) for number, part in enumerate(said.parts)])
    yield _event({"type": f"response.{response['status']}", "response": response}, named=True)


# messages


def _message() -> dict[str, Any]:
    return {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": []}


def _message_end(said: Said) -> dict[str, Any]:
    reason = "max_tokens" if said.cut else "tool_use" if said.calls else "end_turn"
    return {"stop_reason": reason, "stop_sequence": None, "usage": _message_usage(said.counts)}


def _message_usage(counts: Counts) -> dict[str, Any]:
    return {
        "input_tokens": counts.prompt,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.read,
        "output_tokens": counts.output,
    }


def _block(part: Part) -> dict[str, Any]:
    match part.kind:
        case Kind.TEXT:
            return {"type": "text", "text": part.text}
        case Kind.THOUGHT:
            return {"type": "thinking", "thinking": part.text, "signature": part.proof}
        case _:
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": json.loads(part.text)}


_DELTAS: Final = {
    Kind.TEXT: ("text_delta", "text"),
    Kind.THOUGHT: ("thinking_delta", "thinking"),
    Kind.CALL: ("input_json_delta", "partial_json"),
}


def _messages_stream(said: Said, size: int) -> Iterator[bytes]:
    usage = {**_message_usage(said.counts), "output_tokens": 1}
    yield _event({"type": "message_start", "message": {**_message(), "stop_reason": None, "usage": usage}}, named=True)
    for index, part in enumerate(said.parts):
        empty = {"text": "", "thinking": "", "signature": "", "input": {}}
        block = {key: empty.get(key, value) for key, value in _block(part).items()}
        yield _event({"type": "content_block_start", "index": index, "content_block": block}, named=True)
        delta, member = _DELTAS[part.kind]
        for piece in pieces(part.text, size):
            yield _event({"type": "content_block_delta", "index": index, "delta": {"type": delta, member: piece}}, named=True)
        if part.proof:
            signature = {"type": "signature_delta", "signature": part.proof}
            yield _event({"type": "content_block_delta", "index": index, "delta": signature}, named=True)
        yield _event({"type": "content_block_stop", "index": index}, named=True)
    end = _message_end(said)
    counted = end.pop("usage")
    yield _event({"type": "message_delta", "delta": end, "usage": {"output_tokens": counted["output_tokens"]}}, named=True)
    yield _event({"type": "message_stop"}, named=True)


# gemini


def _gemini(said: Said, parts: list[dict[str, Any]], *, end: bool) -> dict[str, Any]:
    counts = said.counts
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    usage: dict[str, Any] = {"promptTokenCount": counts.prompt + counts.read}
    if end:
        candidate["finishReason"] = "MAX_TOKENS" if said.cut else "STOP"
        usage |= {
            "candidatesTokenCount": counts.output - counts.thoughts,
            "thoughtsTokenCount": counts.thoughts,
            "cachedContentTokenCount": counts.read,
            "totalTokenCount": counts.prompt + counts.read + counts.output,
        }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "g1"}


def _gemini_part(part: Part, text: str, *, last: bool) -> dict[str, Any]:
    if part.kind is Kind.CALL:
        return {"functionCall": {"id": part.id, "name": part.name, "args": json.loads(part.text)}}
    found: dict[str, Any] = {"text": text}
    if part.kind is Kind.THOUGHT:
        found["thought"] = True
        if last:
            found["thoughtSignature"] = part.proof
    return found


def _gemini_stream(said: Said, size: int) -> Iterator[bytes]:
    for part in said.parts:
        texts = [""] if part.kind is Kind.CALL else list(pieces(part.text, size))
        for number, text in enumerate(texts):
            yield _event(_gemini(said, [_gemini_part(part, text, last=number == len(texts) - 1)], end=False))
    yield _event(_gemini(said, [{"text": ""}], end=True))
