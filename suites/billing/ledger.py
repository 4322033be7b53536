"""What calls cost that belong together, and whether everything that the account shows says the same."""

from datetime import UTC, datetime
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, StepSeen, UsageRow
from harness.requirement import TEXT_SURFACES, Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Verdict
from suites.billing.ledger_cases import CACHE_USES, FREE
from suites.evidence import conclude, contract_clause, in_books, shown
from suites.steps import at, failed, header, json_of, micro_usd, new_rows, row_of, status, unmet

_NO_BOOKS: Final = Inconclusive("the account was not read")
_KINDS: Final = frozenset({"topup", "refund", "admin_credit", "admin_debit", "subscription_renew"})
_ROW_FIELDS: Final = ("request_id", "model", "input_tokens", "output_tokens", "cache_read_tokens")


STREAM_IS_WHOLE = Requirement(
    id="billing/stream-costs-as-whole",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 11", "Stream equals non-stream in charge for the same script"),
    text="The same answer costs the same, streamed or not.",
    claims=("contract:164",),
    invariants=(11,),
)
AGAIN = Requirement(
    id="billing/retry-after-success-bills-again",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("185; 4.3, 8", "Text endpoints are not idempotent: a retry after a 200 bills again"),
    text="A call that is made again after it succeeded is a second call: a row of its own, at the same price.",
    claims=("contract:185", "contract:186"),
    invariants=(8,),
)
HELD = Requirement(
    id="billing/hold-visible",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("160, 161; 4.3, 5", "balance.available_usd is net of holds; afterwards it returns exactly"),
    text="While a call is open the balance is less by what is held for it; afterwards only by what it cost.",
    claims=("contract:160", "contract:161"),
    invariants=(5,),
)
RETRIED = Requirement(
    id="billing/retry-after-failure-bills-once",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 7", "SDK auto-retry after a 503 yields one row"),
    text="A call that fails and succeeds on the second try is billed once.",
    claims=("contract:153", "contract:209", "contract:233"),
    invariants=(7,),
)
FAILOVER = Requirement(
    id="billing/failover-bills-once",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 7", "Failover from a failing account to a good one yields one row"),
    text="A call that a second channel answers, after the first had failed, is billed once.",
    claims=("contract:064", "contract:206"),
    invariants=(7,),
)
MONOTONE = Requirement(
    id="billing/hang-up-costs-grow",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("156; 4.3, 9", "charge monotone in k; never above the full price"),
    text="Who leaves a stream later pays no less than who leaves the same stream sooner, and never more than the whole costs.",
    claims=("contract:156",),
    invariants=(9,),
)
IDENTITY = Requirement(
    id="billing/ledger-identity",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("178; 4.3, 2", "lifetime_topup - lifetime_spent = available when no request is open"),
    text="With no call open, what was ever paid in less what was ever spent is what is there.",
    claims=("contract:178",),
    invariants=(2,),
)
BALANCE = Requirement(
    id="billing/balance-is-the-account",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C35", "/api/v1/me/account canonical, /v1/balance thin alias"),
    text="Where there is a /v1/balance, it tells the same balance as the account.",
    claims=("contract:183",),
)
ROW_BY_ID = Requirement(
    id="billing/row-by-request-id",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33", "one row per billed request, request_id filter"),
    text="Asked for one request id, the usage log gives that call's row and no other.",
    claims=("contract:181", "contract:182"),
)
ROW_COMPLETE = Requirement(
    id="billing/row-complete",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 20", "row has request id, model, token classes, cost"),
    text="A usage row says request, model, tokens by class, and cost.",
    claims=("contract:181",),
    invariants=(20,),
)
BUCKETS = Requirement(
    id="billing/usage-by-key",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "180, 242", "group_by api_key: buckets with total_usd, input_tokens, output_tokens, call_count; failed calls excluded"
    ),
    text="Usage by key sums up that key's billed calls, and no failed one.",
    claims=("contract:180", "contract:242"),
    invariants=(20,),
)
TRANSACTIONS = Requirement(
    id="billing/transactions-are-no-usage",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "179", "kind: topup, refund, admin_credit, admin_debit, subscription_renew; amount_usd signed; balance_after_usd"
    ),
    text="The list of transactions has what was paid in and out, each with its balance, and no usage.",
    claims=("contract:154", "contract:179"),
)
FREE_DOCUMENTS = Requirement(
    id="billing/documents-are-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("172; 4.3, 16", "/v1/models, query, cancel, /api/v1/me/* leave wallet and windows unchanged"),
    text="Reading models, prices, groups and one's own account costs nothing, and moves neither quota nor window.",
    claims=("contract:040", "contract:172", "contract:196"),
    invariants=(16,),
)
TOLD_TWICE = Requirement(
    id="billing/end-told-twice-bills-once",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 7", "a duplicate upstream terminal event does not double"),
    text="A stream whose vendor tells usage and end twice is billed once.",
    claims=("contract:152", "contract:164"),
    invariants=(7,),
)
CACHE_ALIKE = Requirement(
    id="billing/cache-costs-alike",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 10", "OpenAI-shaped and Anthropic-shaped views of the same script agree"),
    text="What is read from the vendor's cache and written to it costs the same, whichever protocol the call was made in.",
    claims=("contract:118", "contract:164"),
    invariants=(1, 10),
)
FAILS_OVER = Requirement(
    id="billing/fails-over",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("64, 206", "on 5xx try the next eligible channel in the same group before surfacing 5xx"),
    text="Where a second channel serves the model, the failure of the first does not reach the caller.",
    claims=("contract:064", "contract:206"),
)


def _costs(exchange: Exchange, *names: str) -> list[int | None]:
    rows = [row_of(exchange, exchange.step(name)) for name in names]
    return [row.cost_micro_usd if row is not None else None for row in rows]


def check_stream_is_whole(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "whole", "stream")) is not None:
        return why
    whole, stream = _costs(exchange, "whole", "stream")
    if whole is None or stream is None:
        return Inconclusive("not each of the two has its row")
    wrong = [] if whole == stream else [in_books(f"{whole} micro-USD, as the whole answer cost", f"{stream} micro-USD")]
    return conclude(wrong, f"{whole} micro-USD each")


def check_again(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "whole", "again")) is not None:
        return why
    first, second = _costs(exchange, "whole", "again")
    rows = len(new_rows(exchange))
    if first is None:
        return Inconclusive("the first call has no row")
    findings = (
        [] if second == first else [in_books(f"a second row of {first} micro-USD", "none" if second is None else f"{second} micro-USD")]
    )
    if rows != len(exchange.steps):
        findings.append(in_books(f"{len(exchange.steps)} rows for as many calls", f"{rows} rows"))
    return conclude(findings, f"two rows of {first} micro-USD")


def check_held(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "open")) is not None:
        return why
    account, during = exchange.account, exchange.step("open").books
    if account is None or during is None:
        return _NO_BOOKS
    before, open_, after = (books.available_micro_usd for books in (account.before, during, account.after))
    cost = sum(row.cost_micro_usd for row in new_rows(exchange).values())
    if during.rows != account.before.rows:
        return Inconclusive("the call had ended before the account was read")
    findings = []
    if before - open_ < cost or open_ >= before:
        findings.append(in_books(f"at least {max(cost, 1)} micro-USD held while the call was open", f"{before - open_} micro-USD"))
    if before - after != cost:
        findings.append(in_books(f"{before - cost} micro-USD once it was over", f"{after} micro-USD"))
    return conclude(findings, f"{before - open_} micro-USD held, {cost} taken")


def check_retried(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "retried")) is not None:
        return why
    if (exchange.step("failed").status or 0) < 500:
        return Inconclusive(f"the first try was answered {exchange.step('failed').status}")
    return _once(exchange, exchange.step("retried"))


def check_failover(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "call")) is not None:
        return why
    if len(exchange.step("call").upstream) < 2:
        return Inconclusive("no second channel was tried")
    return _once(exchange, exchange.step("call"))


def check_told_twice(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "call")) is not None:
        return why
    seen = exchange.step("call")
    row, prices = row_of(exchange, seen), exchange.account.prices if exchange.account is not None else {}
    verdict = _once(exchange, seen)
    if not isinstance(verdict, Passed) or row is None or not {"input_per_1m", "output_per_1m"} <= prices.keys():
        return verdict
    full = (_INPUT * prices["input_per_1m"] + _TOLD_OUTPUT * prices["output_per_1m"]) // 1_000_000
    return conclude([] if row.cost_micro_usd <= full else [in_books(f"at most {full} micro-USD", f"{row.cost_micro_usd}")], verdict.saw)


def _once(exchange: Exchange, seen: StepSeen) -> Verdict:
    if exchange.account is None:
        return _NO_BOOKS
    rows, charged = new_rows(exchange), exchange.account.charged_micro_usd
    findings = [] if len(rows) == 1 else [in_books("one row", f"{len(rows)} rows")]
    if (row := row_of(exchange, seen)) is None:
        findings.append(in_books("the row of the call that succeeded", shown(list(rows))))
    elif row.cost_micro_usd != charged:
        findings.append(in_books(f"{row.cost_micro_usd} micro-USD, as its row says", f"{charged} micro-USD"))
    return conclude(findings, f"one row, {charged} micro-USD")


def check_cache_alike(exchange: Exchange) -> Verdict:
    pairs = [(f"{use}-{Surface.MESSAGES}", f"{use}-{Surface.CHAT}") for use in CACHE_USES]
    if (why := failed(exchange, *(name for pair in pairs for name in pair))) is not None:
        return why
    findings, costs = [], []
    for own, other in pairs:
        first, second = (row_of(exchange, exchange.step(name)) for name in (own, other))
        if first is None or second is None:
            return Inconclusive("not every call has its row")
        if not (first.cache_read_tokens or first.cache_write_tokens):
            return Inconclusive(f"the row of {own} shows no use of the cache")
        costs.append(first.cost_micro_usd)
        if first.cost_micro_usd != second.cost_micro_usd:
            findings.append(in_books(f"{first.cost_micro_usd} micro-USD, as {own} cost", f"{second.cost_micro_usd} micro-USD for {other}"))
    return conclude(findings, f"{' and '.join(map(str, costs))} micro-USD over both protocols")


def check_fails_over(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "call")) is not None:
        return why
    seen = exchange.step("call")
    return conclude(status(seen, 200), f"200 after {len(seen.upstream)} calls")


def check_monotone(exchange: Exchange) -> Verdict:
    names = ("soon", "later", "late")
    if (why := unmet(exchange, *names)) is not None:
        return why
    costs = [cost or 0 for cost in _costs(exchange, *names)]
    if not any(costs):
        return Inconclusive("nobody paid anything")
    rising = costs == sorted(costs)
    findings = [] if rising else [in_books("a charge that grows with what was sent", shown(costs))]
    full = _full_price(exchange)
    findings += [in_books(f"at most {full} micro-USD, the whole answer's price", f"{cost}") for cost in costs if full and cost > full]
    return conclude(findings, f"{', '.join(map(str, costs))} micro-USD")


def _full_price(exchange: Exchange) -> int | None:
    """Of chat/long.stream, by its own counts."""
    prices = exchange.account.prices if exchange.account is not None else {}
    if not {"input_per_1m", "output_per_1m"} <= prices.keys():
        return None
    return (_INPUT * prices["input_per_1m"] + _OUTPUT * prices["output_per_1m"]) // 1_000_000


_INPUT: Final = 64  # an estimate of the input may be a little more than what the vendor would have counted
_OUTPUT: Final = 3602
_TOLD_OUTPUT: Final = 108  # of chat/usage.stream


def check_identity(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "account")) is not None:
        return why
    balance = _balance(exchange.step("account"))
    amounts = [micro_usd(balance.get(name)) for name in ("lifetime_topup_usd", "lifetime_spent_usd", "available_usd")]
    if None in amounts:
        wanted = "lifetime_topup_usd, lifetime_spent_usd, available_usd"
        return conclude([at(exchange.step("account"), expected=wanted, got=shown(balance), pointer="/balance")], "")
    paid, spent, available = (amount or 0 for amount in amounts)
    wrong = []
    if paid - spent != available:
        wrong = [at(exchange.step("account"), expected=f"{paid - spent} micro-USD", got=f"{available}", pointer="/balance/available_usd")]
    return conclude(wrong, f"{paid} - {spent} = {available} micro-USD")


def _balance(seen: StepSeen) -> dict[str, Any]:
    document = json_of(seen)
    balance = document.get("balance") if isinstance(document, dict) else None
    return balance if isinstance(balance, dict) else {}


def check_balance(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "account", "balance")) is not None:
        return why
    account, alias = _balance(exchange.step("account")), _balance(exchange.step("balance"))
    wanted = account.get("available_usd")
    wrong = [] if alias.get("available_usd") == wanted else [at(exchange.step("balance"), expected=shown(wanted), got=shown(alias))]
    return conclude(wrong, f"{wanted} USD in both")


def _listed(seen: StepSeen) -> list[dict[str, Any]] | None:
    document = json_of(seen)
    data = document.get("data") if isinstance(document, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else None


def check_row_by_id(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "paid", "row")) is not None:
        return why
    wanted, rows = header(exchange.step("paid"), "x-request-id"), _listed(exchange.step("row"))
    ids = [row.get("request_id") for row in rows or ()]
    wrong = [] if ids == [wanted] else [at(exchange.step("row"), expected=shown([wanted]), got=shown(ids), pointer="/data")]
    return conclude(wrong, f"the row of {wanted}")


def check_row_complete(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "paid", "row")) is not None:
        return why
    rows = _listed(exchange.step("row"))
    if not rows:
        return Inconclusive("no row was listed")
    row = rows[0]
    missing = [name for name in _ROW_FIELDS if row.get(name) is None]
    if all(micro_usd(row.get(name)) is None for name in ("cost_usd", "cost_micro_usd", "credits")):
        missing.append("cost")
    findings = [at(exchange.step("row"), expected=f"{name} in the row", got=shown(row), pointer="/data/0") for name in missing]
    return conclude(findings, f"{len(row)} fields")


def check_buckets(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "paid", "buckets")) is not None:
        return why
    seen, row = exchange.step("buckets"), row_of(exchange, exchange.step("paid"))
    key_id = (json_of(exchange.step("made")) or {}).get("id")
    buckets = _listed(seen)
    if row is None or buckets is None:
        return Inconclusive("no row, or no buckets")
    own = [bucket for bucket in buckets if bucket.get("api_key") == key_id or _names(bucket.get("api_key"), key_id)]
    if len(own) != 1:
        return conclude([at(seen, expected=f"one bucket of key {key_id}", got=shown(buckets), pointer="/data")], "")
    return conclude(_bucket_findings(seen, own[0], row), f"1 call, {row.cost_micro_usd} micro-USD")


def _names(found: Any, key_id: Any) -> bool:
    return isinstance(found, dict) and found.get("id") == key_id


def _bucket_findings(seen: StepSeen, bucket: dict[str, Any], row: UsageRow) -> list[Finding]:
    wanted = {"call_count": 1, "output_tokens": row.output_tokens}
    findings = [
        at(seen, expected=f"{name} {number}", got=shown(bucket.get(name)), pointer=f"/data/…/{name}")
        for name, number in wanted.items()
        if bucket.get(name) != number
    ]
    if micro_usd(bucket.get("total_usd")) != row.cost_micro_usd:
        findings.append(at(seen, expected=f"total_usd of {row.cost_micro_usd} micro-USD", got=shown(bucket.get("total_usd"))))
    return findings


def check_transactions(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "paid", "moved")) is not None:
        return why
    seen = exchange.step("moved")
    moves = _listed(seen)
    if not moves:
        return Inconclusive("nothing was ever paid in")
    findings = []
    for number, move in enumerate(moves):
        if move.get("kind") not in _KINDS:
            findings.append(at(seen, expected="a kind that is no usage", got=shown(move.get("kind")), pointer=f"/data/{number}/kind"))
        findings += [
            at(seen, expected="an amount", got=shown(move.get(name)), pointer=f"/data/{number}/{name}")
            for name in ("amount_usd", "balance_after_usd")
            if micro_usd(move.get(name)) is None
        ]
        if not _is_time(move.get("created_at")):
            findings.append(at(seen, expected="a time", got=shown(move.get("created_at")), pointer=f"/data/{number}/created_at"))
    return conclude(findings, f"{len(moves)} movements")


def _is_time(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) is not None
    except (TypeError, ValueError):
        return False


def check_free(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "made", "paid")) is not None:
        return why
    paid = exchange.step("paid")
    if paid.books is None or exchange.account is None:
        return _NO_BOOKS
    served = [exchange.step(name) for name, _ in FREE if exchange.step(name).status == 200]
    findings = [
        at(seen, expected=f"{name} {header(paid, name)}", got=shown(header(seen, name)))
        for seen in served
        for name in ("x-quota-remaining-credits", "x-ratelimit-remaining")
        if header(seen, name) not in (None, header(paid, name))
    ]
    before, after = paid.books.available_micro_usd, exchange.account.after.available_micro_usd
    if before != after:
        findings.append(in_books(f"{before} micro-USD", f"{after} micro-USD"))
    return conclude(findings, f"{len(served)} documents, nothing moved") if served else Inconclusive("no document was served")


def _on(name: str, surfaces: frozenset[Surface] = frozenset({Surface.CHAT})) -> Given:
    return Given(surfaces=surfaces, steps=True, traits=frozenset({f"billing-{name}"}))


RULES: tuple[Rule, ...] = (
    Rule(STREAM_IS_WHOLE, check_stream_is_whole, _on("twice", TEXT_SURFACES)),
    Rule(AGAIN, check_again, _on("twice", TEXT_SURFACES)),
    Rule(HELD, check_held, _on("held")),
    Rule(RETRIED, check_retried, _on("retried")),
    Rule(FAILOVER, check_failover, _on("failover")),
    Rule(CACHE_ALIKE, check_cache_alike, _on("cache-alike")),
    Rule(TOLD_TWICE, check_told_twice, _on("told-twice")),
    Rule(FAILS_OVER, check_fails_over, _on("failover")),
    Rule(MONOTONE, check_monotone, _on("left")),
    Rule(IDENTITY, check_identity, _on("documents")),
    Rule(BALANCE, check_balance, _on("documents")),
    Rule(ROW_BY_ID, check_row_by_id, _on("documents")),
    Rule(ROW_COMPLETE, check_row_complete, _on("documents")),
    Rule(BUCKETS, check_buckets, _on("documents")),
    Rule(TRANSACTIONS, check_transactions, _on("documents")),
    Rule(FREE_DOCUMENTS, check_free, _on("documents")),
)
