"""Gateways that translate an answer wrongly, one way each: what of the upstream's words gets lost on the way to the client."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.case import Case, Surface
from harness.mutation.mutant import Answer, Mutant, on_body, on_data, on_frames, on_json
from harness.wire import sse

_ERROR: Final = {"error": {"message": "The upstream failed.", "type": "server_error", "param": None, "code": "bad_upstream"}}
_STREAM_END: Final = b"data: [DONE]\n\n"


def _cell(surface: Surface, scenario: str, *, stream: bool = False) -> Callable[[Case], bool]:
    wanted = f"scenario-{scenario}"

    return lambda case: case.surface is surface and case.stream is stream and {wanted, "translated"} <= case.traits


def _first(changed: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    """Change the message of a completion's first choice, where there is one."""

    def apply(value: Any) -> Any:
        for choice in value.get("choices", ())[:1]:
            changed(choice)
        return value

    return on_json(apply)


def _each_call(changed: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    def apply(choice: dict[str, Any]) -> None:
        for call in choice["message"].get("tool_calls") or ():
            changed(call)

    return _first(apply)


def _other_id(call: dict[str, Any]) -> None:
    call["id"] = "call_" + call["id"][::-1]


def _other_name(call: dict[str, Any]) -> None:
    call["function"]["name"] += "_1"


def _as_floats(call: dict[str, Any]) -> None:
    call["function"]["arguments"] = call["function"]["arguments"].replace("9007199254740993", "9007199254740992")


def _one_call_less(choice: dict[str, Any]) -> None:
    choice["message"]["tool_calls"] = (choice["message"].get("tool_calls") or [])[:-1]


def _thought_less(choice: dict[str, Any]) -> None:
    said = choice["message"].get("reasoning_content")
    if said:
        choice["message"]["reasoning_content"] = said.rpartition(" ")[0]


def _kinder(choice: dict[str, Any]) -> None:
    said = choice["message"].get("refusal")
    if said:
        choice["message"]["refusal"] = said.replace("can't", "won't")


def _ended(choice: dict[str, Any]) -> None:
    choice["finish_reason"] = "stop"


def _handed_over(choice: dict[str, Any]) -> None:
    choice["finish_reason"] = "handed_over"


def _call_first(value: Any) -> Any:
    """Messages: calls before what was said before them."""
    value["content"] = sorted(value.get("content", ()), key=lambda block: block.get("type") != "tool_use")
    return value


def _unsigned(value: Any) -> Any:
    for block in value.get("content", ()):
        if block.get("type") == "thinking":
            block["signature"] = ""
    value["content"] = [block for block in value.get("content", ()) if block.get("type") != "redacted_thinking"]
    return value


def _cached_again(value: Any) -> Any:
    """Messages: what was read from the cache is in the input once more."""
    usage = value.get("usage", {})
    if usage.get("cache_read_input_tokens"):
        usage["input_tokens"] += usage["cache_read_input_tokens"]
    return value


def _as_failure(answer: Answer) -> Answer:
    return replace(answer, status=502, body=json.dumps(_ERROR).encode())


def _as_success(frames: list[bytes]) -> list[bytes]:
    """The error becomes the end of an answer."""
    failing = next((number for number, raw in enumerate(frames) if b'"error":' in raw), None)
    if failing is None:
        return frames
    chunk = json.loads(sse.frames(frames[0])[0].data or "{}")
    chunk["choices"] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    return [*frames[:failing], b"data: " + json.dumps(chunk).encode() + b"\n\n", _STREAM_END]


def _with_note(_: int, value: Any) -> Any:
    return {**value, "note": {"text": "new"}}


def _other_model(value: Any) -> Any:
    return {**value, "model": "gpt-of-the-upstream"}


def _more_output(_: int, value: Any) -> Any:
    """Chat, streamed: thoughts are counted on top of the output, of which they are a part."""
    usage = value.get("usage")
    if usage:
        usage["completion_tokens"] += 24
        usage["total_tokens"] += 24
    return value


def _empty_at_last(_: int, value: Any) -> Any:
    """Responses, streamed."""
    if value.get("type") == "response.completed":
        value["response"]["output"] = []
    return value


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="translation-whole-answer-fails",
        requirement="translation/answer-whole",
        text="Answers the client with a failure where the upstream answered well.",
        answer=_as_failure,
        where=_cell(Surface.CHAT, "text"),
    ),
    Mutant(
        id="translation-text-loses-a-word",
        requirement="translation/answer-text",
        text="Loses a word of the text.",
        answer=on_body(lambda body: body.replace(b" steady", b"")),
        where=_cell(Surface.GEMINI, "text"),
    ),
    Mutant(
        id="translation-call-before-text",
        requirement="translation/answer-order",
        text="Puts calls before the thought and the text that led to them.",
        answer=on_json(_call_first),
        where=_cell(Surface.MESSAGES, "thinking-tools"),
    ),
    Mutant(
        id="translation-thought-cut",
        requirement="translation/answer-reasoning",
        text="Cuts the last word of the thought.",
        answer=_first(_thought_less),
        where=_cell(Surface.CHAT, "thinking-tools"),
    ),
    Mutant(
        id="translation-signature-dropped",
        requirement="translation/answer-signatures",
        text="Drops what proves the thoughts.",
        answer=on_json(_unsigned),
        where=_cell(Surface.MESSAGES, "thinking-tools"),
    ),
    Mutant(
        id="translation-last-call-lost",
        requirement="translation/answer-calls",
        text="Loses the last of several calls.",
        answer=_first(_one_call_less),
        where=_cell(Surface.CHAT, "parallel-tools"),
    ),
    Mutant(
        id="translation-call-ids-made-anew",
        requirement="translation/answer-call-ids",
        text="Gives calls ids of its own.",
        answer=_each_call(_other_id),
        where=_cell(Surface.CHAT, "parallel-tools"),
    ),
    Mutant(
        id="translation-call-names-numbered",
        requirement="translation/answer-call-names",
        text="Leaves the number on the names that it had to tell apart.",
        answer=_each_call(_other_name),
        where=_cell(Surface.CHAT, "parallel-tools"),
    ),
    Mutant(
        id="translation-arguments-through-floats",
        requirement="translation/answer-call-arguments",
        text="Reads the arguments' numbers as floats and writes them again.",
        answer=_each_call(_as_floats),
        where=_cell(Surface.CHAT, "parallel-tools"),
    ),
    Mutant(
        id="translation-refusal-reworded",
        requirement="translation/answer-refusal",
        text="Puts a refusal in other words.",
        answer=_first(_kinder),
        where=_cell(Surface.CHAT, "refusal"),
    ),
    Mutant(
        id="translation-cut-says-stop",
        requirement="translation/answer-stop",
        text="Says stop of an answer that was cut by the limit.",
        answer=_first(_ended),
        where=_cell(Surface.CHAT, "length"),
    ),
    Mutant(
        id="translation-cached-counted-twice",
        requirement="translation/answer-usage",
        text="Counts what was read from the cache among the fresh input too.",
        answer=on_json(_cached_again),
        where=_cell(Surface.MESSAGES, "cache"),
    ),
    Mutant(
        id="translation-truncation-ends-well",
        requirement="translation/answer-failure",
        text="Ends a stream that broke off as if it had been finished.",
        answer=on_frames(_as_success),
        where=_cell(Surface.CHAT, "truncated", stream=True),
    ),
    Mutant(
        id="translation-errors-all-alike",
        requirement="translation/error-class",
        text="Calls every error of an upstream's an api_error.",
        answer=on_body(lambda body: body.replace(b"invalid_request_error", b"api_error")),
        where=_cell(Surface.MESSAGES, "error-400"),
    ),
    Mutant(
        id="translation-cause-blurred",
        requirement="translation/cause-told",
        text="Keeps to itself what the vendor has against a request.",
        answer=on_json(lambda body: {**body, "error": {**body["error"], "message": "Bad request."}}),
        where=_cell(Surface.MESSAGES, "error-400"),
    ),
    Mutant(
        id="translation-stop-word-passed-on",
        requirement="translation/stop-word-known",
        text="Passes on a reason to stop that the client's protocol does not have.",
        answer=_first(_handed_over),
        where=_cell(Surface.CHAT, "unknown-stop"),
    ),
    Mutant(
        id="translation-unknown-members-passed-on",
        requirement="translation/unknown-is-ignored",
        text="Puts members of the upstream's that nobody knows into the client's events.",
        answer=on_data(_with_note),
        where=_cell(Surface.CHAT, "unknown-event", stream=True),
    ),
    Mutant(
        id="translation-model-of-the-upstream",
        requirement="translation/model-as-asked",
        text="Names the model as the upstream does.",
        answer=on_json(_other_model),
        where=_cell(Surface.CHAT, "text"),
    ),
    Mutant(
        id="translation-last-response-empty",
        requirement="translation/sdk-reads-the-same",
        text="Leaves the output out of a stream's last response, which is the SDK's final one.",
        answer=on_data(_empty_at_last),
        where=_cell(Surface.RESPONSES, "parallel-tools", stream=True),
    ),
    Mutant(
        id="translation-stream-counts-otherwise",
        requirement="translation/stream-is-the-whole",
        text="Counts thoughts on top of the output in streams, and among it elsewhere.",
        answer=on_data(_more_output),
        where=lambda case: case.surface is Surface.CHAT,
    ),
)
