"""Reads files out of a source distribution in memory: nothing is unpacked, nothing of it is run."""

import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

# An honest pin stays far below; what goes over it is a bomb, or no longer what was pinned.
_MOST_BYTES: Final = 2_000_000_000


class SdistError(Exception):
    """The archive cannot be read; the message says which and why."""


def members(name: str, data: bytes, globs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The regular files that match a glob (`**/` is any depth, `*` stays in one folder), in the archive's order.

    Paths are given without the archive's own top folder.
    """
    wanted = re.compile("|".join(map(_pattern, globs)))
    room = _MOST_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                path = member.name.partition("/")[2]
                room -= member.size
                if room < 0:
                    raise SdistError(f"{name} unpacks to more than {_MOST_BYTES} bytes: check its pin in recordings/corpus.toml")
                if not member.isfile() or not wanted.fullmatch(path):
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield path, file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SdistError(f"{name} is not a readable .tar.gz ({error}): pull it again") from error


def matches(path: str, glob: str) -> bool:
    """Whether the path matches the glob, in the sense of `members`."""
    return bool(re.fullmatch(_pattern(glob), path))


def _pattern(glob: str) -> str:
    parts = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*)", glob))
