"""TOML that remembers on which line each key stood, since tomllib does not: enough for errors that name the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")
_PART: Final = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")

Place = tuple[str | int, ...]


class ConfigError(Exception):
    """One sentence: file, line, what is wrong and how to mend it."""


def _parts(dotted: str) -> list[str]:
    return [a or b or c for a, b, c in _PART.findall(dotted)]


def _line_index(text: str) -> dict[Place, int]:
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            place: Place = ()
            names = _parts(header[2])
            for position, name in enumerate(names):
                place = (*place, name)
                if header[1] == "[[" and position == len(names) - 1:
                    counts[place] = counts.get(place, -1) + 1
                if place in counts:
                    place = (*place, counts[place])
            table = place
            lines.setdefault(place, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


class Table:
    """One table of a TOML file; reading a value checks its type, `close` refuses whatever nobody read."""

    def __init__(self, file: str, data: dict[str, Any], lines: dict[Place, int], place: Place = ()) -> None:
        self._file = file
        self._data = data
        self._lines = lines
        self._place = place
        self._read: set[str] = set()

    @property
    def name(self) -> str:
        return ".".join(str(part) for part in self._place)

    def error(self, message: str, key: str | None = None) -> ConfigError:
        place = self._place if key is None else (*self._place, key)
        while place and place not in self._lines:
            place = place[:-1]
        return ConfigError(f"{self._file}:{self._lines.get(place, 1)}: {message}")

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def names(self) -> tuple[str, ...]:
        return tuple(self._data)

    def _take(self, key: str, kind: type, default: Any, what: str) -> Any:
        self._read.add(key)
        if key not in self._data:
            if default is _REQUIRED:
                raise self.error(f"[{self.name}] lacks {key}; add {key} = {what}")
            return default
        value = self._data[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(f"{key} is {value!r}; it must be {what}", key)
        return value

    def string(self, key: str, default: str | None = None) -> str:
        value: str = self._take(key, str, _REQUIRED if default is None else default, "a string")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        value: int = self._take(key, int, _REQUIRED if default is None else default, "a whole number")
        if value < 0:
            raise self.error(f"{key} is {value}; it cannot be negative", key)
        return value

    def boolean(self, key: str, default: bool) -> bool:
        value: bool = self._take(key, bool, default, "true or false")
        return value

    def strings(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._take(key, (list), _REQUIRED if default is None else list(default), "a list of strings")
        if not all(isinstance(item, str) for item in value):
            raise self.error(f"{key} is {value!r}; it must be a list of strings", key)
        return tuple(value)

    def micro_usd(self, key: str, default: int | None = None) -> int:
        """A USD amount written as a string, since a TOML float would not be exact; in micro-USD."""
        if default is not None and key not in self:
            self._read.add(key)
            return default
        text = self.string(key)
        try:
            micro = Decimal(text) * 1_000_000
        except InvalidOperation:
            raise self.error(f'{key} is "{text}"; it must be a USD amount such as "1.25"', key) from None
        if not micro.is_finite() or micro < 0 or micro != int(micro):
            raise self.error(f'{key} is "{text}"; it must be a USD amount from 0 up, with at most six decimals', key)
        return int(micro)

    def moment_ms(self, key: str) -> int:
        """A date (its first moment in UTC) or a date and time with its offset; in Unix milliseconds."""
        value = self._take(key, date, _REQUIRED, "a date such as 2026-07-24 or a time such as 2026-07-24T15:59:00Z")
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        if value.tzinfo is None:
            raise self.error(f"{key} is {value.isoformat()} without an offset; add Z for UTC", key)
        return int(value.timestamp() * 1000)

    def is_table(self, key: str) -> bool:
        """For a value that may be a table or something else."""
        return isinstance(self._data.get(key), dict)

    def table(self, key: str) -> Table:
        """The sub-table; an absent one is empty."""
        data = self._take(key, dict, {}, "a table")
        return Table(self._file, data, self._lines, (*self._place, key))

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The named sub-tables `[key.name]`."""
        outer = self.table(key)
        for name in outer._data:
            yield name, outer.table(name)

    def array(self, key: str) -> Iterator[Table]:
        """The tables `[[key]]`."""
        for index, data in enumerate(self._take(key, list, [], f"tables [[{key}]]")):
            if not isinstance(data, dict):
                raise self.error(f"{key} is {data!r}; write tables [[{key}]]", key)
            yield Table(self._file, data, self._lines, (*self._place, key, index))

    def close(self) -> None:
        for key in self._data:
            if key not in self._read:
                known = ", ".join(sorted(self._read))
                raise self.error(f"unknown key {key}; known here are {known}", key)


_REQUIRED: Final = object()


def read(path: Path) -> Table:
    """Raises ConfigError for a file that is missing, is not UTF-8 or is not TOML."""
    try:
        text = path.read_bytes().decode()
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a configuration file that can be read") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+), column \d+\)", str(error))
        number = line[1] if line else str(text.count("\n") + 1)
        raise ConfigError(f"{path}:{number}: not TOML: {str(error).split(' (at ')[0]}") from error
    return Table(str(path), data, _line_index(text))
