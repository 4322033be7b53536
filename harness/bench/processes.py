"""The processes of the bench: started, kept to a core where the system lets us, and their CPU time read."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.child import end
from harness.toml_file import UserFileError


class BenchError(UserFileError):
    """The bench cannot run here; the message says why, and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Which CPUs what is measured and what measures it are kept to; empty where the system cannot do that or has only one."""

    target: frozenset[int]
    load: frozenset[int]

    @classmethod
    def of_machine(cls) -> "Cores":
        if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
            return cls(target=frozenset(), load=frozenset())
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(target=frozenset({first}), load=frozenset(others[:2]))


@contextmanager
def kept_to(cpus: frozenset[int]) -> Iterator[None]:
    """Processes that are started inside run on these CPUs only."""
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process, all its threads, in steps of ns; None where the system does not tell."""
    if platform.system() == "Linux":
        # The clock of another process: (~pid << 3) | CPUCLOCK_SCHED, as clock_getcpuclockid(3) makes it. /proc/PID/stat counts in 10 ms.
        return time.clock_gettime((~pid << 3) | 2)
    return None


def memory_of(pid: int) -> float | None:
    """MB of a process: its proportional set size; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), None)


class Process:
    """One helper process. It says where it listens in its first line, as JSON, unless `url` is known beforehand.

    What one that does not talk to us prints goes to its log.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        folder: Path,
        cpus: frozenset[int],
        *,
        url: str | None = None,
        environment: Mapping[str, str] | None = None,
        talks: bool = True,
    ) -> None:
        self.name = name
        self.began = time.monotonic()
        self._log = folder / f"{name}.log"
        with kept_to(cpus), self._log.open("wb") as said:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else said,
                stderr=said,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        try:
            self.told: dict[str, Any] = {"listening": url} if url else self.read()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return str(self.told["listening"])

    def read(self) -> dict[str, Any]:
        """Its next line. Raises BenchError when it ended instead."""
        assert self._process.stdout is not None
        try:
            found: dict[str, Any] = json.loads(self._process.stdout.readline())
        except ValueError:
            raise BenchError(f"the bench's {self.name} stopped: {self.last_words()}") from None
        return found

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"the bench's {self.name} stopped: {self.last_words()}") from None
        return self.read()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def last_words(self) -> str:
        said = self._log.read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "it said nothing"

    def stop(self) -> None:
        end(self._process)
