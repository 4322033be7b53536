"""How another family's proof of its reasoning passes through a Messages client: in the one member that such a client hands back unread.

A thinking block has `signature`. Claude's own stands there as it is. Another maker's stands there behind a mark that says whose it is,
so that it is never taken for Claude's, and only its maker gets it back (translation.md 3.10).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from reference_gateway.translation.items import Maker, Reasoning

_MARK: Final = "wireproof:1:"


class _Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    maker: str
    signature: str | None = None
    opaque: str | None = None
    id: str | None = None


_decode: Final = msgspec.json.Decoder(_Proof).decode


def signature_of(maker: Maker | None, signature: str | None, opaque: str | None, id: str | None) -> str:  # noqa: A002
    """What stands in `signature`: "" where nothing proves the thought."""
    if maker in (None, Maker.ANTHROPIC):
        return signature or ""
    if signature is None and opaque is None:
        return ""
    return _MARK + msgspec.json.encode(_Proof(maker=str(maker), signature=signature, opaque=opaque, id=id)).decode()


def thought(text: str, signature: str) -> Reasoning:
    """A client's thinking block. One without a signature may be anybody's."""
    if not signature:
        return Reasoning(text=text)
    if not signature.startswith(_MARK):
        return Reasoning(text=text, signature=signature, maker=Maker.ANTHROPIC)
    try:
        proof = _decode(signature.removeprefix(_MARK))
        return Reasoning(text=text, signature=proof.signature, opaque=proof.opaque, id=proof.id, maker=Maker(proof.maker))
    except (msgspec.DecodeError, ValueError):  # not of our making: nobody's
        return Reasoning(text=text)


def redacted(data: str) -> Reasoning:
    return Reasoning(opaque=data, maker=Maker.ANTHROPIC)


def block(thought: Reasoning) -> dict[str, Any] | None:
    """The block of a whole thought; None where there is nothing to say."""
    if thought.maker is Maker.ANTHROPIC and thought.opaque is not None and not thought.text and thought.signature is None:
        return {"type": "redacted_thinking", "data": thought.opaque}
    signature = signature_of(thought.maker, thought.signature, thought.opaque, thought.id)
    if not thought.text and not signature:
        return None
    return {"type": "thinking", "thinking": thought.text, "signature": signature}
