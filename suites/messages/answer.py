"""The answer as a whole: its shape, its identity, why it ended, and every field that the upstream sent."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from harness import schema
from harness.case import Case, Outcome, Surface
from harness.exchange import Exchange, Response
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, native_upstream, shown
from suites.fields import Pair, all_kept, none_added
from suites.messages.reading import (
    NO_ANSWER,
    NO_STREAM,
    NOT_COMPARABLE,
    asked,
    client_answer,
    object_of,
    shows,
    typed,
    upstream_answer,
)
from suites.structured import obeys
from suites.values import differences

MESSAGE_SHAPE = Requirement(
    id="messages/schema/message",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(source="anthropic-messages", section="Message", says="each of which has a `type` that determines its shape"),
    text="A whole answer has the fields and types of a Message; unknown ones may stand beside them.",
    claims=("contract:112",),
)
EVENT_SHAPE = Requirement(
    id="messages/schema/event",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="anthropic-messages-streaming",
        section="Event types",
        says="Each server-sent event includes a named event type and associated JSON data.",
    ),
    text="Each event has the fields and types of its kind; unknown fields and kinds pass.",
    claims=("contract:112", "contract:141"),
)
IDENTITY_KEPT = Requirement(
    id="messages/answer/identity-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="Message.id", says="Unique object identifier."),
    text="id and model are the upstream's own.",
    claims=("contract:143",),
)
STOP_KEPT = Requirement(
    id="messages/answer/stop-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="stop_reason", says="The reason that we stopped."),
    text="stop_reason is the upstream's word, new words included.",
    claims=("contract:113",),
)
STOP_SEQUENCE = Requirement(
    id="messages/answer/stop-sequence",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="stop_sequence",
        says="This value will be a non-null string if one of your custom stop sequences was generated.",
    ),
    text="stop_sequence names one of the sequences asked for where stop_reason is stop_sequence, and is null elsewhere.",
    claims=("contract:109", "contract:113"),
)
REFUSAL_KEPT = Requirement(
    id="messages/answer/refusal-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="stop_details", says="Structured information about a refusal."),
    text="A refusal keeps its stop_details as the upstream gave them.",
    claims=("contract:113",),
)
FIELDS_KEPT = Requirement(
    id="messages/answer/fields-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-versions", section="API versioning", says="Add additional values to the output."),
    text="No field that the upstream sent is missing, new ones included; null stays null.",
    claims=("contract:141", "contract:143"),
)
NOTHING_ADDED = Requirement(
    id="messages/answer/nothing-added",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8 Streaming", "native event names, byte-for-byte compatible"),
    text="On a native route the client gets no field that the upstream did not send.",
    claims=("contract:141",),
)
STRUCTURED = Requirement(
    id="messages/answer/structured",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="output_config.format", says="The JSON schema of the format"),
    text="Where JSON was asked for by a schema and the answer ran to its end, its text is JSON that obeys the schema.",
)


def check_message_shape(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or response.is_sse:
        return Inconclusive("the answer is no whole message")
    wrong = schema.findings("messages/message", response.json if isinstance(response.json, dict) else None)
    findings = [Finding(expected=violation.expected, got=violation.got, pointer=violation.pointer) for violation in wrong]
    return conclude(findings, f"a message with the keys {', '.join(object_of(response.json))}")


def check_event_shape(exchange: Exchange) -> Verdict:
    events = typed(exchange.client_events)
    findings = [
        Finding(expected=violation.expected, got=violation.got, frame=seen.frame, offset=seen.offset, pointer=violation.pointer)
        for seen, _ in events
        for violation in schema.findings("messages/event", seen.data)
    ]
    return conclude(findings, f"{len(events)} events of the documented shapes") if events else NO_STREAM


def check_identity_kept(exchange: Exchange) -> Verdict:
    return _same_head(exchange, "id", "model")


def _same_head(exchange: Exchange, *names: str) -> Verdict:
    ours, theirs = client_answer(exchange), upstream_answer(exchange)
    if ours is None:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    findings = [
        Finding(expected=shown(theirs.head.get(name)), got=shown(ours.head.get(name)), pointer=f"/{name}")
        for name in names
        if theirs.head.get(name) != ours.head.get(name)
    ]
    return conclude(findings, ", ".join(f"{name} {shown(ours.head.get(name))}" for name in names))


def check_stop_kept(exchange: Exchange) -> Verdict:
    ours, theirs = client_answer(exchange), upstream_answer(exchange)
    if ours is None:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    wanted, got = theirs.end.get("stop_reason"), ours.end.get("stop_reason")
    if wanted != got:
        return Failed(Finding(expected=shown(wanted), got=shown(got), pointer="/stop_reason"))
    return Passed(f"stop_reason {shown(got)}")


def check_stop_sequence(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    if answer is None or answer.stop_reason is None:
        return Inconclusive("no stop_reason reached the client")
    got = answer.end.get("stop_sequence")
    wanted = asked(exchange).get("stop_sequences")
    if answer.stop_reason != "stop_sequence":
        if got is not None:
            return Failed(Finding(expected=f"null at {answer.stop_reason}", got=shown(got), pointer="/stop_sequence"))
        return Passed(f"no stop_sequence at {answer.stop_reason}")
    if not isinstance(got, str) or (isinstance(wanted, list) and got not in wanted):
        return Failed(Finding(expected=f"one of {shown(wanted)}", got=shown(got), pointer="/stop_sequence"))
    return Passed(f"stopped at {shown(got)}")


def check_refusal_kept(exchange: Exchange) -> Verdict:
    ours, theirs = client_answer(exchange), upstream_answer(exchange)
    if ours is None:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    if theirs.stop_reason != "refusal":
        return Inconclusive("the upstream refused nothing")
    wanted, got = (dict.fromkeys(("stop_reason", "stop_details")) | answer.end for answer in (theirs, ours))
    findings = [
        found
        for name in ("stop_reason", "stop_details")
        for found in differences(wanted[name], got[name], pointer=f"/{name}")
        if name == "stop_details" or wanted[name] != got[name]
    ]
    return conclude(findings, f"a refusal with {shown(ours.end.get('stop_details'))}")


def check_fields_kept(exchange: Exchange) -> Verdict:
    return all_kept(list(_pairs(exchange)))


def check_nothing_added(exchange: Exchange) -> Verdict:
    return none_added(list(_pairs(exchange)))


def _pairs(exchange: Exchange) -> Iterator[Pair]:
    """Objects that the upstream sent, each with what the client got for it; none where the events do not match one to one."""
    response = exchange.client.response
    if response is None or not native_upstream(exchange):
        return
    sent = exchange.upstream[-1].response
    if not response.is_sse:
        yield from _bodies(sent, response)
        return
    theirs = [(seen, kind) for seen, kind in typed(exchange.upstream_events) if kind != "ping"]
    ours = [(seen, kind) for seen, kind in typed(exchange.client_events) if kind != "ping"]
    if [kind for _, kind in theirs] == [kind for _, kind in ours]:  # where not, messages/stream/events-kept tells it
        for (one, _), (other, _) in zip(theirs, ours, strict=True):
            yield one.data, other.data, other


def _bodies(sent: Response | None, got: Response) -> Iterator[Pair]:
    if sent is not None and isinstance(sent.json, dict) and isinstance(got.json, dict):
        yield sent.json, got.json, None


def check_structured(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    if answer is None:
        return NO_ANSWER
    request = asked(exchange)
    wanted = object_of(object_of(object_of(request.get("output_config")).get("format")) or request.get("output_format")).get("schema")
    if not isinstance(wanted, dict):
        return Inconclusive("no schema was asked for")
    if answer.stop_reason != "end_turn":
        return Inconclusive(f"the answer ended at {answer.stop_reason}, before its JSON was due")
    said = "".join(block.text for block in answer.of("text"))
    return obeys(said, wanted)


def _is_streamed(case: Case) -> bool:
    return case.outcome is Outcome.SUCCESS or "error-event" in case.traits


_given: Final = partial(Given, surfaces=frozenset({Surface.MESSAGES}))

RULES: tuple[Rule, ...] = (
    Rule(MESSAGE_SHAPE, gateway_only(check_message_shape), _given(stream=False)),
    Rule(
        EVENT_SHAPE,
        gateway_only(check_event_shape),
        _given(stream=True, outcomes=frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_ERROR}), also=_is_streamed),
    ),
    Rule(IDENTITY_KEPT, check_identity_kept, _given()),
    Rule(STOP_KEPT, check_stop_kept, _given()),
    Rule(STOP_SEQUENCE, gateway_only(check_stop_sequence), _given()),
    Rule(REFUSAL_KEPT, check_refusal_kept, _given(also=shows("refusal"))),
    Rule(FIELDS_KEPT, check_fields_kept, _given()),
    Rule(NOTHING_ADDED, check_nothing_added, _given()),
    Rule(STRUCTURED, gateway_only(check_structured), _given(also=shows("structured"))),
)
