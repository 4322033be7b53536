"""The answer's way back: what the upstream said in its protocol is what the client is told in its own, minus the declared losses.

Each side is read from its own bytes (harness/transcript_oracle.py); one requirement for each thing that an answer says. What a translated
answer has to look like is judged by the rules of its own protocol, as any other's.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from harness.case import CELL, Case, Outcome, Route, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.transcript import CallKind, Transcript
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.errors.reading import error_event, family_of, said
from suites.evidence import at, conclude, contract_clause, shown
from suites.translation.reading import Told, read_by_sdk, told

_NOTHING_TOLD: Final = Inconclusive("no successful answer was translated")


_EVERY_MODEL: Final = contract_clause("1.4 to 1.7", "One request shape per surface reaches every listed vendor by changing only `model`.")


def _answer(name: str, text: str, *claims: str, severity: Severity = Severity.SILENT_WRONG, defects: tuple[str, ...] = ()) -> Requirement:
    return Requirement(
        id=f"translation/answer-{name}",
        severity=severity,
        basis=Basis.DOCUMENTED,
        clause=_EVERY_MODEL,
        text=text,
        claims=("contract:236", *claims),
        defects=defects,
    )


WHOLE = _answer(
    "whole", "What is an answer of the upstream's reaches the client as a whole answer, not as a failure.", "contract:91", "contract:94"
)
TEXT = _answer("text", "The client is told the upstream's text, character for character.")
ORDER = _answer("order", "Thoughts, texts and calls come in the upstream's order, where the client's protocol has one.", "contract:121")
REASONING = _answer("reasoning", "The client is told the upstream's thoughts, character for character.", "contract:89", "contract:124")
SIGNATURES = _answer("signatures", "What proves a thought on the next turn reaches the client byte for byte, or sealed.", "contract:121")
CALLS = _answer("calls", "The client gets each of the upstream's calls, once and in order.", "contract:78", "contract:80", "contract:115")
CALL_IDS = _answer("call-ids", "A call keeps the upstream's id, where it has one.", "contract:79")
CALL_NAMES = _answer("call-names", "A call has the name of the tool as the upstream called it.", "contract:78")
ARGUMENTS = _answer("call-arguments", "A call's arguments are the upstream's, as JSON.", "contract:78", "contract:133")
REFUSAL = _answer("refusal", "The words of a refusal reach the client, as a refusal or as declared.")
STOP = _answer("stop", "Why the answer stopped is said in the client's word for the upstream's reason.", "contract:76", "contract:127")
USAGE = _answer(
    "usage",
    "The client is told the upstream's counts, class by class: fresh and cached input, output, reasoning.",
    "contract:129",
    severity=Severity.COST,
)
FAILURE = _answer(
    "failure",
    "An answer of the upstream's that has an error in it, or no end, is no success for the client.",
    "contract:146",
    "contract:158",
)
ERROR_CLASS = Requirement(
    id="translation/error-class",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "1.13, 203 to 205", "400 invalid_param, context_length_exceeded; 429 rate limit; 502 malformed upstream; 503 no channel"
    ),
    text="An upstream's error reaches the client with the status and the type that its own protocol has for it.",
    claims=("contract:139", "contract:205"),
)
CAUSE_TOLD = Requirement(
    id="translation/cause-told",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("207", "Upstream errors are surfaced verbatim where informative."),
    text="What the upstream has against a request is told to the client in the upstream's words: it alone can mend it.",
    claims=("contract:207",),
)
STOP_WORD = Requirement(
    id="translation/stop-word-known",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-chat", section="finish_reason", says="one of stop, length, tool_calls, content_filter, function_call"),
    text="The word for why an answer stopped is one that the client's protocol has, whatever the upstream said.",
    claims=("contract:113", "contract:127"),
)
NEWS = Requirement(
    id="translation/unknown-is-ignored",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-versions",
        section="Forward compatibility",
        says="we may add new event types, and your code should handle unknown events",
    ),
    text="Events, blocks and members that nobody knows do not reach a client of another protocol.",
)
MODEL = Requirement(
    id="translation/model-as-asked",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.4, 73", "`id` starts with `chatcmpl-`, `object=chat.completion`, `created`, `model`, `choices[].index`."),
    text="A translated answer names the model that the client asked for, wherever it names one.",
    claims=("contract:73", "contract:235"),
)
SDK = Requirement(
    id="translation/sdk-reads-the-same",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="Streaming responses", says="the SDK yields each event; helpers put the deltas together"),
    text="The official SDK, its stream helper too, makes of a translated answer what the upstream said.",
    claims=("contract:1", "contract:2", "contract:91", "contract:94"),
)
BOTH_WAYS = Requirement(
    id="translation/stream-is-the-whole",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8", "A stream carries what the whole answer says."),
    text="The same answer of the upstream's, streamed and not, is told to the client with the same words, calls, stop and counts.",
    claims=("contract:140",),
)

_OWN_FAILURE: Final = {
    "openai": frozenset({"server_error", "api_error"}),
    "anthropic": frozenset({"api_error", "overloaded_error"}),
    "google": frozenset({"INTERNAL", "UNAVAILABLE"}),
}
# Status of the upstream -> what the client may be told by family: statuses, and types (translation.md 3.12).
_CLASSES: Final[Mapping[int, tuple[frozenset[int], Mapping[str, frozenset[str]]]]] = {
    400: (
        frozenset({400}),
        {
            "openai": frozenset({"invalid_request_error"}),
            "anthropic": frozenset({"invalid_request_error"}),
            "google": frozenset({"INVALID_ARGUMENT"}),
        },
    ),
    429: (
        frozenset({429, 503}),
        {
            "openai": frozenset({"rate_limit_error", "rate_limit_exceeded", "requests", "tokens", "server_error", "api_error"}),
            "anthropic": frozenset({"rate_limit_error", "overloaded_error"}),
            "google": frozenset({"RESOURCE_EXHAUSTED", "UNAVAILABLE"}),
        },
    ),
    500: (
        frozenset({500, 502}),
        {
            "openai": frozenset({"server_error", "api_error"}),
            "anthropic": frozenset({"api_error"}),
            "google": frozenset({"INTERNAL", "UNAVAILABLE"}),
        },
    ),
    # What a vendor has against the gateway's key is nothing that the caller's own key did.
    **{status: (frozenset({500, 502, 503}), _OWN_FAILURE) for status in (401, 403)},
    **{status: (frozenset({500, 502, 503, 529}), _OWN_FAILURE) for status in (503, 529)},
}
_WORDS: Final[Mapping[Surface, frozenset[str]]] = {
    Surface.CHAT: frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"}),
    Surface.RESPONSES: frozenset(
        {"completed", "incomplete", "in_progress", "failed", "cancelled", "queued", "max_output_tokens", "content_filter"}
    ),
    Surface.MESSAGES: frozenset(
        {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"}
    ),
    Surface.GEMINI: frozenset(
        {"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"}
    ),
}
_NEW_KEYS: Final = frozenset({"sketch", "note", "mood", "audience", "strokes"})  # harness/recording/scenarios/cells.py invents them
_SAME_BOTH_WAYS: Final = ("text", "reasoning", "refusal", "stop", "usage")


def _about(*members: str, saw: Callable[[Transcript], str]) -> Callable[[Exchange], Verdict]:
    """A check of some members of the two transcripts; `saw` is empty where the upstream said nothing of the sort."""

    def check(exchange: Exchange) -> Verdict:
        both = told(exchange)
        if both is None or not both.whole:
            return _NOTHING_TOLD
        findings = both.about(*members)
        met = saw(both.said)
        return conclude(findings, met) if findings or met else Inconclusive("the upstream said nothing of the sort")

    return check


def _of_calls(member: str | None) -> Callable[[Exchange], Verdict]:
    """A check of one member of each call; None: of the calls themselves."""

    def check(exchange: Exchange) -> Verdict:
        both = told(exchange)
        if both is None or not both.whole:
            return _NOTHING_TOLD
        findings = [finding for finding in both.about("calls") if _member(finding) == member]
        met = _named(both.said)
        return conclude(findings, met) if findings or met else Inconclusive("the upstream called nothing")

    return check


def _member(finding: Finding) -> str | None:
    """Of `/calls/0/name` the last."""
    steps = (finding.pointer or "").split("/")
    return steps[3] if len(steps) > 3 else None


def check_whole(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if exchange.route is not Route.TRANSLATED or (not exchange.upstream and (response is None or response.ok)):
        return _NOTHING_TOLD
    both = told(exchange)
    if both is None:
        got = (
            f"status {response.status}: {shown(response.text[:80].decode('utf-8', 'replace'))}" if response else f"{exchange.client.error}"
        )
        return conclude([Finding(expected="an answer", got=got)], "")
    if not both.whole:
        return _NOTHING_TOLD
    return conclude([finding for finding in both.findings if not finding.pointer], f"{len(both.said.order)} parts, stop {both.said.stop}")


def check_failure(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if exchange.route is not Route.TRANSLATED or response is None or not exchange.upstream:
        return _NOTHING_TOLD
    if not response.ok:
        return conclude([], f"status {response.status}")
    both = told(exchange)
    if both is None:
        return conclude([Finding(expected="an error", got=f"status {response.status}")], "")
    if both.whole:
        return Inconclusive("the upstream's answer is whole")
    return conclude(both.findings, f"an error in the stream: {both.got.error}")


def check_error_class(exchange: Exchange) -> Verdict:
    fault = exchange.case.play.fault if exchange.case.play else None
    response = exchange.client.response
    if exchange.route is not Route.TRANSLATED or fault is None or response is None:
        return Inconclusive("no error of an upstream's was translated")
    statuses, types = _CLASSES[fault.status]
    family = family_of(exchange)
    if response.ok:
        found = error_event(exchange)
        if found is None:
            return conclude([Finding(expected="an error event", got="none")], "")
        seen, cause = found
        wrong = [] if cause.type in types[family] else [at(seen, expected=" or ".join(sorted(types[family])), got=shown(cause.type))]
        return conclude(wrong, f"{cause.type} in the stream")
    told_as = said(family, response.json)
    findings = []
    if response.status not in statuses:
        findings.append(Finding(expected=f"status {' or '.join(map(str, sorted(statuses)))}", got=f"status {response.status}"))
    if told_as is None or told_as.type not in types[family]:
        findings.append(Finding(expected=" or ".join(sorted(types[family])), got=shown(told_as.type if told_as else None)))
    return conclude(findings, f"{response.status} {told_as.type if told_as else ''} for the upstream's {fault.status}")


def check_cause_told(exchange: Exchange) -> Verdict:
    fault = exchange.case.play.fault if exchange.case.play else None
    response, upstream = exchange.client.response, exchange.upstream[-1].response if exchange.upstream else None
    if exchange.route is not Route.TRANSLATED or fault is None or fault.status != 400 or response is None or upstream is None:
        return Inconclusive("the upstream had nothing against the request")
    bodies = [seen.data for seen in exchange.upstream_events] if upstream.is_sse else [upstream.json]
    words = next((word for body in bodies if (word := _message(body))), None)
    if words is None:
        return Inconclusive("the upstream's error has no words")
    event = error_event(exchange) if response.ok else None
    cause = (event[1] if event else None) if response.ok else said(family_of(exchange), response.json)
    got = cause.message if cause is not None else None
    wrong = [] if words in (got or "") else [Finding(expected=f"a message with {shown(words)}", got=shown(got), pointer="/error/message")]
    return conclude(wrong, shown(got))


def _message(body: Any) -> str | None:
    """Of an error, whole or in an event, in whatever protocol."""
    holder = body.get("response") if isinstance(body, dict) and isinstance(body.get("response"), dict) else body
    error = holder.get("error") if isinstance(holder, dict) else None
    found = error.get("message") if isinstance(error, dict) else body.get("message") if isinstance(body, dict) else None
    return found if isinstance(found, str) and found else None


def _values(exchange: Exchange) -> Iterator[Any]:
    response = exchange.client.response
    if response is None or not response.ok:
        return
    if response.is_sse:
        yield from (seen.data for seen in exchange.client_events if isinstance(seen.data, dict))
    else:
        yield from response.json if isinstance(response.json, list) else [response.json]


def _stop_words(surface: Surface, value: Any) -> Iterator[Any]:
    """Every word in the value of an answer, or of an event, that says why or how it ended."""
    if not isinstance(value, dict):
        return
    match surface:
        case Surface.CHAT:
            yield from (choice.get("finish_reason") for choice in _dicts(value.get("choices")))
        case Surface.RESPONSES:
            whole = value if value.get("object") == "response" else value.get("response")
            if isinstance(whole, dict):
                yield whole.get("status")
                details = whole.get("incomplete_details")
                yield details.get("reason") if isinstance(details, dict) else None
        case Surface.MESSAGES:
            yield from (part.get("stop_reason") for part in (value, value.get("delta"), value.get("message")) if isinstance(part, dict))
        case _:
            yield from (candidate.get("finishReason") for candidate in _dicts(value.get("candidates")))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def check_stop_word(exchange: Exchange) -> Verdict:
    known = _WORDS[exchange.case.surface]
    words = [word for value in _values(exchange) for word in _stop_words(exchange.case.surface, value) if word is not None]
    if exchange.route is not Route.TRANSLATED or not words:
        return _NOTHING_TOLD
    findings = [Finding(expected=f"one of {', '.join(sorted(known))}", got=shown(word)) for word in words if word not in known]
    return conclude(findings, f"{shown(words[-1])}")


def check_news(exchange: Exchange) -> Verdict:
    values = list(_values(exchange))
    if exchange.route is not Route.TRANSLATED or not values:
        return _NOTHING_TOLD
    found = sorted({key for value in values for key in _keys(value)} & _NEW_KEYS)
    findings = [Finding(expected="none of what nobody knows", got=f"a member {shown(key)}") for key in found]
    return conclude(findings, f"{len(values)} values without a trace of it")


def _keys(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield key
                yield from _keys(inner)
        case list():
            for inner in value:
                yield from _keys(inner)


def check_model(exchange: Exchange) -> Verdict:
    names = [name for value in _values(exchange) if isinstance(value, dict) for name in _models(exchange.case.surface, value)]
    if exchange.route is not Route.TRANSLATED or not names:
        return _NOTHING_TOLD
    wrong = sorted({str(name) for name in names if name != exchange.model})
    findings = [Finding(expected=shown(exchange.model), got=shown(name)) for name in wrong]
    return conclude(findings, f"{exchange.model}, {len(names)} times")


def _models(surface: Surface, value: dict[str, Any]) -> Iterator[Any]:
    key = "modelVersion" if surface is Surface.GEMINI else "model"
    yield from (part[key] for part in (value, value.get("response"), value.get("message")) if isinstance(part, dict) and key in part)


def check_sdk(exchange: Exchange) -> Verdict:
    both = told(exchange)
    if both is None or not both.whole or exchange.sdk is None:
        return Inconclusive("the SDK read no translated answer")
    findings = read_by_sdk(exchange, both.said)
    if findings is None:
        return conclude([Finding(side=Side.SDK, expected="an answer", got="nothing")], "")
    return conclude([replace(finding, side=Side.SDK) for finding in findings], f"{exchange.sdk.sdk}, {exchange.sdk.call}")


def check_both_ways(exchange: Exchange) -> Verdict:
    """On a case of two steps: whole, then streamed."""
    if exchange.route is not Route.TRANSLATED:
        return Inconclusive("a native route")
    sides = [_step(exchange, step) for step in ("whole", "stream")]
    if sides[0] is None or sides[1] is None:
        return conclude([Finding(expected="an answer, whole and streamed", got="none", step="whole" if sides[0] is None else "stream")], "")
    whole, streamed = sides[0].got, sides[1].got
    findings = [
        Finding(expected=shown(getattr(whole, member)), got=shown(getattr(streamed, member)), pointer=f"/{member}", step="stream")
        for member in _SAME_BOTH_WAYS
        if getattr(whole, member) != getattr(streamed, member)
    ]
    calls = [[(call.name, json.loads(call.arguments or "{}")) for call in side.calls] for side in (whole, streamed)]
    if calls[0] != calls[1]:
        findings.append(Finding(expected=shown(calls[0]), got=shown(calls[1]), pointer="/calls", step="stream"))
    return conclude(findings, f"{len(whole.text)} characters, {len(whole.calls)} calls, {shown(whole.usage)}, both ways")


def _step(exchange: Exchange, name: str) -> Told | None:
    seen = exchange.step(name)
    if not seen.calls:
        return None
    return told(replace(exchange, client=seen.calls[0], upstream=seen.upstream))


def _characters(text: str) -> str:
    return f"{len(text)} characters" if text else ""


def _named(transcript: Transcript) -> str:
    names = [call.name for call in transcript.calls if call.kind is CallKind.FUNCTION]
    return f"{len(names)} calls: {', '.join(names)}" if names else ""


def _translated(case: Case) -> bool:
    return case.upstream is not None and case.upstream.surface is not case.surface


_SUCCESS: Final = Given(also=_translated)
# A chat stream counts where it was asked to.
_COUNTED: Final = Given(
    also=lambda case: _translated(case) and (case.surface is not Surface.CHAT or not case.stream or "usage-asked" in case.traits)
)
_ERROR: Final = Given(
    outcomes=frozenset({Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_BROKEN}),
    also=lambda case: (
        _translated(case)
        and bool({CELL, "error-class"} & case.traits)
        and case.play is not None
        and case.play.fault is not None
        and "scenario-truncated" not in case.traits
    ),
)
_BROKEN: Final = Given(outcomes=frozenset({Outcome.UPSTREAM_BROKEN}), also=_translated)


def _on(*traits: str) -> Given:
    """Cells and others whose upstream says something of the sort, by the trait that tells so."""
    wanted = frozenset(traits)
    return Given(also=lambda case: _translated(case) and bool(wanted & case.traits))


RULES: tuple[Rule, ...] = (
    # Who may not fetch what stands at an address may well refuse to pass it on.
    Rule(WHOLE, check_whole, Given(without=frozenset({"inner-address"}), also=_translated)),
    Rule(TEXT, _about("text", saw=lambda said: _characters(said.text)), _SUCCESS),
    Rule(ORDER, _about("order", saw=lambda said: ", ".join(said.order) if len(said.order) > 1 else ""), _on("tools", "thinking")),
    Rule(REASONING, _about("reasoning", saw=lambda said: _characters(said.reasoning)), _on("thinking")),
    Rule(
        SIGNATURES,
        _about("signatures", saw=lambda said: f"{len(said.signatures)} signatures" if said.signatures else ""),
        _on("thinking", "parallel-tools"),
    ),
    Rule(CALLS, _of_calls(None), _on("tools")),
    Rule(CALL_IDS, _of_calls("id"), _on("tools")),
    Rule(CALL_NAMES, _of_calls("name"), _on("tools")),
    Rule(ARGUMENTS, _of_calls("arguments"), _on("tools")),
    Rule(REFUSAL, _about("refusal", saw=lambda said: _characters(said.refusal)), _on("refusal")),
    Rule(STOP, _about("stop", saw=lambda said: said.stop or ""), _SUCCESS),
    Rule(USAGE, _about("usage", saw=lambda said: shown(said.usage) if said.usage else ""), _COUNTED),
    Rule(FAILURE, check_failure, _BROKEN),
    Rule(ERROR_CLASS, check_error_class, _ERROR),
    Rule(CAUSE_TOLD, check_cause_told, _ERROR),
    Rule(STOP_WORD, check_stop_word, _SUCCESS),
    Rule(NEWS, check_news, _on("scenario-unknown-event")),
    Rule(MODEL, check_model, _SUCCESS),
    Rule(SDK, check_sdk, Given(sdk=True, also=_translated)),
    Rule(BOTH_WAYS, check_both_ways, Given(steps=True, traits=frozenset({"both-ways"}), also=_translated)),
)
