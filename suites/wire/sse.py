"""The framing of every stream, whatever protocol it carries.

The official SDKs are stricter here, and more forgetful, than the standard: a block without data raises in one, an event without its
blank line is lost in silence in two (spec: SSE decoding, same bytes, three clients).
"""

from collections.abc import Callable, Iterator
from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import NOT_JSON, Exchange, Seen, value
from harness.requirement import TEXT_SURFACES, Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Verdict
from harness.wire import sse
from suites.blame import gateway_only
from suites.evidence import at, conclude, contract_clause, native_upstream, shown, whole_stream
from suites.wire.compare import excerpt

DONE: Final = "[DONE]"
_NO_STREAM: Final = Inconclusive("no event stream reached the client")


def _whatwg(section: str, says: str) -> Clause:
    return Clause(source="whatwg-sse", section=section, says=says)


CONTENT_TYPE = Requirement(
    id="sse/content-type",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_whatwg("9.2.5 Parsing an event stream", "This event stream format's MIME type is text/event-stream."),
    text="An answer made of events is labelled text/event-stream.",
    claims=("contract:140", "contract:141"),
    defects=("vllm-project/vllm-ascend#5033",),
)
STREAMED = Requirement(
    id="sse/streamed-when-asked",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-chat", section="stream", says="model response data will be streamed to the client using server-sent events"
    ),
    text="A client that asks for a stream gets events, never one JSON body.",
    claims=("contract:140", "contract:141"),
    defects=("ollama/ollama#9632",),
)
NOT_STREAMED = Requirement(
    id="sse/whole-when-not-asked",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-chat", section="stream", says="If set to true, the response data will be streamed"),
    text="A client that asks for no stream gets one JSON object, labelled so.",
    claims=("contract:72",),
    defects=("gumieri/nenya#18",),
)
VALID_UTF8 = Requirement(
    id="sse/utf-8",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_whatwg("9.2.5 Parsing an event stream", "Event streams in this format must always be encoded as UTF-8."),
    text="The whole stream is valid UTF-8.",
    defects=("xberg-io/liter-llm#152",),
)
NO_REPLACEMENT = Requirement(
    id="sse/no-replacement-character",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_whatwg("9.2.5 Parsing an event stream", "Streams must be decoded using the UTF-8 decode algorithm."),
    text="Nothing in the answer became U+FFFD on its way: a character cut by a read is put together again.",
    defects=("musistudio/claude-code-router#1672",),
)
NO_BOM = Requirement(
    id="sse/no-byte-order-mark",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="openai-python", section="_streaming.py, SSEDecoder", says="a byte-order mark makes the first event's field name unknown"
    ),
    text="The stream begins with its first event, not with a byte-order mark.",
)
CLOSED = Requirement(
    id="sse/last-event-closed",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_whatwg("9.2.6 Interpreting an event stream", "Once the end of the file is reached, any pending data must be discarded."),
    text="The last event is followed by its blank line.",
    defects=("agentjido/req_llm#462",),
)
ONE_DATA_LINE = Requirement(
    id="sse/one-data-line",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="wireproof-corpus", section="Wire layout, by vendor: SSE data", says="one line, in every vendor's traffic"),
    text="Each event has one data line: two events never run together.",
    defects=("rexxars/eventsource-parser#31",),
)
NO_EMPTY_BLOCK = Requirement(
    id="sse/no-block-without-data",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="openai-python", section="_streaming.py, Stream", says="json.loads of each event, an empty one included"),
    text="No block has fields but no data, which the SDK takes for an event of empty JSON.",
    defects=("openai/openai-python#2722", "theopenco/llmgateway#2334", "earendil-works/pi#8430"),
)
KNOWN_FIELDS = Requirement(
    id="sse/known-fields",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_whatwg("9.2.6 Interpreting an event stream", "Otherwise: The field is ignored."),
    text="Each line is a comment or a field named event, data, id or retry.",
)
NO_ID_OR_RETRY = Requirement(
    id="sse/no-id-or-retry",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="wireproof-corpus", section="Wire layout, by vendor: SSE data", says="no vendor sends id or retry"),
    text="No event carries id or retry: there is nothing to resume, and an id sticks to all that follows.",
    claims=("contract:148",),
    defects=("openai/openai-python#2722",),
)
DATA_IS_OBJECT = Requirement(
    id="sse/data-is-an-object",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-chat-streaming", section="The chat completion chunk object", says="each event's data is one JSON object"),
    text="The data of each event is one JSON object, or the protocol's own end mark.",
    claims=("contract:140", "contract:141"),
    defects=("decolua/9router#1648", "caozhiyuan/copilot-api#88"),
)
DONE_ONLY_ON_CHAT = Requirement(
    id="sse/done-only-on-chat",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C26", "no [DONE] outside Chat Completions"),
    text="[DONE] ends a chat stream and stands in no other.",
    claims=("contract:138",),
    defects=("BerriAI/litellm#29201",),
)
NO_COMMENTS_FOR_GOOGLE = Requirement(
    id="sse/no-comments-for-google",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="google-genai-python", section="_api_client.py, iterating over a response", says="UnknownApiResponseError on a comment line"
    ),
    text="A Gemini stream has no comment lines: Google's SDK raises on them.",
)
SAME_EVENTS = Requirement(
    id="sse/same-events",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_whatwg(
        "9.2.6 Interpreting an event stream", "CR LF, LF and CR end a line; one space after the colon is left out; comments are ignored"
    ),
    text="However the upstream spelled and cut its events, the client gets the same events in the same order.",
    claims=("contract:143",),
    defects=("ferro-labs/ai-gateway#129", "agentjido/req_llm#462", "BerriAI/litellm#40404"),
)


def check_content_type(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok:
        return _NO_STREAM
    kind = value(response.headers, "content-type")
    if response.is_sse:
        return Passed(f"{kind}, {len(response.frames)} events")
    looks = [frame for frame in response.frames[:3] if frame.data is not None]
    if not looks:
        return Inconclusive("the answer is not made of events")
    return conclude([Finding(expected="content-type text/event-stream", got=shown(kind))], "")


def check_streamed(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    if response is None or not response.ok:
        return Inconclusive("no successful answer reached the client")
    if exchange.case.surface is Surface.GEMINI and "alt=sse" not in exchange.client.request.target:
        return Inconclusive("the client asked for a JSON array, not for events")
    events = sum(frame.data is not None for frame in response.frames)
    if events:
        return Passed(f"{events} events")
    if upstream is not None and not any(frame.data is not None for frame in upstream.frames):
        return Inconclusive("the upstream sent no events")
    return conclude([Finding(expected="events", got=excerpt(response.text, 0))], "")


def check_not_streamed(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok:
        return Inconclusive("no successful answer reached the client")
    kind = (value(response.headers, "content-type") or "").partition(";")[0].strip().lower()
    findings = []
    if kind != "application/json":
        findings.append(Finding(expected="content-type application/json", got=shown(kind)))
    if not isinstance(response.json, dict):
        findings.append(Finding(expected="one JSON object", got=excerpt(response.text, 0)))
    return conclude(findings, f"one JSON object of {len(response.text)} bytes")


def check_utf8(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.is_sse or not response.frames:
        return _NO_STREAM
    bad = [
        Finding(expected="UTF-8", got=excerpt(frame.raw, 0), frame=number, offset=frame.offset)
        for number, frame in enumerate(response.frames)
        if frame.invalid_utf8
    ]
    return conclude(bad, f"{len(response.frames)} events, {len(response.text)} bytes")


def check_no_replacement(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    if response is None or not response.text or upstream is None:
        return Inconclusive("no body to compare")
    mark = "\N{REPLACEMENT CHARACTER}".encode()
    came, sent = response.text.count(mark), upstream.text.count(mark)
    beyond_ascii = sum(byte >= 0x80 for byte in response.text)
    if came > sent:
        return conclude([Finding(expected=f"{sent} U+FFFD", got=f"{came}", offset=response.text.find(mark))], "")
    if not beyond_ascii:
        return Inconclusive("the answer is all ASCII")
    return Passed(f"{beyond_ascii} bytes beyond ASCII, U+FFFD {came} times as sent")


def check_no_bom(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.is_sse or not response.text:
        return _NO_STREAM
    marked = response.text.startswith(sse.BOM)
    return conclude([Finding(expected="the first event", got="a byte-order mark", offset=0)] if marked else [], "no byte-order mark")


def check_closed(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange) or exchange.client.response is None:
        return _NO_STREAM
    frames, tail = sse.split(exchange.client.response.text)
    if tail is None or (tail.frame.data is None and not tail.frame.raw.strip()):
        return Passed(f"{len(frames)} events, the last closed") if frames else _NO_STREAM
    return conclude([Finding(expected="a blank line after the last event", got=excerpt(tail.frame.raw, 0), offset=tail.frame.offset)], "")


def _blocks(exchange: Exchange, wrong: Callable[[Seen], str | None], saw: str) -> Verdict:
    """A finding for each block of which `wrong` says what is."""
    findings = [at(seen, expected=saw, got=said) for seen in exchange.client_events if (said := wrong(seen)) is not None]
    return conclude(findings, f"{len(exchange.client_events)} blocks: {saw}") if exchange.client_events else _NO_STREAM


def check_one_data_line(exchange: Exchange) -> Verdict:
    def wrong(seen: Seen) -> str | None:
        lines = sum(line.name == "data" for line in seen.raw.lines)
        return f"{lines} data lines" if lines > 1 else None

    return _blocks(exchange, wrong, "one data line each")


def check_no_empty_block(exchange: Exchange) -> Verdict:
    def wrong(seen: Seen) -> str | None:
        names = [line.name for line in seen.raw.lines if line.name]
        return f"only {', '.join(names)}" if names and "data" not in names else None

    return _blocks(exchange, wrong, "data in each block that has fields")


def check_known_fields(exchange: Exchange) -> Verdict:
    return _blocks(
        exchange, lambda seen: shown(seen.raw.unknown_fields[0]) if seen.raw.unknown_fields else None, "only event, data, id, retry"
    )


def check_no_id_or_retry(exchange: Exchange) -> Verdict:
    def wrong(seen: Seen) -> str | None:
        return next((f"{line.name}: {line.value}" for line in seen.raw.lines if line.name in ("id", "retry")), None)

    return _blocks(exchange, wrong, "neither id nor retry")


def check_data_is_object(exchange: Exchange) -> Verdict:
    events = [seen for seen in exchange.client_events if seen.raw.data is not None]
    if not events:
        return _NO_STREAM
    findings = [
        at(seen, expected="a JSON object", got=excerpt(seen.raw.raw, 0) if seen.data is NOT_JSON else shown(seen.data))
        for seen in events
        if not isinstance(seen.data, dict) and seen.raw.data != DONE
    ]
    return conclude(findings, f"{len(events)} events")


def check_done_only_on_chat(exchange: Exchange) -> Verdict:
    return _blocks(exchange, lambda seen: DONE if (seen.raw.data or "").startswith(DONE) else None, "no [DONE]")


def check_no_comments(exchange: Exchange) -> Verdict:
    return _blocks(exchange, lambda seen: shown(seen.raw.comments[0]) if seen.raw.comments else None, "no comment lines")


def check_same_events(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange) or exchange.client.response is None or not whole_stream(exchange):
        return Inconclusive("no stream on a native route")
    sent_answer = exchange.upstream[-1].response
    assert sent_answer is not None  # native_upstream
    sent, got = list(_events(sent_answer.text)), list(_events(exchange.client.response.text))
    if not sent:
        return Inconclusive("the upstream sent no event")
    place = next((number for number, (one, other) in enumerate(zip(sent, got, strict=False)) if one != other), min(len(sent), len(got)))
    if place == len(sent) == len(got):
        return Passed(f"{len(got)} events, in {len(sent_answer.reads)} writes and {len(exchange.client.response.reads)} reads")
    expected, came = (shown(list(events[place])) if place < len(events) else "the end" for events in (sent, got))
    return conclude([Finding(expected=expected, got=came, frame=place)], "")


def _events(body: bytes) -> Iterator[tuple[str | None, str]]:
    """Name and data of each event, one that the end of the body cut off from its blank line included."""
    frames, tail = sse.split(body)
    for frame in (*frames, *([tail.frame] if tail else [])):
        if frame.data is not None:
            yield frame.event, frame.data


# What does not depend on who reads it is judged where the raw client does: that keeps a run to thousands of verdicts.
_PLAIN: Final = frozenset({"framing"})
_STREAMS: Final = Given(stream=True, without=_PLAIN, sdk=False)
# A vendor that is cut off in the middle of an event leaves a piece of it behind, which no gateway can take back.
_CUT: Final = frozenset({"fault-cut-rst", "fault-cut-fin"})
_ALL: Final = Given(
    stream=True,
    without=_PLAIN,
    sdk=False,
    outcomes=frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_BROKEN}),
    also=lambda case: not _CUT & case.traits,
)

RULES: tuple[Rule, ...] = (
    Rule(CONTENT_TYPE, gateway_only(check_content_type), _STREAMS),
    Rule(STREAMED, check_streamed, _STREAMS),
    Rule(NOT_STREAMED, gateway_only(check_not_streamed), Given(stream=False, sdk=False)),
    Rule(VALID_UTF8, gateway_only(check_utf8), _STREAMS),
    Rule(NO_REPLACEMENT, check_no_replacement, Given(traits=frozenset({"unicode"}))),
    Rule(NO_BOM, gateway_only(check_no_bom), _STREAMS),
    Rule(CLOSED, gateway_only(check_closed), _ALL),
    Rule(ONE_DATA_LINE, gateway_only(check_one_data_line), _ALL),
    Rule(NO_EMPTY_BLOCK, gateway_only(check_no_empty_block), _ALL),
    Rule(KNOWN_FIELDS, gateway_only(check_known_fields), _STREAMS),
    Rule(NO_ID_OR_RETRY, gateway_only(check_no_id_or_retry), _STREAMS),
    Rule(DATA_IS_OBJECT, gateway_only(check_data_is_object), _ALL),
    Rule(DONE_ONLY_ON_CHAT, gateway_only(check_done_only_on_chat), Given(surfaces=TEXT_SURFACES - {Surface.CHAT}, stream=True, sdk=False)),
    Rule(NO_COMMENTS_FOR_GOOGLE, gateway_only(check_no_comments), Given(surfaces=frozenset({Surface.GEMINI}), stream=True, without=_PLAIN)),
    Rule(SAME_EVENTS, check_same_events, Given(stream=True, traits=frozenset({"framing"}), sees_upstream=True)),
)
