"""Finds recordings by what they are: those that ship, those pulled, or those of any folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import platformdirs

from harness import data as project_data
from harness.recording import format as recordings
from harness.recording.features import Feature, features
from harness.recording.format import SUFFIX, Recording, RecordingError, Surface

SHIPPED: Final = "shipped"
CORPUS: Final = "corpus"


def cache_dir() -> Path:
    """Where `wireproof corpus pull` puts what it pulls: corpus/ in WIREPROOF_CACHE, else in the user's cache folder (XDG_CACHE_HOME)."""
    named = os.environ.get("WIREPROOF_CACHE")
    return (Path(named) if named else platformdirs.user_cache_path("wireproof")) / CORPUS


@dataclass(slots=True)
class Library:
    """The recordings below one root, each read when it is asked for, and once."""

    root: Path
    _ids: tuple[str, ...]
    _read: dict[str, Recording] = field(default_factory=dict)

    @classmethod
    def open(cls, where: str) -> "Library":
        """`shipped`, `corpus`, or a folder. Raises RecordingError where there is none, or nothing in it."""
        match where:
            case "shipped":
                root, mend = project_data.data_dir("recordings"), "install wireproof again"
            case "corpus":
                root, mend = cache_dir(), "run `wireproof corpus pull`"
            case _:
                root, mend = Path(where), "give `shipped`, `corpus` or a folder of recordings"
        ids = tuple(sorted(_ids(root)))
        if not ids:
            raise RecordingError(f"there are no recordings in {root}: {mend}")
        return cls(root, ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Recording]:
        """Every recording, in the order of the ids."""
        return map(self.load, self._ids)

    @property
    def ids(self) -> tuple[str, ...]:
        return self._ids

    def path(self, recording_id: str) -> Path:
        return self.root / (recording_id + SUFFIX)

    def load(self, recording_id: str) -> Recording:
        """The recording of that id. Raises RecordingError where there is none, or its file is bad."""
        if recording_id not in self._read:
            recordings.check_id(recording_id)
            self._read[recording_id] = recordings.load(self.path(recording_id), self.root)
        return self._read[recording_id]

    def find(
        self,
        *,
        surface: Surface | None = None,
        vendor: str | None = None,
        model: str | None = None,
        status: int | None = None,
        stream: bool | None = None,
        having: frozenset[Feature] = frozenset(),
    ) -> Iterator[Recording]:
        """The recordings that match all that is given; `having` names features that each must have."""
        for made in self:
            if (
                (surface is None or made.surface is surface)
                and (vendor is None or made.vendor == vendor)
                and (model is None or made.model == model)
                and (status is None or made.status == status)
                and (stream is None or made.stream is stream)
                and (not having or having <= features(made))
            ):
                yield made


def _ids(root: Path) -> Iterator[str]:
    for path in root.rglob(f"*{SUFFIX}"):
        inside = path.relative_to(root)
        # A hidden folder is a pull that was killed, or a tool's own.
        if not any(part.startswith(".") for part in inside.parts):
            yield inside.as_posix().removesuffix(SUFFIX)
