"""Every recorded request, written for the other three protocols: accepted by the official SDK's types, or refused with a path."""

import json
from collections import Counter
from importlib import import_module
from typing import Any, Final

import pytest
from anthropic.types import message_create_params as messages
from google.genai import types as gemini
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses
from pydantic import TypeAdapter, ValidationError

from harness.recording.format import Recording, Surface
from harness.recording.importers import corpus as corpus_files
from harness.tests import corpus
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import Malformed, Unsupported

UPSTREAMS: Final = {
    Surface.CHAT: Upstream(model="gpt-5.2", max_output_tokens=64_000, family="gpt"),
    Surface.RESPONSES: Upstream(model="gpt-5.2", max_output_tokens=64_000, family="gpt"),
    Surface.MESSAGES: Upstream(model="claude-sonnet-4-6", max_output_tokens=64_000, family="claude"),
    Surface.GEMINI: Upstream(model="gemini-2.5-pro", max_output_tokens=64_000, family="gemini"),
}
PLAIN: Final[dict[Surface, TypeAdapter[Any]]] = {
    Surface.CHAT: TypeAdapter(chat.CompletionCreateParamsNonStreaming),
    Surface.RESPONSES: TypeAdapter(responses.ResponseCreateParamsNonStreaming),
    Surface.MESSAGES: TypeAdapter(messages.MessageCreateParamsNonStreaming),
}
STREAMED: Final[dict[Surface, TypeAdapter[Any]]] = {
    Surface.CHAT: TypeAdapter(chat.CompletionCreateParamsStreaming),
    Surface.RESPONSES: TypeAdapter(responses.ResponseCreateParamsStreaming),
    Surface.MESSAGES: TypeAdapter(messages.MessageCreateParamsStreaming),
}


def whole(value: Any) -> Any:
    """The corpus cuts long base64 and puts its hash there, which no vendor would take: three bytes stand for it."""
    match value:
        case dict():
            return {name: whole(each) for name, each in value.items()}
        case list():
            return [whole(each) for each in value]
        case str() if "sha256:" in value and value.endswith(">"):
            uri, comma, _ = value.partition(";base64,")
            return f"{uri}{comma}AAAA" if comma else "AAAA"
        case _:
            return value


def accepted(surface: Surface, body: dict[str, Any]) -> None:
    """Raises pydantic's ValidationError."""
    if surface is Surface.GEMINI:
        for content in (*body["contents"], *filter(None, [body.get("systemInstruction")])):
            gemini.Content.model_validate(content)
        for tool in body.get("tools", ()):
            gemini.Tool.model_validate(tool)
        gemini.GenerationConfig.model_validate(body.get("generationConfig", {}))
        gemini.ToolConfig.model_validate(body.get("toolConfig", {}))
    else:
        _read((STREAMED if body.get("stream") else PLAIN)[surface].validate_python(body))


def _read(value: Any) -> None:
    """To its end: pydantic checks what is in an Iterable only when it is asked for."""
    if isinstance(value, str | bytes):
        return
    for each in value.values() if isinstance(value, dict) else value if hasattr(value, "__iter__") else ():
        _read(each)


@pytest.mark.parametrize("client", UPSTREAMS)
def test_every_request_is_written_for_the_other_protocols(client: Surface, capsys: pytest.CaptureFixture[str]) -> None:
    read_request = import_module(f"reference_gateway.translation.{client}.request_in").read_request
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    for recording in corpus_files.read_folder(corpus.need()):
        if not isinstance(recording, Recording) or recording.surface is not client or recording.request.method != "POST":
            continue
        body = whole(json.loads(recording.request.body or b"null"))
        if not isinstance(body, dict):
            continue
        stream = bool(body.get("stream")) or ":stream" in recording.request.path
        try:
            ask = read_request(body, model=body.get("model") or "asked", stream=stream)
        except (Unsupported, Malformed) as refused:
            seen["refused by the reader" if isinstance(refused, Unsupported) else "malformed"] += 1
            if not refused.path or (isinstance(refused, Malformed) and recording.status < 400):  # else the vendor said so too
                wrong.append(f"{recording.id}: {refused.path}: {refused}")
            continue
        for surface, upstream in UPSTREAMS.items():
            if surface is client:
                continue
            try:
                written = import_module(f"reference_gateway.translation.{surface}.request_out").write_request(ask, upstream)
            except (Unsupported, Malformed) as refused:
                seen[f"refused for {surface}"] += 1
                if not refused.path:
                    wrong.append(f"{recording.id} for {surface}: {refused}")
                continue
            try:
                accepted(surface, json.loads(json.dumps(written.body)))
            except ValidationError as problem:
                wrong.append(f"{recording.id} for {surface}: {problem}")
            seen[f"accepted by {surface}"] += 1
    with capsys.disabled():
        print(f"\nrequests of {client}: {dict(sorted(seen.items()))}", end="")  # noqa: T201  # what the test is for
    assert sum(count for name, count in seen.items() if name.startswith("accepted")) > 250
    assert not wrong, "\n".join(wrong[:20])
