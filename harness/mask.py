"""Secrets out, lengths kept: an exchange never holds a key, yet a check can still see that one was where it must not be.

A known secret becomes a token of the same length that names it, such as `[client-key.....]`; so does any part of it long
enough to be told from chance. What stands in a credential's header without being known is cut without a name.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from harness.exchange import Headers

CREDENTIAL_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie", "openai-organization"}
)
CUT: Final = "[cut]"
_PART: Final = 8  # characters of a secret that are no chance find


def token(name: str, length: int) -> str:
    """`[name...]`, just `length` characters long where that fits the name, else filled with the name's first letters."""
    return f"[{name}".ljust(length - 1, ".")[: length - 1] + "]"


class Masker:
    """Replaces the secrets of one run. `secrets` maps a name such as "client-key" to the values that it stands for."""

    def __init__(self, secrets: Mapping[str, Iterable[str]]) -> None:
        self._whole: list[tuple[bytes, bytes]] = []
        self._parts: list[tuple[bytes, str]] = []
        for name, secret_values in secrets.items():
            for secret in sorted(set(secret_values), key=len, reverse=True):
                if len(secret) < _PART:
                    continue
                self._whole.append((secret.encode(), token(name, len(secret)).encode()))
                # The family's prefix (`sk-`, `sk-byts-`) is public: a part begins after it.
                body = secret[secret.rfind("-") + 1 :]
                self._parts += [(body[at : at + _PART].encode(), name) for at in range(len(body) - _PART + 1)]

    def mask(self, data: bytes) -> bytes:
        """The same number of bytes, without the secrets."""
        for secret, cover in self._whole:
            if secret in data:
                data = data.replace(secret, cover)
        if any(part in data for part, _ in self._parts):
            data = self._mask_parts(data)
        return data

    def text(self, text: str) -> str:
        return self.mask(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def headers(self, headers: Headers) -> Headers:
        """Known secrets by name; whatever else a credential's header holds is cut, its scheme word kept."""
        return tuple((name, self._header(name, value)) for name, value in headers)

    def _header(self, name: str, value: str) -> str:
        masked = self.text(value)
        if name.lower() not in CREDENTIAL_HEADERS or masked != value:
            return masked
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {CUT}" if space else CUT

    def _mask_parts(self, data: bytes) -> bytes:
        """Cover each run of overlapping parts as one token."""
        covered = bytearray(len(data))
        names: dict[int, str] = {}
        for part, name in self._parts:
            at = data.find(part)
            while at >= 0:
                covered[at : at + len(part)] = b"\x01" * len(part)
                names.setdefault(at, name)
                at = data.find(part, at + 1)
        masked = bytearray(data)
        at = covered.find(1)
        while at >= 0:
            end = covered.find(0, at)
            end = len(data) if end < 0 else end
            masked[at:end] = token(f"{names.get(at, 'key')}-part", end - at).encode()
            at = covered.find(1, end)
        return bytes(masked)
