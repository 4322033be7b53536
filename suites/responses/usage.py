"""Token counts of a Responses answer: that they add up, and that they are the vendor's."""

from collections.abc import Iterator
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, native_upstream, shown, shows
from suites.responses.reading import client_answer, items, number, upstream_answer

_NO_USAGE: Final = Inconclusive("no usage reached the client")

TOTAL = Requirement(
    id="responses/usage/total",
    severity=Severity.COST,
    basis=Basis.OBSERVED,
    clause=Clause(source="wireproof-corpus", section="OpenAI responses", says="total = input + output (922 of 922)"),
    text="total_tokens is input_tokens plus output_tokens.",
    claims=("contract:99",),
)
PARTS_WITHIN = Requirement(
    id="responses/usage/parts-within",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses",
        section="usage",
        says="Represents token usage details including input tokens, output tokens, a breakdown of output tokens,"
        " and the total tokens used.",
    ),
    text="Cached and written tokens are at most the input, reasoning tokens at most the output; both stand in the details.",
    claims=("contract:100",),
)
COUNTS = Requirement(
    id="responses/usage/counts",
    severity=Severity.COST,
    basis=Basis.OBSERVED,
    clause=Clause(source="wireproof-corpus", section="OpenAI responses", says="total = input + output (922 of 922)"),
    text="A completed answer with a message has counted its input and its output: neither is zero.",
    defects=("QuantumNous/new-api#6771",),
)
KEPT = Requirement(
    id="responses/usage/kept",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "1.5 OpenAI Responses", "SSE byte-for-byte OpenAI Responses events; GPT ids go to the upstream Responses API directly"
    ),
    text="Every count in usage is the vendor's: cached, written and reasoning tokens included, on an incomplete answer too.",
    claims=("contract:99", "contract:241"),
    defects=("envoyproxy/ai-gateway#2184",),
)


def _usage(answer: dict[str, Any] | None) -> dict[str, Any] | None:
    found = (answer or {}).get("usage")
    return found if isinstance(found, dict) else None


def check_total(exchange: Exchange) -> Verdict:
    usage = _usage(client_answer(exchange))
    if usage is None:
        return _NO_USAGE
    read, written, total = (number(usage.get(key)) for key in ("input_tokens", "output_tokens", "total_tokens"))
    right = read is not None and written is not None and total == read + written
    findings = [] if right else [Finding(pointer="/usage/total_tokens", expected=f"{read} + {written}", got=str(total))]
    return conclude(findings, f"{read} + {written} = {total}")


def check_parts_within(exchange: Exchange) -> Verdict:
    usage = _usage(client_answer(exchange))
    if usage is None:
        return _NO_USAGE
    findings = []
    for whole, details, names in (
        ("input_tokens", "input_tokens_details", ("cached_tokens", "cache_write_tokens")),
        ("output_tokens", "output_tokens_details", ("reasoning_tokens",)),
    ):
        told = usage.get(details)
        if not isinstance(told, dict):
            findings.append(Finding(pointer=f"/usage/{details}", expected="an object", got=shown(told)))
            continue
        most = number(usage.get(whole)) or 0
        for name in names:
            part = number(told.get(name))
            if part is not None and not 0 <= part <= most:
                findings.append(Finding(pointer=f"/usage/{details}/{name}", expected=f"at most {whole}, {most}", got=str(part)))
    return conclude(findings, f"{shown({key: usage[key] for key in usage if key.endswith('_details')})}")


def check_counts(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    # Calls may come from a program that the vendor runs on without asking the model again: such turns count nothing.
    if answer is None or answer.get("status") != "completed" or not any(item.type == "message" for item in items(answer)):
        return Inconclusive("no completed answer with a message reached the client")
    usage = _usage(answer) or {}
    findings = [
        Finding(pointer=f"/usage/{key}", expected="more than 0", got=shown(usage.get(key)))
        for key in ("input_tokens", "output_tokens")
        if not (number(usage.get(key)) or 0) > 0
    ]
    return conclude(findings, f"{usage.get('input_tokens')} tokens in, {usage.get('output_tokens')} out")


def check_kept(exchange: Exchange) -> Verdict:
    sent = _usage(upstream_answer(exchange))
    if not native_upstream(exchange) or sent is None:
        return Inconclusive("the vendor sent no usage of this protocol")
    wanted, told = dict(_leaves(sent)), dict(_leaves(_usage(client_answer(exchange)) or {}))
    findings = [
        Finding(
            pointer=f"/usage{pointer}",
            expected=shown(wanted[pointer]) if pointer in wanted else "no such count",
            got=shown(told[pointer]) if pointer in told else "none",
        )
        for pointer in {**wanted, **told}
        if wanted.get(pointer, ...) != told.get(pointer, ...)
    ]
    return conclude(findings, f"{len(told)} counts as the vendor sent them")


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{pointer}/{key}")
    else:
        yield pointer, value


_RESPONSES: Final = frozenset({Surface.RESPONSES})
_ANY: Final = Given(surfaces=_RESPONSES, without=frozenset({"failed"}))
_SAYING: Final = Given(surfaces=_RESPONSES, without=frozenset({"failed", "incomplete"}), also=shows("text", "refusal"))

RULES: tuple[Rule, ...] = (
    Rule(TOTAL, gateway_only(check_total), _ANY),
    Rule(PARTS_WITHIN, gateway_only(check_parts_within), _ANY),
    Rule(COUNTS, gateway_only(check_counts), _SAYING),
    Rule(KEPT, check_kept, _ANY),
)
