"""Vendors that make one image a call: several are so many calls, each with its own fate."""

from typing import Any, Final

from harness.case import Case, Fault, FaultKind, Need, Play, Step, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown
from suites.images.cases import asked
from suites.images.made import images_of, items_of
from suites.steps import at, json_of, row_of, status

_MODEL: Final = "{ark-images}"
_MADE: Final = Play(recording="images/one")
_FAILED: Final = Play(recording="images/one", fault=Fault(kind=FaultKind.STATUS, status=500))


def _step(name: str, count: int, *plays: Play, **more: Any) -> Step:
    request = {key: value for key, value in asked(count, **more).items() if key != "quality"}
    return Step(name=name, surface=Surface.IMAGES, model=_MODEL, request=request, plays=plays)


CASES: tuple[Case, ...] = (
    Case(
        id="images/one-a-call",
        surface=Surface.IMAGES,
        play=None,
        steps=(_step("single", 1, _MADE), _step("several", 3, _MADE), _step("some", 2, _MADE, _FAILED), _step("none", 2, _FAILED)),
        needs=frozenset({Need.ARK_IMAGES}),
        traits=frozenset({"one-model", "images-by-call"}),
        account=True,
    ),
)

BY_CALL: Final = Requirement(
    id="images/one-a-call",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("210, 212", "n 1 to 4 on seedream and gpt-image-2, each billed"),
    text="Where a vendor makes one image a call, several are so many calls; what one of them fails at is declared and not billed.",
    claims=("contract:210", "contract:212", "contract:159"),
)


def check_by_call(exchange: Exchange) -> Verdict:
    steps = {step.name: exchange.step(step.name) for step in exchange.case.steps}
    if any(seen.answer is None for seen in steps.values()):
        return Inconclusive("not every call was answered")
    findings = [finding for name in ("single", "several", "some") for finding in status(steps[name], 200)]
    findings += status(steps["none"], 500, 502, 503)
    if findings:
        return conclude(findings, "")
    for name, made in (("single", 1), ("several", 3), ("some", 1)):
        if len(images_of(steps[name].answer)) != made:
            findings.append(at(steps[name], expected=f"{made} images", got=f"{len(items_of(steps[name].answer))}", pointer="/data"))
    document = json_of(steps["some"])
    if not (isinstance(document, dict) and (document.get("errors") or document.get("error"))):
        findings.append(at(steps["some"], expected="a word on the missing image", got=shown(document)[:80]))
    if exchange.account is None:
        return conclude(findings, "") if findings else Inconclusive("the account was not read")
    price = row.cost_micro_usd if (row := row_of(exchange, steps["single"])) is not None else 0
    for name, made in (("several", 3), ("some", 1), ("none", 0)):
        found = row_of(exchange, steps[name])
        cost = found.cost_micro_usd if found is not None else 0
        if not price or cost != made * price:
            findings.append(Finding(side=Side.ACCOUNT, expected=f"{made * price} micro-USD for {made} images", got=f"{cost} micro-USD"))
    return conclude(findings, f"{price} micro-USD an image, made or not")


RULES: tuple[Rule, ...] = (
    Rule(BY_CALL, check_by_call, Given(surfaces=frozenset({Surface.IMAGES}), steps=True, traits=frozenset({"images-by-call"}))),
)
