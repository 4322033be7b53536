"""Every recorded request, written for each upstream and read again by the reader of that protocol: the conversation is the same.

What may be missing is what the writer told of as a loss, and thoughts, which go to none but the family that made them.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from harness.recording.format import Recording
from harness.recording.importers import corpus as corpus_files
from harness.tests import corpus
from reference_gateway.routes import Surface
from reference_gateway.tests.translation.fuzz.streams import SPOKEN, SURFACES
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import (
    Ask,
    Document,
    Image,
    Inline,
    Malformed,
    Reasoning,
    Refused,
    Text,
    ToolCall,
    ToolResult,
    Unsupported,
)
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.translator import Dialect, Prepared, Translator

TOLD: Final = "AnswerwithoneJSON"  # how a model that cannot be held to a form is told it
FAMILIES: Final = {Surface.CHAT: "gpt", Surface.RESPONSES: "gpt", Surface.MESSAGES: "claude", Surface.GEMINI: "gemini"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A conversation as any protocol can say it: `order` is of what is said, each with its kind."""

    system: str
    order: tuple[tuple[str, ...], ...]
    tools: tuple[str, ...]


def told(ask: Ask, names: dict[str, str]) -> Told:
    """`names` maps changed tool names to the client's own. Texts that stand together are one, without white space between them."""
    system = [text.text for text in ask.system]
    order: list[tuple[str, ...]] = []

    def say(*what: str) -> None:
        what = (what[0], "".join(what[1].split()), *what[2:]) if what[0].endswith("text") else what
        if what[0].endswith("text") and order and order[-1][0] == what[0]:
            order[-1] = (what[0], order[-1][1] + what[1])
        elif not what[0].endswith("text") or what[1]:
            order.append(what)

    for turn in ask.turns:
        for item in turn.items:
            match item:
                case Text(text=text) | Refused(text=text):
                    if turn.role == "system":
                        system.append(text)
                    else:
                        say(f"{turn.role} text", text)
                case Document(source=Inline(media_type=kind, base64=data)) if kind.startswith("text/"):
                    say(f"{turn.role} text", b64decode(data).decode())  # where a vendor takes no such documents
                case Image(source=source) | Document(source=source):
                    say("media", source.base64.rstrip("=") if isinstance(source, Inline) else source.url)
                case ToolCall():
                    say("call", names.get(item.name, item.name), canonical(item.arguments))
                case ToolResult():
                    say("result", canonical("".join(part.text for part in item.parts if isinstance(part, Text))))
                case Reasoning():
                    pass
    return Told(
        system="".join("".join(system).split()), order=tuple(order), tools=tuple(names.get(tool.name, tool.name) for tool in ask.tools)
    )


def together(told: Told) -> str:
    return told.system + "".join(text for _, text, *_ in told.order)


def canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments or "{}"), sort_keys=True)
    except ValueError:
        return arguments


def requests() -> list[tuple[str, Surface, dict[str, Any], bool]]:
    """Name, protocol, body, and whether a stream was asked for; each body once."""
    found: dict[str, tuple[str, Surface, dict[str, Any], bool]] = {}
    for made in corpus_files.read_folder(corpus.need()):
        if not isinstance(made, Recording) or str(made.surface) not in SURFACES or made.request.method != "POST" or made.status >= 400:
            continue
        try:
            body = json.loads(made.request.body)
        except ValueError:
            continue
        if isinstance(body, dict):
            surface = Surface(str(made.surface))
            found.setdefault(f"{surface} {json.dumps(body, sort_keys=True)}", (made.id, surface, body, made.stream))
    return list(found.values())


def there(surface: Surface, dialect: Dialect, body: dict[str, Any], stream: bool) -> tuple[Ask, Prepared]:
    """Raises Malformed, Unsupported."""
    translator = Translator.of(surface, dialect, sealed.UNSEALED)
    ask = translator.ask({"max_tokens": 100, **body} if surface is Surface.MESSAGES else body, model="m", stream=stream)
    upstream = Upstream(model="m", max_output_tokens=64_000, family=FAMILIES[SPOKEN[dialect]])
    return ask, translator.prepare(ask, upstream)


def back(dialect: Dialect, prepared: Prepared, stream: bool) -> Ask:
    return Translator.of(SPOKEN[dialect], dialect, sealed.UNSEALED).ask(prepared.body, model="m", stream=stream)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_request_there_and_back_is_the_same_conversation(dialect: Dialect, capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    for name, surface, body, stream in requests():
        try:
            ask, prepared = there(surface, dialect, body, stream)
        except (Unsupported, Malformed):
            seen["refused"] += 1
            continue
        if not ask.turns and dialect is Dialect.RESPONSES:  # system messages alone, which our own reader wants more than
            seen["system alone"] += 1
            continue
        again = back(dialect, prepared, stream)
        names = dict(prepared.names)
        form = prepared.form.tool if prepared.form is not None else None
        here, yonder = told(ask, {}), told(again, names)
        seen["the same"] += 1
        if form is not None:  # the tool that stands for the client's schema
            yonder = replace(yonder, tools=tuple(tool for tool in yonder.tools if tool != form))
        if yonder.system.startswith(here.system + TOLD):
            yonder = replace(yonder, system=here.system)
        if any(loss.path == "messages" for loss in prepared.losses):  # system messages alone: they are the user's now
            here, yonder = (Told(system=together(each), order=(), tools=each.tools) for each in (here, yonder))
        if here != yonder:
            wrong.append(f"{name} to {dialect}: {here} is {yonder}; losses {[loss.path for loss in prepared.losses]}")
    with capsys.disabled():
        print(f"\nrequests to {dialect} and back: {dict(seen)}", end="")  # noqa: T201  # what the test is for
    assert seen["the same"] > 100
    assert not wrong, "\n".join([str(len(wrong)), *wrong[:12]])
