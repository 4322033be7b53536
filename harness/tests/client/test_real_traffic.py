"""The SDKs read the corpus's real answers through the transport, and no byte is lost on the way."""

import asyncio
import json
from itertools import islice
from typing import Final

import pytest

from harness.case import Client, Surface
from harness.client import ClientWitness
from harness.exchange import End
from harness.tests import corpus
from harness.tests.client.scripted import LAST_CHUNK, Step, call, case, chunk, head, serve

CLIENTS: Final = {
    Surface.CHAT: Client.OPENAI_ASYNC,
    Surface.RESPONSES: Client.OPENAI_ASYNC,
    Surface.MESSAGES: Client.ANTHROPIC_ASYNC,
    Surface.GEMINI: Client.GOOGLE_GENAI_ASYNC,
}
ENOUGH: Final = 25  # of each surface, streamed and not; all of them take a minute
READ_BYTES: Final = 997  # prime, so that the cuts fall everywhere


def _played(recorded: corpus.Recorded) -> list[Step]:
    content_type = "text/event-stream" if recorded.is_sse else "application/json"
    pieces = [recorded.body[start : start + READ_BYTES] for start in range(0, len(recorded.body), READ_BYTES)]
    return [head(content_type=content_type) + b"".join(map(chunk, pieces)) + LAST_CHUNK]


@pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", list(CLIENTS))
async def test_sdks_read_real_answers(witness: ClientWitness, surface: Surface, stream: bool) -> None:
    good = (
        one
        for one in corpus.exchanges(api=surface, fidelity="exact")
        if one.status == 200
        and one.is_sse is stream
        and (stream or one.body[:1] == b"{")  # Gemini streams as a JSON array where `alt=sse` is missing
        and one.vendor != "google-vertex"  # has a finishReason of 1, at which the SDK fails: it reads the Gemini API here
    )
    several = list(islice(good, ENOUGH))
    assert several

    async def play(recorded: corpus.Recorded) -> str | None:
        async with serve(_played(recorded)) as server:
            result = await witness.drive(call(server, case(surface, CLIENTS[surface], stream=stream)))
        response = result.hop.response
        assert response is not None
        assert (response.end, response.encoded) == (End.EOF, recorded.body)
        assert result.sdk is not None
        if result.sdk.error is not None:
            return f"{recorded.id}: {result.sdk.error}"
        if stream:
            assert result.sdk.events
        elif surface is Surface.GEMINI:
            assert result.sdk.final.keys() <= json.loads(recorded.body).keys()  # the SDK leaves out what it does not know
        else:
            assert result.sdk.final == json.loads(recorded.body), recorded.id
        return None

    refused = [said for said in await asyncio.gather(*map(play, several)) if said is not None]
    assert refused == []
