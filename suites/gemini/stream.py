"""The grammar of a Gemini stream: unnamed events, each a whole response object, the last one with the finishReason."""

from functools import partial
from typing import Final

from harness.case import Outcome, Route, Surface
from harness.exchange import Exchange, Seen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import at, conclude, contract_clause, native_upstream, shown, whole_stream
from suites.gemini.reading import CUT, NO_STREAM, NOT_COMPARABLE, candidates, client_chunks, object_of, parts, text, upstream_chunks


def _seen_in_traffic(says: str) -> Clause:
    return Clause(source="wireproof-corpus", section="Gemini", says=says)


_SDK: Final = "an event line, or data: without its space, is an UnknownApiResponseError"

NO_EVENT_NAMES = Requirement(
    id="gemini/stream/no-event-names",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="google-genai-python", section="_api_client.py, iterating over a response", says=_SDK),
    text="No event has an event line.",
)
SPACE_AFTER_COLON = Requirement(
    id="gemini/stream/space-after-colon",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="google-genai-python", section="_api_client.py, iterating over a response", says=_SDK),
    text="Each data line has its space behind the colon.",
)
LINE_ENDS_KEPT = Requirement(
    id="gemini/stream/line-ends-kept",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8 Streaming", "The upstream stream is piped 1:1 on native routes."),
    text="Lines end as the upstream ended them: Google writes CRLF.",
    claims=("contract:143",),
)
FINISH_LAST = Requirement(
    id="gemini/stream/finish-last",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("finishReason and responseId safe (208 of 208)"),
    text="Each candidate has one finishReason, in its last chunk; a blocked prompt has a blockReason instead.",
    claims=("contract:138",),
)
ONE_IDENTITY = Requirement(
    id="gemini/stream/one-identity",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("finishReason and responseId safe (208 of 208)"),
    text="All chunks of a stream have the same responseId and the same modelVersion.",
)
USAGE_IN_EACH = Requirement(
    id="gemini/stream/usage-in-each",
    severity=Severity.COST,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("Streams: usageMetadata in every chunk, cumulative"),
    text="Every chunk has usageMetadata: a client that hangs up early knows what it has used.",
)
CHUNKS_KEPT = Requirement(
    id="gemini/stream/chunks-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8 Streaming", "Frames flow without batching"),
    text="Every chunk of the upstream reaches the client, in order, with its parts: none merged, split or dropped, the empty ones too.",
    claims=("contract:143", "contract:150"),
)
ERROR_LAST = Requirement(
    id="gemini/stream/error-last",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="google-genai-python",
        section="errors",
        says="an object with `error` in mid-stream is a ClientError or ServerError by its code",
    ),
    text="An error in mid-stream is the last data, an unnamed error object with code, message and status, and no finishReason precedes it.",
    claims=("contract:139",),
    defects=("dativo-io/talon#254",),
)
ERROR_KEPT = Requirement(
    id="gemini/stream/error-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8 Streaming", "The upstream stream is piped 1:1 on native routes."),
    text="The upstream's mid-stream error reaches the client with its own code, status and message.",
    claims=("contract:139", "contract:143"),
)


def _framed(exchange: Exchange) -> list[Seen]:
    return [seen for seen in exchange.client_events if not seen.raw.is_blank]


def check_no_event_names(exchange: Exchange) -> Verdict:
    events = _framed(exchange)
    findings = [at(seen, expected="no event line", got=f"event: {seen.raw.event}") for seen in events if seen.raw.event is not None]
    return conclude(findings, f"{len(events)} unnamed events") if events else NO_STREAM


def check_space_after_colon(exchange: Exchange) -> Verdict:
    lines = [(seen, line) for seen in exchange.client_events for line in seen.raw.lines if line.name == "data"]
    findings = [
        at(seen, expected="data, a colon and a space", got=f"data{line.separator}") for seen, line in lines if line.separator != ": "
    ]
    return conclude(findings, f"{len(lines)} data lines, each with its space") if lines else NO_STREAM


def check_line_ends_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange) or not exchange.upstream_events:
        return NOT_COMPARABLE
    theirs = {seen.raw.line_ends for seen in exchange.upstream_events}
    if len(theirs) != 1:
        return Inconclusive("the upstream mixed its line ends")
    wanted = theirs.pop()
    events = _framed(exchange)
    findings = [at(seen, expected=shown(wanted), got=shown(seen.raw.line_ends)) for seen in events if seen.raw.line_ends != wanted]
    return conclude(findings, f"{len(events)} events with lines that end in {shown(wanted)}") if events else NO_STREAM


def check_finish_last(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return CUT
    chunks = client_chunks(exchange)
    if not chunks:
        return NO_STREAM
    last: dict[int, int] = {}
    finished: dict[int, list[int]] = {}
    for place, chunk in enumerate(chunks):
        for _, index, candidate in candidates(chunk):
            last[index] = place
            if candidate.get("finishReason") is not None:
                finished.setdefault(index, []).append(place)
    if not last:
        blocked = next((chunk for chunk in chunks if object_of(chunk.value.get("promptFeedback")).get("blockReason") is not None), None)
        if blocked is None:
            return Failed(_in_chunk(chunks[-1].seen, "candidates, or a promptFeedback with its blockReason", "neither", ""))
        return Passed(f"no candidate: the prompt was blocked as {shown(blocked.value['promptFeedback']['blockReason'])}")
    findings = [
        _in_chunk(
            chunks[place].seen,
            f"one finishReason of candidate {index}, in its last chunk ({place})",
            f"in {finished.get(index, 'none')}",
            "/candidates",
        )
        for index, place in last.items()
        if finished.get(index) != [place]
    ]
    return conclude(findings, f"{len(last)} candidates finished in the last of {len(chunks)} chunks")


def _in_chunk(seen: Seen | None, expected: str, got: str, pointer: str) -> Finding:
    return Finding(expected=expected, got=got, pointer=pointer, frame=seen.frame if seen else None, offset=seen.offset if seen else None)


def check_one_identity(exchange: Exchange) -> Verdict:
    chunks = client_chunks(exchange)
    if len(chunks) < 2:
        return Inconclusive("fewer than two chunks reached the client")
    findings = [
        _in_chunk(
            chunk.seen, f"{shown(chunks[0].value.get(name))} as in the first chunk", shown(chunk.value.get(name)), f"{chunk.pointer}/{name}"
        )
        for name in ("responseId", "modelVersion")
        for chunk in chunks[1:]
        if chunk.value.get(name) != chunks[0].value.get(name)
    ]
    return conclude(findings, f"{len(chunks)} chunks of {shown(chunks[0].value.get('responseId'))}")


def check_usage_in_each(exchange: Exchange) -> Verdict:
    if exchange.route is Route.TRANSLATED:
        return Inconclusive("other vendors count when all is said")
    chunks = client_chunks(exchange)
    findings = [_in_chunk(chunk.seen, "usageMetadata", "none", f"{chunk.pointer}/usageMetadata") for chunk in chunks if not chunk.usage]
    return conclude(findings, f"{len(chunks)} chunks with usageMetadata") if chunks else NO_STREAM


def check_chunks_kept(exchange: Exchange) -> Verdict:
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if theirs is None:
        return NOT_COMPARABLE
    if exchange.client.response is not None and exchange.client.response.is_sse and not whole_stream(exchange):
        return CUT
    if len(theirs) != len(ours):
        return Failed(Finding(expected=f"{len(theirs)} chunks", got=f"{len(ours)}"))
    findings = []
    for one, other in zip(theirs, ours, strict=True):
        wanted, got = ([part.kind for part in parts([chunk])] for chunk in (one, other))
        if wanted != got:
            findings.append(_in_chunk(other.seen, shown(wanted), shown(got), f"{other.pointer}/candidates/0/content/parts"))
    return conclude(findings, f"{len(ours)} chunks with {sum(1 for _ in parts(ours))} parts, as the upstream sent them")


def check_error_last(exchange: Exchange) -> Verdict:
    events = [seen for seen in exchange.client_events if isinstance(seen.data, dict)]
    if not events:
        return NO_STREAM
    last = events[-1]
    error = object_of(last.data.get("error"))
    if not error:
        return Failed(at(last, expected="an error object at the end", got=shown(list(last.data))))
    findings = []
    if type(error.get("code")) is not int or not text(error.get("status")) or not isinstance(error.get("message"), str):
        findings.append(at(last, expected="code, message and status", got=shown(error), pointer="/error"))
    if last.raw.event is not None:
        findings.append(at(last, expected="no event line", got=f"event: {last.raw.event}"))
    findings += [
        at(
            seen,
            expected="no finishReason beside an error",
            got=shown(candidate["finishReason"]),
            pointer=f"/candidates/{place}/finishReason",
        )
        for seen in events[:-1]
        for place, candidate in enumerate(seen.data.get("candidates") or ())
        if object_of(candidate).get("finishReason") is not None
    ]
    return conclude(findings, f"{text(error.get('status'))} behind {len(events) - 1} chunks, and nothing after it")


def check_error_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange):
        return NOT_COMPARABLE
    theirs, ours = (
        [seen for seen in events if isinstance(seen.data, dict) and isinstance(seen.data.get("error"), dict)]
        for events in (exchange.upstream_events, exchange.client_events)
    )
    if not theirs:
        return Inconclusive("the upstream sent no error in its stream")
    if not ours:
        return Failed(Finding(expected=shown(theirs[0].data), got="no error"))
    wanted, got = theirs[0].data["error"], ours[0].data["error"]
    findings = [
        at(ours[0], expected=shown(wanted.get(name)), got=shown(got.get(name)), pointer=f"/error/{name}")
        for name in ("code", "status", "message")
        if wanted.get(name) != got.get(name)
    ]
    return conclude(findings, f"{shown(wanted.get('status'))} as the upstream sent it")


_stream: Final = partial(Given, surfaces=frozenset({Surface.GEMINI}), stream=True)
_error: Final = partial(_stream, outcomes=frozenset({Outcome.UPSTREAM_ERROR}), traits=frozenset({"error-event"}))

RULES: tuple[Rule, ...] = (
    Rule(NO_EVENT_NAMES, gateway_only(check_no_event_names), _stream()),
    Rule(SPACE_AFTER_COLON, gateway_only(check_space_after_colon), _stream()),
    Rule(LINE_ENDS_KEPT, check_line_ends_kept, _stream()),
    Rule(FINISH_LAST, gateway_only(check_finish_last), _stream()),
    Rule(ONE_IDENTITY, gateway_only(check_one_identity), _stream()),
    Rule(USAGE_IN_EACH, gateway_only(check_usage_in_each), _stream()),
    Rule(CHUNKS_KEPT, check_chunks_kept, _stream()),
    Rule(ERROR_LAST, gateway_only(check_error_last), _error()),
    Rule(ERROR_KEPT, check_error_kept, _error()),
)
