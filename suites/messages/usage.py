"""Token usage: cumulative, split by cache, and the upstream's own figures."""

from functools import partial
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, Seen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, native_upstream, shown
from suites.messages.reading import NOT_COMPARABLE, number, object_of, shows, upstream_usages, usages
from suites.values import differences

_CACHE: Final = ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation")

USAGE_KEPT = Requirement(
    id="messages/usage/kept",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.6 Anthropic Messages", "Claude counts equal Anthropic's"),
    text="Every count of usage but the cache's is the upstream's, in message_start and in message_delta.",
    claims=("contract:112", "contract:129"),
    defects=("tensorzero/tensorzero#5481",),
)
CACHE_KEPT = Requirement(
    id="messages/usage/cache-kept",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.6 Anthropic Messages", "`usage.cache_read_input_tokens` and `cache_creation_input_tokens` populated."),
    text="What was read from the cache and written to it, by lifetime, is told as the upstream told it.",
    claims=("contract:116", "contract:117"),
    defects=("theopenco/llmgateway#3918", "Dstack-TEE/private-ai-gateway#194"),
)
CUMULATIVE = Requirement(
    id="messages/usage/cumulative",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages-streaming",
        section="Event types",
        says="The token counts shown in the usage field of the message_delta event are cumulative.",
    ),
    text="output_tokens of message_delta counts the whole answer: no less than message_start had.",
    defects=("tensorzero/tensorzero#5481",),
)
CACHE_SPLIT = Requirement(
    id="messages/usage/cache-split",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-prompt-caching",
        section="Usage.cache_creation",
        says="Breakdown of cached tokens by TTL",
    ),
    text="The tokens written for five minutes and for an hour add up to cache_creation_input_tokens.",
    claims=("contract:117", "contract:119"),
)
THINKING_WITHIN = Requirement(
    id="messages/usage/thinking-within-output",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-python",
        section="types/output_tokens_details.py",
        says="Always ≤ `output_tokens`",
    ),
    text="thinking_tokens is a part of output_tokens, never more.",
)


def check_usage_kept(exchange: Exchange) -> Verdict:
    return _same(exchange, "counts of usage", lambda usage: {key: value for key, value in usage.items() if key not in _CACHE})


def check_cache_kept(exchange: Exchange) -> Verdict:
    if not any(key in usage for _, _, usage in upstream_usages(exchange) for key in _CACHE):
        return Inconclusive("the upstream told nothing of a cache")
    return _same(exchange, "cache counts", lambda usage: {key: usage[key] for key in _CACHE if key in usage})


def _same(exchange: Exchange, what: str, chosen: Any) -> Verdict:
    if not native_upstream(exchange):
        return NOT_COMPARABLE
    theirs, ours = upstream_usages(exchange), usages(exchange)
    if not theirs:
        return Inconclusive("the upstream sent no usage")
    if len(theirs) != len(ours):
        return Failed(Finding(expected=f"{len(theirs)} usage objects", got=f"{len(ours)}", pointer="/usage"))
    findings = [
        found
        for (_, pointer, sent), (seen, _, got) in zip(theirs, ours, strict=True)
        for found in differences(
            chosen(sent), chosen(got), pointer=pointer, frame=seen.frame if seen else None, offset=seen.offset if seen else None
        )
    ]
    return conclude(findings, f"{sum(len(chosen(got)) for _, _, got in ours)} {what} in {len(ours)} objects")


def check_cumulative(exchange: Exchange) -> Verdict:
    told = [(seen, pointer, number(usage.get("output_tokens"))) for seen, pointer, usage in usages(exchange)]
    starts = [count for _, pointer, count in told if pointer == "/message/usage" and count is not None]
    deltas = [(seen, count) for seen, pointer, count in told if pointer == "/usage" and seen is not None and count is not None]
    if not starts or not deltas:
        return Inconclusive("no output_tokens at the beginning and at the end of a stream")
    findings = [
        Finding(expected=f"at least {starts[0]}", got=str(count), frame=seen.frame, offset=seen.offset, pointer="/usage/output_tokens")
        for seen, count in deltas
        if count < starts[0]
    ]
    return conclude(findings, f"output_tokens {starts[0]} at the start, {deltas[-1][1]} at the end")


def check_cache_split(exchange: Exchange) -> Verdict:
    judged = 0
    findings: list[Finding] = []
    for seen, pointer, usage in usages(exchange):
        split, whole = object_of(usage.get("cache_creation")), number(usage.get("cache_creation_input_tokens"))
        if not split or whole is None or usage.get("server_tool_use"):  # rounds of server tools are counted in the sum alone
            continue
        judged += 1
        parts = [number(count) or 0 for name, count in split.items() if name.endswith("_input_tokens")]
        if sum(parts) != whole:
            findings.append(_count(str(whole), f"{' + '.join(map(str, parts))} = {sum(parts)}", f"{pointer}/cache_creation", seen))
    return conclude(findings, f"{judged} splits that add up") if judged else Inconclusive("no split of cache writes reached the client")


def check_thinking_within(exchange: Exchange) -> Verdict:
    judged = 0
    findings: list[Finding] = []
    for seen, pointer, usage in usages(exchange):
        thought, output = number(object_of(usage.get("output_tokens_details")).get("thinking_tokens")), number(usage.get("output_tokens"))
        if thought is None or output is None:
            continue
        judged += 1
        if thought > output:
            findings.append(_count(f"at most {output}", shown(thought), f"{pointer}/output_tokens_details/thinking_tokens", seen))
    return (
        conclude(findings, f"{judged} counts of thinking within output")
        if judged
        else Inconclusive("no thinking_tokens reached the client")
    )


def _count(expected: str, got: str, pointer: str, seen: Seen | None) -> Finding:
    return Finding(expected=expected, got=got, pointer=pointer, frame=seen.frame if seen else None, offset=seen.offset if seen else None)


_given: Final = partial(Given, surfaces=frozenset({Surface.MESSAGES}))

RULES: tuple[Rule, ...] = (
    Rule(USAGE_KEPT, check_usage_kept, _given()),
    Rule(CACHE_KEPT, check_cache_kept, _given(also=shows("cache-read", "cache-write", "usage"))),
    Rule(CUMULATIVE, gateway_only(check_cumulative), _given(stream=True)),
    Rule(CACHE_SPLIT, gateway_only(check_cache_split), _given(also=shows("cache-read", "cache-write", "usage"))),
    Rule(THINKING_WITHIN, gateway_only(check_thinking_within), _given(also=shows("thinking", "usage"))),
)
