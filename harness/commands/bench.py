"""`wireproof bench`: what a gateway, the judging and a whole run cost on this machine, as ratios."""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console, RenderableType

from harness.bench import suites, table, translated, wire
from harness.bench.document import of_wire
from harness.bench.processes import BenchError
from harness.whole_file import write_whole

_WHAT: Final = ("wire", "translated", "conformance", "judging")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "All on loopback, about three minutes in all. A ratio is only as good as its round: machines swing, so compare figures of one run, "
        "and trust CPU time before requests a second. Exit codes: 0 measured, whatever came of it, 2 could not run."
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="interleaved rounds, of which medians are taken (default: 3)")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S", help="length of one measurement on the wire (default: 0.5)")
    parser.add_argument("--only", choices=_WHAT, action="append", help="only this part; may be given again")
    parser.add_argument("--select", metavar="EXPRESSION", help="pytest's -k for the runs of conformance and judging; without it everything")
    parser.add_argument("--litellm", metavar="PROGRAM", help="LiteLLM's `litellm`, in an environment of its own, to be measured beside")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there")


def main(arguments: argparse.Namespace) -> int:
    console = Console()
    document: dict[str, Any] = {"wireproof_bench": 1, "machine": _machine(), "rounds": arguments.rounds, "seconds": arguments.seconds}
    try:
        if arguments.rounds < 1 or not 0 < arguments.seconds <= 60:
            raise BenchError("--rounds takes a whole number from 1, --seconds a number up to 60")
        if arguments.litellm and shutil.which(arguments.litellm) is None:
            raise BenchError(f"there is no program {arguments.litellm}: name LiteLLM's `litellm`, or leave --litellm out")
        if arguments.json:
            _make(arguments.json.parent, arguments.json)  # rather now than after minutes
        console.print(_about(document["machine"]), style="dim", highlight=False)
        with console.status("starting") as status:

            def show(part: RenderableType) -> None:
                console.print()
                console.print(part)

            _measure(arguments, document, show, status.update)
        if arguments.json:
            write_whole(arguments.json, (json.dumps(document, indent=1) + "\n").encode())
    except (BenchError, OSError) as error:
        sys.stderr.write(f"wireproof: {error}\n")
        return 2
    return 0


def _make(folder: Path, file: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"--json {file} cannot be written ({error.strerror}): give another file") from error


def _measure(
    arguments: argparse.Namespace, document: dict[str, Any], show: Callable[[RenderableType], None], tell: Callable[[str], None]
) -> None:
    chosen = arguments.only or _WHAT
    rounds, seconds = arguments.rounds, arguments.seconds
    if "wire" in chosen:
        measured = wire.measure(rounds=rounds, seconds=seconds, litellm_program=arguments.litellm, tell=tell)
        document["wire"] = of_wire(measured)
        show(table.of_wire(measured, rounds, seconds))
    if "translated" in chosen:
        ways = translated.measure(rounds=rounds, seconds=seconds, tell=tell)
        document["translated"] = translated.document(ways)
        show(translated.table(ways, rounds, seconds))
    if "conformance" not in chosen and "judging" not in chosen:
        return
    words = ["-k", arguments.select] if arguments.select else []
    with TemporaryDirectory(prefix="wireproof-bench-") as folder:
        driven, run = suites.drive(Path(folder), words, tell)  # judging needs its run file, chosen or not
        if "conformance" in chosen:
            document["conformance"] = asdict(driven)
            show(table.of_conformance(driven))
        if "judging" in chosen:
            # Half as many rounds: each takes many times as long as one on the wire, and differs less from the next.
            rejudged = suites.rejudge(run, max(1, rounds // 2), Path(folder), words, tell)
            document["judging"] = asdict(rejudged)
            show(table.of_judging(rejudged))


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,  # of the last minute, before the bench began
    }


def _about(machine: dict[str, Any]) -> str:
    busy = machine["load"] is not None and machine["load"] > machine["cpus"] / 4
    said = f"{machine['system']}, {machine['cpus']} CPUs, Python {machine['python']}, load {machine['load']}"
    return said + (": others are working here, so figures of time are disturbed; CPU least so" if busy else "")
