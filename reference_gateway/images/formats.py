"""Which image some bytes are, by their own first bytes; what a vendor or an upload calls them is not asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ImageFormat(StrEnum):
    """The value is the file's ending."""

    PNG = "png"
    JPEG = "jpg"
    WEBP = "webp"
    MP4 = "mp4"  # of videos/

    @property
    def content_type(self) -> bytes:
        return CONTENT_TYPES[self]


CONTENT_TYPES: Final = {
    ImageFormat.PNG: b"image/png",
    ImageFormat.JPEG: b"image/jpeg",
    ImageFormat.WEBP: b"image/webp",
    ImageFormat.MP4: b"video/mp4",
}


def recognised(data: bytes) -> ImageFormat | None:
    """None for what no browser should be handed as an image."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    return None


def is_mp4(data: bytes) -> bool:
    return data[4:8] == b"ftyp"
