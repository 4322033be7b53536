"""An error answer: its status, its envelope, and its cause. A refusal is right only where all three are."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from harness.case import Outcome, Surface
from harness.exchange import Exchange, Request, Response, value
from harness.requirement import TEXT_SURFACES, Basis, Clause, Given, Requirement, Rule, Severity
from harness.schema import findings as schema_findings
from harness.verdict import Finding, Inconclusive, Passed, Side, Verdict
from suites.errors.reading import SCHEMA, Said, family_of, refusal, said
from suites.evidence import conclude, contract_clause, shown

_NO_ERROR: Final = Inconclusive("the client got no error answer")
_FAILING: Final = frozenset({Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_BROKEN, Outcome.REFUSED})
_TRACES: Final = re.compile(
    r"Traceback \(most recent call last\)|File \"/|site-packages|node_modules|goroutine \d+ \[|\.go:\d+|\bat [\w.$]+\(.*:\d+\)|panic: "
)

# Sources: anthropic-errors "HTTP errors".
_ANTHROPIC_TYPES: Final = {
    400: {"invalid_request_error"},
    401: {"authentication_error"},
    402: {"billing_error"},
    403: {"permission_error"},
    404: {"not_found_error"},
    413: {"request_too_large"},
    429: {"rate_limit_error"},
    500: {"api_error"},
    502: {"api_error"},
    503: {"api_error", "overloaded_error"},
    504: {"api_error", "timeout_error"},
    529: {"overloaded_error"},
}
# Sources: gemini-errors and google.rpc.Code: the HTTP status that each name maps to.
_GOOGLE_STATUS: Final = {
    400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"},
    401: {"UNAUTHENTICATED"},
    403: {"PERMISSION_DENIED"},
    404: {"NOT_FOUND"},
    409: {"ABORTED", "ALREADY_EXISTS"},
    429: {"RESOURCE_EXHAUSTED"},
    499: {"CANCELLED"},
    500: {"INTERNAL", "UNKNOWN", "DATA_LOSS"},
    501: {"UNIMPLEMENTED"},
    503: {"UNAVAILABLE"},
    504: {"DEADLINE_EXCEEDED"},
}


ENVELOPE = Requirement(
    id="errors/envelope",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("200", "Envelope follows the called protocol"),
    text="Every error answer is JSON in the envelope of the protocol that was called, with a message that says something.",
    claims=("contract:15", "contract:139", "contract:200", "contract:201", "contract:202"),
    defects=("Oaklight/llm-rosetta#345", "sonami-tech/omni-llm-provider#3"),
)
JSON_TYPE = Requirement(
    id="errors/content-type",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="8.3 Content-Type", says="indicates the media type of the associated representation"),
    text="An error of the gateway's own is labelled application/json, also where a stream was asked for.",
    claims=("contract:200",),
)
TYPE_FITS = Requirement(
    id="errors/type-fits-status",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-errors", section="HTTP errors", says="each HTTP status has its error type"),
    text="The envelope's own word for the error is one that its HTTP status stands for.",
    claims=("contract:139", "contract:201"),
    defects=("BerriAI/litellm#37599", "BerriAI/litellm#30417"),
)
GOOGLE_CODE = Requirement(
    id="errors/google-code-is-status",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="gemini-errors", section="Error response", says="code is the HTTP status"),
    text="The number in Google's envelope is the answer's HTTP status.",
    claims=("contract:139",),
)
REQUEST_ID_IN_BODY = Requirement(
    id="errors/request-id-in-body",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-errors", section="Request id", says="the error body carries the request_id of the response header"),
    text="An error of the gateway's own on Messages carries its request id in the body, the one of the header.",
    defects=("api7/aisix#352",),
)
CAUSE_KEPT = Requirement(
    id="errors/cause-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("207", "Upstream errors are surfaced verbatim where informative."),
    text="A vendor's error reaches the client with its status, type, code and message.",
    claims=("contract:207", "contract:233"),
    defects=(
        "BerriAI/litellm#37599",
        "BerriAI/litellm#30417",
        "kortix-ai/suna#4933",
        "tashfeenahmed/freellmapi#422",
        "pollinations/pollinations#8378",
        "vllm-project/semantic-router#2130",
    ),
)
NO_LEAK = Requirement(
    id="errors/no-leak",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C14", "which channel served: never in the response body"),
    text="An error answer tells neither the vendor's address as configured nor anything of the gateway's inside.",
    claims=("contract:69",),
)
REFUSED_FIRST = Requirement(
    id="errors/refused-before-upstream",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("160", "reject before contacting upstream"),
    text="What the gateway refuses never reaches a vendor.",
    claims=("contract:46", "contract:160"),
    defects=("BerriAI/litellm#39998",),
)
UNKNOWN_MODEL = Requirement(
    id="errors/unknown-model",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C9", "unknown model: 404 model_not_found, not_found_error, NOT_FOUND; 400 tolerated"),
    text="An unknown model is refused with 404 (or 400), in the envelope's own words for it, naming the model.",
    claims=("contract:48", "contract:60", "contract:203"),
)
MALFORMED = Requirement(
    id="errors/malformed-body",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("203", "400 invalid_param"),
    text="A body that is no JSON is refused with 400 and the envelope's word for an invalid request.",
    claims=("contract:203",),
)
UNKNOWN_PATH = Requirement(
    id="errors/unknown-path",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("15", "An unknown path answers 404 not_found (never 200 HTML)."),
    text="A path that serves nothing answers 404 in the envelope of the family it stands under.",
    claims=("contract:12", "contract:13", "contract:14", "contract:15"),
)


def _words(family: str, found: Said | None) -> str:
    """The cause in the words that a finding shows."""
    if found is None:
        return f"no {family} error envelope"
    return shown({"type": found.type, "code": found.code, "message": found.message})


def check_envelope(exchange: Exchange) -> Verdict:
    refused = refusal(exchange)
    if refused is None:
        return _NO_ERROR
    response, cause = refused
    family = family_of(exchange)
    if cause is None:
        return conclude([Finding(expected=f"the {family} error envelope", got=shown(response.text[:80].decode("utf-8", "replace")))], "")
    findings = [
        Finding(expected=wrong.expected, got=wrong.got, pointer=wrong.pointer) for wrong in schema_findings(SCHEMA[family], response.json)
    ]
    if not cause.message:
        findings.append(Finding(expected="a message", got=shown(cause.message), pointer="/error/message"))
    return conclude(findings, f"{response.status} {cause.type or cause.code}: {cause.message}")


def check_json_type(exchange: Exchange) -> Verdict:
    refused = refusal(exchange)
    if refused is None:
        return _NO_ERROR
    kind = (value(refused[0].headers, "content-type") or "").partition(";")[0].strip().lower()
    wrong = [Finding(expected="application/json", got=shown(kind))] if kind != "application/json" else []
    return conclude(wrong, kind)


def check_type_fits(exchange: Exchange) -> Verdict:
    refused = refusal(exchange)
    if refused is None or refused[1] is None:
        return _NO_ERROR
    response, cause = refused
    table = _GOOGLE_STATUS if family_of(exchange) == "google" else _ANTHROPIC_TYPES
    wanted = table.get(response.status)
    if wanted is None or cause is None:
        return Inconclusive(f"no word is documented for {response.status}")
    pointer = "/error/status" if family_of(exchange) == "google" else "/error/type"
    wrong = [] if cause.type in wanted else [Finding(expected=" or ".join(sorted(wanted)), got=shown(cause.type), pointer=pointer)]
    return conclude(wrong, f"{response.status} {cause.type}")


def check_google_code(exchange: Exchange) -> Verdict:
    refused = refusal(exchange)
    if refused is None or refused[1] is None:
        return _NO_ERROR
    response, cause = refused
    assert cause is not None
    wrong = (
        [Finding(expected=str(response.status), got=shown(cause.code), pointer="/error/code")] if cause.code != str(response.status) else []
    )
    return conclude(wrong, f"code {cause.code}")


def check_request_id(exchange: Exchange) -> Verdict:
    refused = refusal(exchange)
    if refused is None:
        return _NO_ERROR
    response, cause = refused
    header = value(response.headers, "request-id") or value(response.headers, "x-request-id")
    got = cause.request_id if cause is not None else None
    wrong = [Finding(expected=shown(header), got=shown(got), pointer="/request_id")] if got is None or got != header else []
    return conclude(wrong, f"request_id {got}")


def check_cause_kept(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    if response is None or upstream is None or upstream.status < 400:
        return Inconclusive("the upstream answered with no error")
    family = family_of(exchange)
    sent, got = said(family, upstream.json), said(family, response.json)
    if sent is None:
        return Inconclusive("the upstream's error is in no envelope")
    findings = []
    if response.status != upstream.status:
        findings.append(Finding(expected=f"status {upstream.status}", got=f"status {response.status}"))
    if got is None or (sent.type, sent.code, sent.message) != (got.type, got.code, got.message):
        findings.append(Finding(expected=_words(family, sent), got=_words(family, got), pointer="/error"))
    return conclude(findings, f"{response.status} {_words(family, got)}")


def check_no_leak(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return Inconclusive("the client got no answer")
    text = response.text.decode("utf-8", "replace")
    heads = "\n".join(content for _, content in response.headers)
    findings = []
    for hop in exchange.upstream:
        vendors = hop.response.text.decode("utf-8", "replace") if hop.response else ""
        for address in _addresses(hop.request):
            if _tells(text + heads, address, exchange.client.request) and address not in vendors:
                findings.append(Finding(expected="no word of where the vendor stands", got=address))
                break
        if (trace := _TRACES.search(text)) and trace.group() not in vendors:
            findings.append(Finding(expected="nothing of the gateway's inside", got=shown(trace.group())))
            break
    if not exchange.upstream and (trace := _TRACES.search(text)):
        findings.append(Finding(expected="nothing of the gateway's inside", got=shown(trace.group())))
    return conclude(findings, f"{len(text)} characters without address or trace")


def _addresses(asked: Request) -> Iterator[str]:
    """What the vendor's host can be told by: with its port, and without; a single word, which any sentence may have, in a URL alone."""
    host = value(asked.headers, "host")
    if not host:
        return
    yield host
    try:
        name = urlsplit(f"//{host}").hostname or host
    except ValueError:  # brackets that do not close
        return
    yield name if name == "localhost" or not name.isalnum() else f"//{name}"


def _tells(text: str, address: str, asked: Request) -> bool:
    """Whether the gateway says it of its own accord: not of what the caller named, nor of where the gateway itself was called."""
    own = value(asked.headers, "host")
    whole = re.compile(rf"(?<![\w.-]){re.escape(address)}(?![\w-]|\.\w)", re.IGNORECASE)
    named = f"{asked.target}\n{asked.body.decode('utf-8', 'replace')}"
    return bool(whole.search(text.replace(own, "") if own else text)) and not whole.search(named)


def check_refused_first(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return Inconclusive("the client got no answer")
    if exchange.upstream:
        path = exchange.upstream[0].request.path
        return conclude([Finding(side=Side.UPSTREAM, expected="no call", got=f"{len(exchange.upstream)} calls, the first to {path}")], "")
    if response.ok:
        return conclude([Finding(expected="a refusal", got=f"status {response.status}")], "")
    if exchange.marker.encode() not in exchange.client.request.body:
        return Inconclusive("a call made for it could not be told from others: the request carried no marker")
    return Passed(f"refused with {response.status}, the vendor was not called")


def _refusal_findings(exchange: Exchange, statuses: tuple[int, ...], words: Mapping[str, tuple[str, ...]]) -> list[Finding]:
    """Status, envelope and cause; `words` has for each family what its type, status or code may say."""
    response = exchange.client.response
    assert response is not None  # the caller looked
    family = family_of(exchange)
    cause = said(family, response.json)
    findings = []
    if response.status not in statuses:
        findings.append(Finding(expected=f"status {' or '.join(map(str, statuses))}", got=f"status {response.status}"))
    if cause is None or not {cause.type, cause.code} & set(words[family]):
        findings.append(Finding(expected=" or ".join(words[family]), got=_words(family, cause), pointer="/error"))
    return findings


def check_unknown_model(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ERROR
    words = {
        "openai": ("model_not_found", "not_found", "not_found_error"),
        "anthropic": ("not_found_error", "invalid_request_error"),
        "google": ("NOT_FOUND", "INVALID_ARGUMENT"),
    }
    findings = _refusal_findings(exchange, (404, 400), words)
    wanted = exchange.case.model or ""
    cause = said(family_of(exchange), response.json)
    if cause is None or wanted not in (cause.message or ""):
        findings.append(Finding(expected=f"a message that names {wanted}", got=_words("", cause), pointer="/error/message"))
    return conclude(findings, f"{response.status} {_words('', cause)}")


def check_malformed(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ERROR
    words = {"openai": ("invalid_request_error",), "anthropic": ("invalid_request_error",), "google": ("INVALID_ARGUMENT",)}
    return conclude(_refusal_findings(exchange, (400,), words), _saw(exchange, response))


def check_unknown_path(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ERROR
    words = {
        "openai": ("not_found", "unknown_url", "not_found_error", "invalid_request_error"),
        "anthropic": ("not_found_error",),
        "google": ("NOT_FOUND",),
    }
    return conclude(_refusal_findings(exchange, (404,), words), _saw(exchange, response))


def _saw(exchange: Exchange, response: Response) -> str:
    return f"{response.status} {_words('', said(family_of(exchange), response.json))}"


def _given(trait: str) -> Given:
    return Given(outcomes=frozenset({Outcome.REFUSED}), traits=frozenset({trait}))


_ANY: Final = Given(surfaces=TEXT_SURFACES | {Surface.MODELS}, outcomes=_FAILING, sdk=False)
# The gateway's own words; vendors label theirs oddly at times, and native/content-type judges what is handed on.
_OWN: Final = Given(outcomes=frozenset({Outcome.UPSTREAM_BROKEN, Outcome.REFUSED}), sdk=False)
_ON_TEXT: Final = Given(outcomes=_FAILING, sdk=False)

RULES: tuple[Rule, ...] = (
    Rule(ENVELOPE, check_envelope, _ANY),
    Rule(JSON_TYPE, check_json_type, _OWN),
    Rule(TYPE_FITS, check_type_fits, Given(surfaces=frozenset({Surface.MESSAGES, Surface.GEMINI}), outcomes=_FAILING, sdk=False)),
    Rule(GOOGLE_CODE, check_google_code, Given(surfaces=frozenset({Surface.GEMINI}), outcomes=_FAILING, sdk=False)),
    Rule(
        REQUEST_ID_IN_BODY,
        check_request_id,
        Given(surfaces=frozenset({Surface.MESSAGES}), outcomes=frozenset({Outcome.REFUSED, Outcome.UPSTREAM_BROKEN}), sdk=False),
    ),
    # In another protocol the vendor's words are others: suites/translation judges what of them is kept.
    Rule(
        CAUSE_KEPT,
        check_cause_kept,
        Given(outcomes=frozenset({Outcome.UPSTREAM_ERROR}), without=frozenset({"translated"}), sees_upstream=True),
    ),
    Rule(NO_LEAK, check_no_leak, _ON_TEXT),
    Rule(REFUSED_FIRST, check_refused_first, Given(outcomes=frozenset({Outcome.REFUSED}), sees_upstream=False)),
    Rule(UNKNOWN_MODEL, check_unknown_model, _given("unknown-model")),
    Rule(MALFORMED, check_malformed, _given("malformed")),
    Rule(UNKNOWN_PATH, check_unknown_path, _given("unknown-path")),
)
