"""Loops of calls in streams: what an official SDK puts together from a stream is what its user hands back with the next request.

By each SDK's own means: chat.completions.stream, responses.stream, messages.stream, and google-genai's chats. Ids, arguments and what
proves a thought are those that the gateway told in pieces. One client of the Responses API keeps each item as it stood in its own done
event, as coding agents do, and not as the last event repeats it.
"""

from collections.abc import Iterator
from typing import Any, Final

from harness.case import Case, Dialect, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.route_losses import OnRoute
from harness.transcript_oracle import forms, heard, proofs_to_tell
from harness.verdict import Finding, Inconclusive, Verdict
from suites.evidence import conclude, shown
from suites.steps import failed
from suites.translation.loops import GOES_ON as WHOLE_GOES_ON
from suites.translation.loops import PROVED_ONCE as WHOLE_PROVED_ONCE
from suites.translation.loops import (
    TURNS,
    chat_asks,
    check_goes_on,
    check_proved_once,
    gemini_asks,
    loop_case,
    messages_asks,
    responses_asks,
    turns_before,
)

CASES: tuple[Case, ...] = (
    loop_case(Surface.CHAT, Dialect.ANTHROPIC, chat_asks(), streamed=True),
    loop_case(Surface.CHAT, Dialect.GEMINI, chat_asks(), streamed=True),
    loop_case(Surface.CHAT, Dialect.OPENAI_RESPONSES, chat_asks(), streamed=True),
    loop_case(Surface.MESSAGES, Dialect.GEMINI, messages_asks(), streamed=True),
    loop_case(Surface.MESSAGES, Dialect.OPENAI_RESPONSES, messages_asks(), streamed=True),
    loop_case(Surface.RESPONSES, Dialect.ANTHROPIC, responses_asks("done"), streamed=True),
    loop_case(Surface.RESPONSES, Dialect.GEMINI, responses_asks(), streamed=True),
    loop_case(Surface.GEMINI, Dialect.ANTHROPIC, gemini_asks("turns"), streamed=True),
    loop_case(Surface.GEMINI, Dialect.OPENAI_RESPONSES, gemini_asks("turns"), streamed=True),
)

GOES_ON = Requirement(
    id="translation/stream-loop-goes-on",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=WHOLE_GOES_ON.clause,
    text="A client that hands back what its SDK put together from a stream has its loop go on: the upstream gets each call and result.",
    claims=("contract:115", "contract:236"),
)
PROVED_ONCE = Requirement(
    id="translation/stream-loop-proofs-once",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=WHOLE_PROVED_ONCE.clause,
    text="What proves each thought of a streamed answer goes back to who made it, character for character, and once.",
    claims=("contract:115",),
)
TOLD = Requirement(
    id="translation/stream-loop-proofs-told",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="Streaming thinking",
        says="the signature comes in a signature_delta just before the block ends; other vendors put theirs into an event of the stream",
    ),
    text="What an SDK puts together from a stream has what proves each thought in it: nothing of it is in whole answers alone.",
    claims=("contract:115",),
)


def check_told(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *TURNS)) is not None:
        return why
    client = exchange.case.surface
    losses = OnRoute.of(exchange.promises, client, exchange.upstream_surface).answers
    findings, proofs = [], 0
    for turn in TURNS[1:]:
        said = [heard(exchange.upstream_surface, answer) for answer in turns_before(exchange, turn)]
        wanted = [told for each in said if (told := proofs_to_tell(each, client, losses))]
        proofs = sum(map(len, wanted))
        kept = exchange.step(turn).calls[0].request.json
        findings += _unsealed(turn, len(wanted), kept) if client is Surface.RESPONSES else _missing(turn, wanted, kept)
    return conclude(findings, f"{proofs} proofs") if proofs else Inconclusive("the upstream proved nothing that this client is told")


def _unsealed(turn: str, wanted: int, kept: Any) -> list[Finding]:
    """Of the Responses API, whose `encrypted_content` a gateway may seal in a way of its own: so many answers have at least one each."""
    thoughts = [item for item in kept["input"] if item.get("type") == "reasoning"]
    sealed = [item for item in thoughts if item.get("encrypted_content")]
    if len(sealed) >= wanted:
        return []
    got = f"{len(sealed)} of {len(thoughts)} reasoning items"
    return [Finding(step=turn, pointer="/input", expected=f"encrypted_content in {wanted} or more", got=got)]


def _missing(turn: str, wanted: list[list[str]], kept: Any) -> list[Finding]:
    """A proof may stand inside of another one, as one vendor's in a member of another's."""
    came = b"\n".join(form for text in _texts(kept) for form in forms(text))
    return [
        Finding(step=turn, expected=f"{shown(proof)} in what the SDK put together", got="it is not in it")
        for answer in wanted
        for proof in answer
        if proof.encode() not in came
    ]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


_ON: Final = Given(traits=frozenset({"stream-loop"}), steps=True)

RULES: tuple[Rule, ...] = (
    Rule(GOES_ON, check_goes_on, _ON),
    Rule(PROVED_ONCE, check_proved_once, _ON),
    Rule(TOLD, check_told, _ON),
)
