"""Gateways whose limits do not hold, or are not what they are said to be."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.exchange import Headers, value
from harness.mutation.mutant import Answer, Ask, Books, Flow, Mutant, on_headers
from harness.mutation.mutants.billing import charged

_REFUSED: Final = (402, 429)
_SAID: Final = {
    "id": "chatcmpl-0",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}


def served(*statuses: int) -> Callable[[Answer], Answer]:
    """What was refused with one of these is served all the same."""
    return lambda answer: replace(answer, status=200, body=json.dumps(_SAID).encode()) if answer.status in statuses else answer


def instead(status: int, *statuses: int) -> Callable[[Answer], Answer]:
    """Another status in the place of these."""
    return lambda answer: replace(answer, status=status) if answer.status in statuses else answer


def on_header(name: str, change: Callable[[str], str]) -> Callable[[Answer], Answer]:
    """The header, where there is one, changed."""

    def apply(headers: Headers) -> Headers:
        return tuple((key, change(text)) if key.lower() == name else (key, text) for key, text in headers)

    return on_headers(apply)


def on_refused(change: Callable[[Answer], Answer]) -> Callable[[Answer], Answer]:
    return lambda answer: change(answer) if answer.status in _REFUSED else answer


def as_get(ask: Ask) -> Ask:
    """A change that is said to be made and is not: the document as it stands is all that is asked for."""
    return replace(ask, method="GET", body=b"") if ask.method in ("PUT", "DELETE") else ask


def _failures_charged(books: Books) -> Books:
    return charged(books, books.failed)


def _dollar_more(text: str) -> str:
    return f"{float(text) + 1:.2f}"


def _both_raised(answer: Answer) -> Answer:
    return on_header("x-ratelimit-limit", _half_more)(on_header("x-ratelimit-remaining", _half_more)(answer))


def _half_more(text: str) -> str:
    return f"{float(text) + 0.5:.2f}"


def _empty_window(answer: Answer) -> Answer:
    """As if the window had been anchored and had begun anew."""
    limit = value(answer.headers, "x-ratelimit-limit")
    return on_header("x-ratelimit-remaining", lambda text: limit or text)(answer)


def _with_reset(answer: Answer) -> Answer:
    if answer.status != 429 or b"concurrency_limit" not in answer.body:
        return answer
    return replace(answer, headers=(*answer.headers, ("x-ratelimit-reset", "4000000000")))


class _Once:
    """Refuses what comes after the first refusal with the same answer, whatever it was."""

    def __init__(self) -> None:
        self._refusal: Any = None

    def __call__(self, answer: Answer) -> Answer:
        if answer.status == 429:
            self._refusal = answer
            return answer
        return replace(self._refusal, ask=answer.ask) if self._refusal is not None else answer


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="limits-on-chat-alone",
        requirement="limits/every-surface",
        text="Asks for a key's quota on chat, and forgets to elsewhere.",
        answer=served(402),
        paths="/v1/messages",
    ),
    Mutant(
        id="limits-overspent",
        requirement="limits/no-overspend",
        text="Serves whatever comes while the first calls are open.",
        answer=served(402),
    ),
    Mutant(
        id="limits-quota-500",
        requirement="limits/quota-402",
        text="Fails with 500 where a quota cannot pay.",
        answer=instead(500, 402),
    ),
    Mutant(
        id="limits-asks-first",
        requirement="limits/no-call-before-funds",
        text="Calls the vendor more often than it admits calls.",
        flow=Flow.CALL_TWICE,
    ),
    Mutant(
        id="limits-window-503",
        requirement="limits/window-429",
        text="Says that it is overloaded where a window is spent.",
        answer=instead(503, 429),
    ),
    Mutant(
        id="limits-reset-in-the-past",
        requirement="limits/429-says-when",
        text="Names a reset that lies in the past.",
        answer=on_refused(on_header("x-ratelimit-reset", lambda _: "1700000000")),
    ),
    Mutant(
        id="limits-refusal-charged",
        requirement="limits/429-consumes-nothing",
        text="Charges for calls that a window refused.",
        books=_failures_charged,
    ),
    Mutant(
        id="limits-raised-in-name-only",
        requirement="limits/raised-cap-works",
        text="Takes a change of a key's limits, and goes on as before.",
        ask=as_get,
        paths="/api/v1/keys/*",
    ),
    Mutant(
        id="limits-quota-shown-spent",
        requirement="limits/caps-are-apart",
        text="Shows no quota while a window is spent.",
        answer=on_refused(on_header("x-quota-remaining-credits", lambda _: "0.00")),
    ),
    Mutant(
        id="limits-remaining-too-high",
        requirement="limits/window-arithmetic",
        text="Shows more left in the window than there is.",
        answer=on_header("x-ratelimit-remaining", _dollar_more),
    ),
    Mutant(
        id="limits-widest-window",
        requirement="limits/tightest-window-shown",
        text="Shows the wider of two windows.",
        answer=_both_raised,
    ),
    Mutant(
        id="limits-one-window-for-all",
        requirement="limits/keys-are-apart",
        text="Counts one key's spend in another key's window.",
        answer=on_header("x-ratelimit-remaining", lambda text: f"{max(0.0, float(text) - 0.03):.2f}"),
        paths="/v1/models",
    ),
    Mutant(
        id="limits-failures-take",
        requirement="limits/failure-moves-nothing",
        text="Takes something from the key's quota for each call that failed.",
        answer=on_header("x-quota-remaining-credits", lambda text: f"{float(text) - 0.01:.6f}"),
        paths="/v1/models",
        where=lambda case: case.id == "limits/failures",
    ),
    Mutant(
        id="limits-window-anchored",
        requirement="limits/windows-roll",
        text="Begins a new window five hours after the first spend, and forgets what came later.",
        answer=_empty_window,
        paths="/v1/models",
    ),
    Mutant(
        id="limits-cap-resets",
        requirement="limits/concurrency-429",
        text="Names a time at which the cap of open calls would end.",
        answer=_with_reset,
    ),
    Mutant(
        id="limits-cap-stays",
        requirement="limits/concurrency-freed",
        text="Goes on refusing once the cap was reached.",
        answer=_Once(),
    ),
)
