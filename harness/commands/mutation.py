"""`wireproof mutation`: the kill matrix on a terminal, and as JSON beside the reports."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from harness.client import preload
from harness.conformance import USER_ERRORS
from harness.mutation.matrix import Fate, Hunt, Row, all_mutants, picker, tally
from harness.mutation.mutant import Mutant
from harness.mutation.proxy import MutatingProxy
from harness.plan import cases_of, plan, rules_of, suite_modules
from harness.session import LiveSession
from harness.settings import OPTIONS, Settings, add_options
from harness.toml_file import UserFileError
from harness.whole_file import write_whole

# What a run alone can be told: mutants are committed on the suites' own cases, a few exchanges each, one node being enough.
_OF_RUNS: Final = {"expectations", "recordings", "nodes", "storm_calls", "matrix", "run"}
_HERE: Final = tuple(option for option in OPTIONS if option.name not in _OF_RUNS)
_STORM_CALLS: Final = 100
_STYLE: Final = {Fate.KILLED: "green", Fate.OTHER: "yellow", Fate.SURVIVED: "bold red", Fate.NOT_EXERCISED: "magenta"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 every mutant is killed by its own check, 1 some are not, 2 could not run."
    add_options(parser, _HERE)
    for option in OPTIONS:
        if option.name in _OF_RUNS:  # taken, so that it can be refused by a sentence of its own
            parser.add_argument(option.flag, help=argparse.SUPPRESS, nargs="?", const="", dest=option.name)
    parser.add_argument("--only", metavar="TEXT", help="only mutants whose id or requirement contains this")


def main(arguments: argparse.Namespace) -> int:
    for option in OPTIONS:
        if option.name in _OF_RUNS and getattr(arguments, option.name) is not None:
            return _refused(f"{option.flag} is for `wireproof run` and means nothing to `wireproof mutation`: leave it out")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    mutants = tuple(mutant for mutant in all_mutants() if not arguments.only or arguments.only in f"{mutant.id} {mutant.requirement}")
    if not mutants:
        return _refused(f"no mutant's id or requirement contains {arguments.only!r}: leave --only out to see them all")
    try:
        settings = Settings.of({option.name: getattr(arguments, option.name) for option in _HERE}, options=_HERE, folder="mutation")
        _make(settings.out)  # rather now than after minutes
        rows = _hunt(replace(settings, storm_calls=_STORM_CALLS), mutants, console)
    except USER_ERRORS as error:
        return _refused(str(error))
    _print(console, rows)
    file = settings.out / "mutation.json"
    write_whole(file, _json(rows))
    counts = tally(rows)
    console.print(f"{len(rows)} mutants: " + ", ".join(f"{count} {fate}" for fate, count in counts.items()))
    unmutated = {rule.requirement.id for rule in rules_of(suite_modules())} - {mutant.requirement for mutant in all_mutants()}
    if unmutated and not arguments.only:
        console.print(f"[red]{len(unmutated)} requirements have no mutant: {', '.join(sorted(unmutated))}[/]")
    console.print(f"[dim]as JSON[/]  {file}", soft_wrap=True)
    clean = counts[Fate.KILLED] == len(rows) and not any(row.errored for row in rows) and (not unmutated or bool(arguments.only))
    return 0 if clean else 1


def _refused(sentence: str) -> int:
    sys.stderr.write(f"wireproof: {sentence}\n")
    return 2


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserFileError(f"nothing can be written into {folder} ({error.strerror}): give another folder by --out") from error


def _hunt(settings: Settings, mutants: tuple[Mutant, ...], console: Console) -> tuple[Row, ...]:
    modules = suite_modules()
    marked: dict[str, Mutant] = {}
    upstream: list[MutatingProxy] = []

    async def in_front(url: str, port: int) -> str:
        upstream.append(MutatingProxy(url, picker(marked)))
        await upstream[0].start(port)
        return upstream[0].url

    session = LiveSession(settings, in_front=in_front)
    session.open()
    try:
        offered = (each for each in plan(cases_of(modules), session.models) if session.offers(each))
        planned = tuple(each for each in offered if session.target.lacks(each.case) is None)
        preload(sorted({client for each in planned for client in each.case.clients}))
        hunt = Hunt(session, planned, rules_of(modules), upstream[0], marked)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("mutants", total=len(mutants))
            return session.run(hunt.run(mutants, lambda _: progress.advance(task)))
    finally:
        if upstream:
            session.run(upstream[0].stop())
        session.close()


def _print(console: Console, rows: tuple[Row, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("mutant", "breaks", "fate", "noticed also by"):
        table.add_column(column, overflow="fold")
    for row in sorted(rows, key=lambda row: (row.fate is Fate.KILLED, row.mutant.requirement, row.mutant.id)):
        also = ", ".join(row.also[:3]) + (f" and {len(row.also) - 3} more" if len(row.also) > 3 else "")
        table.add_row(
            row.mutant.id, row.mutant.requirement, f"[{_STYLE[row.fate]}]{row.fate}[/]" + (f" ({row.why})" if row.why else ""), also
        )
    console.print(table)
    for row in rows:
        for reason in row.errored:
            console.print(f"[red]wireproof's own fault at {row.mutant.id}: {reason}[/]")


def _json(rows: tuple[Row, ...]) -> bytes:
    document = [
        {
            "mutant": row.mutant.id,
            "requirement": row.mutant.requirement,
            "text": row.mutant.text,
            "leg": row.mutant.leg,
            "fate": row.fate,
            "driven": row.driven,
            "finding": str(row.finding) if row.finding else None,
            "also": row.also,
            "errored": row.errored,
            "why": row.why,
        }
        for row in rows
    ]
    return (json.dumps(document, indent=1) + "\n").encode()
