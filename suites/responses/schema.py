"""Whether events and whole answers have the shape that clients rely on: `schemas/responses`, from the raw bytes."""

from typing import Final

from harness.case import Surface
from harness.exchange import NOT_JSON, Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.schema import findings
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import at, conclude

EVENT = Requirement(
    id="responses/schema/event",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-responses-streaming",
        section="Streaming events",
        says="type and sequence_number, and by the type: item_id, output_index, content_index, delta, item, part, response",
    ),
    text="Every event is by the schema responses/event.",
    claims=("contract:102",),
    defects=("lemonade-sdk/lemonade#3607", "BerriAI/litellm#28899"),
)
RESPONSE = Requirement(
    id="responses/schema/response",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-responses",
        section="The response object",
        says="id, object response, created_at, status, model, output, parallel_tool_calls, tool_choice, tools, usage",
    ),
    text="A whole answer is by the schema responses/response.",
    claims=("contract:99",),
)


def check_event(exchange: Exchange) -> Verdict:
    met = [seen for seen in exchange.client_events if seen.data is not NOT_JSON]
    wrong = [
        at(seen, pointer=one.pointer, expected=one.expected, got=one.got) for seen in met for one in findings("responses/event", seen.data)
    ]
    return conclude(wrong, f"{len(met)} events by the schema") if met else Inconclusive("no event reached the client")


def check_response(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok:
        return Inconclusive("no whole answer reached the client")
    if response.json is NOT_JSON:
        return conclude([Finding(expected="a JSON body", got=response.text[:80].decode(errors="replace"))], "")
    if isinstance(response.json, dict) and response.json.get("object", "response") != "response":
        return Inconclusive("the body is another object of this path")
    wrong = [Finding(pointer=one.pointer, expected=one.expected, got=one.got) for one in findings("responses/response", response.json)]
    return conclude(wrong, "a response by the schema")


_RESPONSES: Final = frozenset({Surface.RESPONSES})

RULES: tuple[Rule, ...] = (
    Rule(EVENT, gateway_only(check_event), Given(surfaces=_RESPONSES, stream=True)),
    Rule(RESPONSE, gateway_only(check_response), Given(surfaces=_RESPONSES, stream=False)),
)
