"""Translators that tell in pieces wrongly what they tell rightly as a whole: what an SDK puts together of it does not go on."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from harness.mutation.mutant import Answer, Mutant, named, on_data, on_frames

Value = dict[str, Any]

_GOES_ON: Final = "translation/stream-loop-goes-on"
_PROVED: Final = "translation/stream-loop-proofs-once"
_TOLD: Final = "translation/stream-loop-proofs-told"


def _deltas(chunk: Value) -> Iterator[Value]:
    """Of a chunk of Chat Completions."""
    return (choice["delta"] for choice in chunk["choices"])


def _calls(chunk: Value) -> list[Value]:
    return [call for delta in _deltas(chunk) for call in delta.get("tool_calls") or ()]


def _last_arguments_lost(frames: list[bytes]) -> list[bytes]:
    last = max((place for place, frame in enumerate(frames) if b'"arguments":"' in frame), default=-1)
    return [frame for place, frame in enumerate(frames) if place != last]


def _one_call(_: int, chunk: Value) -> Value:
    for call in _calls(chunk):
        call["index"] = 0
    return chunk


def _half_a_signature(_: int, chunk: Value) -> Value:
    """As of one that comes in two deltas, of which the second takes the place of the first."""
    for delta in _deltas(chunk):
        for block in delta.get("thinking_blocks", ()):
            if "signature" in block:
                block["signature"] = block["signature"][len(block["signature"]) // 2 :]
    return chunk


def _no_redacted(_: int, chunk: Value) -> Value:
    for delta in _deltas(chunk):
        if "thinking_blocks" in delta:
            delta["thinking_blocks"] = [block for block in delta["thinking_blocks"] if block["type"] != "redacted_thinking"]
    return chunk


def _no_signature_delta(_: int, event: Value) -> Value | None:
    return None if event.get("delta", {}).get("type") == "signature_delta" else event


def _unsealed_when_done(_: int, event: Value) -> Value:
    if event["type"] == "response.output_item.done":
        event["item"].pop("encrypted_content", None)
    return event


def _parts(event: Value) -> list[Value]:
    return [part for candidate in event["candidates"] for part in candidate.get("content", {}).get("parts", ())]


def _unsigned_parts(_: int, event: Value) -> Value:
    for part in _parts(event):
        part.pop("thoughtSignature", None)
    return event


def _nothing_at_the_end(_: int, event: Value) -> Value:
    """An event without a part, for which Google's SDK leaves the whole answer out of its chat."""
    for candidate in event["candidates"]:
        if "finishReason" in candidate:
            candidate["content"] = {"role": "model", "parts": []}
    return event


def _mutant(name: str, requirement: str, text: str, answer: Callable[[Answer], Answer], case: str) -> Mutant:
    return Mutant(
        id=f"translation-stream-loop-{name}",
        requirement=requirement,
        text=text,
        answer=answer,
        where=named(f"translation/loop-{case}.stream"),
    )


MUTANTS: tuple[Mutant, ...] = (
    _mutant("arguments-cut", _GOES_ON, "Loses the last piece of a call's arguments.", on_frames(_last_arguments_lost), "chat-claude"),
    _mutant("one-call", _GOES_ON, "Tells two calls by one index: they are put together as one.", on_data(_one_call), "chat-gemini"),
    _mutant(
        "nothing-at-the-end",
        _GOES_ON,
        "Ends with an event that has no part: the SDK's chat forgets the answer.",
        on_data(_nothing_at_the_end),
        "gemini-claude",
    ),
    _mutant("half-a-signature", _PROVED, "Tells the second half of a signature alone.", on_data(_half_a_signature), "chat-claude"),
    _mutant("no-redacted", _TOLD, "Leaves redacted thoughts out of streams.", on_data(_no_redacted), "chat-claude"),
    _mutant("no-signature-delta", _TOLD, "Sends no signature_delta.", on_data(_no_signature_delta), "messages-responses"),
    _mutant(
        "unsealed-when-done",
        _TOLD,
        "Tells encrypted_content in the last event alone.",
        on_data(_unsealed_when_done),
        "responses-claude",
    ),
    _mutant("unsigned-parts", _TOLD, "Streams parts without their thoughtSignature.", on_data(_unsigned_parts), "gemini-responses"),
)
