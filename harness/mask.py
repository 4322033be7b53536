"""Secrets out, lengths kept: an exchange never holds a key, yet a check can still see that one was where it must not be.

A known secret becomes a token of the same length that names it, such as `[client-key.....]`; so does any part of it long
enough to be told from chance. What stands in a credential's header without being known is cut without a name.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from harness.exchange import Headers

CREDENTIAL_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie", "openai-organization"}
)
CUT: Final = "[cut]"
_HEX: Final = frozenset("0123456789abcdef")
_PART: Final = 8  # characters of a secret that are no chance find
_KEPT_TEXTS: Final = 4096
_KEPT_LENGTH: Final = 200
_FITTING: Final = b"\x01" * _PART


def token(name: str, length: int) -> str:
    """`[name...]`, just `length` characters long where that fits the name, else filled with the name's first letters."""
    return f"[{name}".ljust(length - 1, ".")[: length - 1] + "]"


class Masker:
    """Replaces the secrets of one run. `secrets` maps a name such as "client-key" to the values that it stands for."""

    def __init__(self, secrets: Mapping[str, Iterable[str]]) -> None:
        self._whole: list[tuple[bytes, bytes]] = []
        self._parts: dict[bytes, str] = {}  # every window of _PART bytes of a secret -> its name
        alphabets: set[frozenset[str]] = set()
        for name, secret_values in secrets.items():
            for secret in sorted(set(secret_values), key=len, reverse=True):
                if len(secret) < _PART:
                    continue
                self._whole.append((secret.encode(), token(name, len(secret)).encode()))
                # The family's prefix (`sk-`, `sk-byts-`) is public: a part begins after it.
                body = secret[secret.rfind("-") + 1 :]
                for at in range(len(body) - _PART + 1):
                    self._parts.setdefault(body[at : at + _PART].encode(), name)
                alphabets.add(_HEX if _HEX.issuperset(body) else frozenset(body))
        # Where a part may stand: one pass over a body for each alphabet in the place of one for each part.
        self._alphabets = [bytes(chr(byte) in alphabet for byte in range(256)) for alphabet in alphabets]
        self._texts: dict[str, str] = {}  # what was masked before: the same headers stand in every exchange

    def mask(self, data: bytes) -> bytes:
        """The same number of bytes, without the secrets."""
        for secret, cover in self._whole:
            if secret in data:
                data = data.replace(secret, cover)
        found = dict(self._found(data))
        return _covered(data, found) if found else data

    def text(self, text: str) -> str:
        masked = self._texts.get(text)
        if masked is None:
            masked = self.mask(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
            if len(self._texts) < _KEPT_TEXTS and len(text) <= _KEPT_LENGTH:
                self._texts[text] = masked
        return masked

    def headers(self, headers: Headers) -> Headers:
        """Known secrets by name; whatever else a credential's header holds is cut, its scheme word kept."""
        return tuple((name, self._header(name, value)) for name, value in headers)

    def _header(self, name: str, value: str) -> str:
        masked = self.text(value)
        if name.lower() not in CREDENTIAL_HEADERS or masked != value:
            return masked
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {CUT}" if space else CUT

    def _found(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Where a part of a secret begins, and whose it is."""
        for alphabet in self._alphabets:
            fits = data.translate(alphabet)  # 1 where the byte is of the alphabet, else 0
            start = fits.find(_FITTING)
            while start >= 0:
                end = fits.find(0, start)
                end = len(data) if end < 0 else end
                for at in range(start, end - _PART + 1):
                    if (name := self._parts.get(data[at : at + _PART])) is not None:
                        yield at, name
                start = fits.find(_FITTING, end)


def _covered(data: bytes, found: Mapping[int, str]) -> bytes:
    """Each run of overlapping parts covered by one token."""
    covered = bytearray(len(data))
    for at in found:
        covered[at : at + _PART] = b"\x01" * _PART
    masked = bytearray(data)
    at = covered.find(1)
    while at >= 0:
        end = covered.find(0, at)
        end = len(data) if end < 0 else end
        masked[at:end] = token(f"{found[at]}-part", end - at).encode()
        at = covered.find(1, end)
    return bytes(masked)
