"""The request's way there: what the client asked in its protocol is what the vendor is asked in its own, minus the declared losses.

Each body is read by itself (harness/request_oracle.py); one requirement for each thing that a request says. What the vendor gets is judged
by the closed schema of its own protocol, too.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from harness import schema
from harness.case import CELL, Case, Dialect, Outcome, Surface
from harness.exchange import NOT_JSON, Exchange, value, values
from harness.request_oracle import Aspect, Seen, compare
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.route_losses import OnRoute
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown
from suites.translation.request_cases import ASKED, REFUSED_PATH
from suites.translation.seldom_cases import UNSAYABLE

_NOT_ASKED: Final = Inconclusive("the vendor was not asked in another protocol than the client's")
_JSON_RANGES: Final = frozenset({"application/json", "application/*", "*/*"})
_NEVER: Final = re.compile(r";q=0(\.0*)?(;|$)")
SCHEMAS: Final = {
    Dialect.OPENAI_CHAT: "chat/request",
    Dialect.OPENAI_RESPONSES: "responses/request",
    Dialect.ANTHROPIC: "messages/request",
    Dialect.GEMINI: "gemini/request",
    Dialect.DEEPSEEK_CHAT: "chat/deepseek-request",
    Dialect.DEEPSEEK_ANTHROPIC: "messages/deepseek-request",
}


_EVERY_MODEL: Final = contract_clause("1.4 to 1.7", "One request shape per surface reaches every listed vendor by changing only `model`.")


def _request(name: str, text: str, severity: Severity = Severity.SILENT_WRONG) -> Requirement:
    return Requirement(
        id=f"translation/request-{name}",
        severity=severity,
        basis=Basis.DOCUMENTED,
        clause=_EVERY_MODEL,
        text=text,
        claims=("contract:236",),
    )


OF_ASPECT: Final[Mapping[Aspect, Requirement]] = {
    Aspect.SYSTEM: _request("system", "The vendor is told every system text, in order and character for character."),
    Aspect.TEXTS: _request("texts", "The vendor is told what user and assistant said, turn by turn, character for character."),
    Aspect.ORDER: _request("order", "What a user shows and says reaches the vendor in the user's order."),
    Aspect.IMAGES: _request("images", "Every image reaches the vendor, byte for byte, in its turn."),
    Aspect.DOCUMENTS: _request("documents", "Every document reaches the vendor, byte for byte, in its turn."),
    Aspect.TITLES: _request("titles", "A document that the client named reaches the vendor under that name, or the client is told."),
    Aspect.DETAILS: _request(
        "image-details", "In which detail an image is to be seen reaches the vendor, or the client is told.", Severity.COST
    ),
    Aspect.CALLS: _request("calls", "Every call of the history reaches the vendor, with its tool's name and its arguments."),
    Aspect.RESULTS: _request(
        "results", "Every result reaches the vendor as that of its own call, with its words, and as an error if it is one."
    ),
    Aspect.TOOLS: _request("tools", "Every tool reaches the vendor with its name, description and schema; what a schema loses is told."),
    Aspect.CHOICE: _request("tool-choice", "Which tools may or must be called is what the client said."),
    Aspect.PARALLEL: _request("parallel-calls", "Whether several calls may be made at once is what the client said."),
    Aspect.LIMIT: _request("limit", "The answer's limit is the client's, or the client is told of the other.", Severity.COST),
    Aspect.SAMPLING: _request("sampling", "Temperature, top_p and their like are the client's; none is made up."),
    Aspect.STOP: _request("stop", "The answer ends at the client's stop sequences, or the client is told that it does not."),
    Aspect.OUTPUT: _request("output", "The form that the client wants its answer in is asked of the vendor, by its mechanism or another."),
    Aspect.THINKING: _request("thinking", "The model thinks where the client wants it to, and not where it does not.", Severity.COST),
    Aspect.EFFORT: _request(
        "effort", "How hard the model is to think reaches the vendor, by a word or a budget, or the client is told.", Severity.COST
    ),
    Aspect.TIER: _request("service-tier", "The tier of service is the client's, or the client is told; none is made up.", Severity.COST),
    Aspect.USER: _request("user", "A vendor that wants to know for whom it works is told, by the client's name or another."),
    Aspect.REASONING: _request(
        "reasoning", "What proves a thought goes back to the family that made it, and a thought to no other.", Severity.SECURITY
    ),
    Aspect.CACHE: _request(
        "cache-marks", "A vendor that goes by cache marks gets them, each on the same thing, for as long.", Severity.COST
    ),
    Aspect.WARNED: _request("warned", "Whatever the gateway declares that it drops, it names in a header of the answer."),
}
SHAPE = _request("shape", "What the vendor is sent has the shape that its protocol describes.", Severity.BREAKS_SDK)
UNKNOWN = _request("unknown-member", "The vendor is sent no member that its protocol does not have.", Severity.BREAKS_SDK)
ACCEPT = Requirement(
    id="translation/request-accept",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="12.5.1 Accept", says="specifies the media types that are acceptable in the response"),
    text="Where no stream is asked for, the accept header that the vendor gets admits application/json.",
)
REFUSAL = Requirement(
    id="translation/refusal-names-path",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.13", "400 unsupported_feature, with the path of what is not supported"),
    text="What cannot be said to the vendor is refused with 400, and the refusal names where it stands in the request.",
    claims=("contract:236",),
)
UNSAYABLE_TOLD = Requirement(
    id="translation/unsayable-told",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.13", "400 unsupported_feature, with the path of what is not supported"),
    text="What a vendor cannot be asked for is refused before it is called, or the client is told what became of it.",
    claims=("contract:236",),
)

_last: list[tuple[Exchange, dict[Aspect, Seen]]] = []  # one exchange is judged by many rules, one after the other


def _seen(exchange: Exchange) -> dict[Aspect, Seen] | None:
    """None where nothing was translated, or nobody was asked."""
    if _last and _last[0][0] is exchange:
        return _last[0][1]
    upstream, response = exchange.case.upstream, exchange.client.response
    if upstream is None or upstream.surface is exchange.case.surface or not exchange.upstream or response is None:
        return None
    losses = OnRoute.of(exchange.promises, exchange.case.surface, upstream.surface)
    warning = value(response.headers, losses.warning_header) if losses.warning_header else None
    asked, sent = exchange.client.request.json, exchange.upstream[-1].request.json
    made = compare(exchange.case.surface, asked, upstream, sent, losses=losses, warning=warning or "")
    _last[:] = [(exchange, made)]
    return made


def _check(aspect: Aspect) -> Callable[[Exchange], Verdict]:
    def check(exchange: Exchange) -> Verdict:
        seen = _seen(exchange)
        if seen is None:
            return _NOT_ASKED
        found = seen[aspect]
        if found.what is None:
            return Inconclusive(f"the client asked for nothing that is about {aspect}")
        return conclude(found.findings, found.what)

    return check


def _violations(exchange: Exchange) -> tuple[str, tuple[schema.Violation, ...]] | None:
    upstream = exchange.case.upstream
    if upstream is None or upstream.surface is exchange.case.surface or not exchange.upstream:
        return None
    name, body = SCHEMAS[upstream], exchange.upstream[-1].request.json
    return name, schema.findings(name, body)


def _is_unknown(violation: schema.Violation) -> bool:
    return violation.expected.startswith("no key ")


def check_shape(exchange: Exchange) -> Verdict:
    found = _violations(exchange)
    if found is None:
        return _NOT_ASKED
    return conclude([_up(each) for each in found[1] if not _is_unknown(each)], f"a body of {found[0]}")


def check_unknown(exchange: Exchange) -> Verdict:
    found = _violations(exchange)
    if found is None:
        return _NOT_ASKED
    return conclude([_up(each) for each in found[1] if _is_unknown(each)], f"no member but those of {found[0]}")


def _up(violation: schema.Violation) -> Finding:
    return Finding(side=Side.UPSTREAM, expected=violation.expected, got=violation.got, pointer=violation.pointer)


def check_accept(exchange: Exchange) -> Verdict:
    """A request without the header takes anything (RFC 9110 12.5.1). Streams are not judged: OpenAI's SDK asks for them as for JSON."""
    if not exchange.upstream:
        return _NOT_ASKED
    lines = values(exchange.upstream[-1].request.headers, "accept")
    ranges = [part.replace(" ", "").lower() for line in lines for part in line.split(",") if part.strip()]
    admitted = {name.partition(";")[0] for name in ranges if not _NEVER.search(name)}
    if not ranges or admitted & _JSON_RANGES:
        return conclude([], f"accept {', '.join(lines) or 'of no word'}")
    return conclude([Finding(side=Side.UPSTREAM, expected="an accept that admits application/json", got=shown(", ".join(lines)))], "")


def check_refusal(exchange: Exchange) -> Verdict:
    """OpenAI's envelope has `param` and `code` for it; the others have a message."""
    path, response = REFUSED_PATH[exchange.case.surface], exchange.client.response
    if response is None:
        return Inconclusive("the client got no answer")
    body = response.json if response.json is not NOT_JSON else None
    told = body.get("error") if isinstance(body, dict) else None
    error: dict[str, object] = told if isinstance(told, dict) else {}
    findings = []
    if response.status != 400:
        findings.append(Finding(expected="status 400", got=f"status {response.status}"))
    if exchange.case.surface in (Surface.CHAT, Surface.RESPONSES):
        findings += [
            Finding(expected=wanted, got=shown(error.get(name)), pointer=f"/error/{name}")
            for name, wanted in (("param", path), ("code", "unsupported_feature"))
            if error.get(name) != wanted
        ]
    if path not in {word.strip(".,:;") for word in str(error.get("message", "")).split()}:
        findings.append(Finding(expected=f"a message that names {path}", got=shown(error.get("message")), pointer="/error/message"))
    return conclude(findings, f"400 that names {path}")


def check_unsayable(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return Inconclusive("the client got no answer")
    if not response.ok:
        called = [Finding(side=Side.UPSTREAM, expected="no call", got=f"{len(exchange.upstream)}")] if exchange.upstream else []
        return conclude(called, f"refused with {response.status}")
    seen = _seen(exchange)
    return _NOT_ASKED if seen is None else conclude([each for found in seen.values() for each in found.findings], "told in the header")


def _translated(case: Case) -> bool:
    return case.upstream is not None and case.upstream.surface is not case.surface and bool({ASKED, CELL} & case.traits)


_GIVEN: Final = Given(sees_upstream=True, also=_translated)

RULES: tuple[Rule, ...] = (
    *(Rule(requirement, _check(aspect), _GIVEN) for aspect, requirement in OF_ASPECT.items()),
    Rule(SHAPE, check_shape, _GIVEN),
    Rule(UNKNOWN, check_unknown, _GIVEN),
    Rule(ACCEPT, check_accept, Given(stream=False, sees_upstream=True, also=_translated)),
    Rule(
        UNSAYABLE_TOLD,
        check_unsayable,
        Given(outcomes=frozenset({Outcome.REFUSED}), traits=frozenset({UNSAYABLE}), sees_upstream=True),
    ),
    Rule(REFUSAL, check_refusal, Given(outcomes=frozenset({Outcome.REFUSED}), traits=frozenset({"asked-refused"}), sees_upstream=False)),
)
