"""Images kept for their links in one folder, which several gateway processes may share; each file's name says when it may go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from reference_gateway.images.formats import ImageFormat
from reference_gateway.images.links import Name, new_name, read_name

KEEP_S: Final = 24 * 3600  # contract:211
UNFINISHED: Final = ".part"
log = logging.getLogger("reference_gateway")


class ImageStore:
    def __init__(self, folder: Path, clock: Callable[[], float], keep_s: int = KEEP_S) -> None:
        self._folder = folder
        self._clock = clock
        self._keep_s = keep_s

    async def keep(self, data: bytes, format_: ImageFormat) -> Name:
        """Raises OSError where the folder cannot be written."""
        name = new_name(format_, int(self._clock()) + self._keep_s)
        await asyncio.to_thread(self._write, name.text, data)
        return name

    def _write(self, name: str, data: bytes) -> None:
        """Under its own name only when it is whole, so that no link ever shows half an image."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._folder / (name + UNFINISHED)
        try:
            unfinished.write_bytes(data)
            unfinished.replace(self._folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    async def load(self, name: Name) -> bytes | None:
        """None once it has expired or where it was never kept."""
        if self._clock() >= name.expires_at:
            return None
        try:
            return await asyncio.to_thread((self._folder / name.text).read_bytes)
        except FileNotFoundError:
            return None

    async def forget(self, name: Name) -> None:
        await asyncio.to_thread((self._folder / name.text).unlink, missing_ok=True)

    async def sweep(self) -> int:
        """Deletes what has expired, unfinished files included; returns how many files went."""
        return await asyncio.to_thread(self._sweep, self._clock())

    def _sweep(self, now: float) -> int:
        if not self._folder.is_dir():
            return 0
        gone = 0
        for file in self._folder.iterdir():
            name = read_name(file.name.removesuffix(UNFINISHED))
            if name is None or now < name.expires_at:
                continue
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                log.warning("an expired image could not be deleted: %s", error)
            else:
                gone += 1
        return gone
