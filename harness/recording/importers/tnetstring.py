"""tnetstrings as mitmproxy's flow files hold them: `LENGTH:PAYLOAD` and one byte that names the type.

    ,  bytes     ;  UTF-8 text     #  integer     ^  float     !  true or false     ~  null     ]  list     }  dictionary

Source: mitmproxy.io.tnetstring's documentation; the `;` type is mitmproxy's own.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

Value: TypeAlias = "bytes | str | int | float | bool | list[Value] | dict[str, Value] | None"

_LONGEST_LENGTH: Final = 12  # digits: more is no flow file


class TnetstringError(ValueError):
    """The bytes are no tnetstring; the message says at which byte."""


class Reader:
    """Values out of a file of tnetstrings, however its bytes arrive."""

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # offset of the buffer in the file

    def feed(self, data: bytes) -> Iterator[Value]:
        """The values that are whole now."""
        self._buffer += data
        while (end := _end(self._buffer, self._at)) is not None:
            value, _ = _value(self._buffer, 0, self._at)
            self._buffer = self._buffer[end:]
            self._at += end
            yield value

    def close(self) -> None:
        """Raises if the file ended inside a value."""
        if self._buffer:
            raise TnetstringError(f"the file ends inside the value at byte {self._at}")


def _length(data: bytes, start: int, offset: int) -> tuple[int, int] | None:
    """The payload's length and where it starts; None while the colon has not come."""
    colon = data.find(b":", start, start + _LONGEST_LENGTH + 1)
    digits = data[start:colon] if colon >= 0 else data[start : start + _LONGEST_LENGTH + 1]
    if digits and (not digits.isdigit() or len(digits) > _LONGEST_LENGTH):
        raise TnetstringError(f"byte {offset + start} begins no tnetstring")
    if colon < 0:
        return None
    if not digits:
        raise TnetstringError(f"byte {offset + start} begins no tnetstring")
    return int(digits), colon + 1


def _end(data: bytes, offset: int) -> int | None:
    found = _length(data, 0, offset)
    if found is None:
        return None
    length, start = found
    end = start + length + 1
    return end if len(data) >= end else None


def _value(data: bytes, start: int, offset: int) -> tuple[Value, int]:
    found = _length(data, start, offset)
    if found is None or found[0] + found[1] >= len(data):
        raise TnetstringError(f"the value at byte {offset + start} is longer than what holds it")
    length, payload_start = found
    end = payload_start + length
    payload = data[payload_start:end]
    try:
        return _typed(data[end : end + 1], payload, offset + payload_start), end + 1
    except (ValueError, RecursionError) as error:
        raise TnetstringError(f"the value at byte {offset + start} is not of its type: {error}") from error


def _typed(kind: bytes, payload: bytes, offset: int) -> Value:
    match kind:
        case b",":
            return payload
        case b";":
            return payload.decode()
        case b"#":
            return int(payload)
        case b"^":
            return float(payload)
        case b"!":
            if payload not in {b"true", b"false"}:
                raise ValueError(payload)
            return payload == b"true"
        case b"~":
            if payload:
                raise ValueError("null has a payload")
            return None
        case b"]":
            return list(_values(payload, offset))
        case b"}":
            values = list(_values(payload, offset))
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in values[::2]]
            return dict(zip(names, values[1::2], strict=True))
        case _:
            raise ValueError(f"unknown type {kind!r}")


def _values(payload: bytes, offset: int) -> Iterator[Value]:
    at = 0
    while at < len(payload):
        value, at = _value(payload, at, offset)
        yield value
