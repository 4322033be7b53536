import asyncio
import json
import socket
import time
from collections.abc import Callable, Coroutine
from functools import partial

import httpx2
import pytest
import uvloop

from harness.case import Fault, FaultKind, Framing, Pace, Play, Surface
from harness.exchange import End
from harness.progress import ClientProgress
from harness.recording.format import RecordingError
from harness.tests.upstream.support import (
    BODY,
    CHAT_FRAMES,
    JSON_HEADERS,
    MARKER,
    Ear,
    body_recording,
    expect,
    hear,
    library,
    only_hop,
    recording,
    request,
    witness_of,
)
from harness.upstream.plan import PlayError
from harness.upstream.witness import ListenError, PortBusyError, UpstreamWitness
from harness.wire import sse

STREAM = b"".join(CHAT_FRAMES)


def _has_chunks(number: int, ear: Ear) -> bool:
    return len(ear.chunks) == number


def marker(number: int) -> str:
    return f"wpm-{number:010x}"


async def test_a_recording_is_answered_and_the_request_kept() -> None:
    data = request(path="/v1/chat/completions?a=%41", headers=["X-oDD-cAse: 1", "anthropic-beta: a", "Anthropic-Beta: b"])
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r"))
        heard = await hear(witness, data)
        hop = await only_hop(witness)
    assert (heard.status, heard.end, heard.chunks) == (200, "complete", CHAT_FRAMES)
    assert (hop.request.method, hop.request.target) == ("POST", "/v1/chat/completions?a=%41")
    head, _, body = data.partition(b"\r\n\r\n")
    assert [f"{name}: {text}" for name, text in hop.request.headers] == head.decode().split("\r\n")[1:]
    assert hop.request.body == body
    assert hop.response is not None
    assert hop.response.encoded == STREAM
    assert hop.response.end is End.EOF
    assert [read.data for read in hop.response.reads] == list(CHAT_FRAMES)
    assert hop.request.at_ms <= hop.response.at_ms <= hop.response.end_ms


async def test_the_head_is_the_recorded_one() -> None:
    headers = (("X-B", "2"), ("Content-Type", "application/json"), ("x-a", "1"), ("X-B", "3"), ("Transfer-Encoding", "chunked"))
    async with witness_of(recording(reads=[BODY], stream=False, headers=headers, status=529)) as witness:
        expect(witness, Play(recording="r"))
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(request(close=False))
        head = await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(BODY)) == BODY
        writer.close()
    assert head.decode() == (
        f"HTTP/1.1 529 \r\nX-B: 2\r\nContent-Type: application/json\r\nx-a: 1\r\nX-B: 3\r\ncontent-length: {len(BODY)}\r\n\r\n"
    )


@pytest.mark.parametrize("where", ["body", "header", "query"])
async def test_the_marker_is_found_wherever_it_stands(where: str) -> None:
    data = {
        "body": request(),
        "header": request(body=b"{}", headers=[f"X-Note: see {MARKER}."]),
        "query": request(body=b"", path=f"/v1/models?note={MARKER}", method="GET"),
    }[where]
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r"))
        assert (await hear(witness, data)).body == STREAM


async def test_the_last_marker_of_a_conversation_counts() -> None:
    body = f"first {marker(1)}, then {marker(2)}".encode()
    async with witness_of(recording("a", reads=[b"data: a\n\n"]), recording("b", reads=[b"data: b\n\n"])) as witness:
        expect(witness, Play(recording="a"), marker=marker(1))
        expect(witness, Play(recording="b"), marker=marker(2))
        assert (await hear(witness, request(body=body))).body == b"data: b\n\n"


async def test_what_a_vendor_names_leads_back_to_the_exchange() -> None:
    named = b'{"id": "t-{marker}", "url": "http://{upstream}/{marker}.mp4"}'
    async with witness_of(recording(reads=[named], stream=False, headers=JSON_HEADERS)) as witness:
        expect(witness, Play(recording="r", named=True))
        told = {"id": f"t-{MARKER}", "url": f"http://upstream/{MARKER}.mp4"}
        assert json.loads((await hear(witness, request())).body) == told
        witness.front = "front.test:81"
        told["url"] = f"http://front.test:81/{MARKER}.mp4"
        assert json.loads((await hear(witness, request())).body) == told
        witness.forget(MARKER)
        expect(witness, Play(recording="r"))
        assert (await hear(witness, request())).body == named


async def test_one_connection_serves_many_requests_whatever_their_framing() -> None:
    text = b'{"text": "%s"}' % MARKER.encode()
    chunked = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
    async with witness_of(body_recording()) as witness:
        expect(witness, Play(recording="r"))
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        for data in (request(close=False), chunked % (text[:5], len(text) - 5, text[5:]), request(close=False) * 2):
            writer.write(data)
            for _ in range(data.count(b" HTTP/1.1\r\n")):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert await reader.readexactly(len(BODY)) == BODY
        writer.close()
        assert await witness.settled(MARKER, 5)
        hops = witness.hops(MARKER)
    assert len(hops) == 4
    assert hops[1].request.body == text


async def test_100_continue() -> None:
    head, _, body = request(headers=["Expect: 100-continue"]).partition(b"\r\n\r\n")
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r"))
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        ear = Ear(reader)
        assert await ear.hear() == "complete"
        assert ear.body == STREAM
        writer.close()


async def test_a_head_request_gets_no_body() -> None:
    async with witness_of(body_recording()) as witness:
        expect(witness, Play(recording="r"))
        heard = await hear(witness, request(method="HEAD"))
    assert (heard.status, heard.end, heard.body) == (200, "complete", b"")
    assert heard.headers["content-length"] == str(len(BODY))


@pytest.mark.parametrize("pace", [Pace.BURST, Pace.RECORDED])
async def test_two_hundred_exchanges_at_once_do_not_mix(pace: Pace) -> None:
    def mine(number: int) -> bytes:
        return b"".join(b"data: %d.%d\n\n" % (number, part) for part in range(5))

    async with witness_of(*(recording(str(n), reads=mine(n).splitlines(keepends=True), every_ms=2) for n in range(200))) as witness:
        for number in range(200):
            expect(witness, Play(recording=str(number), pace=pace), marker=marker(number))
        limits = httpx2.Limits(max_connections=50)
        async with httpx2.AsyncClient(base_url=witness.url, limits=limits, trust_env=False, timeout=30) as client:
            answers = await asyncio.gather(*(client.post("/v1/messages", json={"prompt": marker(number)}) for number in range(200)))
        for number, answer in enumerate(answers):
            assert answer.content == mine(number)
            hop = await only_hop(witness, marker(number))
            assert json.loads(hop.request.body) == {"prompt": marker(number)}
            assert hop.response is not None
            assert hop.response.encoded == mine(number)


async def test_each_write_of_a_split_answer_is_a_chunk_of_its_own() -> None:
    inside = STREAM.index("🎉".encode()) + 2
    async with witness_of(recording(reads=[STREAM])) as witness:
        expect(witness, Play(recording="r", split_at=(inside,)))
        heard = await hear(witness, request())
        assert heard.chunks == (STREAM[:inside], STREAM[inside:])
        with pytest.raises(UnicodeDecodeError):
            heard.chunks[0].decode()
        expect(witness, Play(recording="r", split_every=1), marker=marker(1))
        heard = await hear(witness, request(marker(1)))
        assert heard.chunks == tuple(bytes([byte]) for byte in STREAM)
        hop = await only_hop(witness, marker(1))
        assert hop.response is not None
        assert [read.data for read in hop.response.reads] == list(heard.chunks)


@pytest.mark.parametrize("framing", Framing)
async def test_framing_changes_bytes_and_no_event(framing: Framing) -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", framing=framing))
        heard = await hear(witness, request())
    frames, tail = sse.split(heard.body)
    seen = [frame.data for frame in (*frames, *([tail.frame] if tail else [])) if frame.data is not None]
    assert seen == [frame.data for frame in sse.frames(STREAM)]
    assert (tail is not None) is (framing is Framing.NO_LAST_BLANK)


async def test_gzip_goes_to_the_gateway_that_offers_it() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", gzip=True))
        async with httpx2.AsyncClient(trust_env=False) as client:
            packed = await client.post(witness.url, content=MARKER, headers={"accept-encoding": "gzip"})
            plain = await client.post(witness.url, content=MARKER, headers={"accept-encoding": "identity"})
        first, second = witness.hops(MARKER)
    assert packed.content == plain.content == STREAM
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert first.response is not None
    assert second.response is not None
    assert first.response.body == second.response.encoded == STREAM


async def test_recorded_times_are_kept_and_scaled() -> None:
    async with witness_of(recording(every_ms=4000), pace_scale=0.01) as witness:
        expect(witness, Play(recording="r", pace=Pace.RECORDED))
        await hear(witness, request())
        hop = await only_hop(witness)
    assert hop.response is not None
    for number, read in enumerate(hop.response.reads):
        assert read.at_ms >= number * 40 - 1


async def test_in_lockstep_a_read_waits_for_the_client_to_have_the_one_before() -> None:
    progress = ClientProgress()
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", pace=Pace.LOCKSTEP), progress=progress)
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(request())
        ear = Ear(reader)
        for number in range(1, len(CHAT_FRAMES) + 1):
            assert await ear.hear(partial(_has_chunks, number)) == "enough"
            for _ in range(20):  # turns in which a witness that does not wait would send on
                await asyncio.sleep(0)
            response = witness.hops(MARKER)[0].response
            assert response is not None
            assert len(response.reads) == number
            progress.advance(len(CHAT_FRAMES[number - 1]))
        assert await ear.hear() == "complete"
        writer.close()
        assert (await only_hop(witness)).lockstep_missed == ()


async def test_a_read_that_the_client_did_not_get_is_noted_and_playing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.upstream.player.LOCKSTEP_S", 0.01)
    progress = ClientProgress()
    progress.advance(0)
    async with witness_of(recording(reads=[b"data: %d\n\n" % number for number in range(6)])) as witness:
        expect(witness, Play(recording="r", pace=Pace.LOCKSTEP), progress=progress)
        heard = await hear(witness, request())
        hop = await only_hop(witness)
    assert (heard.end, len(heard.chunks)) == ("complete", 6)
    assert hop.lockstep_missed == (0, 1, 2)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_while_our_own_loop_stands_still_no_time_goes_by(
    run: Callable[[Coroutine[None, None, None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.upstream.player.LOCKSTEP_S", 0.2)

    async def scenario() -> None:
        progress = ClientProgress()
        async with witness_of(recording()) as witness:
            expect(witness, Play(recording="r", pace=Pace.LOCKSTEP), progress=progress)
            reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
            writer.write(request())
            ear = Ear(reader)
            for number in range(1, len(CHAT_FRAMES) + 1):
                await ear.hear(partial(_has_chunks, number))
                time.sleep(0.3)  # noqa: ASYNC251  longer than the witness waits
                for _ in range(5):  # turns that a client takes to hand on what has come meanwhile
                    await asyncio.sleep(0)
                progress.advance(len(CHAT_FRAMES[number - 1]))
            assert await ear.hear() == "complete"
            writer.close()
            assert (await only_hop(witness)).lockstep_missed == ()

    run(scenario())


async def test_when_the_client_hangs_up_in_lockstep_the_gateways_leaving_is_seen() -> None:
    progress = ClientProgress()
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", pace=Pace.LOCKSTEP), progress=progress)
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(request())
        await Ear(reader).hear(lambda ear: len(ear.chunks) == 1)
        progress.close()
        writer.close()
        hop = await only_hop(witness)
    assert hop.closed_ms is not None
    assert hop.lockstep_missed == ()
    assert hop.response is not None
    assert (hop.response.end, hop.response.encoded) == (End.ABORTED, CHAT_FRAMES[0])


async def test_a_gateway_that_reads_on_after_the_client_hung_up_gets_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.upstream.player.LOCKSTEP_S", 0.01)
    progress = ClientProgress()
    progress.close()
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", pace=Pace.LOCKSTEP), progress=progress)
        heard = await hear(witness, request())
        hop = await only_hop(witness)
    assert (heard.end, heard.body) == ("complete", STREAM)
    assert (hop.closed_ms, hop.lockstep_missed) == (None, ())


async def test_a_gateway_that_stops_reading_holds_the_witness_up_and_its_leaving_is_seen() -> None:
    big = recording(reads=[bytes(1 << 20)] * 30, headers=(("content-type", "application/octet-stream"),))
    async with witness_of(big) as witness:
        expect(witness, Play(recording="r"))
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port, limit=1024)
        writer.write(request())
        await reader.readuntil(b"\r\n\r\n")
        assert not await witness.settled(MARKER, 0.05)
        writer.transport.abort()
        hop = await only_hop(witness)
    assert hop.closed_ms is not None
    assert hop.response is not None
    assert len(hop.response.encoded) < 30 << 20


async def test_a_request_that_breaks_off_is_a_call_without_an_answer() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r"))
        _, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(request()[:-3])
        writer.close()
        assert await witness.called(MARKER, 5)
        hop = await only_hop(witness)
    assert hop.response is None
    assert hop.closed_ms is not None
    assert hop.error == "the gateway left before its request was whole"


async def test_every_call_is_a_hop_in_order() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", fault=Fault(kind=FaultKind.STATUS, status=503)))
        for path in ("/v1/first", "/v1/retry"):
            assert (await hear(witness, request(path=path))).status == 503
        assert await witness.settled(MARKER, 5)
        assert [hop.request.path for hop in witness.hops(MARKER)] == ["/v1/first", "/v1/retry"]


async def test_calls_that_are_gathered_are_answered_once_all_of_them_have_come() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", gather=3))
        heard = await asyncio.gather(*(hear(witness, request(path="/v1/chat/completions")) for _ in range(3)))
        hops = witness.hops(MARKER)
    assert [one.status for one in heard] == [200] * 3
    answered = [hop.response.at_ms for hop in hops if hop.response is not None]
    assert len(answered) == 3
    assert max(hop.request.at_ms for hop in hops) <= min(answered)


async def test_nobody_is_waited_for_that_does_not_come() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r", gather=2))
        assert (await hear(witness, request(path="/v1/chat/completions"))).status == 200


async def test_what_was_never_called_is_settled_at_once() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r"))
        assert not await witness.called(MARKER, 0)
        assert await witness.settled(MARKER, 0)
        assert witness.hops(MARKER) == ()


async def test_a_call_that_may_not_come_is_refused_and_kept() -> None:
    async with witness_of() as witness:
        expect(witness, None, surface=Surface.MESSAGES)
        heard = await hear(witness, request(path="/v1/messages"))
        hop = await only_hop(witness)
    assert heard.status == 404
    assert json.loads(heard.body)["type"] == "error"
    assert hop.request.path == "/v1/messages"
    assert witness.unmatched == ()


@pytest.mark.parametrize(
    ("path", "envelope"),
    [
        ("/v1/chat/completions", {"error"}),
        ("/v1/responses", {"error"}),
        ("/v1/messages", {"type", "error"}),
        ("/v1beta/models/gemini:generateContent", {"error"}),
    ],
)
async def test_a_request_without_a_known_marker_is_told_so_in_its_vendors_shape(path: str, envelope: set[str]) -> None:
    async with witness_of() as witness:
        heard = await hear(witness, request(marker(9), path=path))
        (hop,) = witness.unmatched
    value = json.loads(heard.body)
    assert (heard.status, set(value)) == (404, envelope)
    assert "wireproof's upstream witness knows no such marker" in value["error"]["message"]
    assert ("status" in value["error"]) is ("v1beta" in path)
    assert hop.request.path == path
    assert hop.response is not None
    assert hop.response.encoded == heard.body


@pytest.mark.parametrize(
    ("path", "headers", "recording_id"),
    [
        ("/v1/models", [], "models/openai-list"),
        ("/v1/models?limit=5", ["Anthropic-Version: 2023-06-01"], "models/anthropic-list"),
        ("/v1beta/models?pageSize=50", [], "models/gemini-list"),
    ],
)
async def test_model_lists_need_no_marker(path: str, headers: list[str], recording_id: str) -> None:
    lists = [body_recording(f"models/{name}-list", body=b'{"data": "%s"}' % name.encode()) for name in ("openai", "anthropic", "gemini")]
    async with witness_of(*lists) as witness:
        heard = await hear(witness, request(body=b"", method="GET", path=path, headers=headers))
        assert heard.body == next(one.body for one in lists if one.id == recording_id)
        assert (len(witness.model_lists), witness.unmatched) == (1, ())


async def test_a_model_list_that_was_not_recorded_is_unmatched() -> None:
    async with witness_of() as witness:
        assert (await hear(witness, request(body=b"", method="GET", path="/v1/models"))).status == 404
        assert len(witness.unmatched) == 1


async def test_a_forgotten_marker_is_unknown() -> None:
    async with witness_of(recording()) as witness:
        expect(witness, Play(recording="r"))
        with pytest.raises(ValueError, match="expected already"):
            expect(witness, Play(recording="r"))
        witness.forget(MARKER)
        assert (await hear(witness, request())).status == 404
        expect(witness, Play(recording="r"))
        assert (await hear(witness, request())).status == 200


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"])
async def test_what_is_not_http_1_1_is_answered_400_and_kept(data: bytes) -> None:
    async with witness_of() as witness:
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(data)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        writer.close()
        (hop,) = witness.unmatched
    assert "not HTTP/1.1" in (hop.error or "")


async def test_mistakes_of_ours_are_raised_where_they_are_made() -> None:
    brotli = recording("brotli", headers=(("content-encoding", "br"), *JSON_HEADERS))
    async with witness_of(brotli) as witness:
        with pytest.raises(ValueError, match="is no marker"):
            expect(witness, Play(recording="brotli"), marker="hello")
        with pytest.raises(KeyError):
            expect(witness, Play(recording="none"))
        with pytest.raises(PlayError):
            expect(witness, Play(recording="brotli", gzip=True))


async def test_a_failure_inside_the_witness_is_not_kept_from_its_user() -> None:
    witness = UpstreamWitness(library(recording(headers=(("x-bad", "\u2028"),))))
    await witness.start()
    expect(witness, Play(recording="r"))
    assert (await hear(witness, request())).end == "reset"
    with pytest.raises(UnicodeEncodeError):
        witness.hops(MARKER)
    with pytest.raises(UnicodeEncodeError):
        await witness.stop()


async def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortBusyError, match=f"port {port} of 127.0.0.1 is taken by another program"):
            await UpstreamWitness(library(), port=port).start()


async def test_a_host_that_is_not_ours_is_said_in_one_sentence() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on port 0 of 192\.0\.2\.1"):
        await UpstreamWitness(library(), host="192.0.2.1").start()


def test_recording_errors_are_no_lookups() -> None:
    """Both mean, of a model list, that there is none (see UpstreamWitness._model_list)."""
    assert not issubclass(RecordingError, LookupError)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_it_runs_in_either_event_loop(run: Callable[[Coroutine[None, None, None]], None]) -> None:
    async def scenario() -> None:
        async with witness_of(recording()) as witness:
            expect(witness, Play(recording="r", split_every=7))
            assert (await hear(witness, request())).body == STREAM
            expect(witness, Play(recording="r", fault=Fault(kind=FaultKind.CUT_RST, after_bytes=90)), marker=marker(1))
            cut = await hear(witness, request(marker(1)))
            assert (cut.end, cut.body) == ("reset", STREAM[:90])
            expect(witness, Play(recording="r", fault=Fault(kind=FaultKind.STALL_BEFORE)), marker=marker(2))
            _, writer = await asyncio.open_connection("127.0.0.1", witness.port)
            writer.write(request(marker(2)))
            assert await witness.called(marker(2), 5)
            writer.close()
            assert (await only_hop(witness, marker(2))).closed_ms is not None

    run(scenario())
