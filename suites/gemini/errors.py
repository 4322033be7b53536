"""Errors before a stream: the code in the body is the status, and the status word fits it."""

from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, shown
from suites.gemini.reading import object_of, text

# google.rpc.Code, each with the HTTP status that Google maps it to. Statuses without a row are judged by the number alone.
WORDS: Final = {
    400: frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"}),
    401: frozenset({"UNAUTHENTICATED"}),
    402: frozenset({"FAILED_PRECONDITION"}),
    403: frozenset({"PERMISSION_DENIED"}),
    404: frozenset({"NOT_FOUND"}),
    429: frozenset({"RESOURCE_EXHAUSTED"}),
    500: frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"}),
    501: frozenset({"UNIMPLEMENTED"}),
    503: frozenset({"UNAVAILABLE"}),
    504: frozenset({"DEADLINE_EXCEEDED"}),
}

CODE_IS_STATUS = Requirement(
    id="gemini/errors/code-is-status",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="wireproof-contract",
        section="1.7 Gemini native",
        says="Errors use `{error:{code,message,status}}` with Google status names; 402 is `FAILED_PRECONDITION`.",
    ),
    text="error.code repeats the HTTP status, and error.status is Google's word for it.",
    claims=("contract:139",),
    defects=("sonami-tech/omni-llm-provider#3",),
)


def check_code_is_status(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or response.ok:
        return Inconclusive("no error status reached the client")
    body = response.json[0] if isinstance(response.json, list) and response.json else response.json
    error = object_of(object_of(body).get("error"))
    if not error:
        return Inconclusive("the answer is not in Google's envelope, which errors/envelope tells")
    findings = []
    if error.get("code") != response.status:
        findings.append(Finding(expected=str(response.status), got=shown(error.get("code")), pointer="/error/code"))
    wanted = WORDS.get(response.status)
    word = text(error.get("status"))
    if wanted is not None and word not in wanted:
        findings.append(Finding(expected=" or ".join(sorted(wanted)), got=shown(error.get("status")), pointer="/error/status"))
    return conclude(findings, f"{word} at {response.status}, as error.code says")


_GIVEN: Final = Given(
    surfaces=frozenset({Surface.GEMINI}),
    outcomes=frozenset({Outcome.UPSTREAM_ERROR, Outcome.REFUSED}),
    without=frozenset({"error-event"}),
)

RULES: tuple[Rule, ...] = (Rule(CODE_IS_STATUS, gateway_only(check_code_is_status), _GIVEN),)
