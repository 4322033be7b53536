"""Faulty gateways that the official SDKs do not notice, but their users do."""

import re
from typing import Final

from harness.case import Case
from harness.mutation.mutant import Mutant, on_body

_TOKENS: Final = re.compile(rb'("(?:completion_tokens|output_tokens|candidatesTokenCount)": ?)(\d+)')
_STOPS: Final = re.compile(
    rb'("(?:finish_reason|stop_reason|finishReason|status)": ?)"(?:stop|tool_calls|end_turn|tool_use|STOP|completed)"'
)
_IDS: Final = re.compile(rb'"(call_|toolu_)')
_NAMES: Final = re.compile(rb'("functionCall": ?\{\s*"name": ?")')


def _no_json(body: bytes) -> bytes:
    """The first value is cut: whoever parses it raises."""
    return body.replace(b"}", b"", 1) if body.startswith((b"data", b"event")) else body[: len(body) // 2]


def _longer_text(body: bytes) -> bytes:
    """One word more in the first text."""
    changed, count = re.subn(rb'("(?:content|text|delta)": ?")(?=[^"])', rb"\1Well, ", body, count=1)
    return changed if count else body


def _other_thoughts(body: bytes) -> bytes:
    return re.sub(rb'("(?:signature|encrypted_content|thoughtSignature)": ?"|"reasoning_content": ?")(?=[^"])', rb"\1x", body)


def _other_ids(body: bytes) -> bytes:
    return _NAMES.sub(rb"\1x_", _IDS.sub(rb'"gw_\1', body))


def _thinks(case: Case) -> bool:
    return "thinking" in case.traits


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="sdk-broken-json",
        requirement="sdk/raises-nothing",
        text="Loses a byte of JSON.",
        answer=on_body(_no_json),
    ),
    Mutant(
        id="sdk-longer-text",
        requirement="sdk/reads-the-text",
        text="Adds a word of its own to the text.",
        answer=on_body(_longer_text),
    ),
    Mutant(
        id="sdk-other-signatures",
        requirement="sdk/reads-the-reasoning",
        text="Changes what proves the reasoning on the next turn.",
        answer=on_body(_other_thoughts),
        where=_thinks,
    ),
    Mutant(
        id="sdk-other-call-ids",
        requirement="sdk/reads-the-tool-calls",
        text="Gives tool calls ids of its own.",
        answer=on_body(_other_ids),
    ),
    Mutant(
        id="sdk-always-length",
        requirement="sdk/reads-the-stop",
        text="Says that every answer was cut at its length.",
        answer=on_body(lambda body: _STOPS.sub(rb'\1"length"', body)),
    ),
    Mutant(
        id="sdk-usage-doubled",
        requirement="sdk/reads-the-usage",
        text="Counts output tokens twice.",
        answer=on_body(lambda body: _TOKENS.sub(lambda found: found[1] + b"%d" % (2 * int(found[2]) + 1), body)),
    ),
)
