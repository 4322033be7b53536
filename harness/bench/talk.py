"""What the bench's client asks, and what its vendor answers: chat completions of fixed bytes.

The prompt names the answer ("bench:bulk:200"), since the prompt is the one thing that every gateway passes on.
"""

import json
import re
from enum import StrEnum
from typing import Final, assert_never

PACE_S: Final = 0.02  # between two chunks of a paced stream: what a fast model does
SLOW_PACE_S: Final = 0.06  # what a thoughtful one does
STAMP: Final = re.compile(rb"t=(\d{19})")  # CLOCK_MONOTONIC in ns, which all processes of a machine share
_ASKED: Final = re.compile(rb"bench:(plain|bulk|paced|slow):(\d+)")
PATH: Final = "/v1/chat/completions"
_CREATED: Final = 1767225600
TEXT: Final = "Nothing: the bytes that came in go out. " * 4


class What(StrEnum):
    PLAIN = "plain"  # one JSON answer
    BULK = "bulk"  # a stream, all of it at once
    PACED = "paced"  # a stream, one chunk each PACE_S
    SLOW = "slow"  # the same, one chunk each SLOW_PACE_S

    @property
    def pace_s(self) -> float:
        """Seconds between two chunks; 0 where all come at once."""
        match self:
            case What.PLAIN | What.BULK:
                return 0.0
            case What.PACED:
                return PACE_S
            case What.SLOW:
                return SLOW_PACE_S
            case _:
                assert_never(self)


def asked(body: bytes) -> tuple[What, int]:
    """What a request body wants, and how many chunks. Raises ValueError for a body that the bench did not send."""
    found = _ASKED.search(body)
    if found is None:
        raise ValueError('the prompt holds no "bench:WHAT:CHUNKS"')
    return What(found[1].decode()), int(found[2])


def request(*, host: str, key: str, model: str, what: What, chunks: int, times: int = 10) -> bytes:
    """A whole HTTP/1.1 request, of some 700 bytes, or 40 more for each of `times` above ten."""
    prompt = f"bench:{what}:{chunks} " + "Say what a gateway should add to this.\n " * times
    body: dict[str, object] = {"model": model, "max_completion_tokens": 64, "messages": [{"role": "user", "content": prompt}]}
    if what is not What.PLAIN:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    data = json.dumps(body).encode()
    head = f"host: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return b"POST %b HTTP/1.1\r\n" % PATH.encode() + head.encode() + data


def answer() -> bytes:
    """The JSON body of PLAIN."""
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _json(
        {"id": "chatcmpl-bench", "object": "chat.completion", "created": _CREATED, "model": "bench", "choices": [choice], **_USAGE}
    )


def chunk(text: str) -> bytes:
    """One SSE event with content, of some 200 bytes."""
    return _event([{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}], {"usage": None})


def last_chunks() -> bytes:
    """What ends a stream: the finish_reason, the usage, and [DONE]."""
    stop = [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    return _event(stop, {"usage": None}) + _event([], _USAGE) + b"data: [DONE]\n\n"


def stream(chunks: int) -> list[bytes]:
    """The events of BULK and, but for their stamps, of PACED: each text differs and all are as long."""
    return [chunk(f"t={number:019d} ") for number in range(chunks)]


def _event(choices: list[dict[str, object]], more: dict[str, object]) -> bytes:
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": _CREATED, "model": "bench"}
    return b"data: " + _json({**head, "choices": choices, **more}) + b"\n\n"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_USAGE: Final[dict[str, object]] = {"usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}
