"""A run for a CI job summary or a pull request: what broke first, then the table, then the arithmetic."""

import re
from typing import Final

from harness.judged import Standing, never_judged, standing, too_late
from harness.report.matrix import MEANING, WORST_FIRST, Broken, Cell, broken, matrix, origins
from harness.report.words import as_typed, detail, headline, place, plural, replay_command, single_line
from harness.runfile import Run
from harness.verdict import Failed

_MOST_BROKEN: Final = 40  # requirements told in full; a job summary holds a megabyte
_MOST_FINDINGS: Final = 3
_LONGEST: Final = 300
_SIGN: Final = {
    Standing.PASSED: "✅",
    Standing.FAILED: "❌",
    Standing.UNEXPECTED_PASS: "❗",
    Standing.ERRORED: "🛠",
    Standing.FLAKY: "〰️",
    Standing.EXPECTED: "✖️",
    Standing.INCONCLUSIVE: "❔",
    Standing.NOT_APPLICABLE: "\N{HEAVY MINUS SIGN}",
}


def markdown(run: Run) -> str:
    header, sums = run.header, run.arithmetic
    lines = [
        f"## wireproof: {headline(run)}",
        "",
        f"Target {code(header.target.name)} at {code(header.target.base_url)}, {header.started}, wireproof {header.wireproof}. "
        f"{plural(sums.verdicts, 'verdict')} on {plural(sums.driven, 'exchange')}; they rest on "
        + ", ".join(f"{count:,} {origin}" for origin, count in origins(run).items())
        + ".",
        "",
    ]
    red = broken(run)
    for each in red[:_MOST_BROKEN]:
        lines += _told(run, each)
    if len(red) > _MOST_BROKEN:
        lines += [f"… and {plural(len(red) - _MOST_BROKEN, 'more requirement')}: see the HTML report.", ""]
    unjudged = never_judged(run.verdicts)
    if unjudged:
        lines += ["Met nothing to judge on any case, which is not a pass: " + ", ".join(map(code, unjudged)) + ".", ""]
    if late := too_late(run.verdicts):
        lines += ["Could not be judged in time, which is not a pass: " + ", ".join(map(code, late)) + ".", ""]
    return "\n".join(lines + _table(run) + _arithmetic(run))


def code(text: str) -> str:
    """Text of a target as a code span that it cannot break out of."""
    line = single_line(text)
    line = line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def _told(run: Run, each: Broken) -> list[str]:
    requirement = run.requirements[each.requirement]
    where = ", ".join(code(model) for model in each.models)
    lines = [f"### {_SIGN[each.standing]} `{each.requirement}` ({each.severity})", "", f"{requirement.text} Broken on {where}.", ""]
    told = 0
    for judged in each.verdicts[:_MOST_FINDINGS]:
        lines.append(f"- {code(judged.case)} on {code(judged.model)}")
        if isinstance(judged.verdict, Failed):
            lines += [
                f"  - {code(place(finding))}: expected {code(finding.expected)}, got {code(finding.got)}"
                for finding in judged.verdict.findings[:_MOST_FINDINGS]
            ]
        else:
            lines.append(f"  - {standing(judged)}: {code(detail(judged))}")
        lines.append(f"  - {code(replay_command(judged, as_typed(run.path)))}")
        told += 1
    if len(each.verdicts) > told:
        lines.append(f"- and {plural(len(each.verdicts) - told, 'more verdict')}")
    return [*lines, ""]


def _table(run: Run) -> list[str]:
    table = matrix(run)
    if not table.features:
        return []
    lines = ["| feature | " + " | ".join(code(model) for model in table.models) + " |", "|---|" + "---|" * len(table.models)]
    for feature in table.features:
        cells = (_cell(table.cell(feature, model)) for model in table.models)
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    unmet = [f"Not tested at all: {', '.join(map(code, table.unmet))}.", ""] if table.unmet else []
    return [*lines, "", *unmet]


def _cell(cell: Cell) -> str:
    worst = cell.worst
    if worst is None:
        return "not tested"
    if worst is Standing.PASSED and cell.counts[worst] == cell.total:
        return f"{_SIGN[worst]} {cell.total}"
    return f"{_SIGN[worst]} {cell.said()}"


def _arithmetic(run: Run) -> list[str]:
    sums = run.arithmetic
    counts = sums.by_standing
    added = " + ".join(f"{counts[word]:,} {word}" for word in WORST_FIRST if counts[word]) or "none"
    lines = [
        f"**Arithmetic**: {sums.selected:,} selected = {added}"
        + (f" + {sums.unjudged:,} without a verdict" if sums.unjudged else "")
        + ".  "
    ]
    lines.append(f"{plural(sums.calls_made, 'call')} made, {plural(sums.tokens, 'token')}, {money(sums.spent_micro_usd)} spent.")
    lines += ["", "<sub>" + "; ".join(f"{_SIGN[word]} {word}: {MEANING[word]}" for word in WORST_FIRST if counts[word]) + "</sub>", ""]
    return lines


def money(micro_usd: int) -> str:
    return f"${micro_usd / 1_000_000:,.6f}".rstrip("0").rstrip(".") if micro_usd else "nothing"
