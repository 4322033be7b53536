"""`wireproof corpus pull`: public recordings of real vendors, from pinned source distributions into a cache folder.

recordings/corpus.toml has the pins. One folder per package, swapped in whole, so a pull that was killed leaves the old one or
none. `pulled.json` beside the recordings says what was pinned, taken and skipped.
"""

import hashlib
import json
import os
import shutil
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from harness.recording import format as recordings
from harness.recording import sdist
from harness.recording.format import Fidelity, Package, Recording
from harness.recording.importers import bodies, har, mitmproxy_flow, vcr
from harness.recording.importers.exchange import Batch, Imported, Skipped
from harness.recording.pip_index import Index

MANIFEST: Final = "pulled.json"
_PART: Final = ".part-"
_STALE_SECONDS: Final = 3600.0  # a part this old belongs to a pull that was killed


class PullError(Exception):
    """A pull cannot be done; the message says why and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One source distribution and what to take of it."""

    name: str
    version: str
    sha256: str
    licence: str
    globs: tuple[str, ...]
    exclude: tuple[tuple[str, str], ...]  # glob, and why what it matches is no vendor's traffic
    json: Fidelity  # of JSON bodies; event streams are exact in every pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What one package gave."""

    pin: Pin
    taken: int
    streams: int
    exact: int
    errors: int  # answers with a status from 400 on
    skipped: dict[str, int]  # reason to count
    was_there: bool = False  # nothing was fetched, this very pin lies in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Who is told how it goes; every field may be called many times."""

    fetching: Callable[[Pin, int, int | None], None]  # bytes so far, bytes in all where known
    converting: Callable[[Pin, int], None]  # files so far
    skipped: Callable[[Pin, Skipped], None]


def read_pins(path: Path) -> tuple[Pin, ...]:
    """The pins of a corpus.toml."""
    try:
        packages: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["package"]
        return tuple(
            Pin(
                name=each["name"],
                version=each["version"],
                sha256=each["sha256"],
                licence=each["licence"],
                globs=tuple(each["globs"]),
                exclude=tuple((rule["glob"], rule["because"]) for rule in each.get("exclude", ())),
                json=Fidelity(each.get("json", "exact")),
            )
            for each in packages
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PullError(f"{path} is no list of pins ({error}): mend it, or install wireproof again") from error


def choose(pins: Sequence[Pin], names: Sequence[str]) -> tuple[Pin, ...]:
    """The named pins, or all without a name."""
    known = {pin.name for pin in pins}
    if unknown := [name for name in names if name not in known]:
        raise PullError(f"no pin is named {', '.join(unknown)}: choose from {', '.join(sorted(known))}")
    return tuple(pin for pin in pins if not names or pin.name in names)


def pull(pins: Sequence[Pin], cache: Path, index: Index, progress: Progress, *, again: bool = False) -> Iterator[Pulled]:
    """Brings each pin into `cache`, and gives what it brought. What lies there already is left, unless `again`.

    A body that another package in the cache holds too is skipped.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
    except OSError as error:
        raise PullError(f"{cache} cannot be used ({error.strerror}): name another folder with WIREPROOF_CACHE") from error
    for pin in pins:
        manifest = _manifest(cache / pin.name)
        if manifest and manifest["sha256"] == pin.sha256 and not again:
            yield Pulled(pin=pin, was_there=True, **{name: manifest[name] for name in ("taken", "streams", "exact", "errors", "skipped")})
            continue
        data = index.fetch(pin.name, pin.version, pin.sha256, partial(progress.fetching, pin))
        yield _convert(pin, data, cache, progress)


def _convert(pin: Pin, data: bytes, cache: Path, progress: Progress) -> Pulled:
    part = cache / f"{_PART}{pin.name}-{os.getpid()}"
    try:
        taken, skipped = _write(pin, data, part, _bodies_of_others(cache, pin), progress)
        if not taken:
            raise PullError(f"{pin.name} {pin.version} holds no recording where its pin says: mend its globs in recordings/corpus.toml")
        pulled = Pulled(
            pin=pin,
            taken=len(taken),
            streams=sum(made.stream for made in taken.values()),
            exact=sum(made.fidelity is Fidelity.EXACT for made in taken.values()),
            errors=sum(made.status >= 400 for made in taken.values()),
            skipped=dict(skipped.most_common()),
        )
        _write_manifest(part / pin.name, pulled, list(taken))
        _swap_in(part / pin.name, cache / pin.name)
    except OSError as error:
        raise PullError(f"{cache} cannot be written ({error.strerror}): make room, or name another folder with WIREPROOF_CACHE") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return pulled


def _write(pin: Pin, data: bytes, part: Path, known: Set[str], progress: Progress) -> tuple[dict[str, Recording], Counter[str]]:
    """Saves what the sdist holds below `part`. What was taken, by hash of its body, and how many were skipped for what reason."""
    taken: dict[str, Recording] = {}
    skipped: Counter[str] = Counter()
    for imported in _imported(pin, data, progress):
        match imported:
            case Recording():
                digest = hashlib.sha256(imported.body).hexdigest()
                if digest not in known and digest not in taken:
                    taken[digest] = imported
                    # Its id begins with the package's name, so this makes part/NAME.
                    recordings.save(imported, part)
                else:
                    assert imported.source is not None, "an imported recording has a source"
                    skipped["duplicate body"] += 1
                    progress.skipped(pin, Skipped(path=imported.source.path, index=imported.source.index, reason="duplicate body"))
            case Skipped():
                skipped[imported.reason] += 1
                progress.skipped(pin, imported)
    return taken, skipped


def _imported(pin: Pin, data: bytes, progress: Progress) -> Iterator[Imported]:
    batch = Batch(
        of=Package(name=pin.name, version=pin.version),
        sha256=pin.sha256,
        licence=pin.licence,
        json_fidelity=pin.json,
        vendor_ids_only=True,
    )
    for count, (path, text) in enumerate(sdist.members(f"{pin.name} {pin.version}", data, pin.globs), start=1):
        because = next((because for glob, because in pin.exclude if sdist.matches(path, glob)), None)
        if because is None:
            yield from read_file(path, text, batch)
        else:
            yield Skipped(path=path, index=None, reason=because)
        progress.converting(pin, count)


def read_file(path: str, data: bytes, batch: Batch) -> Iterator[Imported]:
    """The exchanges of one file in any layout that an importer reads, told by its name."""
    if vcr.is_cassette(path):
        return vcr.read(path, data, batch)
    if har.is_har(path):
        return har.read(path, data, batch)
    if mitmproxy_flow.is_flow_file(path):
        return mitmproxy_flow.read(path, data, batch)
    if bodies.is_saved_body(path):
        return bodies.read_saved_body(path, data, batch)
    if bodies.is_snapshot(path):
        return bodies.read_snapshot(path, data, batch)
    return iter((Skipped(path=path, index=None, reason="no layout that we read, by its name"),))


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise PullError(f"{folder / MANIFEST} is damaged ({error}): delete the folder and pull again") from error
    return found


def _write_manifest(folder: Path, pulled: Pulled, hashes: Sequence[str]) -> None:
    pin = pulled.pin
    manifest = {
        "package": pin.name,
        "version": pin.version,
        "sha256": pin.sha256,
        "licence": pin.licence,
        "taken": pulled.taken,
        "streams": pulled.streams,
        "exact": pulled.exact,
        "errors": pulled.errors,
        "skipped": pulled.skipped,
        "bodies": list(hashes),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _bodies_of_others(cache: Path, pin: Pin) -> set[str]:
    manifests = (_manifest(folder) for folder in cache.iterdir() if folder.name != pin.name and not folder.name.startswith("."))
    return {digest for manifest in manifests if manifest for digest in manifest["bodies"]}


def _swap_in(new: Path, place: Path) -> None:
    old = place.with_name(f"{_PART}old-{place.name}-{os.getpid()}")
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(cache: Path) -> None:
    for part in cache.glob(f"{_PART}*"):
        if time.time() - part.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(part, ignore_errors=True)
