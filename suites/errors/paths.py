"""What is not served, not in that way, or not at that size: refused in the caller's envelope, each answer with an id of its own."""

from typing import Final

from harness.case import Case, Need, Step, Surface
from harness.exchange import Exchange, StepSeen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.errors.reading import Said, said
from suites.evidence import conclude, contract_clause, shown
from suites.steps import at, header, json_of, status, unmet

# contract:012 to contract:015, each with what stands below it: by the envelope that its callers read.
_NOT_EXPOSED: Final = (
    ("files", "GET", "/v1/files"),
    ("upload", "POST", "/v1/files"),
    ("file", "GET", "/v1/files/file-1"),
    ("file-content", "GET", "/v1/files/file-1/content"),
    ("file-deleted", "DELETE", "/v1/files/file-1"),
    ("uploads", "POST", "/v1/uploads"),
    ("assistants", "POST", "/v1/assistants"),
    ("assistant", "GET", "/v1/assistants/asst_1"),
    ("threads", "POST", "/v1/threads"),
    ("runs", "POST", "/v1/threads/thread_1/runs"),
    ("vector-stores", "POST", "/v1/vector_stores"),
    ("vector-store", "GET", "/v1/vector_stores/vs_1"),
    ("vector-search", "POST", "/v1/vector_stores/vs_1/search"),
    ("fine-tuning", "POST", "/v1/fine_tuning/jobs"),
    ("fine-tuning-job", "GET", "/v1/fine_tuning/jobs/ftjob-1"),
    ("batches", "POST", "/v1/batches"),
    ("batch", "GET", "/v1/batches/batch_1"),
    ("message-batches", "POST", "/v1/messages/batches"),
    ("message-batches-list", "GET", "/v1/messages/batches"),
    ("message-batch", "GET", "/v1/messages/batches/msgbatch_1"),
    ("message-batch-cancel", "POST", "/v1/messages/batches/msgbatch_1/cancel"),
    ("message-batch-results", "GET", "/v1/messages/batches/msgbatch_1/results"),
    ("message-batch-deleted", "DELETE", "/v1/messages/batches/msgbatch_1"),
    ("embeddings", "POST", "/v1/embeddings"),
    ("gemini-embeddings", "POST", "/v1beta/models/text-embedding:embedContent"),
    ("gemini-embeddings-batch", "POST", "/v1beta/models/text-embedding:batchEmbedContents"),
    ("speech", "POST", "/v1/audio/speech"),
    ("transcriptions", "POST", "/v1/audio/transcriptions"),
    ("translations", "POST", "/v1/audio/translations"),
    ("rerank", "POST", "/v1/rerank"),
    ("nowhere", "GET", "/nowhere"),
    ("nowhere-openai", "POST", "/v1/nowhere"),
    ("nowhere-gemini", "POST", "/v1beta/nowhere"),
    ("nowhere-account", "GET", "/api/v1/nowhere"),
)
_WRONG_METHODS: Final = (
    ("get-chat", "GET", "/v1/chat/completions"),
    ("get-messages", "GET", "/v1/messages"),
    ("delete-models", "DELETE", "/v1/models"),
)
_FAMILIES: Final = {"message-batch": "anthropic", "get-messages": "anthropic", "gemini-": "google", "nowhere-gemini": "google"}
_TASK_BYTES: Final = 1 << 20  # contract:204

NOT_EXPOSED = Requirement(
    id="errors/not-exposed",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "12 to 15",
        "Not exposed: /files, /assistants, /vector_stores, fine-tuning, message batches, embeddings, audio, rerank; unknown: 404",
    ),
    text="What the gateway does not offer is answered 404 in the caller's envelope, never with a page or an empty success.",
    claims=("contract:012", "contract:013", "contract:014", "contract:015"),
)
WRONG_METHOD = Requirement(
    id="errors/wrong-method",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9110", section="15.5.6", says="405: MUST generate an Allow header field"),
    text="A path asked in a way that it does not know is answered 405 with the ways that it knows, in the caller's envelope.",
    claims=("contract:200",),
)
TOO_LARGE = Requirement(
    id="errors/too-large",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("204", "413: 1 MiB on /v1/tasks/*"),
    text="A body that is larger than its path takes is refused with 413 in OpenAI's envelope.",
    claims=("contract:204",),
)
UNIQUE = Requirement(
    id="errors/request-ids-differ",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33, C34", "a row's id equals the response's x-request-id"),
    text="No two answers carry the same request id, and none is without.",
    claims=("contract:181",),
)

CASES: tuple[Case, ...] = (
    Case(
        id="errors/paths",
        surface=Surface.CHAT,
        play=None,
        steps=(
            *(
                Step(name=name, surface=Surface.OTHER, method=method, path=path, request={} if method == "POST" else None)
                for name, method, path in (*_NOT_EXPOSED, *_WRONG_METHODS)
            ),
            Step(name="too-large", surface=Surface.OTHER, path="/v1/tasks/submit", body=b'{"model": "' + b"-" * _TASK_BYTES + b'"}'),
        ),
        needs=frozenset({Need.DIALECT}),
        traits=frozenset({"one-model", "paths"}),
    ),
)


def family_of_step(name: str) -> str:
    """Whose envelope the step's caller reads."""
    return next((family for prefix, family in _FAMILIES.items() if name.startswith(prefix)), "openai")


def _cause(seen: StepSeen) -> Said | None:
    return said(family_of_step(seen.name), json_of(seen))


def _refused(exchange: Exchange, wanted: int, *names: str) -> tuple[list[Finding], Inconclusive | None]:
    """Findings where one of these is not refused with that status in its envelope."""
    if (why := unmet(exchange, *names)) is not None:
        return [], why
    findings = []
    for name in names:
        seen = exchange.step(name)
        found = status(seen, wanted)
        cause = _cause(seen)
        if not found and (cause is None or not cause.message):
            body = seen.answer.text[:80].decode("utf-8", "replace") if seen.answer is not None else ""
            found = [at(seen, expected="the caller's error envelope", got=shown(body))]
        findings += found
    return findings, None


def check_not_exposed(exchange: Exchange) -> Verdict:
    findings, why = _refused(exchange, 404, *(name for name, _, _ in _NOT_EXPOSED))
    return why or conclude(findings, f"{len(_NOT_EXPOSED)} paths, each 404")


def check_wrong_method(exchange: Exchange) -> Verdict:
    names = [name for name, _, _ in _WRONG_METHODS]
    findings, why = _refused(exchange, 405, *names)
    if why is not None:
        return why
    findings += [
        at(exchange.step(name), expected="an Allow header", got=shown(header(exchange.step(name), "allow")))
        for name in names
        if not header(exchange.step(name), "allow")
    ]
    return conclude(findings, f"{len(names)} times 405")


def check_too_large(exchange: Exchange) -> Verdict:
    seen = exchange.step("too-large")
    if seen.answer is None:
        return Inconclusive(f"no answer: {seen.calls[0].error if seen.calls else seen.unsent}")
    findings, why = _refused(exchange, 413, "too-large")
    return why or conclude(findings, f"413: {_message(seen)}")


def _message(seen: StepSeen) -> str:
    cause = _cause(seen)
    return cause.message or "" if cause else ""


def check_unique(exchange: Exchange) -> Verdict:
    ids: dict[str, str] = {}
    findings = []
    for seen in exchange.steps:
        if seen.answer is None:
            continue
        own = header(seen, "x-request-id")
        if not own:
            findings.append(at(seen, expected="x-request-id", got="an answer without one"))
        elif own in ids:
            findings.append(at(seen, expected=f"another id than that of {ids[own]}", got=own))
        else:
            ids[own] = seen.name
    return conclude(findings, f"{len(ids)} ids") if ids or findings else Inconclusive("nothing was answered")


_ON: Final = Given(surfaces=frozenset({Surface.CHAT}), steps=True, traits=frozenset({"paths"}))

RULES: tuple[Rule, ...] = (
    Rule(NOT_EXPOSED, check_not_exposed, _ON),
    Rule(WRONG_METHOD, check_wrong_method, _ON),
    Rule(TOO_LARGE, check_too_large, _ON),
    Rule(UNIQUE, check_unique, _ON),
)
