"""Which path serves what, and in whose envelope a path that serves nothing answers (contract:007 to contract:015, C1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote_to_bytes

from reference_gateway.errors import Family


class Surface(StrEnum):
    """What a billed or free model call speaks; a model lists the surfaces it serves natively."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    GEMINI = "gemini"
    IMAGES = "images"  # generations and edits; served by images/, never by the byte pipe of forward.py

    __hash__ = str.__hash__  # Enum's is a Python function, and tables by surface are looked up in each request

    @property
    def family(self) -> Family:
        return FAMILY[self]


FAMILY: Final = {
    Surface.CHAT: Family.OPENAI,
    Surface.RESPONSES: Family.OPENAI,
    Surface.MESSAGES: Family.ANTHROPIC,
    Surface.COUNT_TOKENS: Family.ANTHROPIC,
    Surface.GEMINI: Family.GOOGLE,
    Surface.IMAGES: Family.OPENAI,  # contract:200
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A model call: `upstream_path` is what follows the upstream's base URL, for gemini without the model (it stands in the path)."""

    surface: Surface
    upstream_path: bytes
    gemini_model: str | None = None
    gemini_method: bytes = b""


class Fixed(StrEnum):
    """The gateway's own answers; no model, no money."""

    HEALTH = "health"
    MODELS = "models"
    ACCOUNT = "account"
    USAGE = "usage"
    PRICING = "pricing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """GET of one model of the list."""

    model: str
    family: Family


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongMethod:
    family: Family
    allow: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    family: Family


Route = Call | Fixed | ModelCard | WrongMethod | Nothing

CALLS: Final[Mapping[bytes, Call]] = {
    b"/v1/chat/completions": Call(surface=Surface.CHAT, upstream_path=b"/chat/completions"),
    b"/v1/responses": Call(surface=Surface.RESPONSES, upstream_path=b"/responses"),
    b"/v1/messages": Call(surface=Surface.MESSAGES, upstream_path=b"/v1/messages"),
    b"/v1/messages/count_tokens": Call(surface=Surface.COUNT_TOKENS, upstream_path=b"/v1/messages/count_tokens"),
    # C1: an Anthropic SDK whose base URL ends in /v1 works too.
    b"/v1/v1/messages": Call(surface=Surface.MESSAGES, upstream_path=b"/v1/messages"),
    b"/v1/v1/messages/count_tokens": Call(surface=Surface.COUNT_TOKENS, upstream_path=b"/v1/messages/count_tokens"),
}
FIXED: Final[Mapping[bytes, Fixed]] = {
    b"/healthz": Fixed.HEALTH,
    b"/v1/models": Fixed.MODELS,
    b"/v1beta/models": Fixed.MODELS,
    b"/api/v1/me/account": Fixed.ACCOUNT,
    b"/api/v1/usage": Fixed.USAGE,
    b"/api/pricing": Fixed.PRICING,
}
GEMINI_METHODS: Final = (b"generateContent", b"streamGenerateContent")


def find(method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> Route:
    """The route of a request; `path` is without its query, header names are in lower case."""
    call = CALLS.get(path)
    if call is not None:
        return call if method == b"POST" else WrongMethod(family=call.surface.family, allow=b"POST")
    fixed = FIXED.get(path)
    if fixed is not None:
        return fixed if method in (b"GET", b"HEAD") else WrongMethod(family=family_of(path, headers), allow=b"GET")
    for prefix in (b"/v1beta/models/", b"/v1/models/"):
        if path.startswith(prefix):
            return _model_path(method, prefix, path[len(prefix) :], path, headers)
    return Nothing(family=family_of(path, headers))


def _model_path(method: bytes, prefix: bytes, rest: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> Route:
    try:
        name, colon, verb = rest.partition(b":")
        model = unquote_to_bytes(name).decode()
    except UnicodeDecodeError:
        return Nothing(family=family_of(path, headers))
    if colon:
        if verb not in GEMINI_METHODS or not model:
            return Nothing(family=Family.GOOGLE)
        if method != b"POST":
            return WrongMethod(family=Family.GOOGLE, allow=b"POST")
        return Call(surface=Surface.GEMINI, upstream_path=prefix, gemini_model=model, gemini_method=verb)
    if not model or "/" in model:
        return Nothing(family=family_of(path, headers))
    family = family_of(path, headers)
    return ModelCard(model=model, family=family) if method in (b"GET", b"HEAD") else WrongMethod(family=family, allow=b"GET")


def family_of(path: bytes, headers: Mapping[bytes, bytes]) -> Family:
    """The envelope for a path that several families share or nobody serves.

    By path, else by the header that only that family's SDK sends.
    """
    if path.startswith(b"/v1beta") or (path.startswith(b"/v1/models/") and b":" in path):
        return Family.GOOGLE
    if path.startswith((b"/v1/messages", b"/v1/v1/messages", b"/v1/complete")) or b"anthropic-version" in headers:
        return Family.ANTHROPIC
    if b"x-goog-api-key" in headers or b"x-goog-api-client" in headers:
        return Family.GOOGLE
    return Family.OPENAI
