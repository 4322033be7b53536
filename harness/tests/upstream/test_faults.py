"""Each fault over a real socket, seen from the gateway's side."""

import asyncio
import json
import zlib

import pytest

from harness.case import Fault, FaultKind, Pace, Play, Surface
from harness.exchange import End
from harness.tests.upstream.support import (
    BODY,
    CHAT_FRAMES,
    FRAMES,
    MARKER,
    Ear,
    Heard,
    body_recording,
    expect,
    hear,
    only_hop,
    recording,
    request,
    witness_of,
)
from harness.upstream.witness import UpstreamWitness
from harness.wire import sse

STREAM = b"".join(CHAT_FRAMES)
STREAMED = recording("streamed")
WHOLE = body_recording("whole")


def faulty(recording_id: str, kind: FaultKind, **numbers: int) -> Play:
    return Play(recording=recording_id, fault=Fault(kind=kind, headers=(("Retry-After", "7"),), **numbers))


async def heard_of(witness: UpstreamWitness, play: Play) -> Heard:
    """What the gateway hears, which must be what the hop says."""
    expect(witness, play)
    heard = await hear(witness, request())
    hop = await only_hop(witness)
    if heard.status is None:
        assert hop.response is None
    else:
        assert hop.response is not None
        assert (hop.response.status, hop.response.encoded) == (heard.status, heard.body)
        assert {name.lower(): text for name, text in hop.response.headers} == heard.headers
        assert hop.response.end is (End.EOF if heard.end == "complete" else End.RESET)
    assert hop.closed_ms is None
    return heard


@pytest.mark.parametrize("recording_id", ["streamed", "whole"])
async def test_status_and_envelope(recording_id: str) -> None:
    async with witness_of(STREAMED, WHOLE) as witness:
        heard = await heard_of(witness, faulty(recording_id, FaultKind.STATUS, status=429))
    assert (heard.status, heard.end) == (429, "complete")
    assert (heard.headers["content-type"], heard.headers["retry-after"]) == ("application/json", "7")
    assert json.loads(heard.body)["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("surface", "status", "error"),
    [
        (Surface.CHAT, 500, {"type": "server_error", "param": None, "code": None}),
        (Surface.RESPONSES, 401, {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}),
        (Surface.MESSAGES, 529, {"type": "overloaded_error"}),
        (Surface.COUNT_TOKENS, 429, {"type": "rate_limit_error"}),
        (Surface.GEMINI, 503, {"code": 503, "status": "UNAVAILABLE"}),
    ],
)
async def test_the_envelope_is_the_surfaces_own(surface: Surface, status: int, error: dict[str, object]) -> None:
    async with witness_of(body_recording(surface=surface)) as witness:
        heard = await heard_of(witness, faulty("r", FaultKind.STATUS, status=status))
        witness.forget(MARKER)
        in_ok = await heard_of(witness, faulty("r", FaultKind.ERROR_IN_OK, status=status))
    assert (heard.status, in_ok.status) == (status, 200)
    assert heard.body == in_ok.body
    value = json.loads(heard.body)
    assert value["error"].pop("message")
    assert value["error"] == error
    if surface in (Surface.MESSAGES, Surface.COUNT_TOKENS):
        assert (value["type"], value["request_id"]) == ("error", "req_2")


@pytest.mark.parametrize("recording_id", ["streamed", "whole"])
async def test_cut_with_fin(recording_id: str) -> None:
    async with witness_of(STREAMED, WHOLE) as witness:
        heard = await heard_of(witness, faulty(recording_id, FaultKind.CUT_FIN, after_bytes=150))
    assert heard.end == "cut"
    assert heard.body == (STREAM if recording_id == "streamed" else BODY)[:150]


@pytest.mark.parametrize("recording_id", ["streamed", "whole"])
@pytest.mark.parametrize("pace", Pace)
async def test_cut_with_rst(recording_id: str, pace: Pace) -> None:
    play = Play(recording=recording_id, pace=pace, fault=Fault(kind=FaultKind.CUT_RST, after_bytes=150))
    async with witness_of(STREAMED, WHOLE) as witness:
        heard = await heard_of(witness, play)
    assert heard.end == "reset"
    assert heard.body == (STREAM if recording_id == "streamed" else BODY)[:150]


@pytest.mark.parametrize("kind", [FaultKind.CUT_FIN, FaultKind.CUT_RST])
@pytest.mark.parametrize("recording_id", ["streamed", "whole"])
async def test_a_cut_behind_the_end_still_cuts(kind: FaultKind, recording_id: str) -> None:
    async with witness_of(STREAMED, WHOLE) as witness:
        heard = await heard_of(witness, faulty(recording_id, kind, after_bytes=10**6))
    assert heard.end != "complete"
    assert heard.body == (STREAM if recording_id == "streamed" else BODY)[:-1]


async def test_reset_before_a_byte() -> None:
    async with witness_of(STREAMED) as witness:
        heard = await heard_of(witness, faulty("streamed", FaultKind.REFUSE_CONNECT))
    assert (heard.status, heard.end) == (None, "reset")


async def test_wrong_content_type() -> None:
    async with witness_of(STREAMED) as witness:
        heard = await heard_of(witness, faulty("streamed", FaultKind.WRONG_CONTENT_TYPE))
    assert (heard.end, heard.body) == ("complete", STREAM)
    assert heard.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("recording_id", ["streamed", "whole"])
async def test_truncated_gzip_is_whole_http_and_half_deflate(recording_id: str) -> None:
    async with witness_of(STREAMED, WHOLE) as witness:
        heard = await heard_of(witness, faulty(recording_id, FaultKind.TRUNCATED_GZIP))
    assert (heard.end, heard.headers["content-encoding"]) == ("complete", "gzip")
    decoder = zlib.decompressobj(31)
    plain = decoder.decompress(heard.body)
    assert not decoder.eof
    assert (STREAM if recording_id == "streamed" else BODY).startswith(plain)


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.HTML, 200), (FaultKind.HTML_ERROR, 502)])
async def test_html(kind: FaultKind, status: int) -> None:
    async with witness_of(STREAMED) as witness:
        heard = await heard_of(witness, faulty("streamed", kind, status=502))
    assert (heard.status, heard.end) == (status, "complete")
    assert heard.headers["content-type"].startswith("text/html")
    assert heard.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("recording_id", ["streamed", "whole"])
async def test_empty(recording_id: str) -> None:
    async with witness_of(STREAMED, WHOLE) as witness:
        heard = await heard_of(witness, faulty(recording_id, FaultKind.EMPTY))
    assert (heard.status, heard.end, heard.body) == (200, "complete", b"")


async def test_a_stream_without_its_end() -> None:
    async with witness_of(STREAMED) as witness:
        heard = await heard_of(witness, faulty("streamed", FaultKind.NO_TERMINAL, after_frames=3))
    assert (heard.end, heard.body) == ("complete", b"".join(CHAT_FRAMES[:3]))


async def test_a_stream_that_tells_its_end_twice() -> None:
    async with witness_of(STREAMED) as witness:
        heard = await heard_of(witness, faulty("streamed", FaultKind.TERMINAL_TWICE))
    assert (heard.end, heard.body) == ("complete", b"".join((*CHAT_FRAMES, *CHAT_FRAMES[-2:])))


async def test_a_body_without_its_end_has_a_true_length() -> None:
    async with witness_of(WHOLE) as witness:
        heard = await heard_of(witness, faulty("whole", FaultKind.NO_TERMINAL))
    assert (heard.end, heard.headers["content-length"]) == ("complete", str(len(heard.body)))
    assert BODY.startswith(heard.body)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(heard.body.decode(errors="replace"))


@pytest.mark.parametrize("surface", FRAMES)
async def test_an_error_in_mid_stream_is_the_surfaces_own(surface: Surface) -> None:
    frames = FRAMES[surface]
    async with witness_of(recording(surface=surface, reads=frames)) as witness:
        heard = await heard_of(witness, faulty("r", FaultKind.ERROR_EVENT, after_frames=2))
    assert (heard.status, heard.end) == (200, "complete")
    assert heard.body.startswith(b"".join(frames[:2]))
    seen, tail = sse.split(heard.body)
    assert tail is None
    errors = [(frame.event, json.loads(frame.data or "")) for frame in seen[2:]]
    name, first = errors[0]
    assert first["error"]["message"]
    match surface:
        case Surface.RESPONSES:
            assert [name for name, _ in errors] == ["error", "response.failed"]
            assert [data["type"] for _, data in errors] == ["error", "response.failed"]
            assert [data["sequence_number"] for _, data in errors] == [2, 3]
            response = errors[1][1]["response"]
            assert (response["id"], response["status"], response["error"]["code"]) == ("resp_1", "failed", "server_error")
        case Surface.MESSAGES:
            assert (len(errors), name, first["type"], first["error"]["type"]) == (1, "error", "error", "api_error")
        case Surface.GEMINI:
            assert (len(errors), name, first["error"]["code"]) == (1, None, 500)
            assert heard.body.endswith(b"\r\n\r\n")
        case _:
            assert (len(errors), name, first["error"]["type"]) == (1, None, "server_error")


async def test_an_error_event_where_nothing_streams_is_an_error_in_200() -> None:
    async with witness_of(WHOLE) as witness:
        heard = await heard_of(witness, faulty("whole", FaultKind.ERROR_EVENT))
    assert (heard.status, heard.end) == (200, "complete")
    assert json.loads(heard.body)["error"]["type"] == "server_error"


@pytest.mark.parametrize(
    ("recording_id", "kind", "before"),
    [
        ("streamed", FaultKind.STALL_IN, b"".join(CHAT_FRAMES[:2])),
        ("whole", FaultKind.STALL_IN, BODY[: len(BODY) // 2]),
        ("whole", FaultKind.STALL_BEFORE, None),
        ("streamed", FaultKind.STALL_BEFORE, None),
    ],
)
async def test_a_stall_lasts_until_the_gateway_leaves(recording_id: str, kind: FaultKind, before: bytes | None) -> None:
    async with witness_of(STREAMED, WHOLE) as witness:
        expect(witness, faulty(recording_id, kind))
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(request())
        if before is None:
            assert await witness.called(MARKER, 5)
        else:
            assert await Ear(reader).hear(lambda ear: ear.body == before) == "enough"
        assert not await witness.settled(MARKER, 0.05)
        assert witness.hops(MARKER)[0].closed_ms is None
        writer.close()
        hop = await only_hop(witness)
    assert hop.closed_ms is not None
    assert hop.closed_ms >= hop.request.at_ms
    if before is None:
        assert hop.response is None
    else:
        assert hop.response is not None
        assert (hop.response.encoded, hop.response.end, hop.response.end_ms) == (before, End.ABORTED, hop.closed_ms)


@pytest.mark.parametrize("how", ["forget", "stop"])
async def test_a_stall_ends_when_nobody_waits_for_it(how: str) -> None:
    async with witness_of(STREAMED) as witness:
        expect(witness, faulty("streamed", FaultKind.STALL_IN))
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(request())
        ear = Ear(reader)
        await ear.hear(lambda ear: len(ear.chunks) == 2)
        if how == "forget":
            witness.forget(MARKER)
        else:
            await witness.stop()
            assert witness.hops(MARKER)[0].response.end is End.TIMEOUT  # type: ignore[union-attr]  # its head was heard
        assert await ear.hear() == "reset"
        writer.close()
