"""A vendor that fails without a proper answer: before a stream a 5xx in the envelope, inside one the protocol's own error event.

What may never be: a failure that looks like a success.
"""

from typing import Final

from harness.case import FaultKind, Outcome
from harness.exchange import End, Exchange
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Verdict
from suites.errors.reading import error_event, family_of, said, success_end
from suites.evidence import at, conclude, contract_clause, native_upstream, shown
from suites.wire.compare import finding

SILENT_MS: Final = 2000  # an answer ends so soon after its last byte
_NOT_BROKEN: Final = Inconclusive("the client got no answer")


FAILS = Requirement(
    id="errors/broken-is-no-success",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("205", "502 malformed upstream; 503 no channel; 504 upstream timeout"),
    text="Where the vendor failed before a stream began, the client gets the vendor's error status or a 5xx, never a 2xx.",
    claims=("contract:158", "contract:205"),
    defects=("kortix-ai/suna#4099", "Oaklight/llm-rosetta#345", "vllm-project/semantic-router#2130"),
)
ERROR_IN_OK = Requirement(
    id="errors/error-in-a-200",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("158", "A 200 upstream answer whose body is an error is rewritten to 4xx/5xx and not billed."),
    text="A vendor's 200 that holds an error object becomes an error answer: SDKs take any 200 for a success.",
    claims=("contract:158",),
    defects=("vllm-project/semantic-router#2130", "kortix-ai/suna#4099"),
)
TIMES_OUT = Requirement(
    id="errors/silence-is-a-timeout",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("205", "504 upstream timeout (C40: connect and first byte)"),
    text="A vendor that says nothing at all ends in 504 in the envelope, once the time that the gateway promises is up.",
    claims=("contract:205",),
)
ERROR_EVENT = Requirement(
    id="errors/stream-ends-in-error",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("146, 147", "terminal `event: error` on Messages; a frame with choices: [] and an error object on Chat"),
    text="A stream that breaks ends in the protocol's own error event, in the form on which its SDK raises.",
    claims=("contract:146", "contract:147", "contract:209"),
    defects=("dativo-io/talon#254", "mlflow/mlflow#25897", "tombii/better-ccflare#307"),
)
NO_FALSE_END = Requirement(
    id="errors/no-false-end",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("146", "Mid-stream failure: terminal `event: error` in place of `message_stop`"),
    text="A stream whose vendor never finished does not end as a finished one.",
    claims=("contract:146", "contract:147"),
    defects=("dativo-io/talon#254", "BerriAI/litellm#40404"),
)
KEPT_SO_FAR = Requirement(
    id="errors/kept-until-the-break",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("143", "The upstream stream is piped 1:1 on native routes."),
    text="The events before the error are the vendor's own, each once: nothing is begun again or made up.",
    claims=("contract:143",),
    defects=("zirkelc/ai-retry#51", "NousResearch/hermes-agent#86572"),
)
ENDS = Requirement(
    id="errors/ends-after-the-break",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("205", "504 upstream timeout"),
    text="The client's answer comes to an end of its own, whatever became of the vendor.",
    claims=("contract:205",),
    defects=("dativo-io/talon#254", "tombii/better-ccflare#307"),
)
BEFORE_STREAM = Requirement(
    id="errors/no-stream-around-an-error",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="wireproof-corpus", section="Errors", says="an error before the stream is one JSON body, whatever was asked for"),
    text="Where the vendor failed before its first event, the answer is one error body, not a stream.",
    defects=("Oaklight/llm-rosetta#345",),
)


def _kind(exchange: Exchange) -> FaultKind | None:
    play = exchange.case.play
    return play.fault.kind if play is not None and play.fault is not None else None


def _began(exchange: Exchange) -> bool:
    """Whether the vendor had sent a whole event before it failed: only then can the client have a stream."""
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    return upstream is not None and upstream.ok and any(seen.raw.data is not None for seen in exchange.upstream_events)


def check_fails(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NOT_BROKEN
    if _began(exchange):
        return Inconclusive("the stream had begun")
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    vendors = upstream.status if upstream is not None else None
    right = response.status >= 500 or (vendors is not None and vendors >= 400 and response.status == vendors)
    wrong = [] if right else [Finding(expected="a 5xx", got=f"status {response.status}")]
    return conclude(wrong, f"status {response.status} for {_kind(exchange)}")


def check_error_in_ok(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or _kind(exchange) is not FaultKind.ERROR_IN_OK:
        return Inconclusive("the vendor sent no error in a 200")
    cause = said(family_of(exchange), response.json)
    if response.status >= 400 and cause is not None:
        return Passed(f"{response.status} {cause.type}: {cause.message}")
    return conclude(
        [Finding(expected="an error status and envelope", got=f"status {response.status}, {shown(response.text[:60].decode())}")], ""
    )


def check_times_out(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    promised = exchange.promises.get("first_byte_ms")
    if response is None:
        waited = f"the client gave up first ({exchange.client.error})"
        return Inconclusive(waited if promised is None else f"{waited}, although {promised} ms were promised")
    cause = said(family_of(exchange), response.json)
    findings = []
    if response.status != 504:
        findings.append(Finding(expected="status 504", got=f"status {response.status}"))
    if cause is None:
        findings.append(
            Finding(expected=f"the {family_of(exchange)} error envelope", got=shown(response.text[:60].decode("utf-8", "replace")))
        )
    return conclude(findings, f"504 after {response.at_ms} ms")


def check_error_event(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok or not response.is_sse:
        return Inconclusive("no stream reached the client")
    if (found := error_event(exchange)) is not None:
        seen, cause = found
        wrong = [] if cause.message else [at(seen, expected="an error with a message", got=shown(seen.data))]
        return conclude(wrong, f"event {seen.frame}: {cause.type or cause.code}: {cause.message}")
    last = exchange.client_events[-1].raw.data if exchange.client_events else None
    return conclude([Finding(expected="the protocol's error event", got=f"{shown(last)}, then {response.end}")], "")


def check_no_false_end(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok or not response.is_sse:
        return Inconclusive("no stream reached the client")
    seen = success_end(exchange)
    wrong = [at(seen, expected="no end of a finished answer", got=shown(seen.raw.data))] if seen is not None else []
    return conclude(wrong, f"{len(exchange.client_events)} events, none of them the end of a finished answer")


def check_kept_so_far(exchange: Exchange) -> Verdict:
    found = error_event(exchange)
    if found is None or not native_upstream(exchange) or len(exchange.upstream) != 1:
        return Inconclusive("no stream that broke on a native route")
    error, _ = found
    upstream = exchange.upstream[-1].response
    assert upstream is not None  # native_upstream
    assert exchange.client.response is not None  # error_event
    # A piece of an event may have gone out before the break: a blank line closes it, so that the error is an event of its own.
    got, sent = exchange.client.response.text[: error.offset].rstrip(b"\r\n"), upstream.text
    if not got:
        return Inconclusive("the error came first")
    wrong = finding(sent[: len(got)], got, streamed=True)
    return conclude([wrong] if wrong else [], f"{len(got)} of the vendor's {len(sent)} bytes, then the error")


def check_ends(exchange: Exchange) -> Verdict:
    if _kind(exchange) in (FaultKind.STALL_BEFORE, FaultKind.STALL_IN) and exchange.promises.get("idle_ms") is None:
        return Inconclusive("the target does not say when it gives up on a silent vendor")
    response = exchange.client.response
    if response is None:
        return conclude([Finding(expected="an answer", got=exchange.client.error or "nothing")], "")
    silent_ms = response.end_ms - (response.reads[-1].at_ms if response.reads else response.at_ms)
    if response.end is End.TIMEOUT or silent_ms > SILENT_MS + exchange.lag_ms:
        return conclude([Finding(expected="the end of the answer", got=f"{silent_ms} ms of silence after its last byte")], "")
    return Passed(f"ended ({response.end}) {silent_ms} ms after its last byte")


def check_before_stream(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or _began(exchange):
        return Inconclusive("the stream had begun, or no answer came")
    wrong = (
        [Finding(expected="one error body", got=f"status {response.status}, text/event-stream")] if response.is_sse and response.ok else []
    )
    return conclude(wrong, f"status {response.status}, {len(response.text)} bytes")


def _broken(*faults: FaultKind, stream: bool | None = None) -> Given:
    wanted = {f"fault-{fault}" for fault in faults}
    return Given(
        outcomes=frozenset({Outcome.UPSTREAM_BROKEN}), stream=stream, sdk=False, also=lambda case: not wanted or bool(wanted & case.traits)
    )


_BEFORE: Final = (
    FaultKind.STALL_BEFORE,
    FaultKind.HTML,
    FaultKind.HTML_ERROR,
    FaultKind.ERROR_IN_OK,
    FaultKind.REFUSE_CONNECT,
    FaultKind.EMPTY,
    FaultKind.TRUNCATED_GZIP,
    FaultKind.CUT_FIN,
)
_INSIDE: Final = (FaultKind.STALL_IN, FaultKind.CUT_RST, FaultKind.NO_TERMINAL, FaultKind.ERROR_EVENT)

RULES: tuple[Rule, ...] = (
    Rule(FAILS, check_fails, _broken(*_BEFORE)),
    Rule(ERROR_IN_OK, check_error_in_ok, _broken(FaultKind.ERROR_IN_OK)),
    Rule(TIMES_OUT, check_times_out, _broken(FaultKind.STALL_BEFORE)),
    Rule(ERROR_EVENT, check_error_event, _broken(*_INSIDE, stream=True)),
    Rule(NO_FALSE_END, check_no_false_end, _broken(*_INSIDE, stream=True)),
    Rule(KEPT_SO_FAR, check_kept_so_far, _broken(*_INSIDE, stream=True)),
    Rule(ENDS, check_ends, _broken()),
    Rule(BEFORE_STREAM, check_before_stream, _broken(*_BEFORE, stream=True)),
)
