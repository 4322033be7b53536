"""Which image some bytes are, by their own first bytes; what a vendor or an upload calls them is not asked."""

from __future__ import annotations

from enum import StrEnum


class ImageFormat(StrEnum):
    """The value is the file's ending."""

    PNG = "png"
    JPEG = "jpg"
    WEBP = "webp"

    @property
    def content_type(self) -> bytes:
        return {ImageFormat.PNG: b"image/png", ImageFormat.JPEG: b"image/jpeg", ImageFormat.WEBP: b"image/webp"}[self]


def recognised(data: bytes) -> ImageFormat | None:
    """None for what no browser should be handed as an image."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    return None
