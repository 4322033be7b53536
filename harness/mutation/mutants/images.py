"""Gateways that lose images, bill others than they deliver, or hand them to whoever guesses a link."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.mutation.mutant import Answer, Ask, Books, Mutant, ask_body, on_json
from harness.mutation.mutants.limits import instead

_GENERATIONS = "/v1/images/generations"
_EDITS = "/v1/images/edits"


def _on_answer(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Answer], Answer]:
    """The change on images that were made."""
    return lambda answer: on_json(change)(answer) if answer.status == 200 else answer


def _on_items(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Answer], Answer]:
    return _on_answer(lambda document: {**document, "data": change(document["data"])})


def _reversed_bytes(item: dict[str, Any]) -> dict[str, Any]:
    """Another image of the same size."""
    if not item.get("b64_json"):
        return item
    data = base64.b64decode(item["b64_json"])
    return {**item, "b64_json": base64.b64encode(data[:-12] + data[-12:][::-1]).decode()}


def _always_in_the_answer(ask: Ask) -> Ask:
    body = json.loads(ask.body)
    return ask_body(lambda _: {**body, "response_format": "b64_json"})(ask) if body.get("response_format") == "url" else ask


def _silent_on_the_rest(answer: Answer) -> Answer:
    told = _on_answer(lambda document: {name: kept for name, kept in document.items() if name != "errors"})(answer)
    return replace(told, headers=tuple(pair for pair in told.headers if not pair[0].lower().startswith("x-images-")))


def _one_price(books: Books) -> Books:
    """Every row at the price of one image."""
    if not books.rows:
        return books
    least = min(row["cost_micro_usd"] for row in books.rows)
    own = set(books.request_ids)
    return replace(books, rows=[{**row, "cost_micro_usd": least} if row["request_id"] in own else row for row in books.rows])


def _row_of_failures(books: Books) -> Books:
    if books.balance or not books.failed:
        return books
    row = {"request_id": "req_blocked", "model": "?", "cost_micro_usd": 0, "input_tokens": 0, "output_tokens": 0}
    return replace(books, rows=[row, *books.rows])


def _unsigned(ask: Ask) -> Ask:
    """A forged link put right, as if nobody looked at the signature."""
    return (
        replace(ask, target=ask.target.removesuffix("0")) if ask.target.endswith("0") and len(ask.target.rpartition("=")[2]) > 64 else ask
    )


def _as_many_as_allowed(ask: Ask) -> Ask:
    body = json.loads(ask.body)
    return ask_body(lambda _: {**body, "n": 4})(ask) if body.get("n", 1) > 4 else ask


def _without_mask(ask: Ask) -> Ask:
    """The form without the part that says where to paint."""
    edge, _, _ = ask.body.partition(b"\r\n")
    parts = [part for part in ask.body.split(edge) if b'name="mask"' not in part]
    return replace(ask, body=edge.join(parts))


def _edited_for_nothing(ask: Ask) -> Ask:
    """An edit without a picture, sent on as if the first of its fields were one."""
    if b"filename=" in ask.body:
        return ask
    return replace(ask, body=ask.body.replace(b'name="quality"', b'name="image"; filename="0.png"'))


def _edits_dearer(books: Books) -> Books:
    """As if every image had been delivered that was asked for: the row with two of three at the price of three."""
    prices = sorted(row["cost_micro_usd"] for row in books.rows if row["request_id"] in books.request_ids)
    if not prices:
        return books
    one = prices[0]
    rows = [
        {**row, "cost_micro_usd": 3 * one} if row["request_id"] in books.request_ids and row["cost_micro_usd"] == 2 * one else row
        for row in books.rows
    ]
    return replace(books, rows=rows)


def _failed_calls_billed(books: Books) -> Books:
    """The newest of this proxy's rows at twice its price: of two calls for it one had failed."""
    own = [row for row in books.rows if row["request_id"] in books.request_ids]
    if len(own) < 3:
        return books
    newest = max(own, key=lambda row: books.request_ids.index(row["request_id"]))["request_id"]
    return replace(
        books, rows=[{**row, "cost_micro_usd": 2 * row["cost_micro_usd"]} if row["request_id"] == newest else row for row in books.rows]
    )


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="images-undated",
        requirement="images/shape",
        text="Answers without the time at which the images were made.",
        answer=_on_answer(lambda document: {name: kept for name, kept in document.items() if name != "created"}),
        paths=_GENERATIONS,
        where=lambda case: bool(case.steps),
    ),
    Mutant(
        id="images-never-a-link",
        requirement="images/delivered-as-asked",
        text="Puts the image into the answer where a link was asked for.",
        ask=_always_in_the_answer,
        paths=_GENERATIONS,
    ),
    Mutant(
        id="images-repacked",
        requirement="images/bytes-kept",
        text="Hands on other bytes than the vendor's.",
        answer=_on_items(lambda items: [_reversed_bytes(item) for item in items]),
        paths=_GENERATIONS,
    ),
    Mutant(
        id="images-link-as-download",
        requirement="images/link",
        text="Answers a link with bytes of no known kind.",
        answer=lambda answer: replace(answer, headers=(("content-type", "application/octet-stream"),)) if answer.status == 200 else answer,
        paths="/v1/images/files/*",
    ),
    Mutant(
        id="images-signature-ignored",
        requirement="images/link-not-forged",
        text="Hands out images whatever the signature of the link.",
        ask=_unsigned,
        paths="/v1/images/files/*",
    ),
    Mutant(
        id="images-one-price-for-all",
        requirement="images/billed-by-the-image",
        text="Lists three images at the price of one.",
        books=_one_price,
    ),
    Mutant(
        id="images-silently-fewer",
        requirement="images/partial-declared",
        text="Says nothing of images that are missing.",
        answer=_silent_on_the_rest,
        paths=_GENERATIONS,
    ),
    Mutant(
        id="images-blocked-500",
        requirement="images/blocked-451",
        text="Fails with 500 on a prompt that the vendor's safety system refused.",
        answer=instead(500, 451),
    ),
    Mutant(
        id="images-blocked-listed",
        requirement="images/failure-is-free",
        text="Lists a prompt that was blocked.",
        books=_row_of_failures,
    ),
    Mutant(
        id="images-count-cut",
        requirement="images/count-bounded",
        text="Makes four images where more were asked for, and says nothing.",
        ask=_as_many_as_allowed,
        paths=_GENERATIONS,
    ),
    Mutant(
        id="images-edit-loses-mask",
        requirement="images/edit-forwarded",
        text="Sends an edit on without its mask.",
        ask=_without_mask,
        paths=_EDITS,
    ),
    Mutant(
        id="images-edit-repacked",
        requirement="images/edit-delivered",
        text="Hands on other bytes of an edit than the vendor's.",
        answer=_on_items(lambda items: [_reversed_bytes(item) for item in items]),
        paths=_EDITS,
    ),
    Mutant(
        id="images-edit-missing-billed",
        requirement="images/edit-billed-by-the-image",
        text="Lists what an edit was asked for, and not what came.",
        books=_edits_dearer,
        where=lambda case: "images-edited" in case.traits,
    ),
    Mutant(
        id="images-edit-of-nothing",
        requirement="images/edit-needs-a-picture",
        text="Takes some field for the picture where an edit has none.",
        ask=_edited_for_nothing,
        paths=_EDITS,
    ),
    Mutant(
        id="images-failed-call-billed",
        requirement="images/one-a-call",
        text="Bills each call of a vendor that makes one image a call, whatever came of it.",
        books=_failed_calls_billed,
        where=lambda case: "images-by-call" in case.traits,
    ),
    Mutant(
        id="images-not-a-list",
        requirement="images/sdk-reads",
        text="Answers a single image outside of a list.",
        answer=_on_answer(lambda document: {**document, "data": document["data"][0]}),
        paths=_GENERATIONS,
        where=lambda case: not case.steps,
    ),
)
