"""Tool calls: the client's own and those that the vendor's servers run."""

import json
from functools import partial
from typing import Final

from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, shown
from suites.messages.reading import NO_ANSWER, Block, client_answer, kept, shows, text

INPUT_KEPT = Requirement(
    id="messages/tools/input-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages-streaming",
        section="Input JSON delta",
        says="the deltas are partial JSON strings, whereas the final tool_use.input is always an object",
    ),
    text="A tool's input is the upstream's: streamed, its joined text byte for byte; whole, its value with every number as spelled.",
    claims=("contract:114", "contract:143"),
    defects=("0xShug0/audio.cpp#132", "router-for-me/CLIProxyAPI#1893"),
)
INPUT_IS_JSON = Requirement(
    id="messages/tools/input-is-json",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages-streaming",
        section="Input JSON delta",
        says="You can accumulate the string deltas and parse the JSON once you receive a content_block_stop event",
    ),
    text="The joined partial_json of a tool block is empty or a JSON object, unless the answer was cut at max_tokens.",
    claims=("contract:142",),
)
CALLS_KEPT = Requirement(
    id="messages/tools/calls-kept",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.6 Anthropic Messages", "`tool_use` / `tool_result` / `input_schema` identical."),
    text="Each tool_use block has the upstream's id, name and caller.",
    claims=("contract:114",),
)
IDS_DIFFER = Requirement(
    id="messages/tools/ids-differ",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="Tool use, id",
        says="A unique identifier for this particular tool use block. This will be used to match up the tool results later.",
    ),
    text="Each tool call of an answer has an id of its own, and a name.",
)
STOP_REASON = Requirement(
    id="messages/tools/stop-reason",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="stop_reason", says='"tool_use": the model invoked one or more tools'),
    text="stop_reason is tool_use only where a tool_use block asks the client for something.",
    claims=("contract:113",),
)
SERVER_SIDE_KEPT = Requirement(
    id="messages/tools/server-side-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.6 Anthropic Messages", "Web-search server tool `web_search_20250305` passes through."),
    text="Blocks of tools that the vendor runs, and their results, reach the client complete and in order, encrypted content included.",
    claims=("contract:125",),
    defects=("agentjido/req_llm#1034",),
)


def check_input_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "tool inputs", lambda block: block.is_tool, lambda block: block.input, "/input")


def check_calls_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "tool calls", lambda block: block.type == "tool_use", _head, "")


def _head(block: Block) -> dict[str, object]:
    return {key: value for key, value in block.start.items() if key != "input"}


def check_server_side_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "server-side blocks", lambda block: block.is_server_side, _head, "")


def check_input_is_json(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    if answer is None:
        return NO_ANSWER
    tools = [block for block in answer.blocks if block.is_tool]
    if not tools:
        return Inconclusive("no tool call reached the client")
    findings = []
    cut = 0
    for block in tools:
        if answer.stop_reason == "max_tokens" and block is answer.blocks[-1]:
            cut += 1
        elif not _is_object(block.input):
            seen = block.seen
            findings.append(
                Finding(
                    expected='a JSON object, or "" for none',
                    got=shown(block.input),
                    frame=seen.frame if seen else None,
                    offset=seen.offset if seen else None,
                    pointer=f"/content/{block.place}/input",
                )
            )
    if cut == len(tools):
        return Inconclusive("the only tool input was cut at max_tokens")
    return conclude(findings, f"{len(tools) - cut} tool inputs are JSON objects or empty")


def _is_object(value: object) -> bool:
    if not isinstance(value, str) or value == "":
        return isinstance(value, dict) or value == ""
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def check_ids_differ(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    tools = [block for block in answer.blocks if block.is_tool] if answer else []
    if not tools:
        return Inconclusive("no tool call reached the client")
    seen: set[str] = set()
    findings = []
    for block in tools:
        name = text(block.start.get("id"))
        if not name or name in seen:
            findings.append(Finding(expected="an id of its own", got=shown(block.start.get("id")), pointer=f"/content/{block.place}/id"))
        if not text(block.start.get("name")):
            findings.append(Finding(expected="a name", got=shown(block.start.get("name")), pointer=f"/content/{block.place}/name"))
        seen.add(name)
    return conclude(findings, f"{len(tools)} tool calls, each with a name and an id of its own")


def check_stop_reason(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    if answer is None or answer.stop_reason is None:
        return Inconclusive("no stop_reason reached the client")
    calls = len(answer.of("tool_use"))
    if answer.stop_reason == "tool_use" and not calls:
        return Failed(Finding(expected="a tool_use block", got=f"{len(answer.blocks)} blocks, none of them", pointer="/stop_reason"))
    return Passed(f"stop_reason {answer.stop_reason} with {calls} tool_use blocks")


_given: Final = partial(Given, surfaces=frozenset({Surface.MESSAGES}))
_TOOLS: Final = _given(also=shows("tools"))
_ANY_TOOLS: Final = _given(also=shows("tools", "web-search"))

RULES: tuple[Rule, ...] = (
    Rule(INPUT_KEPT, check_input_kept, _ANY_TOOLS),
    Rule(INPUT_IS_JSON, gateway_only(check_input_is_json), _ANY_TOOLS),
    Rule(CALLS_KEPT, check_calls_kept, _TOOLS),
    Rule(IDS_DIFFER, gateway_only(check_ids_differ), _ANY_TOOLS),
    Rule(STOP_REASON, gateway_only(check_stop_reason), _given()),
    Rule(SERVER_SIDE_KEPT, check_server_side_kept, _given(also=shows("web-search"))),
)
