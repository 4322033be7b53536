"""The grammar of a Responses stream as a whole: named and numbered events, from response.created to one terminal event."""

from typing import Any, Final

from harness.case import Outcome, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import at, conclude, shown, whole_stream
from suites.responses.reading import TERMINAL, WHOLE, events, kind, of_kind, snapshots, text

_NO_EVENT: Final = Inconclusive("no event reached the client")
_CUT: Final = Inconclusive("the stream was broken off")
_WAITING: Final = ("response.queued", "response.in_progress")


def _seen_in_traffic(says: str) -> Clause:
    return Clause(source="wireproof-corpus", section="OpenAI responses", says=says)


ONLY_EVENTS = Requirement(
    id="responses/stream/only-events",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("the terminal event; no [DONE] (448 of 448)"),
    text="The data of every event is one JSON object with its type; no [DONE] and no null is among them.",
    claims=("contract:102",),
    defects=("decolua/9router#1648", "earendil-works/pi#8430"),
)
EVENT_IS_TYPE = Requirement(
    id="responses/stream/event-is-type",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("event: lines: all, equal to type"),
    text="Every event is named, and its name is the type in its data.",
    claims=("contract:102",),
    defects=("initializ/forge#434", "earendil-works/pi#8430"),
)
CREATED_FIRST = Requirement(
    id="responses/stream/created-first",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses-streaming", section="response.created", says="An event that is emitted when a response is created."
    ),
    text="response.created comes first and once; then response.queued or response.in_progress, before any output.",
    claims=("contract:102",),
    defects=("zirkelc/ai-retry#51",),
)
SEQUENCE = Requirement(
    id="responses/stream/sequence",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-responses-streaming", section="sequence_number", says="The sequence number for this event."),
    text="sequence_number counts the events from 0 without a gap, where it is there at all.",
    claims=("contract:102",),
    defects=("BerriAI/litellm#28899",),
)
TERMINAL_LAST = Requirement(
    id="responses/stream/terminal-last",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("terminal event last (n of n)"),
    text="One of response.completed, response.incomplete and response.failed comes, once and as the last event.",
    claims=("contract:102",),
    defects=("caidaoli/ccLoad#81",),
)
ONE_RESPONSE = Requirement(
    id="responses/stream/one-response",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-responses", section="id", says="Unique identifier for this Response."),
    text="All events that carry the response carry the same one: its id, created_at and model do not change.",
    claims=("contract:99", "contract:103"),
    defects=("BerriAI/litellm#30072",),
)
OPENS_EMPTY = Requirement(
    id="responses/stream/opens-empty",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("response.created first; until the terminal event output is [] and usage null in every recorded stream"),
    text="Until the end the response has no output and no usage: its status is queued or in_progress.",
)
STATUS_FOLLOWS = Requirement(
    id="responses/stream/status-follows",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses",
        section="status, error, incomplete_details",
        says="One of completed, failed, in_progress, cancelled, queued, or incomplete. Details about why the response is incomplete.",
    ),
    text="The last response's status is the terminal event's: an incomplete one says why, a failed one has its error.",
    claims=("contract:101",),
    defects=("envoyproxy/ai-gateway#2184",),
)
ERROR_ENDS_IT = Requirement(
    id="responses/stream/error-ends-it",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("error event nests {type,code,message,param} under error, is followed by response.failed, HTTP stays 200"),
    text="When the vendor fails in mid-stream, the client gets its error event and response.failed, and nothing makes a success of it.",
    defects=("BerriAI/litellm#40404",),
)


def check_only_events(exchange: Exchange) -> Verdict:
    met = [seen for seen in exchange.client_events if seen.raw.data is not None]
    findings = [
        at(seen, expected="a JSON object with a type", got=text(seen.raw.data)[:120])
        for seen in met
        if not (isinstance(seen.data, dict) and text(seen.data.get("type")))
    ]
    return conclude(findings, f"{len(met)} events, each an object with a type") if met else _NO_EVENT


def check_event_is_type(exchange: Exchange) -> Verdict:
    met = events(exchange.client_events)
    findings = [
        at(seen, expected=f"event: {seen.data.get('type')}", got="no name" if seen.raw.event is None else f"event: {seen.raw.event}")
        for seen in met
        if seen.raw.event is None or seen.raw.event != seen.data.get("type")
    ]
    return conclude(findings, f"{len(met)} events named by their type") if met else _NO_EVENT


def check_created_first(exchange: Exchange) -> Verdict:
    met = [seen for seen in events(exchange.client_events) if kind(seen) != "keepalive"]
    if not met:
        return _NO_EVENT
    findings = []
    if kind(met[0]) != "response.created":
        findings.append(at(met[0], pointer="/type", expected="response.created first", got=kind(met[0])))
    if len(met) > 1 and kind(met[1]) not in (*_WAITING, *TERMINAL, "error"):
        findings.append(at(met[1], pointer="/type", expected=f"{' or '.join(_WAITING)} second", got=kind(met[1])))
    findings += [
        at(seen, pointer="/type", expected="response.created once", got="a second one") for seen in of_kind(met[1:], "response.created")
    ]
    return conclude(findings, f"response.created, then {kind(met[1]) if len(met) > 1 else 'nothing'}")


def check_sequence(exchange: Exchange) -> Verdict:
    met = events(exchange.client_events)
    if not any("sequence_number" in seen.data for seen in met):
        return Inconclusive("no event with a sequence_number reached the client")
    findings = [
        at(seen, pointer="/sequence_number", expected=str(number), got=shown(seen.data.get("sequence_number")))
        for number, seen in enumerate(met)
        if seen.data.get("sequence_number") != number
    ]
    return conclude(findings, f"{len(met)} events, numbered from 0")


def check_terminal_last(exchange: Exchange) -> Verdict:
    met = events(exchange.client_events)
    if not met:
        return _NO_EVENT
    if not whole_stream(exchange):
        return _CUT
    ends = of_kind(met, *TERMINAL)
    if not ends:
        return conclude([at(met[-1], pointer="/type", expected=f"{' or '.join(TERMINAL)} at the end", got=kind(met[-1]))], "")
    findings = [at(seen, pointer="/type", expected=f"{kind(ends[0])} to be the only end", got=kind(seen)) for seen in ends[1:]]
    if ends[-1] is not met[-1]:
        findings.append(at(met[-1], pointer="/type", expected=f"nothing after {kind(ends[-1])}", got=kind(met[-1])))
    return conclude(findings, f"{kind(met[-1])} after {len(met) - 1} events")


def check_one_response(exchange: Exchange) -> Verdict:
    met = snapshots(exchange.client_events)
    if len(met) < 2:
        return Inconclusive("fewer than two events with the response reached the client")
    first = met[0].data["response"]
    findings = [
        at(seen, pointer=f"/response/{key}", expected=shown(first.get(key)), got=shown(seen.data["response"].get(key)))
        for seen in met[1:]
        for key in ("id", "object", "created_at", "model")
        if seen.data["response"].get(key) != first.get(key)
    ]
    return conclude(findings, f"{len(met)} snapshots of {first.get('id')}")


def check_opens_empty(exchange: Exchange) -> Verdict:
    met = of_kind(snapshots(exchange.client_events), "response.created", *_WAITING)
    if not met:
        return _NO_EVENT
    wanted: dict[str, tuple[Any, ...]] = {"output": ([],), "usage": (None,), "status": ("queued", "in_progress")}
    findings = [
        at(seen, pointer=f"/response/{key}", expected=" or ".join(map(shown, right)), got=shown(seen.data["response"].get(key)))
        for seen in met
        for key, right in wanted.items()
        if seen.data["response"].get(key) not in right
    ]
    return conclude(findings, f"{len(met)} snapshots in progress, empty")


def check_status_follows(exchange: Exchange) -> Verdict:
    ends = of_kind(snapshots(exchange.client_events), *TERMINAL)
    if not ends:
        return Inconclusive("no terminal event reached the client")
    findings = []
    for seen in ends:
        said = seen.data["response"]
        status = kind(seen).removeprefix("response.")
        if said.get("status") != status:
            findings.append(at(seen, pointer="/response/status", expected=status, got=shown(said.get("status"))))
        findings += [at(seen, pointer=f"/response/{key}", expected=expected, got=got) for key, expected, got in _why(said, status)]
    return conclude(findings, f"{kind(ends[-1])} with the status that it tells of")


def _why(said: dict[str, Any], status: str) -> list[tuple[str, str, str]]:
    """What is wrong with the reasons that a response gives for its status: field, expected, got."""
    details = said.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    error = said.get("error")
    wrong = []
    if (reason is not None) is not (status == "incomplete"):
        wrong.append(("incomplete_details", "a reason" if status == "incomplete" else "null", shown(details)))
    if isinstance(error, dict) is not (status == "failed"):
        wrong.append(("error", "an error" if status == "failed" else "null", shown(error)))
    return wrong


def check_error_ends_it(exchange: Exchange) -> Verdict:
    told = of_kind(exchange.upstream_events, "error")
    if not told:
        return Inconclusive("the vendor sent no error event")
    met = events(exchange.client_events)
    errors = of_kind(met, "error")
    if not errors:
        return conclude([Finding(expected=f"the event {shown(told[0].data)}", got=f"{len(met)} events, no error among them")], "")
    findings = [
        at(errors[0], pointer=f"/{key}", expected=shown(told[0].data[key]), got=shown(errors[0].data.get(key)))
        for key in ("error", "code", "message", "param")
        if key in told[0].data and errors[0].data.get(key) != told[0].data[key]
    ]
    if kind(met[-1]) != kind(exchange.upstream_events[-1]):
        findings.append(at(met[-1], pointer="/type", expected=f"{kind(exchange.upstream_events[-1])} at the end", got=kind(met[-1])))
    findings += [
        at(seen, pointer="/type", expected="no success after an error", got=kind(seen)) for seen in of_kind(met, "response.completed")
    ]
    return conclude(findings, f"the vendor's error event, then {kind(met[-1])}")


_RESPONSES: Final = frozenset({Surface.RESPONSES})
_STREAMED: Final = Given(surfaces=_RESPONSES, stream=True)
_WHOLE_STREAM: Final = Given(surfaces=_RESPONSES, stream=True, without=WHOLE)
_FAILING: Final = Given(surfaces=_RESPONSES, stream=True, outcomes=frozenset({Outcome.UPSTREAM_ERROR}), traits=frozenset({"error-event"}))

RULES: tuple[Rule, ...] = (
    Rule(ONLY_EVENTS, gateway_only(check_only_events), _STREAMED),
    Rule(EVENT_IS_TYPE, gateway_only(check_event_is_type), _STREAMED),
    Rule(CREATED_FIRST, gateway_only(check_created_first), _WHOLE_STREAM),
    Rule(SEQUENCE, gateway_only(check_sequence), _WHOLE_STREAM),
    Rule(TERMINAL_LAST, gateway_only(check_terminal_last), _WHOLE_STREAM),
    Rule(ONE_RESPONSE, gateway_only(check_one_response), _WHOLE_STREAM),
    Rule(OPENS_EMPTY, gateway_only(check_opens_empty), _STREAMED),
    Rule(STATUS_FOLLOWS, gateway_only(check_status_follows), _STREAMED),
    Rule(ERROR_ENDS_IT, check_error_ends_it, _FAILING),
)
