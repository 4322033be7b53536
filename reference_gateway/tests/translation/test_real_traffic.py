"""Every recorded answer, whole and streamed, told to the clients of the three other surfaces: nothing is lost but what is declared.

The translators are a black box here: recorded bytes go in, a client's bytes come out. They are judged by the harness alone: its oracle
compares what both sides say, its suites judge the client's protocol (grammar, order, schema), and the official SDK reads the same bytes.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import pytest
from msgspec.structs import replace

from harness import transcript
from harness.case import Case, Client, Dialect, Outcome, Route, Surface
from harness.exchange import End, Exchange, Hop, Read, Request, Response, SdkReading
from harness.losses import EMBEDDED, read_losses
from harness.plan import judge, rules_of, suite_modules
from harness.recording.format import Recording
from harness.recording.importers import corpus as corpus_files
from harness.tests import corpus
from harness.tests.sdk_feed import Feed
from harness.transcript import Transcript
from harness.transcript_oracle import Losses, compare, failed, heard
from harness.verdict import Errored, Failed
from reference_gateway.translation.codec import Naming
from reference_gateway.translation.items import Broken, Ended, Tokens
from reference_gateway.translation.losses import FieldRule

SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
NAMING: Final = Naming(id="0" * 24, model="asked", created=1_700_000_000, stands_for={}, request_id="req_1")
ESTIMATE: Final = Tokens(input=1, output=1)  # the gateway's own, where the upstream says nothing of its tokens
ASKED: Final[dict[Surface, dict[str, Any]]] = {
    Surface.CHAT: {"messages": [{"role": "user", "content": "Hello"}], "stream_options": {"include_usage": True}},
    Surface.RESPONSES: {"input": "Hello"},
    Surface.MESSAGES: {"max_tokens": 1000, "messages": [{"role": "user", "content": "Hello"}]},
    Surface.GEMINI: {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
}
SDK: Final = {
    Surface.CHAT: Client.OPENAI,
    Surface.RESPONSES: Client.OPENAI,
    Surface.MESSAGES: Client.ANTHROPIC,
    Surface.GEMINI: Client.GOOGLE_GENAI,
}
DECLARED: Final = read_losses(EMBEDDED)
RULES: Final = tuple(rule for rule in rules_of(suite_modules()) if not rule.requirement.id.startswith(("native/", "wire/")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One recorded answer as a client of another surface gets it. `body` is None where the gateway answers with an error instead."""

    recording: Recording
    said: Transcript
    client: Surface
    stream: bool
    body: bytes | None

    @property
    def whole(self) -> bool:
        return failed(self.said) is None

    @property
    def name(self) -> str:
        return f"{self.recording.id} to {self.client}{' stream' if self.stream else ''}"


def losses() -> Losses:
    """The gateway's tables, as JSON would have them."""
    table: dict[str, list[dict[str, str]]] = {}
    for surface in SURFACES:
        module = import_module(f"reference_gateway.translation.{surface}.losses")
        rows = [row for value in vars(module).values() if isinstance(value, tuple) for row in value if isinstance(row, FieldRule)]
        table[str(surface)] = [{"path": row.path, "direction": str(row.direction), "rule": str(row.rule)} for row in rows]
    return Losses.read(table)


def answers(surface: Surface) -> Iterator[Recording]:
    for made in corpus_files.read_folder(corpus.need()):
        if isinstance(made, Recording) and made.surface is surface and made.request.method == "POST" and 200 <= made.status < 300:
            yield made


def told(recording: Recording, client: Surface) -> Told:
    """Through the reader of the one and the writer of the other."""
    vendor = f"reference_gateway.translation.{recording.surface}"
    deepseek = recording.vendor == "deepseek" and recording.surface in (Surface.CHAT, Surface.MESSAGES)
    reader = import_module(f"{vendor}.{'deepseek' if deepseek else 'answer_in'}")
    writer = import_module(f"reference_gateway.translation.{client}.answer_out")
    read_request = import_module(f"reference_gateway.translation.{client}.request_in").read_request
    ask = read_request({"model": "asked", "stream": True, **ASKED[client]}, model="asked", stream=True)
    stream = not recording.body.lstrip().startswith(b"{")
    said = heard(recording.surface, recording.body)
    body: bytes | None
    if stream:
        upstream, out = reader.StreamReader(), writer.StreamWriter(ask, NAMING)
        events = [*upstream.feed(recording.body), *upstream.close()]
        body = out.write([replace(event, tokens=counted(event.tokens)) if isinstance(event, Ended) else event for event in events])
    else:
        answer = reader.read_answer(json.loads(recording.body))
        if isinstance(answer, Broken):
            body = None
        else:
            body = json.dumps(writer.write_answer(replace(answer, tokens=counted(answer.tokens)), ask, NAMING)).encode()
    return Told(recording=recording, said=said, client=client, stream=stream, body=body)


def counted(tokens: Tokens | None) -> Tokens:
    if tokens is None:
        return ESTIMATE
    return tokens if tokens.input_counted else replace(tokens, input=ESTIMATE.input)


def exchange(told: Told, sdk: SdkReading | None = None, client: Client = Client.RAW, *, helper: bool = False) -> Exchange:
    assert told.body is not None
    upstream = next(dialect for dialect in Dialect if dialect.surface is told.recording.surface)
    case = Case(
        id=told.name,
        surface=told.client,
        upstream=upstream,
        play=None,
        stream=told.stream,
        client=client,
        helper=helper,
        request=ASKED[told.client],
        outcome=Outcome.SUCCESS if told.whole else Outcome.UPSTREAM_BROKEN,
        traits=frozenset({"played", "usage-asked", "request-known"}),
    )
    request = Request(method="POST", target="/", headers=(), body=json.dumps(ASKED[told.client]).encode())
    kind = content_type(told)
    return Exchange(
        id=told.name,
        case=case,
        model="asked",
        route=Route.TRANSLATED,
        marker="",
        client=Hop(request=request, response=response(told.body, kind)),
        upstream=(Hop(request=request, response=response(told.recording.body, kind)),),
        sdk=sdk,
        promises={"losses": DECLARED.on(told.client, upstream)},
    )


def response(body: bytes, kind: str) -> Response:
    return Response(status=200, headers=(("content-type", kind),), reads=(Read(at_ms=0, data=body),), end=End.EOF)


def content_type(told: Told) -> str:
    return "text/event-stream; charset=utf-8" if told.stream else "application/json"


def wrong(told: Told, feed: Feed, declared: Losses) -> Iterator[str]:
    if told.body is None:
        if told.whole:
            yield f"oracle: {told.name} is refused"
        return
    spoken = [("oracle", heard(told.client, told.body, as_client=True))]
    # openai's helpers raise where an answer is cut by its limit or its filter.
    incomplete = told.client in (Surface.CHAT, Surface.RESPONSES) and told.said.stop in ("length", "refused")
    helper = told.stream and told.client is not Surface.GEMINI and not incomplete
    driven = exchange(told, client=SDK[told.client], helper=helper)
    reading = feed.read(driven.case, ASKED[told.client], told.body, content_type(told))
    if told.whole:
        if reading.error is not None:
            yield f"sdk: {told.name}: {reading.error.type}: {reading.error.message[:200]}"
        spoken.append(("sdk", transcript.of_sdk(dataclasses.replace(driven, sdk=reading)) or Transcript()))
    elif reading.error is None:
        yield f"sdk: {told.name}: no exception for {failed(told.said)}"
    for whose, got in spoken:
        for finding in compare(told.said, got, upstream=told.recording.surface, client=told.client, losses=declared):
            yield f"{whose}: {told.name}: {finding}"
    for at in (exchange(told), exchange(told, reading, SDK[told.client], helper=helper)):
        for rule in RULES:
            if at.case.surface in rule.given.surfaces and rule.given.holds(at.case):
                match judge(rule, at):
                    case Failed(findings=findings):
                        yield f"{rule.requirement.id}: {told.name}: {findings[0]}"
                    case Errored(reason=reason):
                        yield f"{rule.requirement.id}: {told.name}: {reason}"


@pytest.mark.parametrize("upstream", SURFACES)
def test_every_answer_reaches_the_clients_of_the_other_surfaces(upstream: Surface, capsys: pytest.CaptureFixture[str]) -> None:
    feed, declared = Feed(), losses()
    seen: Counter[str] = Counter()
    faults: list[str] = []
    for recording in answers(upstream):
        for client in SURFACES:
            if client is not upstream:
                answer = told(recording, client)
                seen["streamed" if answer.stream else "whole"] += 1
                seen["failed, and said so"] += not answer.whole
                faults += wrong(answer, feed, declared)
    with capsys.disabled():
        print(f"\n{upstream} to the other surfaces: {dict(seen)}, {len(faults)} faults", end="")  # noqa: T201  # what the test is for
    assert seen["whole"] > 200
    assert seen["streamed"] > 100
    kinds = Counter(fault.partition(": ")[0] for fault in faults)
    assert not faults, "\n".join([str(kinds), *(next(fault for fault in faults if fault.startswith(kind)) for kind in kinds)])


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (b'"text_delta","text":"', b'"text_delta","text":"x', "oracle"),
        (b'"stop_reason":"tool_use"', b'"stop_reason":"max_tokens"', "sdk"),
        (b'"partial_json":"', b'"partial_json":" ,', "sdk"),
        (b'"output_tokens":', b'"output_tokens":1', "oracle"),
        (b"event: message_stop", b"event: ping", "messages/stream"),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', b"", "oracle"),
        (b'"name":"', b'"name":"x', "oracle"),
    ],
)
def test_what_a_translator_might_do_wrong_is_found(before: bytes, after: bytes, found: str) -> None:
    answer = next(
        each
        for each in (told(recording, Surface.MESSAGES) for recording in answers(Surface.RESPONSES) if recording.stream)
        if each.whole and each.said.text and any(len(call.arguments) > 2 for call in each.said.calls)
    )
    assert answer.body is not None
    assert before in answer.body
    faults = list(wrong(dataclasses.replace(answer, body=answer.body.replace(before, after)), Feed(), losses()))
    assert any(fault.startswith(found) for fault in faults), faults
    assert not list(wrong(answer, Feed(), losses()))
