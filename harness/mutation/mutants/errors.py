"""Faulty gateways that refuse in the wrong words, hide a vendor's failure, or let it look like a success."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.case import Case, Surface
from harness.mutation.mutant import Answer, Ask, Flow, Mutant, ask_body, on_frames, on_json, with_header, without_header
from harness.wire import sse

_TERMINAL: Final = {
    "/chat/completions": b"data: [DONE]\n\n",
    "/responses": b'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed"}}\n\n',
    "/messages": b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}
_GEMINI_END: Final = (
    b'data: {"candidates": [{"content": {"parts": [{"text": ""}],"role": "model"},"finishReason": "STOP","index": 0}]}\r\n\r\n'
)
_ERROR_MARKS: Final = (b'"error":', b'"error" :', b"event: error", b"response.failed")


def _on_errors(change: Callable[[Answer], Answer]) -> Callable[[Answer], Answer]:
    """The change on error answers with a JSON object."""
    return lambda answer: change(answer) if answer.status >= 400 and answer.body.lstrip().startswith(b"{") else answer


def _on_error_object(change: Callable[[dict[str, Any], Answer], dict[str, Any]]) -> Callable[[Answer], Answer]:
    """The change on the `error` object of an error answer."""

    def apply(answer: Answer) -> Answer:
        body = json.loads(answer.body)
        if not isinstance(body.get("error"), dict):
            return answer
        return replace(answer, body=json.dumps({**body, "error": change(body["error"], answer)}, ensure_ascii=False).encode())

    return _on_errors(apply)


def _status(status: int, of: Callable[[int], bool] = lambda _: True) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, status=status) if answer.status >= 400 and of(answer.status) else answer


def _another_type(error: dict[str, Any], answer: Answer) -> dict[str, Any]:
    if "status" in error:
        return {**error, "status": "DATA_LOSS" if answer.status != 500 else "NOT_FOUND"}
    return {**error, "type": "permission_error" if answer.status != 403 else "rate_limit_error"}


def _is_error(frame: bytes) -> bool:
    data = sse.frames(frame)[0].data or ""
    return "response.failed" in data or (any(mark in frame for mark in _ERROR_MARKS) and '"error":null' not in data)


def _without_error(frames: list[bytes]) -> list[bytes]:
    return [frame for frame in frames if not _is_error(frame)]


def _false_end(answer: Answer) -> Answer:
    path = answer.ask.target.partition("?")[0]
    end = next((end for form, end in _TERMINAL.items() if path.endswith(form)), _GEMINI_END)
    changed = on_frames(lambda frames: [frame for frame in _without_error(frames) if b"[DONE]" not in frame])(answer)
    return replace(changed, body=changed.body + end) if changed.body != answer.body else answer


def _as_stream(answer: Answer) -> Answer:
    if answer.status < 400 or not answer.body.lstrip().startswith(b"{"):
        return answer
    data = json.dumps(json.loads(answer.body)).encode()
    return with_header("content-type", "text/event-stream")(replace(answer, status=200, body=b"data: " + data + b"\n\n"))


def _html(answer: Answer) -> Answer:
    return with_header("content-type", "text/html")(replace(answer, status=200, body=b"<!DOCTYPE html><title>Gateway</title>"))


def _known_model(ask: Ask) -> Ask:
    if not ask.body.startswith(b"{"):
        return ask
    return ask_body(lambda body: {**body, "model": "gpt-5-5"})(ask)


def _host(answer: Answer) -> str:
    """The gateway's own, without its port: its vendors stand beside it where mutants are committed."""
    return next((text for name, text in answer.ask.headers if name.lower() == "host"), "").rpartition(":")[0]


def _trait(*traits: str) -> Callable[[Case], bool]:
    return lambda case: bool(set(traits) & case.traits)


def _on_chat(case: Case) -> bool:
    return case.surface is Surface.CHAT


def _page(answer: Answer) -> Answer:
    """A console's page in the place of an error."""
    if answer.status != 404:
        return answer
    return with_header("content-type", "text/html")(replace(answer, status=200, body=b"<!doctype html><title>Console</title>"))


class _OneId:
    """Gives every answer the id of the first."""

    def __init__(self) -> None:
        self._id: str | None = None

    def __call__(self, answer: Answer) -> Answer:
        own = next((text for name, text in answer.headers if name.lower() == "x-request-id"), None)
        self._id = self._id or own
        return with_header("x-request-id", self._id)(answer) if self._id else answer


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="errors-own-envelope",
        requirement="errors/envelope",
        text="Answers errors in an envelope of its own.",
        answer=_on_errors(on_json(lambda body: {"detail": "something went wrong"})),
        defects=("sonami-tech/omni-llm-provider#3",),
    ),
    Mutant(
        id="errors-as-text",
        requirement="errors/content-type",
        text="Labels error bodies text/plain.",
        answer=_on_errors(with_header("content-type", "text/plain")),
    ),
    Mutant(
        id="errors-another-type",
        requirement="errors/type-fits-status",
        text="Names a type that belongs to another status.",
        answer=_on_error_object(_another_type),
        defects=("BerriAI/litellm#37599",),
    ),
    Mutant(
        id="errors-google-code-off",
        requirement="errors/google-code-is-status",
        text="Writes another number than the HTTP status into Google's envelope.",
        answer=_on_error_object(lambda error, answer: {**error, "code": answer.status + 1}),
    ),
    Mutant(
        id="errors-no-request-id",
        requirement="errors/request-id-in-body",
        text="Leaves the request id out of its own errors on Messages.",
        answer=_on_errors(on_json(lambda body: {key: kept for key, kept in body.items() if key != "request_id"})),
        defects=("api7/aisix#352",),
    ),
    Mutant(
        id="errors-cause-blurred",
        requirement="errors/cause-kept",
        text="Replaces the vendor's message by one that says nothing.",
        answer=_on_error_object(lambda error, _: {**error, "message": "The upstream request failed."}),
        defects=("pollinations/pollinations#8378",),
    ),
    Mutant(
        id="errors-stack-trace",
        requirement="errors/no-leak",
        text="Shows its stack trace.",
        answer=_on_error_object(
            lambda error, _: {**error, "message": 'Traceback (most recent call last): File "/srv/gateway/proxy.py", line 12'}
        ),
    ),
    Mutant(
        id="errors-host-told",
        requirement="errors/no-leak",
        text="Tells at which host the vendor stands, its port left out.",
        answer=_on_error_object(lambda error, answer: {**error, "message": f"connect to {_host(answer)} failed"}),
        where=_trait("fault-html-error", "fault-empty"),
    ),
    Mutant(
        id="errors-falls-back",
        requirement="errors/refused-before-upstream",
        text="Calls another model where the one asked for is unknown.",
        ask=_known_model,
        where=lambda case: case.id == "chat/unknown-model",
        defects=("BerriAI/litellm#39998",),
    ),
    Mutant(
        id="errors-unknown-model-503",
        requirement="errors/unknown-model",
        text="Answers 503 for an unknown model.",
        answer=_status(503),
    ),
    Mutant(
        id="errors-malformed-500",
        requirement="errors/malformed-body",
        text="Answers 500 for a body that is no JSON.",
        answer=_status(500),
    ),
    Mutant(
        id="errors-unknown-path-html",
        requirement="errors/unknown-path",
        text="Answers an unknown path with 200 and a web page.",
        answer=_html,
    ),
    Mutant(
        id="errors-broken-as-200",
        requirement="errors/broken-is-no-success",
        text="Answers 200 with an error body where the vendor failed.",
        answer=_status(200),
        defects=("vllm-project/semantic-router#2130",),
    ),
    Mutant(
        id="errors-200-passed-on",
        requirement="errors/error-in-a-200",
        text="Passes on a 200 that holds an error object.",
        answer=_status(200),
        defects=("kortix-ai/suna#4099",),
    ),
    Mutant(
        id="errors-timeout-as-500",
        requirement="errors/silence-is-a-timeout",
        text="Answers 500 where the vendor said nothing.",
        answer=_status(500),
    ),
    Mutant(
        id="errors-stream-just-ends",
        requirement="errors/stream-ends-in-error",
        text="Closes a broken stream without a word.",
        answer=on_frames(_without_error),
        defects=("dativo-io/talon#254", "mlflow/mlflow#25897"),
    ),
    Mutant(
        id="errors-false-end",
        requirement="errors/no-false-end",
        text="Ends a broken stream as if it were finished.",
        answer=_false_end,
        defects=("dativo-io/talon#254",),
    ),
    Mutant(
        id="errors-begins-again",
        requirement="errors/kept-until-the-break",
        text="Sends the first event a second time, as after a failover.",
        answer=on_frames(lambda frames: [frames[0], *frames] if frames else frames),
        defects=("zirkelc/ai-retry#51",),
    ),
    Mutant(
        id="errors-stays-open",
        requirement="errors/ends-after-the-break",
        text="Leaves the connection open after the error.",
        flow=Flow.NO_EOF,
        where=_trait("fault-no-terminal"),
        defects=("tombii/better-ccflare#307",),
    ),
    Mutant(
        id="errors-stream-around-error",
        requirement="errors/no-stream-around-an-error",
        text="Starts a 200 stream before it knows that the vendor failed.",
        answer=_as_stream,
        defects=("Oaklight/llm-rosetta#345",),
    ),
    Mutant(
        id="errors-429-as-500",
        requirement="errors/sdk-class",
        text="Answers 500 for every error of the vendor.",
        answer=_status(500, lambda status: status < 500),
        where=lambda case: case.outcome.value == "upstream-error",
        defects=("BerriAI/litellm#30417",),
    ),
    Mutant(
        id="errors-typeless",
        requirement="errors/sdk-details",
        text="Leaves the type out of the error object.",
        answer=_on_error_object(lambda error, _: {key: kept for key, kept in error.items() if key not in ("type", "status")}),
    ),
    Mutant(
        id="errors-nameless",
        requirement="errors/sdk-request-id",
        text="Sends errors without a request id.",
        answer=lambda answer: without_header("x-request-id")(without_header("request-id")(answer)),
    ),
    Mutant(
        id="errors-unheard",
        requirement="errors/sdk-raises-in-stream",
        text="Closes a broken stream without the event on which the SDK raises.",
        answer=on_frames(_without_error),
        where=_on_chat,
        defects=("mlflow/mlflow#25897",),
    ),
    Mutant(
        id="errors-console-page",
        requirement="errors/not-exposed",
        text="Answers paths that it does not offer with its console's page.",
        answer=_page,
    ),
    Mutant(
        id="errors-no-allow",
        requirement="errors/wrong-method",
        text="Refuses a method without a word on those that it takes.",
        answer=without_header("allow"),
    ),
    Mutant(
        id="errors-too-large-400",
        requirement="errors/too-large",
        text="Answers 400 for what is too large.",
        answer=_status(400, lambda status: status == 413),
        where=lambda case: bool(case.steps),
    ),
    Mutant(
        id="errors-one-id-for-all",
        requirement="errors/request-ids-differ",
        text="Hands the same request id to everybody.",
        answer=_OneId(),
    ),
)
