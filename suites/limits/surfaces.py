"""A key's limits are the key's, by whatever surface it is used."""

from typing import Final

from harness.case import Case, Need, Step, Surface
from harness.exchange import Exchange
from harness.recording.scenarios import chat, gemini, messages, responses
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Verdict
from suites.evidence import conclude, contract_clause
from suites.steps import MADE, made, not_called, status, unmade, unmet

_ASKS: Final = {
    Surface.CHAT: chat.asks("text"),
    Surface.RESPONSES: responses.asks("text"),
    Surface.MESSAGES: messages.asks("text"),
    Surface.GEMINI: gemini.asks("text"),
}

EVERY_SURFACE = Requirement(
    id="limits/every-surface",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("175, 176", "quota exceeded: rejected before any upstream call"),
    text="A key whose quota cannot pay for a call is refused on every surface, and no vendor hears of it.",
    claims=("contract:175", "contract:176"),
    invariants=(4,),
)

CASES: tuple[Case, ...] = (
    Case(
        id="limits/surfaces",
        surface=Surface.CHAT,
        play=None,
        steps=(
            made(quota=0.000001),
            *(Step(name=surface.value, surface=surface, key_from=MADE, request=request) for surface, request in _ASKS.items()),
            unmade(),
        ),
        needs=frozenset({Need.MANAGEMENT}),
        traits=frozenset({"one-model", "limits-surfaces"}),
        account=True,
    ),
)


def check_every_surface(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "made", *_ASKS)) is not None:
        return why
    steps = [exchange.step(surface.value) for surface in _ASKS]
    findings = [finding for seen in steps for finding in (*status(seen, 402, 403, 429), *not_called(seen))]
    return conclude(findings, ", ".join(f"{seen.name} {seen.status}" for seen in steps))


RULES: tuple[Rule, ...] = (
    Rule(
        EVERY_SURFACE,
        check_every_surface,
        Given(surfaces=frozenset({Surface.CHAT}), steps=True, traits=frozenset({"limits-surfaces"})),
    ),
)
