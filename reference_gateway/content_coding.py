"""Undoing a content-coding on the accounting's own copy; what the client gets stays encoded as the upstream sent it."""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Final, Protocol

MAX_PLAIN_BYTES: Final = 256 * 1024 * 1024  # what one read may grow to


class Corrupt(Exception):
    """The bytes are not what content-encoding says."""


class Decoder(Protocol):
    def feed(self, piece: bytes) -> bytes: ...

    def close(self) -> None:
        """Raises Corrupt where the coding has not ended."""


class _Zlib:
    """gzip and deflate; some senders of `deflate` leave out the zlib wrapper, so its first byte decides."""

    def __init__(self, *, gzip: bool) -> None:
        self._inflate = zlib.decompressobj(31) if gzip else None

    def feed(self, piece: bytes) -> bytes:
        if self._inflate is None:
            if not piece:
                return b""
            self._inflate = zlib.decompressobj(15 if piece[0] & 0x0F == 8 else -15)
        try:
            plain = self._inflate.decompress(piece, MAX_PLAIN_BYTES)
        except zlib.error as error:
            raise Corrupt(str(error)) from None
        if self._inflate.unconsumed_tail:
            raise Corrupt(f"one read of it is over {MAX_PLAIN_BYTES} bytes")
        return plain

    def close(self) -> None:
        if self._inflate is None or not self._inflate.eof:
            raise Corrupt("it ends too early")


class _Brotli:
    def __init__(self, brotli: Any) -> None:
        self._decoder = brotli.Decompressor()
        self._error = brotli.error

    def feed(self, piece: bytes) -> bytes:
        try:
            decoded: bytes = self._decoder.process(piece)
        except self._error as error:
            raise Corrupt(str(error)) from None
        return decoded

    def close(self) -> None:
        if not self._decoder.is_finished():
            raise Corrupt("it ends too early")


def _import_brotli() -> Any | None:
    try:
        return importlib.import_module("brotli")
    except ImportError:
        return None


_BROTLI: Final = _import_brotli()
READABLE: Final = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"} | ({b"br"} if _BROTLI else set()))


def decoder(content_encoding: bytes) -> Decoder | None:
    """None for a body that is not encoded; raises Corrupt for a coding (or a chain of codings) that is not among READABLE."""
    coding = content_encoding.strip().lower()
    if coding in (b"", b"identity"):
        return None
    if coding in (b"gzip", b"x-gzip"):
        return _Zlib(gzip=True)
    if coding == b"deflate":
        return _Zlib(gzip=False)
    if coding == b"br" and _BROTLI is not None:
        return _Brotli(_BROTLI)
    raise Corrupt(f"content-encoding {coding.decode('latin-1')} cannot be read")


def readable_only(accept_encoding: bytes) -> bytes:
    """The caller's accept-encoding without codings that the accounting could not read.

    Unchanged, byte for byte, where it can read them all.
    """
    offers = accept_encoding.split(b",")
    kept = [offer for offer in offers if offer.partition(b";")[0].strip().lower() in READABLE]
    if len(kept) == len(offers):
        return accept_encoding
    return b",".join(kept).strip() or b"identity"
