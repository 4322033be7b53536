"""The second reading: what the official SDK hands its user is what the vendor said.

The SDKs check little, so a gateway's fault may pass through them in silence: a lost event, a repeated id, a usage of nulls.
"""

from collections.abc import Callable
from typing import Final

from harness.case import Outcome
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.transcript import ToolCall, Transcript, canonical, of_sdk, of_upstream
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, native_upstream, shown, text_findings

_NOTHING_READ: Final = Inconclusive("the SDK read no successful answer of a vendor's")


def _sdks(says: str) -> Clause:
    return Clause(source="openai-python", section="Streaming responses", says=says)


RAISES_NOTHING = Requirement(
    id="sdk/raises-nothing",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("5", "Official clients are unmodified."),
    text="The official SDK reads a successful answer to its end without an exception.",
    claims=("contract:1", "contract:2", "contract:5", "contract:18"),
    defects=("BerriAI/litellm#29201", "openai/openai-python#2722", "vllm-project/vllm-ascend#5033"),
)
TEXT = Requirement(
    id="sdk/reads-the-text",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_sdks("the SDK yields each event; helpers put the deltas together"),
    text="The text and the refusal that the SDK shows are the vendor's.",
    claims=("contract:72", "contract:112"),
    defects=("agentjido/req_llm#462",),
)
REASONING = Requirement(
    id="sdk/reads-the-reasoning",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-thinking", section="Preserving thinking blocks", says="pass thinking blocks back unmodified"),
    text="Reasoning and its signatures come out of the SDK as the vendor sent them, fit for the next turn.",
    claims=("contract:89", "contract:121"),
    defects=("magicnight/Mac-MLX#46",),
)
CALLS = Requirement(
    id="sdk/reads-the-tool-calls",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_sdks("the SDK yields each event; helpers put the deltas together"),
    text="The tool calls that the SDK shows have the vendor's ids, names and arguments, in order.",
    claims=("contract:72", "contract:75", "contract:114"),
    defects=("earendil-works/pi#1125", "Kilo-Org/kilocode#13691", "earendil-works/pi#8943"),
)
STOP = Requirement(
    id="sdk/reads-the-stop",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="stop_reason", says="the reason that we stopped"),
    text="The SDK's user learns why the answer stopped, as the vendor said it.",
    claims=("contract:76", "contract:113", "contract:127"),
)
USAGE = Requirement(
    id="sdk/reads-the-usage",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="usage", says="Billing and rate-limit usage."),
    text="The token counts that the SDK shows are the vendor's, class by class.",
    claims=("contract:77", "contract:117", "contract:129"),
    defects=("8monkey-ai/hebo-gateway#187", "icebear0828/codex-proxy#587"),
)


def _sdk(expected: str, got: str) -> Finding:
    return Finding(side=Side.SDK, expected=expected, got=got)


def check_raises_nothing(exchange: Exchange) -> Verdict:
    reading = exchange.sdk
    if reading is None:
        return _NOTHING_READ
    if reading.error is not None:
        return conclude([_sdk("no exception", f"{reading.error.type}: {reading.error.message}"[:200])], "")
    if reading.final is None and not reading.events:
        return conclude([_sdk("an answer", "nothing")], "")
    return conclude([], f"{reading.sdk}, {reading.call}: {len(reading.events) or 1} values")


def _compared(differ: Callable[[Transcript, Transcript], list[Finding]], saw: Callable[[Transcript], str]) -> Callable[[Exchange], Verdict]:
    """A check that sets the SDK's reading beside the vendor's words; `saw` is empty where the vendor had nothing of the sort to say."""

    def check(exchange: Exchange) -> Verdict:
        if not native_upstream(exchange):
            return _NOTHING_READ
        said, read = of_upstream(exchange), of_sdk(exchange)
        if said is None or (read is None and exchange.sdk is None):
            return _NOTHING_READ
        read = read or Transcript()
        findings = differ(said, read)
        met = saw(said)
        return conclude(findings, met) if findings or met else Inconclusive("the vendor said nothing of the sort")

    return check


def _text(said: Transcript, read: Transcript) -> list[Finding]:
    return [*text_findings(said.text, read.text, side=Side.SDK), *text_findings(said.refusal, read.refusal, side=Side.SDK)]


def _reasoning(said: Transcript, read: Transcript) -> list[Finding]:
    findings = text_findings(said.reasoning, read.reasoning, side=Side.SDK)
    if said.signatures != read.signatures:
        findings.append(_sdk(f"signatures {shown(list(said.signatures))}", shown(list(read.signatures))))
    return findings


def _calls(said: Transcript, read: Transcript) -> list[Finding]:
    sent, got = _in_one_spelling(said), _in_one_spelling(read)
    if len(sent) != len(got):
        return [_sdk(f"{len(sent)} calls: {shown(sent)}", f"{len(got)} calls: {shown(got)}")]
    return [_sdk(shown(one), shown(other)) for one, other in zip(sent, got, strict=True) if one != other]


def _in_one_spelling(transcript: Transcript) -> list[tuple[str, str, str]]:
    return [_spelled(call) for call in transcript.calls]


def _spelled(call: ToolCall) -> tuple[str, str, str]:
    return call.id, call.name, canonical(call.arguments)


def _stop(said: Transcript, read: Transcript) -> list[Finding]:
    return [] if said.stop == read.stop else [_sdk(shown(said.stop), shown(read.stop))]


def _usage(said: Transcript, read: Transcript) -> list[Finding]:
    return [
        _sdk(f"{said.usage.get(name, 0)} {name} tokens", f"{read.usage.get(name, 0)}")
        for name in sorted({*said.usage, *read.usage})
        if said.usage.get(name, 0) != read.usage.get(name, 0)
    ]


def _characters(said: Transcript) -> str:
    return f"{len(said.text)} characters of text, {len(said.refusal)} of refusal" if said.text or said.refusal else ""


def _thoughts(said: Transcript) -> str:
    return f"{len(said.reasoning)} characters, {len(said.signatures)} signatures" if said.reasoning or said.signatures else ""


def _named(said: Transcript) -> str:
    return f"{len(said.calls)} calls: {', '.join(call.name for call in said.calls)}" if said.calls else ""


def _counted(said: Transcript) -> str:
    return ", ".join(f"{count} {name}" for name, count in said.usage.items())


_READ: Final = Given(outcomes=frozenset({Outcome.SUCCESS}), sdk=True, sees_upstream=True)


def _with(*traits: str) -> Given:
    wanted = frozenset(traits)
    return Given(outcomes=frozenset({Outcome.SUCCESS}), sdk=True, sees_upstream=True, also=lambda case: bool(wanted & case.traits))


RULES: tuple[Rule, ...] = (
    Rule(RAISES_NOTHING, check_raises_nothing, _READ),
    Rule(TEXT, _compared(_text, _characters), _READ),
    Rule(REASONING, _compared(_reasoning, _thoughts), _with("thinking")),
    Rule(CALLS, _compared(_calls, _named), _with("tools", "parallel-tools")),
    Rule(STOP, _compared(_stop, lambda said: said.stop or ""), _READ),
    Rule(USAGE, _compared(_usage, _counted), _READ),
)
