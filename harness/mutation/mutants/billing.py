"""Gateways whose books are wrong: the account's documents changed on their way, by what went through before."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.case import FaultKind, Surface
from harness.mutation.mutant import Answer, Books, Mutant, on_headers, on_json

_CALL_MICRO_USD: Final = 1_000


def charged(books: Books, calls: int) -> Books:
    """The balance, less by so many calls' money."""
    if not books.balance or not calls:
        return books
    balance = dict(books.balance["balance"])
    balance["available_usd"] = round(balance["available_usd"] - calls * _CALL_MICRO_USD / 1_000_000, 6)
    return replace(books, balance={**books.balance, "balance": balance})


def newest(change: dict[str, Any]) -> Any:
    """The newest row changed, once a call has gone through."""

    def apply(books: Books) -> Books:
        ids = set(books.request_ids)
        if not books.rows or not ids:
            return books
        return replace(
            books,
            rows=[
                {**row, **{key: value(row) if callable(value) else value for key, value in change.items()}}
                if row["request_id"] in ids
                else row
                for row in books.rows
            ],
        )

    return apply


def _held_hidden(books: Books) -> Books:
    """The balance as if nothing were held for open calls."""
    if not books.balance:
        return books
    balance = dict(books.balance["balance"])
    return replace(books, balance={**books.balance, "balance": {**balance, "available_usd": balance["settled_usd"]}})


def _dearer(books: Books, which: int) -> Books:
    """The row of one of this proxy's calls ten dollars dearer."""
    ids = books.request_ids[which:][:1]
    rows = [{**row, "cost_micro_usd": row["cost_micro_usd"] + 10_000_000} if row["request_id"] in ids else row for row in books.rows]
    return replace(books, rows=rows)


def _searches_free(books: Books) -> Books:
    """As if each call had cost a cent less, in the balance and in its row."""
    if books.balance:
        balance = dict(books.balance["balance"])
        balance["available_usd"] = round(balance["available_usd"] + books.succeeded * 0.01, 6)
        return replace(books, balance={**books.balance, "balance": balance})
    ids = set(books.request_ids)
    rows = [{**row, "cost_micro_usd": row["cost_micro_usd"] - 10_000} if row["request_id"] in ids else row for row in books.rows]
    return replace(books, rows=rows)


def _without_newest(books: Books) -> Books:
    """One row where there are two calls: the later one's is missing."""
    return replace(books, rows=[row for row in books.rows if row["request_id"] not in books.request_ids[-1:]])


def _on_document(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Answer], Answer]:
    """An account document changed, where it is one."""

    def apply(answer: Answer) -> Answer:
        return on_json(change)(answer) if answer.status == 200 else answer

    return apply


def on_balance(**more_usd: float) -> Callable[[Answer], Answer]:
    def change(document: dict[str, Any]) -> dict[str, Any]:
        balance = document["balance"]
        return {**document, "balance": {**balance, **{name: balance[name] + more for name, more in more_usd.items()}}}

    return _on_document(change)


def _on_entries(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Answer], Answer]:
    return _on_document(lambda document: {**document, "data": change(document["data"])})


def _only_filtered(change: Callable[[Answer], Answer]) -> Callable[[Answer], Answer]:
    """Not what the harness itself reads the books from."""
    return lambda answer: change(answer) if "request_id=" in answer.ask.target else answer


def _again(books: Books) -> Books:
    """Each row of this proxy's calls a second time, under an id of its own."""
    ids = set(books.request_ids)
    copies = [{**row, "request_id": f"{row['request_id']}-2"} for row in books.rows if row["request_id"] in ids]
    return replace(books, rows=[*copies, *books.rows])


def row_for_each(books: Books) -> Books:
    """A row for every call, the failed ones too."""
    if books.balance:
        return books
    known = {row["request_id"] for row in books.rows}
    extra = [
        {"request_id": name or f"call-{number}", "model": "?", "cost_micro_usd": 0, "input_tokens": 1, "output_tokens": 1}
        for number, name in enumerate(books.request_ids)
        if name not in known
    ]
    return replace(books, rows=[*extra, *books.rows])


def per_call(books: Books) -> Books:
    return charged(books, len(books.request_ids))


def more_output(row: dict[str, Any]) -> int:
    return int(row["output_tokens"]) + 100_000


def _cached_as_input(row: dict[str, Any]) -> int:
    return int(row["input_tokens"]) + int(row["cache_read_tokens"])


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="billing-twice",
        requirement="billing/one-row",
        text="Lists each call twice.",
        books=_again,
        defects=("Augustas11/macprovider#762",),
    ),
    Mutant(
        id="billing-other-id",
        requirement="billing/row-is-the-request",
        text="Lists calls under ids that no client has seen.",
        books=newest({"request_id": lambda row: f"internal-{row['request_id']}"}),
    ),
    Mutant(
        id="billing-other-model",
        requirement="billing/row-model",
        text="Lists calls under the vendor's name for the model.",
        books=newest({"model": lambda row: f"vendor/{row['model']}"}),
    ),
    Mutant(
        id="billing-output-forgotten",
        requirement="billing/row-tokens",
        text="Counts no output tokens.",
        books=newest({"output_tokens": 0}),
        defects=("Dstack-TEE/private-ai-gateway#194",),
    ),
    Mutant(
        id="billing-cache-as-input",
        requirement="billing/row-cache-tokens",
        text="Counts cached tokens as plain input.",
        books=newest({"input_tokens": _cached_as_input, "cache_read_tokens": 0}),
        where=lambda case: "cache-read" in case.traits,
        defects=("BerriAI/litellm#11789",),
    ),
    Mutant(
        id="billing-charges-more",
        requirement="billing/charge-is-the-row",
        text="Takes more from the wallet than the row says.",
        books=per_call,
    ),
    Mutant(
        id="billing-dearer-than-the-table",
        requirement="billing/price-identity",
        text="Charges more than its price table says.",
        books=per_call,
    ),
    Mutant(
        id="billing-searches-free",
        requirement="billing/searches-priced",
        text="Bills the tokens of an answer and not the searches that were run for it.",
        books=_searches_free,
        where=lambda case: "searches" in case.traits,
    ),
    Mutant(
        id="billing-always-estimates",
        requirement="billing/reported-not-estimated",
        text="Bills an estimate although the vendor reported its usage.",
        books=newest({"estimated": True}),
        defects=("BerriAI/litellm#36008",),
    ),
    Mutant(
        id="billing-stale-header",
        requirement="billing/quota-header-true",
        text="Shows a balance that is a dollar too high.",
        answer=on_headers(
            lambda headers: tuple(
                (name, f"{float(text) + 1:.6f}") if name.lower() == "x-quota-remaining-credits" else (name, text) for name, text in headers
            )
        ),
    ),
    Mutant(
        id="billing-failures-charged",
        requirement="billing/failure-is-free",
        text="Charges for calls that failed.",
        books=per_call,
        defects=("QuantumNous/new-api#95",),
    ),
    Mutant(
        id="billing-failures-listed",
        requirement="billing/failure-has-no-row",
        text="Lists calls that failed.",
        books=row_for_each,
        where=lambda case: case.play is not None and (case.play.fault is None or case.play.fault.kind is not FaultKind.STALL_BEFORE),
    ),
    Mutant(
        id="billing-odd-answer-charged",
        requirement="billing/paid-if-delivered",
        text="Charges for an answer that it did not deliver.",
        books=per_call,
    ),
    Mutant(
        id="billing-left-early-charged",
        requirement="billing/hang-up-before-content-is-free",
        text="Charges a caller who left before the first content.",
        books=per_call,
        defects=("Wei-Shaw/sub2api#4408",),
    ),
    Mutant(
        id="billing-left-later-in-full",
        requirement="billing/hang-up-is-bounded",
        text="Bills the whole answer to a caller who left in the middle.",
        books=newest({"output_tokens": more_output}),
        defects=("BerriAI/litellm#36008",),
    ),
    Mutant(
        id="billing-counting-charged",
        requirement="billing/free-calls",
        text="Charges for counting tokens.",
        books=per_call,
        where=lambda case: case.surface is Surface.COUNT_TOKENS,
    ),
    Mutant(
        id="billing-empty-wallet-500",
        requirement="billing/empty-wallet",
        text="Fails with 500 on a wallet that cannot pay.",
        answer=lambda answer: replace(answer, status=500) if answer.status == 402 else answer,
    ),
    Mutant(
        id="billing-stream-dearer",
        requirement="billing/stream-costs-as-whole",
        text="Charges streams more than whole answers.",
        books=lambda books: _dearer(books, 1),
    ),
    Mutant(
        id="billing-second-call-free",
        requirement="billing/retry-after-success-bills-again",
        text="Takes a call that comes again for the one before.",
        books=_without_newest,
    ),
    Mutant(
        id="billing-hold-hidden",
        requirement="billing/hold-visible",
        text="Shows a balance from which nothing is held for open calls.",
        books=_held_hidden,
    ),
    Mutant(
        id="billing-first-try-listed",
        requirement="billing/retry-after-failure-bills-once",
        text="Lists the try that failed beside the one that succeeded.",
        books=row_for_each,
    ),
    Mutant(
        id="billing-each-channel-listed",
        requirement="billing/failover-bills-once",
        text="Lists a call once for each channel that was tried.",
        books=_again,
    ),
    Mutant(
        id="billing-cache-dear-over-chat",
        requirement="billing/cache-costs-alike",
        text="Bills what a translated call read from the cache as plain input.",
        books=lambda books: _dearer(books, 1),
    ),
    Mutant(
        id="billing-each-end-listed",
        requirement="billing/end-told-twice-bills-once",
        text="Lists a call for each end that its stream had.",
        books=_again,
    ),
    Mutant(
        id="billing-gives-up-at-once",
        requirement="billing/fails-over",
        text="Answers with the first channel's failure.",
        answer=lambda answer: replace(answer, status=503),
    ),
    Mutant(
        id="billing-sooner-is-dearer",
        requirement="billing/hang-up-costs-grow",
        text="Charges who leaves at once more than who stays.",
        books=lambda books: _dearer(books, 0),
    ),
    Mutant(
        id="billing-spent-too-low",
        requirement="billing/ledger-identity",
        text="Forgets what it has given back when it says what was ever spent.",
        answer=on_balance(lifetime_spent_usd=0.01),
        paths="/api/v1/me/account",
    ),
    Mutant(
        id="billing-stale-alias",
        requirement="billing/balance-is-the-account",
        text="Answers /v1/balance from a cache.",
        answer=on_balance(available_usd=1.0),
        paths="/v1/balance",
    ),
    Mutant(
        id="billing-filter-ignored",
        requirement="billing/row-by-request-id",
        text="Lists other calls too, whatever request id was asked for.",
        answer=_only_filtered(_on_entries(lambda rows: [*rows, {**rows[0], "request_id": "req_other"}])),
        paths="/api/v1/usage",
    ),
    Mutant(
        id="billing-row-without-cache-class",
        requirement="billing/row-complete",
        text="Lists no cached tokens.",
        answer=_only_filtered(
            _on_entries(lambda rows: [{name: kept for name, kept in row.items() if name != "cache_read_tokens"} for row in rows])
        ),
        paths="/api/v1/usage",
    ),
    Mutant(
        id="billing-failures-counted",
        requirement="billing/usage-by-key",
        text="Counts failed calls in a key's usage.",
        answer=_on_entries(lambda buckets: [{**bucket, "call_count": bucket["call_count"] + 1} for bucket in buckets]),
        paths="/api/v1/me/usage",
    ),
    Mutant(
        id="billing-usage-among-transactions",
        requirement="billing/transactions-are-no-usage",
        text="Lists each call as a transaction.",
        answer=_on_entries(lambda moves: [{**moves[0], "kind": "usage", "amount_usd": -0.01}, *moves]),
        paths="/api/v1/me/billing/transactions",
    ),
    Mutant(
        id="billing-documents-charged",
        requirement="billing/documents-are-free",
        text="Takes a cent from the quota for a list of groups.",
        answer=on_headers(
            lambda headers: tuple(
                (name, f"{float(text) - 0.01:.6f}") if name.lower() == "x-quota-remaining-credits" else (name, text)
                for name, text in headers
            )
        ),
        paths="/api/v1/groups/available",
    ),
)
