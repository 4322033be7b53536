"""What a call costs: once, by what the answer reports, and nothing at all where it failed.

The account is read before and after each exchange, with no other exchange on its key meanwhile.
"""

from decimal import Decimal, InvalidOperation
from typing import Final

from harness.case import Outcome, Surface
from harness.exchange import AccountReading, Exchange, UsageRow, value
from harness.requirement import TEXT_SURFACES, Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Passed, Side, Verdict
from suites.billing.reading import Tokens, content_bytes, reported, searches
from suites.errors.reading import family_of, said
from suites.evidence import conclude, contract_clause, in_books, shown

_NO_BOOKS: Final = Inconclusive("the account was not read")
_NO_ROWS: Final = Inconclusive("the target lists no usage rows")


ONE_ROW = Requirement(
    id="billing/one-row",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33", "one row per billed request"),
    text="A successful call makes just one usage row.",
    claims=("contract:152", "contract:181", "contract:185"),
    defects=("Augustas11/macprovider#762", "QuantumNous/new-api#6771"),
)
ROW_ID = Requirement(
    id="billing/row-is-the-request",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33, C34", "a row's id equals the response's x-request-id"),
    text="The usage row carries the request id that the answer's header shows.",
    claims=("contract:181",),
    invariants=(20,),
)
ROW_MODEL = Requirement(
    id="billing/row-model",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C33", "row: request id, model, token classes, cost"),
    text="The usage row names the model that was asked for.",
    claims=("contract:181", "contract:242"),
    invariants=(20,),
)
ROW_TOKENS = Requirement(
    id="billing/row-tokens",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("164", "Price = input * rate + output * rate + cache"),
    text="The usage row counts the input and output tokens that the answer reports.",
    claims=("contract:129", "contract:164", "contract:166"),
    invariants=(1, 20),
    defects=("Dstack-TEE/private-ai-gateway#194", "envoyproxy/ai-gateway#2184"),
)
ROW_CACHE = Requirement(
    id="billing/row-cache-tokens",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("118", "Cache read billed at the discounted rate, write at 1.25 times the rate"),
    text="Tokens read from and written to the vendor's cache are counted as such in the row, and not as plain input.",
    claims=("contract:117", "contract:118", "contract:164"),
    invariants=(10,),
    defects=("BerriAI/litellm#11789", "BerriAI/litellm#9812", "icebear0828/codex-proxy#587"),
)
CHARGE = Requirement(
    id="billing/charge-is-the-row",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 2", "Σ usage rows over a period = wallet delta"),
    text="The wallet loses just what the row says, and that is more than nothing.",
    claims=("contract:152", "contract:162"),
    invariants=(2,),
    defects=("QuantumNous/new-api#6771",),
)
PRICE = Requirement(
    id="billing/price-identity",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 1", "Wallet delta = Σ class tokens in the response's own usage * price table, within one micro-USD"),
    text="The wallet loses what the answer's own token counts cost by the price table, each class at its own price.",
    claims=("contract:62", "contract:118", "contract:164"),
    invariants=(1, 10),
    defects=("BerriAI/litellm#9812", "icebear0828/codex-proxy#587"),
)
SEARCHES = Requirement(
    id="billing/searches-priced",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("90", "web search: surcharge per 1k uses"),
    text="Each search that the vendor ran for the answer costs what the price table says of a search, beside the tokens.",
    claims=("contract:90",),
)
NOT_ESTIMATED = Requirement(
    id="billing/reported-not-estimated",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.2", "settle from upstream usage; an estimate only where none came"),
    text="Where the vendor reported its usage, the bill is no estimate.",
    claims=("contract:129",),
    defects=("BerriAI/litellm#36008",),
)
QUOTA_HEADER = Requirement(
    id="billing/quota-header-true",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "4.3, 18", "header values equal the settled state after a non-stream answer, the state at admission before a stream"
    ),
    text="X-Quota-Remaining-Credits is the balance: after the call on a whole answer, no more than before it on a stream.",
    claims=("contract:145", "contract:192"),
    invariants=(18,),
)
FAILURE_FREE = Requirement(
    id="billing/failure-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("153", "Failures never bill."),
    text="A call that failed, whoever's fault it was and however much had been shown, costs nothing.",
    claims=("contract:153", "contract:155", "contract:158", "contract:159", "contract:209"),
    invariants=(3,),
    defects=("QuantumNous/new-api#95", "QuantumNous/new-api#4168", "theopenco/llmgateway#3505", "Kilo-Org/kilocode#13691"),
)
FAILURE_NO_ROW = Requirement(
    id="billing/failure-has-no-row",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("154", "On failure: X-Quota-Remaining-Credits unmoved, no row"),
    text="A call that failed leaves no usage row.",
    claims=("contract:154", "contract:180"),
    invariants=(3, 20),
)
EITHER = Requirement(
    id="billing/paid-if-delivered",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("153", "Failures never bill."),
    text="Where a gateway may deliver an odd answer or refuse it, it bills just if it delivered.",
    claims=("contract:153",),
)
LEFT_EARLY = Requirement(
    id="billing/hang-up-before-content-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("157", "Abort before the first content token bills nothing."),
    text="A caller who leaves before the first content was sent pays nothing.",
    claims=("contract:157",),
    invariants=(9,),
    defects=("Wei-Shaw/sub2api#4408", "bfenetworks/bfe#1353"),
)
LEFT_LATER = Requirement(
    id="billing/hang-up-is-bounded",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("156; 4.3, 9", "Abort mid-stream bills the partial output consumed so far; never above the full price"),
    text="A caller who leaves in mid-stream pays at most once, and for no more output than the vendor had sent.",
    claims=("contract:156",),
    invariants=(9,),
    defects=("BerriAI/litellm#36008", "bfenetworks/bfe#1353"),
)
FREE_CALLS = Requirement(
    id="billing/free-calls",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("172", "/v1/models, query, cancel, /api/v1/me/* are free."),
    text="Listing models and counting tokens cost nothing and leave no row.",
    claims=("contract:61", "contract:172", "contract:196"),
    invariants=(16,),
)
EMPTY_WALLET = Requirement(
    id="billing/empty-wallet",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("C32", "wallet empty: 402 insufficient_balance; billing_error; FAILED_PRECONDITION; 429 and 403 tolerated"),
    text="A wallet that cannot pay is refused with 402 (or 429, 403) and its cause, before any vendor is called.",
    claims=("contract:160", "contract:175", "contract:176"),
    invariants=(4,),
    defects=("BerriAI/litellm#26672", "BerriAI/litellm#4829"),
)


def _ok(exchange: Exchange) -> bool:
    return exchange.client.response is not None and exchange.client.response.ok


def _row(exchange: Exchange) -> UsageRow | Verdict:
    """The one row of a call that succeeded, or why there is none to judge."""
    if exchange.account is None or not _ok(exchange):
        return _NO_BOOKS
    rows = exchange.account.new_rows
    if rows is None:
        return _NO_ROWS
    return rows[0] if len(rows) == 1 else Inconclusive(f"{len(rows)} new rows, not one")


def check_one_row(exchange: Exchange) -> Verdict:
    if exchange.account is None or not _ok(exchange):
        return _NO_BOOKS
    rows = exchange.account.new_rows
    if rows is None:
        return _NO_ROWS
    wrong = [in_books("one new row", f"{len(rows)}: {shown([row.request_id for row in rows])}")] if len(rows) != 1 else []
    return conclude(wrong, f"one row, {rows[0].cost_micro_usd} micro-USD" if rows else "")


def check_row_id(exchange: Exchange) -> Verdict:
    row = _row(exchange)
    if not isinstance(row, UsageRow):
        return row
    header = value(exchange.client.response.headers, "x-request-id") if exchange.client.response else None
    return conclude([] if row.request_id == header else [in_books(f"request id {header}", row.request_id)], f"row {row.request_id}")


def check_row_model(exchange: Exchange) -> Verdict:
    row = _row(exchange)
    if not isinstance(row, UsageRow):
        return row
    return conclude([] if row.model == exchange.model else [in_books(exchange.model, row.model)], f"row of {row.model}")


def check_row_tokens(exchange: Exchange) -> Verdict:
    row, tokens = _row(exchange), reported(exchange)
    if not isinstance(row, UsageRow):
        return row
    if tokens is None:
        return Inconclusive("the answer reports no usage")
    if row.input_tokens is None or row.output_tokens is None:
        return Inconclusive("the row counts no tokens")
    findings = []
    # Some list the cached tokens apart, some inside the input: billing/row-cache-tokens judges how many they were.
    if row.input_tokens not in (tokens.input_tokens, tokens.all_input):
        findings.append(in_books(f"{tokens.input_tokens} input tokens (or {tokens.all_input} with the cached)", str(row.input_tokens)))
    if row.output_tokens != tokens.output_tokens:
        findings.append(in_books(f"{tokens.output_tokens} output tokens", str(row.output_tokens)))
    return conclude(findings, f"{row.input_tokens} in, {row.output_tokens} out")


def check_row_cache(exchange: Exchange) -> Verdict:
    row, tokens = _row(exchange), reported(exchange)
    if not isinstance(row, UsageRow):
        return row
    if tokens is None or not (tokens.cache_read_tokens or tokens.cache_write_tokens):
        return Inconclusive("the answer reports no cached tokens")
    findings = []
    for name, wanted, got in (
        ("cache reads", tokens.cache_read_tokens, row.cache_read_tokens),
        ("cache writes", tokens.cache_write_tokens, row.cache_write_tokens),
    ):
        if wanted and got != wanted:
            findings.append(in_books(f"{wanted} {name}", str(got)))
    if row.input_tokens == tokens.all_input and not row.cache_read_tokens and not row.cache_write_tokens:
        findings.append(in_books(f"{tokens.input_tokens} input tokens", f"{row.input_tokens}, the cached ones among them"))
    return conclude(findings, f"{row.cache_read_tokens} read, {row.cache_write_tokens} written")


def check_charge(exchange: Exchange) -> Verdict:
    if exchange.account is None or not _ok(exchange):
        return _NO_BOOKS
    charged = exchange.account.charged_micro_usd
    rows = exchange.account.new_rows
    findings = [] if charged > 0 else [in_books("a charge", f"{charged} micro-USD")]
    if rows is not None and sum(row.cost_micro_usd for row in rows) != charged:
        findings.append(in_books(f"{sum(row.cost_micro_usd for row in rows)} micro-USD, as the rows say", f"{charged} micro-USD"))
    return conclude(findings, f"{charged} micro-USD")


def check_price(exchange: Exchange) -> Verdict:
    tokens = reported(exchange)
    if exchange.account is None or not _ok(exchange) or tokens is None:
        return _NO_BOOKS
    prices = exchange.account.prices
    if not {"input_per_1m", "output_per_1m"} <= prices.keys():
        return Inconclusive("the target has no price table, or this model is not in it")
    wanted = _price_of(tokens, prices)
    charged = exchange.account.charged_micro_usd
    wrong = [] if abs(charged - wanted) <= 1 else [in_books(f"{wanted:.2f} micro-USD by the price table", f"{charged} micro-USD")]
    return conclude(wrong, f"{charged} micro-USD, by the price table")


def _price_of(tokens: Tokens, prices: dict[str, int]) -> float:
    """micro-USD by the price table."""
    plain = prices["input_per_1m"]
    write_5m = prices.get("cache_write_per_1m", plain)
    return (
        tokens.input_tokens * plain
        + tokens.output_tokens * prices["output_per_1m"]
        + tokens.cache_read_tokens * prices.get("cache_read_per_1m", plain)
        + (tokens.cache_write_tokens - tokens.cache_write_1h_tokens) * write_5m
        + tokens.cache_write_1h_tokens * prices.get("cache_write_1h_per_1m", write_5m)
    ) / 1_000_000


def check_searches(exchange: Exchange) -> Verdict:
    tokens, count = reported(exchange), searches(exchange)
    if exchange.account is None or not _ok(exchange) or tokens is None:
        return _NO_BOOKS
    prices = exchange.account.prices
    if not {"input_per_1m", "output_per_1m", "per_search"} <= prices.keys():
        return Inconclusive("the target names no price of a search")
    if not count:
        return Inconclusive("the answer tells of no search")
    wanted, charged = _price_of(tokens, prices) + count * prices["per_search"], exchange.account.charged_micro_usd
    told = f"{wanted:.2f} micro-USD, {count * prices['per_search']} of them for searching"
    wrong = [] if abs(charged - wanted) <= 1 else [in_books(told, f"{charged} micro-USD")]
    return conclude(wrong, f"{charged} micro-USD, with {count} searches")


def check_not_estimated(exchange: Exchange) -> Verdict:
    row = _row(exchange)
    if not isinstance(row, UsageRow):
        return row
    if reported(exchange) is None:
        return Inconclusive("the answer reports no usage")
    return conclude([in_books("a bill by the reported usage", "an estimate")] if row.estimated else [], "billed by the reported usage")


def check_quota_header(exchange: Exchange) -> Verdict:
    response, account = exchange.client.response, exchange.account
    if account is None or response is None or not response.ok:
        return _NO_BOOKS
    text = value(response.headers, "x-quota-remaining-credits")
    try:
        shown_micro = int(Decimal(text or "") * 1_000_000)
    except InvalidOperation:
        return conclude([Finding(expected="X-Quota-Remaining-Credits in USD", got=shown(text))], "")
    before, after = account.before.available_micro_usd, account.after.available_micro_usd
    if exchange.case.stream:
        wrong = [] if 0 <= shown_micro <= before else [Finding(expected=f"at most {before} micro-USD", got=str(shown_micro))]
    else:
        # A header may be cut to what its decimals hold, but may not show more than there is.
        wrong = [] if after - 10_000 < shown_micro <= after else [Finding(expected=f"{after} micro-USD", got=str(shown_micro))]
    return conclude(wrong, f"{text} USD; {before} before, {after} after")


def check_failure_free(exchange: Exchange) -> Verdict:
    account = exchange.account
    if account is None:
        return _NO_BOOKS
    charged = account.charged_micro_usd
    return conclude([in_books("no charge", f"{charged} micro-USD")] if charged else [], f"{_said_status(exchange)}, no charge")


def check_failure_no_row(exchange: Exchange) -> Verdict:
    if exchange.account is None:
        return _NO_BOOKS
    rows = exchange.account.new_rows
    if rows is None:
        return _NO_ROWS
    wrong = [in_books("no new row", f"{len(rows)}, the first of {rows[0].cost_micro_usd} micro-USD")] if rows else []
    return conclude(wrong, f"{_said_status(exchange)}, no row")


def _said_status(exchange: Exchange) -> str:
    return f"status {exchange.client.response.status}" if exchange.client.response else "no answer"


def check_either(exchange: Exchange) -> Verdict:
    account = exchange.account
    if account is None:
        return _NO_BOOKS
    charged, delivered = account.charged_micro_usd, _ok(exchange)
    wrong = [] if (charged > 0) is delivered else [in_books("a charge" if delivered else "no charge", f"{charged} micro-USD")]
    return conclude(wrong, f"{_said_status(exchange)}, {charged} micro-USD")


def check_left_early(exchange: Exchange) -> Verdict:
    account = exchange.account
    if account is None:
        return _NO_BOOKS
    if content_bytes(exchange.upstream_surface, exchange.upstream_events):
        return Inconclusive("the vendor's first write held content already")
    charged, rows = account.charged_micro_usd, account.new_rows or ()
    wrong = [in_books("no charge and no row", f"{charged} micro-USD, {len(rows)} rows")] if charged or rows else []
    return conclude(wrong, f"left after {len(exchange.upstream_events)} events without content: no charge")


def check_left_later(exchange: Exchange) -> Verdict:
    account = exchange.account
    if account is None:
        return _NO_BOOKS
    sent = content_bytes(exchange.upstream_surface, exchange.upstream_events)
    if not sent:
        return Inconclusive("no content was sent")
    return _bounded(account, sent)


def _bounded(account: AccountReading, sent_bytes: int) -> Verdict:
    charged, rows = account.charged_micro_usd, account.new_rows
    findings = [] if charged >= 0 else [in_books("a charge or none", f"{charged} micro-USD")]
    if rows is not None:
        if len(rows) > 1:
            findings.append(in_books("one row at most", str(len(rows))))
        if sum(row.cost_micro_usd for row in rows) != charged:
            findings.append(in_books(f"{charged} micro-USD in the rows", str(sum(row.cost_micro_usd for row in rows))))
        # No token is shorter than a byte: more output than that was never sent.
        findings += [
            in_books(f"at most {sent_bytes} output tokens", str(row.output_tokens)) for row in rows if (row.output_tokens or 0) > sent_bytes
        ]
    return conclude(findings, f"{charged} micro-USD for {sent_bytes} bytes of content")


def check_free_calls(exchange: Exchange) -> Verdict:
    account = exchange.account
    if account is None or not _ok(exchange):
        return _NO_BOOKS
    charged, rows = account.charged_micro_usd, account.new_rows or ()
    return conclude(
        [in_books("no charge and no row", f"{charged} micro-USD, {len(rows)} rows")] if charged or rows else [], "no charge, no row"
    )


def check_empty_wallet(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    asked = exchange.client.request
    if response is None or not any(value(asked.headers, name) for name in ("authorization", "x-api-key", "x-goog-api-key")):
        return Inconclusive("the target offers no key with an empty wallet")
    cause = said(family_of(exchange), response.json)
    words = {
        "insufficient_balance",
        "insufficient_quota",
        "insufficient_credits",
        "quota_exceeded",
        "billing_error",
        "FAILED_PRECONDITION",
        "rate_limit_exceeded",
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
        "permission_error",
        "PERMISSION_DENIED",
    }
    findings = []
    if response.status not in (402, 429, 403):
        findings.append(Finding(expected="status 402 (or 429, 403)", got=f"status {response.status}"))
    if cause is None or not {cause.type, cause.code} & words or not cause.message:
        got = shown({"type": cause.type, "code": cause.code, "message": cause.message}) if cause else "no envelope"
        findings.append(Finding(expected="the envelope's word for an empty wallet", got=got, pointer="/error"))
    if exchange.upstream:
        findings.append(Finding(side=Side.UPSTREAM, expected="no call", got=f"{len(exchange.upstream)} calls"))
    if findings or cause is None:
        return conclude(findings, "")
    return Passed(f"{response.status} {cause.code or cause.type}: {cause.message}")


_PAID: Final = Given(account=True)
_FAILED: Final = Given(
    outcomes=frozenset({Outcome.UPSTREAM_BROKEN, Outcome.UPSTREAM_ERROR, Outcome.REFUSED}), account=True, without=frozenset({"either"})
)


def _left(at_once: bool) -> Given:
    return Given(outcomes=frozenset({Outcome.ABORTED}), account=True, also=lambda case: ((case.abort_after_frames or 0) == 0) is at_once)


RULES: tuple[Rule, ...] = (
    Rule(ONE_ROW, check_one_row, _PAID),
    Rule(ROW_ID, check_row_id, _PAID),
    Rule(ROW_MODEL, check_row_model, _PAID),
    Rule(ROW_TOKENS, check_row_tokens, _PAID),
    Rule(ROW_CACHE, check_row_cache, Given(account=True, also=lambda case: bool({"cache-read", "cache-write"} & case.traits))),
    Rule(CHARGE, check_charge, _PAID),
    Rule(PRICE, check_price, Given(account=True, without=frozenset({"searches"}))),
    Rule(SEARCHES, check_searches, Given(account=True, traits=frozenset({"searches"}))),
    Rule(NOT_ESTIMATED, check_not_estimated, _PAID),
    Rule(QUOTA_HEADER, check_quota_header, _PAID),
    Rule(FAILURE_FREE, check_failure_free, _FAILED),
    Rule(FAILURE_NO_ROW, check_failure_no_row, _FAILED),
    Rule(EITHER, check_either, Given(outcomes=frozenset({Outcome.UPSTREAM_BROKEN}), account=True, traits=frozenset({"either"}))),
    Rule(LEFT_EARLY, check_left_early, _left(at_once=True)),
    Rule(LEFT_LATER, check_left_later, _left(at_once=False)),
    Rule(
        FREE_CALLS,
        check_free_calls,
        Given(surfaces=frozenset({Surface.MODELS, Surface.COUNT_TOKENS}), account=True, traits=frozenset({"free"})),
    ),
    Rule(
        EMPTY_WALLET,
        check_empty_wallet,
        Given(surfaces=TEXT_SURFACES, outcomes=frozenset({Outcome.REFUSED}), traits=frozenset({"empty-wallet"})),
    ),
)
