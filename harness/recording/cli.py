"""The commands on recordings: `wireproof recordings lint|import` and `wireproof corpus pull`.

Each ends with 0 when all is well, 1 with findings, 2 when it could not do its work, said in one sentence on stderr.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from harness import data as project_data
from harness.recording import format as recordings
from harness.recording import library, lint, pull
from harness.recording.format import Recording, RecordingError, Repository
from harness.recording.importers import corpus
from harness.recording.importers.exchange import Batch, Imported, Skipped
from harness.recording.pip_index import FetchError, Index, pip_config
from harness.recording.sdist import SdistError

_WENT_WRONG = (RecordingError, pull.PullError, FetchError, SdistError)


def add_recordings_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `wireproof recordings`."""
    commands = parser.add_subparsers(dest="recordings_command", metavar="COMMAND", required=True)
    check = commands.add_parser("lint", help="check recordings before they are published: form, secrets, labels, dead ones")
    check.add_argument("folder", nargs="?", type=Path, help="the recordings' root (default: those that ship)")
    bring = commands.add_parser("import", help="convert HAR, mitmproxy flow and VCR files to recordings")
    bring.add_argument(
        "files",
        nargs="+",
        type=Path,
        help="HAR (.har), mitmproxy flow (.flow, .flows, .mitm) or VCR files (.yaml, .yml, also .gz), saved answers (.sse, .txt, .json), "
        "or the folder of a corpus with its index.jsonl",
    )
    bring.add_argument("--into", type=Path, required=True, help="the root to write the recordings under")
    bring.add_argument("--repository", default="local", help="where the files come from, OWNER/NAME (default: local)")
    bring.add_argument("--commit", help="the repository's commit")
    bring.add_argument("--licence", default="unpublished", help="SPDX name (default: unpublished)")
    bring.add_argument("--vendor", help="whose answers these are; without it the host tells, and hosts of no known vendor are skipped")


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `wireproof corpus`."""
    commands = parser.add_subparsers(dest="corpus_command", metavar="COMMAND", required=True)
    get = commands.add_parser("pull", help="fetch public recordings of real vendors into the cache folder")
    get.add_argument("names", nargs="*", metavar="NAME", help="packages to pull (default: all that are pinned)")
    get.add_argument("--pins", type=Path, help="another list of pins than the one that ships")
    get.add_argument("--again", action="store_true", help="fetch and convert even what is there")
    get.add_argument("--list-skipped", action="store_true", help="print every skipped exchange, not only the counts")


def main(args: argparse.Namespace, used: Set[str] | None = None) -> int:
    """Runs the command that was parsed. `used` are the ids that the suites' cases play, for lint's dead recordings."""
    try:
        match vars(args).get("recordings_command") or args.corpus_command:
            case "lint":
                return _lint(args, used)
            case "import":
                return _import(args)
            case _:
                return _pull(args)
    except _WENT_WRONG as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"wireproof: {error}")
        return 2


def _lint(args: argparse.Namespace, used: Set[str] | None) -> int:
    shipped = project_data.data_dir("recordings")
    root = args.folder or shipped
    ids = library.Library.open(str(root)).ids
    # Cases play what ships; of another folder nobody knows what is in use.
    findings = list(lint.lint(root, used if root == shipped else None))
    out = _console()
    for finding in findings:
        out.print(f"{finding.path}: {finding.rule}: {finding.says}")
    out.print(f"{len(ids)} recordings, {len(findings)} findings")
    return 1 if findings else 0


def _import(args: argparse.Namespace) -> int:
    out = _console()
    taken = 0
    skipped: Counter[str] = Counter()
    known: set[bytes] = set()
    for imported in _imported(args):
        if isinstance(imported, Recording):
            digest = hashlib.sha256(imported.body).digest()
            if digest not in known:
                known.add(digest)
                recordings.save(imported, args.into)
                taken += 1
                continue
            skipped["duplicate body"] += 1
        else:
            skipped[imported.reason] += 1
            out.print(_skipped_line(imported))
    out.print(f"{taken} recordings written to {args.into}; skipped {_counts(skipped)}")
    return 0 if taken else 1


def _imported(args: argparse.Namespace) -> Iterator[Imported]:
    for file in args.files:
        if (file / "index.jsonl").is_file():
            yield from corpus.read_folder(file)
            continue
        try:
            data = file.read_bytes()
        except OSError as error:
            raise RecordingError(f"{file} cannot be read ({error.strerror}): give a HAR, mitmproxy flow or VCR file") from error
        batch = Batch(
            of=Repository(name=args.repository, commit=args.commit),
            sha256=hashlib.sha256(data).hexdigest(),
            licence=args.licence,
            vendor=args.vendor,
        )
        yield from pull.read_file(file.name, data, batch)


def _pull(args: argparse.Namespace) -> int:
    pins = pull.choose(pull.read_pins(args.pins or project_data.data_dir("recordings") / "corpus.toml"), args.names)
    cache = library.cache_dir()
    out = _console()
    table = Table("package", "version", "recordings", "streams", "exact", "errors", "skipped")
    total: Counter[str] = Counter()
    left_out: list[tuple[pull.Pin, Skipped]] = []
    with _progress(left_out) as progress, Index(pip_config()) as index:
        for pulled in pull.pull(pins, cache, index, progress, again=args.again):
            numbers = {"recordings": pulled.taken, "streams": pulled.streams, "exact": pulled.exact, "errors": pulled.errors}
            total.update(numbers)
            was_there = " (there already)" if pulled.was_there else ""
            skipped = _counts(Counter(pulled.skipped))
            table.add_row(pulled.pin.name + was_there, pulled.pin.version, *map(str, numbers.values()), skipped)
    table.add_row("all", "", *(str(total[name]) for name in ("recordings", "streams", "exact", "errors")), "", style="bold")
    if args.list_skipped:
        for pin, skip in left_out:
            out.print(f"{pin.name}: {_skipped_line(skip)}")
    out.print(table)
    out.print(f"{total['recordings']} recordings in {cache}")
    return 0


@contextmanager
def _progress(left_out: list[tuple[pull.Pin, Skipped]]) -> Iterator[pull.Progress]:
    """A bar per package on a terminal, nothing elsewhere; collects what is skipped."""
    err = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[files]}"))
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def task(pin: pull.Pin) -> TaskID:
            if pin.name not in tasks:
                tasks[pin.name] = bars.add_task(pin.name, total=None, files="")
            return tasks[pin.name]

        yield pull.Progress(
            fetching=lambda pin, got, size: bars.update(task(pin), completed=got, total=size),
            converting=lambda pin, files: bars.update(task(pin), files=f"{files} files"),
            skipped=lambda pin, skip: left_out.append((pin, skip)),
        )


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _counts(skipped: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in skipped.most_common()) or "none"


def _skipped_line(skip: Skipped) -> str:
    where = skip.path if skip.index is None else f"{skip.path}, exchange {skip.index}"
    return f"skipped {where}: {skip.reason}" + (f" ({skip.detail})" if skip.detail else "")
