"""What proves a thought, on its way through a Responses client: in `encrypted_content`, which clients keep and send back unread.

It says whose the proof is, so that only its maker gets it back (translation.md 3.10), and holds the whole thought, since a client may
shorten a summary. A call's own proof, which Responses has no member for, travels in a thought without text before the call.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Protocol

import msgspec

from reference_gateway.translation.items import Maker, Reasoning

_MARK: Final = "wireproof_"


class Seal(Protocol):
    """How the bytes become text that nobody else can make or read; `open` gives None for what is not of its making."""

    def close(self, data: bytes) -> str: ...

    def open(self, text: str) -> bytes | None: ...


class _Unsealed:
    """Readable by everyone: for tests, and where nothing secret is at hand."""

    def close(self, data: bytes) -> str:
        return urlsafe_b64encode(data).decode()

    def open(self, text: str) -> bytes | None:
        try:
            return urlsafe_b64decode(text)
        except (binascii.Error, ValueError):
            return None


UNSEALED: Final = _Unsealed()


class _Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    maker: Maker | None = None
    text: str = ""
    signature: str | None = None
    opaque: str | None = None
    id: str | None = None
    call: bool = False  # of the call that follows


_decode: Final = msgspec.json.Decoder(_Proof).decode


def close(seal: Seal, thought: Reasoning) -> str | None:
    """The `encrypted_content` of a thought; None where nothing proves it."""
    if thought.signature is None and thought.opaque is None:
        return None
    proof = _Proof(maker=thought.maker, text=thought.text, signature=thought.signature, opaque=thought.opaque, id=thought.id)
    return _MARK + seal.close(msgspec.json.encode(proof))


def close_call(seal: Seal, maker: Maker | None, signature: str) -> str:
    return _MARK + seal.close(msgspec.json.encode(_Proof(maker=maker, signature=signature, call=True)))


def open_(seal: Seal, text: str, summary: str, id: str | None) -> tuple[Reasoning, bool]:  # noqa: A002
    """A client's thought, and whether it is the proof of the call that follows. One that is none of ours is taken for OpenAI's own."""
    if not text.startswith(_MARK):
        return Reasoning(text=summary, opaque=text, maker=Maker.OPENAI, id=id), False
    data = seal.open(text.removeprefix(_MARK))
    try:
        proof = None if data is None else _decode(data)
    except msgspec.DecodeError:
        proof = None
    if proof is None:  # ours, of another key, or damaged: nobody's
        return Reasoning(text=summary), False
    thought = Reasoning(text=proof.text, signature=proof.signature, opaque=proof.opaque, maker=proof.maker, id=proof.id)
    return thought, proof.call
