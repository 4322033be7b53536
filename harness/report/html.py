"""A run as one HTML page that needs nothing else: no server, no network, no other file.

The table and what broke are in the page as HTML, so it reads and prints without scripts. What opens under a cell is made on opening, from
JSON that names each text once: a page of 20,000 verdicts stays quick. Nothing of the target ever becomes markup.
"""

import base64
import hashlib
import json
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.exchange import Exchange
from harness.judged import ExitCode, Judged, exit_code, never_judged, standing, too_late
from harness.report.markdown import money
from harness.report.matrix import MEANING, RED, WORST_FIRST, broken, feature_of, matrix, origins
from harness.report.words import (
    again_command,
    as_typed,
    detail,
    excerpt,
    headline,
    item_name,
    place,
    plural,
    replay_command,
    shown,
    single_line,
)
from harness.runfile import Run
from harness.verdict import Failed, Finding

_MOST_FINDINGS: Final = 20  # of one verdict; the rest is counted
_MOST_EXCERPTS: Final = 4_000  # of the page; after that a finding names its place only
_LONGEST: Final = 1_200  # characters of one expected or got
_ORIGINS: Final = {
    "captured": "recorded by us from a live vendor",
    "imported": "taken from public recordings of vendor traffic",
    "synthetic": "written by us to the vendors' documents",
    "none": "no recording was played",
}


def html(run: Run, *, run_file: str | None = None) -> str:
    """The page. `run_file` is how its commands name the run file; without it, its path as one would type it here."""
    run_file = as_typed(run.path) if run_file is None else run_file
    environment = Environment(
        loader=PackageLoader("harness.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"line": single_line, "shown": shown, "place": place}
    environment.globals |= {"plural": plural}
    script = _source(environment, "report.js")
    page = environment.get_template("report.html.j2").render(
        run=run,
        header=run.header,
        sums=run.arithmetic,
        counts=run.arithmetic.by_standing,
        headline=headline(run),
        ended={ExitCode.AS_EXPECTED: "good", ExitCode.FINDINGS: "bad", ExitCode.COULD_NOT_RUN: "odd"}[
            exit_code(run.arithmetic, complete=run.complete)
        ],
        spent=money(run.arithmetic.spent_micro_usd),
        matrix=matrix(run),
        broken=[(each, run.requirements[each.requirement], each.verdicts[0]) for each in broken(run)],
        never_judged=never_judged(run.verdicts),
        too_late=too_late(run.verdicts),
        origins=[(origin, count, _ORIGINS.get(origin, "")) for origin, count in origins(run).items()],
        order=WORST_FIRST,
        meaning=MEANING,
        red=RED,
        feature_of=feature_of,
        replay=lambda judged: replay_command(judged, run_file),
        anchor=item_name,
        detail=detail,
        again=again_command(run_file),
        style=Markup(_source(environment, "report.css")),  # our own file
        script=Markup(script),  # our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=Markup(_json(_Data(run, run_file).tree())),  # _json leaves no markup
    )
    return page.encode("utf-8", "xmlcharrefreplace").decode()


def _source(environment: Environment, name: str) -> str:
    loader = environment.loader
    assert loader is not None
    return loader.get_source(environment, name)[0].strip()


def _json(tree: Any) -> str:
    """JSON that can stand in a script element: ASCII, and no character that HTML would act on."""
    text = json.dumps(tree, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Data:
    """What the page's script reads: tables of texts, and rows that point into them."""

    def __init__(self, run: Run, run_file: str) -> None:
        self._run = run
        self._run_file = run_file
        self._texts: dict[str, int] = {}
        self._excerpts = 0
        self._last: Exchange | None = None  # verdicts on one exchange mostly follow each other

    def tree(self) -> dict[str, Any]:
        run = self._run
        requirements = list(dict.fromkeys(judged.requirement for judged in run.verdicts))
        number = {requirement: index for index, requirement in enumerate(requirements)}
        rows = [self._row(judged, number[judged.requirement]) for judged in run.verdicts]
        return {
            "requirements": [self._requirement(requirement) for requirement in requirements],
            "order": WORST_FIRST,
            "rows": rows,
            "texts": list(self._texts),
        }

    def _requirement(self, id_: str) -> dict[str, Any]:
        found = self._run.requirements[id_]
        return {
            "id": id_,
            "feature": feature_of(id_),
            "text": found.text,
            "severity": found.severity,
            "basis": found.basis,
            "clause": f"{found.clause.source}, {found.clause.section}",
            "says": found.clause.says,
            "claims": [*found.claims, *found.defects],
        }

    def _row(self, judged: Judged, requirement: int) -> list[Any]:
        row: list[Any] = [
            requirement,
            self._text(judged.model),
            self._text(judged.case),
            WORST_FIRST.index(standing(judged)),
            self._text(detail(judged)),
        ]
        more: dict[str, Any] = {}
        if isinstance(judged.verdict, Failed):
            findings = judged.verdict.findings
            more["findings"] = [self._finding(judged, finding) for finding in findings[:_MOST_FINDINGS]]
            more["left_out"] = len(findings) - len(more["findings"])
        if judged.expected is not None:
            link = judged.expected.link or ""
            more["expected"] = [judged.expected.kind, shown(judged.expected.reason), link, judged.expected.expires or ""]
        if more or standing(judged) in RED:
            more["anchor"] = item_name(judged)
            more["replay"] = replay_command(judged, self._run_file)
            row.append(more)
        return row

    def _finding(self, judged: Judged, finding: Finding) -> list[Any]:
        around = None
        if judged.exchange is not None and judged.exchange in self._run.exchanges and self._excerpts < _MOST_EXCERPTS:
            if self._last is None or self._last.id != judged.exchange:
                self._last = self._run.exchanges[judged.exchange]
            around = excerpt(self._last, finding)
            self._excerpts += around is not None
        return [place(finding), self._text(finding.expected), self._text(finding.got), around]

    def _text(self, text: str) -> int:
        text = shown(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)")
        return self._texts.setdefault(text, len(self._texts))
