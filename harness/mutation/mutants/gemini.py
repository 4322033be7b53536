"""Faulty gateways on gemini: each breaks one requirement of suites/gemini, as real ones did."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from harness.case import Case
from harness.mutation.events import Events, either, on_events, only_stream
from harness.mutation.mutant import Answer, Mutant, on_body, on_frames, on_json

_BIG: Final = 9007199254740992  # 2**53: from here on a double has no room for every integer
_URL_SAFE: Final = str.maketrans("+/", "-_")

Value = dict[str, Any]


def _showing(*traits: str, stream: bool | None = None) -> Callable[[Case], bool]:
    """Narrows to cases that show all of the traits."""
    return lambda case: set(traits) <= case.traits and stream in (None, case.stream)


def _same(answer: Answer) -> Answer:
    return answer


def _chunks(events: Events) -> list[Value]:
    return [event for event in events if isinstance(event, dict) and "error" not in event]


def _each(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    """Change every response object: each chunk, or the whole answer."""

    def stream(events: Events) -> Events:
        for chunk in _chunks(events):
            change(chunk)
        return events

    def whole(body: Any) -> Any:
        for chunk in body if isinstance(body, list) else [body]:
            change(chunk)
        return body

    return either(on_events(stream), on_json(whole))


def _candidates(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def of(chunk: Value) -> None:
        for candidate in chunk.get("candidates", ()):
            change(candidate)

    return _each(of)


def _parts_of(candidate: Value) -> list[Value]:
    parts: list[Value] = candidate.get("content", {}).get("parts", [])
    return parts


def _parts(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def of(candidate: Value) -> None:
        for part in _parts_of(candidate):
            change(part)

    return _candidates(of)


def _calls(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def of(part: Value) -> None:
        if "functionCall" in part:
            change(part["functionCall"])

    return _parts(of)


def _usage(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def of(chunk: Value) -> None:
        if "usageMetadata" in chunk:
            change(chunk["usageMetadata"])

    return _each(of)


def _name_events(frames: list[bytes]) -> list[bytes]:
    return [b"event: message\r\n" + frame for frame in frames]


def _without_space(frames: list[bytes]) -> list[bytes]:
    return [frame.replace(b"data: ", b"data:", 1) for frame in frames]


def _finish_in_each(events: Events) -> Events:
    for chunk in _chunks(events):
        for candidate in chunk.get("candidates", ()):
            candidate.setdefault("finishReason", "STOP")
    return events


def _never_finish(events: Events) -> Events:
    for chunk in _chunks(events):
        for candidate in chunk.get("candidates", ()):
            candidate.pop("finishReason", None)
    return events


def _number_ids(events: Events) -> Events:
    for number, chunk in enumerate(_chunks(events)):
        chunk["responseId"] += str(number or "")
    return events


def _usage_at_the_end(events: Events) -> Events:
    for chunk in _chunks(events)[:-1]:
        chunk.pop("usageMetadata", None)
    return events


def _merge_chunks(events: Events) -> Events:
    """As a gateway that waits for more before it sends: two chunks of text become one."""
    for place, (one, other) in enumerate(pairwise(events)):
        first, second = _text_of(one), _text_of(other)
        if first is not None and second is not None and first.get("thought") is second.get("thought"):
            second["text"] = first["text"] + second["text"]
            return events[:place] + events[place + 1 :]
    return events


def _text_of(event: Any) -> Value | None:
    """The part of a chunk that is one text and nothing else."""
    if not isinstance(event, dict) or len(event.get("candidates", ())) != 1:
        return None
    parts = _parts_of(event["candidates"][0])
    return parts[0] if len(parts) == 1 and "text" in parts[0] and "thoughtSignature" not in parts[0] else None


def _without_empty_parts(candidate: Value) -> None:
    if "parts" in candidate.get("content", {}):
        candidate["content"]["parts"] = [part for part in candidate["content"]["parts"] if part != {"text": ""}]


def _without_error(events: Events) -> Events:
    return [event for event in events if not isinstance(event, dict) or "error" not in event]


def _own_error(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict) and "error" in event:
            event["error"] = {"code": 500, "message": "upstream failed", "status": "INTERNAL"}
    return events


def _trimmed(part: Value) -> None:
    if "text" in part and not part.get("thought"):
        part["text"] = part["text"].strip() or part["text"]


def _bad_decode(part: Value) -> None:
    if "text" in part:
        part["text"] = "".join("�" if ord(character) > 0xFFFF else character for character in part["text"])


def _thoughts_blanked(part: Value) -> None:
    if part.get("thought"):
        part["text"] = ""


def _sign_url_safe(part: Value) -> None:
    if "thoughtSignature" in part:
        part["thoughtSignature"] = part["thoughtSignature"].translate(_URL_SAFE)


def _role_assistant(candidate: Value) -> None:
    if "role" in candidate.get("content", {}):
        candidate["content"]["role"] = "assistant"


def _args_as_text(call: Value) -> None:
    call["args"] = json.dumps(call["args"])


def _args_through_doubles(call: Value) -> None:
    """As a gateway in a language whose only number is the double."""
    read = json.loads(json.dumps(call["args"]), parse_int=lambda digits: int(float(digits)) if abs(int(digits)) > _BIG else int(digits))
    call["args"] = read


def _other_ids(call: Value) -> None:
    if "id" in call:
        call["id"] = f"call_{call['id']}"


def _index_as_text(chunk: Value) -> None:
    for candidate in chunk.get("candidates", ()):
        if "index" in candidate:
            candidate["index"] = str(candidate["index"])


def _array_as_events(answer: Answer) -> Answer:
    try:
        chunks = json.loads(answer.body)
    except ValueError:
        return answer
    if not isinstance(chunks, list):
        return answer
    headers = tuple(pair for pair in answer.headers if pair[0].lower() != "content-type")
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)
    return replace(answer, headers=(*headers, ("content-type", "text/event-stream")), body=body)


def _small_letters(candidate: Value) -> None:
    if "finishReason" in candidate:
        candidate["finishReason"] = candidate["finishReason"].lower()


def _own_id(chunk: Value) -> None:
    chunk["responseId"] = "gateway-1"


def _cut_says_stop(candidate: Value) -> None:
    if candidate.get("finishReason") == "MAX_TOKENS":
        candidate["finishReason"] = "STOP"


def _other_block_reason(chunk: Value) -> None:
    if "promptFeedback" in chunk:
        chunk["promptFeedback"]["blockReason"] = "OTHER"


def _without_ratings(candidate: Value) -> None:
    if "safetyRatings" in candidate:
        candidate["safetyRatings"] = []


def _without_index(candidate: Value) -> None:
    """As a gateway whose types leave out what has its default value."""
    if candidate.get("index") == 0:
        del candidate["index"]


def _add_provider(chunk: Value) -> None:
    chunk["provider"] = "google"


def _fence(answer: Answer) -> Answer:
    texts: Iterator[str] = iter(("```json\n",))

    def first(part: Value) -> None:
        if "text" in part:
            part["text"] = next(texts, "") + part["text"]

    return _parts(first)(answer)


def _thoughts_as_answer(usage: Value) -> None:
    """Counts thoughts among the candidates' tokens, as other vendors do."""
    if usage.get("thoughtsTokenCount"):
        usage["candidatesTokenCount"] = usage.get("candidatesTokenCount", 0) + usage["thoughtsTokenCount"]
        usage["thoughtsTokenCount"] = 0


def _total_without_thoughts(usage: Value) -> None:
    if "totalTokenCount" in usage:
        usage["totalTokenCount"] -= usage.get("thoughtsTokenCount", 0)


def _prompt_without_cache(usage: Value) -> None:
    cached = usage.get("cachedContentTokenCount", 0)
    usage["promptTokenCount"] -= cached
    usage["totalTokenCount"] -= cached


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="gemini-name-events",
        requirement="gemini/stream/no-event-names",
        text="Puts an event line before each data: Google's SDK raises.",
        answer=either(on_frames(_name_events), _same),
    ),
    Mutant(
        id="gemini-data-without-space",
        requirement="gemini/stream/space-after-colon",
        text="Writes data: without the space behind the colon: Google's SDK raises.",
        answer=either(on_frames(_without_space), _same),
    ),
    Mutant(
        id="gemini-line-feeds-only",
        requirement="gemini/stream/line-ends-kept",
        text="Frames the events anew, with line feeds.",
        answer=either(on_body(lambda body: body.replace(b"\r\n", b"\n")), _same),
    ),
    Mutant(
        id="gemini-finish-in-each-chunk",
        requirement="gemini/stream/finish-last",
        text="Says STOP in every chunk: clients stop reading after the first.",
        answer=only_stream(_finish_in_each),
        where=_showing("text"),
    ),
    Mutant(
        id="gemini-never-finish",
        requirement="gemini/stream/finish-last",
        text="Loses the finishReason.",
        answer=only_stream(_never_finish),
        where=_showing("text"),
    ),
    Mutant(
        id="gemini-number-response-ids",
        requirement="gemini/stream/one-identity",
        text="Gives each chunk a responseId of its own.",
        answer=only_stream(_number_ids),
    ),
    Mutant(
        id="gemini-usage-at-the-end-only",
        requirement="gemini/stream/usage-in-each",
        text="Keeps usageMetadata for the last chunk.",
        answer=only_stream(_usage_at_the_end),
    ),
    Mutant(
        id="gemini-merge-chunks",
        requirement="gemini/stream/chunks-kept",
        text="Gathers chunks and sends two as one.",
        answer=only_stream(_merge_chunks),
        where=_showing("text"),
    ),
    Mutant(
        id="gemini-drop-empty-parts",
        requirement="gemini/stream/chunks-kept",
        text="Drops parts whose text is empty.",
        answer=_candidates(_without_empty_parts),
        where=_showing("tools", stream=True),
    ),
    Mutant(
        id="gemini-error-swallowed",
        requirement="gemini/stream/error-last",
        text="Ends a stream that the vendor broke off as if nothing had happened.",
        answer=only_stream(_without_error),
        defects=("dativo-io/talon#254",),
    ),
    Mutant(
        id="gemini-own-error-in-stream",
        requirement="gemini/stream/error-kept",
        text="Puts an error of its own in the place of the vendor's.",
        answer=only_stream(_own_error),
    ),
    Mutant(
        id="gemini-trim-text",
        requirement="gemini/content/text-kept",
        text="Trims each piece of text: words run together.",
        answer=_parts(_trimmed),
        where=_showing("text", stream=True),
    ),
    Mutant(
        id="gemini-bad-decode",
        requirement="gemini/content/text-kept",
        text="Decodes each network read by itself: a character across two of them is lost.",
        answer=_parts(_bad_decode),
        where=_showing("unicode"),
        defects=("musistudio/claude-code-router#1672",),
    ),
    Mutant(
        id="gemini-blank-thoughts",
        requirement="gemini/content/thoughts-kept",
        text="Blanks the text of thoughts.",
        answer=_parts(_thoughts_blanked),
        where=_showing("thinking"),
    ),
    Mutant(
        id="gemini-signature-url-safe",
        requirement="gemini/content/signatures-kept",
        text="Decodes the signature and encodes it in another alphabet: the next turn is refused.",
        answer=_parts(_sign_url_safe),
    ),
    Mutant(
        id="gemini-role-assistant",
        requirement="gemini/content/role-model",
        text="Calls the model assistant: the next turn is refused.",
        answer=_candidates(_role_assistant),
        where=_showing("text"),
    ),
    Mutant(
        id="gemini-args-as-text",
        requirement="gemini/tools/args-object",
        text="Sends a call's args as JSON text.",
        answer=_calls(_args_as_text),
    ),
    Mutant(
        id="gemini-args-through-doubles",
        requirement="gemini/tools/args-kept",
        text="Reads the numbers of a call's args as doubles: a large id becomes its neighbour.",
        answer=_calls(_args_through_doubles),
        where=_showing("parallel-tools"),
        defects=("0xShug0/audio.cpp#132",),
    ),
    Mutant(
        id="gemini-call-ids-renamed",
        requirement="gemini/tools/calls-kept",
        text="Gives calls ids of its own.",
        answer=_calls(_other_ids),
    ),
    Mutant(
        id="gemini-index-as-text",
        requirement="gemini/schema/response",
        text="Writes a candidate's index as text.",
        answer=_each(_index_as_text),
        where=lambda case: not case.stream,
    ),
    Mutant(
        id="gemini-index-as-text-in-chunks",
        requirement="gemini/schema/chunk",
        text="Writes a candidate's index as text, in each chunk.",
        answer=_each(_index_as_text),
    ),
    Mutant(
        id="gemini-array-as-events",
        requirement="gemini/answer/array-form",
        text="Answers with events where no alt=sse asked for them.",
        answer=_array_as_events,
        where=_showing("array"),
    ),
    Mutant(
        id="gemini-small-letters",
        requirement="gemini/answer/enum-words",
        text="Writes finishReason in small letters, as other vendors do.",
        answer=_candidates(_small_letters),
    ),
    Mutant(
        id="gemini-own-response-id",
        requirement="gemini/answer/identity-kept",
        text="Gives the answer an id of its own: no one finds it at the vendor.",
        answer=_each(_own_id),
    ),
    Mutant(
        id="gemini-cut-says-stop",
        requirement="gemini/answer/finish-kept",
        text="Tells an answer that was cut at maxOutputTokens as a complete one.",
        answer=_candidates(_cut_says_stop),
        where=_showing("length"),
    ),
    Mutant(
        id="gemini-other-block-reason",
        requirement="gemini/answer/feedback-kept",
        text="Tells another reason why the prompt was blocked.",
        answer=_each(_other_block_reason),
        where=_showing("blocked"),
    ),
    Mutant(
        id="gemini-empty-ratings",
        requirement="gemini/answer/ratings-kept",
        text="Empties the safetyRatings.",
        answer=_candidates(_without_ratings),
        where=_showing("refusal"),
    ),
    Mutant(
        id="gemini-drop-zero-index",
        requirement="gemini/answer/fields-kept",
        text="Leaves out what has its default value.",
        answer=_candidates(_without_index),
    ),
    Mutant(
        id="gemini-add-provider",
        requirement="gemini/answer/nothing-added",
        text="Adds a field of its own to the answer.",
        answer=_each(_add_provider),
    ),
    Mutant(
        id="gemini-fence-json",
        requirement="gemini/answer/structured",
        text="Opens JSON that was asked for by a schema with a Markdown fence.",
        answer=_fence,
        where=_showing("structured"),
    ),
    Mutant(
        id="gemini-thoughts-counted-as-answer",
        requirement="gemini/usage/kept",
        text="Counts thoughts among the candidates' tokens.",
        answer=_usage(_thoughts_as_answer),
        where=_showing("thinking"),
    ),
    Mutant(
        id="gemini-total-without-thoughts",
        requirement="gemini/usage/total",
        text="Leaves the thoughts out of totalTokenCount.",
        answer=_usage(_total_without_thoughts),
        where=_showing("thinking"),
    ),
    Mutant(
        id="gemini-prompt-without-cache",
        requirement="gemini/usage/cached-within-prompt",
        text="Counts only the part of the prompt that did not come from the cache, and keeps the cached count.",
        answer=_usage(_prompt_without_cache),
        where=_showing("cache-read"),
    ),
)
