"""What a person sees when a run ends: what broke, the arithmetic, and where the report is."""

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

from harness.judged import ExitCode, Standing, exit_code, never_judged, too_late
from harness.report.markdown import money
from harness.report.matrix import WORST_FIRST, Broken, broken, origins
from harness.report.words import detail, headline, place, plural, replay_command, single_line
from harness.runfile import Run

_MOST: Final = 15  # requirements told; the report has them all
_LONGEST: Final = 200
_STYLE: Final = {
    Standing.PASSED: "green",
    Standing.FAILED: "bold red",
    Standing.UNEXPECTED_PASS: "bold yellow",
    Standing.ERRORED: "bold yellow",
    Standing.FLAKY: "magenta",
    Standing.EXPECTED: "red",
    Standing.INCONCLUSIVE: "cyan",
    Standing.NOT_APPLICABLE: "dim",
}
_ENDED: Final = {ExitCode.AS_EXPECTED: "bold green", ExitCode.FINDINGS: "bold red", ExitCode.COULD_NOT_RUN: "bold yellow"}


def print_summary(run: Run, console: Console | None = None, *, run_file: str, reports: Iterable[str] = ()) -> None:
    """`run_file` and `reports` are told as they are given. Colours are rich's business: only on a terminal, none with NO_COLOR."""
    console = console or Console(highlight=False)
    for text in _lines(run, run_file, tuple(reports)):
        console.print(text, soft_wrap=True)


def _lines(run: Run, run_file: str, reports: tuple[str, ...]) -> Iterable[Text]:
    red = broken(run)
    for each in red[:_MOST]:
        yield from _told(run, each, run_file)
    if len(red) > _MOST:
        yield Text(f"and {plural(len(red) - _MOST, 'more requirement')}, in the report\n")
    unjudged = never_judged(run.verdicts)
    if unjudged:
        yield Text(
            f"Met nothing to judge on any case: {', '.join(unjudged[:_MOST])}{', …' if len(unjudged) > _MOST else ''}\n", style="cyan"
        )
    if late := too_late(run.verdicts):
        yield Text(f"Could not be judged in time: {', '.join(late[:_MOST])}{', …' if len(late) > _MOST else ''}\n", style="cyan")
    yield _arithmetic(run)
    rests = ", ".join(f"{count:,} {'no recording' if origin == 'none' else origin}" for origin, count in origins(run).items())
    sums = run.arithmetic
    yield Text(
        f"{plural(sums.driven, 'exchange')} driven, {plural(sums.calls_made, 'call')} made, {plural(sums.tokens, 'token')}, "
        f"{money(sums.spent_micro_usd)} spent; verdicts rest on {rests or 'nothing'}",
        style="dim",
    )
    yield Text(headline(run), style=_ENDED[exit_code(run.arithmetic, complete=run.complete)])
    for where in reports:
        yield Text.assemble(("report  ", "dim"), where)
    yield Text.assemble(("run file  ", "dim"), run_file)


def _told(run: Run, each: Broken, run_file: str) -> Iterable[Text]:
    first = each.verdicts[0]
    yield Text.assemble((f"{each.standing} ", _STYLE[each.standing]), (each.requirement, "bold"), (f"  {each.severity}", "dim"))
    yield _indented(Text(run.requirements[each.requirement].text, style="dim"))
    where = f"{single_line(first.case)} on {single_line(first.model)}"
    finding = each.first_finding
    if finding is None:
        yield _indented(Text(f"{where}: {_short(detail(first))}"))
    else:
        yield _indented(Text(f"{where}, {single_line(place(finding))}"))
        yield _indented(Text.assemble(("expected ", "dim"), _short(finding.expected)))
        yield _indented(Text.assemble(("got      ", "dim"), _short(finding.got)))
    others = len(each.verdicts) - 1
    if others:
        yield _indented(Text(f"and {plural(others, 'more verdict')}, on {', '.join(map(single_line, each.models))}", style="dim"))
    yield _indented(Text(replay_command(first, run_file), style="dim"))
    yield Text("")


def _indented(text: Text) -> Text:
    return Text("  ").append_text(text)


def _short(text: str) -> str:
    line = single_line(text)
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _arithmetic(run: Run) -> Text:
    sums = run.arithmetic
    counts = sums.by_standing
    text = Text.assemble((f"{sums.selected:,}", "bold"), " selected =")
    for number, word in enumerate(word for word in WORST_FIRST if counts[word]):
        text.append(" + " if number else " ")
        text.append(f"{counts[word]:,} {word}", style=_STYLE[word])
    if not sums.verdicts:
        text.append(" no verdicts", style="bold yellow")
    if sums.unjudged:
        text.append(f" + {sums.unjudged:,} without a verdict", style="bold yellow")
    return text
