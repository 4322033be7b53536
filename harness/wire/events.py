"""What the four protocols' events have in common: from a frame to a JSON value, and back to a frame."""

import msgspec
from msgspec import UNSET, UnsetType

from harness.wire import json_text, sse
from harness.wire.json_text import Json
from harness.wire.wire_error import WireError


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that is no event of its protocol that we know: a new type, or a block without data such as a keep-alive comment."""

    raw: bytes  # the frame as it stood
    event: str | None = None
    value: Json | UnsetType = UNSET  # UNSET: the frame has no data

    @property
    def type(self) -> str | None:
        found = self.value.get("type") if isinstance(self.value, dict) else None
        return found if isinstance(found, str) else None


def read_object(frame: sse.Frame) -> dict[str, Json] | None:
    """The JSON object that a frame carries; None where it has no data. Anything else is a WireError."""
    if frame.data is None:
        return None
    try:
        value = json_text.read(frame.data)
    except WireError as wrong:
        raise WireError(wrong.message, offset=data_offset(frame) + wrong.offset) from None
    if not isinstance(value, dict):
        raise WireError(f"expected a JSON object, got {frame.data[:40]!r}", offset=data_offset(frame))
    return value


def type_of(value: dict[str, Json], frame: sse.Frame) -> str:
    """The `type` of an event whose protocol gives every event one."""
    tag = value.get("type")
    if isinstance(tag, str):
        return tag
    got = json_text.write(tag)[:40] if "type" in value else "nothing"
    raise WireError(f"expected a string, got {got}", offset=data_offset(frame), pointer="/type")


def data_offset(frame: sse.Frame) -> int:
    """Where the value of the frame's first data line begins in the body, in bytes."""
    for line in frame.lines:
        if line.name == "data":
            return frame.offset + max(0, frame.raw.find(f"data{line.separator}".encode())) + 4 + len(line.separator)
    return frame.offset


def write_object(value: Json, style: json_text.Style, framing: sse.Framing, *, name: str | None = None, padding: int = 0) -> bytes:
    """The whole frame. `padding` blanks stand before the last brace."""
    text = json_text.write(value, style)
    if padding:
        text = f"{text[:-1]}{' ' * padding}{text[-1]}"
    newline = framing.newline
    colon = ": " if framing.space else ":"
    head = f"event{colon}{name}{newline}" if name is not None and framing.names else ""
    return json_text.to_bytes(f"{head}data{colon}{text}{newline}{newline}")


def write_unknown(unknown: Unknown, style: json_text.Style, framing: sse.Framing) -> bytes:
    if isinstance(unknown.value, UnsetType):
        return unknown.raw
    return write_object(unknown.value, style, framing, name=unknown.event)


def padding(data: str) -> int:
    """How many blanks stand before the last character."""
    return len(data) - 1 - len(data[:-1].rstrip(" ")) if data[-2:-1] == " " else 0
