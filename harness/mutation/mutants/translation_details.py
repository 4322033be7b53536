"""Translators that are wrong where nobody looks: one way each, as found by breaking a gateway on purpose."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from harness.mutation.events import either, on_events
from harness.mutation.mutant import Answer, Ask, Leg, Mutant, ask_headers, named, on_body, on_json
from harness.mutation.mutants.billing import newest
from harness.mutation.mutants.translation_probes_asked import changing

Value = dict[str, Any]

_SAME_ID: Final = b"chatcmpl-000000000000"


def _objects(value: Any) -> Iterator[Value]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _other_type(body: Value) -> None:
    for each in _objects(body):
        if each.get("media_type") == "image/png":
            each["media_type"] = "image/jpeg"


def _limited(body: Value) -> None:
    body.setdefault("max_output_tokens", 4096)


def _short(body: Value) -> None:
    body["max_tokens"] = 256


def _not_strict(body: Value) -> None:
    body["response_format"]["json_schema"]["strict"] = False


def _named_by_id(body: Value) -> None:
    for each in _objects(body):
        if "functionResponse" in each:
            each["functionResponse"]["name"] = each["functionResponse"].get("id", "tool")


def _little_effort(body: Value) -> None:
    body["reasoning"]["effort"] = "minimal"


def _all_thinking(body: Value) -> None:
    body["thinking"] = {"type": "enabled", "budget_tokens": body["max_tokens"]}
    body.pop("output_config", None)


def _first_mark_only(body: Value) -> None:
    marked = [each for each in _objects({"system": body["system"], "rest": [body["messages"], body["tools"]]}) if "cache_control" in each]
    for each in marked[1:]:
        del each["cache_control"]


def _letters(body: Value) -> None:
    body["stop_sequences"] = list(body["stop_sequences"][0])


def _first_system(body: Value) -> None:
    del body["system"][1:]


def _first_part(body: Value) -> None:
    for each in _objects(body["messages"]):
        if each.get("type") == "tool_result" and isinstance(each["content"], list):
            each["content"] = each["content"][:1]
        elif each.get("type") == "tool_result":
            each["content"] = each["content"].partition("Rain")[0]


def _without_definitions(body: Value) -> None:
    for tool in body["tools"]:
        tool["input_schema"].pop("$defs", None)


def _texts_of_results(body: Value) -> None:
    for each in _objects(body["messages"]):
        if each.get("type") == "tool_result" and isinstance(each["content"], list):
            each["content"] = [part for part in each["content"] if part.get("type") == "text"]


def _kept(body: Value) -> None:
    body["store"] = True


def _versionless(ask: Ask) -> Ask:
    return ask_headers(lambda headers: tuple(pair for pair in headers if pair[0].lower() != "anthropic-version"))(ask)


def _in_milliseconds(value: Value) -> Value:
    return value if "created" not in value else {**value, "created": value["created"] * 1000}


def _events_in_milliseconds(events: list[Any]) -> list[Any]:
    return [_in_milliseconds(event) if isinstance(event, dict) else event for event in events]


def _own_words(value: Value) -> Value:
    return {**value, "temperature": 1.0, "instructions": None}


def _cut_complete(value: Value) -> Value:
    for item in value["output"]:
        item["status"] = "completed"
    return value


def _as_callers(answer: Answer) -> Answer:
    return replace(answer, status=401) if answer.status == 502 else answer


def _asked(name: str, requirement: str, text: str, change: Callable[[Value], None], *cases: str) -> Mutant:
    return Mutant(
        id=f"detail-{name}",
        requirement=f"translation/{requirement}",
        text=text,
        leg=Leg.UPSTREAM,
        ask=changing(change),
        where=named(*(f"translation/{case}" for case in cases)),
    )


# Of requirements that have other mutants beside.
MORE: tuple[Mutant, ...] = (
    _asked("media-type", "request-images", "Calls every image a JPEG.", _other_type, "chat-anthropic/asked-much"),
    _asked("limit-made-up", "request-limit", "Limits answers that nobody limited.", _limited, "chat-responses/image"),
    _asked("limit-short", "request-limit", "Cuts answers short that nobody limited.", _short, "chat-anthropic/image"),
    _asked("not-strict", "request-output", "Asks for a schema that need not be kept to.", _not_strict, "responses-chat/structured"),
    _asked("result-named-by-id", "request-results", "Names results by the call's id.", _named_by_id, "chat-gemini/asked-much"),
    _asked("little-effort", "request-effort", "Makes little of every budget.", _little_effort, "messages-responses/asked-thinking"),
    _asked("budget-of-all", "request-effort", "Leaves no room beside the thoughts.", _all_thinking, "detail-chat-claude-hard-thinking"),
    _asked("first-mark-only", "request-cache-marks", "Keeps the system's cache mark alone.", _first_mark_only, "detail-chat-claude-marks"),
    _asked("stop-in-letters", "request-stop", "Takes one stop word for a list of letters.", _letters, "detail-chat-claude-one-stop"),
    _asked("late-system-lost", "request-system", "Loses system texts of later turns.", _first_system, "detail-chat-claude-late-system"),
    _asked("result-first-part", "request-results", "Keeps a result's first part alone.", _first_part, "detail-chat-claude-result-in-parts"),
    _asked("no-definitions", "request-tools", "Drops what schemas refer to.", _without_definitions, "detail-chat-claude-shared-schema"),
    _asked("result-blind", "request-images", "Drops the images of results.", _texts_of_results, "detail-responses-claude-result-picture"),
    Mutant(
        id="detail-own-key-is-callers",
        requirement="translation/error-class",
        text="Tells the caller that its key is bad where the vendor took offence at the gateway's.",
        answer=_as_callers,
        where=named("translation/detail-*-status-401", "translation/detail-*-status-403"),
    ),
)

MUTANTS: tuple[Mutant, ...] = (
    *MORE,
    Mutant(
        id="detail-one-id",
        requirement="translation/answer-ids-differ",
        text="Gives every answer the same id.",
        answer=on_body(lambda body: re.sub(rb"chatcmpl-[0-9A-Za-z]+", _SAME_ID, body)),
        where=named("translation/chat-*/both-ways"),
    ),
    Mutant(
        id="detail-milliseconds",
        requirement="translation/created-in-seconds",
        text="Says when an answer was made in milliseconds.",
        answer=either(on_events(_events_in_milliseconds), on_json(_in_milliseconds)),
        where=named("translation/chat-anthropic/text*"),
    ),
    Mutant(
        id="detail-versionless",
        requirement="translation/version-sent",
        text="Does not say which version of Anthropic's API it speaks.",
        leg=Leg.UPSTREAM,
        ask=_versionless,
        where=named("translation/chat-anthropic/*", "translation/gemini-anthropic/*"),
    ),
    Mutant(
        id="detail-own-echo",
        requirement="translation/response-echoes",
        text="Repeats defaults in the place of what was asked for.",
        answer=on_json(_own_words),
        where=named("translation/responses-anthropic/asked-much"),
    ),
    Mutant(
        id="detail-cut-complete",
        requirement="translation/cut-item-incomplete",
        text="Calls what the limit cut off completed.",
        answer=on_json(_cut_complete),
        where=named("translation/responses-*/length"),
    ),
    _asked("stored", "not-stored", "Has the vendor keep what passes.", _kept, "chat-responses/*", "messages-responses/*"),
    Mutant(
        id="detail-unasked-estimated",
        requirement="translation/billed-as-counted",
        text="Bills by an estimate where the client did not ask for usage.",
        books=newest({"estimated": lambda row: True}),
        where=named("translation/detail-chat-claude-usage-unasked.stream"),
    ),
)
