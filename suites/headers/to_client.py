"""What the client is told beside the body: an id, what is left to spend, when to try again; nothing of the vendor's account."""

import re
from decimal import Decimal
from typing import Final

from harness.case import Case, Outcome, Surface
from harness.exchange import Exchange, Response, value, values
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown

_NO_ANSWER: Final = Inconclusive("the client got no answer")
_USD: Final = re.compile(r"\d+(\.\d{1,6})?")
_CENTS: Final = re.compile(r"\d+\.\d\d")
_SECONDS: Final = re.compile(r"\d{10}")
_VENDORS_OWN: Final = frozenset(
    {"set-cookie", "openai-organization", "openai-project", "anthropic-organization-id", "anthropic-workspace-id", "alt-svc", "via"}
)
_CONNECTION: Final = frozenset({"keep-alive", "proxy-connection", "te", "trailer", "upgrade", "proxy-authenticate"})
_ONCE: Final = ("content-type", "content-length", "content-encoding", "date", "x-request-id", "request-id", "x-quota-remaining-credits")
_RETRY: Final = ("retry-after", "retry-after-ms", "x-should-retry")


REQUEST_ID = Requirement(
    id="headers/request-id",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33, C34", "a row's id equals the response's x-request-id"),
    text="Every answer carries a request id of the gateway's own, and on Messages the same one in request-id.",
    claims=("contract:181",),
    defects=("api7/aisix#352",),
)
SDK_REQUEST_ID = Requirement(
    id="headers/request-id-in-sdk",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="Request IDs", says="_request_id is added from the x-request-id response header"),
    text="The official SDK shows the answer's request id.",
    claims=("contract:5",),
)
QUOTA = Requirement(
    id="headers/quota-remaining",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("192, C28", "X-Quota-Remaining-Credits on every response, in decimal USD"),
    text="Every answer to a known key says what is left, as decimal USD, before the first byte of its body.",
    claims=("contract:145", "contract:163", "contract:192"),
)
WINDOWS = Requirement(
    id="headers/rate-limit-windows",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("191", "X-RateLimit-Limit/-Remaining in USD with two decimals, X-RateLimit-Reset Unix seconds"),
    text="Limit, remaining and reset of the tightest window come together, well-formed, and with no more left than the limit.",
    claims=("contract:189", "contract:190", "contract:191"),
)
NO_VENDOR_LIMITS = Requirement(
    id="headers/no-vendor-limits",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("193, C38", "do not emit x-ratelimit-*-requests; vendor headers only under a different prefix"),
    text="The vendor's rate limits are not passed on under their own names: they are the gateway's, not the caller's.",
    claims=("contract:188", "contract:193"),
    defects=("pollinations/pollinations#8378",),
)
NO_VENDOR_ACCOUNT = Requirement(
    id="headers/no-vendor-account",
    severity=Severity.SECURITY,
    basis=Basis.OBSERVED,
    clause=contract_clause("C14", "which channel served is not shown"),
    text="Cookies, organisations and other words of the vendor's account do not reach the client.",
    claims=("contract:69",),
)
NO_CONNECTION = Requirement(
    id="headers/no-hop-by-hop-back",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="7.6.1 Connection", says="an intermediary must remove the fields of the connection"),
    text="Headers of the vendor's connection do not reach the client.",
)
ONCE = Requirement(
    id="headers/each-once",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="5.3 Field Order", says="a sender must not generate a field name twice unless it is a list"),
    text="Headers that hold one value come once: the gateway's own replace the vendor's.",
)
RETRY_KEPT = Requirement(
    id="headers/retry-after-kept",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("233", "429/5xx answers must carry what the SDK's retry reads"),
    text="retry-after, retry-after-ms and x-should-retry of the vendor's error reach the client unchanged.",
    claims=("contract:233",),
    defects=("majiayu000/litellm-rs#833",),
)


def _pair(exchange: Exchange) -> tuple[Response, Response] | None:
    client = exchange.client.response
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    return (client, upstream) if client is not None and upstream is not None and exchange.marker else None


def check_request_id(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return _NO_ANSWER
    own = value(response.headers, "x-request-id")
    findings = [] if own and own.strip() else [Finding(expected="x-request-id", got=shown(own))]
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    if own and upstream is not None and own in (value(upstream.headers, "x-request-id"), value(upstream.headers, "request-id")):
        findings.append(Finding(expected="an id of the gateway's own", got=f"the vendor's, {own}"))
    if own and own in values(exchange.client.request.headers, "x-request-id"):  # the ledger goes by it: two calls of one name are one
        findings.append(Finding(expected="an id of the gateway's own", got=f"the caller's, {own}"))
    if exchange.case.surface is Surface.MESSAGES and (theirs := value(response.headers, "request-id")) != own:
        findings.append(Finding(expected=f"request-id {own}", got=shown(theirs)))
    return conclude(findings, f"x-request-id {own}")


def check_sdk_request_id(exchange: Exchange) -> Verdict:
    response, reading = exchange.client.response, exchange.sdk
    if response is None or reading is None or reading.error is not None:
        return Inconclusive("the SDK read no answer")
    header = value(response.headers, "request-id" if exchange.case.surface is Surface.MESSAGES else "x-request-id")
    right = reading.request_id is not None and reading.request_id == header
    return conclude([] if right else [Finding(side=Side.SDK, expected=f"request id {header}", got=shown(reading.request_id))], f"{header}")


def check_quota(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return _NO_ANSWER
    text = value(response.headers, "x-quota-remaining-credits")
    right = text is not None and _USD.fullmatch(text)
    return conclude([] if right else [Finding(expected="X-Quota-Remaining-Credits as decimal USD", got=shown(text))], f"{text} USD left")


def check_windows(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return _NO_ANSWER
    limit, remaining, reset = (value(response.headers, f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset"))
    if limit is None and remaining is None and reset is None:
        return Inconclusive("the key has no window limits to show")
    findings = []
    for name, text, form in (("limit", limit, _CENTS), ("remaining", remaining, _CENTS), ("reset", reset, _SECONDS)):
        if text is None or not form.fullmatch(text):
            wanted = "USD with two decimals" if form is _CENTS else "Unix seconds"
            findings.append(Finding(expected=f"x-ratelimit-{name} in {wanted}", got=shown(text)))
    if not findings and Decimal(remaining or "0") > Decimal(limit or "0"):
        findings.append(Finding(expected=f"at most {limit} left", got=shown(remaining)))
    return conclude(findings, f"{remaining} of {limit} USD until {reset}")


def check_no_vendor_limits(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NO_ANSWER
    client, upstream = pair
    theirs = [name.lower() for name, _ in upstream.headers if name.lower().startswith(("x-ratelimit-", "anthropic-ratelimit-"))]
    if not theirs:
        return Inconclusive("the vendor told no limits")
    got = {name.lower() for name, _ in client.headers} & set(theirs)
    return conclude(
        [Finding(expected="no limits of the vendor's", got=name) for name in sorted(got)], f"none of the vendor's {len(theirs)}"
    )


def check_no_vendor_account(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NO_ANSWER
    client, upstream = pair
    theirs = {name.lower() for name, _ in upstream.headers} & _VENDORS_OWN
    if not theirs:
        return Inconclusive("the vendor sent nothing of its account")
    got = {name.lower() for name, _ in client.headers} & theirs
    return conclude(
        [Finding(expected="nothing of the vendor's account", got=name) for name in sorted(got)], f"none of {', '.join(sorted(theirs))}"
    )


def check_no_connection(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return _NO_ANSWER
    got = [name for name, _ in response.headers if name.lower() in _CONNECTION]
    return conclude(
        [Finding(expected="no header of the vendor's connection", got=name) for name in got], f"{len(response.headers)} headers"
    )


def check_once(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return _NO_ANSWER
    twice = [
        Finding(expected=f"{name} once", got=shown(values(response.headers, name)))
        for name in _ONCE
        if len(values(response.headers, name)) > 1
    ]
    return conclude(twice, f"{sum(value(response.headers, name) is not None for name in _ONCE)} headers of one value each")


def check_retry_kept(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NO_ANSWER
    client, upstream = pair
    sent = {name: found for name in _RETRY if (found := value(upstream.headers, name)) is not None}
    if not sent:
        return Inconclusive("the vendor did not say when to try again")
    lost = [
        Finding(expected=f"{name}: {wanted}", got=shown(value(client.headers, name)))
        for name, wanted in sent.items()
        if value(client.headers, name) != wanted
    ]
    return conclude(lost, ", ".join(f"{name}: {text}" for name, text in sent.items()))


_ANY: Final = frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_BROKEN, Outcome.REFUSED})
_RAW: Final = Given(
    outcomes=frozenset({Outcome.SUCCESS}), sdk=False, sees_upstream=True, also=lambda case: bool({"ingress", "gzip"} & case.traits)
)
_TELLS: Final = Given(
    outcomes=frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_ERROR}),
    sdk=False,
    sees_upstream=True,
    also=lambda case: bool({"ingress", "gzip", "lockstep", "key-place", "retry-after"} & case.traits),
)
_STANDING: Final = Given(
    outcomes=frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_BROKEN}),
    sdk=False,
    also=lambda case: case.account or "retry-after" in case.traits,
)


def _identified(case: Case) -> bool:
    return case.account or case.outcome is Outcome.REFUSED or "ingress" in case.traits


RULES: tuple[Rule, ...] = (
    Rule(REQUEST_ID, check_request_id, Given(outcomes=_ANY, sdk=False, also=_identified)),
    Rule(
        SDK_REQUEST_ID,
        check_sdk_request_id,
        Given(surfaces=frozenset({Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES}), sdk=True, traits=frozenset({"sdk-id"})),
    ),
    Rule(QUOTA, check_quota, _STANDING),
    Rule(WINDOWS, check_windows, _STANDING),
    Rule(NO_VENDOR_LIMITS, check_no_vendor_limits, _TELLS),
    Rule(NO_VENDOR_ACCOUNT, check_no_vendor_account, _TELLS),
    Rule(NO_CONNECTION, check_no_connection, _RAW),
    Rule(ONCE, check_once, Given(outcomes=_ANY, sdk=False, also=lambda case: bool({"ingress", "gzip", "error"} & case.traits))),
    Rule(
        RETRY_KEPT,
        check_retry_kept,
        Given(outcomes=frozenset({Outcome.UPSTREAM_ERROR}), traits=frozenset({"retry-after"}), sees_upstream=True),
    ),
)
