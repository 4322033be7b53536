"""What a key may spend: its quota, its windows, and what it is told of them."""

from typing import Final

from harness.case import Surface
from harness.exchange import Exchange, StepSeen, value
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Side, Verdict
from suites.errors.reading import said
from suites.evidence import conclude, contract_clause, in_books, shown
from suites.limits.cases import FAILURES
from suites.steps import at, failed, header, header_micro_usd, new_rows, not_called, row_of, status, unmet

_CENT: Final = 10_000  # micro-USD: what the two decimals of a header cannot show
_NO_BOOKS: Final = Inconclusive("the account was not read")
_QUOTA_WORDS: Final = frozenset({"quota_exceeded", "insufficient_balance", "insufficient_quota", "insufficient_credits", "billing_error"})


NO_OVERSPEND = Requirement(
    id="limits/no-overspend",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 6", "Quota Q, request price c, many calls at once: at most Q/c succeed and spend stays within Q"),
    text="However many calls come at once, a key never spends more than its quota.",
    claims=("contract:160", "contract:174", "contract:175"),
    invariants=(6,),
)
QUOTA_REFUSED = Requirement(
    id="limits/quota-402",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C32", "wallet or lifetime quota empty: 402 quota_exceeded; 429 and 403 tolerated"),
    text="What a key's quota cannot pay is refused with 402 (or 429, 403) and its cause.",
    claims=("contract:174", "contract:176", "contract:197"),
)
BEFORE_FUNDS = Requirement(
    id="limits/no-call-before-funds",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("160; 4.3, 4", "reject before contacting upstream if the wallet cannot cover it"),
    text="The vendor is called once for each call that was admitted, and never for one that cannot be paid.",
    claims=("contract:160",),
    invariants=(4,),
)
WINDOW_REFUSED = Requirement(
    id="limits/window-429",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "194", "Exhausted window: 429, rate_limit_error, rate_limit_exceeded, message names window, amounts and reset time"
    ),
    text="A call beyond a spent window is refused with 429, with the window in its message, and no vendor hears of it.",
    claims=("contract:175", "contract:176", "contract:187", "contract:194"),
    invariants=(13,),
)
SAYS_WHEN = Requirement(
    id="limits/429-says-when",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("194, 233; 4.3, 13", "carries reset in the future; what the SDK's retry reads"),
    text="The refusal of a spent window says when to come back: X-RateLimit-Reset in the future, and retry-after.",
    claims=("contract:191", "contract:194", "contract:233"),
    invariants=(13,),
)
CONSUMES_NOTHING = Requirement(
    id="limits/429-consumes-nothing",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("199; 4.3, 13", "Failures do not consume windows"),
    text="A call that a window refuses costs nothing, and leaves quota and window as they were.",
    claims=("contract:153", "contract:199"),
    invariants=(13,),
)
RAISED = Requirement(
    id="limits/raised-cap-works",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 14", "raising a cap takes effect on the next request"),
    text="A window that is raised admits the very next call.",
    claims=("contract:187",),
    invariants=(14,),
)
APART_CAPS = Requirement(
    id="limits/caps-are-apart",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("197; 4.3, 14", "quota and expiry are independent of the windows"),
    text="While a window is spent, the quota's header still shows what is left of the quota.",
    claims=("contract:192", "contract:197"),
    invariants=(14,),
)
ARITHMETIC = Requirement(
    id="limits/window-arithmetic",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("189; 4.3, 12", "Remaining = limit - spend in the window; never rises inside a window"),
    text="X-RateLimit-Limit less X-RateLimit-Remaining is what the key has spent, to the cent.",
    claims=("contract:189", "contract:191"),
    invariants=(12,),
)
TIGHTEST = Requirement(
    id="limits/tightest-window-shown",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("189", "tightest wins and is what the headers show"),
    text="Of several windows the headers show the one of which the least is left.",
    claims=("contract:187", "contract:189"),
)
KEYS_APART = Requirement(
    id="limits/keys-are-apart",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("188; 4.3, 15", "Key A's failures and spend never move key B's headers; the wallet moves by the sum"),
    text="What one key spends or fails with moves no other key's quota and window, and the wallet loses the sum.",
    claims=("contract:152", "contract:174", "contract:188"),
    invariants=(15,),
)
ROLLING = Requirement(
    id="limits/windows-roll",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C37; 4.3, 12", "true sliding window over settled spend: look at t0+5h: only the second spend shows"),
    text="Five hours after a spend it has left the window, a later one has not, and a call is admitted again.",
    claims=("contract:187", "contract:190"),
    invariants=(12, 13),
)


def _answers(seen: StepSeen) -> list[int]:
    return [hop.response.status for hop in seen.calls if hop.response is not None]


def check_no_overspend(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "made", "burst")) is not None:
        return why
    rows = list(new_rows(exchange).values())
    quota = _quota(exchange)
    served = sum(200 <= answer < 300 for answer in _answers(exchange.step("burst")))
    if not rows or quota is None:
        return Inconclusive("nothing was admitted, or no quota shown")
    each, spent = min(row.cost_micro_usd for row in rows), sum(row.cost_micro_usd for row in rows)
    findings = [] if spent <= quota else [in_books(f"at most {quota} micro-USD", f"{spent} micro-USD")]
    if served * each > quota:
        findings.append(at(exchange.step("burst"), expected=f"at most {quota // each} calls served", got=f"{served} served"))
    return conclude(findings, f"{served} of {len(_answers(exchange.step('burst')))} served, {spent} of {quota} micro-USD")


def _quota(exchange: Exchange) -> int | None:
    quota = exchange.case.steps[0].request
    return round(float(quota["quota"]) * 1_000_000) if quota else None


def check_quota_refused(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "made", "burst")) is not None:
        return why
    seen = exchange.step("burst")
    refused = [hop.response for hop in seen.calls if hop.response is not None and not hop.response.ok]
    if not refused:
        return Inconclusive("nothing was refused")
    findings = []
    for response in refused:
        cause = said("openai", response.json)
        if response.status not in (402, 429, 403):
            findings.append(at(seen, expected="status 402 (or 429, 403)", got=f"status {response.status}"))
        elif cause is None or not {cause.type, cause.code} & _QUOTA_WORDS or not cause.message:
            findings.append(at(seen, expected="the word for a spent quota", got=shown(response.json), pointer="/error"))
    return conclude(findings, f"{len(refused)} refused with {refused[0].status}")


def check_before_funds(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "made", "burst")) is not None:
        return why
    seen = exchange.step("burst")
    served = sum(200 <= answer < 300 for answer in _answers(seen))
    calls = len(seen.upstream)
    wrong = [] if calls <= served else [Finding(side=Side.UPSTREAM, step="burst", expected=f"{served} calls", got=f"{calls} calls")]
    return conclude(wrong, f"{calls} calls for {len(seen.calls)} requests")


def check_window_refused(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "first")) is not None:
        return why
    if (why := unmet(exchange, "second")) is not None:
        return why
    seen = exchange.step("second")
    assert seen.answer is not None
    cause = said("openai", seen.answer.json)
    findings = [*status(seen, 429), *not_called(seen)]
    if cause is None or not {cause.type, cause.code} & {"rate_limit_error", "rate_limit_exceeded"}:
        findings.append(at(seen, expected="rate_limit_error, rate_limit_exceeded", got=shown(seen.answer.json), pointer="/error"))
    elif "5h" not in (cause.message or "") and "5 h" not in (cause.message or ""):
        findings.append(at(seen, expected="a message that names the 5h window", got=shown(cause.message), pointer="/error/message"))
    return conclude(findings, f"429: {cause.message if cause else ''}")


def check_says_when(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "second")) is not None:
        return why
    seen = exchange.step("second")
    if seen.status != 429:
        return Inconclusive(f"answered {seen.status}")
    reset, wait = header(seen, "x-ratelimit-reset"), header(seen, "retry-after")
    findings = []
    if reset is None or not reset.isdigit() or int(reset) <= seen.at_s:
        findings.append(at(seen, expected=f"X-RateLimit-Reset after {seen.at_s}", got=shown(reset)))
    if wait is None or not wait.isdigit() or int(wait) < 1:
        findings.append(at(seen, expected="retry-after in seconds", got=shown(wait)))
    return conclude(findings, f"reset {reset}, retry-after {wait}")


def check_consumes_nothing(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "first")) is not None:
        return why
    first, second = exchange.step("first"), exchange.step("second")
    if second.status is None or second.status < 400:
        return Inconclusive(f"the second call was answered {second.status}")
    if first.books is None or second.books is None:
        return _NO_BOOKS
    findings = []
    if first.books != second.books:
        findings.append(in_books(f"{first.books.available_micro_usd} micro-USD as before", f"{second.books.available_micro_usd} micro-USD"))
    findings += _moved(first, second, "x-ratelimit-remaining")
    return conclude(findings, f"{second.status}, {second.books.available_micro_usd} micro-USD before and after")


def _moved(before: StepSeen, after: StepSeen, *names: str) -> list[Finding]:
    """A finding for each of these headers that is not what it was."""
    return [
        at(after, expected=f"{name}: {header(before, name)}", got=shown(header(after, name)))
        for name in names
        if header(before, name) != header(after, name)
    ]


def check_raised(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "first")) is not None:
        return why
    if (why := unmet(exchange, "raised", "after")) is not None:
        return why
    if exchange.step("second").status != 429:
        return Inconclusive("the window had not been spent")
    findings = [*status(exchange.step("raised"), 200), *status(exchange.step("after"), 200)]
    return conclude(findings, "admitted right after the window was raised")


def check_apart_caps(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "first")) is not None:
        return why
    second, row = exchange.step("second"), row_of(exchange, exchange.step("first"))
    quota, left = _quota(exchange), header_micro_usd(second, "x-quota-remaining-credits")
    if second.status != 429 or row is None or quota is None:
        return Inconclusive("no window was spent, or nothing billed before")
    wanted = quota - row.cost_micro_usd
    wrong = [] if left is not None and wanted - _CENT < left <= wanted else [at(second, expected=f"{wanted} micro-USD left", got=str(left))]
    return conclude(wrong, f"{left} micro-USD of the quota left")


def check_arithmetic(exchange: Exchange) -> Verdict:
    names = ("one", "two", "three")
    if (why := failed(exchange, "made", *names)) is not None:
        return why
    rows = [row_of(exchange, exchange.step(name)) for name in names]
    left = [header_micro_usd(exchange.step(name), "x-ratelimit-remaining") for name in names]
    limit = header_micro_usd(exchange.step("three"), "x-ratelimit-limit")
    if None in rows:
        return Inconclusive("not every call has its row")
    spent = sum(row.cost_micro_usd for row in rows if row)
    shown_left = [amount for amount in left if amount is not None]
    if limit is None or len(shown_left) < len(left):
        return Failed(at(exchange.step("three"), expected="X-RateLimit-Limit and -Remaining in USD", got=f"{limit}, {shown_left}"))
    last, difference = exchange.step("three"), limit - shown_left[-1]
    findings = []
    if not spent <= difference < spent + _CENT:
        findings.append(at(last, expected=f"limit less remaining: {spent} micro-USD, to the cent", got=f"{difference} micro-USD"))
    if shown_left != sorted(shown_left, reverse=True):
        findings.append(at(last, expected="a remaining that never rises", got=shown(shown_left)))
    return conclude(findings, f"{difference} micro-USD for {spent} spent")


def check_tightest(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "three")) is not None:
        return why
    asked = exchange.case.steps[0].request or {}
    tightest = round(min(asked["rate_limit_5h"], asked["rate_limit_1d"]) * 1_000_000)
    limit = header_micro_usd(exchange.step("three"), "x-ratelimit-limit")
    wrong = [] if limit == tightest else [at(exchange.step("three"), expected=f"{tightest} micro-USD", got=f"{limit} micro-USD")]
    return conclude(wrong, f"{limit} micro-USD, the smaller of two")


def check_keys_apart(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "later", "before", "spent", "now")) is not None:
        return why
    before, now = exchange.step("before"), exchange.step("now")
    findings = _moved(before, now, "x-quota-remaining-credits", "x-ratelimit-limit", "x-ratelimit-remaining")
    account = exchange.account
    if account is None:
        return _NO_BOOKS
    total = sum(row.cost_micro_usd for row in new_rows(exchange).values())
    if account.charged_micro_usd != total:
        findings.append(in_books(f"{total} micro-USD, the sum of both keys' rows", f"{account.charged_micro_usd} micro-USD"))
    return conclude(findings, f"{header(now, 'x-quota-remaining-credits')} left on the other key; {total} micro-USD in all")


def check_rolling(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "one", "four-hours", "two", "five-hours", "now")) is not None:
        return why
    if (why := unmet(exchange, "again")) is not None:
        return why
    second, limit = row_of(exchange, exchange.step("two")), header_micro_usd(exchange.step("now"), "x-ratelimit-limit")
    left = header_micro_usd(exchange.step("now"), "x-ratelimit-remaining")
    if second is None:
        return Inconclusive("the second call has no row")
    if limit is None or left is None:
        return Failed(at(exchange.step("now"), expected="X-RateLimit-Limit and -Remaining", got=f"{limit}, {left}"))
    findings = []
    if exchange.step("too-much").status != 429:
        return Inconclusive("the window had not been spent before")
    if not second.cost_micro_usd <= limit - left < second.cost_micro_usd + _CENT:
        wanted = f"only the second spend in the window: {second.cost_micro_usd} micro-USD"
        findings.append(at(exchange.step("now"), expected=wanted, got=f"{limit - left} micro-USD"))
    findings += status(exchange.step("again"), 200)
    return conclude(findings, f"{limit - left} micro-USD left in the window, and a call admitted")


CAP = Requirement(
    id="limits/concurrency-429",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("195", "Concurrency cap per account: 429 concurrency_limit, no reset header"),
    text="A call beyond the account's cap of open calls is refused with 429 concurrency_limit and no reset time.",
    claims=("contract:195", "contract:196"),
)
FREED = Requirement(
    id="limits/concurrency-freed",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("195", "Concurrency cap per account"),
    text="When the open call has ended, the next one is admitted.",
    claims=("contract:195",),
)


def check_cap(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "open", "second")) is not None:
        return why
    if exchange.step("open").status != 200:
        return Inconclusive(f"the open call was answered {exchange.step('open').status}")
    if _over_before(exchange.step("open"), exchange.step("second")):
        return Inconclusive("the open call had ended before the second was sent")
    seen = exchange.step("second")
    assert seen.answer is not None
    cause = said("openai", seen.answer.json)
    findings = [*status(seen, 429), *not_called(seen)]
    if cause is None or cause.code != "concurrency_limit":
        findings.append(at(seen, expected="code concurrency_limit", got=shown(seen.answer.json), pointer="/error/code"))
    if (reset := value(seen.answer.headers, "x-ratelimit-reset")) is not None:
        findings.append(at(seen, expected="no X-RateLimit-Reset, for no time ends it", got=reset))
    return conclude(findings, f"429: {cause.message if cause else ''}")


def _over_before(one: StepSeen, other: StepSeen) -> bool:
    return one.answer is not None and one.answer.end_ms < other.calls[0].request.at_ms


def check_freed(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "open", "second", "after")) is not None:
        return why
    if exchange.step("second").status != 429:
        return Inconclusive("the cap was not reached")
    wrong = status(exchange.step("after"), 200)
    return conclude(wrong, "") if wrong else Passed("admitted once the open call had ended")


FAILURE_MOVES_NOTHING = Requirement(
    id="limits/failure-moves-nothing",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("154, 199; 4.3, 3", "delta 0, no row, no window movement, X-Quota-Remaining-Credits equal before and after"),
    text="Calls that fail, in whatever way their vendor does, leave the key's quota and windows as they were.",
    claims=("contract:153", "contract:154", "contract:199"),
    invariants=(3,),
)


def check_failure_moves_nothing(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "paid", "now")) is not None:
        return why
    paid, now = exchange.step("paid"), exchange.step("now")
    names = ("x-quota-remaining-credits", "x-ratelimit-limit", "x-ratelimit-remaining")
    if all(header(now, name) is None for name in names):
        return Inconclusive("the answer shows neither quota nor window")
    rows = new_rows(exchange)
    billed = [name for name in FAILURES if header(exchange.step(name), "x-request-id") in rows]
    findings = [*_moved(paid, now, *names), *(in_books(f"no row of {name}", "a row") for name in billed)]
    return conclude(findings, f"{len(FAILURES)} failures, {header(now, names[0])} of the quota left before and after")


def _on(name: str) -> Given:
    return Given(surfaces=frozenset({Surface.CHAT}), steps=True, traits=frozenset({f"limits-{name}"}))


RULES: tuple[Rule, ...] = (
    Rule(NO_OVERSPEND, check_no_overspend, _on("quota")),
    Rule(QUOTA_REFUSED, check_quota_refused, _on("quota")),
    Rule(BEFORE_FUNDS, check_before_funds, _on("quota")),
    Rule(WINDOW_REFUSED, check_window_refused, _on("window")),
    Rule(SAYS_WHEN, check_says_when, _on("window")),
    Rule(CONSUMES_NOTHING, check_consumes_nothing, _on("window")),
    Rule(RAISED, check_raised, _on("window")),
    Rule(APART_CAPS, check_apart_caps, _on("window")),
    Rule(ARITHMETIC, check_arithmetic, _on("shown")),
    Rule(TIGHTEST, check_tightest, _on("shown")),
    Rule(KEYS_APART, check_keys_apart, _on("apart")),
    Rule(ROLLING, check_rolling, _on("later")),
    Rule(FAILURE_MOVES_NOTHING, check_failure_moves_nothing, _on("failures")),
    Rule(CAP, check_cap, _on("open")),
    Rule(FREED, check_freed, _on("open")),
)
