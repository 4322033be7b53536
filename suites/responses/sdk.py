"""What the official SDK makes of a Responses stream: the second reading, apart from ours."""

from typing import Any

from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, shown
from suites.responses.reading import client_answer, events, kind, objects

YIELDS_EVERY_EVENT = Requirement(
    id="responses/sdk/yields-every-event",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-python",
        section="_streaming.py, Stream",
        says="one item per event; an event after a byte-order mark or without its blank line is lost in silence",
    ),
    text="The SDK's loop yields every event that stands in the client's bytes, in order.",
    claims=("contract:102",),
    defects=("earendil-works/pi#8430", "theopenco/llmgateway#2334"),
)
HELPER_ASSEMBLES = Requirement(
    id="responses/sdk/helper-assembles",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-python",
        section="lib/streaming/responses, ResponseStream",
        says="expects response.created first, each item and part added before its deltas, and response.completed for its final response",
    ),
    text="The SDK's stream helper ends with the response that response.completed says.",
    claims=("contract:102",),
    defects=("BerriAI/litellm#36375", "BerriAI/litellm#30072"),
)


def check_yields_every_event(exchange: Exchange) -> Verdict:
    reading = exchange.sdk
    if reading is None or not reading.call.endswith(".create"):
        return Inconclusive("the case was not driven by the SDK's loop over events")
    sent = [kind(seen) for seen in events(exchange.client_events)]
    if reading.error is not None:
        return conclude([_sdk(f"{len(sent)} events and no exception", f"{reading.error.type}: {reading.error.message}"[:200])], "")
    if not sent:
        return Inconclusive("no event reached the client")
    got = [event.get("type") if isinstance(event, dict) else None for event in reading.events]
    differ = next((place for place, (one, other) in enumerate(zip(sent, got, strict=False)) if one != other), min(len(sent), len(got)))
    findings = (
        [_sdk(f"{len(sent)} events, {sent[differ : differ + 2]} at {differ}", f"{len(got)} events, {got[differ : differ + 2]}")]
        if sent != got
        else []
    )
    return conclude(findings, f"{len(got)} events yielded")


def check_helper_assembles(exchange: Exchange) -> Verdict:
    reading = exchange.sdk
    if reading is None or not reading.call.endswith(".stream"):
        return Inconclusive("the case was not driven by the SDK's stream helper")
    if not isinstance(reading.final, dict):
        got = f"{reading.error.type}: {reading.error.message}"[:200] if reading.error else shown(reading.final)
        return conclude([_sdk("a final response", got)], "")
    answer = client_answer(exchange)
    if answer is None:
        return Inconclusive("no response.completed reached the client")
    wanted, came = _told(answer), _told(reading.final)
    findings = [_sdk(shown(wanted[key]), shown(came[key]), f"/{key}") for key in wanted if wanted[key] != came[key]]
    return conclude(findings, f"response {wanted['id']} with {len(wanted['output'])} items assembled")


def _told(response: dict[str, Any]) -> dict[str, Any]:
    """What the helper must have kept: the response's id and status, and what each item says."""
    output = [
        [
            item.get("type"),
            item.get("id"),
            item.get("arguments") or item.get("input"),
            [part.get("text") for part in objects(item.get("content"))],
        ]
        for item in objects(response.get("output"))
    ]
    return {"id": response.get("id"), "status": response.get("status"), "output": output}


def _sdk(expected: str, got: str, pointer: str | None = None) -> Finding:
    return Finding(side=Side.SDK, expected=expected, got=got, pointer=pointer)


def _driven(*, helper: bool) -> Given:
    return Given(surfaces=frozenset({Surface.RESPONSES}), stream=True, sdk=True, also=lambda case: case.helper is helper)


RULES: tuple[Rule, ...] = (
    Rule(YIELDS_EVERY_EVENT, check_yields_every_event, _driven(helper=False)),
    Rule(HELPER_ASSEMBLES, check_helper_assembles, _driven(helper=True)),
)
