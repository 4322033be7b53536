"""Accounts share the gateway's own account at the vendor, and must not meet there."""

from typing import Final

from harness.case import MARKER, Case, Key, Need, Play, Step, Surface
from harness.exchange import Exchange, StepSeen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown
from suites.steps import at, failed, got, json_of, prompt, unmet

_KEY: Final = "rule-book"

CACHE_KEY = Requirement(
    id="auth/cache-key-by-account",
    severity=Severity.SECURITY,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="openai-responses",
        section="prompt_cache_key",
        says="Used by OpenAI to cache responses for similar requests to optimize your cache hit rates",
    ),
    text="The prompt_cache_key of one account is never that of another at the vendor, and is the same at each of its own calls.",
    claims=("contract:019",),
)


def _call(name: str, key: Key = Key.GOOD) -> Step:
    request = {"input": f"hello {MARKER}", "prompt_cache_key": _KEY, "max_output_tokens": 64}
    return Step(name=name, surface=Surface.RESPONSES, request=request, key=key, plays=(Play(recording="responses/text"),))


ROWS = Requirement(
    id="auth/rows-of-others",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33, C34", "GET /api/v1/usage: the account's own rows"),
    text="Who knows the request id of another account's call does not learn from it what the call was or cost.",
    claims=("contract:181",),
)


def _row_of_paid(name: str, key: Key) -> Step:
    return got(name, "/api/v1/usage?request_id={paid:x-request-id}", key=key)


CASES: tuple[Case, ...] = (
    Case(
        id="auth/rows-of-two",
        surface=Surface.CHAT,
        play=None,
        steps=(
            Step(name="paid", request=prompt(), plays=(Play(recording="chat/text"),), books=True),
            _row_of_paid("own", Key.GOOD),
            _row_of_paid("other", Key.OTHER_ACCOUNT),
        ),
        needs=frozenset({Need.DIALECT}),
        traits=frozenset({"one-model", "rows-apart"}),
        account=True,
    ),
    Case(
        id="responses/cache-key-of-two",
        surface=Surface.RESPONSES,
        play=None,
        steps=(_call("first"), _call("other", Key.OTHER_ACCOUNT), _call("again")),
        traits=frozenset({"one-model", "cache-key"}),
        account=True,
    ),
)


def _told(seen: StepSeen) -> str | None:
    asked = seen.upstream[-1].request.json if seen.upstream else None
    told = asked.get("prompt_cache_key") if isinstance(asked, dict) else None
    return told if isinstance(told, str) else None


def check_cache_key(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "first", "other", "again")) is not None:
        return why
    first, other, again = (_told(exchange.step(name)) for name in ("first", "other", "again"))
    if first is None and other is None:
        return Inconclusive("the vendor is told no prompt_cache_key")
    findings = []
    if first == other:
        findings.append(Finding(step="other", side=Side.UPSTREAM, expected="another key than the first account's", got=shown(other)))
    if first != again:
        findings.append(Finding(step="again", side=Side.UPSTREAM, expected=shown(first), got=shown(again)))
    return conclude(findings, f"{first} and {other}")


def check_rows(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "paid", "own")) is not None:
        return why
    if (why := unmet(exchange, "other")) is not None:
        return why
    own, other = (json_of(exchange.step(name)) for name in ("own", "other"))
    if not (isinstance(own, dict) and own.get("data")):
        return Inconclusive("the account itself does not find the row")
    told = other.get("data") if isinstance(other, dict) else None
    return conclude([at(exchange.step("other"), expected="no row", got=shown(told))] if told else [], "no row of another account's call")


RULES: tuple[Rule, ...] = (
    Rule(CACHE_KEY, check_cache_key, Given(steps=True, traits=frozenset({"cache-key"}))),
    Rule(ROWS, check_rows, Given(surfaces=frozenset({Surface.CHAT}), steps=True, traits=frozenset({"rows-apart"}))),
)
