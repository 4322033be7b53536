"""What the blocks say: text and citations, thinking and its signature, redacted thinking. Nothing is lost, trimmed or moved."""

from collections.abc import Callable
from functools import partial
from typing import Final

from harness.case import Route, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, shown
from suites.messages.reading import NO_ANSWER, Block, client_answer, kept, shows, upstream_answer

_THOUGHT: Final = ("thinking", "redacted_thinking")

TEXT_KEPT = Requirement(
    id="messages/content/text-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.8 Streaming", "The upstream stream is piped 1:1 on native routes."),
    text="Each text block has the upstream's text, character for character; several blocks stay several.",
    claims=("contract:143",),
    defects=("musistudio/claude-code-router#1672",),
)
CITATIONS_KEPT = Requirement(
    id="messages/content/citations-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="TextBlock.citations",
        says="Citations supporting the text block. The type of citation returned will depend on the type of document being cited.",
    ),
    text="Each citation of a text block reaches the client, complete and in order.",
    claims=("contract:125",),
    defects=("experientiallabs/experiential#690",),
)
ORDER_KEPT = Requirement(
    id="messages/content/order-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="content",
        says="This is an array of content blocks, each of which has a `type` that determines its shape.",
    ),
    text="The blocks stand in the upstream's order, whatever their type.",
    claims=("contract:143",),
    defects=("agentjido/req_llm#1034",),
)
THINKING_KEPT = Requirement(
    id="messages/thinking/text-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="ThinkingBlock",
        says="When passing thinking blocks back to the API (required when using tools with extended thinking), "
        "pass them back exactly as received, with this field intact.",
    ),
    text="Each thinking block has the upstream's text, character for character, an empty one included.",
    claims=("contract:121",),
)
SIGNATURE_KEPT = Requirement(
    id="messages/thinking/signature-kept",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="ThinkingBlock.signature",
        says="This is an opaque field and should not be interpreted or parsed.",
    ),
    text="Each signature is the upstream's, to the last character: the next turn is refused without it.",
    claims=("contract:121",),
    defects=("kaitranntt/ccs#415", "Wei-Shaw/sub2api#1776"),
)
SIGNATURE_LAST = Requirement(
    id="messages/thinking/signature-last",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages-streaming",
        section="Thinking delta",
        says="For thinking content, a special signature_delta event is sent just before the content_block_stop event.",
    ),
    text="In a streamed thinking block one signature_delta comes, behind all of its thinking.",
)
REDACTED_KEPT = Requirement(
    id="messages/thinking/redacted-kept",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="Thinking redaction",
        says="pass them back exactly as received, with this field intact",
    ),
    text="Each redacted_thinking block reaches the client with its data, to the last character.",
    claims=("contract:121",),
)
THINKING_FIRST = Requirement(
    id="messages/thinking/before-text",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.6 Anthropic Messages", "`thinking` blocks preserved and placed before text."),
    text="Thinking stands before the text that it led to; on a native route where the upstream put it.",
    claims=("contract:121",),
    defects=("agentjido/req_llm#1034",),
)


def check_text_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "text blocks", lambda block: block.type == "text", lambda block: block.text, "/text")


def check_citations_kept(exchange: Exchange) -> Verdict:
    theirs = upstream_answer(exchange)
    if theirs is not None and not any(block.citations for block in theirs.of("text")):
        return Inconclusive("the upstream cited nothing")
    return kept(
        exchange, "text blocks with their citations", lambda block: block.type == "text", lambda block: block.citations, "/citations"
    )


def check_order_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "blocks", lambda block: True, lambda block: block.type, "/type")


def check_thinking_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "thinking blocks", lambda block: block.type == "thinking", lambda block: block.thinking, "/thinking")


def check_signature_kept(exchange: Exchange) -> Verdict:
    return kept(exchange, "signed thinking blocks", lambda block: block.type == "thinking", lambda block: block.signature, "/signature")


def check_redacted_kept(exchange: Exchange) -> Verdict:
    return kept(
        exchange,
        "redacted_thinking blocks",
        lambda block: block.type == "redacted_thinking",
        lambda block: block.start.get("data"),
        "/data",
    )


def check_signature_last(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    blocks = [block for block in answer.of("thinking") if block.seen is not None] if answer else []
    if not blocks:
        return Inconclusive("no thinking was streamed to the client")
    if exchange.route is Route.TRANSLATED:  # not every vendor proves its thoughts; the oracle compares the proofs that there are
        blocks = [block for block in blocks if any(delta.get("type") == "signature_delta" for _, delta in block.deltas)]
        if not blocks:
            return Inconclusive("no thought that reached the client has a signature")
    findings = [wrong for block in blocks for wrong in _signature(block)]
    return conclude(findings, f"{len(blocks)} thinking blocks, each closed by its signature")


def _signature(block: Block) -> list[Finding]:
    kinds = [delta.get("type") for _, delta in block.deltas]
    assert block.seen is not None
    if kinds.count("signature_delta") == 1 and kinds[-1] == "signature_delta":
        return []
    seen = block.deltas[-1][0] if block.deltas else block.seen
    return [
        Finding(
            expected="one signature_delta at the block's end",
            got=shown(kinds[-3:]) + (" (the last of many)" if len(kinds) > 3 else ""),
            frame=seen.frame,
            offset=seen.offset,
            pointer="/delta/type",
        )
    ]


def check_thinking_first(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    if answer is None:
        return NO_ANSWER
    order = _first_places(answer.blocks)
    if order is None:
        return Inconclusive("no thinking beside text reached the client")
    thought, said = order
    vendors = upstream_answer(exchange)
    wanted = _first_places(vendors.blocks) if vendors else None
    if thought < said or (wanted is not None and wanted[0] > wanted[1]):
        return Passed(f"thinking at /content/{thought}, text at /content/{said}")
    block = answer.blocks[thought]
    frame, offset = (block.seen.frame, block.seen.offset) if block.seen else (None, None)
    return Failed(
        Finding(expected="thinking before text", got=f"text at {said}", frame=frame, offset=offset, pointer=f"/content/{thought}")
    )


def _first_places(blocks: list[Block]) -> tuple[int, int] | None:
    """Where the first thinking and the first text stand; None where one of them is missing."""
    thought = next((block.place for block in blocks if block.type in _THOUGHT), None)
    said = next((block.place for block in blocks if block.type == "text"), None)
    return None if thought is None or said is None else (thought, said)


_given: Final = partial(Given, surfaces=frozenset({Surface.MESSAGES}))


def _rule(requirement: Requirement, check: Callable[[Exchange], Verdict], *traits: str, stream: bool | None = None) -> Rule:
    return Rule(requirement, check, _given(stream=stream, also=shows(*traits) if traits else None))


RULES: tuple[Rule, ...] = (
    _rule(TEXT_KEPT, check_text_kept, "text"),
    _rule(CITATIONS_KEPT, check_citations_kept, "web-search"),
    Rule(ORDER_KEPT, check_order_kept, _given(without=frozenset({"empty"}))),
    _rule(THINKING_KEPT, check_thinking_kept, "thinking"),
    _rule(SIGNATURE_KEPT, check_signature_kept, "thinking"),
    _rule(SIGNATURE_LAST, gateway_only(check_signature_last), "thinking", stream=True),
    _rule(REDACTED_KEPT, check_redacted_kept, "redacted-thinking"),
    _rule(THINKING_FIRST, check_thinking_first, "thinking"),
)
