"""Searches that a vendor runs in the web have a surcharge of their own (contract:090), counted from what the vendor says."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.accounting import Completed, StreamWatch, judge_answer
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, MESSAGES_USAGE, STREAMS, frame, request

PRICE_MICRO_USD = {Surface.CHAT: 10_000, Surface.RESPONSES: 10_000, Surface.MESSAGES: 10_000, Surface.GEMINI: 14_000}
SEARCHES = {Surface.CHAT: 1, Surface.RESPONSES: 2, Surface.MESSAGES: 3, Surface.GEMINI: 2}
CITATION = {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "x", "start_index": 0, "end_index": 4}}
CALLS: list[dict[str, Any]] = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "web_search_call", "id": "ws_2", "status": "completed"},
    {"type": "web_search_call", "id": "ws_3", "status": "completed", "action": {"type": "open_page", "url": "https://example.org"}},
    {"type": "web_search_call", "id": "ws_4", "status": "failed", "action": {"type": "search", "query": "y"}},
]
GROUNDED = {"webSearchQueries": ["one", "two", "one"], "groundingChunks": [{"web": {"uri": "https://example.org", "title": "x" * 4000}}]}
COUNTED = {**MESSAGES_USAGE, "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1}}


def body(surface: Surface) -> bytes:
    whole = json.loads(BODIES[surface])
    match surface:
        case Surface.CHAT:
            whole["choices"][0]["message"]["annotations"] = [CITATION, CITATION]
        case Surface.RESPONSES:
            whole["output"] = [*CALLS, *whole["output"]]
        case Surface.MESSAGES:
            whole["usage"] = COUNTED
        case _:
            whole["candidates"][0]["groundingMetadata"] = GROUNDED
    return json.dumps(whole).encode()


def stream(surface: Surface) -> list[bytes]:
    events = list(STREAMS[surface])
    match surface:
        case Surface.CHAT:  # before the finish, and longer than what is looked at of a stream's end at first
            delta = {"annotations": [CITATION] * 20}
            events.insert(3, frame({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
        case Surface.RESPONSES:
            done = {"type": "response.completed", "sequence_number": 3, "response": json.loads(body(surface))}
            events[-1] = frame(done, "response.completed")
        case Surface.MESSAGES:
            usage = {"output_tokens": 5, "server_tool_use": COUNTED["server_tool_use"]}
            events[-2] = frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}, "message_delta")
        case _:
            events.insert(1, frame({"candidates": [{"groundingMetadata": GROUNDED}]}))
            events.insert(3, frame({"candidates": [{"groundingMetadata": GROUNDED}]}))
    return events


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("surface", SEARCHES)
async def test_a_search_costs_its_surcharge_and_the_row_counts_it(surface: Surface, streams: bool, tmp_path: Path) -> None:
    """contract:090: in the charge, the row, the sums and the price table; the same whole and streamed."""

    async def script(call: Upstream) -> None:
        if not streams:
            await call.answer(body(surface))
            return
        await call.head()
        for event in stream(surface):
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, asked, headers = request(surface, stream=streams)
        answer = await s.post(path, asked, **headers)
        assert answer.body == (b"".join(stream(surface)) if streams else body(surface))
        surcharge = SEARCHES[surface] * PRICE_MICRO_USD[surface]
        assert await s.spent() == COSTS[surface] + surcharge
        (row,) = await s.usage()
        assert (row["searches"], row["cost_micro_usd"], row["estimated"]) == (SEARCHES[surface], COSTS[surface] + surcharge, False)
        (bucket,) = (await s.get("/api/v1/me/usage?group_by=model")).json()["data"]
        assert (bucket["searches"], bucket["total_micro_usd"]) == (SEARCHES[surface], COSTS[surface] + surcharge)
        rates = {entry["model"]: entry["rates"] for entry in (await s.get("/api/pricing")).json()["data"]}
        assert rates[row["model"]]["per_search"] == PRICE_MICRO_USD[surface] / 1_000_000
        assert "per_search" not in rates["deepseek-v4-pro"]


@pytest.mark.parametrize("surface", SEARCHES)
def test_searches_do_not_depend_on_how_the_stream_was_cut(surface: Surface) -> None:
    whole = b"".join(stream(surface))
    for cut in range(0, len(whole) + 1, 7):
        watch = StreamWatch(surface, searches=True)
        watch.feed(whole[:cut])
        watch.feed(whole[cut:])
        outcome = watch.close()
        assert isinstance(outcome, Completed)
        assert outcome.usage is not None
        assert outcome.usage.searches == SEARCHES[surface]


@pytest.mark.parametrize(
    ("surface", "usage", "output"),
    [
        (Surface.MESSAGES, {**MESSAGES_USAGE, "server_tool_use": None}, None),
        (Surface.MESSAGES, {**MESSAGES_USAGE, "server_tool_use": {"web_search_requests": 0}}, None),
        (Surface.MESSAGES, {**MESSAGES_USAGE, "server_tool_use": {"web_search_requests": -4}}, None),
        (Surface.MESSAGES, {**MESSAGES_USAGE, "server_tool_use": {"web_search_requests": "9"}}, None),
        (Surface.RESPONSES, None, [{"type": "message", "content": [{"type": "output_text", "text": 'a "web_search_call" in a text'}]}]),
        (Surface.RESPONSES, None, [{"type": "web_search_call", "action": {"type": "find_in_page"}}, "web_search_call"]),
    ],
)
def test_what_is_no_search_costs_none(surface: Surface, usage: dict[str, Any] | None, output: list[Any] | None) -> None:
    whole = json.loads(BODIES[surface])
    whole |= {"usage": usage} if usage is not None else {}
    whole |= {"output": output} if output is not None else {}
    outcome = judge_answer(surface, json.dumps(whole).encode())
    assert isinstance(outcome, Completed)
    assert outcome.usage is not None
    assert outcome.usage.searches == 0
