"""The claims as a page to read: one row a claim, with its status and what shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from reference_gateway.contract.claims import Claim, Contract, Kind, Ruling, Status

SHOWN: Final = 4  # of a claim's evidence
_KINDS: Final = {
    Kind.PROBE: "can be probed from outside",
    Kind.CLOCK_OR_ADMIN: "needs a test clock, the operator's hand or a second account",
    Kind.RULING: "the documents disagree, and a ruling decides",
    Kind.ADVICE: "advice, sales or the vendor's console: nothing to keep",
}
_TOP: Final = """# What the reference gateway keeps of its contract

Written by `python -m reference_gateway.contract` from `reference_gateway/contract/claims.toml` and from what tests and requirements cite;
change those, not this page. A requirement stands in `suites/` (`wireproof run` judges it), a test in `reference_gateway/tests/`.
"""


def page(contract: Contract) -> str:
    claims = contract.claims
    counts = Counter(claim.status for claim in claims)
    summary = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    kinds = "; ".join(f"**{kind}** {meaning}" for kind, meaning in _KINDS.items())
    parts = [_TOP, f"{len(claims)} claims: {summary}. Kinds: {kinds}.\n", "## Claims\n", *_claims(claims), "\n## Rulings\n"]
    parts += _rulings(contract.rulings.values())
    return "\n".join(parts) + "\n"


def _claims(claims: Iterable[Claim]) -> list[str]:
    rows = ["| # | What | Kind | Status | Shown by |", "|---|---|---|---|---|"]
    for claim in claims:
        says = claim.says if claim.ruling is None else f"{claim.says} ({claim.ruling})"
        shown = _shown((claim.lacks, claim.note), claim.evidence)
        rows.append(f"| {claim.number} | {_cell(says)} | {claim.kind} | {claim.status} | {shown} |")
    return rows


def _rulings(rulings: Iterable[Ruling]) -> list[str]:
    rows = (f"| {ruling.name} | {_cell(ruling.keeps)} | {_evidence(ruling.evidence)} |" for ruling in rulings)
    return ["| Ruling | What this gateway does | Shown by |", "|---|---|---|", *rows]


def _shown(remarks: Iterable[str | None], evidence: tuple[str, ...]) -> str:
    said = [f"*{_cell(text)}.*" for text in remarks if text]
    return " ".join([*said, *filter(None, [_evidence(evidence)])])


def _evidence(evidence: tuple[str, ...]) -> str:
    """The first few: tests by file and name, requirements by id."""
    shown = [f"`{_short(item)}`" for item in evidence[:SHOWN]]
    return ", ".join(shown) + (" and more" if len(evidence) > SHOWN else "")


def _short(item: str) -> str:
    kind, _, name = item.partition(":")
    return name if kind == "requirement" else name.removeprefix("reference_gateway/tests/")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
