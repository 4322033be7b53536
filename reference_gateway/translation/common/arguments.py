"""A tool call's arguments, which are text on the way, as the object that some protocols want (translation.md 3.0, 3.4)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from reference_gateway.translation.items import Unwritable

_CLOSER: Final = {"{": "}", "[": "]"}
_BAD_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError, UnicodeEncodeError, RecursionError)


def object_of(text: str, *, cut: bool = False) -> dict[str, Any]:
    """The text's object; `{}` for empty text. Numbers keep their value, however long.

    `cut`: the answer ran out of tokens, so a text that stops in the middle counts as far as it goes. Raises Unwritable for any other.
    """
    if not text.strip():
        return {}
    try:
        value = msgspec.json.decode(text)
    except _BAD_JSON as problem:
        if cut:
            return _as_far_as_it_goes(text)
        raise Unwritable(f"the upstream called a tool with arguments that are not JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise Unwritable("the upstream called a tool with arguments that are no JSON object")
    return value


def _as_far_as_it_goes(text: str) -> dict[str, Any]:
    """Every member that is complete: the text up to the last place where one had ended, and what is open there closed."""
    whole = "{}"
    open_: list[str] = []
    in_string = escaped = False
    for at, character in enumerate(text):
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            open_.append(_CLOSER[character])
        elif character in "}]":
            if not open_ or open_.pop() != character:
                break
        elif character == ",":  # what stands before it is complete
            whole = text[:at] + "".join(reversed(open_))
    try:
        value = msgspec.json.decode(whole)
    except _BAD_JSON:
        return {}
    return value if isinstance(value, dict) else {}
