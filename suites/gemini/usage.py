"""usageMetadata: the upstream's own figures, and their arithmetic as far as Google keeps to one."""

from functools import partial
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause
from suites.gemini.reading import NO_ANSWER, NOT_COMPARABLE, client_chunks, last_usage, number, shows, upstream_chunks
from suites.values import differences

_PARTS: Final = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")

USAGE_KEPT = Requirement(
    id="gemini/usage/kept",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8 Streaming", "The upstream stream is piped 1:1 on native routes."),
    text="Every count of usageMetadata is the upstream's, in every chunk.",
    claims=("contract:129", "contract:143"),
)
TOTAL = Requirement(
    id="gemini/usage/total",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="google-genai-python",
        section="types.GenerateContentResponseUsageMetadata.total_token_count",
        says="This is the sum of `prompt_token_count`, `candidates_token_count`, `tool_use_prompt_token_count`, "
        "and `thoughts_token_count`.",
    ),
    text="totalTokenCount is prompt, candidates, thoughts and tool-use prompt together, unless Google itself counted otherwise.",
)
CACHED_WITHIN = Requirement(
    id="gemini/usage/cached-within-prompt",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="google-genai-python",
        section="types.GenerateContentResponseUsageMetadata.prompt_token_count",
        says="When `cached_content` is set, this also includes the number of tokens in the cached content.",
    ),
    text="cachedContentTokenCount is a part of promptTokenCount, never more.",
)


def check_usage_kept(exchange: Exchange) -> Verdict:
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if not ours:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    if len(theirs) != len(ours):
        wanted, got = last_usage(theirs), last_usage(ours)  # gemini/stream/chunks-kept tells of the others
        return conclude(list(differences(wanted, got, pointer="/usageMetadata")), "the last usageMetadata, as the upstream sent it")
    if not any(chunk.usage for chunk in [*theirs, *ours]):
        return Inconclusive("the upstream sent no usageMetadata")
    findings = [
        found
        for one, other in zip(theirs, ours, strict=True)
        for found in differences(
            one.usage,
            other.usage,
            pointer=f"{other.pointer}/usageMetadata",
            frame=other.seen.frame if other.seen else None,
            offset=other.seen.offset if other.seen else None,
        )
    ]
    return conclude(findings, f"{len(ours)} usageMetadata with {sum(len(chunk.usage) for chunk in ours)} counts, as the upstream sent them")


def check_total(exchange: Exchange) -> Verdict:
    ours = last_usage(client_chunks(exchange))
    total = number(ours.get("totalTokenCount"))
    if total is None:
        return Inconclusive("no totalTokenCount reached the client")
    wanted = _sum(ours)
    if total == wanted:
        return Passed(f"totalTokenCount {total} is the sum of its parts")
    theirs = last_usage(upstream_chunks(exchange) or [])
    if [theirs.get(name) for name in (*_PARTS, "totalTokenCount")] == [ours.get(name) for name in (*_PARTS, "totalTokenCount")]:
        return Inconclusive(f"Google's own arithmetic: {total} for parts of {wanted}")
    return Failed(Finding(expected=str(wanted), got=str(total), pointer="/usageMetadata/totalTokenCount"))


def _sum(usage: dict[str, Any]) -> int:
    return sum(number(usage.get(name)) or 0 for name in _PARTS)


def check_cached_within(exchange: Exchange) -> Verdict:
    usage = last_usage(client_chunks(exchange))
    cached, prompt = number(usage.get("cachedContentTokenCount")), number(usage.get("promptTokenCount"))
    if cached is None or prompt is None:
        return Inconclusive("no cachedContentTokenCount reached the client")
    if cached > prompt:
        return Failed(Finding(expected=f"at most {prompt}", got=str(cached), pointer="/usageMetadata/cachedContentTokenCount"))
    return Passed(f"{cached} of {prompt} prompt tokens came from a cache")


_given: Final = partial(Given, surfaces=frozenset({Surface.GEMINI}))

RULES: tuple[Rule, ...] = (
    Rule(USAGE_KEPT, check_usage_kept, _given()),
    Rule(TOTAL, check_total, _given()),
    Rule(CACHED_WITHIN, gateway_only(check_cached_within), _given(also=shows("cache-read"))),
)
