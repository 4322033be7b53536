"""Ids, signatures and padding that look drawn by lot and yet come out the same every time."""

import hashlib
from typing import Final

_HEX: Final = "0123456789abcdef"
_DIGITS: Final = "0123456789"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Names:
    """All names of one scenario, drawn one after the other from its id."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._drawn = 0

    def hex(self, length: int) -> str:
        return self._text(_HEX, length)

    def alnum(self, length: int) -> str:
        return self._text(_LETTERS + _DIGITS, length)

    def base58(self, length: int) -> str:
        return self._text(_BASE58, length)

    def base64(self, length: int, start: str = "") -> str:
        """`length` characters in all, a multiple of four, without the padding that a decoder would ask for."""
        return start + self._text(_LETTERS + _DIGITS + "+/", length - len(start))

    def base64url(self, length: int, start: str = "") -> str:
        return start + self._text(_LETTERS + _DIGITS + "-_", length - len(start))

    def uuid(self) -> str:
        digits = self.hex(32)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def number(self, below: int) -> int:
        return int.from_bytes(self._bytes(8)) % below

    def obfuscation(self, text: str, block: int = 16) -> str:
        """What brings `text` to a whole number of blocks, so that its length tells an eavesdropper less."""
        return self.alnum(-len(text) % block)

    def _text(self, alphabet: str, length: int) -> str:
        return "".join(alphabet[byte % len(alphabet)] for byte in self._bytes(length))

    def _bytes(self, length: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}/{self._drawn}".encode()).digest(length)
