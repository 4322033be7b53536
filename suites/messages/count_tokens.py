"""`POST /v1/messages/count_tokens`: answered, and with the upstream's count."""

from functools import partial
from typing import Final

from harness import schema
from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, native_upstream, shown
from suites.messages.reading import object_of
from suites.values import spelled

SHAPE = Requirement(
    id="messages/count-tokens/shape",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="anthropic-python",
        section="types/message_tokens_count.py",
        says="The total number of tokens across the provided list of messages, system prompt, and tools.",
    ),
    text="count_tokens is served and answers with a whole number of input_tokens.",
    defects=("askalf/dario#474",),
)
KEPT = Requirement(
    id="messages/count-tokens/kept",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.6 Anthropic Messages", "Claude counts equal Anthropic's"),
    text="The count is the upstream's own, and nothing that it said beside it is lost.",
    claims=("contract:129",),
)


def check_shape(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return Inconclusive("no answer reached the client")
    if not response.ok:
        return Failed(Finding(expected="status 200", got=str(response.status)))
    wrong = schema.findings("messages/count_tokens", response.json if isinstance(response.json, dict) else None)
    findings = [Finding(expected=violation.expected, got=violation.got, pointer=violation.pointer) for violation in wrong]
    return conclude(findings, f"input_tokens {object_of(response.json).get('input_tokens')}")


def check_kept(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not native_upstream(exchange):
        return Inconclusive("there is no upstream's count to compare with")
    upstream = exchange.upstream[-1].response
    wanted, got = object_of(spelled(upstream.text if upstream else b"")), object_of(spelled(response.text))
    if not wanted:
        return Inconclusive("the upstream did not count")
    if wanted != got:
        return Failed(
            Finding(expected=shown(object_of(upstream.json if upstream else None)), got=shown(object_of(response.json)), pointer="")
        )
    return Passed(f"{shown(object_of(response.json))}, as the upstream counted")


_GOOGLE: Final = frozenset({"vendor-google", "vendor-google-vertex"})  # has a :countTokens of its own, with totalTokens
_given: Final = partial(Given, surfaces=frozenset({Surface.COUNT_TOKENS}), also=lambda case: not _GOOGLE & case.traits)

RULES: tuple[Rule, ...] = (
    Rule(SHAPE, gateway_only(check_shape), _given()),
    Rule(KEPT, check_kept, _given()),
)
