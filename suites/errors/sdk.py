"""What the official SDK raises: the class that its users catch, and what they read from it."""

from typing import Final

from harness.case import Client, Outcome
from harness.exchange import Exchange, SdkError, value
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Side, Verdict
from suites.errors.reading import error_event, family_of, said
from suites.evidence import conclude, shown

_NO_ERROR: Final = Inconclusive("the SDK was not given an error answer")
# Sources: openai-python and anthropic-python, _exceptions.py.
_CLASSES: Final = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
}

CLASS = Requirement(
    id="errors/sdk-class",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="_exceptions.py", says="one class per HTTP status"),
    text="The official SDK raises its own class for the status: what users catch and retry by keeps working.",
    claims=("contract:5", "contract:233"),
    defects=("BerriAI/litellm#37599", "kortix-ai/suna#4933"),
)
DETAILS = Requirement(
    id="errors/sdk-details",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="_exceptions.py, APIError", says="type and code come from the error object"),
    text="The raised error shows the status, type and code of the envelope.",
    claims=("contract:29", "contract:202"),
    defects=("BerriAI/litellm#30417",),
)
REQUEST_ID = Requirement(
    id="errors/sdk-request-id",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="_exceptions.py, APIStatusError", says="request_id is the x-request-id header"),
    text="The raised error carries the request id by which a user asks the gateway's operator what happened.",
    defects=("api7/aisix#352",),
)
IN_STREAM = Requirement(
    id="errors/sdk-raises-in-stream",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-python", section="_streaming.py", says="event: error raises APIStatusError"),
    text="Where a stream breaks, the SDK's loop raises: it does not just end.",
    claims=("contract:146", "contract:147"),
    defects=("mlflow/mlflow#25897", "dativo-io/talon#254"),
)


def _raised(exchange: Exchange) -> SdkError | None:
    return exchange.sdk.error if exchange.sdk is not None else None


def _sdk(expected: str, got: str) -> Finding:
    return Finding(side=Side.SDK, expected=expected, got=got)


def check_class(exchange: Exchange) -> Verdict:
    response, reading = exchange.client.response, exchange.sdk
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    vendors = upstream.status if upstream is not None and upstream.status >= 400 else None
    if response is None or reading is None or (response.ok and vendors is None and exchange.case.outcome is not Outcome.REFUSED):
        return _NO_ERROR
    status = vendors or response.status
    if reading.error is None:
        return conclude([_sdk(f"an exception for {status}", shown(reading.final))], "")
    findings = []
    if not reading.error.official:
        findings.append(_sdk("an exception of the SDK's own", f"{reading.error.type}: {reading.error.message}"[:200]))
    if (wanted := _class(exchange.case.client, status)) and reading.error.type != wanted:
        findings.append(_sdk(f"{wanted} for {status}", reading.error.type))
    return conclude(findings, f"{reading.error.type} for {status}")


def _class(client: Client, status: int) -> str | None:
    """The class that the SDK's documentation names for the status; None where it names none of its own."""
    if client.value.startswith("google"):
        return "ClientError" if status < 500 else "ServerError"
    if client.value.startswith("openai") and status >= 500:
        return _CLASSES[500]
    return _CLASSES.get(status)


def check_details(exchange: Exchange) -> Verdict:
    response, error = exchange.client.response, _raised(exchange)
    if response is None or response.status < 400 or error is None:
        return _NO_ERROR
    cause = said(family_of(exchange), response.json)
    findings = [] if error.status == response.status else [_sdk(f"status {response.status}", f"status {error.status}")]
    wanted = cause.type if cause is not None else None
    if wanted is None or error.error_type != wanted:
        findings.append(_sdk(f"type {shown(wanted)}", f"type {shown(error.error_type)}"))
    if family_of(exchange) == "openai" and cause is not None and cause.code != error.code:
        findings.append(_sdk(f"code {shown(cause.code)}", f"code {shown(error.code)}"))
    return conclude(findings, f"{error.status} {error.error_type} {error.code or ''}".rstrip())


def check_request_id(exchange: Exchange) -> Verdict:
    response, error = exchange.client.response, _raised(exchange)
    if response is None or response.status < 400 or error is None:
        return _NO_ERROR
    header = value(response.headers, "request-id" if family_of(exchange) == "anthropic" else "x-request-id")
    wrong = [] if error.request_id is not None and error.request_id == header else [_sdk(f"request id {header}", shown(error.request_id))]
    return conclude(wrong, f"request id {error.request_id}")


def check_in_stream(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok or exchange.sdk is None:
        return Inconclusive("the SDK got no stream")
    error = _raised(exchange)
    if error is None:
        return conclude([_sdk("an exception", f"{len(exchange.sdk.events)} events and a clean end")], "")
    told = error_event(exchange)
    if not error.official and told is not None:
        return conclude([_sdk("an exception of the SDK's own", f"{error.type}: {error.message}"[:200])], "")
    return Passed(f"{error.type} after {len(exchange.sdk.events)} events: {error.message}"[:200])


_OPENAI_ANTHROPIC: Final = frozenset({"openai", "openai-async", "anthropic", "anthropic-async"})
_FAILING: Final = frozenset({Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_BROKEN, Outcome.REFUSED})

RULES: tuple[Rule, ...] = (
    Rule(CLASS, check_class, Given(outcomes=_FAILING, sdk=True)),
    Rule(DETAILS, check_details, Given(outcomes=_FAILING, sdk=True)),
    Rule(REQUEST_ID, check_request_id, Given(outcomes=_FAILING, sdk=True, also=lambda case: case.client.value in _OPENAI_ANTHROPIC)),
    Rule(IN_STREAM, check_in_stream, Given(outcomes=frozenset({Outcome.UPSTREAM_BROKEN}), stream=True, sdk=True)),
)
