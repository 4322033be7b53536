"""Faulty gateways that take the wrong key, refuse the right one, or show it to others."""

import json
import re
from dataclasses import replace
from typing import Any

from harness.case import Outcome, Surface
from harness.exchange import Headers
from harness.mutation.mutant import Answer, Leg, Mutant, ask_body, ask_headers, named, on_json, with_header
from harness.mutation.mutants.billing import charged
from harness.mutation.mutants.limits import as_get, instead, served


def _without_x_api_key(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() != "x-api-key")


def _echo(answer: Answer) -> Answer:
    """The key, as the caller sent it, in the error's message."""
    key = next((text for name, text in answer.ask.headers if name.lower() in ("authorization", "x-api-key", "x-goog-api-key")), None)
    if key is None or not answer.body.lstrip().startswith(b"{"):
        return answer
    body = json.loads(answer.body)
    error = body.get("error")
    if not isinstance(error, dict):
        return answer
    changed = {**body, "error": {**error, "message": f"Incorrect API key provided: {key.removeprefix('Bearer ')[:20]}…"}}
    return replace(answer, body=json.dumps(changed).encode())


def _as_stream(answer: Answer) -> Answer:
    if answer.status != 401:
        return answer
    data = json.dumps(json.loads(answer.body)).encode()
    return with_header("content-type", "text/event-stream")(replace(answer, status=200, body=b"data: " + data + b"\n\n"))


class _Remembers:
    """Shows in every document the secret that the key was made with."""

    def __init__(self) -> None:
        self._secret: str | None = None

    def __call__(self, answer: Answer) -> Answer:
        if answer.status == 201 and self._secret is None:
            self._secret = json.loads(answer.body).get("key")
        if answer.ask.method != "GET" or answer.status != 200 or self._secret is None:
            return answer
        return on_json(lambda document: {**document, "secret": self._secret})(answer)


class _FirstRefusalServed:
    """Serves the first call that would have been refused."""

    def __init__(self) -> None:
        self._served = False

    def __call__(self, answer: Answer) -> Answer:
        if answer.status != 401 or self._served:
            return answer
        self._served = True
        return served(401)(answer)


def _without_masks(answer: Answer) -> Answer:
    def hidden(document: Any) -> Any:
        match document:
            case {"data": list() as entries}:
                return {**document, "data": [hidden(entry) for entry in entries]}
            case dict():
                return {name: "hidden" if name in ("key", "masked_key") else kept for name, kept in document.items()}
        return document

    return on_json(hidden)(answer) if answer.ask.method == "GET" and answer.status == 200 else answer


def _as_if_complete(answer: Answer) -> Answer:
    """The end that a complete stream has, behind whatever came."""
    if b"data:" not in answer.body:
        return answer
    end = b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    return replace(answer, body=answer.body + end + b"data: [DONE]\n\n")


def _anonymous(answer: Answer) -> Answer:
    """A refusal that does not say which field it is about."""
    if answer.status != 400:
        return answer
    return on_json(lambda body: {**body, "error": {**body["error"], "param": None, "message": "Bad request."}})(answer)


def _anybodys_row(answer: Answer) -> Answer:
    """The row that a request id stands for, whoever asks."""
    asked = re.search(r"request_id=([^&]+)", answer.ask.target)
    if asked is None or answer.status != 200:
        return answer
    return replace(answer, body=json.dumps({"object": "list", "data": [{"request_id": asked[1]}], "next": None}).encode())


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="auth-rows-by-id-alone",
        requirement="auth/rows-of-others",
        text="Finds usage rows by the request id alone.",
        answer=_anybodys_row,
        paths="/api/v1/usage",
    ),
    Mutant(
        id="auth-bad-key-403",
        requirement="auth/bad-key-401",
        text="Answers 403 for a key that is no good.",
        answer=lambda answer: replace(answer, status=403) if answer.status == 401 else answer,
    ),
    Mutant(
        id="auth-refusal-streamed",
        requirement="auth/refused-without-a-stream",
        text="Opens a 200 stream and puts the refusal into it.",
        answer=_as_stream,
    ),
    Mutant(
        id="auth-deaf-to-x-api-key",
        requirement="auth/key-places",
        text="Reads no x-api-key on the OpenAI paths.",
        ask=ask_headers(_without_x_api_key),
        where=lambda case: case.key_in == "x-api-key" and "two-keys" not in case.traits,
    ),
    Mutant(
        id="auth-bearer-wins",
        requirement="auth/x-api-key-wins",
        text="Lets the bearer key decide where both are there.",
        ask=ask_headers(_without_x_api_key),
        where=lambda case: case.outcome is Outcome.REFUSED,
    ),
    Mutant(
        id="auth-key-echoed",
        requirement="auth/key-not-echoed",
        text="Shows the beginning of the key in the refusal.",
        answer=_echo,
        defects=("hivecommons/hive#1903",),
    ),
    Mutant(
        id="auth-group-500",
        requirement="auth/model-outside-group",
        text="Fails with 500 on a model outside the key's group.",
        answer=lambda answer: replace(answer, status=500) if answer.status == 403 else answer,
    ),
    Mutant(
        id="auth-one-cache-for-all",
        requirement="auth/cache-key-by-account",
        text="Hands the caller's prompt_cache_key to the vendor as it stands.",
        leg=Leg.UPSTREAM,
        ask=ask_body(lambda body: {**body, "prompt_cache_key": "rule-book"}),
        where=named("responses/*"),
    ),
    Mutant(
        id="auth-limits-forgotten",
        requirement="auth/key-made",
        text="Makes keys without the daily limit that was asked for.",
        answer=lambda answer: on_json(lambda key: {**key, "rate_limit_1d": 0})(answer) if answer.status == 201 else answer,
        paths="/api/v1/keys",
    ),
    Mutant(
        id="auth-key-kept-in-clear",
        requirement="auth/key-shown-once",
        text="Shows the secret in the key's document as long as the key lives.",
        answer=_Remembers(),
        paths="/api/v1/keys*",
        where=lambda case: case.id == "keys/lifecycle",
    ),
    Mutant(
        id="auth-key-hidden",
        requirement="auth/key-masked",
        text="Lists keys without a sign by which to know them.",
        answer=_without_masks,
        paths="/api/v1/keys*",
    ),
    Mutant(
        id="auth-key-revealed",
        requirement="auth/key-not-revealed",
        text="Answers a wish to see the key again as if it could be fulfilled.",
        answer=instead(200, 404, 410),
        paths="/api/v1/keys/*/reveal",
    ),
    Mutant(
        id="auth-rotated-overlaps",
        requirement="auth/rotated-key-is-dead",
        text="Takes the old secret for a while after a rotation.",
        answer=_FirstRefusalServed(),
    ),
    Mutant(
        id="auth-deleted-in-name-only",
        requirement="auth/deleted-key-is-dead",
        text="Says that it has deleted the key, and goes on taking it.",
        ask=as_get,
        paths="/api/v1/keys/*",
    ),
    Mutant(
        id="auth-cut-off-as-complete",
        requirement="auth/deleted-in-mid-stream",
        text="Ends the stream of a deleted key as if it were complete.",
        answer=_as_if_complete,
        where=lambda case: case.surface is Surface.CHAT,
    ),
    Mutant(
        id="auth-cut-off-charged",
        requirement="auth/deleted-in-mid-stream-is-free",
        text="Bills what a deleted key's stream had shown.",
        books=lambda books: charged(books, len(books.request_ids)),
    ),
    Mutant(
        id="auth-ip-list-500",
        requirement="auth/ip-list-403",
        text="Fails with 500 on a caller from elsewhere.",
        answer=instead(500, 403),
    ),
    Mutant(
        id="auth-bad-field-unnamed",
        requirement="auth/bad-field-named",
        text="Refuses a bad field without a word on which.",
        answer=_anonymous,
        paths="/api/v1/keys",
    ),
    Mutant(
        id="auth-others-told-apart",
        requirement="auth/keys-of-others",
        text="Answers 403 for another account's key and 404 for one that never was.",
        answer=instead(403, 404),
        paths="/api/v1/keys/*",
    ),
)
