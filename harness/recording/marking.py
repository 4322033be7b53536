"""The marker: a word in the prompt that tells the upstream which exchange this is.

A gateway may change headers, ids, even the protocol, but never the prompt. So the marker stands there, in the last text that the
user said, spelled so that no JSON writer, URL or template escapes it: `wpm-` and ten hexadecimal digits.
"""

import re
import secrets
from typing import Any, Final

from harness.recording.format import Surface

_MARKER: Final = re.compile(rb"wpm-[0-9a-f]{10}(?![0-9a-f])")


def new_marker() -> str:
    return f"wpm-{secrets.token_hex(5)}"


def find_marker(data: bytes) -> str | None:
    """The last marker in a raw request: its own comes after whatever an earlier turn had quoted."""
    found = _MARKER.findall(data)
    return found[-1].decode() if found else None


def mark(surface: Surface, body: dict[str, Any], marker: str) -> dict[str, Any]:
    """The body with the marker behind the user's last text, all else equal and in the same order. `body` itself stays as it is.

    Where the user said no text, one is added: to the last thing the user said, or as a turn of its own.
    """
    match surface:
        case Surface.CHAT | Surface.MESSAGES | Surface.COUNT_TOKENS:
            return _with_turn(body, "messages", "content", {"type": "text"}, marker)
        case Surface.RESPONSES:
            if isinstance(body.get("input"), list):
                return _with_turn(body, "input", "content", {"type": "input_text"}, marker)
            text = body.get("input")
            return {**body, "input": f"{text} {marker}" if isinstance(text, str) and text else marker}
        case Surface.GEMINI:
            if isinstance(body.get("contents"), dict):  # one turn may stand without its list
                return {**body, "contents": _in_turn(body["contents"], "parts", {}, marker)}
            if isinstance(body.get("contents"), str):
                return {**body, "contents": f"{body['contents']} {marker}"}
            return _with_turn(body, "contents", "parts", {}, marker)
        case Surface.IMAGES:
            prompt = body.get("prompt")
            return {**body, "prompt": f"{prompt} {marker}" if isinstance(prompt, str) and prompt else marker}
        case _:
            raise ValueError(f"a {surface} request has no prompt to mark: name its recording another way")


def _with_turn(body: dict[str, Any], turns_key: str, key: str, head: dict[str, str], marker: str) -> dict[str, Any]:
    turns = list(body.get(turns_key) or ())
    users = [at for at, turn in enumerate(turns) if _is_user(turn)]
    with_text = [at for at in users if _has_text(turns[at], key)]
    if not users:
        content: Any = [{**head, "text": marker}] if key == "parts" or turns_key == "input" else marker
        return {**body, turns_key: [*turns, {"role": "user", key: content}]}
    at = (with_text or users)[-1]
    turns[at] = _in_turn(turns[at], key, head, marker)
    return {**body, turns_key: turns}


def _in_turn(turn: dict[str, Any], key: str, head: dict[str, str], marker: str) -> dict[str, Any]:
    content = turn.get(key)
    if isinstance(content, str):
        return {**turn, key: f"{content} {marker}" if content else marker}
    if isinstance(content, dict):  # Gemini takes a lone part
        content = [content]
    parts = list(content or ())
    texts = [at for at, part in enumerate(parts) if _is_text(part)]
    if not texts:
        return {**turn, key: [*parts, {**head, "text": marker}]}
    part = parts[texts[-1]]
    if isinstance(part, str):
        parts[texts[-1]] = f"{part} {marker}"
    else:
        parts[texts[-1]] = {**part, "text": f"{part['text']} {marker}" if part["text"] else marker}
    return {**turn, key: parts}


def _is_user(turn: Any) -> bool:
    if not isinstance(turn, dict):
        return False
    # Gemini's role may be left out, and then it is the user's; Responses has items without a role that are nobody's words.
    role = turn.get("role")
    return role == "user" or (role is None and "parts" in turn)


def _has_text(turn: dict[str, Any], key: str) -> bool:
    content = turn.get(key)
    if isinstance(content, str):
        return True
    parts = [content] if isinstance(content, dict) else content or ()
    return any(_is_text(part) for part in parts)


def _is_text(part: Any) -> bool:
    if isinstance(part, str):
        return True
    return isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("type", "text") in ("text", "input_text")
