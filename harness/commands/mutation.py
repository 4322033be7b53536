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

_STORM_CALLS: Final = 100
_STYLE: Final = {Fate.KILLED: "green", Fate.OTHER: "yellow", Fate.SURVIVED: "bold red", Fate.NOT_EXERCISED: "magenta"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 every mutant is killed by its own check, 1 some are not, 2 could not run."
    add_options(parser, stored=False)
    parser.add_argument("--only", metavar="TEXT", help="only mutants whose id or requirement contains this")


def main(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    mutants = tuple(mutant for mutant in all_mutants() if not arguments.only or arguments.only in f"{mutant.id} {mutant.requirement}")
    if not mutants:
        sys.stderr.write(f"wireproof: no mutant's id or requirement contains {arguments.only!r}: leave --only out to see them all\n")
        return 2
    try:
        settings = Settings.of({option.name: getattr(arguments, option.name, None) for option in OPTIONS})
        settings = replace(settings, storm_calls=settings.storm_calls or _STORM_CALLS)
        rows = _hunt(settings, mutants, console)
    except USER_ERRORS as error:
        sys.stderr.write(f"wireproof: {error}\n")
        return 2
    _print(console, rows)
    _write(settings.out / "mutation.json", rows)
    counts = tally(rows)
    console.print(f"{len(rows)} mutants: " + ", ".join(f"{count} {fate}" for fate, count in counts.items()))
    unmutated = {rule.requirement.id for rule in rules_of(suite_modules())} - {mutant.requirement for mutant in all_mutants()}
    if unmutated and not arguments.only:
        console.print(f"[red]{len(unmutated)} requirements have no mutant: {', '.join(sorted(unmutated))}[/]")
    clean = counts[Fate.KILLED] == len(rows) and not any(row.errored for row in rows) and (not unmutated or bool(arguments.only))
    return 0 if clean else 1


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
        preload(sorted({each.case.client for each in planned}))
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


def _write(path: Path, rows: tuple[Row, ...]) -> None:
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
