"""Faulty gateways that take the wrong key, refuse the right one, or show it to others."""

import json
from dataclasses import replace

from harness.case import Outcome
from harness.exchange import Headers
from harness.mutation.mutant import Answer, Mutant, ask_headers, with_header


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


MUTANTS: tuple[Mutant, ...] = (
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
)
