"""Files that are there whole or not at all: written beside their place, and put there in one move. A run that is killed spoils none.

And a folder's claim, so that of two runs into one folder the second is told, not both spoilt.
"""

import os
import sys
from pathlib import Path
from typing import Final

if sys.platform != "win32":  # there nobody is told of a second run
    import fcntl

PART: Final = ".part"  # after the name of a file that is being written


class FolderTaken(Exception):
    """Another process has claimed the folder."""


def part_of(path: Path) -> Path:
    """Where the file is written until it is whole."""
    return path.with_name(path.name + PART)


def write_whole(path: Path, data: bytes) -> None:
    """Replaces the file, and makes its folder. What is no plain file, as /dev/stdout or a link, is written to as it is. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_bytes(data)
        return
    part = part_of(path)
    part.write_bytes(data)
    part.replace(path)


class Claim:
    """A folder that is ours to write into, until it is let go or the process ends. Raises FolderTaken, OSError."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handle: int | None = None
        if sys.platform != "win32":
            self._handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.let_go()
                raise FolderTaken(str(folder)) from None
            except OSError:  # a file system without locks
                self.let_go()

    def let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
