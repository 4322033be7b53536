"""Signed links to stored images: whoever has the link has the image until it expires, and nobody can make one (contract:211).

The moment of expiry stands in the image's own name and the signature is over the name, so neither can be changed without the other.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from reference_gateway.images.formats import ImageFormat

PATH: Final = b"/v1/images/files/"
# Nothing of a path can stand in a name of this shape, so no name leads out of the folder.
_NAME: Final = re.compile(r"([0-9]{10,12})-[0-9a-f]{32}\.(?:png|jpg|webp|mp4)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A stored image's file name and when its link ends (Unix seconds)."""

    text: str
    expires_at: int

    @property
    def format(self) -> ImageFormat:
        return ImageFormat(self.text.rpartition(".")[2])


def new_name(format_: ImageFormat, expires_at: int) -> Name:
    return Name(text=f"{expires_at:010}-{secrets.token_hex(16)}.{format_}", expires_at=expires_at)


def read_name(text: str) -> Name | None:
    match = _NAME.fullmatch(text)
    return Name(text=text, expires_at=int(match[1])) if match is not None else None


class Signer:
    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, b"image links", "sha256")  # a key of its own: a signature says nothing about a client key's hash

    def query(self, name: Name) -> str:
        return "signature=" + self._signature(name)

    def accepts(self, name: Name, query: bytes) -> bool:
        given = parse_qs(query.decode("latin-1")).get("signature", [""])[0]
        return hmac.compare_digest(given.encode("latin-1", "replace"), self._signature(name).encode())

    def _signature(self, name: Name) -> str:
        return hmac.digest(self._key, name.text.encode(), "sha256").hex()
