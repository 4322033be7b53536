"""What the vendor is told beside the body: the caller's own wishes, and nothing of who the caller is."""

from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import Exchange, Request, value, values
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown

_NOT_CALLED: Final = Inconclusive("the upstream was not called")
_CREDENTIALS: Final = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
_TOKENS: Final = ("[client-key", "[other-group-key", "[empty-wallet-key")  # harness.mask puts them where a caller's key stood
_INGRESS: Final = frozenset(
    {
        "cookie",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "cf-connecting-ip",
        "true-client-ip",
    }
)
_HOP: Final = frozenset({"te", "trailer", "upgrade", "proxy-connection", "proxy-authorization", "keep-alive"})


BETA = Requirement(
    id="headers/beta-verbatim",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("111, 234", "the header reaches the upstream with the same value(s), order and duplicates"),
    text="anthropic-beta reaches the vendor with every value, in order, duplicates included.",
    claims=("contract:111", "contract:234"),
    defects=("agentgateway/agentgateway#1777", "maximhq/bifrost#2411", "anthropics/claude-code#31033"),
)
OPENAI_BETA = Requirement(
    id="headers/openai-beta",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="5.1 Field Names", says="a proxy must forward header fields that it does not know"),
    text="OpenAI-Beta, by which a caller switches a feature on, reaches the vendor with its value.",
)
VERSION = Requirement(
    id="headers/version-forwarded",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-versions", section="API versions", says="send an anthropic-version request header"),
    text="The caller's anthropic-version, older or newer, is the one that the vendor gets.",
    claims=("contract:110",),
)
ORGANIZATION = Requirement(
    id="headers/organization-ignored",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("28", "OpenAI-Organization and OpenAI-Project headers are accepted and have no effect"),
    text="OpenAI-Organization and OpenAI-Project are taken and not passed on: the vendor's account is the gateway's.",
    claims=("contract:28",),
    defects=("songquanpeng/one-api#661",),
)
NO_CLIENT_KEY = Requirement(
    id="headers/caller-key-stays",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("21", "keys of the gateway's own"),
    text="The caller's key reaches no vendor: not in a header, not in the URL, not in the body.",
    claims=("contract:20", "contract:21"),
    defects=("valentinfrlch/ha-llmvision#334", "tombii/better-ccflare#460"),
)
ONE_CREDENTIAL = Requirement(
    id="headers/one-vendor-credential",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=contract_clause("21", "x-api-key on Messages; Bearer on Chat and Responses; x-goog-api-key on /v1beta"),
    text="The vendor gets just one credential, in a header that it reads.",
    defects=("BerriAI/litellm#21039", "Empreiteiro/data-talks#242"),
)
NO_INGRESS = Requirement(
    id="headers/nothing-of-the-caller",
    severity=Severity.SECURITY,
    basis=Basis.OBSERVED,
    clause=Clause(source="rfc-9110", section="7.6 Message Forwarding", says="an intermediary decides what it forwards"),
    text="Cookies and what proxies say of the caller's address stay with the gateway.",
    defects=("tombii/better-ccflare#460",),
)
HOP_BY_HOP = Requirement(
    id="headers/hop-by-hop-ends",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="7.6.1 Connection", says="an intermediary must remove the fields of the connection"),
    text="Headers of the caller's connection end at the gateway.",
)
ACCEPT_ENCODING = Requirement(
    id="headers/accept-encoding",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="12.5.3 Accept-Encoding", says="content codings acceptable in the response"),
    text="The vendor is offered no content-coding that the caller did not offer.",
    defects=("Portkey-AI/gateway#1261",),
)
CONTENT_TYPE = Requirement(
    id="headers/request-content-type",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="8.3 Content-Type", says="the media type of the associated representation"),
    text="The request's body goes on under the media type under which it came.",
)


def _asked(exchange: Exchange) -> tuple[Request, Request] | None:
    """What the client sent, and what reached the vendor."""
    return (exchange.client.request, exchange.upstream[-1].request) if exchange.upstream else None


def _up(expected: str, got: str) -> Finding:
    return Finding(side=Side.UPSTREAM, expected=expected, got=got)


def check_beta(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None:
        return _NOT_CALLED
    sent, got = (_listed(values(request.headers, "anthropic-beta")) for request in pair)
    if not sent:
        return Inconclusive("the client sent no anthropic-beta")
    return conclude([] if sent == got else [_up(shown(sent), shown(got))], f"{len(got)} values in order")


def check_openai_beta(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None:
        return _NOT_CALLED
    sent, got = (_listed(values(request.headers, "openai-beta")) for request in pair)
    if not sent:
        return Inconclusive("the client sent no OpenAI-Beta")
    return conclude([] if sent == got else [_up(shown(sent), shown(got))], f"OpenAI-Beta {shown(got)}")


def _listed(lines: tuple[str, ...]) -> list[str]:
    """The values of a list header; how they were put on lines does not matter (RFC 9110 5.3)."""
    return [part.strip() for line in lines for part in line.split(",")]


def check_version(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None:
        return _NOT_CALLED
    sent, got = (values(request.headers, "anthropic-version") for request in pair)
    return conclude([] if sent == got else [_up(shown(sent), shown(got))], f"anthropic-version {sent[0] if sent else None}")


def check_organization(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    response = exchange.client.response
    if response is None:
        return Inconclusive("the client got no answer")
    findings = [] if response.ok else [Finding(expected="the call to succeed", got=f"status {response.status}")]
    if pair is not None:
        names = [name for name, _ in pair[1].headers if name.lower() in ("openai-organization", "openai-project")]
        findings += [_up("no OpenAI-Organization or OpenAI-Project", name) for name in names]
    return conclude(findings, f"status {response.status}, neither passed on")


def check_client_key(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None or not exchange.marker:
        return _NOT_CALLED
    request = pair[1]
    findings = []
    for token in _TOKENS:
        findings += [_up("no key of the caller's", f"{name}: {content}") for name, content in request.headers if token in content]
        if token in request.target:
            findings.append(_up("no key of the caller's", request.target))
        if token.encode() in request.body:
            findings.append(_up("no key of the caller's", f"one in the body, at byte {request.body.find(token.encode())}"))
    return conclude(findings, f"{len(request.headers)} headers, URL and body without it")


def check_one_credential(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None or not exchange.marker:
        return _NOT_CALLED
    found = [name.lower() for name, _ in pair[1].headers if name.lower() in _CREDENTIALS]
    return conclude([] if len(found) == 1 else [_up("one credential", shown(found))], f"{found[0] if found else ''}")


def check_no_ingress(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None:
        return _NOT_CALLED
    sent = {name.lower() for name, _ in pair[0].headers} & _INGRESS
    if not sent:
        return Inconclusive("the client sent no such header")
    passed_on = [f"{name}: {content}" for name, content in pair[1].headers if name.lower() in _INGRESS]
    return conclude([_up("nothing of the caller", text) for text in passed_on], f"none of {', '.join(sorted(sent))}")


def check_hop_by_hop(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None or not exchange.marker:
        return _NOT_CALLED
    passed_on = [f"{name}: {content}" for name, content in pair[1].headers if name.lower() in _HOP]
    return conclude([_up("no header of the caller's connection", text) for text in passed_on], f"{len(pair[1].headers)} headers")


def check_accept_encoding(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None:
        return _NOT_CALLED
    offered, passed_on = (_codings(request) for request in pair)
    extra = sorted(passed_on - offered - {"identity"})
    return conclude(
        [_up(f"no more than {sorted(offered)}", shown(extra))] if extra else [], f"offered {', '.join(sorted(passed_on)) or 'none'}"
    )


def _codings(request: Request) -> set[str]:
    parts = _listed(values(request.headers, "accept-encoding"))
    return {part.partition(";")[0].strip().lower() for part in parts if part and not part.replace(" ", "").endswith(";q=0")}


def check_content_type(exchange: Exchange) -> Verdict:
    pair = _asked(exchange)
    if pair is None:
        return _NOT_CALLED
    sent, got = (value(request.headers, "content-type") for request in pair)
    return conclude([], f"{got}") if sent == got else conclude([_up(shown(sent), shown(got))], "")


# What a gateway does to headers does not depend on what the answer shows: a few cases of each surface tell.
_TELLING: Final = frozenset({"ingress", "gzip", "organization", "beta", "sdk-id", "key-place", "retry-after"})
_SEEN: Final = Given(
    outcomes=frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_ERROR}), sees_upstream=True, also=lambda case: bool(_TELLING & case.traits)
)
_RAW: Final = Given(sdk=False, sees_upstream=True, also=lambda case: bool(_TELLING & case.traits))
_MESSAGES: Final = frozenset({Surface.MESSAGES})

RULES: tuple[Rule, ...] = (
    Rule(BETA, check_beta, Given(surfaces=_MESSAGES, sees_upstream=True, also=lambda case: bool({"beta", "beta-header"} & case.traits))),
    Rule(OPENAI_BETA, check_openai_beta, Given(traits=frozenset({"organization"}), sees_upstream=True)),
    Rule(VERSION, check_version, Given(surfaces=_MESSAGES, sees_upstream=True, also=lambda case: bool({"beta", "sdk-id"} & case.traits))),
    Rule(ORGANIZATION, check_organization, Given(traits=frozenset({"organization"}), sees_upstream=True)),
    Rule(NO_CLIENT_KEY, check_client_key, _SEEN),
    Rule(ONE_CREDENTIAL, check_one_credential, _RAW),
    Rule(NO_INGRESS, check_no_ingress, Given(traits=frozenset({"ingress"}), sees_upstream=True)),
    Rule(HOP_BY_HOP, check_hop_by_hop, _RAW),
    Rule(
        ACCEPT_ENCODING,
        check_accept_encoding,
        Given(sees_upstream=True, also=lambda case: bool({"gzip", "sdk-id", "ingress"} & case.traits)),
    ),
    Rule(CONTENT_TYPE, check_content_type, _RAW),
)
