"""Loops of calls as a client makes them: each request has the answers before it in it, as they came, and a result for each of their calls.

What other cases have for a history is made up beforehand. Here ids, arguments and what proves a thought are those that the gateway gave,
in whole answers; stream_loops.py has them from streams.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness import schema
from harness.asked import Kind, Piece, read, spelled
from harness.case import MARKER, Case, Client, Dialect, Play, Step, Surface
from harness.exchange import Exchange
from harness.recording.scenarios import chat, gemini, messages, responses
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.transcript import CallKind
from harness.transcript_oracle import heard
from harness.verdict import Failed, Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown
from suites.steps import failed
from suites.surfaces import OFFICIAL_ASYNC
from suites.translation.request_rules import SCHEMAS

Body = Mapping[str, Any]

TURNS: Final = ("first", "second", "third")
_TOOLS: Final = ("get_weather", "save_note", "find_order")
_REFUSED: Final = frozenset({400, 409, 413, 415, 422, 500})  # what a gateway says of a request that it cannot put to the vendor
_RESULTS: Final = {"get_weather": "sunny, 21 degrees", "save_note": "the note is kept", "find_order": "the order was sent"}
_USER: Final = f"Look up the weather in Zürich. Note it, and find my order. {MARKER}"
_NAMES: Final = {Dialect.ANTHROPIC: "claude", Dialect.GEMINI: "gemini", Dialect.OPENAI_RESPONSES: "responses"}


def chat_asks() -> tuple[Body, Body, Body]:
    def result(turn: str, place: int, name: str) -> Body:
        return {"role": "tool", "tool_call_id": f"{{{turn}:/choices/0/message/tool_calls/{place}/id}}", "content": _RESULTS[name]}

    turns: list[Any] = [{"role": "user", "content": _USER}]
    one = ["{first:/choices/0/message}", result("first", 0, "get_weather")]
    two = ["{second:/choices/0/message}", result("second", 0, "save_note"), result("second", 1, "find_order")]
    return _grown("messages", turns, one, two, tools=chat.tools(*_TOOLS), reasoning_effort="medium")


def messages_asks() -> tuple[Body, Body, Body]:
    def said(turn: str) -> Body:
        return {"role": "assistant", "content": f"{{{turn}:/content}}"}

    def result(turn: str, place: int, name: str) -> Body:
        return {"type": "tool_result", "tool_use_id": f"{{{turn}:/content/{place}/id}}", "content": _RESULTS[name]}

    turns: list[Any] = [{"role": "user", "content": _USER}]
    one = [said("first"), {"role": "user", "content": [result("first", -1, "get_weather")]}]
    two = [said("second"), {"role": "user", "content": [result("second", -2, "save_note"), result("second", -1, "find_order")]}]
    thinking = {"type": "enabled", "budget_tokens": 2048}
    return _grown("messages", turns, one, two, tools=messages.tools(*_TOOLS), max_tokens=4096, thinking=thinking)


def responses_asks(said: str = "output") -> tuple[Body, Body, Body]:
    """`said`: where an answer has its items."""

    def result(turn: str, place: int, name: str) -> Body:
        return {"type": "function_call_output", "call_id": f"{{{turn}:/{said}/{place}/call_id}}", "output": _RESULTS[name]}

    turns: list[Any] = [{"role": "user", "content": _USER}]
    one = [f"{{first:/{said}}}", result("first", -1, "get_weather")]
    two = [f"{{second:/{said}}}", result("second", -2, "save_note"), result("second", -1, "find_order")]
    include = ["reasoning.encrypted_content"]
    return _grown("input", turns, one, two, tools=responses.tools(*_TOOLS), reasoning={"effort": "medium"}, store=False, include=include)


def gemini_asks(said: str = "candidates/0/content") -> tuple[Body, Body, Body]:
    """Ids are optional there: results are told apart by name. `said`: where an answer has its turn, or its turns."""

    def results(*names: str) -> Body:
        parts = [{"functionResponse": {"name": name, "response": {"output": _RESULTS[name]}}} for name in names]
        return {"role": "user", "parts": parts}

    turns: list[Any] = [{"role": "user", "parts": [{"text": _USER}]}]
    one = [f"{{first:/{said}}}", results("get_weather")]
    two = [f"{{second:/{said}}}", results("save_note", "find_order")]
    thinking = {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048}}
    return _grown("contents", turns, one, two, tools=gemini.tools(*_TOOLS), generationConfig=thinking)


def _grown(name: str, first: list[Any], one: list[Any], two: list[Any], **shared: Any) -> tuple[Body, Body, Body]:
    return {name: first, **shared}, {name: [*first, *one], **shared}, {name: [*first, *one, *two], **shared}


def loop_case(client: Surface, upstream: Dialect, asks: tuple[Body, Body, Body], *, streamed: bool = False) -> Case:
    """`streamed`: by the client's SDK, which puts each answer together."""
    vendor, end = upstream.surface, ".stream" if streamed else ""
    answers = (f"probes/{vendor}-loop{end}", f"probes/{vendor}-loop-again{end}", f"{vendor}/text{end}")
    return Case(
        id=f"translation/loop-{client}-{_NAMES[upstream]}{end}",
        surface=client,
        upstream=upstream,
        play=None,
        steps=tuple(
            Step(
                name=turn,
                surface=client,
                client=OFFICIAL_ASYNC[client] if streamed else Client.RAW,
                helper=streamed,
                stream=streamed,
                request=request,
                plays=(Play(recording=recording),),
            )
            for turn, request, recording in zip(TURNS, asks, answers, strict=True)
        ),
        traits=frozenset({"translated", "stream-loop" if streamed else "loop"}),
    )


CASES: tuple[Case, ...] = (
    loop_case(Surface.CHAT, Dialect.ANTHROPIC, chat_asks()),
    loop_case(Surface.MESSAGES, Dialect.GEMINI, messages_asks()),
    loop_case(Surface.RESPONSES, Dialect.ANTHROPIC, responses_asks()),
    loop_case(Surface.GEMINI, Dialect.OPENAI_RESPONSES, gemini_asks()),
)

GOES_ON = Requirement(
    id="translation/loop-goes-on",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("115, 236", "Tool use identical; one request shape per surface reaches every vendor"),
    text="A client that hands back answers as they came has its loop go on: the upstream gets each of its own calls, with its result.",
    claims=("contract:115", "contract:236"),
)
PROVED_ONCE = Requirement(
    id="translation/loop-proofs-once",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="Preserving thinking blocks",
        says="pass them back exactly as received; other vendors ask the same of theirs",
    ),
    text="In a loop of calls what proves each thought goes back to who made it, character for character, and once.",
)


def turns_before(exchange: Exchange, turn: str) -> list[bytes]:
    """The upstream's answers that the turn's request goes on from."""
    found = []
    for name in TURNS[: TURNS.index(turn)]:
        seen = exchange.step(name)
        response = seen.upstream[-1].response if seen.upstream else None
        found.append(response.text if response is not None else b"")
    return found


def _sent(exchange: Exchange, turn: str) -> Any:
    hops = exchange.step(turn).upstream
    return hops[-1].request.json if hops else None


def _up(turn: str, expected: str, got: str, pointer: str | None = None) -> Finding:
    return Finding(step=turn, side=Side.UPSTREAM, expected=expected, got=got, pointer=pointer)


def _broken_off(exchange: Exchange) -> Verdict | None:
    """Why there was no third turn: that the first one did not come about says nothing of loops, that it led to no other does."""
    if (why := failed(exchange, TURNS[0])) is not None:
        return why
    if not exchange.step(TURNS[0]).upstream:
        return Inconclusive("the upstream was not asked")
    for turn in TURNS[1:]:
        seen = exchange.step(turn)
        if seen.unsent is not None:
            return Failed(Finding(step=turn, expected="an answer before it that a request can go on from", got=seen.unsent))
        if seen.status in _REFUSED and not seen.upstream:
            said = seen.answer.text[:200].decode(errors="replace") if seen.answer else ""
            return Failed(Finding(step=turn, expected="the upstream is asked", got=f"status {seen.status}: {said}"))
        if (why := failed(exchange, turn)) is not None:
            return why
    return None


def check_goes_on(exchange: Exchange) -> Verdict:
    if (why := _broken_off(exchange)) is not None:
        return why
    upstream = exchange.case.upstream
    if upstream is None:
        return Inconclusive("the target does not say what its upstream speaks")
    findings, told = [*_raised(exchange)], 0
    for turn in TURNS[1:]:
        body = _sent(exchange, turn)
        findings += [_up(turn, each.expected, each.got, each.pointer) for each in schema.findings(SCHEMAS[upstream], body)]
        made = [call for answer in turns_before(exchange, turn) for call in heard(upstream.surface, answer).calls]
        wanted = [(call.name, _bare(call.arguments)) for call in made if call.kind is CallKind.FUNCTION]
        pieces = read(upstream.surface, body).pieces
        calls = [piece for piece in pieces if piece.kind is Kind.CALL]
        told = len(wanted)
        if (came := [(call.name, _bare(call.text)) for call in calls]) != wanted:
            findings.append(_up(turn, f"the calls {shown(wanted)}", shown(came)))
        findings += _unanswered(turn, calls, [piece for piece in pieces if piece.kind is Kind.RESULT])
    return conclude(findings, f"{told} calls, each with its result") if told else Inconclusive("the upstream called nothing")


def _raised(exchange: Exchange) -> Iterator[Finding]:
    for turn in TURNS:
        reading = exchange.step(turn).sdk
        if reading is not None and reading.error is not None:
            got = f"{reading.error.type}: {reading.error.message}"[:200]
            yield Finding(step=turn, side=Side.SDK, expected="no exception", got=got)


def _bare(arguments: str) -> str:
    """In one spelling, and without null members, which Google's SDK leaves out."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return arguments
    return spelled(json.dumps({name: item for name, item in value.items() if item is not None}) if isinstance(value, dict) else arguments)


def _unanswered(turn: str, calls: list[Piece], results: list[Piece]) -> list[Finding]:
    """Results in another order are right: the ids pair them."""
    said = {result.id: "".join(part.text for part in result.parts) for result in results}
    findings = [
        _up(turn, f"{_RESULTS.get(call.name)!r} for {call.name}", shown(said.get(call.id)))
        for call in calls
        if _RESULTS.get(call.name, "") not in said.get(call.id, "")
    ]
    if len(results) != len(calls):
        findings.append(_up(turn, f"{len(calls)} results", f"{len(results)}"))
    return findings


def check_proved_once(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *TURNS)) is not None:
        return why
    findings, proofs = [], 0
    for turn in TURNS[1:]:
        asked = json.dumps(_sent(exchange, turn), ensure_ascii=False)
        wanted = [proof for answer in turns_before(exchange, turn) for proof in heard(exchange.upstream_surface, answer).signatures]
        proofs = len(wanted)
        found = {proof: asked.count(proof) for proof in wanted}
        findings += [_up(turn, f"{shown(proof)} once", f"{count} times") for proof, count in found.items() if count != 1]
    return conclude(findings, f"{proofs} proofs, each once") if proofs else Inconclusive("the upstream proved nothing")


_ON: Final = Given(traits=frozenset({"loop"}), steps=True)

RULES: tuple[Rule, ...] = (
    Rule(GOES_ON, check_goes_on, _ON),
    Rule(PROVED_ONCE, check_proved_once, _ON),
)
