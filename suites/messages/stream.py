"""The grammar of a Messages stream: one message, block after block, up to message_stop."""

from collections.abc import Callable
from functools import partial
from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import Exchange, Seen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import at, conclude, native_upstream, shown, whole_stream
from suites.messages.reading import CUT, NO_STREAM, NOT_COMPARABLE, messages_of, object_of, shows, text, typed

FITS: Final = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
}  # input_json_delta fits every *_use block; deltas that we do not know fit any


def _documented(says: str, section: str = "Event types") -> Clause:
    return Clause(source="anthropic-messages-streaming", section=section, says=says)


def _seen_in_traffic(says: str) -> Clause:
    return Clause(source="wireproof-corpus", section="Anthropic SSE (457)", says=says)


_A_BLOCK: Final = (
    "A series of content blocks, each of which have a content_block_start, one or more content_block_delta events, "
    "and a content_block_stop event. Each content block will have an index that corresponds to its index in the final Message "
    "content array."
)

EVENT_IS_TYPE = Requirement(
    id="messages/stream/event-is-type",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_documented(
        "Each event will use an SSE event name (e.g. event: message_stop), and include the matching event type in its data.",
    ),
    text="Each event is named by an event line that says the same as the type in its data.",
    claims=("contract:141",),
    defects=("earendil-works/pi#4381",),
)
MESSAGE_START_FIRST = Requirement(
    id="messages/stream/message-start-first",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_documented("message_start: contains a Message object with empty content."),
    text="The stream begins with message_start, and there is one.",
    claims=("contract:142",),
)
MESSAGE_STOP_LAST = Requirement(
    id="messages/stream/message-stop-last",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented("A final message_stop event."),
    text="The stream ends with message_stop, there is one, and nothing comes behind it.",
    claims=("contract:142",),
    defects=("tombii/better-ccflare#307",),
)
ONE_MESSAGE_DELTA = Requirement(
    id="messages/stream/one-message-delta",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("safe: one message_delta (n of n)"),
    text="One message_delta stands behind the last block and before message_stop.",
    claims=("contract:142",),
)
DELTA_IN_OPEN_BLOCK = Requirement(
    id="messages/stream/delta-in-open-block",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented(_A_BLOCK),
    text="A content_block_delta names the block that is open at that moment.",
    claims=("contract:142",),
)
BLOCKS_IN_TURN = Requirement(
    id="messages/stream/blocks-in-turn",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented(_A_BLOCK),
    text="A block starts when the one before has stopped, a content_block_stop names the open block, and none stays open.",
    claims=("contract:142",),
)
INDEXES_COUNT = Requirement(
    id="messages/stream/indexes-count",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_documented(_A_BLOCK),
    text="Blocks are numbered 0, 1, 2 and so on, in the order in which they start.",
)
DELTA_FITS_BLOCK = Requirement(
    id="messages/stream/delta-fits-block",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented("Each content_block_delta event contains a delta of a type that updates the content block at a given index."),
    text="A text block gets text and citations, a thinking block thinking and its signature, a tool block JSON.",
)
STARTS_EMPTY = Requirement(
    id="messages/stream/starts-empty",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic('safe: text starts "" (n of n)'),
    text="What deltas will build is empty in content_block_start: a client that adds them up says nothing twice.",
)
NO_EMPTY_TEXT = Requirement(
    id="messages/stream/no-empty-text",
    severity=Severity.COSMETIC,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("safe: no empty text_delta (n of n)"),
    text="No text_delta is empty.",
)
STOP_REASON_LATE = Requirement(
    id="messages/stream/stop-reason-late",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="stop_reason",
        says="In streaming mode, it is null in the message_start event and non-null otherwise.",
    ),
    text="stop_reason is null in message_start and a word in message_delta.",
)
PINGS_KEPT = Requirement(
    id="messages/stream/pings-kept",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=_documented("Event streams may also include any number of ping events.", "Ping events"),
    text="The client gets the upstream's pings, each in its place, and none besides.",
    claims=("contract:143",),
)
EVENTS_KEPT = Requirement(
    id="messages/stream/events-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented(
        "In accordance with the versioning policy, new event types may be added, and your code should handle unknown event types "
        "gracefully.",
        "Other events",
    ),
    text="Every event of the upstream reaches the client, in order, none split, merged or added; new types too.",
    claims=("contract:143", "contract:150"),
    defects=("experientiallabs/experiential#690",),
)
ONLY_EVENTS = Requirement(
    id="messages/stream/only-events",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_documented("Each server-sent event includes a named event type and associated JSON data."),
    text="Every data is a JSON object with a type; no [DONE] follows.",
    claims=("contract:141",),
    defects=("BerriAI/litellm#29201",),
)
ERROR_NAMED = Requirement(
    id="messages/stream/error-named",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented(
        "The API may occasionally send errors in the event stream. For example, during periods of high usage, you may receive an "
        "`overloaded_error`, which would normally correspond to an HTTP 529 in a non-streaming context.",
        "Error events",
    ),
    text="An error in mid-stream is an event named error with type and message, the last one, and no message_stop pretends success.",
    claims=("contract:146",),
    defects=("mlflow/mlflow#25897", "dativo-io/talon#254"),
)
ERROR_KEPT = Requirement(
    id="messages/stream/error-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-errors",
        section="Error shapes",
        says="When receiving a streaming response via SSE, it's possible that an error can occur after returning a 200 response",
    ),
    text="The upstream's mid-stream error reaches the client with its own type and message.",
    claims=("contract:143",),
)


def check_event_is_type(exchange: Exchange) -> Verdict:
    events = typed(exchange.client_events)
    findings = [
        at(seen, expected=f"event: {kind}", got="no event line" if seen.raw.event is None else f"event: {seen.raw.event}", pointer="/type")
        for seen, kind in events
        if seen.raw.event != kind
    ]
    return conclude(findings, f"{len(events)} events named as their data says") if events else NO_STREAM


def check_message_start_first(exchange: Exchange) -> Verdict:
    findings: list[Finding] = []
    judged = 0
    for events in messages_of(exchange):
        for place, (seen, kind) in enumerate((seen, kind) for seen, kind in events if kind != "ping"):
            judged += 1
            if place == 0 and kind != "message_start":
                findings.append(at(seen, expected="message_start", got=kind, pointer="/type"))
            elif place and kind == "message_start":
                findings.append(at(seen, expected="one message_start", got="another", pointer="/type"))
    return conclude(findings, f"message_start first of {judged} events, and once") if judged else NO_STREAM


def check_message_stop_last(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return CUT
    events = messages_of(exchange)[-1]
    if not events:
        return NO_STREAM
    stops = [seen for seen, kind in events if kind == "message_stop"]
    if not stops:
        return Failed(at(events[-1][0], expected="message_stop at the end", got=events[-1][1], pointer="/type"))
    behind = [seen for seen in exchange.client_events if seen.frame > stops[0].frame and not seen.raw.is_blank]
    findings = [at(seen, expected="nothing behind message_stop", got=shown(seen.raw.data)) for seen in behind]
    return conclude(findings, f"message_stop last of {len(events)} events, and once")


def check_one_message_delta(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return CUT
    findings: list[Finding] = []
    judged = 0
    for events in messages_of(exchange):
        judged += len(events)
        if _is_told_whole(events):
            continue
        places = [number for number, (_, kind) in enumerate(events) if kind == "message_delta"]
        if events and len(places) != 1:
            seen = events[places[1] if places else -1][0]
            findings.append(at(seen, expected="one message_delta", got=f"{len(places)}", pointer="/type"))
        for seen, kind in events[places[0] :] if places else []:
            if kind.startswith("content_block_"):
                findings.append(at(seen, expected="no content behind message_delta", got=kind, pointer="/type"))
    return conclude(findings, f"one message_delta in {judged} events") if judged else NO_STREAM


def _is_told_whole(events: list[tuple[Seen, str]]) -> bool:
    """A message that ends in its message_start: how a turn looks in which code, run by the vendor, calls the client's tool."""
    started = next((object_of(seen.data.get("message")) for seen, kind in events if kind == "message_start"), {})
    return isinstance(started.get("stop_reason"), str) and bool(started.get("content"))


def check_delta_in_open_block(exchange: Exchange) -> Verdict:
    open_block = None
    deltas = 0
    findings: list[Finding] = []
    for seen, kind in typed(exchange.client_events):
        match kind:
            case "content_block_start":
                open_block = seen.data.get("index")
            case "content_block_stop":
                open_block = None
            case "content_block_delta":
                deltas += 1
                if open_block is None or seen.data.get("index") != open_block:
                    wanted = "an open block" if open_block is None else f"block {open_block}"
                    findings.append(at(seen, expected=wanted, got=f"block {shown(seen.data.get('index'))}", pointer="/index"))
    return (
        conclude(findings, f"{deltas} deltas, each in the open block")
        if deltas
        else Inconclusive("no content_block_delta reached the client")
    )


def check_blocks_in_turn(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return CUT
    opened: Seen | None = None
    blocks = 0
    findings: list[Finding] = []
    for seen, kind in typed(exchange.client_events):
        index = shown(seen.data.get("index"))
        match kind:
            case "content_block_start":
                blocks += 1
                if opened is not None:
                    findings.append(
                        at(seen, expected=f"block {shown(opened.data.get('index'))} to stop first", got=f"block {index} starts")
                    )
                opened = seen
            case "content_block_stop":
                if opened is None or opened.data.get("index") != seen.data.get("index"):
                    wanted = "no block is open" if opened is None else f"block {shown(opened.data.get('index'))} is open"
                    findings.append(at(seen, expected=f"a stop of the open block ({wanted})", got=f"block {index}", pointer="/index"))
                opened = None
    if opened is not None:
        findings.append(at(opened, expected="content_block_stop", got="the block stays open"))
    return conclude(findings, f"{blocks} blocks, one after the other") if blocks else Inconclusive("no block reached the client")


def check_indexes_count(exchange: Exchange) -> Verdict:
    findings: list[Finding] = []
    blocks = 0
    for events in messages_of(exchange):
        for place, seen in enumerate(seen for seen, kind in events if kind == "content_block_start"):
            blocks += 1
            if seen.data.get("index") != place or isinstance(seen.data.get("index"), bool):
                findings.append(at(seen, expected=str(place), got=shown(seen.data.get("index")), pointer="/index"))
    return conclude(findings, f"{blocks} blocks numbered in order") if blocks else Inconclusive("no block reached the client")


def check_delta_fits_block(exchange: Exchange) -> Verdict:
    kinds: dict[str, str] = {}
    judged = 0
    findings: list[Finding] = []
    for seen, kind in typed(exchange.client_events):
        index = shown(seen.data.get("index"))
        if kind == "content_block_start":
            kinds[index] = text(object_of(seen.data.get("content_block")).get("type"))
        elif kind == "content_block_delta" and index in kinds:
            delta = text(object_of(seen.data.get("delta")).get("type"))
            block = kinds[index]
            if delta == "input_json_delta":
                fits = block.endswith("_use")
            elif delta in FITS:
                fits = block == FITS[delta]
            else:
                continue
            judged += 1
            if not fits:
                findings.append(at(seen, expected=f"a delta for a {block} block", got=delta, pointer="/delta/type"))
    return conclude(findings, f"{judged} deltas that fit their blocks") if judged else Inconclusive("no known delta reached the client")


def check_starts_empty(exchange: Exchange) -> Verdict:
    built: dict[str, set[str]] = {}
    starts: list[Seen] = []
    for seen, kind in typed(exchange.client_events):
        index = shown(seen.data.get("index"))
        if kind == "content_block_start":
            starts.append(seen)
        elif kind == "content_block_delta":
            built.setdefault(index, set()).add(text(object_of(seen.data.get("delta")).get("type")))
    findings = []
    for seen in starts:
        block = object_of(seen.data.get("content_block"))
        deltas = built.get(shown(seen.data.get("index")), set())
        for name, delta in (("text", "text_delta"), ("thinking", "thinking_delta"), ("input", "input_json_delta")):
            if block.get(name) and delta in deltas:
                findings.append(at(seen, expected=f"empty {name}", got=shown(block[name]), pointer=f"/content_block/{name}"))
    return conclude(findings, f"{len(starts)} blocks that start empty") if built else Inconclusive("no block was built by deltas")


def check_no_empty_text(exchange: Exchange) -> Verdict:
    deltas = [seen for seen, kind in typed(exchange.client_events) if kind == "content_block_delta"]
    texts = [seen for seen in deltas if object_of(seen.data.get("delta")).get("type") == "text_delta"]
    findings = [at(seen, expected="text", got='""', pointer="/delta/text") for seen in texts if seen.data["delta"].get("text") == ""]
    return conclude(findings, f"{len(texts)} text deltas, none empty") if texts else Inconclusive("no text_delta reached the client")


def check_stop_reason_late(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return CUT
    findings: list[Finding] = []
    reasons: list[str] = []
    for seen, kind in typed(exchange.client_events):
        if kind == "message_start":
            message = object_of(seen.data.get("message"))
            # A turn in which code calls the client's tool is told whole in message_start, its stop_reason included.
            if message.get("stop_reason") is not None and not message.get("content"):
                findings.append(at(seen, expected="null", got=shown(message["stop_reason"]), pointer="/message/stop_reason"))
        elif kind == "message_delta":
            reason = object_of(seen.data.get("delta")).get("stop_reason")
            reasons.append(shown(reason))
            if not isinstance(reason, str) or not reason:
                findings.append(at(seen, expected="a stop_reason", got=shown(reason), pointer="/delta/stop_reason"))
    return (
        conclude(findings, f"null until the end, then {', '.join(reasons)}")
        if reasons
        else Inconclusive("no message_delta reached the client")
    )


def check_pings_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange):
        return NOT_COMPARABLE
    if not whole_stream(exchange):
        return CUT
    theirs, ours = _pings(exchange.upstream_events), _pings(exchange.client_events)
    if not theirs and not ours:
        return Inconclusive("the upstream sent no ping")
    if [behind for behind, _ in theirs] != [behind for behind, _ in ours]:
        return Failed(Finding(expected=f"pings behind event {[b for b, _ in theirs]}", got=f"behind {[b for b, _ in ours]}"))
    findings = [
        at(seen, expected=sent.raw.data or "", got=seen.raw.data or "")
        for (_, sent), (_, seen) in zip(theirs, ours, strict=True)
        if sent.data != seen.data
    ]
    return conclude(findings, f"{len(ours)} pings, each in its place")


def _pings(events: tuple[Seen, ...]) -> list[tuple[int, Seen]]:
    """Each ping with the count of other events before it."""
    found: list[tuple[int, Seen]] = []
    others = 0
    for seen, kind in typed(events):
        if kind == "ping":
            found.append((others, seen))
        else:
            others += 1
    return found


def check_events_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange) or not exchange.upstream_events:
        return NOT_COMPARABLE
    if not whole_stream(exchange):
        return CUT
    theirs, ours = _kinds(exchange.upstream_events), _kinds(exchange.client_events)
    for (_, expected), (seen, got) in zip(theirs, ours, strict=False):
        if expected != got:
            return Failed(at(seen, expected=expected, got=got, pointer="/type"))
    if len(theirs) != len(ours):
        longer, what = (theirs, "expected") if len(theirs) > len(ours) else (ours, "added")
        return Failed(Finding(expected=f"{len(theirs)} events", got=f"{len(ours)}: {what} {longer[min(len(theirs), len(ours))][1]}"))
    unknown = sum(1 for _, kind in ours if kind.split()[0] not in _KNOWN)
    return Passed(f"{len(ours)} events, as the upstream sent them" + (f", {unknown} of a type not known here" if unknown else ""))


_KNOWN: Final = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "error"}
)


def _kinds(events: tuple[Seen, ...]) -> list[tuple[Seen, str]]:
    """Every event but the pings, in one line: its type, and for a block its index and kind."""
    found = []
    for seen, kind in typed(events):
        if kind == "ping":
            continue
        inner = object_of(seen.data.get("content_block") or seen.data.get("delta")).get("type")
        more = f" {shown(seen.data['index'])}" if "index" in seen.data else ""
        found.append((seen, f"{kind}{more}" + (f" {text(inner)}" if inner is not None else "")))
    return found


def check_only_events(exchange: Exchange) -> Verdict:
    framed = [seen for seen in exchange.client_events if seen.raw.data is not None]
    findings = [
        at(seen, expected="a JSON object with a type", got=shown(seen.raw.data))
        for seen in framed
        if not isinstance(seen.data, dict) or not isinstance(seen.data.get("type"), str)
    ]
    return conclude(findings, f"{len(framed)} events of JSON with a type") if framed else NO_STREAM


def check_error_named(exchange: Exchange) -> Verdict:
    events = typed(exchange.client_events)
    if not events:
        return NO_STREAM
    stops = [at(seen, expected="no message_stop beside an error", got=kind) for seen, kind in events if kind == "message_stop"]
    errors = [number for number, (_, kind) in enumerate(events) if kind == "error"]
    if not errors:
        seen, kind = events[-1]
        return Failed(at(seen, expected="an error event at the end", got=kind, pointer="/type"), *stops)
    findings = list(stops)
    seen = events[errors[0]][0]
    error = object_of(seen.data.get("error"))
    if seen.raw.event != "error":
        findings.append(at(seen, expected="event: error", got=f"event: {seen.raw.event}" if seen.raw.event else "no event line"))
    if not text(error.get("type")) or not isinstance(error.get("message"), str):
        findings.append(at(seen, expected="an error with type and message", got=shown(error), pointer="/error"))
    findings += [at(later, expected="nothing behind the error", got=kind) for later, kind in events[errors[0] + 1 :]]
    return conclude(findings, f"{text(error.get('type'))} behind {errors[0]} events, and nothing after it")


def check_error_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange):
        return NOT_COMPARABLE
    theirs = [seen for seen, kind in typed(exchange.upstream_events) if kind == "error"]
    ours = [seen for seen, kind in typed(exchange.client_events) if kind == "error"]
    if not theirs:
        return Inconclusive("the upstream sent no error in its stream")
    if not ours:
        return Failed(Finding(expected=shown(theirs[0].data), got="no error event"))
    wanted, got = object_of(theirs[0].data.get("error")), object_of(ours[0].data.get("error"))
    findings = [
        at(ours[0], expected=shown(wanted.get(name)), got=shown(got.get(name)), pointer=f"/error/{name}")
        for name in ("type", "message")
        if wanted.get(name) != got.get(name)
    ]
    return conclude(findings, f"{shown(wanted.get('type'))} as the upstream sent it")


_stream: Final = partial(Given, surfaces=frozenset({Surface.MESSAGES}), stream=True)
_BLOCKS: Final = _stream(without=frozenset({"empty"}))
_error: Final = partial(_stream, outcomes=frozenset({Outcome.UPSTREAM_ERROR}), traits=frozenset({"error-event"}))


def _rule(requirement: Requirement, check: Callable[[Exchange], Verdict], given: Given | None = None) -> Rule:
    return Rule(requirement, gateway_only(check), given or _stream())


RULES: tuple[Rule, ...] = (
    _rule(EVENT_IS_TYPE, check_event_is_type),
    _rule(MESSAGE_START_FIRST, check_message_start_first),
    _rule(MESSAGE_STOP_LAST, check_message_stop_last),
    _rule(ONE_MESSAGE_DELTA, check_one_message_delta),
    _rule(DELTA_IN_OPEN_BLOCK, check_delta_in_open_block, _BLOCKS),
    _rule(BLOCKS_IN_TURN, check_blocks_in_turn, _BLOCKS),
    _rule(INDEXES_COUNT, check_indexes_count, _BLOCKS),
    _rule(DELTA_FITS_BLOCK, check_delta_fits_block, _BLOCKS),
    _rule(STARTS_EMPTY, check_starts_empty, _BLOCKS),
    _rule(NO_EMPTY_TEXT, check_no_empty_text, _stream(also=shows("text"))),
    _rule(STOP_REASON_LATE, check_stop_reason_late),
    _rule(ONLY_EVENTS, check_only_events),
    Rule(PINGS_KEPT, check_pings_kept, _stream(without=frozenset({"unknown"}))),
    Rule(EVENTS_KEPT, check_events_kept, _stream()),
    Rule(ERROR_NAMED, gateway_only(check_error_named), _error()),
    Rule(ERROR_KEPT, check_error_kept, _error()),
)
