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
    VIDEOS = "videos"  # by tasks alone

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
    Surface.VIDEOS: Family.OPENAI,
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
    READY = "ready"
    MODELS = "models"
    ACCOUNT = "account"
    USAGE = "usage"
    PRICING = "pricing"
    AVAILABLE_MODELS = "available_models"
    GROUPS = "groups"
    TRANSACTIONS = "transactions"
    USAGE_BUCKETS = "usage_buckets"
    DIAL = "dial"


class KeyAction(StrEnum):
    LIST = "list"
    CREATE = "create"
    SHOW = "show"
    CHANGE = "change"
    DELETE = "delete"
    ROTATE = "rotate"
    REVEAL = "reveal"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCall:
    """Something done to the account's keys; `key_id` is "" for all of them."""

    action: KeyAction
    key_id: str = ""


class MediaAction(StrEnum):
    """What images/ and tasks/ serve; always in OpenAI's shape (contract:200)."""

    GENERATE = "generate"
    EDIT = "edit"
    FILE = "file"
    SUBMIT = "submit"
    QUERY = "query"
    CANCEL = "cancel"
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """`name` is what stands at the path's end: a file's name or a task's id, "" where the body names it."""

    action: MediaAction
    name: str = ""


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


Route = Call | Fixed | KeyCall | Media | ModelCard | WrongMethod | Nothing

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
    b"/readyz": Fixed.READY,
    b"/v1/models": Fixed.MODELS,
    b"/v1beta/models": Fixed.MODELS,
    b"/api/v1/me/account": Fixed.ACCOUNT,
    b"/v1/balance": Fixed.ACCOUNT,  # C35
    b"/api/v1/me/billing/transactions": Fixed.TRANSACTIONS,
    b"/api/v1/me/usage": Fixed.USAGE_BUCKETS,
    b"/api/v1/me/available-models": Fixed.AVAILABLE_MODELS,
    b"/api/v1/usage": Fixed.USAGE,
    b"/api/v1/groups/available": Fixed.GROUPS,
    b"/api/pricing": Fixed.PRICING,
}
POSTED: Final[Mapping[bytes, Fixed]] = {b"/api/v1/dial/test": Fixed.DIAL}
MEDIA: Final[Mapping[bytes, Media]] = {
    b"/v1/images/generations": Media(action=MediaAction.GENERATE),
    b"/v1/images/edits": Media(action=MediaAction.EDIT),
    b"/v1/tasks/submit": Media(action=MediaAction.SUBMIT),
    b"/v1/tasks/query": Media(action=MediaAction.QUERY),
    b"/v1/tasks/cancel": Media(action=MediaAction.CANCEL),
}
# By the path before a name: what it is, and with which methods.
_NAMED_MEDIA: Final = (
    (b"/v1/images/files/", MediaAction.FILE, (b"GET", b"HEAD")),
    (b"/v1/tasks/cancel/", MediaAction.CANCEL, (b"POST",)),
    (b"/v1/tasks/stream/", MediaAction.STREAM, (b"GET",)),
)
KEYS: Final = b"/api/v1/keys"
# By method: of the list, of one key, and of what stands after the key's id.
_ALL_KEYS: Final = {b"GET": KeyAction.LIST, b"POST": KeyAction.CREATE}
_ONE_KEY: Final = {b"GET": KeyAction.SHOW, b"PUT": KeyAction.CHANGE, b"DELETE": KeyAction.DELETE}
_KEY_VERBS: Final = {b"rotate": {b"POST": KeyAction.ROTATE}, b"reveal": {b"GET": KeyAction.REVEAL}}
GEMINI_METHODS: Final = (b"generateContent", b"streamGenerateContent")


def find(method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> Route:
    """The route of a request; `path` is without its query, header names are in lower case."""
    call = CALLS.get(path)
    if call is not None:
        return call if method == b"POST" else WrongMethod(family=call.surface.family, allow=b"POST")
    fixed = FIXED.get(path)
    if fixed is not None:
        return fixed if method in (b"GET", b"HEAD") else WrongMethod(family=family_of(path, headers), allow=b"GET, HEAD")
    posted = POSTED.get(path)
    if posted is not None:
        return posted if method == b"POST" else WrongMethod(family=family_of(path, headers), allow=b"POST")
    if path.startswith((b"/v1/images/", b"/v1/tasks/")):
        return _media_path(method, path)
    if path.startswith(KEYS):
        return _key_path(method, path, headers)
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
    return ModelCard(model=model, family=family) if method in (b"GET", b"HEAD") else WrongMethod(family=family, allow=b"GET, HEAD")


def _key_path(method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> Route:
    family = family_of(path, headers)
    match path[len(KEYS) :].split(b"/"):
        case [b""]:
            actions, key_id = _ALL_KEYS, b""
        case [b"", key_id] if key_id:
            actions = _ONE_KEY
        case [b"", key_id, verb] if key_id and verb in _KEY_VERBS:
            actions = _KEY_VERBS[verb]
        case _:
            return Nothing(family=family)
    action = actions.get(b"GET" if method == b"HEAD" else method)
    if action is None:
        return WrongMethod(family=family, allow=b", ".join([*actions, b"HEAD"] if b"GET" in actions else actions))
    return KeyCall(action=action, key_id=unquote_to_bytes(key_id).decode("latin-1"))


def _media_path(method: bytes, path: bytes) -> Route:
    media = MEDIA.get(path)
    if media is not None:
        return media if method == b"POST" else WrongMethod(family=Family.OPENAI, allow=b"POST")
    for prefix, action, methods in _NAMED_MEDIA:
        name = path[len(prefix) :]
        if path.startswith(prefix) and name and b"/" not in name and b"%" not in name:
            if method not in methods:
                return WrongMethod(family=Family.OPENAI, allow=b", ".join(methods))
            return Media(action=action, name=name.decode("latin-1"))
    return Nothing(family=Family.OPENAI)


def family_of(path: bytes, headers: Mapping[bytes, bytes]) -> Family:
    """The envelope for a path that several families share or nobody serves.

    By path, else by the header that only that family's SDK sends.
    """
    if path.startswith(b"/v1beta") or (path.startswith(b"/v1/models/") and b":" in path):
        return Family.GOOGLE
    if path.startswith((b"/v1/messages", b"/v1/v1/messages")) or path == b"/v1/complete" or b"anthropic-version" in headers:
        return Family.ANTHROPIC
    if b"x-goog-api-key" in headers or b"x-goog-api-client" in headers:
        return Family.GOOGLE
    return Family.OPENAI
