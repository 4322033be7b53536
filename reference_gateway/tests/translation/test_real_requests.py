"""Every recorded request, as each upstream of another protocol would get it, or refused with a path.

What is written is judged by the upstream's closed request schema, by the official SDK's types, and item by item against what the client
asked, minus the declared losses.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from anthropic.types import message_create_params as messages
from google.genai import types as gemini
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses
from pydantic import TypeAdapter, ValidationError

from harness import schema
from harness.asked import camel
from harness.case import Dialect, Surface
from harness.losses import EMBEDDED, read_losses
from harness.recording.format import Recording
from harness.recording.importers import corpus as corpus_files
from harness.request_oracle import compare
from harness.route_losses import OnRoute
from harness.tests import corpus
from reference_gateway.routes import Surface as Served
from reference_gateway.tests.translation.crossed import DIALECTS, cross
from reference_gateway.translation.items import Malformed, Unsupported

SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
SCHEMAS: Final = {
    Dialect.OPENAI_CHAT: "chat/request",
    Dialect.OPENAI_RESPONSES: "responses/request",
    Dialect.ANTHROPIC: "messages/request",
    Dialect.GEMINI: "gemini/request",
    Dialect.DEEPSEEK_CHAT: "chat/deepseek-request",
    Dialect.DEEPSEEK_ANTHROPIC: "messages/deepseek-request",
}
PLAIN: Final[dict[Dialect, TypeAdapter[Any]]] = {
    Dialect.OPENAI_CHAT: TypeAdapter(chat.CompletionCreateParamsNonStreaming),
    Dialect.OPENAI_RESPONSES: TypeAdapter(responses.ResponseCreateParamsNonStreaming),
    Dialect.ANTHROPIC: TypeAdapter(messages.MessageCreateParamsNonStreaming),
}
STREAMED: Final[dict[Dialect, TypeAdapter[Any]]] = {
    Dialect.OPENAI_CHAT: TypeAdapter(chat.CompletionCreateParamsStreaming),
    Dialect.OPENAI_RESPONSES: TypeAdapter(responses.ResponseCreateParamsStreaming),
    Dialect.ANTHROPIC: TypeAdapter(messages.MessageCreateParamsStreaming),
}
# Some vendors take a user's turn of blanks, or none at all; the others refuse it, and so does the gateway, by its path.
NOTHING_SAID: Final = re.compile(r"nothing but blanks|something that a user says")
# Of the request's members, those that hold a value of the user's own: its names are not Google's.
OF_THE_USER: Final = {
    "args",
    "response",
    "properties",
    "labels",
    "responseSchema",
    "responseJsonSchema",
    "parameters",
    "parametersJsonSchema",
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


def requests(surface: Surface) -> Iterator[tuple[Recording, dict[str, Any], bool]]:
    """With its body, and whether it asks for a stream."""
    for recording in corpus_files.read_folder(corpus.need()):
        if not isinstance(recording, Recording) or str(recording.surface) != str(surface) or recording.request.method != "POST":
            continue
        body = whole(json.loads(recording.request.body or b"null"))
        if isinstance(body, dict):
            yield recording, body, bool(body.get("stream")) or ":stream" in recording.request.path


def in_camel_case(value: Any) -> Any:
    """Google's JSON takes either spelling of its own words."""
    match value:
        case dict():
            return {camel(name): each if camel(name) in OF_THE_USER else in_camel_case(each) for name, each in value.items()}
        case list():
            return [in_camel_case(each) for each in value]
        case _:
            return value


@pytest.mark.parametrize("surface", SURFACES)
def test_every_recorded_request_passes_its_own_schema(surface: Surface, capsys: pytest.CaptureFixture[str]) -> None:
    judged: Counter[str] = Counter()
    wrong: list[str] = []
    for recording, body, _ in requests(surface):
        name = f"{surface}/{'deepseek-' if recording.vendor == 'deepseek' and surface is not Surface.RESPONSES else ''}request"
        value = body
        if surface is Surface.GEMINI:
            value = {name: each for name, each in in_camel_case(body).items() if name not in ("model", "stream")}  # of some client's own
            value |= {name: [value[name]] for name in ("tools", "contents") if isinstance(value.get(name), dict)}  # one for a list of one
        judged[name] += 1
        if recording.status < 400:
            wrong += [f"{recording.id}: {violation}" for violation in schema.findings(name, value)]
    with capsys.disabled():
        print(f"\nrequests by schema: {dict(judged)}", end="")  # noqa: T201  # what the test is for
    assert sum(judged.values()) > 100
    assert not wrong, "\n".join(wrong[:20])


def accepted(dialect: Dialect, body: dict[str, Any]) -> None:
    """By the SDK's types, where the vendor has one. Raises pydantic's ValidationError."""
    if dialect is Dialect.GEMINI:
        for content in (*body["contents"], *filter(None, [body.get("systemInstruction")])):
            gemini.Content.model_validate(content)
        for tool in body.get("tools", ()):
            gemini.Tool.model_validate(tool)
        gemini.GenerationConfig.model_validate(body.get("generationConfig", {}))
        gemini.ToolConfig.model_validate(body.get("toolConfig", {}))
    elif dialect in PLAIN:
        _read((STREAMED if body.get("stream") else PLAIN)[dialect].validate_python(body))


def _read(value: Any) -> None:
    """To its end: pydantic checks what is in an Iterable only when it is asked for."""
    if isinstance(value, str | bytes):
        return
    for each in value.values() if isinstance(value, dict) else value if hasattr(value, "__iter__") else ():
        _read(each)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_request_is_written_for_each_dialect_of_the_other_protocols(surface: Surface, capsys: pytest.CaptureFixture[str]) -> None:
    declared = read_losses(EMBEDDED)
    seen: Counter[str] = Counter()
    compared: Counter[str] = Counter()
    wrong: list[str] = []
    for recording, body, stream in requests(surface):
        for dialect in DIALECTS:
            if dialect.surface is surface:
                continue
            name = f"{recording.id} for {dialect}"
            try:
                made, warning = cross(Served(str(surface)), body, dialect, stream=stream)
            except (Unsupported, Malformed) as refused:
                seen["refused" if isinstance(refused, Unsupported) else "malformed"] += 1
                if not refused.path:
                    wrong.append(f"{name}: {refused}")
                if isinstance(refused, Malformed) and recording.status < 400 and not NOTHING_SAID.search(str(refused)):
                    wrong.append(f"{name}: {refused.path}: {refused}")  # else the vendor said so too
                continue
            seen["sent"] += 1
            sent = json.loads(json.dumps(made))
            try:
                accepted(dialect, sent)
            except ValidationError as problem:
                wrong.append(f"{name}: {problem}")
            wrong += [f"{name}: {violation}" for violation in schema.findings(SCHEMAS[dialect], sent)]
            losses = OnRoute.of({"losses": declared.on(surface, dialect)}, surface, dialect.surface)
            for aspect, found in compare(surface, body, dialect, sent, losses=losses, warning=warning).items():
                compared[str(aspect)] += found.what is not None
                wrong += [f"{name}: {aspect} at {each.pointer}: expected {each.expected}, got {each.got}" for each in found.findings]
    with capsys.disabled():
        print(f"\nrequests of {surface}: {dict(sorted(seen.items()))}; compared {dict(sorted(compared.items()))}", end="")  # noqa: T201  # asked for
    assert seen["sent"] > 400
    assert not wrong, "\n".join(wrong[:20])
