"""Token counts of chat: when they come, that they add up, and that they are the vendor's."""

from collections.abc import Iterator
from typing import Any, Final

from harness.case import Case, Surface
from harness.exchange import Exchange, Seen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.transcript import of_upstream
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.chat.reading import IMITATIONS, asked, chunks, client_choices, number, objects, upstream_usages, usages
from suites.evidence import at, conclude, contract_clause, native_upstream, shown, whole_stream

_NO_USAGE: Final = Inconclusive("no usage reached the client")
# Which parts of a count cannot be more than the count.
_PARTS: Final = (
    ("prompt_tokens", "prompt_tokens_details", ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "text_tokens")),
    ("completion_tokens", "completion_tokens_details", ("reasoning_tokens", "audio_tokens", "text_tokens", "accepted_prediction_tokens")),
)

TOTAL = Requirement(
    id="chat/usage/total",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-chat", section="usage, total_tokens", says="Total number of tokens used in the request (prompt + completion)."
    ),
    text="total_tokens is prompt_tokens plus completion_tokens.",
    claims=("contract:77",),
    defects=("router-for-me/CLIProxyAPI#5733", "Portkey-AI/gateway#1180"),
)
PARTS_WITHIN = Requirement(
    id="chat/usage/parts-within",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-chat",
        section="usage, prompt_tokens_details and completion_tokens_details",
        says="Breakdown of tokens used in the prompt; Breakdown of tokens used in a completion",
    ),
    text="No part is more than its whole: cached, written and audio tokens of the prompt, reasoning and audio tokens of the completion.",
    defects=("genkit-ai/genkit#5412", "router-for-me/CLIProxyAPI#5733"),
)
COUNTS = Requirement(
    id="chat/usage/counts",
    severity=Severity.COST,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="wireproof-corpus",
        section="OpenAI chat, JSON",
        says="usage.total_tokens = prompt + completion: 1,400 of 1,400",
    ),
    text="An answer that says something has counted its prompt and its completion: neither is zero.",
    defects=("Portkey-AI/gateway#1180", "BYK/loreai#1485"),
)
KEPT = Requirement(
    id="chat/usage/kept",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.4 OpenAI Chat Completions", "Response: choices[].message.content, tool_calls, usage identical to OpenAI's"),
    text="Every count in usage is the vendor's: cached, written and reasoning tokens included.",
    claims=("contract:72", "contract:241"),
    defects=("jeremychone/rust-genai#258", "BYK/loreai#1485"),
)
WHEN_ASKED = Requirement(
    id="chat/usage/when-asked",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-chat-streaming",
        section="stream_options.include_usage",
        says="If set, an additional chunk will be streamed before the data: [DONE] message.",
    ),
    text="A stream that asked for usage and whose vendor sent it has it, in one chunk.",
    claims=("contract:77",),
    defects=("BYK/loreai#1485", "agentjido/req_llm#462"),
)
ONCE_ALL_IS_SAID = Requirement(
    id="chat/usage/once-all-is-said",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-chat-streaming",
        section="stream_options.include_usage",
        says="usage statistics for the entire request, and the choices field will always be an empty array",
    ),
    text="The chunk with usage has no choices, or as with DeepSeek those that finish in it, and no choice says anything after it.",
)
NOT_UNASKED = Requirement(
    id="chat/usage/not-unasked",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-chat-streaming", section="stream_options.include_usage", says="If set, an additional chunk will be streamed"
    ),
    text="A stream that didn't ask for usage gets no chunk without choices that its vendor didn't send: clients read choices[0].",
    defects=("TheR1D/shell_gpt#741",),
)
CACHE_SPLIT = Requirement(
    id="chat/usage/cache-split",
    severity=Severity.COST,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="wireproof-corpus",
        section="DeepSeek",
        says="Cache counts as prompt_cache_hit_tokens/_miss_tokens as well as prompt_tokens_details",
    ),
    text="DeepSeek's hit and miss tokens add up to the prompt, and the hits are the cached tokens.",
)


def _check(read: Any, exchange: Exchange, saw: str) -> Verdict:
    """`read` gives the findings of one usage object."""
    met = usages(exchange)
    findings = [finding for seen, usage in met for finding in read(seen, usage)]
    return conclude(findings, f"{saw}: {shown(_counts(met[-1][1]))}") if met else _NO_USAGE


def _counts(usage: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in usage.items() if type(value) is int}


def _finding(seen: Seen | None, pointer: str, expected: str, got: str) -> Finding:
    if seen is None:
        return Finding(pointer=f"/usage{pointer}", expected=expected, got=got)
    return at(seen, pointer=f"/usage{pointer}", expected=expected, got=got)


def check_total(exchange: Exchange) -> Verdict:
    def read(seen: Seen | None, usage: dict[str, Any]) -> Iterator[Finding]:
        prompt, completion, total = (number(usage.get(key)) for key in ("prompt_tokens", "completion_tokens", "total_tokens"))
        if prompt is None or completion is None or total != prompt + completion:
            yield _finding(seen, "/total_tokens", f"{prompt} + {completion}", str(total))

    return _check(read, exchange, "the total adds up")


def check_parts_within(exchange: Exchange) -> Verdict:
    def read(seen: Seen | None, usage: dict[str, Any]) -> Iterator[Finding]:
        for whole, details, names in _PARTS:
            told = usage.get(details)
            most = number(usage.get(whole))
            if not isinstance(told, dict) or most is None:
                continue
            for name in names:
                part = number(told.get(name))
                if part is not None and not 0 <= part <= most:
                    yield _finding(seen, f"/{details}/{name}", f"at most {whole}, {most}", str(part))

    met = [(seen, usage) for seen, usage in usages(exchange) if any(isinstance(usage.get(details), dict) for _, details, _ in _PARTS)]
    if not met:
        return Inconclusive("no usage with details reached the client")
    return _check(read, exchange, "no part is more than its whole")


def check_counts(exchange: Exchange) -> Verdict:
    if not any(choice.content or choice.calls or choice.refusal for choice in client_choices(exchange).values()):
        return Inconclusive("the answer says nothing that would be counted")
    vendors = of_upstream(exchange)
    if vendors is not None and vendors.usage.get("input") == 0 and not vendors.usage.get("cache_read"):
        return Inconclusive("the vendor itself counted a prompt of no tokens")

    def read(seen: Seen | None, usage: dict[str, Any]) -> Iterator[Finding]:
        for key in ("prompt_tokens", "completion_tokens"):
            if not (number(usage.get(key)) or 0) > 0:
                yield _finding(seen, f"/{key}", "more than 0", shown(usage.get(key)))

    met = usages(exchange)
    return _check(lambda seen, usage: read(seen, usage) if seen is met[-1][0] else (), exchange, "both sides were counted")


def check_kept(exchange: Exchange) -> Verdict:
    sent = upstream_usages(exchange)
    if not native_upstream(exchange) or not sent:
        return Inconclusive("the vendor sent no usage of this protocol")
    got = usages(exchange)
    if not got:
        return conclude([Finding(pointer="/usage", expected=shown(sent[-1][1]), got="no usage")], "")
    wanted, (seen, came) = dict(_leaves(sent[-1][1])), got[-1]
    told = dict(_leaves(came))
    findings = [
        _finding(
            seen,
            pointer,
            shown(wanted[pointer]) if pointer in wanted else "no such count",
            shown(told[pointer]) if pointer in told else "none",
        )
        for pointer in {**wanted, **told}
        if wanted.get(pointer, ...) != told.get(pointer, ...)
    ]
    return conclude(findings, f"{len(told)} counts as the vendor sent them")


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{pointer}/{key}")
    else:
        yield pointer, value


def _asked_for_usage(exchange: Exchange) -> bool | None:
    """Whether the client asked for it; None where its request was not recorded."""
    wanted = asked(exchange)
    if wanted is None:
        return None
    options = wanted.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def check_when_asked(exchange: Exchange) -> Verdict:
    if not _asked_for_usage(exchange):
        return Inconclusive("the client did not ask for usage, or what it asked was not recorded")
    if not whole_stream(exchange):
        return Inconclusive("the stream was broken off")
    if native_upstream(exchange) and not upstream_usages(exchange):
        return Inconclusive("the vendor sent no usage though it was asked to")
    met = usages(exchange)
    if not met:
        return conclude([Finding(expected="one chunk with usage, which was asked for", got="none in the whole stream")], "")
    return conclude(
        [at(seen, pointer="/usage", expected="usage once", got="usage again") for seen, _ in met[1:] if seen], "usage in one chunk"
    )


def check_once_all_is_said(exchange: Exchange) -> Verdict:
    met = [seen for seen, _ in usages(exchange) if seen is not None]
    if not met:
        return _NO_USAGE
    findings = [
        at(seen, pointer="/choices", expected="no choices beside usage, or those that finish here", got=shown(seen.data["choices"]))
        for seen in met
        if any(choice.get("finish_reason") is None for choice in objects(seen.data["choices"]))
    ]
    findings += [
        at(
            seen,
            pointer="/choices",
            expected=f"no choices after usage, which came in frame {met[0].frame}",
            got=shown(seen.data["choices"]),
        )
        for seen in chunks(exchange.client_events)
        if seen.frame > met[0].frame and seen.data["choices"]
    ]
    return conclude(findings, f"usage in frame {met[0].frame}, once all was said")


def check_not_unasked(exchange: Exchange) -> Verdict:
    if _asked_for_usage(exchange) is not False:
        return Inconclusive("the client asked for usage, or what it asked was not recorded")
    if not exchange.client_events:
        return Inconclusive("no chunk reached the client")
    empty = [seen for seen in chunks(exchange.client_events) if not seen.data["choices"]]
    sent = [seen for seen in chunks(exchange.upstream_events) if not seen.data["choices"]] if native_upstream(exchange) else []
    findings = [at(seen, pointer="/choices", expected="a choice in every chunk", got=shown(seen.data)) for seen in empty[len(sent) :]]
    return conclude(findings, f"{len(exchange.client_events)} events, none of them an unasked usage chunk")


def check_cache_split(exchange: Exchange) -> Verdict:
    def read(seen: Seen | None, usage: dict[str, Any]) -> Iterator[Finding]:
        hit, miss, prompt = (number(usage.get(key)) for key in ("prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "prompt_tokens"))
        if hit is None or miss is None or prompt != hit + miss:
            yield _finding(seen, "/prompt_cache_miss_tokens", f"hits {hit} + misses {miss} = prompt_tokens", str(prompt))
        details = usage.get("prompt_tokens_details")
        if isinstance(details, dict) and "cached_tokens" in details and details["cached_tokens"] != hit:
            yield _finding(seen, "/prompt_tokens_details/cached_tokens", f"the hits, {hit}", shown(details["cached_tokens"]))

    if not any("prompt_cache_hit_tokens" in usage for _, usage in usages(exchange)):
        return Inconclusive("no usage with DeepSeek's cache counts reached the client")
    return _check(read, exchange, "hits and misses are the prompt")


def _counted(case: Case) -> bool:
    """Whether an answer has usage: all that are whole, and streams that asked for it or whose vendor sends it always."""
    return not case.stream or not case.traits.isdisjoint({"usage-asked", "vendor-deepseek", "played"})


_CHAT: Final = frozenset({Surface.CHAT})
_ANY: Final = Given(surfaces=_CHAT, also=_counted)
_OF_CHAT_VENDORS: Final = Given(surfaces=_CHAT, without=IMITATIONS, also=_counted)
_SAYING: Final = Given(surfaces=_CHAT, without=IMITATIONS | {"empty"}, also=_counted)
_STREAMED: Final = Given(surfaces=_CHAT, stream=True, without=IMITATIONS, also=_counted)
_ASKED: Final = Given(surfaces=_CHAT, stream=True, without=IMITATIONS, traits=frozenset({"usage-asked"}))
_NOT_ASKED: Final = Given(surfaces=_CHAT, stream=True, without=IMITATIONS | {"usage-asked"})

RULES: tuple[Rule, ...] = (
    Rule(TOTAL, gateway_only(check_total), _OF_CHAT_VENDORS),
    Rule(PARTS_WITHIN, gateway_only(check_parts_within), _ANY),
    Rule(COUNTS, gateway_only(check_counts), _SAYING),
    Rule(KEPT, check_kept, _ANY),
    Rule(WHEN_ASKED, check_when_asked, _ASKED),
    Rule(ONCE_ALL_IS_SAID, gateway_only(check_once_all_is_said), _STREAMED),
    Rule(NOT_UNASKED, check_not_unasked, _NOT_ASKED),
    Rule(CACHE_SPLIT, gateway_only(check_cache_split), Given(surfaces=_CHAT, traits=frozenset({"vendor-deepseek"}))),
)
