"""Chat Completions as OpenAI writes it: pretty JSON with a last newline; chunks in one tight line, padded by `obfuscation`."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, CustomCall, Part, Refusal, Text, Usage, cut, words
from harness.wire.json_text import PRETTY_NEWLINE, TIGHT, write_bytes

CREATED: Final = 1795219200  # unix seconds; 2026-11-21
DONE: Final = b"data: [DONE]\n\n"
FINGERPRINT: Final = "fp_5c1d0a7be2"


def frame(value: Any) -> bytes:
    return b"data: " + write_bytes(value, TIGHT) + b"\n\n"


def usage(tokens: Usage) -> dict[str, Any]:
    written = {"cache_write_tokens": tokens.written} if tokens.written else {}
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, **written, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


class Writer:
    def __init__(self, names: Names, model: str) -> None:
        self._names = names
        self._id = f"chatcmpl-{names.alnum(29)}"
        self._model = model
        # Reasoning models have neither the logprobs key nor a fingerprint.
        self._logprobs: dict[str, Any] = {} if model.startswith("gpt-5") else {"logprobs": None}
        self._fingerprint = None if model.startswith("gpt-5") else FINGERPRINT

    def body(self, answer: Answer) -> bytes:
        choices = [
            {"index": index, "message": self._message(parts), **self._logprobs, "finish_reason": answer.stop}
            for index, parts in enumerate(answer.choices)
        ]
        value: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self._model,
            "choices": choices,
            "usage": usage(answer.usage),
            "service_tier": "default",
            "system_fingerprint": self._fingerprint,
        }
        return write_bytes(value, PRETTY_NEWLINE)

    def stream(self, answer: Answer, *, include_usage: bool) -> Iterator[bytes]:
        null = {"usage": None} if include_usage else {}
        rows = zip_longest(*([self._choice(index, *step) for step in self._deltas(parts)] for index, parts in enumerate(answer.choices)))
        for row in rows:  # choices take turns
            for choice, shown in filter(None, row):
                yield self._chunk([choice], shown, null)
        for index in range(len(answer.choices)):
            yield self._chunk([{"index": index, "delta": {}, **self._logprobs, "finish_reason": answer.stop}], "", null)
        if include_usage:
            yield self._chunk([], "", {"usage": usage(answer.usage)})
        yield DONE

    def broken_stream(self, answer: Answer, error: dict[str, Any]) -> Iterator[bytes]:
        """Every delta of the answer, then the error in the place of the rest."""
        for delta, shown in self._deltas(answer.parts):
            yield self._chunk([self._choice(0, delta, shown)[0]], shown, {})
        yield frame({"error": error})

    def _choice(self, index: int, delta: dict[str, Any], shown: str) -> tuple[dict[str, Any], str]:
        return {"index": index, "delta": delta, **self._logprobs, "finish_reason": None}, shown

    def _chunk(self, choices: list[dict[str, Any]], shown: str, more: dict[str, Any]) -> bytes:
        head = {"id": self._id, "object": "chat.completion.chunk", "created": CREATED, "model": self._model}
        tier = {"service_tier": "default", "system_fingerprint": self._fingerprint}
        return frame({**head, **tier, "choices": choices, **more, "obfuscation": self._names.obfuscation(shown)})

    def _message(self, parts: tuple[Part, ...]) -> dict[str, Any]:
        content = "".join(part.text for part in parts if isinstance(part, Text)) if any(isinstance(part, Text) for part in parts) else None
        refusal = next((part.text for part in parts if isinstance(part, Refusal)), None)
        calls = [self._call(part) for part in parts if isinstance(part, Call | CustomCall)]
        tool_calls = {"tool_calls": calls} if calls else {}
        return {"role": "assistant", "content": content, **tool_calls, "refusal": refusal, "annotations": []}

    def _call(self, call: Call | CustomCall) -> dict[str, Any]:
        name = f"call_{self._names.alnum(24)}"
        if isinstance(call, CustomCall):
            return {"id": name, "type": "custom", "custom": {"name": call.name, "input": call.input}}
        return {"id": name, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}

    def _deltas(self, parts: tuple[Part, ...]) -> Iterator[tuple[dict[str, Any], str]]:
        """Each delta of one choice, and the text in it that padding hides. The first has the role and no text."""
        if any(isinstance(part, Call | CustomCall) for part in parts) and not any(isinstance(part, Text) for part in parts):
            yield {"role": "assistant", "content": None}, ""
        elif any(isinstance(part, Refusal) for part in parts):
            yield {"role": "assistant", "content": None, "refusal": ""}, ""
        else:
            yield {"role": "assistant", "content": "", "refusal": None}, ""
        index = -1
        for part in parts:
            match part:
                case Text(text=text, pieces=pieces):
                    for piece in pieces or words(text):
                        yield {"content": piece}, piece
                case Refusal(text=text):
                    for piece in words(text):
                        yield {"refusal": piece}, piece
                case Call() | CustomCall():
                    index += 1
                    yield from self._call_deltas(index, part)
                case _:
                    raise ValueError(f"chat has no place for {type(part).__name__}: write this scenario for a vendor that has")

    def _call_deltas(self, index: int, call: Call | CustomCall) -> Iterator[tuple[dict[str, Any], str]]:
        name = f"call_{self._names.alnum(24)}"
        if isinstance(call, CustomCall):
            yield {"tool_calls": [{"index": index, "id": name, "type": "custom", "custom": {"name": call.name, "input": ""}}]}, ""
            for piece in words(call.input):
                yield {"tool_calls": [{"index": index, "custom": {"input": piece}}]}, piece
            return
        yield {"tool_calls": [{"index": index, "id": name, "type": "function", "function": {"name": call.name, "arguments": ""}}]}, ""
        for piece in call.pieces or cut(call.arguments, (3, 5, 8)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, piece
