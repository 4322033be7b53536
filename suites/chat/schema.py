"""Whether chunks and whole answers have the shape that clients rely on: `schemas/chat`, from the raw bytes."""

from typing import Final

from harness.case import Surface
from harness.exchange import NOT_JSON, Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.schema import findings
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.chat.reading import IMITATIONS
from suites.evidence import at, conclude

CHUNK = Requirement(
    id="chat/schema/chunk",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-chat-streaming",
        section="The chat completion chunk object",
        says="id, object chat.completion.chunk, created, model, choices with index, delta and finish_reason",
    ),
    text="Every chunk is by the schema chat/chunk.",
    claims=("contract:73",),
    defects=("huggingface/text-generation-inference#1782", "LibreChat-AI/agents#260", "Portkey-AI/gateway#858"),
)
COMPLETION = Requirement(
    id="chat/schema/completion",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-chat",
        section="The chat completion object",
        says="id, object chat.completion, created, model, choices with index, message and finish_reason, usage",
    ),
    text="A whole answer is by the schema chat/completion.",
    claims=("contract:72", "contract:73"),
    defects=("vllm-project/semantic-router#2130", "gumieri/nenya#18"),
)


def check_chunk(exchange: Exchange) -> Verdict:
    met = [seen for seen in exchange.client_events if seen.data is not NOT_JSON]
    wrong = [at(seen, pointer=one.pointer, expected=one.expected, got=one.got) for seen in met for one in findings("chat/chunk", seen.data)]
    return conclude(wrong, f"{len(met)} chunks by the schema") if met else Inconclusive("no chunk reached the client")


def check_completion(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok:
        return Inconclusive("no whole answer reached the client")
    if response.json is NOT_JSON:
        return conclude([Finding(expected="a JSON body", got=response.text[:80].decode(errors="replace"))], "")
    wrong = [Finding(pointer=one.pointer, expected=one.expected, got=one.got) for one in findings("chat/completion", response.json)]
    return conclude(wrong, "a completion by the schema")


_CHAT: Final = frozenset({Surface.CHAT})

RULES: tuple[Rule, ...] = (
    Rule(CHUNK, gateway_only(check_chunk), Given(surfaces=_CHAT, stream=True, without=IMITATIONS)),
    Rule(COMPLETION, gateway_only(check_completion), Given(surfaces=_CHAT, stream=False, without=IMITATIONS)),
)
