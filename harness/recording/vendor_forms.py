"""The forms that vendors' answers have in every exact recording (spec/corpus.md "Wire layout, by vendor").

They tell a recorded body from one that a tool printed again, a hand wrote, or a client stopped reading.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from harness.recording.classify import json_object
from harness.recording.format import Surface

_GENERATES: Final = frozenset({Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI})

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDS: Final[Mapping[tuple[str, Surface], re.Pattern[str]]] = {
    ("openai", Surface.CHAT): re.compile(rf"chatcmpl-[A-Za-z0-9-]{{20,}}|{_UUID}"),
    ("openai", Surface.RESPONSES): re.compile(r"resp_[0-9a-f]{32,}"),
    ("anthropic", Surface.MESSAGES): re.compile(r"msg_01[A-Za-z0-9]{20,}"),
    ("deepseek", Surface.CHAT): re.compile(_UUID),
}

_PRETTY: Final = re.compile(rb'(\{\n  "[^"]+": |\[\{\n  ")')
_TIGHT: Final = re.compile(rb'\{"[^"\n]+":[^ \n]')
_FRAME_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_EVENT: Final = re.compile(rb"^(?:event|data): ?", re.MULTILINE)


def is_event_stream(body: bytes) -> bool:
    """Whether the body is server-sent events, whatever its content-type says: Gemini labels JSON errors so."""
    return bool(_EVENT.match(body.lstrip(b"\r\n")) or body.startswith(b":"))


def foreign_id(vendor: str, surface: Surface, body: bytes) -> str | None:
    """The id of a successful answer if it hasn't the vendor's form, which means that a hand wrote it or another vendor did."""
    form = _IDS.get((vendor, surface))
    value = _first_object(body)
    match surface:
        case Surface.MESSAGES:
            value = value.get("message", value)
        case Surface.RESPONSES:
            value = value.get("response", value)
        case _:
            pass
    found = value.get("id") if isinstance(value, dict) else None
    if form is None or not isinstance(found, str) or form.fullmatch(found):
        return None
    return found


def has_vendor_layout(vendor: str, surface: Surface, body: bytes) -> bool:
    """Whether a successful answer is laid out as its vendor lays it out. True where no layout is known."""
    if surface not in _GENERATES:
        return True
    if is_event_stream(body):
        if not _FRAME_END.search(body[-4:]):
            return False  # every vendor's stream ends in a blank line, which editors like to strip
        match vendor, surface:
            case "openai" | "deepseek", Surface.CHAT | Surface.RESPONSES:
                return b"\r" not in body and bool(re.search(rb'^data: \{"[a-z_]+":[^ ]', body, re.MULTILINE))
            case "anthropic", Surface.MESSAGES:
                return b"\r" not in body and body.startswith(b"event: ") and bool(re.search(rb'^data: \{"type":"', body, re.MULTILINE))
            case "google", Surface.GEMINI:
                return b"\r\n\r\n" in body and bool(re.match(rb'data: \{"[A-Za-z]+": ', body))
            case _:
                return True
    match vendor, surface:
        case "openai", Surface.CHAT:
            return bool(_PRETTY.match(body)) and body.endswith(b"}\n")
        case "openai", Surface.RESPONSES:
            return bool(_PRETTY.match(body)) and body.endswith(b"}")
        case ("anthropic" | "deepseek", _):
            return bool(_TIGHT.match(body)) and body.endswith(b"}")
        case "google", Surface.GEMINI:
            return bool(_PRETTY.match(body))
        case _:
            return True


def lacks_end_mark(surface: Surface, body: bytes) -> bool:
    """Whether an event stream stops before its vendor's last event."""
    if surface not in _GENERATES or not is_event_stream(body):
        return False
    tail = body[-200_000:]
    match surface:
        case Surface.CHAT:
            return b"data: [DONE]" not in tail[-40:]
        case Surface.RESPONSES:
            return not re.search(rb'"type": ?"(response\.(completed|incomplete|failed|cancelled)|error)"', tail)
        case Surface.MESSAGES:
            return not re.search(rb'"type": ?"(message_stop|error)"', tail)
        case _:
            return not re.search(rb'"(finishReason|blockReason|error)":', tail)


def _first_object(body: bytes) -> Mapping[str, Any]:
    """A JSON body, or the first event's data that names an id."""
    if not is_event_stream(body):
        return json_object(body)
    for line in body.splitlines():
        if line.startswith(b"data:"):
            try:
                value = json.loads(line.removeprefix(b"data:"))
            except ValueError:
                continue
            # Azure's first chunk has an empty id.
            if isinstance(value, dict) and any(isinstance(part, dict) and part.get("id") for part in (value, *value.values())):
                return value
    return {}
