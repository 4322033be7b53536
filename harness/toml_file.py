"""TOML files that people write: read with every mistake named by file and line, in one sentence."""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


class UserFileError(Exception):
    """A file that the user wrote is wrong; the message says where, and how to mend it."""


class TomlFile:
    """A TOML document with the lines its keys stand on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UserFileError(f"{path} cannot be read ({reason}): give the path of a TOML file") from error
        try:
            self.values: dict[str, Any] = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise UserFileError(f"{path} is not TOML: {error}") from error

    def error(self, key: str, message: str, *, nth: int = 0) -> UserFileError:
        """An error at the line of the `nth` place where `key` is set or heads a table."""
        return UserFileError(f"{self.path}, line {self.line(key, nth=nth)}: {message}")

    def line(self, key: str, *, nth: int = 0) -> int:
        pattern = rf"^\s*(?:\[+\s*(?:[\w.\"-]+\.)?{re.escape(key)}\s*\]+|(?:.*[{{,]\s*)?\"?{re.escape(key)}\"?\s*=)"
        places = [number for number, line in enumerate(self.text.splitlines(), 1) if re.match(pattern, line)]
        return places[min(nth, len(places) - 1)] if places else 1

    def only(self, table: Mapping[str, Any], known: Collection[str], where: str) -> None:
        """Raise for a key that is not one of `known`, with the nearest that is."""
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(f'`{name}`' for name in sorted(known))}"
                raise self.error(key, f"{where} has no key `{key}`; {hint}")

    def take(self, table: Mapping[str, Any], key: str, kind: type, where: str, default: Any = None, *, nth: int = 0) -> Any:
        """The value of `key` if it is of `kind`; `default` where it is absent."""
        if key not in table:
            return default
        value = table[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            words = {str: "text in quotes", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}
            raise self.error(key, f"`{key}` in {where} must be {words.get(kind, kind.__name__)}, not {value!r}", nth=nth)
        return value

    def number(self, table: Mapping[str, Any], key: str, where: str, default: Any = None, *, least: int, most: int | None = None) -> Any:
        """The whole number under `key`, within its bounds; `default` where it is absent."""
        value = self.take(table, key, int, where, default)
        if key in table and (value < least or (most is not None and value > most)):
            bounds = f"from {least} to {most}" if most is not None else f"from {least} on"
            raise self.error(key, f"`{key}` in {where} must be a whole number {bounds}, not {value}")
        return value

    def tables(self, key: str, where: str) -> list[dict[str, Any]]:
        """The tables that stand under [[key]]; none where there is none."""
        entries: list[dict[str, Any]] = self.take(self.values, key, list, where, [])
        if not all(isinstance(entry, dict) for entry in entries):
            raise self.error(key, f"`{key}` in {where} must be tables: write [[{key}]] above each")
        return entries
