"""Keys: which are taken, from where, and how a bad one is refused."""

import re
from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import Exchange, value
from harness.requirement import TEXT_SURFACES, Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Side, Verdict
from suites.errors.reading import family_of, said
from suites.evidence import conclude, contract_clause, shown

_NO_ANSWER: Final = Inconclusive("the client got no answer")
_TOKEN: Final = re.compile(
    rb"\[(?:client|other-group|empty-wallet|revoked|expired|capped|made)-key[^\]]*\]"
)  # harness.mask puts it where a key stood
_KEY_HEADERS: Final = ("authorization", "x-api-key", "x-goog-api-key")


REFUSES = Requirement(
    id="auth/bad-key-401",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("29, C3", "401: invalid_api_key; authentication_error; UNAUTHENTICATED"),
    text="A missing or wrong key is answered 401, in the caller's envelope, with its word for a bad key.",
    claims=("contract:26", "contract:29", "contract:30"),
    defects=("weave-os/router#473",),
)
CHALLENGE = Requirement(
    id="auth/refused-without-a-stream",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("29", "Missing, malformed, revoked, deleted, expired key: 401"),
    text="A refused key gets one JSON body at once, also where a stream was asked for.",
    claims=("contract:29",),
)
PLACES = Requirement(
    id="auth/key-places",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("21 to 25, C2", "x-api-key and Bearer are interchangeable; x-goog-api-key, ?key= and Bearer on /v1beta"),
    text="A good key is taken from every place in which the surface's clients put it.",
    claims=("contract:20", "contract:21", "contract:22", "contract:23", "contract:25"),
)
PRECEDENCE = Requirement(
    id="auth/x-api-key-wins",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("24", "When both are present, x-api-key wins"),
    text="Where x-api-key and a bearer key disagree, x-api-key decides.",
    claims=("contract:24",),
)
NOT_ECHOED = Requirement(
    id="auth/key-not-echoed",
    severity=Severity.SECURITY,
    basis=Basis.OBSERVED,
    clause=Clause(source="openai-errors", section="401 - Incorrect API key provided", says="the key is shown cut"),
    text="No answer shows the caller's key again, whole or in part.",
    claims=("contract:33",),
    defects=("hivecommons/hive#1903", "valentinfrlch/ha-llmvision#334"),
)
OTHER_GROUP = Requirement(
    id="auth/model-outside-group",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C8", "403 model_not_in_group, permission_error, PERMISSION_DENIED; 400, 404, 503 tolerated; never 200"),
    text="A key is refused for a model outside its group, in the caller's envelope, and no vendor hears of it.",
    claims=("contract:42", "contract:46", "contract:47", "contract:60"),
    defects=("BerriAI/litellm#39998", "maximhq/bifrost#6657"),
)


def _cause(exchange: Exchange) -> str:
    response = exchange.client.response
    found = said(family_of(exchange), response.json) if response else None
    return shown({"type": found.type, "code": found.code, "message": found.message}) if found else "no error envelope"


def check_refuses(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ANSWER
    family = family_of(exchange)
    cause = said(family, response.json)
    findings = [] if response.status == 401 else [Finding(expected="status 401", got=f"status {response.status}")]
    match family:
        case "openai":
            right = cause is not None and cause.code == "invalid_api_key"
            wanted = "code invalid_api_key"
        case "anthropic":
            right = cause is not None and cause.type == "authentication_error"
            wanted = "type authentication_error"
        case _:
            right = cause is not None and cause.type == "UNAUTHENTICATED"
            wanted = "status UNAUTHENTICATED"
    if not right or cause is None or not cause.message:
        findings.append(Finding(expected=f"{wanted} and a message", got=_cause(exchange), pointer="/error"))
    if exchange.upstream:
        findings.append(Finding(side=Side.UPSTREAM, expected="no call", got=f"{len(exchange.upstream)} calls"))
    return conclude(findings, f"401 {_cause(exchange)}")


def check_challenge(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ANSWER
    kind = (value(response.headers, "content-type") or "").partition(";")[0].strip().lower()
    if response.ok or kind != "application/json" or not isinstance(response.json, dict):
        return conclude([Finding(expected="a refusal as one JSON object", got=f"{response.status} {kind}")], "")
    return Passed(f"{response.status}, {len(response.text)} bytes of JSON")


def check_places(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ANSWER
    place = exchange.case.key_in or "the client's own header"
    wrong = [] if response.ok else [Finding(expected=f"the key taken from {place}", got=f"{response.status} {_cause(exchange)}")]
    return conclude(wrong, f"key in {place}: {response.status}")


def check_precedence(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ANSWER
    good = exchange.case.outcome is Outcome.SUCCESS
    right = response.ok if good else response.status == 401
    wanted = "the good x-api-key to be taken" if good else "401 for the wrong x-api-key"
    return conclude([] if right else [Finding(expected=wanted, got=f"status {response.status}")], f"{response.status} by x-api-key")


def check_not_echoed(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.marker:
        return _NO_ANSWER
    findings = []
    if found := _TOKEN.search(response.text):
        findings.append(Finding(expected="no part of the key", got=found.group().decode(), offset=found.start()))
    for name, content in response.headers:
        if found := _TOKEN.search(content.encode("latin-1", "replace")):
            findings.append(Finding(expected="no part of the key", got=f"{name}: {found.group().decode()}"))
    return conclude(findings, f"{len(response.text)} bytes and {len(response.headers)} headers without the key")


def check_other_group(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_ANSWER
    asked = exchange.client.request
    if not any(value(asked.headers, name) for name in _KEY_HEADERS) and "key=" not in asked.target:
        return Inconclusive("the target offers no key of another group")
    cause = said(family_of(exchange), response.json)
    findings = []
    if response.status not in (400, 403, 404, 503):
        findings.append(Finding(expected="status 403 (or 400, 404, 503)", got=f"status {response.status}"))
    if cause is None or not cause.message:
        findings.append(Finding(expected=f"the {family_of(exchange)} error envelope", got=_cause(exchange)))
    if exchange.upstream:
        findings.append(Finding(side=Side.UPSTREAM, expected="no call", got=f"{len(exchange.upstream)} calls"))
    return conclude(findings, f"{response.status} {_cause(exchange)}")


_REFUSED: Final = frozenset({Outcome.REFUSED})
_ALL: Final = TEXT_SURFACES | {Surface.MODELS}

RULES: tuple[Rule, ...] = (
    Rule(REFUSES, check_refuses, Given(surfaces=_ALL, outcomes=_REFUSED, traits=frozenset({"bad-key"}))),
    Rule(CHALLENGE, check_challenge, Given(outcomes=_REFUSED, stream=True, sdk=False, traits=frozenset({"bad-key"}))),
    Rule(PLACES, check_places, Given(traits=frozenset({"key-place"}))),
    Rule(
        PRECEDENCE,
        check_precedence,
        Given(outcomes=frozenset({Outcome.SUCCESS, Outcome.REFUSED}), traits=frozenset({"two-keys"})),
    ),
    Rule(NOT_ECHOED, check_not_echoed, Given(surfaces=_ALL, outcomes=_REFUSED, sdk=False)),
    Rule(OTHER_GROUP, check_other_group, Given(outcomes=_REFUSED, traits=frozenset({"other-group"}))),
)
