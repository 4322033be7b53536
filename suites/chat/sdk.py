"""What the official SDK makes of a chat stream: the second reading, apart from ours."""

from typing import Any

from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.chat.reading import chunks, client_choices, objects, tool
from suites.evidence import conclude, shown, text_findings

YIELDS_EVERY_CHUNK = Requirement(
    id="chat/sdk/yields-every-chunk",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-python",
        section="_streaming.py, Stream",
        says="one item per event up to [DONE]; an event after a byte-order mark or without its blank line is lost in silence",
    ),
    text="The SDK's loop yields every chunk that stands in the client's bytes, with its id.",
    claims=("contract:72",),
    defects=("openai/openai-python#2722", "theopenco/llmgateway#2334", "rexxars/eventsource-parser#31"),
)
HELPER_ASSEMBLES = Requirement(
    id="chat/sdk/helper-assembles",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="openai-python",
        section="lib/streaming/chat, ChatCompletionStream",
        says="accumulates the deltas by choice and tool-call index into a final completion; chunks of another object are left out",
    ),
    text="The SDK's stream helper ends with the text, refusal and tool calls that the chunks say.",
    claims=("contract:72",),
    defects=("maximhq/bifrost#1829", "LibreChat-AI/agents#260"),
)


def check_yields_every_chunk(exchange: Exchange) -> Verdict:
    reading = exchange.sdk
    if reading is None or not reading.call.endswith(".create"):
        return Inconclusive("the case was not driven by the SDK's loop over events")
    sent = [seen.data.get("id") for seen in chunks(exchange.client_events)]
    if not sent and reading.error is None:
        return Inconclusive("no chunk reached the client")
    if reading.error is not None:
        return conclude([_sdk(f"{len(sent)} chunks and no exception", f"{reading.error.type}: {reading.error.message}"[:200])], "")
    got = [event.get("id") if isinstance(event, dict) else None for event in reading.events]
    findings = [_sdk(f"{len(sent)} chunks of id {shown(sent[0])}", f"{len(got)} chunks: {shown(got[:3])}")] if sent != got else []
    return conclude(findings, f"{len(got)} chunks yielded")


def check_helper_assembles(exchange: Exchange) -> Verdict:
    reading = exchange.sdk
    if reading is None or not reading.call.endswith(".stream"):
        return Inconclusive("the case was not driven by the SDK's stream helper")
    if not isinstance(reading.final, dict):
        got = f"{reading.error.type}: {reading.error.message}"[:200] if reading.error else shown(reading.final)
        return conclude([_sdk("a final completion", got)], "")
    finals = {choice.get("index"): choice for choice in objects(reading.final.get("choices"))}
    findings: list[Finding] = []
    said = client_choices(exchange)
    for index, choice in said.items():
        message: Any = finals.get(index, {}).get("message")
        message = message if isinstance(message, dict) else {}
        for key, wanted in (("content", choice.content), ("refusal", choice.refusal)):
            findings += text_findings(wanted or "", str(message.get(key) or ""), pointer=f"/choices/{index}/message/{key}", side=Side.SDK)
        wanted_calls = [(call.id, call.name) for call in choice.calls.values()]
        got_calls = [(call.get("id"), tool(call).get("name")) for call in objects(message.get("tool_calls"))]
        if wanted_calls != got_calls:
            findings.append(_sdk(shown(wanted_calls), shown(got_calls), f"/choices/{index}/message/tool_calls"))
    return conclude(findings, f"{len(said)} choices assembled") if said else Inconclusive("no chunk reached the client")


def _sdk(expected: str, got: str, pointer: str | None = None) -> Finding:
    return Finding(side=Side.SDK, expected=expected, got=got, pointer=pointer)


def _driven(*, helper: bool) -> Given:
    return Given(surfaces=frozenset({Surface.CHAT}), stream=True, sdk=True, also=lambda case: case.helper is helper)


RULES: tuple[Rule, ...] = (
    Rule(YIELDS_EVERY_CHUNK, check_yields_every_chunk, _driven(helper=False)),
    Rule(HELPER_ASSEMBLES, check_helper_assembles, _driven(helper=True)),
)
