"""A key's life: shown once, known by its mask, changed, rotated and deleted with effect at once."""

import re
from dataclasses import replace
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, StepSeen
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Side, Verdict
from suites.auth.lifecycle_cases import BAD_FIELDS, FIELDS
from suites.errors.reading import Said, error_event, said, success_end
from suites.evidence import conclude, contract_clause, shown
from suites.steps import at, failed, json_of, new_rows, not_called, status, unmet

_TOKEN: Final = b"[made-key"  # harness.mask puts it where a key stood that a step had made
_MASK: Final = re.compile(r"[A-Za-z0-9._-]{0,16}\*+[A-Za-z0-9_-]{1,6}")
_FAMILY: Final = {Surface.CHAT: "openai", Surface.MESSAGES: "anthropic", Surface.GEMINI: "google"}
_BAD_KEY: Final = frozenset({"invalid_api_key", "authentication_error", "UNAUTHENTICATED"})
_FORBIDDEN: Final = frozenset({"permission_denied", "permission_error", "PERMISSION_DENIED"})


MADE = Requirement(
    id="auth/key-made",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("31, 32", "GET/POST /api/v1/keys; name, group_id, quota, expires_in_days, rate limits, ip lists"),
    text="A key can be made, is answered with its id, its secret and the fields asked for, and works at once.",
    claims=("contract:020", "contract:031", "contract:032"),
)
SHOWN_ONCE = Requirement(
    id="auth/key-shown-once",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("33", "Plaintext returned once at creation"),
    text="A key's secret stands in the answer that made it, and in no list or document afterwards.",
    claims=("contract:033",),
)
MASKED = Requirement(
    id="auth/key-masked",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("33", "lists show a mask of the form sk-byts-...****1234"),
    text="Lists and documents show a mask by which an owner knows the key again.",
    claims=("contract:033",),
)
NOT_REVEALED = Requirement(
    id="auth/key-not-revealed",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C4", "hash only, no reveal; 404 or 410; encrypted-at-rest reveal tolerated"),
    text="A secret that is kept as a hash cannot be revealed: 404 or 410, and no part of it.",
    claims=("contract:034",),
)
ROTATED = Requirement(
    id="auth/rotated-key-is-dead",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("35", "Rotate invalidates the old secret at once, no overlap."),
    text="After a rotation the new secret works, and the old one is refused with 401.",
    claims=("contract:029", "contract:035"),
)
DELETED = Requirement(
    id="auth/deleted-key-is-dead",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("36", "Delete is immediate"),
    text="The call after a key was deleted is refused with 401, and the key is no more to be found.",
    claims=("contract:029", "contract:036"),
)
CUT_OFF = Requirement(
    id="auth/deleted-in-mid-stream",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "36, 151, C5", "an in-band authentication_error, then close, no terminal marker, not billed; hard close tolerated"
    ),
    text="A stream whose key is deleted ends there: by an error of authentication or a break, and never as if it were complete.",
    claims=("contract:036", "contract:151"),
)
CUT_OFF_FREE = Requirement(
    id="auth/deleted-in-mid-stream-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C5, 155", "then close, no terminal marker, not billed"),
    text="A stream that was ended by the deletion of its key is not billed.",
    claims=("contract:151", "contract:155"),
)
ELSEWHERE = Requirement(
    id="auth/ip-list-403",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("37", "IP outside whitelist or inside blacklist: 403 permission_denied, permission_error, PERMISSION_DENIED"),
    text="A key used from an address that its lists forbid is refused with 403 in the caller's envelope, and no vendor hears of it.",
    claims=("contract:031", "contract:037"),
)
BAD_FIELD = Requirement(
    id="auth/bad-field-named",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("31, 203", "400 invalid_param; the OpenAI error object carries param"),
    text="A key with a limit, network or group that cannot be is refused with 400, and the field is named.",
    claims=("contract:031", "contract:202", "contract:203"),
)
OF_OTHERS = Requirement(
    id="auth/keys-of-others",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("32", "/api/v1/keys/{id}: by any active key of the account"),
    text="Another account's key cannot be seen, listed or deleted, and is told apart in nothing from one that never was.",
    claims=("contract:032",),
)


def _document(seen: StepSeen) -> dict[str, Any]:
    document = json_of(seen)
    return document if isinstance(document, dict) else {}


def check_made(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "made")) is not None:
        return why
    seen = exchange.step("made")
    findings = status(seen, 200, 201)
    if findings:
        return Failed(*findings)
    document = _document(seen)
    if not isinstance(document.get("id"), str) or not document["id"]:
        findings.append(at(seen, expected="the key's id", got=shown(document.get("id")), pointer="/id"))
    if not isinstance(document.get("key"), str) or _TOKEN.decode() not in document["key"]:
        findings.append(at(seen, expected="the key's secret", got=shown(document.get("key")), pointer="/key"))
    findings += [
        at(seen, expected=f"{name} {shown(wanted)}", got=shown(document.get(name)), pointer=f"/{name}")
        for name, wanted in FIELDS.items()
        if document.get(name) != wanted
    ]
    findings += status(exchange.step("works"), 200)
    return conclude(findings, f"{len(document)} fields, and the key works")


def check_shown_once(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "list", "show")) is not None:
        return why
    made = exchange.step("made").answer
    if made is None or _TOKEN not in made.text:
        return Inconclusive("no secret was shown where the key was made")
    findings = [
        at(seen, expected="no secret", got=shown(seen.answer.text[found : found + 40].decode("utf-8", "replace")))
        for seen in (exchange.step("list"), exchange.step("show"))
        if seen.answer is not None and (found := seen.answer.text.find(_TOKEN)) >= 0
    ]
    return conclude(findings, "shown where it was made, and not in list and document")


def check_masked(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "list", "show")) is not None:
        return why
    key_id = _document(exchange.step("made")).get("id")
    entries = _document(exchange.step("list")).get("data")
    listed = [entry for entry in entries if isinstance(entry, dict) and entry.get("id") == key_id] if isinstance(entries, list) else []
    findings = [] if listed else [at(exchange.step("list"), expected=f"key {key_id}", got="a list without it", pointer="/data")]
    masks = [(exchange.step("list"), entry) for entry in listed] + [(exchange.step("show"), _document(exchange.step("show")))]
    for seen, entry in masks:
        if not any(isinstance(text, str) and _MASK.fullmatch(text) for text in entry.values()):
            findings.append(at(seen, expected="a mask such as sk-byts-...****1234", got=shown(entry)))
    return conclude(findings, "a mask in list and document")


def check_not_revealed(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made")) is not None:
        return why
    if (why := unmet(exchange, "reveal")) is not None:
        return why
    seen = exchange.step("reveal")
    if seen.status == 200 and seen.answer is not None and _TOKEN in seen.answer.text:
        return Inconclusive("the key is revealed, which one who keeps it encrypted may do")
    return conclude(status(seen, 404, 410), f"status {seen.status}")


def _cause(seen: StepSeen, surface: Surface) -> Said | None:
    return said(_FAMILY[surface], json_of(seen))


def _dead(seen: StepSeen, surface: Surface) -> list[Finding]:
    findings = [*status(seen, 401), *not_called(seen)]
    cause = _cause(seen, surface)
    if not findings and (cause is None or not {cause.type, cause.code} & _BAD_KEY):
        findings.append(at(seen, expected="the word for a bad key", got=shown(json_of(seen)), pointer="/error"))
    return findings


def check_rotated(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "works", "rotated")) is not None:
        return why
    if (why := unmet(exchange, "old", "new")) is not None:
        return why
    findings = [*_dead(exchange.step("old"), exchange.case.surface), *status(exchange.step("new"), 200)]
    return conclude(findings, "the old secret 401, the new one 200")


def check_deleted(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "new")) is not None:
        return why
    if (why := unmet(exchange, "unmade", "gone", "unknown")) is not None:
        return why
    findings = [
        *status(exchange.step("unmade"), 200, 202, 204),
        *_dead(exchange.step("gone"), exchange.case.surface),
        *status(exchange.step("unknown"), 404, 410),
    ]
    return conclude(findings, f"401 after it was deleted, and {exchange.step('unknown').status} for its document")


def _stream(exchange: Exchange) -> Exchange | Inconclusive:
    """The open stream as an exchange of its own, if it had begun and not ended when its key was deleted."""
    if (why := failed(exchange, "made", "open", "unmade")) is not None:
        return why
    seen, deleted = exchange.step("open"), exchange.step("unmade").calls[0]
    if not seen.upstream or seen.answer is None or not seen.answer.is_sse:
        return Inconclusive("no stream had begun")
    if seen.upstream[-1].response is not None and seen.answer.end_ms < deleted.request.at_ms:
        return Inconclusive("the stream had ended before its key was deleted")
    return replace(exchange, client=seen.calls[0], upstream=seen.upstream, steps=())


def check_cut_off(exchange: Exchange) -> Verdict:
    stream = _stream(exchange)
    if isinstance(stream, Inconclusive):
        return stream
    findings = []
    if (end := success_end(stream)) is not None:
        findings.append(Finding(step="open", frame=end.frame, offset=end.offset, expected="no successful end", got=shown(end.data)))
    told = error_event(stream)
    if told is not None and not {told[1].type, told[1].code} & _BAD_KEY:
        seen, cause = told
        got = shown({"type": cause.type, "code": cause.code})
        findings.append(Finding(step="open", frame=seen.frame, offset=seen.offset, expected="an error of authentication", got=got))
    return conclude(findings, "ended by an error event" if told is not None else "broken off")


def check_cut_off_free(exchange: Exchange) -> Verdict:
    stream = _stream(exchange)
    if isinstance(stream, Inconclusive):
        return stream
    account = exchange.account
    if account is None:
        return Inconclusive("the account was not read")
    charged, rows = account.charged_micro_usd, new_rows(exchange)
    wrong = [Finding(side=Side.ACCOUNT, expected="no charge and no row", got=f"{charged} micro-USD, {len(rows)} rows")]
    return conclude(wrong if charged or rows else [], "no charge, no row")


def check_elsewhere(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made")) is not None:
        return why
    if (why := unmet(exchange, "call")) is not None:
        return why
    seen = exchange.step("call")
    findings = [*status(seen, 403), *not_called(seen)]
    cause = _cause(seen, exchange.case.surface)
    if cause is None or not {cause.type, cause.code} & _FORBIDDEN or not cause.message:
        findings.append(at(seen, expected="the envelope's word for what is forbidden", got=shown(json_of(seen)), pointer="/error"))
    return conclude(findings, f"403: {cause.message if cause else ''}")


def check_bad_field(exchange: Exchange) -> Verdict:
    names = [name for name, _ in BAD_FIELDS]
    if (why := unmet(exchange, *(name.replace("_", "-") for name in names))) is not None:
        return why
    findings = []
    for name in names:
        seen = exchange.step(name.replace("_", "-"))
        error = _document(seen).get("error")
        found = status(seen, 400, 422)
        if not found and (not isinstance(error, dict) or name not in f"{error.get('param')} {error.get('message')}"):
            found = [at(seen, expected=f"{name} named", got=shown(error), pointer="/error/param")]
        findings += found
    return conclude(findings, f"{len(names)} fields refused by name")


def check_of_others(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "list")) is not None:
        return why
    if (why := unmet(exchange, "show", "delete", "works")) is not None:
        return why
    key_id = _document(exchange.step("made")).get("id")
    findings = [*status(exchange.step("show"), 404), *status(exchange.step("delete"), 404), *status(exchange.step("works"), 200)]
    listed = exchange.step("list").answer
    if isinstance(key_id, str) and listed is not None and key_id.encode() in listed.text:
        findings.append(at(exchange.step("list"), expected="no key of another account", got=key_id, pointer="/data"))
    return conclude(findings, "") if findings else Passed("404 twice, not listed, and the key goes on working")


def _on(name: str, *surfaces: Surface) -> Given:
    return Given(surfaces=frozenset(surfaces or (Surface.CHAT,)), steps=True, traits=frozenset({f"keys-{name}"}))


RULES: tuple[Rule, ...] = (
    Rule(MADE, check_made, _on("lifecycle")),
    Rule(SHOWN_ONCE, check_shown_once, _on("lifecycle")),
    Rule(MASKED, check_masked, _on("lifecycle")),
    Rule(NOT_REVEALED, check_not_revealed, _on("lifecycle")),
    Rule(ROTATED, check_rotated, _on("lifecycle")),
    Rule(DELETED, check_deleted, _on("lifecycle")),
    Rule(CUT_OFF, check_cut_off, _on("deleted-in-mid-stream", Surface.CHAT, Surface.MESSAGES)),
    Rule(CUT_OFF_FREE, check_cut_off_free, _on("deleted-in-mid-stream", Surface.CHAT, Surface.MESSAGES)),
    Rule(ELSEWHERE, check_elsewhere, _on("from-elsewhere", Surface.CHAT, Surface.MESSAGES, Surface.GEMINI)),
    Rule(BAD_FIELD, check_bad_field, _on("bad-fields")),
    Rule(OF_OTHERS, check_of_others, _on("of-others")),
)
