"""What a vendor has to be asked so that it answers as the client expects it: where, as a stream, and with all that it leaves out unasked.

The recorded answers come however the request reads: nothing but the request itself shows that a real vendor would have given them.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from harness.case import Case, Dialect, Surface
from harness.exchange import Exchange, Request
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import clause, conclude, contract_clause, shown
from suites.messages.reading import object_of

_NOT_ASKED: Final = Inconclusive("the vendor was not asked in another protocol than the client's")
_SEALED: Final = "reasoning.encrypted_content"
_ENDPOINTS: Final = {Surface.CHAT: "/chat/completions", Surface.RESPONSES: "/responses", Surface.MESSAGES: "/messages"}
_GENERATE: Final = (":generateContent", ":streamGenerateContent")
_OWN_CREDENTIALS: Final = {
    Surface.CHAT: frozenset({"authorization"}),
    Surface.RESPONSES: frozenset({"authorization"}),
    Surface.MESSAGES: frozenset({"x-api-key", "authorization"}),
    Surface.GEMINI: frozenset({"x-goog-api-key"}),
}
_CREDENTIALS: Final = frozenset().union(*_OWN_CREDENTIALS.values())


ENDPOINT = Requirement(
    id="translation/request-endpoint",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-chat", "Create chat completion", "POST /v1/chat/completions; other protocols have an endpoint of their own"),
    text="A translated request goes to the endpoint of the protocol that it is written in.",
    claims=("contract:236",),
)
CREDENTIAL = Requirement(
    id="translation/request-credential",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("21", "x-api-key on Messages; Bearer on Chat and Responses; x-goog-api-key on /v1beta"),
    text="With a translated request the vendor gets just one credential, in a header that it reads.",
)
STREAM = Requirement(
    id="translation/stream-asked-for",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-chat", "stream", "If set to true, the model response data will be streamed to the client as it is generated"),
    text="Where the client wants a stream, the vendor is asked for one.",
    claims=("contract:236",),
)
USAGE = Requirement(
    id="translation/usage-asked-for",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-chat-streaming", "stream_options.include_usage", "If set, an additional chunk will be streamed"),
    text="A vendor that counts the tokens of a stream only where it is asked to is asked.",
    claims=("contract:129",),
)
SEALED = Requirement(
    id="translation/sealed-thoughts-asked-for",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=clause("openai-responses", "include", "reasoning.encrypted_content: for multi-turn conversations where store is false"),
    text="A vendor that stores nothing is asked to hand its thoughts out sealed, without which the next turn would lack them.",
)
THOUGHTS = Requirement(
    id="translation/thoughts-asked-for",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=clause("anthropic-thinking", "Enabling extended thinking", "the response contains thinking blocks, followed by text blocks"),
    text="Where a Messages client lets the model think, a vendor that shows its thoughts only where it is asked to is asked.",
    claims=("contract:124",),
)


def _sent(exchange: Exchange) -> tuple[Request, dict[str, Any]] | None:
    request = exchange.upstream[-1].request if exchange.upstream else None
    body = request.json if request is not None else None
    return (request, body) if request is not None and isinstance(body, dict) else None


def _verdict(right: bool, expected: str, got: Any, pointer: str | None = None) -> Verdict:
    wrong = [] if right else [Finding(side=Side.UPSTREAM, expected=expected, got=shown(got), pointer=pointer)]
    return conclude(wrong, f"{shown(got)}")


def _judging(judge: Callable[[Exchange, Request, dict[str, Any]], Verdict]) -> Callable[[Exchange], Verdict]:
    def check(exchange: Exchange) -> Verdict:
        sent = _sent(exchange)
        return _NOT_ASKED if sent is None else judge(exchange, *sent)

    return check


def _endpoint(exchange: Exchange, request: Request, _: dict[str, Any]) -> Verdict:
    wanted = _ENDPOINTS.get(exchange.upstream_surface)
    right = request.path.endswith(_GENERATE if wanted is None else wanted)
    return _verdict(right, f"a path that ends in {wanted or ' or '.join(_GENERATE)}", request.path)


def _credential(exchange: Exchange, request: Request, _: dict[str, Any]) -> Verdict:
    found = [name.lower() for name, _ in request.headers if name.lower() in _CREDENTIALS]
    wanted = _OWN_CREDENTIALS[exchange.upstream_surface]
    return _verdict(len(found) == 1 and found[0] in wanted, f"one of {', '.join(sorted(wanted))}", found)


def _stream(exchange: Exchange, request: Request, body: dict[str, Any]) -> Verdict:
    if exchange.upstream_surface is Surface.GEMINI:
        return _verdict(request.path.endswith(":streamGenerateContent"), "streamGenerateContent", request.path)
    return _verdict(body.get("stream") is True, "true", body.get("stream"), "/stream")


def _usage(_: Exchange, __: Request, body: dict[str, Any]) -> Verdict:
    if body.get("stream") is not True:
        return Inconclusive("no stream was asked for")
    told = object_of(body.get("stream_options")).get("include_usage")
    return _verdict(told is True, "true", told, "/stream_options/include_usage")


def _sealed(_: Exchange, __: Request, body: dict[str, Any]) -> Verdict:
    if not body.get("reasoning") or body.get("store") is not False:
        return Inconclusive("the vendor is not to think, or stores what it thought")
    included = body.get("include")
    return _verdict(isinstance(included, list) and _SEALED in included, _SEALED, included, "/include")


def _thoughts(exchange: Exchange, _: Request, body: dict[str, Any]) -> Verdict:
    thinking = object_of(object_of(exchange.client.request.json).get("thinking"))
    if thinking.get("type") not in ("enabled", "adaptive") or thinking.get("display") == "omitted":
        return Inconclusive("the client does not want to see thoughts")
    if exchange.upstream_surface is Surface.GEMINI:
        told = object_of(object_of(body.get("generationConfig")).get("thinkingConfig")).get("includeThoughts")
        return _verdict(told is True, "true", told, "/generationConfig/thinkingConfig/includeThoughts")
    summary = object_of(body.get("reasoning")).get("summary")
    return _verdict(isinstance(summary, str), "a summary", summary, "/reasoning/summary")


def _given(*upstreams: Dialect, stream: bool | None = None, surfaces: frozenset[Surface] | None = None) -> Given:
    def also(case: Case) -> bool:
        translated = case.upstream is not None and case.upstream.surface is not case.surface
        return translated and (not upstreams or case.upstream in upstreams) and (surfaces is None or case.surface in surfaces)

    return Given(sees_upstream=True, stream=stream, also=also)


def _rules() -> Iterator[Rule]:
    newer, google = Dialect.OPENAI_RESPONSES, Dialect.GEMINI
    yield Rule(ENDPOINT, _judging(_endpoint), _given())
    yield Rule(CREDENTIAL, _judging(_credential), _given())
    yield Rule(STREAM, _judging(_stream), _given(stream=True))
    yield Rule(USAGE, _judging(_usage), _given(Dialect.OPENAI_CHAT, Dialect.DEEPSEEK_CHAT, stream=True))
    yield Rule(SEALED, _judging(_sealed), _given(newer))
    yield Rule(THOUGHTS, _judging(_thoughts), _given(newer, google, surfaces=frozenset({Surface.MESSAGES})))


RULES: tuple[Rule, ...] = tuple(_rules())
