"""`nox -s record`: the scenarios asked of a vendor through mitmdump, by its official SDK, each answer kept as a recording.

A real vendor's recordings are labelled `captured`. `--vendor scripted` plays them from our own script instead, labelled `synthetic`:
so the recordings that ship are made.
"""

import argparse
import asyncio
import contextlib
import fnmatch
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from harness.recording import calls, mitmdump
from harness.recording.format import SUFFIX, End, Origin, RecordingError, load, save
from harness.recording.scenarios import SCENARIOS
from harness.recording.scenarios.scenario import Scenario

# The capture add-on knows these two by the same names; it cannot be imported outside of mitmdump.
ID_HEADER: Final = "x-wireproof-recording"
VENDOR_HEADER: Final = "x-wireproof-vendor"
HOST_HEADER: Final = "x-wireproof-host"
SCRIPTED: Final = "scripted"


class RecordError(Exception):
    """Recording cannot begin; the message says in one sentence what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A real vendor: how it is named in recordings, where it is, and which variable has its key."""

    name: str
    base_url: str
    key_variable: str


VENDORS: Final = {
    "anthropic": Vendor(name="anthropic", base_url="https://api.anthropic.com", key_variable="ANTHROPIC_API_KEY"),
    "openai": Vendor(name="openai", base_url="https://api.openai.com/v1", key_variable="OPENAI_API_KEY"),
    "gemini": Vendor(name="google", base_url="https://generativelanguage.googleapis.com", key_variable="GEMINI_API_KEY"),
}
_SCRIPTED_HOSTS: Final = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "google": "generativelanguage.googleapis.com",
    "deepseek": "api.deepseek.com",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who answers in this run."""

    vendor: str
    base_url: str
    key: str
    scripted: bool
    ca: Path | None = None

    @property
    def origin(self) -> Origin:
        return Origin.SYNTHETIC if self.scripted else Origin.CAPTURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One scenario that gave no recording worth keeping."""

    scenario: str
    says: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--vendor", choices=[*VENDORS, SCRIPTED], help="who is recorded (default: the one whose key is set)")
    parser.add_argument("--base-url", help="another address of the vendor, for example of a proxy that serves it")
    parser.add_argument("--out", type=Path, default=Path("recordings"), help="root of the recordings (default: recordings)")
    parser.add_argument("--scenarios", default="*", metavar="GLOB", help="only those whose id matches, for example 'messages/tools*'")
    parser.add_argument("--concurrency", type=int, default=0, help="calls at a time (default: 2, scripted 4)")
    parser.add_argument("--prune", action="store_true", help="with --vendor scripted: delete recordings that no scenario makes any more")


def main(args: argparse.Namespace) -> int:
    """0: all recorded; 1: some were not, each is named; 2: could not begin, said in one sentence."""
    console = Console(stderr=True)
    try:
        problems, kept = asyncio.run(_run(args, console))
    except (RecordError, mitmdump.MitmdumpError, RecordingError) as error:
        print(f"wireproof: {error}", file=sys.stderr)  # noqa: T201  # a command talks
        return 2
    for problem in problems:
        print(f"wireproof: {problem.scenario}: {problem.says}", file=sys.stderr)  # noqa: T201
    print(f"{kept} recorded into {args.out}, {len(problems)} not")  # noqa: T201
    return 1 if problems else 0


async def _run(args: argparse.Namespace, console: Console) -> tuple[list[Problem], int]:
    async with _source(args) as source:
        wanted = chosen(source, args.scenarios)
        _make(args.out)
        python = await asyncio.to_thread(mitmdump.ensure_environment, console.print)
        calls.import_sdks({scenario.vendor for scenario in wanted})
        with _progress(console, len(wanted)) as advance:
            problems = await record(source, wanted, args.out, python, concurrency=args.concurrency, advance=advance)
    if args.prune and source.scripted:
        _prune(args.out)
    return problems, len(wanted) - len(problems)


def choose_vendor(named: str | None) -> str:
    """The vendor asked for, or the one whose key is set. Raises RecordError where none is."""
    if named == SCRIPTED:
        return SCRIPTED
    able = [name for name in ([named] if named else VENDORS) if os.environ.get(VENDORS[name].key_variable)]
    if able:
        return able[0]
    needed = " or ".join(VENDORS[name].key_variable for name in ([named] if named else VENDORS))
    raise RecordError(f"No vendor key is set: export {needed} with a key of yours, or record our own script with --vendor scripted.")


@contextlib.asynccontextmanager
async def _source(args: argparse.Namespace) -> AsyncIterator[Source]:
    name = choose_vendor(args.vendor)
    if name != SCRIPTED:
        vendor = VENDORS[name]
        base_url = args.base_url or vendor.base_url
        if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
            raise RecordError(f"{base_url} is no base URL: give one that begins with https:// and names a host.")
        yield Source(vendor=vendor.name, base_url=base_url, key=os.environ[vendor.key_variable], scripted=False)
        return
    try:
        from harness.recording import vendor as scripted
    except ImportError as error:
        raise RecordError(f"The scripted vendor needs {error.name}: install the project's development dependencies.") from error
    with tempfile.TemporaryDirectory(prefix="wireproof-vendor-") as folder:
        authority = scripted.make_authority(Path(folder))
        async with scripted.serving(scripted.Vendor(), authority.server) as address:
            yield Source(vendor=SCRIPTED, base_url=address, key="key-of-the-scripted-vendor", scripted=True, ca=authority.ca)


def chosen(source: Source, glob: str) -> list[Scenario]:
    """The scenarios that this source can play and the caller wants."""
    able = [scenario for scenario in SCENARIOS if source.scripted or (scenario.live and scenario.vendor == source.vendor)]
    wanted = [scenario for scenario in able if fnmatch.fnmatchcase(scenario.id, glob)]
    if not wanted:
        raise RecordError(f"No scenario of {source.vendor} matches {glob!r}: leave --scenarios out, or give a glob such as 'messages/*'.")
    return wanted


async def record(
    source: Source, scenarios: Sequence[Scenario], out: Path, python: Path, *, concurrency: int = 0, advance: Callable[[str], None]
) -> list[Problem]:
    """Records into a folder beside `out` first, and moves what is good into its place."""
    staging = _staging(out)
    upstream = urlsplit(source.base_url)
    front = mitmdump.Front(
        upstream=f"{upstream.scheme}://{upstream.netloc}",
        out=staging,
        vendor=source.vendor,
        origin=source.origin,
        recorder=f"wireproof {_version()}",
        ca=source.ca,
    )
    limit = asyncio.Semaphore(concurrency or (4 if source.scripted else 2))
    raised: dict[str, Exception] = {}
    try:
        async with mitmdump.running(front, python) as address, calls.caller(address, source.base_url, source.key) as caller:

            async def one(scenario: Scenario) -> None:
                async with limit:
                    if error := await calls.call(scenario, caller, _headers(scenario, source)):
                        raised[scenario.id] = error
                    advance(scenario.id)

            async with asyncio.TaskGroup() as group:
                for scenario in scenarios:
                    group.create_task(one(scenario))
        return [problem for scenario in scenarios if (problem := _keep(scenario, staging, out, source, raised.get(scenario.id)))]
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{out} cannot be made ({error.strerror}): give another folder by --out.") from error


def _staging(out: Path) -> Path:
    _make(out)
    try:
        return Path(tempfile.mkdtemp(prefix=".recording-", dir=out))
    except OSError as error:
        raise RecordError(f"{out} cannot be written ({error.strerror}): give another folder by --out.") from error


def _headers(scenario: Scenario, source: Source) -> dict[str, str]:
    if not source.scripted:
        return {ID_HEADER: scenario.id}
    from harness.recording.vendor import SCENARIO_HEADER

    names = {VENDOR_HEADER: scenario.vendor, HOST_HEADER: _SCRIPTED_HOSTS[scenario.vendor]}
    return {ID_HEADER: scenario.id, SCENARIO_HEADER: scenario.id, **names}


def _keep(scenario: Scenario, staging: Path, out: Path, source: Source, raised: Exception | None) -> Problem | None:
    """Moves a recording into its place, or says why it is not worth keeping."""
    path = staging / (scenario.id + SUFFIX)
    if not path.exists():
        told = f"{type(raised).__name__}: {raised}" if raised else "the call ended before an answer began"
        return Problem(scenario=scenario.id, says=f"nothing was recorded ({told})")
    recording = load(path, staging)
    if recording.status != scenario.status:
        told = recording.body[:200].decode(errors="replace")
        return Problem(scenario=scenario.id, says=f"answered with status {recording.status}, wanted {scenario.status}: {told}")
    if recording.end is not End.EOF:
        return Problem(scenario=scenario.id, says=f"the answer ended by {recording.end}: record it again")
    if source.scripted and recording.body != scenario.body:
        return Problem(scenario=scenario.id, says="the body is not what the script wrote: something between changed it")
    if raised:
        return Problem(scenario=scenario.id, says=f"the SDK could not read it ({type(raised).__name__}: {raised})")
    save(recording, out)
    return None


def _prune(out: Path) -> None:
    known = {scenario.id for scenario in SCENARIOS}
    for path in out.rglob(f"*{SUFFIX}"):
        if path.relative_to(out).as_posix().removesuffix(SUFFIX) not in known:
            path.unlink()


def _version() -> str:
    try:
        return importlib.metadata.version("wireproof")
    except importlib.metadata.PackageNotFoundError:  # a checkout that was never installed
        return "from a checkout"


@contextlib.contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[str], None]]:
    columns = (TextColumn("recording"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda name: progress.update(task, advance=1, description=name)


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(prog="record", description=__doc__)
    add_arguments(_parser)
    sys.exit(main(_parser.parse_args()))
