"""What every vendor of images has in common: the calls it wants, and what its answers mean. No sockets here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from reference_gateway.errors import UNSUPPORTED, Refusal
from reference_gateway.images.request import ImageRequest

JSON: Final = b"application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorCall:
    """One POST; `path` follows the upstream's base URL, `images` is how many it asks for."""

    path: bytes
    content_type: bytes
    body: bytes
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image as the vendor gave it: its bytes, or where the vendor keeps it."""

    source: bytes | str
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """One image that was asked for and did not come."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What one call came to. `details` are members of the answer beside `data`; `native` is the answer as it stood, where it may go on."""

    pictures: tuple[Picture, ...]
    shortfalls: tuple[Shortfall, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    native: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """The vendor's safety rules refused the prompt, or all that was made of it (contract:208)."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorError:
    """The vendor failed or refused. `native`: its own error body, in OpenAI's shape, which may go to the caller as it stands."""

    status: int
    message: str
    native: bytes | None = None
    unheard: bool = False  # no answer came at all

    @property
    def elsewhere(self) -> bool:
        """Whether another channel may do better: the fault is the vendor's or its limits', not the request's."""
        return self.status in (401, 402, 403, 408, 409, 429) or self.status >= 500


Outcome = Produced | Blocked | VendorError


class Vendor(Protocol):
    def calls(self, request: ImageRequest, upstream_id: str) -> tuple[VendorCall, ...]:
        """Raises Refusal (400) for what the vendor has no words for."""

    def read(self, call: VendorCall, status: int, body: bytes) -> Outcome: ...


def refuse_unknown(request: ImageRequest, known: Iterable[str]) -> None:
    """contract:131: what cannot be translated is refused, never dropped. `auto` asks for nothing, and `user` changes no image."""
    if request.quality not in (None, "auto", "standard"):
        raise Refusal(UNSUPPORTED, f"{request.model} has no quality {request.quality}: leave quality out.", param="quality")
    if request.mask is not None:
        raise Refusal(UNSUPPORTED, f"{request.model} takes no mask: say in the prompt what to change.", param="mask")
    allowed = {*known, "user"}
    for name, value in request.others.items():
        if name not in allowed and value != "auto":
            raise Refusal(UNSUPPORTED, f"{request.model} does not support {name}: leave it out.", param=name)


def decoded(body: bytes) -> dict[str, Any]:
    """The answer as an object; empty for what is none."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def as_object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def missing(asked: int, pictures: int, shortfalls: tuple[Shortfall, ...]) -> tuple[Shortfall, ...]:
    """The shortfalls, with one more for each image that the vendor left out without a word."""
    silent = asked - pictures - len(shortfalls)
    return shortfalls + (Shortfall(code="upstream_error", message="The upstream did not give this image."),) * max(0, silent)
