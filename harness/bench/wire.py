"""Native chat through the reference gateway, nginx and a bare relay, all before the same vendor, in interleaved rounds."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from harness.bench import nginx, talk
from harness.bench.figures import Scenario, Series
from harness.bench.load import Figures, Job
from harness.bench.processes import BenchError, Cores, Process

GATEWAY: Final = "gateway"
NGINX: Final = "nginx"
RELAY: Final = "relay"
DIRECT: Final = "direct"  # the load generator straight to the vendor: what added latency is added to
_MODEL: Final = "gpt-5-4"
_PACED_AT_ONCE: Final = 50
_TAIL: Final = 15  # chunks by which a paced stream outlives its measurement

PLAIN: Final = Scenario(name="plain", text="non-streamed chat, 16 connections", what="plain", chunks=0, connections=16)
ONE: Final = Scenario(name="one", text="non-streamed chat, 1 connection", what="plain", chunks=0, connections=1)
BULK: Final = Scenario(name="bulk", text="streams of 200 chunks sent at once, 16 connections", what="bulk", chunks=200, connections=16)
PACED: Final = Scenario(
    name="paced",
    text=f"{_PACED_AT_ONCE} streams at once, a chunk every {talk.PACE_S * 1000:.0f} ms in each",
    what="paced",
    chunks=_TAIL,
    connections=_PACED_AT_ONCE,
)
SCENARIOS: Final = (PLAIN, ONE, BULK, PACED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What came of it. `nginx` is False where it is not installed."""

    series: tuple[Series, ...]
    nginx: bool
    pinned: bool  # the target on one core, load generator and vendor on others


def measure(*, rounds: int, seconds: float, tell: Callable[[str], None] = lambda _: None) -> Wire:
    """Raises BenchError."""
    cores = Cores.of_machine()
    series = tuple(Series(scenario=scenario) for scenario in SCENARIOS)
    with _stand(cores) as (load, vendor, targets):
        for number in range(rounds):
            turn = number % len(targets)  # no target is always the one after nginx
            order = [*targets[turn:], *targets[:turn]]
            for one in series:
                for process, key in order:
                    tell(f"round {number + 1} of {rounds}: {one.scenario.text}, {process.name}")
                    told = load.ask(asdict(_job(one.scenario, process, key, vendor.pid, seconds)))
                    if "wrong" in told:
                        raise BenchError(f"{process.name} cannot be measured ({one.scenario.text}): {told['wrong']}")
                    name = DIRECT if process is vendor else process.name
                    one.rounds.setdefault(name, []).append(Figures(**told))
    return Wire(series=series, nginx=nginx.find() is not None, pinned=bool(cores.target))


def _job(scenario: Scenario, process: Process, key: str, vendor_pid: int, seconds: float) -> Job:
    paced = scenario.what == talk.What.PACED
    return Job(
        url=process.url,
        key=key,
        model=_MODEL,
        what=scenario.what,
        chunks=scenario.chunks + (math.ceil(seconds / talk.PACE_S) if paced else 0),
        connections=scenario.connections,
        seconds=seconds,
        pid=process.pid,
        vendor_pid=vendor_pid,
    )


@contextmanager
def _stand(cores: Cores) -> Iterator[tuple[Process, Process, list[tuple[Process, str]]]]:
    """Load generator, vendor, and what is measured with the key it wants; all stopped at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="wireproof-bench-")))

        def start(name: str, cpus: frozenset[int], *words: str, url: str | None = None) -> Process:
            process = Process(name, words, folder, cpus, url=url)
            stack.callback(process.stop)
            return process

        vendor = start("vendor", cores.load, sys.executable, "-m", "harness.bench.vendor")
        targets = [(vendor, "none")]
        if program := nginx.find():
            words, url = nginx.command(program, vendor.url, folder)
            targets.append((start(NGINX, cores.target, *words, url=url), "none"))
        targets.append((start(RELAY, cores.target, sys.executable, "-m", "harness.bench.relay", vendor.url), "none"))
        # Its own process and its own code: the harness knows the reference gateway by its command only.
        words = (sys.executable, "-m", "reference_gateway", "--demo-upstream", vendor.url, "--port", "0")
        gateway = start(GATEWAY, cores.target, *words)
        targets.append((gateway, gateway.told["keys"][0]))
        load = Process("load generator", (sys.executable, "-m", "harness.bench.load"), folder, cores.load, url="none")
        stack.callback(load.stop)
        yield load, vendor, targets
