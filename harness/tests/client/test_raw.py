import asyncio
import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case, Client, Surface
from harness.client import ClientWitness, DriveError
from harness.client.drivers.raw import FrameCounter
from harness.exchange import End
from harness.tests.client import answers
from harness.tests.client.scripted import KEY, LAST_CHUNK, Cut, Reset, call, case, chunk, head, json_answer, serve, sse_answer

SURFACES = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)


@pytest.mark.parametrize(
    ("surface", "stream", "line", "key_line"),
    [
        (Surface.CHAT, True, "POST /v1/chat/completions HTTP/1.1", f"Authorization: Bearer {KEY}"),
        (Surface.RESPONSES, False, "POST /v1/responses HTTP/1.1", f"Authorization: Bearer {KEY}"),
        (Surface.MESSAGES, True, "POST /v1/messages HTTP/1.1", f"x-api-key: {KEY}"),
        (Surface.COUNT_TOKENS, False, "POST /v1/messages/count_tokens HTTP/1.1", f"x-api-key: {KEY}"),
        (Surface.GEMINI, False, "POST /v1beta/models/some-model:generateContent HTTP/1.1", f"x-goog-api-key: {KEY}"),
        (Surface.GEMINI, True, "POST /v1beta/models/some-model:streamGenerateContent?alt=sse HTTP/1.1", f"x-goog-api-key: {KEY}"),
        (Surface.MODELS, False, "GET /v1/models HTTP/1.1", f"Authorization: Bearer {KEY}"),
    ],
)
async def test_where_a_surface_lives_and_where_its_key_stands(
    witness: ClientWitness, surface: Surface, stream: bool, line: str, key_line: str
) -> None:
    async with serve(json_answer({})) as server:
        result = await witness.drive(call(server, case(surface, stream=stream)))
    lines = server.requests[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert lines[0] == line
    assert key_line in lines
    assert "Accept-Encoding: identity" in lines
    assert [f"{name}: {content}" for name, content in result.hop.request.headers] == lines[1:]
    assert line.split()[1] == result.hop.request.target
    assert result.sdk is None


async def test_bytes_headers_and_path_go_out_as_the_case_says(witness: ClientWitness) -> None:
    body = b'{ "model" : 1e2, "model": "\\u00fc" }\n'
    the_case = case(
        Surface.CHAT,
        method="PUT",
        path="/v1/v1/odd%2Fpath?x=1",
        headers=(("X-Twice", "a"), ("x-twice", "b"), ("ACCEPT-encoding", "gzip"), ("X-Empty", "")),
        key_in="query",
    )
    async with serve(json_answer({})) as server:
        await witness.drive(call(server, the_case, raw_body=body))
    head_bytes, _, sent = server.requests[0].partition(b"\r\n\r\n")
    lines = head_bytes.decode().split("\r\n")
    assert sent == body
    assert lines[0] == f"PUT /v1/v1/odd%2Fpath?x=1&key={KEY} HTTP/1.1"
    assert lines[-4:] == ["X-Twice: a", "x-twice: b", "ACCEPT-encoding: gzip", "X-Empty: "]
    assert "Accept-Encoding: identity" not in lines
    assert not any(line.lower().startswith("authorization") for line in lines)


async def test_a_base_url_may_have_a_path_of_its_own(witness: ClientWitness) -> None:
    async with serve(json_answer({})) as server:
        for the_case, target in (
            (case(Surface.CHAT), "/proxy/v1/chat/completions"),
            (case(Surface.CHAT, path="/v1/other"), "/proxy/v1/other"),
            (case(Surface.MESSAGES), "/proxy/v1/messages"),
            (case(Surface.GEMINI, path="/v1/models/{model}:generateContent"), "/proxy/v1/models/some-model:generateContent"),
        ):
            result = await witness.drive(call(f"{server.url}/proxy", the_case))
            assert result.hop.request.target == target


@pytest.mark.parametrize("place", ["Authorization", "authorization", "X-Api-Key"])
async def test_the_key_stands_where_the_case_puts_it(witness: ClientWitness, place: str) -> None:
    async with serve(json_answer({})) as server:
        result = await witness.drive(call(server, case(Surface.GEMINI, key_in=place)))
        nothing = await witness.drive(call(server, case(Surface.GEMINI, key_in=place), key=None))
    shown = f"Bearer {KEY}" if place.lower() == "authorization" else KEY
    assert (place, shown) in result.hop.request.headers
    assert KEY not in str(nothing.hop)


async def test_gzip_is_kept_as_it_came(witness: ClientWitness) -> None:
    packed = gzip.compress(b'{"a": 1}')
    async with serve([head(size=len(packed), headers=(("Content-Encoding", "gzip"),)) + packed]) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, headers=(("Accept-Encoding", "gzip"),))))
    assert result.hop.response is not None
    assert result.hop.response.encoded == packed
    assert result.hop.response.json == {"a": 1}


async def test_head_and_reads_keep_their_spelling_cuts_and_order(witness: ClientWitness) -> None:
    pieces = [b"data: \xf0\x9f", b"\x92\xa9\n", b"\n", b": keep-alive\n\n", b"data: [DONE]\n\n"]
    async with serve(sse_answer(pieces, (("X-Odd", "1"), ("x-odd", "2")))) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, stream=True)))
    response = result.hop.response
    assert response is not None
    assert [read.data for read in response.reads] == pieces
    assert [pair for pair in response.headers if pair[0].lower() == "x-odd"] == [("X-Odd", "1"), ("x-odd", "2")]
    assert 0 <= result.hop.request.at_ms <= response.at_ms <= response.reads[0].at_ms <= response.reads[-1].at_ms <= response.end_ms
    assert response.end is End.EOF


async def test_each_read_is_told_before_the_next_one_is_sent(witness: ClientWitness) -> None:
    """The server sends each frame only after the client has told of the one before: nothing is held back."""
    frames = answers.frames(Surface.MESSAGES)
    gates = [asyncio.Event() for _ in frames]
    steps = [step for frame, gate in zip(frames, gates, strict=True) for step in (chunk(frame), gate)]
    async with serve([head(content_type="text/event-stream"), *steps, LAST_CHUNK]) as server:
        for client in (Client.RAW, Client.ANTHROPIC, Client.ANTHROPIC_ASYNC):
            asked = call(server, case(Surface.MESSAGES, client, stream=True))
            driving = asyncio.create_task(witness.drive(asked))
            size = 0
            for frame, gate in zip(frames, gates, strict=True):
                size += len(frame)
                assert await asked.progress.wait(size, 10)
                assert asked.progress.received == size
                gate.set()
            result = await driving
            assert result.hop.response is not None
            assert result.hop.response.end is End.EOF
            assert asked.progress.closed
            for gate in gates:
                gate.clear()


@pytest.mark.parametrize("end", [Cut(), Reset()])
async def test_a_broken_chunked_body_is_a_reset_with_its_bytes(witness: ClientWitness, end: Cut | Reset) -> None:
    async with serve([head(), chunk(b'{"a"'), end]) as server:
        result = await witness.drive(call(server, case(Surface.CHAT)))
    assert result.hop.response is not None
    assert (result.hop.response.end, result.hop.response.encoded) == (End.RESET, b'{"a"')
    assert result.hop.error


async def test_fewer_bytes_than_promised_are_a_reset(witness: ClientWitness) -> None:
    async with serve([head(size=10) + b"123", Cut()]) as server:
        result = await witness.drive(call(server, case(Surface.CHAT)))
    assert result.hop.response is not None
    assert (result.hop.response.end, result.hop.response.encoded) == (End.RESET, b"123")


async def test_a_stalled_body_is_a_timeout(witness: ClientWitness) -> None:
    async with serve([head(), chunk(b"{"), asyncio.Event()]) as server:
        for client in (Client.RAW, Client.OPENAI, Client.OPENAI_ASYNC):
            result = await witness.drive(call(server, case(Surface.CHAT, client), timeout_s=0.2))
            assert result.hop.response is not None
            assert (result.hop.response.end, result.hop.response.encoded) == (End.TIMEOUT, b"{")
            assert result.hop.error is not None
            assert result.hop.error.startswith("ReadTimeout")
            assert client is Client.RAW or (result.sdk is not None and result.sdk.error is not None)


async def test_a_body_that_comes_in_drops_is_a_timeout_too(witness: ClientWitness) -> None:
    drops = [chunk(b"x")] * 2000
    async with serve([head(), *drops, LAST_CHUNK]) as server:
        for client in (Client.RAW, Client.OPENAI):
            result = await witness.drive(call(server, case(Surface.CHAT, client), timeout_s=0.3))
            assert result.hop.response is not None
            assert result.hop.response.end is End.TIMEOUT


async def test_without_a_head_there_is_no_response(witness: ClientWitness) -> None:
    async with serve([asyncio.Event()]) as silent, serve([Cut()]) as rude, serve([b"SSH-2.0-hello\r\n\r\n", Cut()]) as other:
        for server, error in ((silent, "ReadTimeout"), (rude, "RemoteProtocolError"), (other, "RemoteProtocolError")):
            for client in (Client.RAW, Client.OPENAI, Client.OPENAI_ASYNC):
                result = await witness.drive(call(server, case(Surface.CHAT, client), timeout_s=0.3))
                assert result.hop.response is None
                assert result.hop.error is not None
                assert result.hop.error.startswith(error)
                assert len(server.requests) > 0
    assert len(rude.requests) == 3  # one per client: nothing is sent twice


@pytest.mark.parametrize("client", list(Client))
async def test_nobody_listening(witness: ClientWitness, client: Client) -> None:
    async with serve([]) as gone:
        pass
    surface = {"anthropic": Surface.MESSAGES, "google-genai": Surface.GEMINI}.get(client.value.removesuffix("-async"), Surface.CHAT)
    result = await witness.drive(call(gone.url, case(surface, client)))
    assert result.hop.response is None
    assert result.hop.error is not None
    assert result.hop.error.startswith("ConnectError")
    assert (result.sdk is None) is (client is Client.RAW)
    assert result.sdk is None or result.sdk.error is not None


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_hanging_up_after_so_many_frames(witness: ClientWitness, after: int) -> None:
    frames = answers.frames(Surface.CHAT)[:after]
    steps = [b": keep-alive\n\n", *frames] if after else []
    async with serve([head(content_type="text/event-stream"), *map(chunk, steps), asyncio.Event()]) as server:
        asked = call(server, case(Surface.CHAT, stream=True, abort_after_frames=after))
        result = await witness.drive(asked)
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert result.hop.response is not None
    assert (result.hop.response.end, result.hop.response.encoded) == (End.ABORTED, b"".join(steps))
    assert asked.progress.closed


async def test_an_answer_that_ends_before_the_abort_has_ended(witness: ClientWitness) -> None:
    async with serve(answers.good(Surface.CHAT, stream=True)) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, stream=True, abort_after_frames=99)))
    assert result.hop.response is not None
    assert result.hop.response.end is End.EOF


@given(cuts=st.lists(st.integers(0, 200), max_size=6), packed=st.booleans())
def test_frames_are_counted_however_they_were_cut(cuts: list[int], packed: bool) -> None:
    body = b"".join([b": ping\n\n", *answers.frames(Surface.CHAT)])
    wanted = len(answers.frames(Surface.CHAT))
    if packed:
        body = gzip.compress(body)
    counter = FrameCounter("gzip" if packed else None)
    edges = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    for start, stop in itertools.pairwise(edges):
        counter.feed(body[start:stop])
    assert counter.frames == wanted


@pytest.mark.parametrize(
    "the_case",
    [
        case(Surface.CHAT, headers=(("Bad\nname", "x"),)),
        case(Surface.CHAT, headers=(("X-Bad", "a\r\nb"),)),
        case(Surface.OTHER),
    ],
)
async def test_what_http_cannot_say_is_our_fault(witness: ClientWitness, the_case: Case) -> None:
    async with serve(json_answer({})) as server:
        with pytest.raises(DriveError):
            await witness.drive(call(server, the_case))
    assert server.requests == []


async def test_connections_are_shared(witness: ClientWitness) -> None:
    async with serve(answers.good(Surface.CHAT, stream=True)) as server:
        for client in (Client.RAW, Client.OPENAI_ASYNC, Client.RAW, Client.OPENAI, Client.OPENAI):
            await witness.drive(call(server, case(Surface.CHAT, client, stream=True)))
    assert len(server.client_ports) == 2  # one for async clients, one for sync ones


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_good_answer_is_read_to_its_end(witness: ClientWitness, surface: Surface) -> None:
    async with serve(answers.good(surface, stream=True)) as server:
        result = await witness.drive(call(server, case(surface, stream=True)))
    assert result.hop.response is not None
    assert result.hop.response.encoded == b"".join(answers.frames(surface))
    assert result.hop.request.json.get("stream") == (None if surface is Surface.GEMINI else True)
