"""Translators that lose what is seldom used, one thing each, as found by breaking a gateway on purpose."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.mutation.events import either, on_events
from harness.mutation.mutant import Answer, Ask, Leg, Mutant, ask_body, named, on_data, on_json
from harness.mutation.mutants.translation_probes_asked import changing

Value = dict[str, Any]

_CUT: Final = 4096  # characters


def _same_detail(body: Value) -> None:
    for item in body["input"]:
        for part in item.get("content") or () if isinstance(item.get("content"), list) else ():
            if part["type"] == "input_image":
                part["detail"] = "auto"


def _without(name: str) -> Callable[[Value], None]:
    return lambda body: body.pop(name, None) and None


def _cool(ask: Ask) -> Ask:
    return ask_body(lambda body: {**body, "temperature": 1})(ask)


def _four(ask: Ask) -> Ask:
    return ask_body(lambda body: {**body, "stop_sequences": body["stop_sequences"][:4]})(ask)


def _little(ask: Ask) -> Ask:
    return ask_body(lambda body: {**body, "max_completion_tokens": 64000})(ask)


def _second(ask: Ask) -> Ask:
    """What a gateway refuses that takes one choice for several."""
    return ask_body(lambda body: {**body, "n": 2})(ask)


def _resultless(body: Value) -> None:
    turn = body["messages"][2]
    turn["content"] = [block for block in turn["content"] if block["type"] != "tool_result"]


def _trimmed(body: Value) -> None:
    body["stop_sequences"] = [stop.strip() for stop in body["stop_sequences"]]


def _flush(body: Value) -> None:
    for part in body["messages"][0]["content"]:
        part["text"] = part["text"].strip()


def _last_turn(body: Value) -> None:
    del body["messages"][-1]["content"][0]


def _own_limit(body: Value) -> None:
    body["max_tokens"] = 4096


def _short_results(body: Value) -> None:
    for turn in body["messages"]:
        for block in turn["content"]:
            if block["type"] == "tool_result":
                block["content"] = block["content"][:_CUT]


def _rounded(body: Value) -> None:
    for turn in body["messages"]:
        for call in turn.get("tool_calls", ()):
            call["function"]["arguments"] = json.dumps(json.loads(call["function"]["arguments"], parse_int=float))


def _second_message_empty(body: Value) -> None:
    del body["messages"][1]


def _blind(body: Value) -> None:
    body["messages"][0]["content"] = [part for part in body["messages"][0]["content"] if part["type"] == "text"]


def _all_allowed(body: Value) -> None:
    body["tool_choice"] = {"type": "auto"}
    body["tools"].append({**body["tools"][0], "name": "find_order"})


def _hard(body: Value) -> None:
    body["output_config"]["effort"] = "high"


def _much(body: Value) -> None:
    body["reasoning"]["effort"] = "high"


def _paperless(body: Value) -> None:
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            message["content"] = [part for part in message["content"] if part["type"] != "file"]


def _loud(body: Value) -> None:
    """As Google's other form spells types."""
    for tool in body["tools"]:
        tool["function"]["parameters"]["type"] = "OBJECT"


def _crossed(body: Value) -> None:
    first, second = [message for message in body["messages"] if message["role"] == "tool"]
    first["content"], second["content"] = second["content"], first["content"]


def _renamed(body: Value) -> None:
    body["response_format"]["json_schema"]["name"] = "answer"


def _undescribed(body: Value) -> None:
    body["text"]["format"].pop("description", None)


def _short_description(body: Value) -> None:
    body["tools"][0]["function"]["description"] = body["tools"][0]["function"]["description"][:1024]


def _asked(name: str, requirement: str, text: str, change: Callable[[Value], None], case: str) -> Mutant:
    return Mutant(
        id=f"seldom-{name}",
        requirement=f"translation/request-{requirement}",
        text=text,
        leg=Leg.UPSTREAM,
        ask=changing(change),
        where=named(f"translation/{case}"),
    )


def _sent(name: str, text: str, ask: Callable[[Ask], Ask], case: str) -> Mutant:
    return Mutant(id=f"seldom-{name}", requirement="translation/unsayable-told", text=text, ask=ask, where=named(f"translation/{case}"))


def _finish(word: str) -> Callable[[Answer], Answer]:
    """Where an answer says why it ended, another word."""

    def change(value: Value) -> Value:
        for choice in value.get("choices", ()):
            if choice.get("finish_reason"):
                choice["finish_reason"] = word
        return value

    return either(on_data(lambda _, value: change(value)), on_json(change))


def _stripped(answer: Answer) -> Answer:
    """Whole answers of chat and Messages."""
    body = json.loads(answer.body)
    for part in body.get("content") or [choice["message"] for choice in body.get("choices", ())]:
        for name in ("text", "content"):
            if isinstance(part.get(name), str):
                part[name] = part[name].strip()
    return replace(answer, body=json.dumps(body).encode())


def _one_id(events: list[Any]) -> list[Any]:
    for event in events:
        for choice in event.get("choices", ()) if isinstance(event, dict) else ():
            for call in choice["delta"].get("tool_calls", ()):
                if call.get("id"):
                    call["id"] = "call_0"
    return events


def _answered(name: str, requirement: str, text: str, answer: Callable[[Answer], Answer], *cases: str) -> Mutant:
    return Mutant(
        id=f"seldom-{name}",
        requirement=f"translation/{requirement}",
        text=text,
        answer=answer,
        where=named(*(f"translation/{case}" for case in cases)),
    )


# Of requirements that have other mutants beside.
MORE: tuple[Mutant, ...] = (
    _asked("stops-trimmed", "stop", "Takes the blanks off stop sequences.", _trimmed, "chat-anthropic/seldom-stops"),
    _asked("texts-trimmed", "texts", "Takes the blanks off texts.", _flush, "chat-anthropic/seldom-blanks"),
    _asked("first-turn-lost", "texts", "Keeps the last of a user's turns.", _last_turn, "chat-anthropic/seldom-two-turns"),
    _asked("older-limit-lost", "limit", "Does not know the limit's older name.", _own_limit, "chat-anthropic/seldom-older-limit"),
    _asked("long-result-cut", "results", "Cuts long results short.", _short_results, "chat-anthropic/seldom-long"),
    _asked("arguments-rounded", "calls", "Reads numbers of earlier calls as floats.", _rounded, "messages-chat/seldom-long"),
    _asked("refusal-forgotten", "texts", "Forgets that the assistant refused.", _second_message_empty, "chat-anthropic/seldom-refusal"),
    _asked("address-lost", "images", "Drops images that stand at an address.", _blind, "chat-anthropic/seldom-address"),
    _asked("all-allowed", "tools", "Offers tools that the client left out.", _all_allowed, "chat-anthropic/seldom-allowed"),
    _asked("low-effort-high", "effort", "Thinks hard where little was wanted.", _hard, "chat-anthropic/seldom-low-effort"),
    _asked("small-budget-high", "effort", "Makes much of the least budget.", _much, "messages-responses/seldom-small-budget"),
    _asked("paper-of-result-lost", "documents", "Drops the documents of results.", _paperless, "messages-chat/seldom-paper-in-result"),
    _asked("openapi-verbatim", "tools", "Hands types on as Google spells them.", _loud, "gemini-chat/seldom-openapi"),
    _asked("same-names-crossed", "results", "Mixes up the results of one tool's calls.", _crossed, "gemini-chat/seldom-same-names"),
    _asked("zero-lost", "sampling", "Takes zero for nothing.", _without("temperature"), "chat-anthropic/seldom-zeros"),
    _asked("empty-result-lost", "results", "Drops a result that says nothing.", _resultless, "chat-anthropic/seldom-empty-result"),
    Mutant(
        id="seldom-defaults-refused",
        requirement="translation/answer-whole",
        text="Refuses what says no more than that nothing is wanted.",
        ask=_second,
        where=named("translation/chat-*/seldom-defaults"),
    ),
    _asked("schema-renamed", "output", "Has a name of its own for every schema.", _renamed, "responses-chat/seldom-described"),
    _asked("schema-undescribed", "output", "Drops what a schema is for.", _undescribed, "chat-responses/seldom-described"),
    _asked("tool-description-cut", "tools", "Cuts long descriptions.", _short_description, "messages-chat/seldom-described-tool"),
    Mutant(
        id="seldom-call-ids-alike",
        requirement="chat/tools/own-ids",
        text="Gives two calls without ids the same one.",
        answer=on_events(_one_id),
        where=named("translation/probe-chat-gemini-gemini-nameless-calls.stream"),
    ),
    _answered(
        "blanks-trimmed", "answer-text", "Takes the blanks off answers.", _stripped, "probe-*-chat-blanks", "probe-*-messages-blanks"
    ),
    _answered(
        "cut-call-called", "answer-stop", "Has a call made that was cut.", _finish("tool_calls"), "probe-chat-claude-messages-cut-call*"
    ),
    _answered(
        "full-is-end", "answer-stop", "Ends well where the context was full.", _finish("stop"), "probe-chat-claude-messages-context*"
    ),
    _answered("pause-is-length", "answer-stop", "Takes a pause for the limit.", _finish("length"), "probe-chat-claude-messages-paused*"),
    _answered("blocked-is-end", "answer-stop", "Ends well where the prompt was blocked.", _finish("stop"), "probe-chat-gemini-blocked*"),
    _answered("filter-is-length", "answer-stop", "Takes the filter for the limit.", _finish("length"), "probe-chat-responses-incomplete*"),
)

MUTANTS: tuple[Mutant, ...] = (
    *MORE,
    _asked("same-detail", "image-details", "Has every image seen as the vendor likes.", _same_detail, "chat-responses/asked-seen"),
    _asked("no-tier", "service-tier", "Drops the tier of service.", _without("service_tier"), "chat-responses/asked-much"),
    _sent("cooled", "Cools a request down as far as the vendor wants it.", _cool, "chat-anthropic/seldom-hot"),
    _sent("limit-lowered", "Lowers a limit to what the model can say.", _little, "chat-anthropic/seldom-much"),
    _sent("four-stops", "Sends as many stop sequences as the vendor takes.", _four, "messages-chat/seldom-many-stops"),
)
