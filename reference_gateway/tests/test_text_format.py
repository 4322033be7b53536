"""contract:098, C18: two spellings of one wish, over the native route."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import RESPONSES_BODY, request

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
NESTED = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
FLAT = {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}


async def answering(call: Upstream) -> None:
    await call.answer(RESPONSES_BODY)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"response_format": NESTED}, {"format": FLAT}),
        ({"response_format": FLAT}, {"format": FLAT}),
        ({"response_format": {"type": "json_object"}}, {"format": {"type": "json_object"}}),
        ({"response_format": NESTED, "text": {"verbosity": "low"}}, {"verbosity": "low", "format": FLAT}),
        ({"response_format": NESTED, "text": {"format": FLAT}}, {"format": FLAT}),
    ],
)
async def test_response_format_is_text_format(given: dict[str, Any], text: dict[str, Any], tmp_path: Path) -> None:
    """contract:098, C18."""
    async with stage(tmp_path, answering) as s:
        path, body, _ = request(Surface.RESPONSES)
        answer = await s.post(path, {**body, **given})
        assert (answer.status, answer.body) == (200, RESPONSES_BODY)
        assert json.loads(s.calls[0].body) == {**body, "text": text}


async def test_every_other_value_stays_as_it_was_spelled(tmp_path: Path) -> None:
    wanted = b'{"type":"json_schema","json_schema":{"name":"\\u00e9","schema":{"x":1e1}}}'
    raw = b'{"model":"gpt-5-5", "temperature":1.00,"response_format":' + wanted + b', "input":"a"}'
    async with stage(tmp_path, answering) as s:
        assert (await s.post("/v1/responses", raw)).status == 200
        assert s.calls[0].body == (
            b'{"model":"gpt-5-5","temperature":1.00,"input":"a",'
            b'"text":{"format":{"type":"json_schema","name":"\\u00e9","schema":{"x":1e1}}}}'
        )


@pytest.mark.parametrize(
    "given",
    [
        {"response_format": NESTED, "text": {"format": {"type": "text"}}},
        {"response_format": "json"},
        {"response_format": {"type": "json_schema", "json_schema": 1}},
        {"response_format": NESTED, "text": "x"},
    ],
)
async def test_two_that_disagree_or_are_none_are_refused(given: dict[str, Any], tmp_path: Path) -> None:
    """C18."""
    async with stage(tmp_path) as s:
        path, body, _ = request(Surface.RESPONSES)
        answer = await s.post(path, {**body, **given})
        assert (answer.status, answer.json()["error"]["param"]) == (400, "response_format")
        assert s.calls == []


async def test_a_chat_requests_own_field_is_left_alone(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(b'{"choices":[{"message":{"content":"x"}}]}')

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, response_format=NESTED)
        assert (await s.post(path, body)).status == 200
        assert json.loads(s.calls[0].body) == body
