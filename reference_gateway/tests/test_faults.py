"""Every way in which an upstream can fail: nothing is billed or stays held, and the caller is told in its own envelope (4.2, 4.3 no. 3)."""

import asyncio
import gzip
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reference_gateway.proxy import relay
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import PATIENCE_S, Answer, Upstream, stage
from reference_gateway.tests.wires import BODIES, STREAMS, chat_chunk, frame, request

pytestmark = pytest.mark.usefixtures("cold_and_warm")
SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]
HTML = b"<html><body>502 Bad Gateway</body></html>"
Fault = Callable[[Upstream, Surface], Awaitable[None]]


def assert_envelope(surface: Surface, answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    body, request_id = answer.json(), answer.header("x-request-id")
    assert request_id is not None
    assert answer.header("x-quota-remaining-credits") == "100.00"
    match surface:
        case Surface.MESSAGES:
            assert body["type"] == "error"
            assert body["error"]["type"] in ("api_error", "overloaded_error", "invalid_request_error", "not_found_error")
            assert body["error"]["message"]
            assert body["request_id"] == request_id == answer.header("request-id")
        case Surface.GEMINI:
            assert body["error"]["code"] == status
            assert body["error"]["status"].isupper()
            assert body["error"]["message"]
        case _:
            assert set(body["error"]) == {"message", "type", "param", "code"}


async def error_in_200(call: Upstream, surface: Surface) -> None:
    await call.answer(b'{"type": "error", "error": {"type": "api_error", "message": "broken", "code": 500, "status": "INTERNAL"}}')


async def html_200(call: Upstream, surface: Surface) -> None:
    await call.answer(HTML, kind="text/html")


async def html_as_json(call: Upstream, surface: Surface) -> None:
    await call.answer(HTML)


async def wrong_content_type(call: Upstream, surface: Surface) -> None:
    await call.answer(BODIES[surface], kind="text/plain")


async def truncated_json(call: Upstream, surface: Surface) -> None:
    await call.answer(BODIES[surface][:-20])


async def truncated_gzip(call: Upstream, surface: Surface) -> None:
    await call.answer(gzip.compress(BODIES[surface])[:-12], 200, "content-encoding: gzip")


async def unknown_coding(call: Upstream, surface: Surface) -> None:
    await call.answer(BODIES[surface], 200, "content-encoding: zap")


async def empty_body(call: Upstream, surface: Surface) -> None:
    await call.answer(b"")


async def short_of_content_length(call: Upstream, surface: Surface) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n" + BODIES[surface])
    call.fin()


async def reset_before_the_head(call: Upstream, surface: Surface) -> None:
    call.reset()


async def fin_before_the_head(call: Upstream, surface: Surface) -> None:
    call.fin()


async def reset_in_the_body(call: Upstream, surface: Surface) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n" + BODIES[surface])
    call.reset()


async def not_http(call: Upstream, surface: Surface) -> None:
    await call.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    call.fin()


async def redirect(call: Upstream, surface: Surface) -> None:
    await call.answer(b"", 302, "location: http://127.0.0.1:1/")


ANSWER_FAULTS: list[Fault] = [
    error_in_200,
    html_200,
    html_as_json,
    wrong_content_type,
    truncated_json,
    truncated_gzip,
    unknown_coding,
    empty_body,
    short_of_content_length,
    reset_before_the_head,
    fin_before_the_head,
    reset_in_the_body,
    not_http,
    redirect,
]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("surface", SURFACES)
async def test_a_failed_answer_is_a_502_in_the_callers_envelope_and_costs_nothing(surface: Surface, stream: bool, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for fault in ANSWER_FAULTS:
            s.script = lambda call, fault=fault: fault(call, surface)
            path, body, headers = request(surface, stream=stream)
            calls = len(s.calls)
            answer = await s.post(path, body, **headers)
            assert_envelope(surface, answer, 502)
            assert b"127.0.0.1" not in answer.body
            assert len(s.calls) == calls + 1, f"{fault.__name__} was sent again"
            assert await s.spent() == 0
        assert await s.usage() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529])
async def test_the_vendors_own_error_goes_through_as_it_stands(status: int, tmp_path: Path) -> None:
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011"}'

    async def script(call: Upstream) -> None:
        await call.answer(error, status, "retry-after: 7", "x-should-retry: false", "request-id: req_011")

    async with stage(tmp_path, script) as s:
        for stream in (False, True):
            path, body, headers = request(Surface.MESSAGES, stream=stream)
            answer = await s.post(path, body, **headers)
            assert (answer.status, answer.body) == (status, error)
            assert (answer.header("retry-after"), answer.header("x-should-retry")) == ("7", "false")
            assert answer.header("x-upstream-request-id") == "req_011" != answer.header("request-id")
        assert await s.spent() == 0
        assert len(s.calls) == 2


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_error_that_is_no_json_is_put_in_the_callers_envelope(surface: Surface, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for status, data, kind in (
            (503, b"upstream connect error", "text/plain"),
            (502, HTML, "text/html"),
            (400, b"", "application/json"),
        ):

            async def script(call: Upstream, status: int = status, data: bytes = data, kind: str = kind) -> None:
                await call.answer(data, status, "retry-after: 3", kind=kind)

            s.script = script
            path, body, headers = request(surface)
            answer = await s.post(path, body, **headers)
            assert_envelope(surface, answer, status)
            assert answer.header("retry-after") == "3"
        assert await s.spent() == 0


async def test_an_upstream_error_that_shows_our_key_there_is_not_handed_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        secret = (tmp_path / "upstream-key").read_text().strip()
        for shown in (secret, "sk-****" + secret[-4:]):

            async def script(call: Upstream, shown: str = shown) -> None:
                await call.answer(json.dumps({"error": {"message": f"Incorrect API key provided: {shown}"}}).encode(), 401)

            s.script = script
            path, body, _ = request(Surface.CHAT)
            answer = await s.post(path, body)
            assert_envelope(Surface.CHAT, answer, 502)
            assert secret[-4:] not in answer.body.decode()


async def test_an_upstream_that_cannot_be_reached(tmp_path: Path) -> None:
    async with stage(tmp_path / "a") as closed:
        port = closed.demo.config.read_text().split("127.0.0.1:")[1].split("/")[0]
    async with stage(tmp_path / "b") as s:
        text = s.demo.config.read_text()
    from reference_gateway.app import Running
    from reference_gateway.config import load

    live = text.split("127.0.0.1:")[1].split("/")[0]
    s.demo.config.write_text(text.replace(f"127.0.0.1:{live}", f"127.0.0.1:{port}"))
    async with Running(load(s.demo.config), stop_within_s=1.0) as running:
        s.port = int(running.url.rpartition(":")[2])
        path, body, headers = request(Surface.MESSAGES)
        assert_envelope(Surface.MESSAGES, await s.post(path, body, **headers), 502)
        assert await s.spent() == 0


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_upstream_that_says_nothing_is_a_504(surface: Surface, tmp_path: Path) -> None:
    aborted = asyncio.Event()

    async def silent(call: Upstream) -> None:
        await call.aborted.wait()
        aborted.set()

    async def head_only(call: Upstream) -> None:
        await call.head()
        await silent(call)

    async def half_an_answer(call: Upstream) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{")
        await silent(call)

    async with stage(tmp_path, first_byte_ms=60, idle_ms=60) as s:
        for script, stream in ((silent, False), (silent, True), (head_only, True), (half_an_answer, False)):
            aborted.clear()
            s.script = script
            path, body, headers = request(surface, stream=stream)
            assert_envelope(surface, await s.post(path, body, **headers), 504)
            await asyncio.wait_for(aborted.wait(), 5)
            assert await s.spent() == 0


class Sleeper(asyncio.Protocol):
    """Keeps the loop at the very place where it reads what has come: before it reads any more, it looks after its timers."""

    def __init__(self, descriptor: int, data: bytes) -> None:
        self._descriptor = descriptor
        self._data = data

    def data_received(self, data: bytes) -> None:
        time.sleep(0.4)
        os.write(self._descriptor, self._data)
        time.sleep(0.4)


@pytest.mark.parametrize("kind", ["call", "stream", "in mid-stream", "half an answer"])
async def test_an_upstream_that_spoke_while_we_stood_still_was_not_silent(kind: str, tmp_path: Path) -> None:
    """Our loop is kept for longer than the upstream is given, and the upstream's bytes wait in the socket."""
    whole = BODIES[Surface.CHAT]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(whole)
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(b"".join(STREAMS[Surface.CHAT]))

    async def stands_still(call: Upstream) -> None:
        parts = {
            "call": [b"", head + whole],
            "half an answer": [head + whole[:9], whole[9:]],
            "stream": [b"", stream + b"".join(STREAMS[Surface.CHAT])],
            "in mid-stream": [stream + STREAMS[Surface.CHAT][0], b"".join(STREAMS[Surface.CHAT][1:])],
        }
        first, rest = parts[kind]
        if first:
            await call.send(first)
            await asyncio.sleep(0.05)
        ours, other = socket.socketpair()
        descriptor = call.writer.get_extra_info("socket").fileno()
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: Sleeper(descriptor, rest), sock=ours)
        try:
            other.send(b"!")
            await asyncio.sleep(0.9)
        finally:
            other.close()
            transport.close()

    async with stage(tmp_path, stands_still, first_byte_ms=500, idle_ms=500, answer_ms=500) as s:
        path, body, headers = request(Surface.CHAT, stream="stream" in kind)
        answer = await s.post(path, body, **headers)
        assert (answer.status, answer.body) == (200, b"".join(STREAMS[Surface.CHAT]) if "stream" in kind else whole)
        assert await s.spent() > 0


def assert_broken_off(surface: Surface, answer: Answer, sent: bytes) -> None:
    """The upstream's whole events, then the protocol's own error event, and nothing of an event that never became whole."""
    assert answer.status == 200
    assert answer.whole
    assert answer.body.startswith(sent)
    tail = answer.body[len(sent) :]
    match surface:
        case Surface.CHAT:
            error, done, rest = tail.split(b"\n\n")
            data = json.loads(error.removeprefix(b"data: "))
            assert data["choices"] == []
            assert data["error"]["message"]
            assert (done, rest) == (b"data: [DONE]", b"")
        case Surface.RESPONSES:
            name, data_line = tail.rstrip(b"\n").split(b"\n")
            data = json.loads(data_line.removeprefix(b"data: "))
            assert name == b"event: error"
            assert (data["type"], data["sequence_number"]) == ("error", sent.count(b"event: "))
            assert data["error"]["message"] == data["message"]
        case Surface.MESSAGES:
            name, data_line = tail.rstrip(b"\n").split(b"\n")
            data = json.loads(data_line.removeprefix(b"data: "))
            assert (name, data["type"], data["error"]["type"]) == (b"event: error", "error", "api_error")
            assert data["request_id"] == answer.header("request-id")
        case _:
            data = json.loads(tail.removeprefix(b"data: "))
            assert data["error"]["status"] in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
            assert tail.endswith(b"\r\n\r\n")


def sent_before_the_end(surface: Surface) -> bytes:
    """All but what makes the answer complete."""
    return b"".join(STREAMS[surface][:-1])


async def stalls(call: Upstream, surface: Surface) -> None:
    await call.aborted.wait()


async def fins(call: Upstream, surface: Surface) -> None:
    call.fin()


async def resets(call: Upstream, surface: Surface) -> None:
    await asyncio.sleep(0.02)  # a reset overtakes what the peer has not read yet
    call.reset()


async def ends_early(call: Upstream, surface: Surface) -> None:
    await call.end()


async def breaks_inside_an_event(call: Upstream, surface: Surface) -> None:
    await call.chunk(STREAMS[surface][-1][:-3])
    call.fin()


async def breaks_the_chunking(call: Upstream, surface: Surface) -> None:
    await call.send(b"zzzz\r\n")
    call.fin()


@pytest.mark.parametrize("ending", [stalls, fins, resets, ends_early, breaks_inside_an_event, breaks_the_chunking])
@pytest.mark.parametrize("surface", SURFACES)
async def test_a_stream_that_breaks_ends_in_an_error_event_and_costs_nothing(
    surface: Surface, ending: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "PARTIAL_S", PATIENCE_S)  # on a busy machine the break may come late

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface][:-1]:
            await call.chunk(event)
        await ending(call, surface)

    async with stage(tmp_path, script, idle_ms=120) as s:
        path, body, headers = request(surface, stream=True)
        answer = await s.post(path, body, **headers)
        assert_broken_off(surface, answer, sent_before_the_end(surface))
        assert await s.spent() == 0
        assert await s.usage() == []
        assert len(s.calls) == 1


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_body_without_length_that_is_cut_is_a_broken_stream(surface: Surface, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + sent_before_the_end(surface))
        call.fin()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface, stream=True)
        assert_broken_off(surface, await s.post(path, body, **headers), sent_before_the_end(surface))
        assert await s.spent() == 0


ERROR_EVENTS = {
    Surface.CHAT: frame({"error": {"message": "overloaded", "type": "server_error"}}),
    Surface.RESPONSES: frame({"type": "error", "sequence_number": 4, "error": {"message": "overloaded"}}, "error"),
    Surface.MESSAGES: frame({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error"),
    Surface.GEMINI: frame({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}),
}


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
async def test_an_error_event_of_the_upstream_goes_through_and_costs_nothing(surface: Surface, goes_on: bool, tmp_path: Path) -> None:
    events = [STREAMS[surface][0], ERROR_EVENTS[surface], *(STREAMS[surface][1:] if goes_on else ())]

    async def script(call: Upstream) -> None:
        await call.head()
        for event in events:
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface, stream=True)
        answer = await s.post(path, body, **headers)
        assert answer.body == b"".join(events)
        assert await s.spent() == 0


async def test_a_response_that_failed_is_handed_on_and_costs_nothing(tmp_path: Path) -> None:
    failed = b'{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"x"},"output":[],"usage":null}'

    async def script(call: Upstream) -> None:
        await call.answer(failed)

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.RESPONSES)
        assert (await s.post(path, body)).body == failed
        assert await s.spent() == 0


async def test_done_without_a_finish_reason_is_no_success(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.head()
        for event in (chat_chunk({"content": "Good day"}), frame("[DONE]")):
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        await s.post(path, body)
        assert await s.spent() == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_success_with_no_output_at_all_costs_nothing(stream: bool, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 0}

    async def script(call: Upstream) -> None:
        if not stream:
            choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
            await call.answer(json.dumps({"choices": [choice], "usage": usage}).encode())
            return
        await call.head()
        for event in (chat_chunk({"content": ""}), chat_chunk({}, "stop"), frame({"choices": [], "usage": usage}), frame("[DONE]")):
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, stream=stream)
        assert (await s.post(path, body)).status == 200
        assert await s.spent() == 0


async def test_a_blocked_prompt_costs_nothing(tmp_path: Path) -> None:
    blocked = b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}'

    async def script(call: Upstream) -> None:
        if "stream" not in call.target:
            await call.answer(blocked)
            return
        await call.head()
        await call.chunk(b"data: " + blocked + b"\r\n\r\n")
        await call.end()

    async with stage(tmp_path, script) as s:
        for stream in (False, True):
            path, body, _ = request(Surface.GEMINI, stream=stream)
            answer = await s.post(path, body)
            assert answer.status == 200
            assert blocked in answer.body
        assert await s.spent() == 0
