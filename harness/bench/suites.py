"""A whole run of the suites, split into its parts, and a stored run judged again: both as a user starts them, in a fresh process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.bench import clock
from harness.bench.processes import BenchError, Cores, kept_to
from harness.runfile import RunFileError, read_run

_IMPORT = """
import time
from harness.case import Client
from harness.client import preload
began = time.perf_counter()
preload(Client)
print(time.perf_counter() - began)
"""
_ENDED = (0, 1)  # exit codes of a run that was judged, green or red


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """One `wireproof run`."""

    wall_s: float  # of the process, from its start to its end
    parts_s: dict[str, float]  # by clock.PARTS; they add up to all but the interpreter's last moments
    sdk_import_s: float  # of all SDKs, in a process that does nothing else; a run imports them beside its start
    exchanges: int
    verdicts: int
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """The rounds of `wireproof run --run FILE`, and of json.loads of that file's lines between them, on the same core."""

    wall_s: tuple[float, ...]
    judge_s: tuple[float, ...]  # without the start of pytest and the report
    json_s: tuple[float, ...]
    exchanges: int
    verdicts: int
    size_bytes: int


def drive(folder: Path, words: Sequence[str], tell: Callable[[str], None] = lambda _: None) -> tuple[Driven, Path]:
    """A run with what ships, into the folder. Gives its run file too. Raises BenchError."""
    tell("a whole run of the suites")
    wall_s, parts, code = _wireproof(folder, ["--out", str(folder), *words])
    file = folder / "run.jsonl"
    exchanges, verdicts = _counts(file)
    tell("import of the SDKs")
    imported = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True).stdout
    return Driven(wall_s=wall_s, parts_s=parts, sdk_import_s=float(imported), exchanges=exchanges, verdicts=verdicts, exit_code=code), file


def rejudge(run: Path, rounds: int, folder: Path, words: Sequence[str], tell: Callable[[str], None] = lambda _: None) -> Rejudged:
    """Raises BenchError."""
    exchanges, verdicts = _counts(run)
    walls, judging, reading = [], [], []
    with kept_to(Cores.of_machine().target):
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}: the stored run judged again")
            wall_s, parts, _ = _wireproof(folder, ["--run", str(run.absolute()), *words])
            walls.append(wall_s)
            judging.append(parts["drive"] + parts["judge"])  # nothing is driven: it is where an exchange is read from its line
            reading.append(_read_lines(run))
    return Rejudged(
        wall_s=tuple(walls),
        judge_s=tuple(judging),
        json_s=tuple(reading),
        exchanges=exchanges,
        verdicts=verdicts,
        size_bytes=run.stat().st_size,
    )


def _read_lines(run: Path) -> float:
    """Seconds that json.loads takes for each line, the file being in memory."""
    lines = run.read_bytes().splitlines()
    began = time.perf_counter()
    for line in lines:
        json.loads(line)
    return time.perf_counter() - began


def _wireproof(folder: Path, words: Sequence[str]) -> tuple[float, dict[str, float], int]:
    """Wall seconds, seconds by part, exit code. What it prints is kept for the one sentence that says why it failed."""
    file = folder / "clock.json"
    file.unlink(missing_ok=True)
    began = time.monotonic()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WIREPROOF_")},  # the default run, whatever is exported
        clock.FILE: str(file),
        clock.BEGAN: repr(began),
    }
    command = [sys.executable, "-m", "harness.cli", "run", "-pharness.bench.clock", "-pno:cacheprovider", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall_s = time.monotonic() - began
    if done.returncode not in _ENDED or not file.exists():
        raise BenchError(f"`wireproof run` ended with exit code {done.returncode}: {_last_words(done)}")
    return wall_s, json.loads(file.read_text()), done.returncode


def _last_words(done: "subprocess.CompletedProcess[str]") -> str:
    """The line that says most likely why: pytest ends an internal error with a count of tests."""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return next((line for line in reversed(said) if "Error" in line), said[-1] if said else "it said nothing")


def _counts(run: Path) -> tuple[int, int]:
    try:
        found = read_run(run)
    except RunFileError as error:
        raise BenchError(str(error)) from error
    return len(found.exchanges), len(found.verdicts)
