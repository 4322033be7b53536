"""What the parts say: text, thoughts and their signatures, function calls."""

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, shown, text_findings
from suites.gemini.reading import (
    NO_ANSWER,
    NOT_COMPARABLE,
    Part,
    client_chunks,
    object_of,
    parts,
    said,
    shows,
    upstream_chunks,
)
from suites.values import ABSENT, differences

_NATIVE: Final = contract_clause("1.8 Streaming", "The upstream stream is piped 1:1 on native routes.")

TEXT_KEPT = Requirement(
    id="gemini/content/text-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="The text of each candidate is the upstream's, character for character, and no thought is mixed into it.",
    claims=("contract:143",),
    defects=("musistudio/claude-code-router#1672",),
)
THOUGHTS_KEPT = Requirement(
    id="gemini/content/thoughts-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="google-genai-python",
        section="types.Part.thought",
        says="Indicates whether the `part` represents the model's thought process or reasoning.",
    ),
    text="Thoughts stay marked as thoughts and keep their text.",
)
SIGNATURES_KEPT = Requirement(
    id="gemini/content/signatures-kept",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="google-genai-python",
        section="types.Part.thought_signature",
        says="An opaque signature for the thought so it can be reused in subsequent requests.",
    ),
    text="Each thoughtSignature rides on its own part, as the upstream wrote it to the last character.",
)
ROLE_MODEL = Requirement(
    id="gemini/content/role-model",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="gemini-generate-content", section="Content.role", says="The producer of the content. Must be either 'user' or 'model'."
    ),
    text="Content that has parts has the role model: clients put it into the next turn as it is.",
)
ARGS_OBJECT = Requirement(
    id="gemini/tools/args-object",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.7 Gemini native", "`functionCall.args` is an object."),
    text="functionCall.args is an object, never text.",
    claims=("contract:133",),
)
ARGS_KEPT = Requirement(
    id="gemini/tools/args-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="A function call's args are the upstream's, with every number as it was spelled and every null.",
    claims=("contract:133", "contract:143"),
    defects=("0xShug0/audio.cpp#132",),
)
CALLS_KEPT = Requirement(
    id="gemini/tools/calls-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_NATIVE,
    text="Each function call has the upstream's name, its id if it had one, and its place.",
    claims=("contract:143",),
)


def check_text_kept(exchange: Exchange) -> Verdict:
    return _texts(exchange, thought=False, what="text")


def check_thoughts_kept(exchange: Exchange) -> Verdict:
    return _texts(exchange, thought=True, what="thoughts")


def _texts(exchange: Exchange, *, thought: bool, what: str) -> Verdict:
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if not ours:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    wanted, got = said(theirs, thought=thought), said(ours, thought=thought)
    if not wanted and not got:
        return Inconclusive(f"the upstream sent no {what}")
    findings = [
        found
        for index in sorted({*wanted, *got})
        for found in text_findings(wanted.get(index, ""), got.get(index, ""), pointer=f"/candidates/{index}/content")
    ]
    return conclude(findings, f"{sum(map(len, got.values()))} characters of {what}, as the upstream sent them")


def _kept(exchange: Exchange, what: str, chosen: Callable[[Part], bool], of: Callable[[Part], Any], pointer: str) -> Verdict:
    """Whether the chosen parts say to the client what they said to the gateway."""
    theirs, ours = upstream_chunks(exchange), client_chunks(exchange)
    if not ours:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    expected, got = ([part for part in parts(chunks) if chosen(part)] for chunks in (theirs, ours))
    if not expected and not got:
        return Inconclusive(f"the upstream sent no {what}")
    findings: list[Finding] = []
    for one, other in zip_longest(expected, got):
        seen = other.chunk.seen if other is not None else None
        findings += differences(
            ABSENT if one is None else of(one),
            ABSENT if other is None else of(other),
            pointer=f"{(other or one).pointer}{pointer}",
            frame=seen.frame if seen else None,
            offset=seen.offset if seen else None,
        )
    return conclude(findings, f"{len(got)} {what}, as the upstream sent them")


def check_signatures_kept(exchange: Exchange) -> Verdict:
    return _kept(
        exchange,
        "signed parts",
        lambda part: "thoughtSignature" in part.value,
        lambda part: {"part": part.kind, "thoughtSignature": part.value["thoughtSignature"]},
        "",
    )


def _is_call(part: Part) -> bool:
    return "functionCall" in part.value


def check_args_kept(exchange: Exchange) -> Verdict:
    return _kept(
        exchange,
        "function calls",
        _is_call,
        lambda part: {name: value for name, value in object_of(part.exact["functionCall"]).items() if name not in ("name", "id")},
        "/functionCall",
    )


def check_calls_kept(exchange: Exchange) -> Verdict:
    return _kept(
        exchange,
        "function calls",
        _is_call,
        lambda part: {name: value for name, value in object_of(part.value["functionCall"]).items() if name in ("name", "id")},
        "/functionCall",
    )


def check_args_object(exchange: Exchange) -> Verdict:
    calls = [part for part in parts(client_chunks(exchange)) if "args" in object_of(part.value.get("functionCall"))]
    findings = [
        Finding(
            expected="an object",
            got=shown(part.value["functionCall"]["args"]),
            pointer=f"{part.pointer}/functionCall/args",
            frame=part.chunk.seen.frame if part.chunk.seen else None,
            offset=part.chunk.seen.offset if part.chunk.seen else None,
        )
        for part in calls
        if not isinstance(part.value["functionCall"]["args"], dict)
    ]
    return conclude(findings, f"{len(calls)} function calls with an object of args") if calls else Inconclusive("no function call has args")


def check_role_model(exchange: Exchange) -> Verdict:
    contents = {(id(part.chunk), part.at[0]): part for part in parts(client_chunks(exchange))}
    findings = []
    for part in contents.values():
        role = part.chunk.value["candidates"][part.at[0]]["content"].get("role")
        if role != "model":
            seen = part.chunk.seen
            findings.append(
                Finding(
                    expected='"model"',
                    got=shown(role),
                    pointer=f"{part.chunk.pointer}/candidates/{part.at[0]}/content/role",
                    frame=seen.frame if seen else None,
                    offset=seen.offset if seen else None,
                )
            )
    return conclude(findings, f"{len(contents)} contents of the model") if contents else Inconclusive("no part reached the client")


_given: Final = partial(Given, surfaces=frozenset({Surface.GEMINI}))
_CALLS: Final = _given(also=shows("tools"))

RULES: tuple[Rule, ...] = (
    Rule(TEXT_KEPT, check_text_kept, _given(also=shows("text"))),
    Rule(THOUGHTS_KEPT, check_thoughts_kept, _given(also=shows("thinking"))),
    Rule(SIGNATURES_KEPT, check_signatures_kept, _given(also=shows("thinking", "parallel-tools"))),
    Rule(ROLE_MODEL, gateway_only(check_role_model), _given(without=frozenset({"blocked", "refusal", "empty"}))),
    Rule(ARGS_OBJECT, gateway_only(check_args_object), _CALLS),
    Rule(ARGS_KEPT, check_args_kept, _CALLS),
    Rule(CALLS_KEPT, check_calls_kept, _CALLS),
)
