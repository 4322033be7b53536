"""Images as OpenAI answers with them: base64 in JSON. The pictures are made here, a few bytes of PNG each, and no two are the same."""

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios.build import traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Scenario
from harness.wire.json_text import PRETTY, write_bytes

MODEL: Final = "gpt-image-2"
_CREATED: Final = 1795219200
_SIDE: Final = 2
_PROMPT: Final = "A lighthouse at dusk, in few colours."
_OUTPUT_TOKENS: Final = 1056  # of one image in medium quality


def scenarios() -> Iterator[Scenario]:
    yield _made("one", 1, delivered=1)
    yield _made("three", 3, delivered=3)
    yield _made("partial", 3, delivered=2)
    yield _blocked()


def png(shade: int) -> bytes:
    """Two by two pixels of one shade of grey (PNG, third edition, 11.2)."""
    rows = b"".join(b"\0" + bytes([shade]) * _SIDE for _ in range(_SIDE))
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _made(name: str, asked: int, *, delivered: int) -> Scenario:
    data: list[Any] = [{"b64_json": base64.b64encode(png(64 * number)).decode()} for number in range(1, delivered + 1)]
    output = _OUTPUT_TOKENS * delivered
    answer: dict[str, Any] = {
        "created": _CREATED,
        "background": "opaque",
        "data": data,
        "output_format": "png",
        "quality": "medium",
        "size": "1024x1024",
        "usage": {
            "input_tokens": 14,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 14},
            "output_tokens": output,
            "total_tokens": 14 + output,
        },
    }
    return _scenario(name, asked, 200, write_bytes(answer, PRETTY))


def _blocked() -> Scenario:
    error: dict[str, Any] = {
        "message": "Your request was rejected by the safety system.",
        "type": "image_generation_user_error",
        "param": None,
        "code": "moderation_blocked",
    }
    return _scenario("blocked", 1, 400, write_bytes({"error": error}, PRETTY))


def _scenario(name: str, count: int, status: int, body: bytes) -> Scenario:
    names = Names(f"images/{name}/headers")
    return Scenario(
        id=f"images/{name}",
        surface=Surface.IMAGES,
        vendor="openai",
        model=MODEL,
        stream=False,
        method="POST",
        path="/v1/images/generations",
        request={"prompt": _PROMPT, "n": count, "size": "1024x1024", "quality": "medium"},
        traits=traits("images") if status == 200 else traits("images", "error", f"status-{status}"),
        status=status,
        headers=headers("openai", Surface.IMAGES, names, status=status, stream=False),
        pieces=(body,),
        live=False,
        first_byte_ms=150 + Names(f"images/{name}").number(250),
    )
