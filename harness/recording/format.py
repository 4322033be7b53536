"""The recording format: one JSONL file per exchange.

Lines, in this order (the shape is DESIGN.md "Recordings"):

    {"format": 1, "vendor", "surface", "model", "stream", "origin", "recorded_on", "recorder", "fidelity", "provenance",
     "source", "redactions", "notes"}
    {"request": {"method", "path", "headers": [[name, value], ..], "text" | "base64"}}
    {"response": {"status", "headers": [[name, value], ..]}}
    {"at_ms": 812, "text" | "base64"}        one per network read
    {"end": "eof" | "reset" | "client-abort"}

Lines end in LF, and bodies are kept as the bytes were: `text` where they are UTF-8, else `base64`. Transfer-coding is undone
already; content-coding is not, unless the recorder undid it, and then the header that named it is gone too.
This module imports only the standard library and its neighbour `migrations`: the capture add-on runs in mitmproxy's environment.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from harness.recording.migrations import MIGRATIONS

FORMAT: Final = 1
SUFFIX: Final = ".jsonl"

Headers: TypeAlias = tuple[tuple[str, str], ...]  # in wire order, duplicates kept, names as spelled

_T = TypeVar("_T")
_C = TypeVar("_C", bound=StrEnum)

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Surface(StrEnum):
    """The protocol that was spoken, named by path; what no suite speaks is `other`."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"
    IMAGES = "images"
    MODELS = "models"
    COUNT_TOKENS = "count_tokens"
    OTHER = "other"


class Origin(StrEnum):
    """Who made the bytes: a vendor before our capture, a vendor before someone else's recorder, or ourselves."""

    CAPTURED = "captured"
    IMPORTED = "imported"
    SYNTHETIC = "synthetic"


class Fidelity(StrEnum):
    """Whether the body's bytes are the vendor's, or only its JSON value is."""

    EXACT = "exact"
    RESERIALIZED = "reserialized"


class Provenance(StrEnum):
    """`curated` bodies may have been edited by hand after they were recorded."""

    RECORDED = "recorded"
    CURATED = "curated"


class End(StrEnum):
    """How the response ended: complete, cut by the vendor, or given up by the client."""

    EOF = "eof"
    RESET = "reset"
    CLIENT_ABORT = "client-abort"


class RecordingError(Exception):
    """A recording cannot be read or written; the message names file, line, and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A source distribution on a package index."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A public repository, `owner/name`; `commit` is None where it was not kept."""

    name: str
    commit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an imported recording was taken from: the `index`-th exchange (0-based) of `path` inside `of`."""

    of: Package | Repository
    sha256: str | None  # of the sdist, or of the imported file
    path: str
    index: int
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    method: str
    path: str  # with its query
    headers: Headers
    body: bytes  # empty where the recorder kept none


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The bytes of one network read; a single one where the recorder kept no timing."""

    at_ms: int  # since the first request byte was written
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One exchange with a vendor. `id` is the path under the recordings root without suffix: `messages/parallel-tools.stream`."""

    id: str
    vendor: str
    surface: Surface
    model: str | None  # the model asked for, None where no model is named
    stream: bool  # whether a stream was asked for; an error may still come as JSON
    origin: Origin
    recorded_on: date | None
    recorder: str
    fidelity: Fidelity
    provenance: Provenance
    source: Source | None
    redactions: tuple[str, ...]
    notes: tuple[str, ...]
    request: RecordedRequest
    status: int
    headers: Headers
    reads: tuple[Read, ...]
    end: End

    @property
    def body(self) -> bytes:
        return b"".join(read.data for read in self.reads)


def load(path: Path, root: Path | None = None) -> Recording:
    """The recording in `path`; its id is the path below `root`, or the bare file name without one."""
    if not path.name.endswith(SUFFIX):
        raise RecordingError(f"{path} is not a recording: a recording's name ends in {SUFFIX}")
    inside = path.relative_to(root) if root else Path(path.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror}): give the path of an existing recording") from error
    return loads(data, inside.as_posix().removesuffix(SUFFIX), name=str(path))


def loads(data: bytes, recording_id: str, *, name: str | None = None) -> Recording:
    """The recording in `data`. Raises RecordingError, which calls the file `name`, or its id without one."""
    where = name or recording_id + SUFFIX
    lines = _migrated(_json_lines(data, where), where)
    if len(lines) < 4 or "end" not in lines[-1].value:
        raise RecordingError(f"{where} is cut short: its last line is not an end line, so record or import it again")
    header, request, response, *reads, end = lines
    head = _Fields(header)
    sent = _Fields(_Line(request.at, _Fields(request).take("request", dict)))
    answered = _Fields(_Line(response.at, _Fields(response).take("response", dict)))
    head.take("format", int)
    recording = Recording(
        id=recording_id,
        vendor=head.take("vendor", str),
        surface=head.take_choice("surface", Surface),
        model=head.take_optional("model", str),
        stream=head.take("stream", bool),
        origin=head.take_choice("origin", Origin),
        recorded_on=head.take_day("recorded_on"),
        recorder=head.take("recorder", str),
        fidelity=head.take_choice("fidelity", Fidelity),
        provenance=head.take_choice("provenance", Provenance),
        source=_source(header.at, head.take_optional("source", dict)),
        redactions=head.take_strings("redactions"),
        notes=head.take_strings("notes"),
        request=RecordedRequest(
            method=sent.take("method", str), path=sent.take("path", str), headers=sent.take_headers(), body=sent.take_bytes()
        ),
        status=answered.take("status", int),
        headers=answered.take_headers(),
        reads=tuple(_reads(reads)),
        end=_Fields(end).take_choice("end", End),
    )
    for fields in (head, sent, answered):
        fields.finish()
    return recording


def dump(recording: Recording) -> bytes:
    """The recording's file. Two equal recordings give equal bytes."""
    header = {
        "format": FORMAT,
        "vendor": recording.vendor,
        "surface": recording.surface,
        "model": recording.model,
        "stream": recording.stream,
        "origin": recording.origin,
        "recorded_on": recording.recorded_on.isoformat() if recording.recorded_on else None,
        "recorder": recording.recorder,
        "fidelity": recording.fidelity,
        "provenance": recording.provenance,
        "source": _source_json(recording.source) if recording.source else None,
        "redactions": list(recording.redactions),
        "notes": list(recording.notes),
    }
    sent = recording.request
    request = {"method": sent.method, "path": sent.path, "headers": [list(pair) for pair in sent.headers], **_bytes_json(sent.body)}
    response = {"status": recording.status, "headers": [list(pair) for pair in recording.headers]}
    reads = ({"at_ms": read.at_ms, **_bytes_json(read.data)} for read in recording.reads)
    lines = [header, {"request": request}, {"response": response}, *reads, {"end": recording.end}]
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def save(recording: Recording, root: Path) -> Path:
    """Writes the recording below `root` and gives its path. A killed writer leaves the old file or none, never half of one."""
    check_id(recording.id)
    path = root / (recording.id + SUFFIX)
    data = dump(recording)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise RecordingError(f"{path} cannot be written ({error.strerror}): give a folder that can") from error
    return path


def write_atomically(path: Path, data: bytes) -> None:
    """Puts `data` into `path` by a temporary file beside it and a rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_id(recording_id: str) -> None:
    """Refuses an id that could leave the root or that some file system cannot hold."""
    if not all(_SEGMENT.fullmatch(segment) for segment in recording_id.split("/")):
        raise RecordingError(f"{recording_id!r} is no recording id: use names of letters, digits, dot, dash and underscore between slashes")


@dataclass(frozen=True, slots=True)
class _Line:
    at: str  # "file, line 3"
    value: dict[str, Any]


@dataclass(slots=True)
class _Fields:
    """Takes a line's fields one by one, and knows at the end whether any was left over."""

    line: _Line
    taken: set[str] = field(default_factory=set)

    def take(self, name: str, kind: type[_T]) -> _T:
        value = self._get(name)
        # bool is an int to isinstance, never to JSON.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._error(name, f"a {kind.__name__}", value)
        return value

    def take_optional(self, name: str, kind: type[_T]) -> _T | None:
        return None if self._get(name) is None else self.take(name, kind)

    def take_choice(self, name: str, kind: type[_C]) -> _C:
        value = self.take(name, str)
        try:
            return kind(value)
        except ValueError:
            raise self._error(name, " or ".join(kind), value) from None

    def take_day(self, name: str) -> date | None:
        value = self.take_optional(name, str)
        try:
            return None if value is None else date.fromisoformat(value)
        except ValueError:
            raise self._error(name, "an ISO day or null", value) from None

    def take_strings(self, name: str) -> tuple[str, ...]:
        value = self.take(name, list)
        if not all(isinstance(item, str) for item in value):
            raise self._error(name, "a list of strings", value)
        return tuple(value)

    def take_headers(self) -> Headers:
        value = self.take("headers", list)
        if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in value):
            raise self._error("headers", "a list of [name, value] pairs", value)
        return tuple((name, text) for name, text in value)

    def take_bytes(self) -> bytes:
        if "text" in self.line.value:
            try:
                return self.take("text", str).encode()
            except UnicodeEncodeError:
                raise self._error("text", "text that UTF-8 can carry (use base64 for other bytes)", "a lone surrogate") from None
        text = self.take("base64", str)
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise self._error("base64", "base64", text) from None

    def finish(self) -> None:
        if extra := sorted(self.line.value.keys() - self.taken):
            raise RecordingError(f"{self.line.at} has unknown fields {', '.join(extra)}: take them out, or read it with a newer wireproof")

    def _get(self, name: str) -> object:
        self.taken.add(name)
        if name not in self.line.value:
            raise RecordingError(f"{self.line.at} lacks {name!r}: add it, or record the exchange again")
        return self.line.value[name]

    def _error(self, name: str, expected: str, got: object) -> RecordingError:
        return RecordingError(f"{self.line.at} has a wrong {name!r}: expected {expected}, got {str(got)[:60]!r}; mend it or record again")


def _json_lines(data: bytes, where: str) -> Iterator[_Line]:
    # Only LF parts lines: text may hold U+2028, form feeds and bare CR, all of which str.splitlines would cut at.
    *rows, rest = data.split(b"\n")
    if rest or not rows:
        raise RecordingError(f"{where} is cut short: it does not end in a newline, so record or import it again")
    for number, row in enumerate(rows, start=1):
        at = f"{where}, line {number}"
        if row.endswith(b"\r"):
            raise RecordingError(f"{at} ends in CR LF: line ends were changed, so check it out again with `recordings/** -text` in force")
        try:
            value = json.loads(row)
        except ValueError as error:
            raise RecordingError(f"{at} is not JSON ({error}): mend it or record the exchange again") from error
        if not isinstance(value, dict):
            raise RecordingError(f"{at} is not a JSON object: mend it or record the exchange again")
        yield _Line(at, value)


def _migrated(lines: Iterator[_Line], where: str) -> list[_Line]:
    """The lines in today's format, whichever known one they were written in."""
    read = list(lines)
    version = read[0].value.get("format")
    if not isinstance(version, int) or not (version == FORMAT or version in MIGRATIONS):
        raise RecordingError(f"{where} has format {version!r} and this wireproof reads up to {FORMAT}: install a newer one")
    values: Sequence[Mapping[str, Any]] = [line.value for line in read]
    try:
        for step in range(version, FORMAT):
            values = MIGRATIONS[step](values)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RecordingError(f"{where} is not what its format {version} promises ({error!r}): record or import it again") from error
    return [_Line(line.at, dict(value)) for line, value in zip(read, values, strict=True)]


def _reads(lines: Sequence[_Line]) -> Iterator[Read]:
    earliest = 0
    for line in lines:
        fields = _Fields(line)
        at_ms = fields.take("at_ms", int)
        if at_ms < earliest:
            raise RecordingError(f"{line.at} was read at {at_ms} ms, before the line above it: put the reads in order of time")
        earliest = at_ms
        yield Read(at_ms=at_ms, data=fields.take_bytes())
        fields.finish()


def _bytes_json(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _source(at: str, value: dict[str, Any] | None) -> Source | None:
    if value is None:
        return None
    fields = _Fields(_Line(f"{at}, source", value))
    of: Package | Repository
    if "package" in value:
        of = Package(name=fields.take("package", str), version=fields.take("version", str))
    else:
        of = Repository(name=fields.take("repository", str), commit=fields.take_optional("commit", str))
    source = Source(
        of=of,
        sha256=fields.take_optional("sha256", str),
        path=fields.take("path", str),
        index=fields.take("index", int),
        licence=fields.take("licence", str),
    )
    fields.finish()
    return source


def _source_json(source: Source) -> dict[str, Any]:
    match source.of:
        case Package(name=name, version=version):
            of: dict[str, Any] = {"package": name, "version": version}
        case Repository(name=name, commit=commit):
            of = {"repository": name, "commit": commit}
    return {**of, "sha256": source.sha256, "path": source.path, "index": source.index, "licence": source.licence}
