"""Errors before a stream: the type says the same as the status."""

from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict
from suites.blame import gateway_only
from suites.evidence import shown
from suites.messages.reading import object_of, text

# invalid_request_error "may also be used for other 4XX status codes not listed in this section".
TYPES: Final = {
    400: frozenset({"invalid_request_error"}),
    401: frozenset({"authentication_error"}),
    402: frozenset({"billing_error"}),
    403: frozenset({"permission_error"}),
    404: frozenset({"not_found_error"}),
    413: frozenset({"request_too_large", "invalid_request_error"}),
    429: frozenset({"rate_limit_error"}),
    500: frozenset({"api_error"}),
    504: frozenset({"timeout_error"}),
    529: frozenset({"overloaded_error"}),
}

TYPE_FITS_STATUS = Requirement(
    id="messages/errors/type-fits-status",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-errors",
        section="HTTP errors",
        says="This error type may also be used for other 4XX status codes not listed in this section.",
    ),
    text="The error's type is the one that its HTTP status has: an SDK chooses its exception, and whether to retry, by the two.",
    defects=("BerriAI/litellm#37599", "sonami-tech/omni-llm-provider#3"),
)


def check_type_fits_status(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or response.ok:
        return Inconclusive("no error status reached the client")
    got = text(object_of(object_of(response.json).get("error")).get("type"))
    if not got:
        return Inconclusive("the answer is not in the Messages envelope, which errors/envelope tells")
    wanted = TYPES.get(response.status)
    if wanted is None:
        return Inconclusive(f"no type is documented for {response.status}")
    if got not in wanted:
        return Failed(Finding(expected=" or ".join(sorted(wanted)), got=f"{shown(got)} at {response.status}", pointer="/error/type"))
    return Passed(f"{got} at {response.status}")


_GIVEN: Final = Given(
    surfaces=frozenset({Surface.MESSAGES, Surface.COUNT_TOKENS}),
    outcomes=frozenset({Outcome.UPSTREAM_ERROR, Outcome.REFUSED}),
    without=frozenset({"error-event"}),
)

RULES: tuple[Rule, ...] = (Rule(TYPE_FITS_STATUS, gateway_only(check_type_fits_status), _GIVEN),)
