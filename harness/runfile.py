"""The run file: everything a run saw and concluded, as JSON lines. Schema: schemas/run/run-file.json.

    {"wireproof_run": 1, "started", "wireproof", "target", "sdks", "recordings", "selected", "models", "command"}
    {"exchange": {...}}         harness.exchange.Exchange; a body is `text` where it is UTF-8, else `base64`
    {"requirement": {...}}      once, before the first verdict on it
    {"verdict": {...}}
    {"end": {"complete", "arithmetic", "exchanges", "verdicts", "sha256"}}

The lines of exchanges, requirements and verdicts mix as they come. The hash in the last line is that of all lines before it; a file
without that line is refused. A run that was broken off has it too, with `complete` false. Secrets never get here: see harness.run_secrets.
The file is written beside its place and put there when it has its last line, so that the last run's stays until this one is whole.
An exchange of several calls has them under `steps`; files from before there were any are read as they are, so the version is the same.
"""

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from harness.case import RecordingFacts, Route, Surface
from harness.exchange import Exchange
from harness.judged import Arithmetic, Expected, Judged, tally
from harness.requirement import Requirement, Severity
from harness.run_secrets import RunSecrets, hops, mask_exchange, mask_url
from harness.verdict import WORDS, Errored, Failed, Finding, Inconclusive, NotApplicable, Passed, Verdict, word
from harness.whole_file import Claim, FolderTaken, part_of
from harness.wire import json_text

VERSION: Final = 1
BROKEN_OFF: Final = "broken-off"  # the folder beside a whole run's file for one that was not finished
_KEPT_BYTES: Final = 128 << 20  # of lines whose exchanges stay in memory
_FOOTER_BYTES: Final = 4096  # more than any last line has

_T = TypeVar("_T")


class RunFileError(Exception):
    """A run file cannot be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """The gateway under test, as its target file names it."""

    name: str
    base_url: str  # written without user, password and query
    declared: dict[str, Any] = field(default_factory=dict)  # what it says that it does and does not do


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    started: str  # ISO time with its zone
    wireproof: str  # version
    target: TargetFacts
    sdks: dict[str, str] = field(default_factory=dict)  # name -> version
    recordings: str = "shipped"  # shipped, corpus or a folder
    matrix: bool = False  # nothing but the cells of the translation was driven
    partial: bool = False  # words chose among the verdicts, or the target's routes do: some requirements may have nothing to judge
    selected: int = 0  # verdicts asked for
    models: tuple[str, ...] = ()
    command: tuple[str, ...] = ()  # the words that started the run

    @property
    def feeds_every_requirement(self) -> bool:
        """Whether each requirement must find something to judge."""
        return self.recordings == "shipped" and not self.matrix and not self.partial


class ExchangeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a report asks of every exchange, without reading the rest of it."""

    id: str
    model: str
    route: Route
    recording: RecordingFacts | None = None


class RunWriter:
    """Appends to a run file, a whole line at a time. Safe to call from the runner's loop and from pytest's thread.

    Left by an exception (Ctrl-C is one), it closes the file as incomplete. `path` is where the file will stand, and where it stands
    after close(): a run that was broken off makes way for a whole one that is there already. Raises RunFileError.
    """

    def __init__(self, path: Path, header: RunHeader, *, secrets: Iterable[str] = ()) -> None:
        self.path = path
        self.calls_made = 0  # the runner counts these up; they end in the arithmetic
        self.tokens = 0
        self.spent_micro_usd = 0
        self._header = header
        self._secrets = RunSecrets(secrets)
        self._lock = threading.Lock()
        self._hash = hashlib.sha256()
        self._exchanges: dict[str, bool] = {}  # id -> whether it was driven
        self._requirements: set[str] = set()
        self._verdicts: list[Judged] = []
        self._claim = _claimed(path.parent)
        self._part = part_of(path)
        self._file: BinaryIO | None = self._part.open("wb")
        tree = {"wireproof_run": VERSION, **_plain(header)}
        tree["target"]["base_url"] = mask_url(header.target.base_url).partition("?")[0]
        self._put(tree)

    def exchange(self, exchange: Exchange) -> None:
        tree = _plain(exchange)
        with self._lock:
            if exchange.id in self._exchanges:
                raise ValueError(f"exchange {exchange.id} is in the run already: ids are unique in a run")
            self._exchanges[exchange.id] = exchange.errored is None
            mask_exchange(tree, self._secrets)
            _bodies_to_text(tree)
            self._put({"exchange": tree})

    def verdict(self, requirement: Requirement, judged: Judged) -> None:
        with self._lock:
            if requirement.id not in self._requirements:
                self._requirements.add(requirement.id)
                self._put({"requirement": _plain(requirement)})
            self._verdicts.append(judged)
            self._put({"verdict": _verdict_line(judged)})

    def arithmetic(self) -> Arithmetic:
        """As things stand."""
        return tally(
            self._verdicts,
            selected=self._header.selected,
            driven=sum(self._exchanges.values()),
            calls_made=self.calls_made,
            tokens=self.tokens,
            spent_micro_usd=self.spent_micro_usd,
            every_requirement=self._header.feeds_every_requirement,
        )

    def close(self, *, complete: bool = True) -> Arithmetic:
        """Writes the footer; a second call changes nothing."""
        with self._lock:
            if self._file is not None and not complete:
                self._take_stock(self._file)
            arithmetic = self.arithmetic()
            if self._file is not None:
                end = {
                    "complete": complete,
                    "arithmetic": _plain(arithmetic),
                    "exchanges": len(self._exchanges),
                    "verdicts": len(self._verdicts),
                    "sha256": self._hash.hexdigest(),
                }
                self._put({"end": end})
                self._file.close()
                self._file = None
                if not complete and _is_kept(self.path):
                    self.path = self.path.parent / BROKEN_OFF / self.path.name
                    self.path.parent.mkdir(exist_ok=True)
                self._part.replace(self.path)
                self._claim.let_go()
            return arithmetic

    def _take_stock(self, file: BinaryIO) -> None:
        """Ctrl-C may have come between a line and its being counted, or the other way round: what counts is what stands in the file."""
        file.flush()
        data = self._part.read_bytes()
        kinds = Counter(line[:12] for line in data.split(b"\n"))
        self._hash = hashlib.sha256(data)
        self._exchanges = dict(islice(self._exchanges.items(), kinds[b'{"exchange":']))
        del self._verdicts[kinds[b'{"verdict":{'] :]

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(complete=error is None)

    def _put(self, tree: dict[str, Any]) -> None:
        if self._file is None:
            raise ValueError(f"run file {self.path} is closed: nothing more can be written to it")
        line = self._secrets.mask(_dump(tree)) + b"\n"
        self._hash.update(line)
        self._file.write(line)
        self._file.flush()


def _claimed(folder: Path) -> Claim:
    try:
        return Claim(folder)
    except FolderTaken:
        raise RunFileError(f"another run is writing into {folder}: wait for its end, or give another folder by --out") from None
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise RunFileError(f"no run can be written into {folder} ({why}): give another folder by --out") from error


def _is_kept(path: Path) -> bool:
    """Whether anything stands there but a run that was broken off."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _FOOTER_BYTES))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return not (last.startswith(b'{"end"') and json.loads(last)["end"]["complete"] is False)
    except (ValueError, KeyError, TypeError):
        return True


class Exchanges(Mapping[str, Exchange]):
    """The exchanges of a run by id, each read from its line when it is first asked for.

    They are kept, with what checks worked out of them, up to a limit: judging asks for each one once per requirement.
    """

    def __init__(self, lines: dict[str, bytes], path: Path) -> None:
        self._lines = lines
        self._path = path
        self._kept: dict[str, Exchange] = {}
        self._kept_bytes = 0

    def __getitem__(self, key: str) -> Exchange:
        if (kept := self._kept.get(key)) is not None:
            return kept
        line = self._lines[key]
        exchange = self._read(key, line)
        if self._kept_bytes + len(line) <= _KEPT_BYTES:  # the first stay: judging goes round and round, which no newest-stay cache survives
            self._kept[key] = exchange
            self._kept_bytes += len(line)
        return exchange

    def _read(self, key: str, line: bytes) -> Exchange:
        tree = json.loads(line)["exchange"]
        try:
            _bodies_to_bytes(tree)
            return msgspec.convert(tree, Exchange, builtin_types=(bytes,))
        except (msgspec.ValidationError, KeyError, ValueError) as error:
            raise RunFileError(f"{self._path}: exchange {key} is not as this wireproof writes it ({error}): drive the run again") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    path: Path
    header: RunHeader
    exchanges: Mapping[str, Exchange]
    facts: dict[str, ExchangeFacts]
    requirements: dict[str, Requirement]
    verdicts: tuple[Judged, ...]
    arithmetic: Arithmetic
    complete: bool  # False: the run was broken off


class _Exchange(msgspec.Struct):
    exchange: ExchangeFacts


class _Verdict(msgspec.Struct, kw_only=True):
    requirement: str
    severity: Severity
    case: str
    surface: Surface
    model: str
    word: str
    exchange: str | None = None
    saw: str = ""
    reason: str = ""
    late: bool = False
    findings: tuple[Finding, ...] = ()
    expectation: Expected | None = None


class _End(msgspec.Struct):
    complete: bool
    arithmetic: Arithmetic
    exchanges: int
    verdicts: int
    sha256: str


def read_run(path: Path) -> Run:
    """A whole run; its exchanges stay unread until asked for. Raises RunFileError."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RunFileError(f"cannot read the run file {path}: {error.strerror}; give the run.jsonl of a run") from error
    header = _header(path, lines[0])
    hashed = hashlib.sha256()
    exchanges: dict[str, bytes] = {}
    facts: dict[str, ExchangeFacts] = {}
    requirements: dict[str, Requirement] = {}
    verdicts: list[Judged] = []
    end: _End | None = None
    for number, line in enumerate(lines, 1):
        if end is not None or (number == len(lines) and not line):
            if line:
                raise RunFileError(f"{path} goes on after its last line: two runs were written into one file")
            continue
        kind = line[:16].partition(b":")[0]
        try:
            match kind:
                case b'{"exchange"':
                    fact = _decode(line, _Exchange).exchange
                    exchanges[fact.id] = line
                    facts[fact.id] = fact
                case b'{"requirement"':
                    requirement = msgspec.convert(json.loads(line)["requirement"], Requirement)
                    requirements[requirement.id] = requirement
                case b'{"verdict"':
                    verdicts.append(_judged(msgspec.convert(json.loads(line)["verdict"], _Verdict)))
                case b'{"end"':
                    end = msgspec.convert(json.loads(line)["end"], _End)
                    continue
                case _ if number > 1:
                    raise ValueError("no line of a run file begins so")
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            raise RunFileError(f"{path} line {number} cannot be read ({error}): the file was cut or edited, drive the run again") from error
        hashed.update(line + b"\n")
    if end is None:
        raise RunFileError(f"{path} has no footer: the run was killed or the file was cut short, drive it again")
    if (end.exchanges, end.verdicts, end.sha256) != (len(exchanges), len(verdicts), hashed.hexdigest()):
        raise RunFileError(f"{path} does not match its footer: the file was changed after it was written, drive the run again")
    if missing := {judged.requirement for judged in verdicts} - requirements.keys():
        raise RunFileError(f"{path} has verdicts on {min(missing)} but not the requirement: drive the run again")
    return Run(
        path=path,
        header=header,
        exchanges=Exchanges(exchanges, path),
        facts=facts,
        requirements=requirements,
        verdicts=tuple(verdicts),
        arithmetic=end.arithmetic,
        complete=end.complete,
    )


def _header(path: Path, line: bytes) -> RunHeader:
    try:
        tree = json.loads(line)
        version = tree["wireproof_run"]
    except (ValueError, KeyError, TypeError):
        raise RunFileError(f'{path} is not a run file: its first line has no "wireproof_run"') from None
    if version != VERSION:
        raise RunFileError(f"{path} is a run file of version {version}, and this wireproof reads {VERSION}: use the one that wrote it")
    try:
        return msgspec.convert(tree, RunHeader)
    except msgspec.ValidationError as error:
        raise RunFileError(f"{path}: the header cannot be read ({error}): drive the run again") from error


def _judged(line: _Verdict) -> Judged:
    return Judged(
        requirement=line.requirement,
        severity=line.severity,
        case=line.case,
        surface=line.surface,
        model=line.model,
        verdict=_verdict(line),
        exchange=line.exchange,
        expected=line.expectation,
    )


def _verdict(line: _Verdict) -> Verdict:
    match line.word:
        case "passed":
            return Passed(line.saw)
        case "failed":
            return Failed(*line.findings)
        case "inconclusive":
            return Inconclusive(line.reason, line.late)
        case "not-applicable":
            return NotApplicable(line.reason)
        case "errored":
            return Errored(line.reason)
    raise ValueError(f"{line.word!r} is none of {', '.join(WORDS.values())}")


def _verdict_line(judged: Judged) -> dict[str, Any]:
    line: dict[str, Any] = {
        "requirement": judged.requirement,
        "exchange": judged.exchange,
        "model": judged.model,
        "case": judged.case,
        "surface": judged.surface,
        "severity": judged.severity,
        "word": word(judged.verdict),
    }
    match judged.verdict:
        case Passed(saw=saw):
            line["saw"] = saw
        case Failed(findings=findings):
            line["findings"] = _plain(findings)
        case Inconclusive(reason=reason) | NotApplicable(reason=reason) | Errored(reason=reason):
            line["reason"] = reason
            if isinstance(judged.verdict, Inconclusive) and judged.verdict.late:
                line["late"] = True
    if judged.expected is not None:
        line["expectation"] = _plain(judged.expected)
    return line


def _plain(value: Any) -> Any:
    """Dataclasses to dicts and lists; bytes stay bytes. A set comes in order, so that the same run gives the same file."""
    return msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=_plain_other)


def _plain_other(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, float):
        return float(value)
    raise NotImplementedError(f"a run file cannot hold {type(value).__name__}: make it a JSON value first")


def _dump(tree: dict[str, Any]) -> bytes:
    try:
        return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell and UTF-8 cannot
        return json.dumps(tree, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:  # 1e400 is JSON, and infinite to Python
        return json_text.write_bytes(_finite(tree))


def _finite(value: Any) -> Any:
    """Infinity as a number that reads back as infinite; NaN, for which JSON has no spelling, as null."""
    match value:
        case float() if value != value:  # noqa: PLR0124  # only NaN differs from itself
            return None
        case float() if value in (float("inf"), float("-inf")):
            return json_text.Spelled("1e999" if value > 0 else "-1e999")
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def _decode(line: bytes, type_: type[_T]) -> _T:
    try:
        return msgspec.json.decode(line, type=type_)
    except msgspec.DecodeError:  # msgspec refuses lone surrogates even in fields that it skips
        return msgspec.convert(json.loads(line), type_)


def _bodies_to_text(tree: dict[str, Any]) -> None:
    tree["case"]["traits"].sort()
    for holder, name in _bodies(tree):
        data = holder.pop(name)
        if data is None:
            continue
        try:
            holder["text"] = data.decode()
        except UnicodeDecodeError:
            holder["base64"] = base64.b64encode(data).decode()


def _bodies_to_bytes(tree: dict[str, Any]) -> None:
    for holder, name in _bodies(tree):
        if "text" in holder:
            holder[name] = holder.pop("text").encode()
        elif "base64" in holder:
            holder[name] = base64.b64decode(holder.pop("base64"), validate=True)


def _bodies(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every place of an exchange that holds bytes, and the name it has there in Python."""
    yield tree["case"], "body"
    for step in tree["case"].get("steps", ()):
        yield step, "body"
    for hop in hops(tree):
        yield hop["request"], "body"
        if hop["response"] is not None:
            for read in hop["response"]["reads"]:
                yield read, "data"
