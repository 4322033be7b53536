"""Faulty gateways on chat: each breaks one requirement of suites/chat, as real ones did."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from harness.case import Case
from harness.mutation.events import Events, either, on_events, only_stream, only_whole
from harness.mutation.mutant import Answer, Mutant, on_body, on_json

_DONE: Final = b"data: [DONE]\n\n"
_BIG: Final = 9007199254740992  # 2**53: from here on a double has no room for every integer


def _showing(*traits: str, stream: bool | None = None, helper: bool | None = None) -> Callable[[Case], bool]:
    """Narrows to cases that show all of the traits."""

    def where(case: Case) -> bool:
        return set(traits) <= case.traits and stream in (None, case.stream) and helper in (None, case.helper)

    return where


def _chunks(events: Events) -> list[dict[str, Any]]:
    return [event for event in events if isinstance(event, dict) and "choices" in event]


def _choices(events: Events) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(events):
        yield from chunk["choices"]


def _fragments(events: Events) -> Iterator[dict[str, Any]]:
    for choice in _choices(events):
        yield from choice["delta"].get("tool_calls") or ()


def _each_choice(change: Callable[[dict[str, Any]], None]) -> Callable[[Events], Events]:
    def apply(events: Events) -> Events:
        for choice in _choices(events):
            change(choice)
        return events

    return apply


def _each_message(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    """Change the message of each choice of a whole answer."""

    def apply(body: Any) -> Any:
        for choice in body.get("choices", ()):
            change(choice["message"])
        return body

    return apply


def _each_call(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    def of(message: dict[str, Any]) -> None:
        for call in message.get("tool_calls") or ():
            change(call)

    return _each_message(of)


def _each_usage(change: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    """Change the token counts, wherever they come."""

    def stream(events: Events) -> Events:
        for chunk in _chunks(events):
            whole(chunk)
        return events

    def whole(body: Any) -> Any:
        if isinstance(body.get("usage"), dict):
            change(body["usage"])
        return body

    return either(on_events(stream), on_json(whole))


def _where_text(events: Events) -> list[int]:
    """The places of the chunks that bring text."""
    return [
        place
        for place, event in enumerate(events)
        if isinstance(event, dict) and any(choice["delta"].get("content") for choice in event.get("choices", ()))
    ]


def _where_finished(events: Events) -> int:
    """The place of the first chunk with a finish_reason."""
    return next(
        (
            place
            for place, event in enumerate(events)
            if isinstance(event, dict) and any(choice.get("finish_reason") for choice in event.get("choices", ()))
        ),
        len(events) - 1,
    )


def _forward_a_ping(events: Events) -> Events:
    return [*events[:1], b'event: ping\ndata: {"type": "ping"}\n\n', *events[1:]]


def _number_ids(events: Events) -> Events:
    for number, chunk in enumerate(_chunks(events)):
        chunk["id"] = f"{chunk['id']}-{number}"
    return events


def _count_seconds(events: Events) -> Events:
    for number, chunk in enumerate(_chunks(events)):
        chunk["created"] += number
    return events


def _rename_model_in_the_end(events: Events) -> Events:
    for chunk in _chunks(events)[1:]:
        chunk["model"] = "some-alias"
    return events


def _own_fingerprint_in_the_end(events: Events) -> Events:
    for chunk in _chunks(events)[1:]:
        if "system_fingerprint" in chunk:
            chunk["system_fingerprint"] = "fp_gateway"
    return events


def _drop_role(choice: dict[str, Any]) -> None:
    choice["delta"].pop("role", None)


def _repeat_role(choice: dict[str, Any]) -> None:
    choice["delta"]["role"] = "assistant"


def _whole_message_in_the_end(choice: dict[str, Any]) -> None:
    if choice.get("finish_reason"):
        choice["message"] = {"role": "assistant", "content": "Everything once more."}


def _count_choices_up(events: Events) -> Events:
    for number, choice in enumerate(_choices(events)):
        choice["index"] += number
    return events


def _never_finish(choice: dict[str, Any]) -> None:
    choice["finish_reason"] = None


def _finish_with_the_last_text(events: Events) -> Events:
    texts = _where_text(events)
    end = _where_finished(events)
    if not texts or not isinstance(events[end], dict):
        return events
    events[end]["choices"][0]["delta"]["content"] = events[texts[-1]]["choices"][0]["delta"]["content"]
    return events[: texts[-1]] + events[texts[-1] + 1 :]


def _talk_on(events: Events) -> Events:
    texts = _where_text(events)
    end = _where_finished(events)
    return [*events[: end + 1], copy.deepcopy(events[texts[0]]), *events[end + 1 :]] if texts else events


def _without_done(events: Events) -> Events:
    return [event for event in events if event != _DONE]


def _make_a_success_of_it(events: Events) -> Events:
    failed = next((place for place, event in enumerate(events) if isinstance(event, dict) and "error" in event), None)
    if failed is None:
        return events
    end = {**_chunks(events)[-1], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return [*events[:failed], end, _DONE]


def _drop_tool_index(events: Events) -> Events:
    for fragment in _fragments(events):
        fragment.pop("index", None)
    return events


def _count_tools_from_one(events: Events) -> Events:
    for fragment in _fragments(events):
        fragment["index"] += 1
    return events


def _all_tools_at_zero(events: Events) -> Events:
    for fragment in _fragments(events):
        fragment["index"] = 0
    return events


def _name_in_each_fragment(events: Events) -> Events:
    names: dict[int, tuple[str, str]] = {}
    for fragment in _fragments(events):
        inner = fragment.get("function") or fragment.get("custom") or {}
        if fragment.get("id"):
            names[fragment["index"]] = (fragment["id"], inner["name"])
        elif fragment["index"] in names:
            fragment["id"], inner["name"] = names[fragment["index"]]
    return events


def _same_id(call: dict[str, Any]) -> None:
    call["id"] = "call_0"


def _arguments_twice(call: dict[str, Any]) -> None:
    if "function" in call:
        call["function"]["arguments"] += call["function"]["arguments"]


def _arguments_through_doubles(call: dict[str, Any]) -> None:
    """As a gateway in a language whose only number is the double."""
    if "function" in call:
        read = json.loads(call["function"]["arguments"], parse_int=lambda digits: int(float(digits)) if int(digits) > _BIG else int(digits))
        call["function"]["arguments"] = json.dumps(read, ensure_ascii=False)


def _last_call_lost(message: dict[str, Any]) -> None:
    if message.get("tool_calls"):
        message["tool_calls"].pop()


def _last_call_lost_in_the_stream(events: Events) -> Events:
    last = max((fragment["index"] for fragment in _fragments(events)), default=0)
    return [
        event
        for event in events
        if not (
            isinstance(event, dict)
            and any(
                fragment["index"] == last for choice in event.get("choices", ()) for fragment in choice["delta"].get("tool_calls") or ()
            )
        )
    ]


def _wrap_custom_input(call: dict[str, Any]) -> None:
    if "custom" in call:
        call["custom"]["input"] = json.dumps({"input": call["custom"]["input"]})


def _custom_as_function(call: dict[str, Any]) -> None:
    if "custom" in call:
        custom = call.pop("custom")
        call.update(type="function", function={"name": custom["name"], "arguments": json.dumps({"input": custom["input"]})})


def _calls_finish_by_stop(choice: dict[str, Any]) -> None:
    if choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "stop"


def _finish(change: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    """Change each choice's finish_reason, streamed or whole."""

    def whole(body: Any) -> Any:
        for choice in body.get("choices", ()):
            change(choice)
        return body

    return either(on_events(_each_choice(change)), on_json(whole))


def _cut_says_stop(choice: dict[str, Any]) -> None:
    if choice.get("finish_reason") == "length":
        choice["finish_reason"] = "stop"


def _another_protocols_word(choice: dict[str, Any]) -> None:
    if choice.get("finish_reason"):
        choice["finish_reason"] = "end_turn"


def _one_more(usage: dict[str, Any]) -> None:
    usage["total_tokens"] += 1


def _prompt_without_cache(usage: dict[str, Any]) -> None:
    """Counts only what was not read from the cache, and keeps the details."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    usage["prompt_tokens"] -= cached
    usage["total_tokens"] -= cached


def _nothing_said(usage: dict[str, Any]) -> None:
    usage["total_tokens"] -= usage["completion_tokens"]
    usage["completion_tokens"] = 0
    usage.pop("completion_tokens_details", None)


def _without_details(usage: dict[str, Any]) -> None:
    usage.pop("prompt_tokens_details", None)


def _all_missed(usage: dict[str, Any]) -> None:
    if "prompt_cache_miss_tokens" in usage:
        usage["prompt_cache_miss_tokens"] += 1


def _without_usage_chunk(events: Events) -> Events:
    return [event for event in events if not (isinstance(event, dict) and event.get("usage") and not event["choices"])]


def _usage_chunk_early(events: Events) -> Events:
    usage = [event for event in events if isinstance(event, dict) and event.get("usage") and not event["choices"]]
    return [*events[:1], *usage, *_without_usage_chunk(events[1:])]


def _usage_unasked(events: Events) -> Events:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    chunk = {**_chunks(events)[-1], "choices": [], "usage": usage}
    return [*events[:-1], chunk, *events[-1:]]


def _lose_a_delta(events: Events) -> Events:
    texts = _where_text(events)
    return events[: texts[-1]] + events[texts[-1] + 1 :] if texts else events


def _shorter(key: str) -> Callable[[dict[str, Any]], None]:
    def change(said: dict[str, Any]) -> None:
        if said.get(key):
            said[key] = said[key][:-1]

    return change


def _of_delta(change: Callable[[dict[str, Any]], None]) -> Callable[[Events], Events]:
    return _each_choice(lambda choice: change(choice["delta"]))


def _refusal_is_the_answer(message: dict[str, Any]) -> None:
    if message.get("refusal"):
        message["content"] = message["refusal"]


def _without_reasoning(said: dict[str, Any]) -> None:
    said.pop("reasoning_content", None)


def _reason_afterwards(events: Events) -> Events:
    texts = _where_text(events)
    reasons = [
        event
        for event in events
        if isinstance(event, dict) and any(choice["delta"].get("reasoning_content") for choice in event.get("choices", ()))
    ]
    return (
        [event for event in events[: texts[-1] + 1] if event is not reasons[0]] + reasons[:1] + events[texts[-1] + 1 :]
        if texts and reasons
        else events
    )


def _without_logprobs(choice: dict[str, Any]) -> None:
    choice.pop("logprobs", None)


def _lose_a_choice(body: Any) -> Any:
    if len(body.get("choices", ())) > 1:
        body["choices"].pop()
    return body


def _fenced(message: dict[str, Any]) -> None:
    if message.get("content"):
        message["content"] = f"```json\n{message['content']}\n```"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _without_padding(events: Events) -> Events:
    for chunk in _chunks(events):
        if chunk.get("obfuscation"):
            chunk["obfuscation"] = ""
    return events


def _without_absent_finish(choice: dict[str, Any]) -> None:
    if choice.get("finish_reason", "") is None:
        del choice["finish_reason"]


def _without_created(body: Any) -> Any:
    body.pop("created", None)
    return body


def _old_object_name(events: Events) -> Events:
    for chunk in _chunks(events):
        chunk["object"] = "chat.completion"
    return events


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="chat-forwards-a-ping",
        requirement="chat/stream/only-chunks",
        text="Copies another protocol's ping events into the chat stream.",
        answer=only_stream(_forward_a_ping),
        defects=("Wei-Shaw/sub2api#7097",),
    ),
    Mutant(
        id="chat-id-per-chunk",
        requirement="chat/stream/one-id",
        text="Makes a new id for each chunk.",
        answer=only_stream(_number_ids),
        defects=("sgl-project/sglang#39864",),
    ),
    Mutant(
        id="chat-created-per-chunk",
        requirement="chat/stream/one-created",
        text="Reads the clock anew for each chunk.",
        answer=only_stream(_count_seconds),
        defects=("sgl-project/sglang#39864",),
    ),
    Mutant(
        id="chat-model-changes",
        requirement="chat/stream/one-model",
        text="Puts its own name of the model into all chunks but the first.",
        answer=only_stream(_rename_model_in_the_end),
    ),
    Mutant(
        id="chat-fingerprint-changes",
        requirement="chat/stream/one-fingerprint",
        text="Puts its own fingerprint into all chunks but the first.",
        answer=only_stream(_own_fingerprint_in_the_end),
    ),
    Mutant(
        id="chat-no-role",
        requirement="chat/stream/role-first",
        text="Leaves the role out.",
        answer=only_stream(_each_choice(_drop_role)),
    ),
    Mutant(
        id="chat-role-in-each-delta",
        requirement="chat/stream/role-once",
        text="Says the role in every delta.",
        answer=only_stream(_each_choice(_repeat_role)),
    ),
    Mutant(
        id="chat-message-in-the-last-chunk",
        requirement="chat/stream/delta-not-message",
        text="Says the whole message once more in the last chunk.",
        answer=only_stream(_each_choice(_whole_message_in_the_end)),
        defects=("abundantbeing/hermes-browser-extension#11",),
    ),
    Mutant(
        id="chat-choice-index-counts-chunks",
        requirement="chat/stream/choice-index",
        text="Counts the choices' index up from chunk to chunk.",
        answer=only_stream(_count_choices_up),
        defects=("microsoft/foundry-local#144",),
    ),
    Mutant(
        id="chat-never-finishes",
        requirement="chat/stream/one-finish",
        text="Leaves every finish_reason null.",
        answer=only_stream(_each_choice(_never_finish)),
        defects=("openclaw/openclaw#98575",),
    ),
    Mutant(
        id="chat-finishes-with-text",
        requirement="chat/stream/finish-alone",
        text="Sends the last text together with the finish_reason.",
        answer=only_stream(_finish_with_the_last_text),
        where=_showing("text", stream=True),
        defects=("vllm-project/vllm#36944",),
    ),
    Mutant(
        id="chat-talks-on",
        requirement="chat/stream/silent-after-finish",
        text="Sends a text again after the choice has finished.",
        answer=only_stream(_talk_on),
        where=_showing("text", stream=True),
        defects=("NousResearch/hermes-agent#86572",),
    ),
    Mutant(
        id="chat-no-done",
        requirement="chat/stream/done-last",
        text="Closes without [DONE].",
        answer=only_stream(_without_done),
        defects=("tempoxyz/mpp#975",),
    ),
    Mutant(
        id="chat-error-becomes-success",
        requirement="chat/stream/error-ends-it",
        text="Ends a stream that failed by finish_reason stop and [DONE].",
        answer=only_stream(_make_a_success_of_it),
    ),
    Mutant(
        id="chat-no-tool-index",
        requirement="chat/tools/index-present",
        text="Leaves the index of tool calls out.",
        answer=only_stream(_drop_tool_index),
        defects=("LibreChat-AI/agents#260",),
    ),
    Mutant(
        id="chat-tools-from-one",
        requirement="chat/tools/indexes-in-order",
        text="Counts tool calls from 1.",
        answer=only_stream(_count_tools_from_one),
    ),
    Mutant(
        id="chat-tools-all-at-zero",
        requirement="chat/tools/indexes-in-order",
        text="Gives every tool call the index 0.",
        answer=only_stream(_all_tools_at_zero),
        where=_showing("parallel-tools", stream=True),
        defects=("BerriAI/litellm#21337",),
    ),
    Mutant(
        id="chat-tool-named-in-each-fragment",
        requirement="chat/tools/named-once",
        text="Says a call's id and name in each of its fragments.",
        answer=only_stream(_name_in_each_fragment),
        defects=("maximhq/bifrost#1829",),
    ),
    Mutant(
        id="chat-tools-share-an-id",
        requirement="chat/tools/own-ids",
        text="Gives all calls the same id.",
        answer=only_whole(_each_call(_same_id)),
        where=_showing("parallel-tools", stream=False),
    ),
    Mutant(
        id="chat-arguments-twice",
        requirement="chat/tools/arguments-are-json",
        text="Sends the whole arguments behind their fragments once more.",
        answer=only_whole(_each_call(_arguments_twice)),
        where=_showing("functions", stream=False),
        defects=("lidge-jun/opencodex#361",),
    ),
    Mutant(
        id="chat-arguments-through-doubles",
        requirement="chat/tools/arguments-kept",
        text="Reads arguments and writes them again, big integers rounded.",
        answer=only_whole(_each_call(_arguments_through_doubles)),
        where=_showing("parallel-tools", stream=False),
        defects=("earendil-works/pi#8943",),
    ),
    Mutant(
        id="chat-loses-a-call",
        requirement="chat/tools/calls-kept",
        text="Loses the last of several calls.",
        answer=either(on_events(_last_call_lost_in_the_stream), on_json(_each_message(_last_call_lost))),
        where=_showing("parallel-tools"),
        defects=("JohnnyZ93/oai-compatible-copilot#151",),
    ),
    Mutant(
        id="chat-wraps-custom-input",
        requirement="chat/tools/custom-input-kept",
        text="Wraps a custom tool's input in JSON.",
        answer=only_whole(_each_call(_wrap_custom_input)),
        where=_showing("custom-tool", stream=False),
        defects=("router-for-me/CLIProxyAPI#5753",),
    ),
    Mutant(
        id="chat-custom-as-function",
        requirement="chat/tools/offered",
        text="Makes a function call of a custom tool's call.",
        answer=only_whole(_each_call(_custom_as_function)),
        where=_showing("custom-tool", stream=False),
        defects=("router-for-me/CLIProxyAPI#5753",),
    ),
    Mutant(
        id="chat-calls-finish-by-stop",
        requirement="chat/tools/finish-tells-of-calls",
        text="Says stop where calls wait to be carried out.",
        answer=_finish(_calls_finish_by_stop),
        defects=("Blaizzy/mlx-vlm#990",),
    ),
    Mutant(
        id="chat-total-off-by-one",
        requirement="chat/usage/total",
        text="Counts one token more in the total.",
        answer=_each_usage(_one_more),
    ),
    Mutant(
        id="chat-prompt-without-cache",
        requirement="chat/usage/parts-within",
        text="Counts as prompt only what was not read from the cache.",
        answer=_each_usage(_prompt_without_cache),
        where=_showing("cache-read"),
        defects=("genkit-ai/genkit#5412",),
    ),
    Mutant(
        id="chat-completion-uncounted",
        requirement="chat/usage/counts",
        text="Counts no token of the completion.",
        answer=_each_usage(_nothing_said),
    ),
    Mutant(
        id="chat-usage-without-details",
        requirement="chat/usage/kept",
        text="Leaves the details of the prompt out.",
        answer=_each_usage(_without_details),
        defects=("jeremychone/rust-genai#258",),
    ),
    Mutant(
        id="chat-no-usage-chunk",
        requirement="chat/usage/when-asked",
        text="Drops the usage chunk that the client asked for.",
        answer=only_stream(_without_usage_chunk),
        defects=("BYK/loreai#1485",),
    ),
    Mutant(
        id="chat-usage-chunk-early",
        requirement="chat/usage/once-all-is-said",
        text="Sends the usage chunk before the text.",
        answer=only_stream(_usage_chunk_early),
    ),
    Mutant(
        id="chat-usage-unasked",
        requirement="chat/usage/not-unasked",
        text="Adds a usage chunk that nobody asked for.",
        answer=only_stream(_usage_unasked),
        defects=("TheR1D/shell_gpt#741",),
    ),
    Mutant(
        id="chat-cache-split-off",
        requirement="chat/usage/cache-split",
        text="Counts one cache miss too many.",
        answer=_each_usage(_all_missed),
    ),
    Mutant(
        id="chat-loses-text",
        requirement="chat/content/text-kept",
        text="Loses the end of the text.",
        answer=either(on_events(_lose_a_delta), on_json(_each_message(_shorter("content")))),
    ),
    Mutant(
        id="chat-cuts-refusal",
        requirement="chat/content/refusal-kept",
        text="Cuts the end of the refusal.",
        answer=either(on_events(_of_delta(_shorter("refusal"))), on_json(_each_message(_shorter("refusal")))),
    ),
    Mutant(
        id="chat-refusal-as-content",
        requirement="chat/content/refusal-apart",
        text="Says the refusal in content too.",
        answer=either(on_events(_of_delta(_refusal_is_the_answer)), on_json(_each_message(_refusal_is_the_answer))),
    ),
    Mutant(
        id="chat-no-reasoning",
        requirement="chat/content/reasoning-kept",
        text="Drops reasoning_content.",
        answer=either(on_events(_of_delta(_without_reasoning)), on_json(_each_message(_without_reasoning))),
        defects=("decolua/9router#1189",),
    ),
    Mutant(
        id="chat-reasons-afterwards",
        requirement="chat/content/reasoning-first",
        text="Sends a piece of reasoning after the text.",
        answer=only_stream(_reason_afterwards),
        where=_showing("text", "thinking", stream=True),
    ),
    Mutant(
        id="chat-no-logprobs",
        requirement="chat/content/logprobs-kept",
        text="Drops logprobs from the choices.",
        answer=_finish(_without_logprobs),
    ),
    Mutant(
        id="chat-cut-says-stop",
        requirement="chat/content/finish-kept",
        text="Says stop where the answer was cut by its length.",
        answer=_finish(_cut_says_stop),
        where=_showing("length"),
    ),
    Mutant(
        id="chat-finish-of-another-protocol",
        requirement="chat/content/finish-word",
        text="Says end_turn, which is Anthropic's word.",
        answer=_finish(_another_protocols_word),
        defects=("ROCm/FastFlowLM#500",),
    ),
    Mutant(
        id="chat-loses-a-choice",
        requirement="chat/content/choices-kept",
        text="Passes on only the first of n choices.",
        answer=only_whole(_lose_a_choice),
        where=_showing("choices", stream=False),
    ),
    Mutant(
        id="chat-fenced-json",
        requirement="chat/content/structured",
        text="Fences JSON as Markdown code.",
        answer=only_whole(_each_message(_fenced)),
        where=_showing("structured", stream=False),
        defects=("Arthur-Ficial/apfel#101",),
    ),
    Mutant(
        id="chat-drops-nulls",
        requirement="chat/content/fields-kept",
        text="Leaves out what is null, as a typed writer with omitempty does.",
        answer=either(on_events(lambda events: [_without_nulls(event) for event in events]), on_json(_without_nulls)),
    ),
    Mutant(
        id="chat-drops-padding",
        requirement="chat/content/obfuscation-kept",
        text="Empties obfuscation.",
        answer=only_stream(_without_padding),
    ),
    Mutant(
        id="chat-no-null-finish",
        requirement="chat/schema/chunk",
        text="Leaves finish_reason out where it is null.",
        answer=only_stream(_each_choice(_without_absent_finish)),
    ),
    Mutant(
        id="chat-no-created",
        requirement="chat/schema/completion",
        text="Leaves created out.",
        answer=only_whole(_without_created),
    ),
    Mutant(
        id="chat-byte-order-mark",
        requirement="chat/sdk/yields-every-chunk",
        text="Begins the stream with a byte-order mark.",
        answer=on_body(lambda body: b"\xef\xbb\xbf" + body),
    ),
    Mutant(
        id="chat-old-object-name",
        requirement="chat/sdk/helper-assembles",
        text="Calls chunks chat.completion.",
        answer=only_stream(_old_object_name),
    ),
)
