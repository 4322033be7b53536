"""The scenarios of the matrix, as data: what each shows, what the upstream of each dialect answers, and by which client it is driven.

What a client asks stands in requests.py. Where a dialect cannot say what a scenario shows, its cell shows what it says instead, for the
reason that INSTEAD gives; where the gateway has to refuse, the reason stands in REFUSED. Such a cell is driven and judged as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harness.case import Dialect, Fault, FaultKind, Outcome, Surface

_CHAT, _RESPONSES, _MESSAGES, _GEMINI = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC, Dialect.GEMINI
_DEEPSEEK, _DEEPSEEK_MESSAGES = Dialect.DEEPSEEK_CHAT, Dialect.DEEPSEEK_ANTHROPIC


class By(StrEnum):
    """Who drives a cell."""

    SDK = "sdk"  # the surface's official SDK; a stream as a loop over its events
    ASYNC = "async"  # the same, asynchronous
    HELPER = "helper"  # the SDK's own stream helper, where it has one
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`answers`: the recording of each dialect, ".stream" left out. `faults`: what goes wrong with it, whole and streamed."""

    name: str
    says: str  # one line for the reports
    answers: Mapping[Dialect, str]
    by: tuple[By, By]  # whole, streamed
    traits: frozenset[str] = frozenset()  # what the client's answer shows, by the words of Case.traits
    outcome: Outcome = Outcome.SUCCESS
    faults: tuple[Fault, Fault] | None = None
    forced: Mapping[Dialect, str] | None = None  # what is answered where a tool is forced on the model


def _recorded(name: str, **others: str) -> dict[Dialect, str]:
    """`name` of every vendor whose recordings have it, and the matrix's own of DeepSeek's two; `others` by the dialect's first word."""
    return {
        _CHAT: others.get("chat", f"chat/{name}"),
        _RESPONSES: others.get("responses", f"responses/{name}"),
        _MESSAGES: others.get("messages", f"messages/{name}"),
        _GEMINI: others.get("gemini", f"gemini/{name}"),
        _DEEPSEEK: others.get("deepseek", f"cells/deepseek-chat-{name}"),
        _DEEPSEEK_MESSAGES: others.get("deepseek_messages", f"cells/deepseek-messages-{name}"),
    }


def _own(name: str) -> dict[Dialect, str]:
    return _recorded(
        name,
        chat=f"cells/chat-{name}",
        responses=f"cells/responses-{name}",
        messages=f"cells/messages-{name}",
        gemini=f"cells/gemini-{name}",
    )


def _traits(*names: str) -> frozenset[str]:
    return frozenset(names)


_SOME: Final = 9  # frames after which something was said in every dialect
_TEXT: Final = _recorded("text", chat="cells/chat-text")

SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(name="text", says="a text", answers=_TEXT, by=(By.SDK, By.RAW), traits=_traits("text")),
    Scenario(
        name="blocks",
        says="several texts",
        answers=_recorded("blocks", chat="cells/chat-text", deepseek="cells/deepseek-chat-text"),
        by=(By.ASYNC, By.HELPER),
        traits=_traits("text"),
    ),
    Scenario(name="system", says="instructions in several places", answers=_TEXT, by=(By.SDK, By.ASYNC), traits=_traits("text")),
    Scenario(
        name="parallel-tools",
        says="three calls at once",
        answers=_recorded("parallel-tools"),
        by=(By.SDK, By.HELPER),
        traits=_traits("tools", "functions", "parallel-tools"),
    ),
    Scenario(name="tool-loop", says="a history of three turns with tools", answers=_TEXT, by=(By.ASYNC, By.SDK), traits=_traits("text")),
    Scenario(
        name="thinking-tools",
        says="a thought, then a call",
        answers=_recorded(
            "thinking-tools",
            chat="cells/chat-thinking-tools",
            deepseek="cells/deepseek-chat-thought-and-call",
            deepseek_messages="cells/deepseek-messages-thought-and-call",
        ),
        by=(By.SDK, By.HELPER),
        traits=_traits("tools", "functions", "thinking"),
    ),
    Scenario(
        name="cache",
        says="a prompt marked for the cache and read from it",
        answers=_recorded("cache-read", deepseek="cells/deepseek-chat-cache", deepseek_messages="cells/deepseek-messages-cache"),
        by=(By.RAW, By.SDK),
        traits=_traits("text", "cache-read"),
    ),
    Scenario(
        name="structured",
        says="JSON by the client's schema",
        answers=_recorded("structured"),
        by=(By.SDK, By.HELPER),
        traits=_traits("text", "structured"),
        forced={_DEEPSEEK: "cells/deepseek-chat-forced", _DEEPSEEK_MESSAGES: "cells/deepseek-messages-forced"},
    ),
    Scenario(name="image", says="a picture in the prompt", answers=_TEXT, by=(By.SDK, By.ASYNC), traits=_traits("text")),
    Scenario(name="document", says="a PDF in the prompt", answers=_TEXT, by=(By.ASYNC, By.RAW), traits=_traits("text")),
    Scenario(name="refusal", says="the model refuses", answers=_recorded("refusal"), by=(By.SDK, By.RAW), traits=_traits("refusal")),
    Scenario(name="length", says="cut by the limit", answers=_recorded("length"), by=(By.RAW, By.SDK), traits=_traits("text", "length")),
    Scenario(
        name="stop-sequence",
        says="cut by a stop sequence",
        answers=_recorded(
            "stop-sequence", responses="cells/responses-stop-sequence", deepseek_messages="cells/deepseek-messages-which-sequence"
        ),
        by=(By.SDK, By.ASYNC),
        traits=_traits("text", "stop-sequence"),
    ),
    Scenario(name="empty", says="nothing said", answers=_recorded("empty"), by=(By.SDK, By.RAW), traits=_traits("empty")),
    *(
        Scenario(
            name=f"error-{status}",
            says=f"the vendor answers {status}",
            answers=_TEXT,
            by=by,
            outcome=Outcome.UPSTREAM_ERROR,
            traits=_traits("error", *(("retry-after",) if status == 429 else ())),
            faults=(fault := Fault(kind=FaultKind.STATUS, status=status, headers=headers), fault),
        )
        for status, by, headers in (
            (400, (By.SDK, By.ASYNC), ()),
            (429, (By.RAW, By.RAW), (("retry-after", "7"),)),
            (500, (By.RAW, By.SDK), ()),
        )
    ),
    Scenario(
        name="error-in-stream",
        says="an error in the stream, or in a 200",
        answers=_TEXT,
        by=(By.RAW, By.RAW),
        outcome=Outcome.UPSTREAM_BROKEN,
        traits=_traits("error"),
        faults=(Fault(kind=FaultKind.ERROR_IN_OK, status=500), Fault(kind=FaultKind.ERROR_EVENT, status=500, after_frames=_SOME)),
    ),
    Scenario(
        name="truncated",
        says="the answer stops before its end",
        answers=_TEXT,
        by=(By.RAW, By.SDK),
        outcome=Outcome.UPSTREAM_BROKEN,
        traits=_traits("error"),
        faults=(Fault(kind=FaultKind.NO_TERMINAL), Fault(kind=FaultKind.NO_TERMINAL, after_frames=_SOME)),
    ),
    Scenario(
        name="unknown-event", says="what nobody knows yet", answers=_own("unknown-event"), by=(By.SDK, By.HELPER), traits=_traits("text")
    ),
    Scenario(
        name="unknown-stop",
        says="a reason to stop that nobody knows",
        answers=_own("unknown-stop"),
        by=(By.SDK, By.RAW),
        traits=_traits("text"),
    ),
)

# Scenario, dialect -> why the vendor cannot answer it, and what it answers instead.
INSTEAD: Final[Mapping[tuple[str, Dialect], str]] = {
    ("blocks", _CHAT): "message.content is one text (openai-chat, Create chat completion): one text is answered",
    ("blocks", _DEEPSEEK): "message.content is one text (api-docs.deepseek.com, Create Chat Completion): one text is answered",
    ("thinking-tools", _CHAT): "Chat Completions shows no thoughts (openai-chat, usage.completion_tokens_details): they are counted",
    ("stop-sequence", _RESPONSES): "Responses has no stop sequences (openai-responses, Create a model response)",
    ("refusal", _GEMINI): "says it by finishReason alone (google-generate-content, FinishReason)",
}
# Scenario, surface, dialect -> why the gateway answers 400 and asks nobody.
_TEXT_SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
_TEXT_ONLY: Final = "takes text alone (deepseek-anthropic: image and document are not supported; contract:84, contract:131)"
REFUSED: Final[Mapping[tuple[str, Surface, Dialect], str]] = {
    **{("image", surface, dialect): _TEXT_ONLY for surface in _TEXT_SURFACES for dialect in (_DEEPSEEK, _DEEPSEEK_MESSAGES)},
    **{
        ("document", surface, dialect): _TEXT_ONLY
        for surface in _TEXT_SURFACES
        for dialect in (_DEEPSEEK, _DEEPSEEK_MESSAGES)
        if surface is not dialect.surface  # natively it goes to the vendor as it stands
    },
    **{
        ("structured", Surface.GEMINI, dialect): "responseSchema without upstream support is a 400 (contract:136)"
        for dialect in (_DEEPSEEK, _DEEPSEEK_MESSAGES)
    },
}

# What the usual run drives: one scenario and whether it is streamed of each translated pair, in turn, so that each surface and each dialect
# is met in both. Native pairs have suites of their own.
_IN_TURN: Final = (("text", True), ("parallel-tools", False))


def cross_section(surface: Surface, dialect: Dialect) -> tuple[str, bool]:
    return _IN_TURN[(_TEXT_SURFACES.index(surface) + list(Dialect).index(dialect)) % 2]
