"""Translators that lose the thread of a loop: calls without arguments, results exchanged, thoughts told twice or not at all."""

from collections.abc import Callable
from typing import Any, Final

from harness.mutation.mutant import Leg, Mutant, named
from harness.mutation.mutants.translation_probes_asked import changing, forgets_redacted

Value = dict[str, Any]

_GOES_ON: Final = "translation/loop-goes-on"
_PROVED: Final = "translation/loop-proofs-once"
_REDACTED: Final = "translation/redacted-thinking-comes-back"


def _blocks(body: Value, kind: str) -> list[Value]:
    """Of a Messages request."""
    held = [turn["content"] for turn in body["messages"] if isinstance(turn["content"], list)]
    return [block for blocks in held for block in blocks if block["type"] == kind]


def _without_arguments(body: Value) -> None:
    for call in _blocks(body, "tool_use"):
        call["input"] = {}


def _exchanged(body: Value) -> None:
    """The results of calls that were made at once."""
    results = _blocks(body, "tool_result")[-2:]
    if len(results) == 2:
        results[0]["tool_use_id"], results[1]["tool_use_id"] = results[1]["tool_use_id"], results[0]["tool_use_id"]


def _without_words(body: Value) -> None:
    """Results are there, and say nothing."""
    for content in body["contents"]:
        for part in content["parts"]:
            if "functionResponse" in part:
                part["functionResponse"]["response"] = {}


def _twice(body: Value) -> None:
    """What the client brought, and what the gateway had kept besides."""
    for turn in body["messages"]:
        if turn["role"] == "assistant" and isinstance(turn["content"], list):
            thoughts = [block for block in turn["content"] if block["type"] in ("thinking", "redacted_thinking")]
            turn["content"] = [*thoughts, *turn["content"]]


def _of_the_first_turn(body: Value) -> None:
    """Reasoning is kept for the newest turn alone."""
    sealed = [item for item in body["input"] if item.get("type") == "reasoning"]
    body["input"] = [item for item in body["input"] if item.get("type") != "reasoning" or item is sealed[-1]]


def _unsigned(body: Value) -> None:
    for content in body["contents"]:
        for part in content["parts"]:
            part.pop("thoughtSignature", None)


def _cut_short(body: Value) -> None:
    for block in _blocks(body, "redacted_thinking"):
        block["data"] = block["data"][:256]


def _mutant(name: str, requirement: str, text: str, change: Callable[[Value], None], *cases: str) -> Mutant:
    return Mutant(
        id=f"translation-{name}",
        requirement=requirement,
        text=text,
        leg=Leg.UPSTREAM,
        ask=changing(change),
        where=named(*(f"translation/{case}" for case in cases)),
    )


MUTANTS: tuple[Mutant, ...] = (
    _mutant("loop-calls-without-arguments", _GOES_ON, "Hands calls back without their arguments.", _without_arguments, "loop-chat-claude"),
    _mutant(
        "loop-results-exchanged",
        _GOES_ON,
        "Hands each of two results back as that of the other call.",
        _exchanged,
        "loop-responses-claude",
    ),
    _mutant("loop-results-unsaid", _GOES_ON, "Hands results on without what they say.", _without_words, "loop-messages-gemini"),
    _mutant("loop-thoughts-twice", _PROVED, "Tells thoughts that the client handed back a second time.", _twice, "loop-chat-claude"),
    _mutant(
        "loop-newest-thought-alone", _PROVED, "Keeps the reasoning of the newest turn alone.", _of_the_first_turn, "loop-gemini-responses"
    ),
    _mutant("loop-unsigned", _PROVED, "Hands calls back without their signatures.", _unsigned, "loop-messages-gemini"),
    _mutant(
        "redacted-not-kept",
        _REDACTED,
        "Keeps the thoughts that can be read, and no redacted one.",
        forgets_redacted,
        "probe-*-redacted-conversation",
    ),
    _mutant(
        "redacted-cut-short",
        _REDACTED,
        "Keeps so much of a redacted thought as fits into its column.",
        _cut_short,
        "probe-*-redacted-conversation",
    ),
)
