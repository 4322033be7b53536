"""Faulty gateways on responses: each breaks one requirement of suites/responses, as real ones did."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from harness.case import Case
from harness.mutation.events import Events, either, on_events, only_stream, only_whole, untouched
from harness.mutation.mutant import Answer, Mutant, on_body, on_frames, on_json

_BIG: Final = 9007199254740992  # 2**53: from here on a double has no room for every integer
_TERMINAL: Final = ("response.completed", "response.incomplete", "response.failed")
_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_TEXT_DELTA: Final = "response.output_text.delta"


def _showing(*traits: str, stream: bool | None = None, helper: bool | None = None) -> Callable[[Case], bool]:
    """Narrows to cases that show all of the traits."""

    def where(case: Case) -> bool:
        return set(traits) <= case.traits and stream in (None, case.stream) and helper in (None, case.helper)

    return where


def _of(events: Events, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in events if isinstance(event, dict) and event.get("type") in kinds]


def _numbered(events: Events) -> Events:
    """The sequence put right again after events were added or dropped, so that nothing but the fault itself shows."""
    number = 0
    for event in events:
        if isinstance(event, dict) and "sequence_number" in event:
            event["sequence_number"] = number
            number += 1
    return events


def _without(*kinds: str, last_only: bool = False) -> Callable[[Events], Events]:
    def apply(events: Events) -> Events:
        met = _of(events, *kinds)
        lost = met[-1:] if last_only else met
        return _numbered([event for event in events if not any(event is one for one in lost)])

    return apply


def _each(*kinds: str) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[Events], Events]]:
    """`_each("a", "b")(change)` changes every event of these types."""

    def of(change: Callable[[dict[str, Any]], None]) -> Callable[[Events], Events]:
        def apply(events: Events) -> Events:
            for event in _of(events, *kinds):
                change(event)
            return events

        return apply

    return of


def _final(change: Callable[[dict[str, Any]], None]) -> Callable[[Events], Events]:
    """Change the response object of the terminal event."""
    return _each(*_TERMINAL)(lambda event: change(event["response"]))


def _body(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    def apply(body: Any) -> Any:
        change(body)
        return body

    return apply


def _answer(change: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    """Change the final response object, streamed or whole."""
    return either(on_events(_final(change)), on_json(_body(change)))


def _items(response: dict[str, Any], *types: str) -> Iterator[dict[str, Any]]:
    for item in response.get("output") or ():
        if item.get("type") in types:
            yield item


def _parts(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in _items(response, "message"):
        yield from item["content"]


def _add_done(events: Events) -> Events:
    return [*events, b"data: [DONE]\n\n"]


def _drop_event_lines(body: bytes) -> bytes:
    return b"\n".join(line for line in body.split(b"\n") if not line.startswith(b"event: "))


def _keep_alive_after_id(frames: list[bytes]) -> list[bytes]:
    return [b"id: 0\n" + frames[0], *frames[1:2], b": keep-alive\n\n", *frames[2:]] if frames else frames


def _created_again(events: Events) -> Events:
    created = _of(events, "response.created")
    return _numbered([*events[:2], *(copy.deepcopy(event) for event in created[:1]), *events[2:]])


def _number_one(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict) and "sequence_number" in event:
            event["sequence_number"] = 1
    return events


def _other_id(response: dict[str, Any]) -> None:
    response["id"] = "resp_of_the_gateway"


def _counts_at_once(event: dict[str, Any]) -> None:
    event["response"]["usage"] = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def _still_in_progress(response: dict[str, Any]) -> None:
    response["status"] = "in_progress"


def _make_a_success_of_it(events: Events) -> Events:
    failed = _of(events, "response.failed")
    if not failed:
        return events
    done = {**failed[0], "type": "response.completed", "response": {**failed[0]["response"], "status": "completed", "error": None}}
    kept = [event for event in events if not (isinstance(event, dict) and event.get("type") in ("error", "response.failed"))]
    return _numbered([*kept, done])


def _count_items_from_one(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict) and "output_index" in event:
            event["output_index"] += 1
    return events


def _fresh_item_ids(event: dict[str, Any]) -> None:
    event["item_id"] = f"msg_{event['sequence_number']}"


def _done_at_once(events: Events) -> Events:
    """Each item's done right behind its added."""
    done = {event["output_index"]: event for event in _of(events, _DONE)}
    moved: Events = []
    for event in events:
        if isinstance(event, dict) and event.get("type") == _DONE:
            continue
        moved.append(event)
        if isinstance(event, dict) and event.get("type") == _ADDED and event["output_index"] in done:
            moved.append(done[event["output_index"]])
    return _numbered(moved)


def _part_without_text(event: dict[str, Any]) -> None:
    if event["part"].get("text"):
        event["part"]["text"] = ""


def _without_output(response: dict[str, Any]) -> None:
    response["output"] = []


def _cut_is_completed(response: dict[str, Any]) -> None:
    if response.get("status") == "incomplete":
        response.update(status="completed", incomplete_details=None)


def _unexplained(response: dict[str, Any]) -> None:
    response["incomplete_details"] = None


def _ids_of_chat(response: dict[str, Any]) -> None:
    for item in _items(response, "message", "reasoning", "function_call", "custom_tool_call"):
        item["id"] = f"chatcmpl-{item['id']}"


def _shorter_text(response: dict[str, Any]) -> None:
    for part in _parts(response):
        if part.get("text"):
            part["text"] = part["text"][:-1]


def _refusal_as_text(response: dict[str, Any]) -> None:
    for part in _parts(response):
        if part.get("type") == "refusal":
            part.update(type="output_text", text=part.pop("refusal"), annotations=[], logprobs=[])


def _uncited(response: dict[str, Any]) -> None:
    for part in _parts(response):
        if part.get("annotations"):
            part["annotations"] = []


def _without_summary(response: dict[str, Any]) -> None:
    for item in _items(response, "reasoning"):
        item["summary"] = []


def _sealed_otherwise(response: dict[str, Any]) -> None:
    """Base64 in its other alphabet: the same bytes to a decoder, another text to the vendor."""
    for item in _items(response, "reasoning"):
        if item.get("encrypted_content"):
            item["encrypted_content"] = item["encrypted_content"].replace("-", "+").replace("_", "/").rstrip("=")


def _fenced(response: dict[str, Any]) -> None:
    for part in _parts(response):
        if part.get("text"):
            part["text"] = f"```json\n{part['text']}\n```"


def _with_output_text(response: dict[str, Any]) -> None:
    response["output_text"] = "".join(part.get("text", "") for part in _parts(response))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _without_padding(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict) and event.get("obfuscation"):
            event["obfuscation"] = ""
    return events


def _same_call_id(response: dict[str, Any]) -> None:
    for item in _items(response, "function_call", "custom_tool_call"):
        item["call_id"] = "call_0"


def _arguments(change: Callable[[str], str]) -> Callable[[dict[str, Any]], None]:
    def apply(response: dict[str, Any]) -> None:
        for item in _items(response, "function_call"):
            item["arguments"] = change(item["arguments"])

    return apply


def _through_doubles(arguments: str) -> str:
    """As a gateway in a language whose only number is the double."""
    read = json.loads(arguments, parse_int=lambda digits: int(float(digits)) if int(digits) > _BIG else int(digits))
    return json.dumps(read, ensure_ascii=False)


def _wrap_custom_input(response: dict[str, Any]) -> None:
    for item in _items(response, "custom_tool_call"):
        item["input"] = json.dumps({"input": item["input"]})


def _custom_as_function(response: dict[str, Any]) -> None:
    for item in _items(response, "custom_tool_call"):
        item.update(type="function_call", arguments=json.dumps({"input": item.pop("input")}))


def _lose_the_last_item(response: dict[str, Any]) -> None:
    if response.get("output"):
        response["output"].pop()


def _usage(change: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    def apply(response: dict[str, Any]) -> None:
        if isinstance(response.get("usage"), dict):
            change(response["usage"])

    return _answer(apply)


def _one_more(usage: dict[str, Any]) -> None:
    usage["total_tokens"] += 1


def _input_without_cache(usage: dict[str, Any]) -> None:
    cached = usage["input_tokens_details"]["cached_tokens"]
    usage["input_tokens"] -= cached
    usage["total_tokens"] -= cached


def _output_uncounted(usage: dict[str, Any]) -> None:
    usage["total_tokens"] -= usage["output_tokens"]
    usage["output_tokens"] = 0
    usage["output_tokens_details"] = {"reasoning_tokens": 0}


def _nothing_cached(usage: dict[str, Any]) -> None:
    usage["input_tokens_details"]["cached_tokens"] = 0


def _null_logprobs(event: dict[str, Any]) -> None:
    event["logprobs"] = None


def _without_created_at(response: dict[str, Any]) -> None:
    response.pop("created_at", None)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="responses-adds-done",
        requirement="responses/stream/only-events",
        text="Ends the stream by chat's [DONE].",
        answer=only_stream(_add_done),
    ),
    Mutant(
        id="responses-no-event-names",
        requirement="responses/stream/event-is-type",
        text="Drops the event: lines.",
        answer=either(on_body(_drop_event_lines), untouched),
        defects=("initializ/forge#434",),
    ),
    Mutant(
        id="responses-created-twice",
        requirement="responses/stream/created-first",
        text="Says response.created again after trying another upstream.",
        answer=only_stream(_created_again),
        defects=("zirkelc/ai-retry#51",),
    ),
    Mutant(
        id="responses-always-number-one",
        requirement="responses/stream/sequence",
        text="Numbers every event 1.",
        answer=only_stream(_number_one),
        defects=("BerriAI/litellm#28899",),
    ),
    Mutant(
        id="responses-no-terminal",
        requirement="responses/stream/terminal-last",
        text="Closes without the terminal event.",
        answer=only_stream(_without(*_TERMINAL)),
    ),
    Mutant(
        id="responses-other-id-in-the-end",
        requirement="responses/stream/one-response",
        text="Gives the last response an id of its own.",
        answer=only_stream(_final(_other_id)),
        defects=("BerriAI/litellm#30072",),
    ),
    Mutant(
        id="responses-counts-at-once",
        requirement="responses/stream/opens-empty",
        text="Fills usage with zeros before anything was counted.",
        answer=only_stream(_each("response.created", "response.in_progress")(_counts_at_once)),
    ),
    Mutant(
        id="responses-still-in-progress",
        requirement="responses/stream/status-follows",
        text="Leaves the status in_progress in the terminal event.",
        answer=only_stream(_final(_still_in_progress)),
    ),
    Mutant(
        id="responses-error-becomes-success",
        requirement="responses/stream/error-ends-it",
        text="Swallows the error event and completes the response.",
        answer=only_stream(_make_a_success_of_it),
    ),
    Mutant(
        id="responses-items-from-one",
        requirement="responses/items/index-in-order",
        text="Counts output items from 1.",
        answer=only_stream(_count_items_from_one),
    ),
    Mutant(
        id="responses-item-never-done",
        requirement="responses/items/paired",
        text="Leaves the last item open.",
        answer=only_stream(_without(_DONE, last_only=True)),
    ),
    Mutant(
        id="responses-fresh-item-ids",
        requirement="responses/items/named-by-id",
        text="Makes a new item id for each delta.",
        answer=only_stream(
            _each(_TEXT_DELTA, "response.function_call_arguments.delta", "response.custom_tool_call_input.delta", "response.refusal.delta")(
                _fresh_item_ids
            )
        ),
        where=_showing("text", stream=True),
        defects=("BerriAI/litellm#30072",),
    ),
    Mutant(
        id="responses-item-done-at-once",
        requirement="responses/items/while-open",
        text="Closes each item before its deltas.",
        answer=only_stream(_done_at_once),
        defects=("BerriAI/litellm#36375",),
    ),
    Mutant(
        id="responses-part-never-done",
        requirement="responses/items/parts-paired",
        text="Leaves content parts open.",
        answer=only_stream(_without("response.content_part.done")),
    ),
    Mutant(
        id="responses-loses-a-text-delta",
        requirement="responses/items/text-joins",
        text="Loses the last delta of the text.",
        answer=only_stream(_without(_TEXT_DELTA, "response.refusal.delta", last_only=True)),
        where=_showing("text", stream=True),
    ),
    Mutant(
        id="responses-loses-an-argument-delta",
        requirement="responses/items/arguments-join",
        text="Loses the last delta of the arguments.",
        answer=only_stream(_without("response.function_call_arguments.delta", "response.custom_tool_call_input.delta", last_only=True)),
    ),
    Mutant(
        id="responses-loses-a-summary-delta",
        requirement="responses/items/reasoning-joins",
        text="Loses the last delta of the reasoning summary.",
        answer=only_stream(_without("response.reasoning_summary_text.delta", last_only=True)),
    ),
    Mutant(
        id="responses-empty-part-done",
        requirement="responses/items/done-is-the-item",
        text="Closes a content part without its text.",
        answer=only_stream(_each("response.content_part.done")(_part_without_text)),
        where=_showing("text", stream=True),
    ),
    Mutant(
        id="responses-empty-in-the-end",
        requirement="responses/items/listed-in-the-end",
        text="Completes the response with an empty output.",
        answer=only_stream(_final(_without_output)),
    ),
    Mutant(
        id="responses-annotations-untold",
        requirement="responses/items/annotations-told",
        text="Drops the annotation events.",
        answer=only_stream(_without("response.output_text.annotation.added")),
    ),
    Mutant(
        id="responses-cut-is-completed",
        requirement="responses/content/status-kept",
        text="Says completed of an answer that was cut.",
        answer=only_whole(_body(_cut_is_completed)),
        where=_showing("incomplete", stream=False),
    ),
    Mutant(
        id="responses-cut-unexplained",
        requirement="responses/content/status-explained",
        text="Doesn't say why an answer is incomplete.",
        answer=only_whole(_body(_unexplained)),
        where=_showing("incomplete", stream=False),
    ),
    Mutant(
        id="responses-ids-of-chat",
        requirement="responses/content/items-kept",
        text="Gives items the ids of another protocol.",
        answer=only_whole(_body(_ids_of_chat)),
        defects=("BerriAI/litellm#37946",),
    ),
    Mutant(
        id="responses-loses-text",
        requirement="responses/content/text-kept",
        text="Loses the last character of the text.",
        answer=only_whole(_body(_shorter_text)),
    ),
    Mutant(
        id="responses-refusal-as-text",
        requirement="responses/content/refusal-kept",
        text="Makes a text of a refusal.",
        answer=_answer(_refusal_as_text),
    ),
    Mutant(
        id="responses-uncited",
        requirement="responses/content/annotations-kept",
        text="Drops the citations of the text.",
        answer=_answer(_uncited),
    ),
    Mutant(
        id="responses-no-summary",
        requirement="responses/content/reasoning-kept",
        text="Drops the reasoning summary.",
        answer=_answer(_without_summary),
        where=_showing("summary"),
    ),
    Mutant(
        id="responses-sealed-otherwise",
        requirement="responses/content/sealed-kept",
        text="Writes encrypted_content in the other base64 alphabet.",
        answer=_answer(_sealed_otherwise),
        defects=("can1357/oh-my-pi#50",),
    ),
    Mutant(
        id="responses-fenced-json",
        requirement="responses/content/structured",
        text="Fences JSON as Markdown code.",
        answer=_answer(_fenced),
        defects=("pydantic/pydantic-ai#3475",),
    ),
    Mutant(
        id="responses-sends-output-text",
        requirement="responses/content/no-output-text",
        text="Sends the SDK's own output_text.",
        answer=_answer(_with_output_text),
    ),
    Mutant(
        id="responses-drops-nulls",
        requirement="responses/content/fields-kept",
        text="Leaves out what is null, as a typed writer with omitempty does.",
        answer=either(on_events(lambda events: [_without_nulls(event) for event in events]), on_json(_without_nulls)),
    ),
    Mutant(
        id="responses-drops-padding",
        requirement="responses/content/obfuscation-kept",
        text="Empties obfuscation.",
        answer=only_stream(_without_padding),
    ),
    Mutant(
        id="responses-calls-share-an-id",
        requirement="responses/tools/own-ids",
        text="Gives all calls the same call_id.",
        answer=only_whole(_body(_same_call_id)),
        where=_showing("parallel-tools", stream=False),
    ),
    Mutant(
        id="responses-arguments-twice",
        requirement="responses/tools/arguments-are-json",
        text="Writes the arguments twice.",
        answer=only_whole(_body(_arguments(lambda arguments: arguments + arguments))),
    ),
    Mutant(
        id="responses-arguments-in-a-string",
        requirement="responses/tools/arguments-by-schema",
        text="Serialises the arguments a second time.",
        answer=only_whole(_body(_arguments(json.dumps))),
        defects=("vllm-project/vllm#54964",),
    ),
    Mutant(
        id="responses-arguments-through-doubles",
        requirement="responses/tools/arguments-kept",
        text="Reads arguments and writes them again, big integers rounded.",
        answer=only_whole(_body(_arguments(_through_doubles))),
        where=_showing("parallel-tools", stream=False),
        defects=("earendil-works/pi#8943",),
    ),
    Mutant(
        id="responses-wraps-custom-input",
        requirement="responses/tools/custom-input-kept",
        text="Wraps a custom tool's input in JSON.",
        answer=_answer(_wrap_custom_input),
        defects=("router-for-me/CLIProxyAPI#5753",),
    ),
    Mutant(
        id="responses-loses-a-call",
        requirement="responses/tools/calls-kept",
        text="Loses the last of several calls.",
        answer=only_whole(_body(_lose_the_last_item)),
        where=_showing("parallel-tools", stream=False),
    ),
    Mutant(
        id="responses-custom-as-function",
        requirement="responses/tools/offered",
        text="Makes a function call of a custom tool's call.",
        answer=_answer(_custom_as_function),
        where=_showing("custom-tool"),
        defects=("router-for-me/CLIProxyAPI#5753",),
    ),
    Mutant(
        id="responses-total-off-by-one",
        requirement="responses/usage/total",
        text="Counts one token more in the total.",
        answer=_usage(_one_more),
    ),
    Mutant(
        id="responses-input-without-cache",
        requirement="responses/usage/parts-within",
        text="Counts as input only what was not read from the cache.",
        answer=_usage(_input_without_cache),
        where=_showing("cache-read"),
        defects=("genkit-ai/genkit#5412",),
    ),
    Mutant(
        id="responses-output-uncounted",
        requirement="responses/usage/counts",
        text="Counts no token of the output.",
        answer=_usage(_output_uncounted),
    ),
    Mutant(
        id="responses-nothing-cached",
        requirement="responses/usage/kept",
        text="Says that nothing was read from the cache.",
        answer=_usage(_nothing_cached),
        where=_showing("cache-read"),
    ),
    Mutant(
        id="responses-null-logprobs",
        requirement="responses/schema/event",
        text="Sends null for the logprobs of a text delta.",
        answer=only_stream(_each(_TEXT_DELTA)(_null_logprobs)),
        where=_showing("text", stream=True),
    ),
    Mutant(
        id="responses-no-created-at",
        requirement="responses/schema/response",
        text="Leaves created_at out.",
        answer=only_whole(_body(_without_created_at)),
    ),
    Mutant(
        id="responses-keep-alive-after-id",
        requirement="responses/sdk/yields-every-event",
        text="Numbers events by id lines and keeps the connection alive by comments: the SDK then reads an event without data.",
        answer=either(on_frames(_keep_alive_after_id), untouched),
        defects=("theopenco/llmgateway#2334",),
    ),
    Mutant(
        id="responses-items-unannounced",
        requirement="responses/sdk/helper-assembles",
        text="Sends deltas of items that it never announced.",
        answer=only_stream(_without(_ADDED)),
        defects=("BerriAI/litellm#36375",),
    ),
)
