"""Pictures made in code: a PNG whose colours follow from the prompt."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def png(prompt: str, width: int, height: int, variant: int = 0) -> bytes:
    """Truecolour, 8 bits; rows fade from one colour of the prompt's hash to another."""
    seed = hashlib.sha256(f"{variant}:{prompt}".encode()).digest()
    top, bottom = seed[:3], seed[3:6]
    rows = bytearray()
    for y in range(height):
        colour = bytes((a * (height - y) + b * y) // height for a, b in zip(top, bottom, strict=True))
        rows += b"\0" + colour * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(rows), 1)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
