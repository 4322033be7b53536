"""The native routes as byte pipes: what goes to the upstream, what comes back, when, and what it costs."""

import asyncio
import gzip
import json
import zlib
from pathlib import Path

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, MESSAGES_BODY, MODELS, STREAMS, request

pytestmark = pytest.mark.usefixtures("cold_and_warm")
SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_answer_is_handed_on_byte_for_byte_and_billed_by_its_usage(surface: Surface, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface], 200, "x-request-id: req_upstream", "x-ratelimit-remaining-requests: 7", "openai-version: 1")

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface)
        answer = await s.post(path, body, **headers)
        assert (answer.status, answer.body) == (200, BODIES[surface])
        assert await s.spent() == COSTS[surface]
        assert answer.header("x-quota-remaining-credits") == f"99.{1_000_000 - COSTS[surface]:06d}"
        assert answer.header("x-upstream-request-id") == "req_upstream"
        assert answer.header("openai-version") == "1"
        assert answer.header("x-ratelimit-remaining-requests") is None
        (row,) = await s.usage(query=f"?request_id={answer.header('x-request-id')}")
        assert (row["model"], row["surface"], row["cost_micro_usd"], row["estimated"]) == (MODELS[surface], surface, COSTS[surface], False)
        assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (20, 10, 5)
        (call,) = s.calls
        assert json.loads(call.body) == body


@pytest.mark.parametrize("surface", SURFACES)
async def test_each_read_of_a_stream_arrives_before_the_next_is_sent(surface: Surface, tmp_path: Path) -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(call: Upstream) -> None:
        await call.head()
        for event in STREAMS[surface]:
            await call.chunk(event)
            assert await arrived.get() == event
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
        status, answer_headers = await client.head()
        assert status == 200
        assert dict(answer_headers)["x-quota-remaining-credits"] == "100.00"
        while chunk := await client.chunk():
            arrived.put_nowait(chunk)
        assert await s.spent() == COSTS[surface]
        client.close()


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES])
async def test_whoever_has_read_the_last_event_finds_the_settlement(surface: Surface, tmp_path: Path) -> None:
    looked = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.head()
        await call.chunk(b"".join(STREAMS[surface]))
        await looked.wait()  # the end of the body comes only after the account was read
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0], **headers})
        await client.head()
        assert await client.chunk() == b"".join(STREAMS[surface])
        assert await s.spent() == COSTS[surface]
        assert len(await s.usage()) == 1
        looked.set()
        assert await client.chunk() == b""
        client.close()


async def test_a_stream_cut_at_every_byte_is_the_same_stream(tmp_path: Path) -> None:
    whole = b"".join(STREAMS[Surface.MESSAGES])

    async def script(call: Upstream) -> None:
        cut = int(call.header("x-stainless-cut")[0])
        await call.head()
        await call.chunk(whole[:cut])
        await asyncio.sleep(0)
        if whole[cut:]:
            await call.chunk(whole[cut:])
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(Surface.MESSAGES, stream=True)
        cuts = range(1, len(whole), 7)
        for cut in cuts:
            answer = await s.post(path, body, **headers, x_stainless_cut=str(cut))
            assert answer.body == whole
        assert await s.spent() == COSTS[Surface.MESSAGES] * len(cuts)


async def test_the_first_part_of_an_event_is_not_held_for_ever(tmp_path: Path) -> None:
    seen = asyncio.Event()
    event = STREAMS[Surface.CHAT][1]

    async def script(call: Upstream) -> None:
        await call.head()
        await call.chunk(event[:20])
        await seen.wait()
        await call.chunk(event[20:])
        for rest in STREAMS[Surface.CHAT][2:]:
            await call.chunk(rest)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": s.demo.keys[0]})
        await client.head()
        assert await client.chunk() == event[:20]
        seen.set()
        rest = b""
        while chunk := await client.chunk():
            rest += chunk
        assert rest == event[20:] + b"".join(STREAMS[Surface.CHAT][2:])
        client.close()


async def test_the_request_body_is_forwarded_byte_for_byte(tmp_path: Path) -> None:
    odd = (
        b'{ "messages":[{"role":"user","content":"\\u00e9 \xc3\xa9 \\ud83d\\ude00"}],\n"temperature":1.0,'
        b'"big":12345678901234567890, "model"  : "gpt-5-5" ,"x":1e-05}\n'
    )

    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        await s.post("/v1/chat/completions?trace=1&key=ignored", odd, content_type="application/json")
        (call,) = s.calls
        assert call.body == odd
        assert call.target == "/v1/chat/completions?trace=1"


async def test_headers_that_reach_the_upstream(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(MESSAGES_BODY)

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.MESSAGES)
        data = json.dumps(body).encode()
        client = await s.client()
        key = s.demo.keys[0]
        client.writer.write(
            f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {len(data)}\r\ncontent-type: application/json\r\n"
            f"x-api-key: {key}\r\nauthorization: Bearer {key}\r\ncookie: a=b\r\nanthropic-version: 2023-06-01\r\n"
            "Anthropic-Beta: b-2,  a-1\r\nanthropic-beta: a-1\r\nopenai-organization: org\r\nopenai-project: proj\r\n"
            "x-stainless-lang: python\r\naccept-encoding: gzip, zstd;q=0.5\r\n"
            "x-forwarded-for: 10.0.0.1\r\nuser-agent: test\r\n\r\n".encode()
            + data
        )
        assert (await client.answer()).status == 200
        client.close()
        (call,) = s.calls
        assert call.header("anthropic-beta") == ["b-2,  a-1", "a-1"]
        assert call.header("anthropic-version") == ["2023-06-01"]
        assert call.header("x-stainless-lang") == ["python"]
        assert call.header("accept-encoding") == ["gzip"]
        assert call.header("user-agent") == ["test"]
        upstream_key = (tmp_path / "upstream-key").read_text().strip()
        assert call.header("x-api-key") == [upstream_key]
        for name in ("authorization", "cookie", "openai-organization", "openai-project", "x-forwarded-for"):
            assert call.header(name) == []
        assert key not in str(call.headers)


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_encoded_answer_stays_encoded_and_is_read_on_a_copy(surface: Surface, tmp_path: Path) -> None:
    packed = gzip.compress(BODIES[surface])

    async def script(call: Upstream) -> None:
        await call.answer(packed, 200, "content-encoding: gzip")

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface)
        answer = await s.post(path, body, **headers, accept_encoding="gzip")
        assert answer.body == packed
        assert answer.header("content-encoding") == "gzip"
        assert await s.spent() == COSTS[surface]


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_encoded_stream_stays_encoded_and_is_read_on_a_copy(surface: Surface, tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in STREAMS[surface]]
    pieces.append(packer.flush())

    async def script(call: Upstream) -> None:
        await call.head(200, "content-encoding: gzip")
        for piece in pieces:
            await call.chunk(piece)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface, stream=True)
        answer = await s.post(path, body, **headers)
        assert answer.body == b"".join(pieces)
        assert await s.spent() == COSTS[surface]


async def test_a_long_stream_is_read_at_its_ends_only_and_billed_right(tmp_path: Path) -> None:
    stream = STREAMS[Surface.MESSAGES]
    middle = stream[3] * 12_000  # over what is kept in memory

    async def script(call: Upstream) -> None:
        await call.head()
        for piece in (*stream[:3], middle[:700_000], middle[700_000:], *stream[4:]):
            await call.chunk(piece)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, headers = request(Surface.MESSAGES, stream=True)
        answer = await s.post(path, body, **headers)
        assert answer.body == b"".join(stream[:3]) + middle + b"".join(stream[4:])
        assert await s.spent() == COSTS[Surface.MESSAGES]


async def test_gemini_streams_as_a_json_array_without_alt_sse(tmp_path: Path) -> None:
    chunks = [b"[" + BODIES[Surface.GEMINI], b"\n,\r\n", BODIES[Surface.GEMINI] + b"]"]

    async def script(call: Upstream) -> None:
        await call.head(kind="application/json; charset=UTF-8")
        for chunk in chunks:
            await call.chunk(chunk)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.GEMINI, stream=True)
        answer = await s.post(path.removesuffix("?alt=sse"), body)
        assert answer.body == b"".join(chunks)
        assert await s.spent() == COSTS[Surface.GEMINI]


async def test_the_paths_of_the_google_sdk_and_the_key_in_the_query(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.GEMINI])

    async with stage(tmp_path, script) as s:
        key = s.demo.keys[0]
        answer = await s.call("POST", f"/v1/models/gemini-3-1-pro:generateContent?key={key}&x=1", b"{}", {})
        assert answer.status == 200
        assert s.calls[0].target == "/v1/models/gemini-3-1-pro:generateContent?x=1"
        assert s.calls[0].header("x-goog-api-key") == [(tmp_path / "upstream-key").read_text().strip()]


async def test_usage_that_was_not_reported_is_estimated_and_flagged(tmp_path: Path) -> None:
    stream = [*STREAMS[Surface.CHAT][:4], STREAMS[Surface.CHAT][5]]

    async def script(call: Upstream) -> None:
        await call.head()
        for event in stream:
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT, stream=True)
        await s.post(path, body)
        (row,) = await s.usage()
        assert row["estimated"] is True
        assert (row["input_tokens"], row["output_tokens"]) == (13 // 4, 2)  # "Say good day." and "Good day"
        assert await s.spent() == row["cost_micro_usd"] > 0


async def test_count_tokens_is_free_and_the_doubled_version_path_works(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(b'{"input_tokens": 12}' if "count_tokens" in call.target else MESSAGES_BODY)

    async with stage(tmp_path, script) as s:
        path, body, headers = request(Surface.MESSAGES)
        counted = await s.post(path + "/count_tokens", body, **headers)
        assert counted.body == b'{"input_tokens": 12}'
        assert await s.spent() == 0
        assert (await s.post("/v1" + path, body, **headers)).body == MESSAGES_BODY
        assert [call.target for call in s.calls] == ["/v1/messages/count_tokens", "/v1/messages"]
        assert await s.spent() == COSTS[Surface.MESSAGES]
