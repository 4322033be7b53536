"""C18: Responses takes `response_format`, as Chat spells it, for `text.format`; 400 where both are given and disagree."""

from __future__ import annotations

import msgspec

from reference_gateway.errors import INVALID_REQUEST, Refusal

Members = dict[str, msgspec.Raw]
NAME = "response_format"


def with_text_format(request: bytes) -> bytes:
    """The request with `text.format` in place of `response_format`, every other value as it stood. Raises Refusal.

    The request is known to be a JSON object that has a `response_format`.
    """
    members = _object(request, "the request")
    wanted = _as_text_format(_object(members.pop(NAME), NAME))
    text = _object(members["text"], "text") if "text" in members else {}
    given = text.setdefault("format", wanted)
    if msgspec.json.decode(given) != msgspec.json.decode(wanted):
        raise Refusal(INVALID_REQUEST, "response_format and text.format disagree: send text.format alone.", param=NAME)
    members["text"] = msgspec.Raw(msgspec.json.encode(text))
    return msgspec.json.encode(members)


def _as_text_format(format_: Members) -> msgspec.Raw:
    """Chat nests name, schema and strictness under `json_schema`; Responses has them beside the type."""
    nested = format_.pop("json_schema", None)
    return msgspec.Raw(msgspec.json.encode(format_ if nested is None else format_ | _object(nested, f"{NAME}.json_schema")))


def _object(raw: bytes | msgspec.Raw, what: str) -> Members:
    try:
        return msgspec.json.decode(raw, type=Members)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal(INVALID_REQUEST, f"{what} must be a JSON object.", param=NAME) from None
