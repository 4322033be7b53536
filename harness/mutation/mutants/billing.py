"""Gateways whose books are wrong: the account's documents changed on their way, by what went through before."""

from dataclasses import replace
from typing import Any, Final

from harness.case import FaultKind, Surface
from harness.mutation.mutant import Books, Mutant, on_headers

_CALL_MICRO_USD: Final = 1_000


def _charged(books: Books, calls: int) -> Books:
    """The balance, less by so many calls' money."""
    if not books.balance or not calls:
        return books
    balance = dict(books.balance["balance"])
    balance["available_usd"] = round(balance["available_usd"] - calls * _CALL_MICRO_USD / 1_000_000, 6)
    return replace(books, balance={**books.balance, "balance": balance})


def _newest(change: dict[str, Any]) -> Any:
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


def _again(books: Books) -> Books:
    """Each row of this proxy's calls a second time, under an id of its own."""
    ids = set(books.request_ids)
    copies = [{**row, "request_id": f"{row['request_id']}-2"} for row in books.rows if row["request_id"] in ids]
    return replace(books, rows=[*copies, *books.rows])


def _row_for_each(books: Books) -> Books:
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


def _per_call(books: Books) -> Books:
    return _charged(books, len(books.request_ids))


def _more_output(row: dict[str, Any]) -> int:
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
        books=_newest({"request_id": lambda row: f"internal-{row['request_id']}"}),
    ),
    Mutant(
        id="billing-other-model",
        requirement="billing/row-model",
        text="Lists calls under the vendor's name for the model.",
        books=_newest({"model": lambda row: f"vendor/{row['model']}"}),
    ),
    Mutant(
        id="billing-output-forgotten",
        requirement="billing/row-tokens",
        text="Counts no output tokens.",
        books=_newest({"output_tokens": 0}),
        defects=("Dstack-TEE/private-ai-gateway#194",),
    ),
    Mutant(
        id="billing-cache-as-input",
        requirement="billing/row-cache-tokens",
        text="Counts cached tokens as plain input.",
        books=_newest({"input_tokens": _cached_as_input, "cache_read_tokens": 0}),
        where=lambda case: "cache-read" in case.traits,
        defects=("BerriAI/litellm#11789",),
    ),
    Mutant(
        id="billing-charges-more",
        requirement="billing/charge-is-the-row",
        text="Takes more from the wallet than the row says.",
        books=_per_call,
    ),
    Mutant(
        id="billing-dearer-than-the-table",
        requirement="billing/price-identity",
        text="Charges more than its price table says.",
        books=_per_call,
    ),
    Mutant(
        id="billing-always-estimates",
        requirement="billing/reported-not-estimated",
        text="Bills an estimate although the vendor reported its usage.",
        books=_newest({"estimated": True}),
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
        books=_per_call,
        defects=("QuantumNous/new-api#95",),
    ),
    Mutant(
        id="billing-failures-listed",
        requirement="billing/failure-has-no-row",
        text="Lists calls that failed.",
        books=_row_for_each,
        where=lambda case: case.play is not None and (case.play.fault is None or case.play.fault.kind is not FaultKind.STALL_BEFORE),
    ),
    Mutant(
        id="billing-odd-answer-charged",
        requirement="billing/paid-if-delivered",
        text="Charges for an answer that it did not deliver.",
        books=_per_call,
    ),
    Mutant(
        id="billing-left-early-charged",
        requirement="billing/hang-up-before-content-is-free",
        text="Charges a caller who left before the first content.",
        books=_per_call,
        defects=("Wei-Shaw/sub2api#4408",),
    ),
    Mutant(
        id="billing-left-later-in-full",
        requirement="billing/hang-up-is-bounded",
        text="Bills the whole answer to a caller who left in the middle.",
        books=_newest({"output_tokens": _more_output}),
        defects=("BerriAI/litellm#36008",),
    ),
    Mutant(
        id="billing-counting-charged",
        requirement="billing/free-calls",
        text="Charges for counting tokens.",
        books=_per_call,
        where=lambda case: case.surface is Surface.COUNT_TOKENS,
    ),
    Mutant(
        id="billing-empty-wallet-500",
        requirement="billing/empty-wallet",
        text="Fails with 500 on a wallet that cannot pay.",
        answer=lambda answer: replace(answer, status=500) if answer.status == 402 else answer,
    ),
)
