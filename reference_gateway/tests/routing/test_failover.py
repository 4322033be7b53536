"""contract:064, contract:206: another channel is tried before the caller has had anything, and the caller sees and pays for one answer."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.routing.channels import called, channel, channels, name
from reference_gateway.tests.scripted import Stage, Upstream
from reference_gateway.tests.wires import BODIES, CHAT_BODY, CHAT_STREAM, COSTS, STREAMS, request

Way = Callable[[Upstream], Awaitable[None]]
A, B = channel("a", priority=1), channel("b", priority=2)
DOWN = channel("a", base="http://127.0.0.1:9")  # nobody listens at the discard port


async def serve(call: Upstream, surface: Surface = Surface.CHAT) -> None:
    if b'"stream"' not in call.body and "stream" not in call.target:
        await call.answer(BODIES[surface])
        return
    await call.head()
    for event in STREAMS[surface]:
        await call.chunk(event)
    await call.end()


async def refuse_500(call: Upstream) -> None:
    await call.answer(b'{"error":{"message":"boom"}}', 500)


async def overloaded(call: Upstream) -> None:
    await call.answer(b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', 529)


async def too_many(call: Upstream) -> None:
    await call.answer(b'{"error":{"message":"slow down"}}', 429, "retry-after: 7")


async def no_funds(call: Upstream) -> None:
    await call.answer(b'{"error":{"message":"Insufficient Balance"}}', 402)


async def bad_key(call: Upstream) -> None:
    await call.answer(b'{"error":{"message":"bad key"}}', 401)


async def silence(call: Upstream) -> None:
    await call.aborted.wait()


async def head_and_silence(call: Upstream) -> None:
    await call.head()
    await call.aborted.wait()


async def hang_up(call: Upstream) -> None:
    call.reset()


async def html(call: Upstream) -> None:
    await call.answer(b"<html>welcome</html>", 200, kind="text/html")


async def error_in_a_200(call: Upstream) -> None:
    await call.answer(b'{"error":{"message":"no"}}')


async def half(call: Upstream) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{")
    call.reset()


async def empty_stream(call: Upstream) -> None:
    await call.head()
    await call.end()


FAILURES: list[tuple[Way, bool]] = [
    *((way, stream) for way in (refuse_500, overloaded, too_many, no_funds, bad_key, silence, hang_up, html) for stream in (False, True)),
    (error_in_a_200, False),
    (half, False),
    (head_and_silence, True),
    (empty_stream, True),
]


@pytest.mark.parametrize(("failure", "stream"), FAILURES)
async def test_the_next_channel_serves_and_is_paid_once(failure: Way, stream: bool, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await (failure if name(call) == "a" else serve)(call)

    async with channels(tmp_path, script, A, B, first_byte_ms=80, idle_ms=80) as s:
        path, body, _ = request(Surface.CHAT, stream=stream)
        answer = await s.post(path, body)
        assert (answer.status, answer.body) == (200, b"".join(CHAT_STREAM) if stream else CHAT_BODY)
        assert called(s) == ["a", "b"]
        assert s.calls[0].body == s.calls[1].body
        assert await s.spent() == COSTS[Surface.CHAT]
        (row,) = await s.usage()
        assert row["request_id"] == answer.header("x-request-id")


async def test_a_channel_that_cannot_be_reached(tmp_path: Path) -> None:
    async with channels(tmp_path, serve, DOWN, B) as s:
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).body == CHAT_BODY
        assert called(s) == ["b"]


@pytest.mark.parametrize("surface", [Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI])
@pytest.mark.parametrize("stream", [False, True])
async def test_every_surface_has_it(surface: Surface, stream: bool, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await (refuse_500(call) if name(call) == "a" else serve(call, surface))

    kind = {Surface.RESPONSES: "openai", Surface.MESSAGES: "anthropic", Surface.GEMINI: "gemini"}[surface]
    async with channels(tmp_path, script, channel("a", kind), channel("b", kind, priority=2)) as s:
        path, body, headers = request(surface, stream=stream)
        answer = await s.post(path, body, **headers)
        assert answer.body == (b"".join(STREAMS[surface]) if stream else BODIES[surface])
        assert called(s) == ["a", "b"]
        assert await s.spent() == COSTS[surface]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
async def test_the_requests_own_error_is_nobody_elses_to_answer(status: int, tmp_path: Path) -> None:
    error = b'{"error": {"message": "as it stands", "code": "x"}}'

    async def script(call: Upstream) -> None:
        await call.answer(error, status)

    async with channels(tmp_path, script, A, B) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body)
        assert (answer.status, answer.body) == (status, error)
        assert called(s) == ["a"]
        assert await s.spent() == 0


async def test_once_the_caller_has_had_a_byte_there_is_no_other_channel(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.head()
        await call.chunk(CHAT_STREAM[1])
        await asyncio.sleep(0.02)
        call.reset()

    async with channels(tmp_path, script, A, B) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        answer = await s.post(path, body)
        assert answer.body.startswith(CHAT_STREAM[1])
        assert b'"error"' in answer.body
        assert called(s) == ["a"]
        assert await s.spent() == 0


async def test_when_all_fail_the_last_answer_is_the_callers_and_nothing_is_billed(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await (too_many if name(call) == "b" else refuse_500)(call)

    async with channels(tmp_path, script, A, B) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body)
        assert (answer.status, answer.header("retry-after")) == (429, "7")
        assert answer.json()["error"]["message"] == "slow down"
        assert called(s) == ["a", "b"]
        assert await s.spent() == 0
        assert await s.usage() == []


async def test_no_more_channels_are_tried_than_the_configuration_says(tmp_path: Path) -> None:
    five = [channel(letter, priority=number) for number, letter in enumerate("abcde", 1)]
    async with channels(tmp_path, refuse_500, *five, extra="[routing]\nattempts = 2\n") as s:
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).status == 500
        assert called(s) == ["a", "b"]


async def test_a_caller_that_leaves_ends_the_matter(tmp_path: Path) -> None:
    """contract:149: the upstream at work learns of it, and no other one is asked."""
    aborted = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.aborted.wait()
        aborted.set()

    async with channels(tmp_path, script, A, B) as s:
        path, body, _ = request(Surface.CHAT)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0]})
        await s.called.wait()
        client.close()
        await asyncio.wait_for(aborted.wait(), 5)
        while (await s.account())["held_micro_usd"]:  # noqa: ASYNC110 (over HTTP there is nothing to wait on)
            await asyncio.sleep(0.002)
        assert called(s) == ["a"]
        assert await s.spent() == 0


CONVERSATIONS = itertools.count()


async def ask(s: Stage, **more: Any) -> int:
    """The status of a request; of a conversation of its own unless `more` says which."""
    own: dict[str, Any] = (
        {} if more.keys() & {"messages", "prompt_cache_key"} else {"prompt_cache_key": f"conversation {next(CONVERSATIONS)}"}
    )
    path, body, _ = request(Surface.CHAT, **own, **more)
    return (await s.post(path, body)).status


async def test_a_channel_that_keeps_failing_is_left_alone_and_one_real_request_opens_it_again(tmp_path: Path) -> None:
    broken = True

    async def script(call: Upstream) -> None:
        await (refuse_500 if broken and name(call) == "a" else serve)(call)

    async with channels(tmp_path, script, A, B, extra="[routing]\nfailures = 2\ncooldown_ms = 150\n") as s:
        assert [await ask(s) for _ in range(4)] == [200] * 4
        assert called(s) == ["a", "b", "a", "b", "b", "b"]
        broken = False
        while called(s)[-1] != "a":
            assert await ask(s) == 200
            await asyncio.sleep(0.01)
        s.calls.clear()
        assert [await ask(s) for _ in range(3)] == [200] * 3
        assert called(s) == ["a"] * 3


async def test_without_a_channel_there_is_a_503_that_says_when_to_come_back(tmp_path: Path) -> None:
    """contract:205, contract:233."""
    async with channels(tmp_path, refuse_500, A, extra="[routing]\nfailures = 1\ncooldown_ms = 60000\n") as s:
        assert await ask(s) == 500
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body)
        assert (answer.status, answer.json()["error"]["code"]) == (503, "no_channel")
        assert 1 <= int(answer.header("retry-after") or "") <= 60
        assert called(s) == ["a"]
        assert await s.spent() == 0


async def test_too_many_closes_the_model_there_and_no_other(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await (too_many if name(call) == "a" and b"gpt-5-5" in call.body else serve)(call)

    async with channels(tmp_path, script, A, B) as s:
        assert [await ask(s), await ask(s)] == [200, 200]
        assert called(s) == ["a", "b", "b"]  # its retry-after is heeded
        assert await ask(s, model="gpt-5-4") == 200
        assert called(s)[-1] == "a"


async def test_equals_share_by_their_weight(tmp_path: Path) -> None:
    async with channels(tmp_path, serve, channel("a", weight=9), channel("b", weight=1), channel("c", priority=2, weight=99)) as s:
        for number in range(60):
            assert await ask(s, prompt_cache_key=f"session {number}") == 200
        counts = {letter: called(s).count(letter) for letter in "abc"}
        assert counts["a"] > counts["b"]
        assert counts["c"] == 0


async def test_a_conversation_stays_on_its_channel(tmp_path: Path) -> None:
    """contract:065."""
    async with channels(tmp_path, serve, channel("a"), channel("b")) as s:
        ways: list[tuple[str, dict[str, Any]]] = [
            ("named", {"prompt_cache_key": "tea"}),
            ("by its beginning", {"messages": [{"role": "user", "content": "Hello."}]}),
        ]
        for _, more in ways:
            s.calls.clear()
            for _ in range(12):
                assert await ask(s, **more) == 200
            assert len(set(called(s))) == 1
        s.calls.clear()
        history = [{"role": "user", "content": "A long story."}]
        for _ in range(8):
            assert await ask(s, messages=history) == 200
            history = [*history, {"role": "assistant", "content": "And?"}, {"role": "user", "content": "More."}]
        assert len(set(called(s))) == 1
        s.calls.clear()
        for number in range(40):
            assert await ask(s, prompt_cache_key=f"session {number}") == 200
        assert set(called(s)) == {"a", "b"}


async def test_a_session_moves_when_its_channel_fails_and_stays_where_it_went(tmp_path: Path) -> None:
    failing = ""

    async def script(call: Upstream) -> None:
        await (refuse_500 if name(call) == failing else serve)(call)

    async with channels(tmp_path, script, channel("a"), channel("b")) as s:
        assert await ask(s, prompt_cache_key="tea") == 200
        failing = called(s)[0]
        assert await ask(s, prompt_cache_key="tea") == 200
        moved, failing = called(s)[-1], ""
        s.calls.clear()
        for _ in range(6):
            assert await ask(s, prompt_cache_key="tea") == 200
        assert set(called(s)) == {moved}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_is_continued_where_it_was_made(stream: bool, tmp_path: Path) -> None:
    """C21; and by its own account only, since the account at the vendor is shared by all."""
    first_choice_works = False

    async def script(call: Upstream) -> None:
        if name(call) == "a" and not first_choice_works:
            await refuse_500(call)
            return
        created = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_made_here", "status": "in_progress"}}
        if b'"stream"' in call.body:
            await call.head()
            for event in (b"event: response.created\ndata: " + json.dumps(created).encode() + b"\n\n", *STREAMS[Surface.RESPONSES][1:]):
                await call.chunk(event)
            await call.end()
        else:
            await call.answer(BODIES[Surface.RESPONSES].replace(b"resp_1", b"resp_made_here"))

    async with channels(tmp_path, script, A, B) as s:
        path, body, _ = request(Surface.RESPONSES, stream=stream)
        assert (await s.post(path, body)).status == 200
        assert called(s) == ["a", "b"]
        first_choice_works = True
        again = {**body, "previous_response_id": "resp_made_here"}
        assert (await s.post(path, again)).status == 200
        assert called(s) == ["a", "b", "b"]
        foreign = await s.post(path, again, s.demo.keys[1])
        assert (foreign.status, foreign.json()["error"]["code"]) == (400, "previous_response_not_found")
        assert called(s) == ["a", "b", "b"]
        assert (await s.post(path, {**body, "input": "Else.", "previous_response_id": "resp_unknown"})).status == 200
        assert called(s)[-1] == "a"


async def test_the_usage_row_says_who_served_and_the_answer_does_not(tmp_path: Path) -> None:
    """contract:069, C14."""

    async def script(call: Upstream) -> None:
        await (refuse_500 if name(call) == "a" else serve)(call)

    async with channels(tmp_path, script, A, channel("b", "deepseek", models=("gpt-5-5",), priority=2)) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body)
        assert (answer.status, answer.body) == (200, CHAT_BODY)
        assert "deepseek" not in str(answer.headers)
        (row,) = await s.usage()
        assert row["upstream_provider"] == "deepseek"


async def test_the_wait_for_the_first_byte_and_for_the_next_are_two(tmp_path: Path) -> None:
    """C40: a stream that began may be slower than its beginning was allowed to be, and the other way round."""
    slow_start = True

    async def script(call: Upstream) -> None:
        if slow_start:
            await asyncio.sleep(0.15)
        await call.head()
        for event in CHAT_STREAM:
            await call.chunk(event)
            await asyncio.sleep(0.0 if slow_start else 0.15)
        await call.end()

    async with channels(tmp_path / "1", script, A, first_byte_ms=5_000, idle_ms=100) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        assert (await s.post(path, body)).body == b"".join(CHAT_STREAM)
    slow_start = False
    async with channels(tmp_path / "2", script, A, first_byte_ms=100, idle_ms=5_000) as s:
        assert (await s.post(path, body)).body == b"".join(CHAT_STREAM)


class _Loop:
    """A loop whose connections are made by somebody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Callable[..., Awaitable[Any]]) -> None:
        self._loop = loop
        self.create_connection = connect

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


async def test_a_connection_that_is_not_made_in_time_is_a_failure_of_its_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with channels(tmp_path, serve, DOWN, B, connect_ms=50) as s:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def never_at_the_first(protocol: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
            if port == 9:
                await asyncio.Event().wait()
            return await connect(protocol, host, port, **more)

        pool = next(iter(s.running._forwarder.router._pools.values()))
        monkeypatch.setattr(pool, "loop", _Loop(loop, never_at_the_first))
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).body == CHAT_BODY
        assert called(s) == ["b"]
