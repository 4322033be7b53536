"""Gateways that lose a task's state, bill it again, or tell others of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.mutation.mutant import Answer, Ask, Books, Mutant, ask_body, on_data, on_json
from harness.mutation.mutants.billing import charged, per_call
from harness.mutation.mutants.limits import instead

_SUBMIT, _QUERY, _CANCEL, _STREAM = "/v1/tasks/submit", "/v1/tasks/query", "/v1/tasks/cancel/*", "/v1/tasks/stream/*"


def _on_task(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Answer], Answer]:
    return lambda answer: on_json(change)(answer) if answer.status == 200 else answer


def _back_again(number: int, task: Any) -> Any:
    """The states told in another order: the first one again at every change."""
    return task if number == 0 or not isinstance(task, dict) else {**task, "status": "pending" if number == 1 else task["status"]}


def _own_id_ignored(ask: Ask) -> Ask:
    """Both ids at once taken for the one."""
    body = json.loads(ask.body)
    return ask_body(lambda _: {"task_id": body["task_id"]})(ask) if {"task_id", "out_task_id"} <= body.keys() else ask


def _unheld(books: Books) -> Books:
    if not books.balance:
        return books
    balance = dict(books.balance["balance"])
    return replace(books, balance={**books.balance, "balance": {**balance, "available_usd": balance["settled_usd"]}})


def _per_query(books: Books) -> Books:
    """A row for every time that a completed task was asked for."""
    own = [row for row in books.rows if row["request_id"] in books.request_ids or len(str(row["request_id"])) == 26]
    return replace(books, rows=[*({**row, "request_id": f"{row['request_id']}-2"} for row in own[:1]), *books.rows])


class _AnotherId:
    """Hands a new id to whoever submits the same again."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        task_id = json.loads(answer.body)["task_id"]
        if task_id not in self._seen:
            self._seen.add(task_id)
            return answer
        return on_json(lambda task: {**task, "task_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})(answer)


class _SaidToBeTaken:
    """Says of the first task that was not found that it is somebody else's."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, answer: Answer) -> Answer:
        if answer.status != 404 or self._said:
            return answer
        self._said = True
        return replace(answer, status=403)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="tasks-queued",
        requirement="tasks/receipt",
        text="Calls a task that waits queued.",
        answer=_on_task(lambda task: {**task, "status": "queued" if task["status"] == "pending" else task["status"]}),
        paths=_SUBMIT,
    ),
    Mutant(
        id="tasks-states-repeated",
        requirement="tasks/lifecycle",
        text="Tells a state again that is over.",
        answer=on_data(_back_again),
        paths=_STREAM,
        where=lambda case: case.id == "tasks/completed",
    ),
    Mutant(
        id="tasks-error-of-a-success",
        requirement="tasks/result",
        text="Shows an error code on a task that completed.",
        answer=_on_task(lambda task: {**task, "error_code": "none"}),
        paths=_QUERY,
        where=lambda case: case.id == "tasks/completed",
    ),
    Mutant(
        id="tasks-both-ids-taken",
        requirement="tasks/found-by-either-id",
        text="Takes a query that names a task twice.",
        ask=_own_id_ignored,
        paths=_QUERY,
    ),
    Mutant(
        id="tasks-not-held",
        requirement="tasks/held-until-it-ends",
        text="Holds nothing for a task.",
        books=_unheld,
    ),
    Mutant(
        id="tasks-billed-by-the-query",
        requirement="tasks/billed-once",
        text="Bills a task again when it is asked for.",
        books=_per_query,
    ),
    Mutant(
        id="tasks-not-deduped",
        requirement="tasks/submitted-once",
        text="Makes a second task of the same submission.",
        answer=_AnotherId(),
        paths=_SUBMIT,
    ),
    Mutant(
        id="tasks-duplicate-500",
        requirement="tasks/duplicate-409",
        text="Fails with 500 on an id that is taken.",
        answer=instead(500, 409),
        paths=_SUBMIT,
    ),
    Mutant(
        id="tasks-existence-told",
        requirement="tasks/of-others-404",
        text="Answers 403 for another key's task.",
        answer=_SaidToBeTaken(),
        paths=_QUERY,
    ),
    Mutant(
        id="tasks-ended-cancelled",
        requirement="tasks/ended-stays-as-it-is",
        text="Calls a task cancelled that had completed.",
        answer=_on_task(lambda task: {**task, "status": "cancelled"}),
        paths=_CANCEL,
        where=lambda case: case.id == "tasks/completed",
    ),
    Mutant(
        id="tasks-cancel-charged",
        requirement="tasks/cancel-returns-the-hold",
        text="Keeps money for a task that was cancelled.",
        books=lambda books: charged(books, len(books.request_ids)),
    ),
    Mutant(
        id="tasks-failure-charged",
        requirement="tasks/failed-is-free",
        text="Charges for a task that failed.",
        books=lambda books: charged(books, len(books.request_ids)),
    ),
    Mutant(
        id="tasks-query-charged",
        requirement="tasks/asking-is-free",
        text="Charges for each time that a task is asked for.",
        books=per_call,
    ),
)
