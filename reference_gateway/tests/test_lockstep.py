"""Nothing is buffered: whatever an upstream says is on the caller's socket before the upstream says more, on every translated route.

What an event says is what the harness' reader of transcripts makes of it, not what the gateway does. Nothing here looks at a clock.
"""

import asyncio
import itertools
import json
from functools import partial
from pathlib import Path

import pytest

from harness.case import Surface as Spoken
from harness.transcript import Transcript
from harness.transcript_oracle import heard
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import PATIENCE_S, Upstream, stage
from reference_gateway.tests.translation.fuzz import grammar
from reference_gateway.tests.translation.fuzz.streams import DIRECTIONS, SPOKEN, Stream, frames, shipped
from reference_gateway.tests.wires import request
from reference_gateway.translation.translator import Dialect

MODELS = {
    Dialect.CHAT: "gpt-5-4",
    Dialect.RESPONSES: "gpt-5-5",
    Dialect.MESSAGES: "claude-sonnet-4-6",
    Dialect.GEMINI: "gemini-3-1-pro",
    Dialect.DEEPSEEK_CHAT: "deepseek-v4-pro",
    Dialect.DEEPSEEK_MESSAGES: "deepseek-v3-anthropic",
}
# DeepSeek's own `/v1/responses` is a native route.
ROUTES = [(dialect, client) for dialect, client in DIRECTIONS if (dialect, client) != (Dialect.DEEPSEEK_CHAT, Surface.RESPONSES)]
RECORDED = ("/text.stream", "/thinking-tools.stream", "/thinking.stream", "/parallel-tools.stream", "/unicode.stream")


def one_language_each(text: str) -> str:
    for model, native in (("gpt-5-4", "chat"), ("gpt-5-5", "responses")):
        text = text.replace(f'id = "{model}"\n', f'id = "{model}"\nnative = ["{native}"]\n')
    return text


def streams(dialect: Dialect) -> list[Stream]:
    return [stream for stream in shipped() if stream.dialect is dialect and stream.name.partition(",")[0].endswith(RECORDED)]


def said(transcript: Transcript, client: Surface) -> tuple[object, ...]:
    """What a client can be told of it so far: Gemini has no word for a part of a call's arguments, nor Messages for a call after a call."""
    calls = () if client is Surface.GEMINI else tuple((call.name, call.arguments) for call in transcript.calls)
    return transcript.text, transcript.reasoning, transcript.refusal, calls


def telling(stream: Stream, client: Surface) -> list[bool]:
    """Of each event, whether something is said by it that was not said before."""
    found, spoken = frames(stream.body), Spoken(SPOKEN[stream.dialect].value)
    states = [said(heard(spoken, b"".join(found[:count])), client) for count in range(len(found) + 1)]
    return [before != after for before, after in itertools.pairwise(states)]


class Lockstep:
    """An upstream that waits, after each event that says something, until the caller has read more."""

    def __init__(self) -> None:
        self.chunks = 0  # that the caller has read
        self.waits = 0
        self._arrived = asyncio.Condition()

    async def read(self) -> None:
        async with self._arrived:
            self.chunks += 1
            self._arrived.notify_all()

    async def serve(self, call: Upstream, told: list[tuple[bytes, bool]]) -> None:
        await call.head(200)
        for event, says in told:
            before = self.chunks
            await call.chunk(event)
            if says:
                self.waits += 1
                async with asyncio.timeout(PATIENCE_S), self._arrived:
                    while self.chunks == before:
                        await self._arrived.wait()
        await call.end()


@pytest.mark.parametrize(("dialect", "client"), ROUTES, ids=lambda value: str(value).replace(" ", "-"))
async def test_what_is_said_arrives_before_more_is_said(dialect: Dialect, client: Surface, tmp_path: Path) -> None:
    steps = Lockstep()
    async with stage(tmp_path, edit=one_language_each) as s:
        for stream in streams(dialect):
            told = list(zip(frames(stream.body), telling(stream, client), strict=True))
            s.script = partial(steps.serve, told=told)
            path, body, headers = request(client, stream=True)
            if client is Surface.GEMINI:
                path = f"/v1beta/models/{MODELS[dialect]}:streamGenerateContent?alt=sse"
            else:
                body["model"] = MODELS[dialect]
            if client is Surface.CHAT:
                body["stream_options"] = {"include_usage": True}
            caller = await s.client()
            caller.send_request("POST", path, json.dumps(body).encode(), {"authorization": f"Bearer {s.demo.keys[0]}", **headers})
            status, _ = await caller.head()
            assert status == 200
            data = b""
            while chunk := await caller.chunk():
                data += chunk
                await steps.read()
            caller.close()
            assert grammar.read(client, data) is grammar.Ending.CLEAN, stream.name
    assert steps.waits > 10
