"""The answer as a whole: shape, identity, why it ended, ratings and feedback, and every field that the upstream sent."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from harness import schema
from harness.case import Surface
from harness.exchange import Exchange, value
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, shown
from suites.fields import Pair, all_kept, none_added
from suites.gemini.reading import (
    NO_ANSWER,
    NO_STREAM,
    NOT_COMPARABLE,
    Chunk,
    asked,
    candidates,
    client_chunks,
    object_of,
    said,
    shows,
    text,
    upstream_chunks,
)
from suites.structured import obeys
from suites.values import ABSENT, differences

_NATIVE: Final = contract_clause("1.8 Streaming", "The upstream stream is piped 1:1 on native routes.")
_ENUMS: Final = frozenset({"finishReason", "blockReason", "category", "probability", "modality", "outcome", "language", "trafficType"})
_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]*")

RESPONSE_SHAPE = Requirement(
    id="gemini/schema/response",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="google-genai-python",
        section="types.GenerateContentResponse",
        says="Response message for PredictionService.GenerateContent.",
    ),
    text="A whole answer has the fields and types of a GenerateContentResponse; unknown ones may stand beside them.",
    claims=("contract:132",),
)
CHUNK_SHAPE = Requirement(
    id="gemini/schema/chunk",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="google-genai-python",
        section="types.GenerateContentResponse",
        says="Response message for PredictionService.GenerateContent.",
    ),
    text="Each data of a stream has the fields and types of a GenerateContentResponse; unknown ones may stand beside them.",
    claims=("contract:132",),
)
ARRAY_FORM = Requirement(
    id="gemini/answer/array-form",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.7 Gemini native", "`alt=sse` gives SSE; without it a JSON array."),
    text="streamGenerateContent without alt=sse answers application/json, one array of chunks.",
    claims=("contract:137",),
)
ENUM_WORDS = Requirement(
    id="gemini/answer/enum-words",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="wireproof-corpus",
        section="Gemini",
        says="`finishReason` is `STOP` with function calls: there is no tool-call finish reason.",
    ),
    text="finishReason and other enumerations are Google's words in capitals; numbers only where enum-encoding=int was asked for.",
)
IDENTITY_KEPT = Requirement(
    id="gemini/answer/identity-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="responseId and modelVersion are the upstream's own.",
    claims=("contract:143",),
)
FINISH_KEPT = Requirement(
    id="gemini/answer/finish-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="Each candidate ended for the upstream's reason: a refusal or a cut is not told as a plain STOP.",
    claims=("contract:143",),
)
FEEDBACK_KEPT = Requirement(
    id="gemini/answer/feedback-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="gemini-generate-content",
        section="GenerateContentResponse.promptFeedback",
        says="Content filter results for a prompt sent in the request.",
    ),
    text="promptFeedback reaches the client as the upstream gave it, and no candidate is made up beside it.",
    claims=("contract:143",),
)
RATINGS_KEPT = Requirement(
    id="gemini/answer/ratings-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="safetyRatings of candidates reach the client as the upstream gave them.",
    claims=("contract:132", "contract:143"),
)
FIELDS_KEPT = Requirement(
    id="gemini/answer/fields-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="No field that the upstream sent is missing, new ones included.",
    claims=("contract:143",),
)
NOTHING_ADDED = Requirement(
    id="gemini/answer/nothing-added",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="On a native route the client gets no field that the upstream did not send.",
    claims=("contract:143",),
)
STRUCTURED = Requirement(
    id="gemini/answer/structured",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="google-genai-python",
        section="types.GenerateContentConfig.response_json_schema",
        says="Output schema of the generated response.",
    ),
    text="Where JSON was asked for by a JSON Schema and the answer ran to STOP, its text is JSON that obeys the schema.",
    claims=("contract:132",),
)


def check_response_shape(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or response.is_sse or isinstance(response.json, list):
        return Inconclusive("the answer is no single object")
    return conclude(_violations("gemini/response", response.json if isinstance(response.json, dict) else None, None), "a response object")


def check_chunk_shape(exchange: Exchange) -> Verdict:
    chunks = client_chunks(exchange)
    response = exchange.client.response
    if not chunks or response is None or not (response.is_sse or isinstance(response.json, list)):
        return NO_STREAM
    findings = [found for chunk in chunks for found in _violations("gemini/chunk", chunk.value, chunk)]
    return conclude(findings, f"{len(chunks)} chunks of the documented shape")


def _violations(name: str, value: object, chunk: Chunk | None) -> list[Finding]:
    seen = chunk.seen if chunk else None
    return [
        Finding(
            expected=violation.expected,
            got=violation.got,
            pointer=(chunk.pointer if chunk else "") + violation.pointer,
            frame=seen.frame if seen else None,
            offset=seen.offset if seen else None,
        )
        for violation in schema.findings(name, value)
    ]


def check_array_form(exchange: Exchange) -> Verdict:
    request, response = exchange.client.request, exchange.client.response
    if response is None or not request.path.endswith(":streamGenerateContent") or "alt=sse" in request.target:
        return Inconclusive("a stream without alt=sse was not asked for")
    media = (value(response.headers, "content-type") or "").partition(";")[0].strip().lower()
    if media != "application/json":
        return Failed(Finding(expected="content-type application/json", got=media or "none"))
    if not isinstance(response.json, list) or not response.json:
        return Failed(Finding(expected="a JSON array of chunks", got=type(response.json).__name__, pointer=""))
    return Passed(f"an array of {len(response.json)} chunks")


def check_enum_words(exchange: Exchange) -> Verdict:
    if "enum-encoding" in exchange.client.request.target:
        return Inconclusive("the client asked for another encoding of enumerations")
    chunks = client_chunks(exchange)
    words = [(chunk, pointer, word) for chunk in chunks for pointer, word in _words(chunk.value)]
    findings = [
        Finding(
            expected="a word in capitals",
            got=shown(word),
            pointer=chunk.pointer + pointer,
            frame=chunk.seen.frame if chunk.seen else None,
            offset=chunk.seen.offset if chunk.seen else None,
        )
        for chunk, pointer, word in words
        if not isinstance(word, str) or not _WORD.fullmatch(word)
    ]
    if not words:
        return Inconclusive("no enumeration reached the client")
    return conclude(findings, f"{len(words)} words in capitals: {', '.join(sorted({str(word) for _, _, word in words}))}")


def _words(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of an enumeration. What a tool is called with, or answers, is the client's own and not looked into."""
    match value:
        case dict():
            for name, inner in value.items():
                if name in _ENUMS:
                    yield f"{pointer}/{name}", inner
                elif name not in ("args", "response", "functionCall", "functionResponse", "toolCall", "toolResponse"):
                    yield from _words(inner, f"{pointer}/{name}")
        case list():
            for place, inner in enumerate(value):
                yield from _words(inner, f"{pointer}/{place}")


def check_identity_kept(exchange: Exchange) -> Verdict:
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if not ours:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    names = ("responseId", "modelVersion")
    wanted, got = ([chunks[0].value.get(name) for name in names] for chunks in (theirs, ours))
    findings = [
        Finding(
            expected=shown(one), got=shown(other), pointer=f"{ours[0].pointer}/{name}", frame=ours[0].seen.frame if ours[0].seen else None
        )
        for name, one, other in zip(names, wanted, got, strict=True)
        if one != other
    ]
    return conclude(findings, f"responseId {shown(got[0])}, modelVersion {shown(got[1])}")


def _of_candidates(chunks: list[Chunk], name: str) -> dict[str, Any]:
    """The last value of a field of each candidate that has it, by the candidate's index."""
    return {str(index): held[name] for chunk in chunks for _, index, held in candidates(chunk) if name in held}


def _compare(exchange: Exchange, name: str, what: str) -> Verdict:
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if not ours:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    wanted, got = _of_candidates(theirs, name), _of_candidates(ours, name)
    if not wanted and not got:
        return Inconclusive(f"the upstream sent no {what}")
    findings = list(differences(wanted, got, pointer=f"/candidates/*/{name}"))
    return conclude(findings, f"{what} of {len(got)} candidates: {shown(list(got.values()))}")


def check_finish_kept(exchange: Exchange) -> Verdict:
    return _compare(exchange, "finishReason", "finishReason")


def check_ratings_kept(exchange: Exchange) -> Verdict:
    return _compare(exchange, "safetyRatings", "safetyRatings")


def check_feedback_kept(exchange: Exchange) -> Verdict:
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if theirs is None:
        return NOT_COMPARABLE
    wanted, got = ([chunk.value["promptFeedback"] for chunk in chunks if "promptFeedback" in chunk.value] for chunks in (theirs, ours))
    if not wanted and not got:
        return Inconclusive("the upstream had nothing to say of the prompt")
    findings = list(differences(wanted[0] if wanted else ABSENT, got[0] if got else ABSENT, pointer="/promptFeedback"))
    if not any(candidates(chunk) for chunk in theirs) and any(candidates(chunk) for chunk in ours):
        findings.append(Finding(expected="no candidate", got="one beside the feedback", pointer="/candidates"))
    return conclude(findings, f"promptFeedback {shown(got[0] if got else None)}")


def _pairs(exchange: Exchange) -> list[Pair]:
    theirs, ours = upstream_chunks(exchange) or [], client_chunks(exchange)
    if len(theirs) != len(ours):  # gemini/stream/chunks-kept tells it
        return []
    return [(one.value, other.value, other.seen) for one, other in zip(theirs, ours, strict=True)]


def check_fields_kept(exchange: Exchange) -> Verdict:
    return all_kept(_pairs(exchange))


def check_nothing_added(exchange: Exchange) -> Verdict:
    return none_added(_pairs(exchange))


def check_structured(exchange: Exchange) -> Verdict:
    chunks = client_chunks(exchange)
    if not chunks:
        return NO_ANSWER
    wanted = object_of(asked(exchange).get("generationConfig")).get("responseJsonSchema")
    if not isinstance(wanted, dict):
        return Inconclusive("no JSON Schema was asked for")
    reasons = _of_candidates(chunks, "finishReason")
    texts = said(chunks, thought=False)
    if text(reasons.get("0")) != "STOP" or not texts.get(0):
        return Inconclusive(f"the answer ended at {shown(reasons.get('0'))}, before its JSON was due")
    return obeys(texts[0], wanted)


_given: Final = partial(Given, surfaces=frozenset({Surface.GEMINI}))

RULES: tuple[Rule, ...] = (
    Rule(RESPONSE_SHAPE, gateway_only(check_response_shape), _given(stream=False, without=frozenset({"array"}))),
    Rule(CHUNK_SHAPE, gateway_only(check_chunk_shape), _given(also=lambda case: case.stream or "array" in case.traits)),
    Rule(ARRAY_FORM, gateway_only(check_array_form), _given(also=shows("array"))),
    Rule(ENUM_WORDS, gateway_only(check_enum_words), _given()),
    Rule(IDENTITY_KEPT, check_identity_kept, _given()),
    Rule(FINISH_KEPT, check_finish_kept, _given(without=frozenset({"blocked"}))),
    Rule(FEEDBACK_KEPT, check_feedback_kept, _given(also=shows("blocked"))),
    Rule(RATINGS_KEPT, check_ratings_kept, _given(also=shows("refusal"))),
    Rule(FIELDS_KEPT, check_fields_kept, _given()),
    Rule(NOTHING_ADDED, check_nothing_added, _given()),
    Rule(STRUCTURED, gateway_only(check_structured), _given(also=shows("structured"))),
)
