"""Every member of every request has one rule, and the tables that are published are the tables that are obeyed."""

from __future__ import annotations

import fnmatch
import json
import re
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import pytest
from anthropic.types import message_create_params as messages
from anthropic.types.beta import message_create_params as beta
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

from reference_gateway.tests.translation import request_members
from reference_gateway.translation import losses_file
from reference_gateway.translation.items import Unsupported
from reference_gateway.translation.losses import Direction, FieldRule, Rule

PROTOCOLS: Final = ("chat", "responses", "messages", "gemini")
NOT_DESCENDED: Final = (Rule.DROPPED, Rule.REFUSED, Rule.EMULATED)
SDK: Final = {
    "chat": (chat.CompletionCreateParamsStreaming,),
    "responses": (responses.ResponseCreateParamsStreaming,),
    "messages": (messages.MessageCreateParamsStreaming, beta.MessageCreateParamsStreaming),
}


def rules(protocol: str, direction: Direction = Direction.REQUEST_IN) -> dict[str, FieldRule]:
    return {row.path: row for row in losses_file.TABLES[protocol] if row.direction is direction}


class Table:
    """Where a path finds its rule: its own row, or that of what it stands in, where nobody looks further."""

    def __init__(self, protocol: str) -> None:
        self._rows = rules(protocol)
        self._variants = [
            (row, re.compile(fnmatch.translate(row.path.replace("[", "[[]")))) for row in self._rows.values() if "[type=" in row.path
        ]

    def closed(self, path: str) -> bool:
        row = self.rule(path)
        return row is not None and row.rule in NOT_DESCENDED

    def rule(self, path: str) -> FieldRule | None:
        if "[type=" in path:
            return next((row for row, pattern in self._variants if pattern.fullmatch(path)), None)
        return self._rows.get(path)


def test_the_file_is_what_the_tables_say() -> None:
    said = losses_file.FILE.read_text(encoding="utf-8")
    assert said == losses_file.text(), "run python -m reference_gateway.translation.losses_file"
    protocols = json.loads(said)["protocols"]
    assert {row["direction"] for row in protocols["chat"]} == set(Direction)


@pytest.mark.parametrize("protocol", losses_file.TABLES)
def test_each_path_has_one_row_and_a_loss_says_why(protocol: str) -> None:
    seen = Counter((row.direction, row.path) for row in losses_file.TABLES[protocol])
    assert [path for path, count in seen.items() if count > 1] == []
    for row in rules(protocol).values():
        assert row.note or row.rule not in (Rule.DROPPED, Rule.REFUSED), row.path
    assert all(row.rule is Rule.DROPPED for row in losses_file.TABLES[protocol] if row.silent)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_member_of_the_request_schema_has_a_rule(protocol: str) -> None:
    table = Table(protocol)
    found = request_members.of_schema(f"{protocol}/request", table.closed)
    assert sorted(path for path in found if table.rule(path) is None) == []
    assert len(found) > 70


@pytest.mark.parametrize(("protocol", "types"), [(protocol, types) for protocol, several in SDK.items() for types in several])
def test_every_member_of_the_official_types_has_a_rule(protocol: str, types: Any) -> None:
    """A new release of an SDK brings members of which nobody has said what becomes of them: then this is red."""
    table = Table(protocol)
    found = request_members.of_sdk(types, table.closed)
    assert sorted(path for path in found if table.rule(path) is None) == []
    assert len(found) > 80


# what each protocol wants beside the member that is tried

WHOLE: Final[Mapping[str, dict[str, Any]]] = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"input": "Hi"},
    "messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    "gemini": {"contents": [{"parts": [{"text": "Hi"}]}]},
}
ASKS_FOR_MORE: Final[Mapping[str, Any]] = {
    "stream_options.include_obfuscation": True,
    "n": 2,
    "modalities": ["audio"],
    "inference_geo": "eu",
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
}


def read(protocol: str, body: dict[str, Any]) -> Any:
    return import_module(f"reference_gateway.translation.{protocol}.request_in").read_request(
        body, model="m", stream="stream_options" in body
    )


@pytest.mark.parametrize(
    ("protocol", "name"), [(protocol, path) for protocol in PROTOCOLS for path in rules(protocol) if re.fullmatch(r"\w+(\.\w+)?", path)]
)
def test_a_member_is_dropped_or_refused_as_its_row_says(protocol: str, name: str) -> None:
    row = rules(protocol)[name]
    if row.rule not in (Rule.DROPPED, Rule.REFUSED):
        return
    outer, _, inner = name.rpartition(".")
    value = ASKS_FOR_MORE.get(name, "x")
    beside: dict[str, Any] = {"type": "adaptive"} if outer == "thinking" else {}
    body = {**WHOLE[protocol], **({outer: {**beside, inner: value}} if outer else {inner: value})}
    if row.rule is Rule.REFUSED:
        with pytest.raises(Unsupported) as refused:
            read(protocol, body)
        assert refused.value.path == name
    else:
        assert name in [loss.path for loss in read(protocol, body).losses]


def variants() -> list[tuple[str, str, str]]:
    found = [(protocol, re.fullmatch(r"(.*)\[type=(.*)\]", path)) for protocol in PROTOCOLS for path in rules(protocol)]
    return [(protocol, parts[1], parts[2].replace("*", "20260101")) for protocol, parts in found if parts]


@pytest.mark.parametrize(("protocol", "place", "kind"), variants())
def test_a_variant_that_only_one_vendor_has_is_refused_where_it_stands(protocol: str, place: str, kind: str) -> None:
    thing = {"type": kind, "id": "x", "name": "x"}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [thing]}
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
    user = WHOLE["chat"]["messages"][0]
    bodies: dict[str, dict[str, Any]] = {
        "tools": {"tools": [thing]},
        "tool_choice": {"tools": [{"type": "function", "name": "f", "function": {"name": "f"}}], "tool_choice": thing},
        "input": {"input": [thing]},
        "messages[].content": {"messages": [{"role": "user", "content": [thing]}]},
        "messages[].content[].content": {"messages": [user, call, {"role": "user", "content": [result]}]},
        "messages[].tool_calls": {"messages": [user, {"role": "assistant", "tool_calls": [thing]}]},
    }
    with pytest.raises(Unsupported) as refused:
        read(protocol, {**WHOLE[protocol], **bodies[place]})
    assert re.sub(r"\[\d+\]", "[]", refused.value.path).startswith(place)
