"""Members of a client's JSON request, of the type that they have to be, or Malformed with the path of what is wrong.

Those that end in `_at` are given the object and the member's name instead of its value and path: the path is made only where it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reference_gateway.translation.items import Malformed


def an_object(value: object, path: str) -> Mapping[str, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):  # nearly all are, and it is asked of every message
        raise Malformed(path, f"Set {path} to an object.")
    return value


def a_list(value: object, path: str) -> list[Any]:
    """Empty where there is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(path, f"Set {path} to a list.")
    return value


def a_string(value: object, path: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Malformed(path, f"Set {path} to a string.")
    return value


def needed_string(value: object, path: str) -> str:
    """It may not be empty."""
    text = a_string(value, path)
    if not text:
        raise Malformed(path, f"Give {path}, a string that is not empty.")
    return text


def a_flag(value: object, path: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise Malformed(path, f"Set {path} to true or false.")
    return value


def an_integer(value: object, path: str, *, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Malformed(path, f"Set {path} to an integer of at least {least}.")
    return value


def a_number(value: object, path: str, *, least: float, most: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Malformed(path, f"Set {path} to a number from {least:g} to {most:g}.")
    return value


def one_of(value: object, path: str, words: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in words:
        raise Malformed(path, f"Set {path} to one of {', '.join(words)}.")
    return value


def path_of(name: str, at: str) -> str:
    """Of the member `name` of the object at `at`, which is "" for the request itself."""
    return f"{at}.{name}" if at else name


def object_at(holder: Mapping[str, Any], name: str, at: str = "") -> Mapping[str, Any]:
    value = holder.get(name)
    return value if type(value) is dict else an_object(value, path_of(name, at))


def list_at(holder: Mapping[str, Any], name: str, at: str = "") -> list[Any]:
    """Empty where there is none."""
    value = holder.get(name)
    return value if type(value) is list else a_list(value, path_of(name, at))


def string_at(holder: Mapping[str, Any], name: str, at: str = "") -> str | None:
    value = holder.get(name)
    return value if value is None or type(value) is str else a_string(value, path_of(name, at))


def needed_at(holder: Mapping[str, Any], name: str, at: str = "") -> str:
    """A string that may not be empty."""
    value = holder.get(name)
    return value if value and type(value) is str else needed_string(value, path_of(name, at))


def flag_at(holder: Mapping[str, Any], name: str, at: str = "") -> bool | None:
    value = holder.get(name)
    return value if value is None else a_flag(value, path_of(name, at))
