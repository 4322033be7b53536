"""Native chat through the reference gateway, nginx, a bare relay and, where it is installed, LiteLLM.

All before the same vendor, in interleaved rounds.
"""

import http.client
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

from harness.bench import gateway, litellm, nginx, talk
from harness.bench.figures import Scenario, Series
from harness.bench.load import Figures, Job
from harness.bench.processes import BenchError, Cores, Process

GATEWAY: Final = "gateway"
FULL: Final = "gateway, full"  # each group of the ledger's rows is on the disk before anything depends on it
NGINX: Final = "nginx"
RELAY: Final = "relay"
LITELLM: Final = "litellm"
DIRECT: Final = "direct"  # the load generator straight to the vendor: what added latency is added to
_PACED_AT_ONCE: Final = 50
_SLOW_AT_ONCE: Final = 200
_TAIL: Final = 15  # chunks by which a paced stream outlives its measurement
_STARTS: Final = 3
_START_S: Final = 120.0  # LiteLLM takes some twenty

PLAIN: Final = Scenario(name="plain", text="non-streamed chat, 64 connections", what="plain", chunks=0, connections=64)
ONE: Final = Scenario(name="one", text="non-streamed chat, 1 connection", what="plain", chunks=0, connections=1)
BIG: Final = Scenario(
    name="big", text="non-streamed chat, a prompt of 200 KB, 8 connections", what="plain", chunks=0, connections=8, times=4750
)
BULK: Final = Scenario(name="bulk", text="streams of 200 chunks sent at once, 16 connections", what="bulk", chunks=200, connections=16)
PACED: Final = Scenario(
    name="paced",
    text=f"{_PACED_AT_ONCE} streams at once, a chunk every {talk.PACE_S * 1000:.0f} ms in each",
    what="paced",
    chunks=_TAIL,
    connections=_PACED_AT_ONCE,
)
SLOW: Final = Scenario(
    name="slow",
    text=f"{_SLOW_AT_ONCE} streams at once, a chunk every {talk.SLOW_PACE_S * 1000:.0f} ms in each",
    what="slow",
    chunks=_TAIL,
    connections=_SLOW_AT_ONCE,
)
SCENARIOS: Final = (PLAIN, ONE, BIG, BULK, PACED, SLOW)
# What the durable ledger costs shows where each request is a transaction; LiteLLM cannot keep up with the others' streams.
ONLY: Final = {FULL: (PLAIN, ONE), LITELLM: (PLAIN, ONE), DIRECT: (PLAIN, ONE, BIG, BULK, PACED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What came of it. `nginx` is False where it is not installed."""

    series: tuple[Series, ...]
    start_s: dict[str, float]  # from the start of a process to its first answer from the vendor, median
    nginx: bool
    pinned: bool  # the target on one core, load generator and vendor on others


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is measured, and what it wants of a caller."""

    name: str
    process: Process
    key: str = "none"
    exact: bool = True

    def measured_in(self, scenario: Scenario) -> bool:
        return scenario in ONLY.get(self.name, SCENARIOS)


def measure(*, rounds: int, seconds: float, litellm_program: str | None = None, tell: Callable[[str], None] = lambda _: None) -> Wire:
    """Raises BenchError."""
    cores = Cores.of_machine()
    series = tuple(Series(scenario=scenario) for scenario in SCENARIOS)
    with _stand(cores, litellm_program, min(_STARTS, rounds), tell) as (load, vendor, targets, start_s):
        for number in range(rounds):
            turn = number % len(targets)  # no target is always the one after nginx
            order = [*targets[turn:], *targets[:turn]]
            for one in series:
                for target in order:
                    if not target.measured_in(one.scenario):
                        continue
                    tell(f"round {number + 1} of {rounds}: {one.scenario.text}, {target.name}")
                    told = load.ask(asdict(_job(one.scenario, target, vendor.pid, seconds)))
                    if "wrong" in told:
                        raise BenchError(f"{target.name} cannot be measured ({one.scenario.text}): {told['wrong']}")
                    one.rounds.setdefault(target.name, []).append(Figures(**told))
    return Wire(series=series, start_s=start_s, nginx=nginx.find() is not None, pinned=bool(cores.target))


def _job(scenario: Scenario, target: Target, vendor_pid: int, seconds: float) -> Job:
    pace_s = talk.What(scenario.what).pace_s
    return Job(
        url=target.process.url,
        key=target.key,
        model=gateway.MODEL,
        what=scenario.what,
        chunks=scenario.chunks + (math.ceil(seconds / pace_s) if pace_s else 0),
        connections=scenario.connections,
        seconds=seconds,
        pid=target.process.pid,
        vendor_pid=vendor_pid,
        times=scenario.times,
        exact=target.exact,
    )


@contextmanager
def _stand(
    cores: Cores, litellm_program: str | None, starts: int, tell: Callable[[str], None]
) -> Iterator[tuple[Process, Process, list[Target], dict[str, float]]]:
    """Load generator, vendor, what is measured, and how long each took to start; all stopped at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="wireproof-bench-")))
        start_s: dict[str, float] = {}

        def start(name: str, *words: str, key: str = "none", times: int = 1, **how: Any) -> Target:
            """The last of so many starts stays up."""
            took = []
            for number in range(times):
                tell(f"start of {name}")
                process = Process(name, words, folder, cores.target, **how)
                try:
                    took.append(_first_answer(process, key))
                except BaseException:
                    process.stop()
                    raise
                if number < times - 1:
                    process.stop()
            stack.callback(process.stop)
            start_s[name] = statistics.median(took)
            return Target(name=name, process=process, key=key, exact=name != LITELLM)

        vendor = Process("vendor", (sys.executable, "-m", "harness.bench.vendor"), folder, cores.load)
        stack.callback(vendor.stop)
        targets = [Target(name=DIRECT, process=vendor)]
        if program := nginx.find():
            words, url = nginx.command(program, vendor.url, folder)
            targets.append(start(NGINX, *words, url=url, talks=False))
        targets.append(start(RELAY, sys.executable, "-m", "harness.bench.relay", vendor.url))
        for name, synchronous, times in ((GATEWAY, "normal", starts), (FULL, "full", 1)):
            words, key = gateway.command(vendor.url, folder, synchronous, synchronous)
            targets.append(start(name, *words, key=key, times=times))
        if litellm_program is not None:
            words, url = litellm.command(litellm_program, vendor.url, folder)
            targets.append(start(LITELLM, *words, key=litellm.KEY, url=url, talks=False, environment=litellm.ENVIRONMENT))
        load = Process("load generator", (sys.executable, "-m", "harness.bench.load"), folder, cores.load, url="none")
        stack.callback(load.stop)
        yield load, vendor, targets, start_s


def _first_answer(process: Process, key: str) -> float:
    """Seconds from the start of the process to its first answer from the vendor. Raises BenchError."""
    where = urlsplit(process.url)
    raw = talk.request(host=where.netloc, key=key, model=gateway.MODEL, what=talk.What.PLAIN, chunks=0)
    body = raw.partition(b"\r\n\r\n")[2]
    said = "nothing"
    while time.monotonic() - process.began < _START_S and not process.ended:
        connection = http.client.HTTPConnection(where.netloc, timeout=20)
        try:
            connection.request("POST", talk.PATH, body, {"authorization": f"Bearer {key}", "content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200 and talk.TEXT.encode() in text:
                return time.monotonic() - process.began
            said = f"status {answer.status}"
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise BenchError(f"{process.name} gave no answer of the vendor's ({said}): {process.last_words()}")
