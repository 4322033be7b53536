"""Small print that gateways get wrong unseen, and what no comparison of two transcripts shows.

Marks beyond the system's, texts in parts, a stop that is one word, events in unusual spelling, refusals of the gateway's own key.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.case import MATRIX, Case, Dialect, Fault, FaultKind, Framing, Outcome, Play, Surface
from harness.exchange import Exchange, Response, UsageRow, values
from harness.recording.scenarios import chat, content, gemini, messages, responses
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.transcript_oracle import heard
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import clause, conclude, contract_clause, shown
from suites.steps import failed, json_of
from suites.translation.requests import PNG

Body = Mapping[str, Any]

CHAT, RESPONSES, MESSAGES, GEMINI = Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI
_SHORT: Final = {Dialect.OPENAI_CHAT: "chat", Dialect.OPENAI_RESPONSES: "responses", Dialect.ANTHROPIC: "claude", Dialect.GEMINI: "gemini"}
_PLAIN: Final[Mapping[Surface, Body]] = {
    CHAT: chat.asks("text"),
    RESPONSES: responses.asks("text"),
    MESSAGES: messages.asks("text"),
    GEMINI: gemini.asks("text"),
}
_CUT_BYTES: Final = 89  # prime, so that reads end inside characters
_SINCE, _UNTIL = 1_000_000_000, 10_000_000_000  # Unix seconds of 2001 and 2286: no count of milliseconds is between them


IDS_DIFFER = Requirement(
    id="translation/answer-ids-differ",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-chat", "id", "A unique identifier for the chat completion"),
    text="Two translated answers have two ids.",
    claims=("contract:73",),
)
IN_SECONDS = Requirement(
    id="translation/created-in-seconds",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-chat", "created", "The Unix timestamp (in seconds) of when the chat completion was created"),
    text="A translated answer says when it was made in Unix seconds.",
    claims=("contract:73",),
)
VERSION = Requirement(
    id="translation/version-sent",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=clause("anthropic-versions", "Versions", "when making API requests, you must send an anthropic-version request header"),
    text="Anthropic is told which version of its API a translated request is for, once.",
)
NOT_STORED = Requirement(
    id="translation/not-stored",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=clause(
        "openai-responses", "store", "Whether to store the generated model response for later retrieval via API; true by default"
    ),
    text="A vendor that keeps answers unless told not to is told not to, where the client asked for nothing to be kept.",
)
COUNTED_UNASKED = Requirement(
    id="translation/billed-as-counted",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("129, C27", "settle from upstream usage, whether or not the client asked to see it"),
    text="A client that does not ask for usage pays by the vendor's count all the same, not by an estimate.",
    claims=("contract:129",),
)


ECHOED = Requirement(
    id="translation/response-echoes",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-responses", "The response object", "instructions, temperature, tools, tool_choice ... as the request had them"),
    text="A translated response repeats what was asked for, as the client asked for it.",
    claims=("contract:94",),
)
CUT_ITEM = Requirement(
    id="translation/cut-item-incomplete",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-responses", "output, status", "in_progress, completed, or incomplete"),
    text="What the limit cut off is an incomplete item of a translated response, not a completed one.",
)
# Not what a gateway may drop and tell of, such as `truncation`: there the response says what was done.
_REPEATED: Final = ("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "temperature", "top_p", "tool_choice")


def _asked(client: Surface, upstream: Dialect, name: str, request: Body, *traits: str) -> Case:
    """A request of which the upstream's side is judged; a text answers it."""
    return Case(
        id=f"translation/detail-{client}-{_SHORT[upstream]}-{name}",
        surface=client,
        upstream=upstream,
        play=Play(recording=f"{upstream.surface}/text"),
        request=request,
        traits=frozenset({"translated", MATRIX, "asked", "request-known", "text", *traits}),
    )


def _ask(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def _requests() -> Iterator[Case]:
    claude, google = Dialect.ANTHROPIC, Dialect.GEMINI
    yield _asked(CHAT, claude, "one-stop", _ask("Count.", stop="four"))
    late = [{"role": "user", "content": "Good morning."}, {"role": "assistant", "content": "Good morning!"}]
    late += [{"role": "system", "content": "From now on answer in verse."}, {"role": "user", "content": "When is high water?"}]
    for upstream in (claude, google):
        yield _asked(CHAT, upstream, "late-system", {"messages": [{"role": "system", "content": "Be brief."}, *late]})
    yield _asked(CHAT, claude, "result-in-parts", _result_in_parts())
    yield _asked(CHAT, claude, "shared-schema", _ask("Route?", tools=[_route_tool()]))
    yield _asked(CHAT, claude, "marks", _marked(), "cache-marks")
    yield _asked(CHAT, claude, "hard-thinking", _ask("Think hard.", reasoning_effort="high", max_completion_tokens=2048))
    yield _asked(RESPONSES, claude, "result-picture", _result_picture())
    for upstream in (Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, google):
        yield _asked(MESSAGES, upstream, "named-text", _named_text())
    yield _asked(GEMINI, claude, "named-text", _named_text_of_gemini())


def _result_in_parts() -> Body:
    function = {"name": "get_weather", "arguments": content.WEATHER_ARGUMENTS}
    parts = [{"type": "text", "text": "Sunny in the morning."}, {"type": "text", "text": "Rain after noon."}]
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_1", "content": parts},
    ]
    return {"messages": turns, "tools": chat.tools("get_weather")}


def _route_tool() -> Body:
    """Of which two arguments share one schema."""
    place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
    ends = {name: {"$ref": "#/$defs/place"} for name in ("start", "goal")}
    parameters = {"type": "object", "properties": ends, "required": ["start", "goal"], "$defs": {"place": place}}
    return {"type": "function", "function": {"name": "find_route", "description": "A route between two cities", "parameters": parameters}}


def _marked() -> Body:
    """A mark on a tool, on a system text and on what the user says."""
    mark = {"cache_control": {"type": "ephemeral"}}
    tool, other = chat.tools("get_weather", "current_time")
    return {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": content.RULE_BOOK, **mark}]},
            {"role": "user", "content": [{"type": "text", "text": content.RULE_BOOK[::-1], **mark}, {"type": "text", "text": "Well?"}]},
        ],
        "tools": [tool, {**other, **mark}],
    }


def _result_picture() -> Body:
    call = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": content.WEATHER_ARGUMENTS}
    output = [{"type": "input_text", "text": "a map"}, {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]
    asked = [{"role": "user", "content": "Show me."}, call, {"type": "function_call_output", "call_id": "call_1", "output": output}]
    return {"input": asked, "tools": responses.tools("get_weather")}


_NOTE: Final = "High water is at noon."


def _named_text() -> Body:
    """A document of text, whose title some vendors have no place for."""
    note = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _NOTE}, "title": "Tides"}
    return {"max_tokens": 2048, "messages": [{"role": "user", "content": [note, {"type": "text", "text": "When?"}]}]}


def _named_text_of_gemini() -> Body:
    note = {"inlineData": {"mimeType": "text/plain", "data": base64.b64encode(_NOTE.encode()).decode(), "displayName": "Tides"}}
    return {"contents": [{"role": "user", "parts": [note, {"text": "When?"}]}]}


def _spelled() -> Iterator[Case]:
    """The same events spelled otherwise, in reads that end anywhere."""
    for client, upstream, framing in (
        (CHAT, Dialect.ANTHROPIC, Framing.NO_SPACE),
        (CHAT, Dialect.ANTHROPIC, Framing.CRLF),
        (MESSAGES, Dialect.OPENAI_CHAT, Framing.COMMENTS),
        (MESSAGES, Dialect.OPENAI_CHAT, Framing.NO_SPACE),
        (RESPONSES, Dialect.GEMINI, Framing.NO_SPACE),
        (GEMINI, Dialect.OPENAI_RESPONSES, Framing.COMMENTS),
        (GEMINI, Dialect.OPENAI_RESPONSES, Framing.CRLF),
    ):
        yield Case(
            id=f"translation/detail-{client}-{_SHORT[upstream]}-{framing}.stream",
            surface=client,
            upstream=upstream,
            stream=True,
            play=Play(recording=f"{upstream.surface}/unicode.stream", framing=framing, split_every=_CUT_BYTES),
            request=_PLAIN[client],
            traits=frozenset({"translated", MATRIX, "request-known", "text"}),
        )


def _refused() -> Iterator[Case]:
    """What a vendor answers to the gateway is told in its class, and costs nothing."""
    for client, upstream, status in (
        (CHAT, Dialect.ANTHROPIC, 401),
        (MESSAGES, Dialect.OPENAI_CHAT, 403),
        (RESPONSES, Dialect.GEMINI, 503),
        (CHAT, Dialect.ANTHROPIC, 529),
        (MESSAGES, Dialect.OPENAI_CHAT, 400),
        (GEMINI, Dialect.OPENAI_RESPONSES, 429),
        (RESPONSES, Dialect.ANTHROPIC, 500),
    ):
        yield Case(
            id=f"translation/detail-{client}-{_SHORT[upstream]}-status-{status}",
            surface=client,
            upstream=upstream,
            play=Play(recording=f"{upstream.surface}/text", fault=Fault(kind=FaultKind.STATUS, status=status)),
            request=_PLAIN[client],
            outcome=Outcome.UPSTREAM_ERROR,
            traits=frozenset({"translated", MATRIX, "error", "error-class"}),
            account=True,
        )


def _unasked() -> Case:
    return Case(
        id="translation/detail-chat-claude-usage-unasked.stream",
        surface=CHAT,
        upstream=Dialect.ANTHROPIC,
        stream=True,
        play=Play(recording="messages/usage.stream"),
        request=_PLAIN[CHAT],
        traits=frozenset({"translated", MATRIX, "request-known", "usage-unasked"}),
        account=True,
    )


CASES: tuple[Case, ...] = (*_requests(), *_spelled(), *_refused(), _unasked())


def _id(surface: Surface, response: Response | None, document: Any) -> object:
    """The answer's id, from a whole answer or from a stream's first event that has one."""
    events = (frame.data for frame in response.frames) if response is not None and response.is_sse else ()
    found = [document] if isinstance(document, dict) else [value for data in events if isinstance(value := _json(data), dict)]
    for value in found:
        inner = value.get("response") or value.get("message")
        holder = inner if isinstance(inner, dict) else value
        if (name := holder.get("responseId" if surface is GEMINI else "id")) is not None:
            return name
    return None


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return None


def check_ids_differ(exchange: Exchange) -> Verdict:
    """On a case of two steps: whole, then streamed."""
    if (why := failed(exchange, "whole", "stream")) is not None:
        return why
    whole, stream = (exchange.step(name) for name in ("whole", "stream"))
    one, other = (_id(exchange.case.surface, seen.answer, json_of(seen)) for seen in (whole, stream))
    if one is None and other is None:
        return Inconclusive("neither answer has an id")
    wrong = [Finding(step="stream", expected=f"another id than {shown(one)}", got=shown(other))] if one == other else []
    return conclude(wrong, f"{shown(one)} and {shown(other)}")


def check_in_seconds(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok:
        return Inconclusive("no answer was translated")
    found = [seen.data for seen in exchange.client_events] if response.is_sse else [response.json]
    made = [time for value in found if isinstance(value, dict) and (time := _created(exchange.case.surface, value)) is not None]
    wrong = [Finding(expected="Unix seconds", got=shown(time)) for time in dict.fromkeys(made) if not _SINCE <= time < _UNTIL]
    return conclude(wrong, f"made at {made[0]}") if made else Inconclusive("no answer says when it was made")


def _created(surface: Surface, value: dict[str, Any]) -> float | None:
    inner = value.get("response")
    holder = inner if isinstance(inner, dict) else value
    time = holder.get("created" if surface is CHAT else "created_at")
    return time if isinstance(time, int | float) and not isinstance(time, bool) else None


def _final(exchange: Exchange) -> dict[str, Any] | None:
    """The response as it was told last."""
    response = exchange.client.response
    if response is None or not response.ok:
        return None
    told = (
        [seen.data.get("response") for seen in exchange.client_events if isinstance(seen.data, dict)]
        if response.is_sse
        else [response.json]
    )
    return next((each for each in reversed(told) if isinstance(each, dict)), None)


def check_echoed(exchange: Exchange) -> Verdict:
    final, asked = _final(exchange), exchange.client.request.json
    if final is None or not isinstance(asked, dict):
        return Inconclusive("no response was told")
    wanted = {name: asked[name] for name in _REPEATED if asked.get(name) is not None}
    findings = [
        Finding(expected=shown(said), got=shown(final.get(name)), pointer=f"/{name}")
        for name, said in wanted.items()
        if final.get(name) != said
    ]
    offered, told = ([tool.get("name") for tool in each.get("tools") or () if isinstance(tool, dict)] for each in (asked, final))
    if offered != told:
        findings.append(Finding(expected=shown(offered), got=shown(told), pointer="/tools"))
    return (
        conclude(findings, f"{', '.join(wanted)} and {len(told)} tools")
        if wanted or offered
        else Inconclusive("nothing to repeat was asked")
    )


def check_cut_item(exchange: Exchange) -> Verdict:
    final = _final(exchange)
    details = final.get("incomplete_details") if final is not None else None
    if final is None or not isinstance(details, dict) or details.get("reason") != "max_output_tokens":
        return Inconclusive("no response was cut by its limit")
    items = [item for item in final.get("output") or () if isinstance(item, dict) and "status" in item]
    if not items:
        return Inconclusive("nothing that has a status was said")
    status = items[-1]["status"]
    place = f"/output/{len(final['output']) - 1}/status"
    return conclude([] if status == "incomplete" else [Finding(expected="incomplete", got=shown(status), pointer=place)], shown(status))


def check_version(exchange: Exchange) -> Verdict:
    if not exchange.upstream:
        return Inconclusive("the upstream was not asked")
    told = values(exchange.upstream[-1].request.headers, "anthropic-version")
    wrong = [Finding(side=Side.UPSTREAM, expected="anthropic-version, once", got=shown(list(told)))] if len(told) != 1 else []
    return conclude(wrong, f"version {told[0]}" if told else "")


def check_not_stored(exchange: Exchange) -> Verdict:
    body = exchange.upstream[-1].request.json if exchange.upstream else None
    asked = exchange.client.request.json
    if not isinstance(body, dict):
        return Inconclusive("the upstream was not asked")
    if isinstance(asked, dict) and asked.get("store"):
        return Inconclusive("the client asked for the answer to be kept")
    told = body.get("store")
    wrong = [Finding(side=Side.UPSTREAM, expected="false", got=shown(told), pointer="/store")] if told is not False else []
    return conclude(wrong, "nothing is to be stored")


def check_billed_as_counted(exchange: Exchange) -> Verdict:
    rows = exchange.account.new_rows if exchange.account is not None else None
    answer, response = exchange.upstream[-1].response if exchange.upstream else None, exchange.client.response
    if not rows or answer is None or response is None or not response.ok:
        return Inconclusive("no row of an answer that was delivered")
    return conclude(list(_miscounted(rows[0], heard(exchange.upstream_surface, answer.text).usage)), f"row {rows[0].request_id}")


def _miscounted(row: UsageRow, usage: Mapping[str, int]) -> Iterator[Finding]:
    if row.estimated:
        yield Finding(side=Side.ACCOUNT, expected="a bill by the vendor's count", got="an estimate")
    for name, counted in (("output", row.output_tokens), ("cache_read", row.cache_read_tokens)):
        if counted is not None and counted != usage.get(name, 0):
            yield Finding(side=Side.ACCOUNT, expected=f"{usage.get(name, 0)} {name} tokens", got=str(counted))


def _translated(*upstreams: Dialect) -> Given:
    def also(case: Case) -> bool:
        return case.upstream is not None and case.upstream.surface is not case.surface and (not upstreams or case.upstream in upstreams)

    return Given(sees_upstream=bool(upstreams), also=also)


RULES: tuple[Rule, ...] = (
    Rule(IDS_DIFFER, check_ids_differ, Given(steps=True, traits=frozenset({"both-ways"}))),
    Rule(IN_SECONDS, check_in_seconds, Given(surfaces=frozenset({CHAT, RESPONSES}), also=_translated().also)),
    Rule(VERSION, check_version, _translated(Dialect.ANTHROPIC)),
    Rule(NOT_STORED, check_not_stored, _translated(Dialect.OPENAI_RESPONSES)),
    Rule(ECHOED, check_echoed, Given(surfaces=frozenset({RESPONSES}), also=_translated().also)),
    Rule(CUT_ITEM, check_cut_item, Given(surfaces=frozenset({RESPONSES}), traits=frozenset({"length"}), also=_translated().also)),
    Rule(COUNTED_UNASKED, check_billed_as_counted, Given(stream=True, account=True, traits=frozenset({"usage-unasked"}))),
)
