"""generateContent as Google writes it: JSON with `<>&'=` escaped; SSE with CR LF, a blank after colons and none after commas."""

import json
from collections.abc import Iterator
from typing import Any, Final

from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, Part, Refusal, Text, Thinking, Usage, cut
from harness.wire.json_text import GEMINI_BODY, GEMINI_SSE, write_bytes


def usage(tokens: Usage, *, said: float = 1.0, thought: float = 1.0) -> dict[str, Any]:
    """Counts are cumulative in a stream: `said` and `thought` are the shares of text and thoughts that are out."""
    candidates = round((tokens.output - tokens.reasoning) * said)
    thoughts = round(tokens.reasoning * thought)
    cached = {"cachedContentTokenCount": tokens.cached} if tokens.cached else {}
    cached_details = {"cacheTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.cached}]} if tokens.cached else {}
    return {
        "promptTokenCount": tokens.prompt,
        **({"candidatesTokenCount": candidates} if candidates else {}),
        "totalTokenCount": tokens.prompt + candidates + thoughts,
        **cached,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
        **cached_details,
        **({"thoughtsTokenCount": thoughts} if thoughts else {}),
        "serviceTier": "standard",
    }


_BLOCKED: Final = [
    {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True},
    {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"},
]


class Writer:
    def __init__(self, names: Names, model: str) -> None:
        self._names = names
        self._model = model
        self._id = names.base64url(23)

    def body(self, answer: Answer) -> bytes:
        parts = [part for piece in self._pieces(answer.parts, whole=True) for part in piece]
        return write_bytes(self._response(parts, answer, stop=answer.stop, counts=usage(answer.usage)), GEMINI_BODY)

    def stream(self, answer: Answer) -> Iterator[bytes]:
        pieces = list(self._pieces(answer.parts, whole=False))
        # After calls and thoughts, an empty text closes the stream; a text closes it by itself.
        if pieces and ("text" not in pieces[-1][-1] or "thought" in pieces[-1][-1]):
            pieces.append([{"text": ""}])
        yield from self._frames(pieces or [[]], answer, answer.stop)

    def array(self, answer: Answer) -> Iterator[bytes]:
        """The chunks of the stream as members of one array, which ends without a newline."""
        for number, frame in enumerate(self.stream(answer)):
            chunk = write_bytes(json.loads(frame.removeprefix(b"data: ")), GEMINI_BODY)
            yield (b",\r\n" if number else b"[") + chunk
        yield b"]"

    def broken_stream(self, answer: Answer, error: dict[str, Any]) -> Iterator[bytes]:
        yield from self._frames(list(self._pieces(answer.parts, whole=False)), answer, None)
        yield self._frame({"error": error})

    def blocked(self, tokens: Usage) -> dict[str, Any]:
        """The prompt was refused: no candidate at all."""
        return {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": usage(tokens),
            "modelVersion": self._model,
            "responseId": self._id,
        }

    def blocked_body(self, tokens: Usage) -> bytes:
        return write_bytes(self.blocked(tokens), GEMINI_BODY)

    def blocked_stream(self, tokens: Usage) -> Iterator[bytes]:
        yield self._frame(self.blocked(tokens))

    def _frames(self, pieces: list[list[dict[str, Any]]], answer: Answer, stop: str | None) -> Iterator[bytes]:
        thoughts = sum(1 for piece in pieces if piece and "thought" in piece[-1])
        for number, piece in enumerate(pieces, start=1):
            last = number == len(pieces)
            thought = min(number / thoughts, 1.0) if thoughts else 1.0
            said = max(number - thoughts, 0) / max(len(pieces) - thoughts, 1)
            counts = usage(answer.usage, said=1.0 if last else said, thought=thought)
            yield self._frame(self._response(piece, answer, stop=stop if last else None, counts=counts))

    def _response(self, parts: list[dict[str, Any]], answer: Answer, *, stop: str | None, counts: dict[str, Any]) -> dict[str, Any]:
        called = stop == "STOP" and bool(answer.calls)
        candidate = {
            "content": {**({"parts": parts} if parts else {}), "role": "model"},
            **({"finishReason": stop} if stop else {}),
            "index": 0,
            **({"safetyRatings": _BLOCKED} if stop == "SAFETY" else {}),
            **({"finishMessage": "Model generated function call(s)."} if called else {}),
        }
        return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": self._model, "responseId": self._id}

    def _pieces(self, parts: tuple[Part, ...], *, whole: bool) -> Iterator[list[dict[str, Any]]]:
        """The `parts` of each chunk. The signature of a thought rides on what follows it: a call, or the text."""
        signature = ""
        calls: list[dict[str, Any]] = []
        for part in parts:
            signed = {"thoughtSignature": signature} if signature else {}
            match part:
                case Thinking(text=text, signature=new):
                    signature = new
                    pieces = (text,) if whole else tuple(cut(text, (70,)))
                    if text:
                        yield from ([{"text": piece, "thought": True}] for piece in pieces)
                case Text(text=text, pieces=given):
                    first, *rest = (text,) if whole else given or tuple(cut(text, (20, 60, 80)))
                    yield [{"text": first, **signed}]
                    yield from ([{"text": piece}] for piece in rest)
                    signature = ""
                case Call(name=name, arguments=arguments):
                    call = {"name": name, "args": json.loads(arguments), "id": self._names.alnum(8)}
                    calls.append({"functionCall": call, **signed})
                    signature = ""
                case Refusal():
                    pass  # said by finishReason alone
                case _:
                    raise ValueError(f"Gemini has no place for {type(part).__name__}: write this scenario for a vendor that has")
        if calls:
            yield calls  # parallel calls come in one chunk

    def _frame(self, value: dict[str, Any]) -> bytes:
        return b"data: " + write_bytes(value, GEMINI_SSE) + b"\r\n\r\n"
