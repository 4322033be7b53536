"""A native route is a byte pipe: what the vendor sent is what the client gets, and what the client sent is what the vendor gets.

Compared is what the upstream witness really sent, never what a vendor ought to.
"""

import json
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from harness.case import Outcome, Surface
from harness.exchange import End, Exchange, Hop, Response, value
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Side, Verdict
from suites.evidence import conclude, contract_clause, native_upstream, shown
from suites.wire.compare import decoded, excerpt, finding

CLOSE_MS: Final = 2000  # a body ends so soon after its last byte (defects: "EOF within 2 s")
HANG_UP_MS: Final = 2000  # the vendor hears so soon that the client has gone
_NOT_NATIVE: Final = Inconclusive("no answer of an upstream in the client's own protocol")
_FORMS: Final = {Surface.CHAT: "/chat/completions", Surface.RESPONSES: "/responses", Surface.MESSAGES: "/messages"}


BODY_BYTES = Requirement(
    id="native/body-bytes",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("143", "The upstream stream is piped 1:1 on native routes."),
    text="The answer's body, after transfer- and content-decoding, is the upstream's byte for byte.",
    claims=("contract:81", "contract:102", "contract:140", "contract:141", "contract:143"),
    defects=("earendil-works/pi#8943", "0xShug0/audio.cpp#132", "tombii/better-ccflare#307"),
)
STATUS = Requirement(
    id="native/status",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("207", "Upstream errors are surfaced verbatim where informative."),
    text="The status is the upstream's own.",
    claims=("contract:207",),
    defects=("BerriAI/litellm#37599", "kortix-ai/suna#4933", "tashfeenahmed/freellmapi#422"),
)
CONTENT_TYPE = Requirement(
    id="native/content-type",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="8.3 Content-Type", says="indicates the media type of the associated representation"),
    text="The answer keeps the upstream's content-type, parameters included.",
    claims=("contract:143",),
    defects=("vllm-project/vllm-ascend#5033",),
)
CONTENT_CODING = Requirement(
    id="native/content-coding",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="8.4 Content-Encoding", says="what codings have been applied, beyond the media type"),
    text="The body decodes by the content-encoding it is labelled with, and the client offered that coding.",
    defects=("Portkey-AI/gateway#1261",),
)
WHOLE_BODY = Requirement(
    id="native/ends-whole",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9112", section="8 Handling Incomplete Messages", says="a response without its last chunk is incomplete"),
    text="An answer that the upstream ended properly ends properly for the client.",
    claims=("contract:143",),
)
CLOSES = Requirement(
    id="native/ends-in-time",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=contract_clause("143", "The upstream stream is piped 1:1 on native routes."),
    text="The connection is not kept open after the answer's last byte.",
    claims=("contract:143",),
    defects=("earendil-works/pi#5592", "caidaoli/ccLoad#81", "tombii/better-ccflare#307"),
)
AS_SENT = Requirement(
    id="native/delivered-as-sent",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("150", "Frames flow without batching (state machine, no buffering)."),
    text="Each read of the upstream reaches the client before the next one is sent.",
    claims=("contract:150", "contract:231"),
    defects=("volcano-sh/kthena#79", "ollama/ollama#9632", "Portkey-AI/gateway#1261"),
)
HANG_UP = Requirement(
    id="native/hang-up-reaches-upstream",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("149", "Closing the connection aborts and is propagated upstream."),
    text="When the client hangs up, the gateway hangs up on the vendor.",
    claims=("contract:149",),
    defects=("Wei-Shaw/sub2api#4408",),
)
UNTIL_HANG_UP = Requirement(
    id="native/bytes-before-hang-up",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("143", "The upstream stream is piped 1:1 on native routes."),
    text="What a client read before it hung up is the beginning of what the upstream sent.",
    claims=("contract:143",),
)
REQUEST_BYTES = Requirement(
    id="native/request-bytes",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("116", "cache_control preserved end to end: a vendor's prompt cache is keyed by the bytes of the prompt"),
    text="The request's body reaches the vendor byte for byte; only the model's name and prompt_cache_key may be respelled.",
    claims=("contract:70", "contract:81", "contract:108", "contract:116", "contract:235"),
    defects=(
        "kubeai-project/kubeai#690",
        "router-for-me/CLIProxyAPI#1893",
        "anomalyco/opencode#45750",
        "maximhq/bifrost#3942",
        "0xShug0/audio.cpp#132",
    ),
)
REQUEST_TARGET = Requirement(
    id="native/request-target",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("8", "the surface's own path"),
    text="The vendor is called by POST on the surface's own path, with the client's query and without a key in it.",
    claims=("contract:8", "contract:104"),
)
ONE_CALL = Requirement(
    id="native/one-call",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("185", "Text endpoints are not idempotent"),
    text="One call of the client makes one call to the vendor; an answer of 4xx is never tried again.",
    claims=("contract:185",),
    defects=("BerriAI/litellm#19216", "Wei-Shaw/sub2api#1776", "zirkelc/ai-retry#51"),
)

SERVED = Requirement(
    id="native/served",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("8", "the surface's own path"),
    text="A request that the vendor takes is put to the vendor: the gateway has no limits of its own on size, spelling or features.",
    claims=("contract:8", "contract:70", "contract:108"),
    defects=("ferro-labs/ai-gateway#129",),
)
ASKED_AGAIN = Requirement(
    id="native/asked-each-time",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("185", "Text endpoints are not idempotent"),
    text="The same request sent again is put to the vendor again: no answer of an earlier call is served.",
    claims=("contract:185",),
    defects=("BerriAI/litellm#29955", "vllm-project/semantic-router#2130"),
)


def _pair(exchange: Exchange) -> tuple[Response, Hop, Response] | None:
    """The client's answer, the upstream call, and its answer; None where there is no such pair on a native route."""
    client = exchange.client.response
    if client is None or not native_upstream(exchange):
        return None
    hop = exchange.upstream[-1]
    assert hop.response is not None  # native_upstream
    return client, hop, hop.response


def _verbatim(upstream: Response) -> bool:
    """Whether the answer is one to hand on: an error that is no JSON object is not informative in the client's own envelope."""
    return upstream.ok or isinstance(upstream.json, dict)


def check_body_bytes(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, _, upstream = pair
    if not _verbatim(upstream):
        return Inconclusive("the upstream's error is no JSON")
    sent, got = decoded(upstream), decoded(client)
    if isinstance(sent, str):
        return Inconclusive(f"the upstream's own body does not decode: {sent}")
    if isinstance(got, str):
        return conclude([Finding(expected=f"{len(sent)} bytes", got=got)], "")
    if upstream.end is not End.EOF:
        return Inconclusive("the upstream broke off")
    found = finding(sent, got, streamed=upstream.is_sse)
    return conclude([found] if found else [], f"{len(got)} bytes, {len(client.frames)} events" if client.is_sse else f"{len(got)} bytes")


def check_status(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, _, upstream = pair
    wrong = [Finding(expected=str(upstream.status), got=str(client.status))] if client.status != upstream.status else []
    return conclude(wrong, f"status {client.status}")


def check_content_type(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, _, upstream = pair
    sent, got = value(upstream.headers, "content-type"), value(client.headers, "content-type")
    if sent is None or not _verbatim(upstream):
        return Inconclusive("the upstream named no content-type to keep")
    wrong = [Finding(expected=sent, got=shown(got))] if (got or "").replace(" ", "").lower() != sent.replace(" ", "").lower() else []
    return conclude(wrong, sent)


def check_content_coding(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.encoded:
        return Inconclusive("no body reached the client")
    coding = value(response.headers, "content-encoding") or "identity"
    offered = (value(exchange.client.request.headers, "accept-encoding") or "identity").lower()
    findings = []
    if isinstance(body := decoded(response), str):
        findings.append(Finding(expected=f"a body in {coding}", got=body))
    if coding.lower() != "identity" and coding.lower() not in offered:
        findings.append(Finding(expected=f"one of {offered}", got=f"content-encoding {coding}"))
    return conclude(findings, f"{len(response.encoded)} bytes in {coding}")


def check_whole_body(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, _, upstream = pair
    if upstream.end is not End.EOF:
        return Inconclusive("the upstream broke off")
    wrong = (
        [] if client.end in (End.EOF, End.TIMEOUT) else [Finding(expected="the end of the body", got=exchange.client.error or client.end)]
    )
    return conclude(wrong, f"{len(client.encoded)} bytes to a proper end")


def check_closes(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, _, upstream = pair
    if upstream.end is not End.EOF or not client.reads:
        return Inconclusive("the upstream broke off, or sent nothing")
    silent_ms = client.end_ms - client.reads[-1].at_ms
    if client.end is End.TIMEOUT or silent_ms > CLOSE_MS + exchange.lag_ms:
        return conclude([Finding(expected=f"the end within {CLOSE_MS} ms of the last byte", got=f"still open after {silent_ms} ms")], "")
    return Passed(f"closed {silent_ms} ms after its last byte")


def check_as_sent(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, hop, upstream = pair
    held = [
        Finding(expected="delivered before the next is sent", got=f"write {write} held back for two seconds", frame=write)
        for write in hop.lockstep_missed
    ]
    if not held and client.end is End.TIMEOUT:
        return Inconclusive("our client gave up first")
    if not held and upstream.end is End.ABORTED:
        held = [Finding(expected=f"write {len(upstream.reads)} delivered", got="held back until the gateway gave up on the vendor")]
    return conclude(held, f"{len(upstream.reads)} reads, each delivered before the next")


def check_hang_up(exchange: Exchange) -> Verdict:
    client, hop = exchange.client.response, exchange.upstream[-1] if exchange.upstream else None
    if client is None or hop is None or client.end is not End.ABORTED:
        return Inconclusive("the client did not hang up on an answer")
    if hop.closed_ms is None:
        if hop.response is not None and hop.response.end is End.EOF and hop.response.end_ms <= client.end_ms:
            return Inconclusive("the upstream had sent everything before the client hung up")
        return conclude([Finding(side=Side.UPSTREAM, expected="the gateway hangs up on the vendor", got="it reads on")], "")
    # A gateway that did not notice leaves too, once the vendor has been silent for as long as it promises to wait.
    bound_ms = min(HANG_UP_MS, (exchange.promises.get("idle_ms") or 2 * HANG_UP_MS) // 2)
    late_ms = hop.closed_ms - client.end_ms
    wrong = (
        [Finding(side=Side.UPSTREAM, expected=f"within {bound_ms} ms", got=f"{late_ms} ms later")]
        if late_ms > bound_ms + exchange.lag_ms
        else []
    )
    return conclude(wrong, f"the client left at {client.end_ms} ms, the gateway at {hop.closed_ms} ms")


def check_until_hang_up(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    client, _, upstream = pair
    got, sent = client.text, upstream.text
    if not got:
        return Inconclusive("the client hung up before the first byte")
    found = finding(sent[: len(got)], got, streamed=True)
    return conclude([found] if found else [], f"the first {len(got)} of {len(sent)} bytes")


def check_request_bytes(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    _, hop, _ = pair
    sent, got = exchange.client.request.body, hop.request.body
    if sent == got:
        return Passed(f"{len(got)} bytes")
    if got == _respelled(sent, exchange.client.request.json, hop.request.json):
        return Passed(f"{len(got)} bytes, model or prompt_cache_key respelled")
    found = finding(sent, got, streamed=False)
    assert found is not None  # they are not equal
    return conclude([Finding(side=Side.UPSTREAM, expected=found.expected, got=found.got, offset=found.offset)], "")


def _respelled(sent: bytes, asked: Any, got: Any) -> bytes:
    """The client's bytes with what the gateway calls the model and its own callers' share of the vendor's cache."""
    if not isinstance(asked, dict) or not isinstance(got, dict):
        return sent
    for name in ("model", "prompt_cache_key"):
        if isinstance(asked.get(name), str) and isinstance(got.get(name), str):
            before, after = (json.dumps(each[name], ensure_ascii=False).encode() for each in (asked, got))
            sent = sent.replace(before, after, 1)
    return sent


def check_request_target(exchange: Exchange) -> Verdict:
    pair = _pair(exchange)
    if pair is None:
        return _NOT_NATIVE
    _, hop, _ = pair
    asked, called = urlsplit(exchange.client.request.target), urlsplit(hop.request.target)
    findings = []
    if exchange.case.surface is Surface.GEMINI:
        verb = asked.path.rpartition(":")[2]
        if "/models/" not in called.path or called.path.rpartition(":")[2] != verb:
            findings.append(Finding(side=Side.UPSTREAM, expected=f"…/models/…:{verb}", got=called.path))
    elif not called.path.endswith(_FORMS.get(exchange.case.surface, "")):
        findings.append(Finding(side=Side.UPSTREAM, expected=f"…{_FORMS[exchange.case.surface]}", got=called.path))
    if hop.request.method != exchange.client.request.method:
        findings.append(Finding(side=Side.UPSTREAM, expected=exchange.client.request.method, got=hop.request.method))
    wanted = [pair for pair in parse_qsl(asked.query, keep_blank_values=True) if pair[0] != "key"]
    if (query := parse_qsl(called.query, keep_blank_values=True)) != wanted:
        findings.append(Finding(side=Side.UPSTREAM, expected=f"query {shown(wanted)}", got=f"query {shown(query)}"))
    return conclude(findings, f"{hop.request.method} {hop.request.target}")


def check_one_call(exchange: Exchange) -> Verdict:
    if not exchange.upstream:
        return Inconclusive("the upstream was not called")
    first = exchange.upstream[0].response
    if first is not None and (first.status >= 500 or first.status == 429):
        return Inconclusive(f"a vendor's {first.status} may be tried again")
    calls = len(exchange.upstream)
    statuses = [hop.response.status if hop.response else None for hop in exchange.upstream]
    wrong = [Finding(side=Side.UPSTREAM, expected="one call", got=f"{calls} calls, answered {shown(statuses)}")] if calls > 1 else []
    return conclude(wrong, f"one call, answered {statuses[0]}")


def check_served(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if exchange.upstream:
        return Passed(f"put to the vendor, {len(exchange.upstream[0].request.body)} bytes")
    got = f"status {response.status} {excerpt(response.text, 0)}" if response else exchange.client.error or "no answer"
    return conclude([Finding(expected="the vendor to be asked", got=f"it was not; the client got {got}")], "")


def check_asked_again(exchange: Exchange) -> Verdict:
    sent, calls = exchange.case.times, len(exchange.upstream)
    if not calls:
        return Inconclusive("the upstream was not called")
    wrong = [Finding(side=Side.UPSTREAM, expected=f"{sent} calls, as the client made", got=f"{calls}")] if calls < sent else []
    return conclude(wrong, f"{calls} calls for {sent}")


_BOTH: Final = frozenset({Outcome.SUCCESS, Outcome.UPSTREAM_ERROR})
_ANSWERED: Final = Given(outcomes=_BOTH, sees_upstream=True)
# What does not depend on who reads it is judged where the raw client does: that keeps a run to thousands of verdicts.
_RAW: Final = Given(outcomes=_BOTH, sees_upstream=True, sdk=False)
_RAW_SUCCESS: Final = Given(sees_upstream=True, sdk=False)
_LEFT: Final = Given(outcomes=frozenset({Outcome.ABORTED}), stream=True, sees_upstream=True)

RULES: tuple[Rule, ...] = (
    Rule(BODY_BYTES, check_body_bytes, _ANSWERED),
    Rule(STATUS, check_status, _RAW),
    Rule(CONTENT_TYPE, check_content_type, _RAW),
    Rule(CONTENT_CODING, check_content_coding, Given(traits=frozenset({"gzip"}), sees_upstream=True)),
    Rule(WHOLE_BODY, check_whole_body, _RAW_SUCCESS),
    Rule(CLOSES, check_closes, _RAW_SUCCESS),
    Rule(AS_SENT, check_as_sent, Given(traits=frozenset({"lockstep"}), sees_upstream=True)),
    Rule(HANG_UP, check_hang_up, _LEFT),
    Rule(UNTIL_HANG_UP, check_until_hang_up, _LEFT),
    Rule(REQUEST_BYTES, check_request_bytes, _ANSWERED),
    Rule(REQUEST_TARGET, check_request_target, _RAW_SUCCESS),
    Rule(ONE_CALL, check_one_call, Given(outcomes=_BOTH, sees_upstream=True, sdk=False, without=frozenset({"again"}))),
    Rule(SERVED, check_served, _RAW),
    Rule(ASKED_AGAIN, check_asked_again, Given(traits=frozenset({"again"}), sees_upstream=True)),
)
