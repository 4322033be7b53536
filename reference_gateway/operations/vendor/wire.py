"""What the protocols of the demo's vendor share: ids, SSE frames, errors, and careful reading of a request."""

from __future__ import annotations

import secrets
import string
from typing import Any, Final

import msgspec

encode: Final = msgspec.json.encode
_LETTERS: Final = string.ascii_letters + string.digits


class Unreadable(Exception):
    """The request is not what the protocol wants; the vendor answers 400 with this sentence."""


def new_id(prefix: str, length: int = 24) -> str:
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


def frame(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % encode(data)


def named_frame(data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), encode(data))


def dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def a_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def texts(content: object) -> str:
    """The text of a message's content, given as a string or in parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in dicts(content) if isinstance(part.get("text"), str))


def flat(value: object) -> str:
    """Everything that a vendor counts as input, as one string; what an image holds is left out."""
    if isinstance(value, str):
        return "" if value.startswith("data:") else value
    if isinstance(value, list):
        return "\n".join(filter(None, map(flat, value)))
    if isinstance(value, dict):
        kept = (item for name, item in value.items() if name not in ("type", "role", "cache_control", "inlineData", "source"))
        return "\n".join(filter(None, map(flat, kept)))
    return ""


def openai_error(status: int, message: str, param: str | None = None) -> bytes:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return encode({"error": {"message": message, "type": kind, "param": param, "code": None}})
