"""Gateways that translate a request wrongly, one way each: what of the client's words never reaches the vendor, or reaches it changed."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.mutation.mutant import Answer, Ask, Leg, Mutant, ask_body, ask_headers, named, on_headers, without_header

Value = dict[str, Any]

_THOUGHT: Final = "The visitor wants the weather of Zürich, so the weather tool has to be called."


def _changing(change: Callable[[Value], None]) -> Callable[[Ask], Ask]:
    """`change` works on the body in place."""

    def apply(body: Value) -> Value:
        change(body)
        return body

    return ask_body(apply)


def _mutant(name: str, text: str, cell: str, change: Callable[[Value], None], *, requirement: str = "") -> Mutant:
    """`cell` is the case's id behind `translation/`."""
    return Mutant(
        id=f"request-{name}",
        requirement=f"translation/request-{requirement or name}",
        text=text,
        leg=Leg.UPSTREAM,
        ask=_changing(change),
        where=named(f"translation/{cell}"),
    )


def _set(*path: str | int, to: Any) -> Callable[[Value], None]:
    def change(body: Value) -> None:
        place: Any = body
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def _without(*path: str | int) -> Callable[[Value], None]:
    def change(body: Value) -> None:
        place: Any = body
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def _system_turned(body: Value) -> None:
    body["input"][0]["content"].reverse()


def _cut_short(body: Value) -> None:
    text = _block(body, "user", "text")
    text["text"] = text["text"].rpartition(" ")[0]


def _pictures_last(body: Value) -> None:
    body["messages"][0]["content"].sort(key=lambda block: block["type"] != "text")


def _another(kind: str) -> Callable[[Value], None]:
    """The first block of the kind has other bytes."""

    def change(body: Value) -> None:
        block = next(block for block in body["messages"][0]["content"] if block["type"] == kind)
        block["source"]["data"] = "AAAA"

    return change


def _untitled(body: Value) -> None:
    _block(body, "user", "document").pop("title")


def _alike(body: Value) -> None:
    """Under the name that a gateway has for whatever the client did not name."""
    _block(body, "user", "document")["title"] = "document.pdf"


def _block(body: Value, role: str, kind: str) -> Value:
    found: Value = next(
        block for message in body["messages"] if message["role"] == role for block in message["content"] if block["type"] == kind
    )
    return found


def _no_arguments(body: Value) -> None:
    _block(body, "assistant", "tool_use")["input"] = {}


def _results_swapped(body: Value) -> None:
    first, second = [block for block in body["messages"][-1]["content"] if block["type"] == "tool_result"][:2]
    first["tool_use_id"], second["tool_use_id"] = second["tool_use_id"], first["tool_use_id"]


def _nothing_required(body: Value) -> None:
    body["tools"][0]["input_schema"].pop("required", None)


def _other_proof(body: Value) -> None:
    thought = _block(body, "assistant", "thinking")
    thought["signature"] = thought["signature"][::-1]


def _unmarked(body: Value) -> None:
    for block in body["system"]:
        block.pop("cache_control", None)


def _unwarned(answer: Answer) -> Answer:
    """The first of what is told is left out."""

    def change(value: str) -> str:
        return "; ".join(entry for entry in value.split("; ") if not re.match(r"logit_bias|truncation|safetySettings", entry))

    return on_headers(
        lambda headers: tuple((name, change(text)) if name.lower() == "x-wireproof-losses" else (name, text) for name, text in headers)
    )(answer)


def _pathless(answer: Answer) -> Answer:
    body = json.loads(answer.body)
    body["error"] |= {"message": "This is not supported.", "param": None}
    return replace(answer, body=json.dumps(body).encode())


def _accepting(kind: str) -> Callable[[Ask], Ask]:
    return ask_headers(lambda headers: (*(pair for pair in headers if pair[0].lower() != "accept"), ("accept", kind)))


MUTANTS: tuple[Mutant, ...] = (
    _mutant("system", "Tells the system texts in another order.", "chat-responses/asked-much", _system_turned),
    _mutant("texts", "Cuts a text short.", "chat-anthropic/asked-much", _cut_short),
    _mutant("order", "Puts images and files behind the texts that speak of them.", "chat-anthropic/asked-much", _pictures_last),
    _mutant("images", "Sends another image.", "chat-anthropic/asked-much", _another("image")),
    _mutant("documents", "Sends another document.", "chat-anthropic/asked-much", _another("document")),
    _mutant("titles", "Calls every document the same.", "chat-anthropic/asked-much", _alike),
    _mutant("titles-lost", "Drops the documents' titles.", "responses-anthropic/asked-much", _untitled, requirement="titles"),
    _mutant("calls", "Forgets the arguments of earlier calls.", "chat-anthropic/asked-much", _no_arguments),
    _mutant("results", "Gives each of two calls the other's result.", "chat-anthropic/asked-much", _results_swapped),
    _mutant("tools", "Forgets which arguments of a tool are required.", "chat-anthropic/asked-much", _nothing_required),
    _mutant("tool-choice", "Lets the model choose.", "chat-anthropic/asked-much", _set("tool_choice", to={"type": "auto"})),
    _mutant(
        "parallel-calls", "Forgets that one call at a time was wanted.", "messages-chat/asked-thinking", _without("parallel_tool_calls")
    ),
    _mutant("limit", "Has a limit of its own.", "chat-anthropic/asked-much", _set("max_tokens", to=4096)),
    _mutant("sampling", "Cools the model down.", "chat-anthropic/asked-much", _set("temperature", to=0)),
    _mutant("stop", "Forgets the stop sequences.", "chat-anthropic/asked-much", _without("stop_sequences")),
    _mutant("output", "Forgets the form of the answer.", "chat-anthropic/asked-form", _without("output_config")),
    _mutant("thinking", "Switches thinking off.", "chat-anthropic/asked-thinking", _set("thinking", to={"type": "disabled"})),
    _mutant("effort", "Forgets how hard to think.", "chat-anthropic/asked-thinking", _without("output_config")),
    _mutant(
        "effort-of-budget",
        "Forgets how many tokens there were to think with.",
        "messages-responses/asked-thinking",
        _without("reasoning", "effort"),
        requirement="effort",
    ),
    _mutant("user", "Names no user.", "chat-anthropic/asked-much", _without("metadata")),
    _mutant("reasoning", "Tells a vendor what another's model thought.", "messages-chat/asked-much", _set("user", to=_THOUGHT)),
    _mutant("reasoning-proof", "Changes a proof on its way.", "chat-anthropic/asked-much", _other_proof, requirement="reasoning"),
    _mutant("cache-marks", "Forgets the cache marks.", "chat-anthropic/asked-much", _unmarked),
    _mutant("shape", "Sends a number for a text.", "chat-anthropic/asked-much", _set("metadata", to={"user_id": 7})),
    _mutant("unknown-member", "Passes a member of the client's protocol on.", "chat-anthropic/asked-much", _set("logit_bias", to={})),
    Mutant(
        id="translation-accepts-streams-only",
        requirement="translation/request-accept",
        text="Says that it accepts nothing but a stream, of whatever it asks.",
        leg=Leg.UPSTREAM,
        ask=_accepting("text/event-stream"),
        where=named("translation/*/asked-much"),
    ),
    Mutant(
        id="request-unwarned",
        requirement="translation/request-warned",
        text="Drops a member of the request and does not say so.",
        answer=_unwarned,
        where=named("translation/*/asked-much"),
    ),
    Mutant(
        id="request-title-untold",
        requirement="translation/request-titles",
        text="Does not say that the title of a text is lost.",
        answer=without_header("x-wireproof-losses"),
        where=named("translation/detail-messages-chat-named-text"),
    ),
    Mutant(
        id="request-refusal-pathless",
        requirement="translation/refusal-names-path",
        text="Refuses without a word on what it does not support.",
        answer=_pathless,
        where=named("translation/*/asked-refused"),
    ),
)
