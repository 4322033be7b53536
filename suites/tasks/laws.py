"""What a task promises: one lifecycle, one bill, one answer for everybody who asks again, and none for others."""

import json
import re
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, StepSeen
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.errors.reading import said
from suites.evidence import conclude, contract_clause, in_books, shown
from suites.steps import at, failed, json_of, new_rows, status, unmet

_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE)
_ORDER: Final = ("pending", "running", "completed")
_ENDS: Final = frozenset({"completed", "failed", "cancelled"})


RECEIPT = Requirement(
    id="tasks/receipt",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("217, C44", "{task_id (ULID), out_task_id?, status=pending, ...} in milliseconds"),
    text="A submission is answered before the work is done: a task id, the caller's own id, and pending.",
    claims=("contract:010", "contract:027", "contract:217"),
)
LIFECYCLE = Requirement(
    id="tasks/lifecycle",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "226, 227", "pending, running, completed|failed|cancelled, no other order; /v1/tasks/stream pushes state changes"
    ),
    text="The stream of a task tells its states in order, each once, and ends with the last.",
    claims=("contract:226", "contract:227"),
)
RESULT = Requirement(
    id="tasks/result",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("222", "credits_used and output[] only on completed; error_code, error_message only on failed"),
    text="A completed task shows its output and what it used, a failed one its error, and neither what is the other's.",
    claims=("contract:222",),
)
BY_EITHER = Requirement(
    id="tasks/found-by-either-id",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("221", "Query takes exactly one of task_id, out_task_id; both or neither: 400 invalid_param"),
    text="A task is found by its id and by its caller's own, and a query that names both or none is refused.",
    claims=("contract:221",),
)
HELD = Requirement(
    id="tasks/held-until-it-ends",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("161; 4.3, 17", "balance.available_usd is net of holds; completed bills once"),
    text="What a task may cost is held from its submission on.",
    claims=("contract:160", "contract:161"),
)
BILLED_ONCE = Requirement(
    id="tasks/billed-once",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("228; 4.3, 17", "completed bills once however often queried; re-query is free without limit"),
    text="A completed task has one row, at the price that it shows, however often it is asked for.",
    claims=("contract:172", "contract:228"),
    invariants=(17,),
)
DEDUPED = Requirement(
    id="tasks/submitted-once",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("220; 4.3, 17", "same params: 200 with the existing task; duplicate submit does not add a hold"),
    text="The same submission under the same id of the caller's is the same task: nothing more is held, and no vendor asked again.",
    claims=("contract:220",),
    invariants=(17,),
)
DUPLICATE = Requirement(
    id="tasks/duplicate-409",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("220, C42", "different params: 409 duplicate_out_task_id; 400 tolerated"),
    text="Other work under an id that is taken is refused as a duplicate.",
    claims=("contract:220",),
)
OF_OTHERS = Requirement(
    id="tasks/of-others-404",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("223", "Another key's task: 404 task_not_found (no existence leak)"),
    text="Another key's task is answered just as one that never was.",
    claims=("contract:223",),
)
TOO_LATE = Requirement(
    id="tasks/ended-stays-as-it-is",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("224", "Cancel by path or body; terminal tasks: 200 with unchanged state"),
    text="A task that has ended is not cancelled any more: 200, and its state as it was.",
    claims=("contract:224",),
)
CANCELLED = Requirement(
    id="tasks/cancel-returns-the-hold",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("225, C43; 4.3, 17", "Pending cancel is free; credits_used present iff something was billed"),
    text="A task that is cancelled before it has an output ends as cancelled, and gives back what was held for it.",
    claims=("contract:225",),
    invariants=(17,),
)
FAILED_FREE = Requirement(
    id="tasks/failed-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("228", "Failed tasks bill zero"),
    text="A task that failed says so, and costs nothing.",
    claims=("contract:153", "contract:171", "contract:208", "contract:228"),
)


def _document(seen: StepSeen) -> dict[str, Any]:
    document = json_of(seen)
    return document if isinstance(document, dict) else {}


def _states(seen: StepSeen) -> list[str]:
    """The states that the stream told, in order."""
    found = []
    for frame in seen.answer.frames if seen.answer is not None else ():
        try:
            data = json.loads(frame.data or "null")
        except ValueError:
            continue
        if isinstance(data, dict) and isinstance(data.get("status"), str):
            found.append(data["status"])
    return found


def check_receipt(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "submit")) is not None:
        return why
    seen = exchange.step("submit")
    document, findings = _document(seen), status(seen, 200, 201, 202)
    task_id = document.get("task_id")
    if not isinstance(task_id, str) or not _ULID.fullmatch(task_id):
        findings.append(at(seen, expected="a ULID", got=shown(task_id), pointer="/task_id"))
    if document.get("status") != "pending":
        findings.append(at(seen, expected="pending", got=shown(document.get("status")), pointer="/status"))
    own = f"wp-{_asked(seen).get('out_task_id', '')[3:]}"
    if document.get("out_task_id") != own:
        findings.append(at(seen, expected=own, got=shown(document.get("out_task_id")), pointer="/out_task_id"))
    return conclude(findings, f"{task_id} pending")


def _asked(seen: StepSeen) -> dict[str, Any]:
    asked = seen.calls[0].request.json if seen.calls else None
    return asked if isinstance(asked, dict) else {}


def check_lifecycle(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "watch")) is not None:
        return why
    seen = exchange.step("watch")
    states = _states(seen)
    end = _ORDER if states[-1:] == ["completed"] else (*_ORDER[:2], *states[-1:])
    places = [end.index(state) for state in states if state in end]
    findings = []
    if not states or states[-1] not in _ENDS:
        findings.append(at(seen, expected="a last state", got=shown(states)))
    elif len(places) != len(states) or places != sorted(set(places)):
        findings.append(at(seen, expected=" → ".join(end), got=" → ".join(states)))
    return conclude(findings, " → ".join(states))


def check_result(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "by-id")) is not None:
        return why
    seen = exchange.step("by-id")
    document = _document(seen)
    match document.get("status"):
        case "completed":
            wanted, barred = ("output", "credits_used"), ("error_code", "error_message")
        case "failed":
            wanted, barred = ("error_code", "error_message"), ("output", "credits_used")
        case other:
            return Inconclusive(f"the task is {other}")
    findings = [at(seen, expected=name, got=shown(document.get(name)), pointer=f"/{name}") for name in wanted if not document.get(name)]
    findings += [
        at(seen, expected=f"no {name}", got=shown(document[name]), pointer=f"/{name}") for name in barred if document.get(name) is not None
    ]
    return conclude(findings, f"{document['status']}, with {' and '.join(wanted)}")


def check_by_either(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "by-id")) is not None:
        return why
    if (why := unmet(exchange, "by-own-id", "by-both", "by-neither")) is not None:
        return why
    task_id = _document(exchange.step("submit")).get("task_id")
    findings = [
        at(exchange.step(name), expected=shown(task_id), got=shown(_document(exchange.step(name)).get("task_id")), pointer="/task_id")
        for name in ("by-id", "by-own-id")
        if _document(exchange.step(name)).get("task_id") != task_id
    ]
    findings += [*status(exchange.step("by-both"), 400), *status(exchange.step("by-neither"), 400)]
    return conclude(findings, f"{task_id} by both ids; 400 for both at once and for none")


def check_held(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit")) is not None:
        return why
    account, during = exchange.account, exchange.step("submit").books
    if account is None or during is None:
        return Inconclusive("the account was not read")
    if during.rows != account.before.rows:
        return Inconclusive("the task had ended before the account was read")
    held = account.before.available_micro_usd - during.available_micro_usd
    cost = max((row.cost_micro_usd for row in new_rows(exchange).values()), default=0)
    wrong = [] if held > 0 and held >= cost else [in_books(f"at least {max(1, cost)} micro-USD held", f"{held} micro-USD")]
    return conclude(wrong, f"{held} micro-USD held, {cost} taken")


def check_billed_once(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "watch", "by-id")) is not None:
        return why
    document, account = _document(exchange.step("by-id")), exchange.account
    if document.get("status") != "completed" or account is None:
        return Inconclusive(f"the task is {document.get('status')}, or the account was not read")
    rows, charged = new_rows(exchange), account.charged_micro_usd
    findings = [] if len(rows) == 1 else [in_books("one row", f"{len(rows)} rows")]
    cost = sum(row.cost_micro_usd for row in rows.values())
    used = round(float(document.get("credits_used") or 0) * 1_000_000)
    if not charged or charged != cost or used != cost:
        findings.append(in_books(f"{used} micro-USD, as credits_used says", f"{charged} taken, {cost} in the rows"))
    return conclude(findings, f"one row of {cost} micro-USD")


def check_deduped(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "again")) is not None:
        return why
    first, again = exchange.step("submit"), exchange.step("again")
    findings = []
    if _document(again).get("task_id") != _document(first).get("task_id"):
        wanted = shown(_document(first).get("task_id"))
        findings.append(at(again, expected=wanted, got=shown(_document(again).get("task_id")), pointer="/task_id"))
    if len(first.upstream) + len(again.upstream) > 1:
        calls = f"{len(first.upstream) + len(again.upstream)} calls"
        findings.append(Finding(step="again", side=Side.UPSTREAM, expected="one call for both", got=calls))
    if first.books is not None and again.books is not None and first.books.rows == again.books.rows:
        before, after = first.books.available_micro_usd, again.books.available_micro_usd
        if before != after:
            findings.append(in_books(f"{before} micro-USD as before", f"{after} micro-USD"))
    return conclude(findings, f"{_document(first).get('task_id')} both times")


def check_duplicate(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit")) is not None:
        return why
    if (why := unmet(exchange, "other-params")) is not None:
        return why
    seen = exchange.step("other-params")
    cause = said("openai", json_of(seen))
    findings = status(seen, 409, 400)
    if cause is None or cause.code != "duplicate_out_task_id":
        findings.append(at(seen, expected="code duplicate_out_task_id", got=shown(json_of(seen)), pointer="/error/code"))
    return conclude(findings, f"{seen.status} duplicate_out_task_id")


def check_of_others(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "submit", "by-id")) is not None:
        return why
    if (why := unmet(exchange, "by-another", "unknown")) is not None:
        return why
    other, unknown = exchange.step("by-another"), exchange.step("unknown")
    findings = [*status(other, 404), *status(unknown, 404)]
    if not findings and json_of(other) != json_of(unknown):
        findings.append(at(other, expected=shown(json_of(unknown)), got=shown(json_of(other))))
    cause = said("openai", json_of(other))
    if not findings and (cause is None or cause.code != "task_not_found"):
        findings.append(at(other, expected="code task_not_found", got=shown(json_of(other)), pointer="/error/code"))
    return conclude(findings, "404 task_not_found for both")


def check_too_late(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "watch", "by-id")) is not None:
        return why
    if (why := unmet(exchange, "too-late")) is not None:
        return why
    seen, was = exchange.step("too-late"), _document(exchange.step("by-id")).get("status")
    findings = status(seen, 200)
    if not findings and _document(seen).get("status") != was:
        findings.append(at(seen, expected=shown(was), got=shown(_document(seen).get("status")), pointer="/status"))
    return conclude(findings, f"200, still {was}")


def check_cancelled(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "cancel", "watch", "by-id")) is not None:
        return why
    seen, account = exchange.step("by-id"), exchange.account
    if account is None:
        return Inconclusive("the account was not read")
    if _document(seen).get("status") == "completed":
        return Inconclusive("the task had completed before it was cancelled")
    findings = []
    if _document(seen).get("status") != "cancelled":
        findings.append(at(seen, expected="cancelled", got=shown(_document(seen).get("status")), pointer="/status"))
    if account.charged_micro_usd or new_rows(exchange):
        findings.append(in_books("all of it back and no row", f"{account.charged_micro_usd} micro-USD, {len(new_rows(exchange))} rows"))
    return conclude(findings, "cancelled, nothing taken")


def check_failed_free(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "watch", "by-id")) is not None:
        return why
    seen, account = exchange.step("by-id"), exchange.account
    if account is None:
        return Inconclusive("the account was not read")
    findings = []
    if _document(seen).get("status") != "failed":
        findings.append(at(seen, expected="failed", got=shown(_document(seen).get("status")), pointer="/status"))
    if account.charged_micro_usd or new_rows(exchange):
        findings.append(in_books("no charge and no row", f"{account.charged_micro_usd} micro-USD, {len(new_rows(exchange))} rows"))
    return conclude(findings, f"failed: {_document(seen).get('error_code')}")


ASKING_FREE = Requirement(
    id="tasks/asking-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("172; 4.3, 16", "query and cancel leave the wallet unchanged"),
    text="Asking for a task, by whichever id, and cancelling one that has ended costs nothing.",
    claims=("contract:172",),
    invariants=(16,),
)


def check_asking_free(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "watch", "by-id")) is not None:
        return why
    before, account = exchange.step("by-id").books, exchange.account
    if before is None or account is None:
        return Inconclusive("the account was not read")
    if (why := unmet(exchange, "by-own-id", "again", "too-late")) is not None:
        return why
    was, now = before.available_micro_usd, account.after.available_micro_usd
    findings = [] if was == now else [in_books(f"{was} micro-USD, as after the first query", f"{now} micro-USD")]
    if before.rows is not None and account.after.rows is not None and len(before.rows) != len(account.after.rows):
        findings.append(in_books(f"{len(before.rows)} rows as before", f"{len(account.after.rows)} rows"))
    return conclude(findings, f"{now} micro-USD before and after")


def _on(*names: str) -> Given:
    wanted = frozenset(f"tasks-{name}" for name in names)
    return Given(surfaces=frozenset({Surface.IMAGES}), steps=True, also=lambda case: bool(wanted & case.traits))


_VIDEOS_FAILED: Final = ("video-failed", "video-blocked")

RULES: tuple[Rule, ...] = (
    Rule(RECEIPT, check_receipt, _on("completed")),
    Rule(LIFECYCLE, check_lifecycle, _on("completed", "cancelled", "failed", "video", "video-cancelled", *_VIDEOS_FAILED, "video-lost")),
    Rule(RESULT, check_result, _on("completed", "failed", "video", *_VIDEOS_FAILED, "video-lost")),
    Rule(BY_EITHER, check_by_either, _on("completed")),
    Rule(HELD, check_held, _on("completed", "video")),
    Rule(BILLED_ONCE, check_billed_once, _on("completed")),
    Rule(DEDUPED, check_deduped, _on("completed")),
    Rule(DUPLICATE, check_duplicate, _on("completed")),
    Rule(OF_OTHERS, check_of_others, _on("completed")),
    Rule(TOO_LATE, check_too_late, _on("completed")),
    Rule(ASKING_FREE, check_asking_free, _on("asked")),
    Rule(CANCELLED, check_cancelled, _on("cancelled", "video-cancelled")),
    Rule(FAILED_FREE, check_failed_free, _on("failed", *_VIDEOS_FAILED)),
)
