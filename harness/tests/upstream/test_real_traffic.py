"""What vendors really sent goes out as it was, and its other spellings say the same."""

import asyncio
from functools import cache

import httpx2
import pytest

from harness.case import Framing, Play
from harness.recording.format import End, Read, Recording
from harness.recording.importers.corpus import read_folder
from harness.tests import corpus
from harness.tests.upstream.support import expect, hear, request, witness_of
from harness.tests.upstream.test_framing import events
from harness.upstream.framing import respell
from harness.upstream.witness import UpstreamWitness


@cache
def recordings() -> tuple[Recording, ...]:
    return tuple(one for one in read_folder(corpus.need()) if isinstance(one, Recording))


async def test_every_recording_reaches_the_gateway_byte_for_byte() -> None:
    played = recordings()
    assert len(played) > 800
    async with witness_of(*played) as witness:
        limits = httpx2.Limits(max_connections=20)
        async with httpx2.AsyncClient(base_url=witness.url, limits=limits, trust_env=False, timeout=60) as client:
            await asyncio.gather(*(_play(witness, client, number, one) for number, one in enumerate(played)))


async def _play(witness: UpstreamWitness, client: httpx2.AsyncClient, number: int, recording: Recording) -> None:
    marker = f"wpm-{number:010x}"
    expect(witness, Play(recording=recording.id), marker=marker, surface=recording.surface)
    if recording.end is End.EOF:
        answer = await client.post("/", content=marker)
        assert (answer.status_code, answer.content) == (recording.status, recording.body), recording.id
    else:  # whose client left before the vendor's end
        heard = await hear(witness, request(marker))
        assert (heard.status, heard.body, heard.end) == (recording.status, recording.body, "reset"), recording.id
    assert await witness.settled(marker, 5)
    (hop,) = witness.hops(marker)
    assert hop.response is not None
    assert hop.response.encoded == recording.body
    witness.forget(marker)


@pytest.mark.parametrize("framing", [framing for framing in Framing if framing is not Framing.AS_RECORDED])
def test_other_spellings_of_real_streams_are_the_same_events(framing: Framing) -> None:
    streams = [one for one in recordings() if one.stream and one.status == 200 and b"data:" in one.body[:2000]]
    assert len(streams) > 200
    for one in streams:
        respelled = b"".join(read.data for read in respell((Read(at_ms=0, data=one.body),), framing))
        assert events(respelled) == events(one.body), one.id
