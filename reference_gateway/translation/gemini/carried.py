"""How another family's proof of its reasoning passes through a Gemini client: in `thoughtSignature`, which clients hand back unread.

The member is bytes in base64, of either alphabet: Google's own client decodes it and writes it again. Gemini's own stands there as it is;
another maker's begins with a mark that says whose it is, so that only its maker gets it back (translation.md 3.10).
"""

from __future__ import annotations

import binascii
from base64 import b64encode, urlsafe_b64decode
from typing import Final

import msgspec

from reference_gateway.translation.items import Maker, Reasoning

_MARK: Final = b"wireproof:1:"


class _Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    maker: Maker
    signature: str | None = None
    opaque: str | None = None
    id: str | None = None


_decode: Final = msgspec.json.Decoder(_Proof).decode


def signature_of(maker: Maker | None, signature: str | None, opaque: str | None, id: str | None) -> str | None:  # noqa: A002
    """None where nothing proves the thought."""
    if signature is None and opaque is None:
        return None
    if maker is Maker.GEMINI and signature is not None:
        return signature
    if maker is None:
        return None
    return b64encode(_MARK + msgspec.json.encode(_Proof(maker=maker, signature=signature, opaque=opaque, id=id))).decode()


def thought(text: str, signature: str | None) -> Reasoning:
    """A client's thought. One without a signature may be anybody's."""
    if signature is None:
        return Reasoning(text=text)
    proof = _proof(signature)
    if proof is None:
        return Reasoning(text=text, signature=signature, maker=Maker.GEMINI)
    return Reasoning(text=text, signature=proof.signature, opaque=proof.opaque, id=proof.id, maker=proof.maker)


def _proof(signature: str) -> _Proof | None:
    try:
        data = urlsafe_b64decode(signature.replace("+", "-").replace("/", "_"))
        return _decode(data.removeprefix(_MARK)) if data.startswith(_MARK) else None
    except (binascii.Error, ValueError, msgspec.DecodeError):  # not of our making
        return None
