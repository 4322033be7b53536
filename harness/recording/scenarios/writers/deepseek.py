"""Chat as DeepSeek writes it: one tight line, reasoning beside the text, usage on the last chunk together with its choice."""

from collections.abc import Iterator
from typing import Any, Final

from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, Part, Text, Thinking, Usage, cut, words
from harness.recording.scenarios.writers.chat import CREATED, DONE, frame
from harness.wire.json_text import TIGHT, write_bytes

FINGERPRINT: Final = "fp_8b330d02d0_prod0820_fp8_kvcache_20260402"
KEEP_ALIVE: Final = b": keep-alive\n\n"  # documented for times of load


def usage(tokens: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        **({"completion_tokens_details": {"reasoning_tokens": tokens.reasoning}} if tokens.reasoning else {}),
        "prompt_cache_hit_tokens": tokens.cached,
        "prompt_cache_miss_tokens": tokens.prompt - tokens.cached,
    }


class Writer:
    def __init__(self, names: Names, model: str) -> None:
        self._names = names
        self._id = names.uuid()
        self._model = model

    def body(self, answer: Answer) -> bytes:
        reasoning = {"reasoning_content": answer.thinking} if answer.thinking else {}
        calls = [
            {
                "index": index,
                "id": self._call_id(index),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(answer.calls)
        ]
        message = {"role": "assistant", "content": answer.text, **reasoning, **({"tool_calls": calls} if calls else {})}
        value: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self._model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.stop}],
            "usage": usage(answer.usage),
            "system_fingerprint": FINGERPRINT,
        }
        return write_bytes(value, TIGHT)

    def stream(self, answer: Answer, *, keep_alive: bool) -> Iterator[bytes]:
        if keep_alive:
            yield KEEP_ALIVE
            yield KEEP_ALIVE
        thinks = any(isinstance(part, Thinking) for part in answer.parts)
        first = {"content": None, "reasoning_content": ""} if thinks else {"content": ""}
        yield self._chunk({"role": "assistant", **first})
        for number, delta in enumerate(self._deltas(answer.parts, thinks=thinks)):
            if keep_alive and number == 5:
                yield KEEP_ALIVE
            yield self._chunk(delta)
        last = {"content": "", "reasoning_content": None} if thinks else {"content": ""}
        yield self._chunk(last, answer.stop, usage(answer.usage))
        yield DONE

    def _deltas(self, parts: tuple[Part, ...], *, thinks: bool) -> Iterator[dict[str, Any]]:
        other = {"reasoning_content": None} if thinks else {}
        index = -1
        for part in parts:
            match part:
                case Thinking(text=text):
                    yield from ({"content": None, "reasoning_content": piece} for piece in words(text))
                case Text(text=text, pieces=pieces):
                    yield from ({"content": piece, **other} for piece in pieces or words(text))
                case Call(name=name):
                    index += 1
                    function = {"name": name, "arguments": ""}
                    yield {"tool_calls": [{"index": index, "id": self._call_id(index), "type": "function", "function": function}]}
                    for piece in part.pieces or cut(part.arguments, (3, 5, 8)):
                        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
                case _:
                    raise ValueError(f"DeepSeek has no place for {type(part).__name__}: write this scenario for a vendor that has")

    def _call_id(self, index: int) -> str:
        return f"call_{index:02d}_{self._names.alnum(24)}"

    def _chunk(self, delta: dict[str, Any], stop: str | None = None, tokens: dict[str, Any] | None = None) -> bytes:
        head = {"id": self._id, "object": "chat.completion.chunk", "created": CREATED, "model": self._model}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": stop}
        return frame({**head, "system_fingerprint": FINGERPRINT, "choices": [choice], "usage": tokens})
