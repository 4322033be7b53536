"""What only this gateway can make and read: `encrypted_content` of Responses answers on translated routes.

AES-SIV (RFC 5297) with a key derived from the pepper by HKDF: authenticated, and equal for equal content, so that a streamed answer and a
whole one say the same. It is bound to the account: what another account was given is nobody's here.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE: Final = b"wireproof encrypted_content 1"


class Sealer:
    """One a gateway; `of` gives an account's `Seal` (responses/sealed.py)."""

    def __init__(self, pepper: bytes) -> None:
        self._cipher = AESSIV(HKDF(algorithm=SHA256(), length=64, salt=None, info=_PURPOSE).derive(pepper))

    def of(self, account: str) -> AccountSeal:
        return AccountSeal(self._cipher, account)


class AccountSeal:
    def __init__(self, cipher: AESSIV, account: str) -> None:
        self._cipher = cipher
        self._bound_to = [account.encode()]

    def close(self, data: bytes) -> str:
        return urlsafe_b64encode(self._cipher.encrypt(data, self._bound_to)).decode()

    def open(self, text: str) -> bytes | None:
        try:
            return self._cipher.decrypt(urlsafe_b64decode(text), self._bound_to)
        except (InvalidTag, binascii.Error, ValueError):
            return None
