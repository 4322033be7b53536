"""Faulty translators, as real ones were: what they tell the client (suites/translation/probes.json lists each with its source)."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from harness.case import Case
from harness.mutation.events import Events, either, on_events, only_stream, only_whole
from harness.mutation.mutant import Answer, Ask, Books, Flow, Mutant, ask_body, named, on_frames, on_json, with_header
from harness.mutation.mutants.billing import more_output, newest, per_call
from harness.mutation.mutants.messages import each_block, events_of

Value = dict[str, Any]

_SMUGGLED: Final = "__thought__" + "A" * 120
_REASONS: Final = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}


def _on(*globs: str) -> Callable[[Case], bool]:
    return named(*(f"translation/probe-{glob}" for glob in globs))


# Chat


def _deltas(events: Events) -> Iterator[Value]:
    for choice in _choices(events):
        yield choice["delta"]


def _choices(events: Events) -> Iterator[Value]:
    for event in events:
        if isinstance(event, dict):
            yield from event.get("choices", ())


def _fragments(events: Events) -> Iterator[Value]:
    for delta in _deltas(events):
        yield from delta.get("tool_calls") or ()


def _chat(delta: Callable[[Value], None], message: Callable[[Value], None] | None = None) -> Callable[[Answer], Answer]:
    """Change each delta, and the whole message in the same way unless another is given."""

    def stream(events: Events) -> Events:
        for each in _deltas(events):
            delta(each)
        return events

    def whole(body: Any) -> Any:
        for choice in body["choices"]:
            (message or delta)(choice["message"])
        return body

    return either(on_events(stream), on_json(whole))


def _chat_finish(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def stream(events: Events) -> Events:
        for choice in _choices(events):
            change(choice)
        return events

    def whole(body: Any) -> Any:
        for choice in body["choices"]:
            change(choice)
        return body

    return either(on_events(stream), on_json(whole))


def _usage(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    """Change every usage object of chat, Responses or Messages, at whatever place it stands."""

    def of(value: Any) -> None:
        if isinstance(value, dict):
            for holder in (value, value.get("message"), value.get("response")):
                if isinstance(holder, dict) and isinstance(holder.get("usage"), dict):
                    change(holder["usage"])

    def stream(events: Events) -> Events:
        for event in events:
            of(event)
        return events

    def whole(body: Any) -> Any:
        of(body)
        return body

    return either(on_events(stream), on_json(whole))


def _first_text_only(events: Events) -> Events:
    """Up to the first call: what is said after it is lost."""
    called = False
    kept: Events = []
    for event in events:
        deltas = list(_deltas([event]))
        called = called or any("tool_calls" in delta for delta in deltas)
        if not (called and any(delta.get("content") for delta in deltas)):
            kept.append(event)
    return kept


def _half_of_text(body: Any) -> Any:
    message = body["choices"][0]["message"]
    message["content"] = message["content"][: len(message["content"]) // 2]
    return body


def _blank_thoughts(said: Value) -> None:
    if said.get("reasoning_content"):
        said["reasoning_content"] = ""


def _without_proofs(said: Value) -> None:
    said.pop("thinking_blocks", None)


def _last_thought_only(body: Any) -> Any:
    message = body["choices"][0]["message"]
    if blocks := message.get("thinking_blocks"):
        message["thinking_blocks"] = blocks[-1:]
        message["reasoning_content"] = blocks[-1].get("thinking", "")
    return body


def _input_alone(usage: Value) -> None:
    """Anthropic's input_tokens taken for the whole prompt."""
    details = usage.get("prompt_tokens_details") or {}
    usage["prompt_tokens"] -= details.get("cached_tokens", 0) + details.get("cache_write_tokens", 0)
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


def _without_cache_counts(usage: Value) -> None:
    """message_start alone was read, and the prompt counted from what it had."""
    details = usage.get("prompt_tokens_details") or {}
    for name in ("cached_tokens", "cache_write_tokens"):
        usage["prompt_tokens"] -= details.get(name, 0)
        if name in details:
            details[name] = 0
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


def _prompt_zero(usage: Value) -> None:
    usage.update(prompt_tokens=0, prompt_tokens_details={"cached_tokens": 0}, total_tokens=usage["completion_tokens"])


def _one_token(usage: Value) -> None:
    usage["output_tokens"] = 1


def _without_prompt(usage: Value) -> None:
    usage.pop("prompt_tokens", None)
    usage.pop("total_tokens", None)


def _without_reasoning_tokens(usage: Value) -> None:
    """The total stays the vendor's, so that the sum is wrong."""
    usage["completion_tokens"] -= (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)


def _recitation_calls(choice: Value) -> None:
    if choice.get("finish_reason") == "content_filter":
        choice["finish_reason"] = "tool_calls"


def _vendors_word(choice: Value) -> None:
    if choice.get("finish_reason") == "content_filter":
        choice["finish_reason"] = "recitation"


def _raw_reason(choice: Value) -> None:
    if choice.get("finish_reason"):
        choice["finish_reason"] = _REASONS.get(choice["finish_reason"], "cancel")


def _calls_stop(events: Events) -> Events:
    for choice in _choices(events):
        if choice.get("finish_reason") == "tool_calls":
            choice["finish_reason"] = "stop"
    return events


def _finish_on_thoughts(events: Events) -> Events:
    for choice in _choices(events):
        if "reasoning_content" in choice["delta"]:
            choice["finish_reason"] = "stop"
    return events


def _without_choices(body: Any) -> Any:
    return {**body, "choices": []}


def _without_last_event(events: Events) -> Events:
    """What the vendor's last event brought: how it ended, and the counts."""
    return [
        event
        for event in events
        if not (isinstance(event, dict) and (event.get("usage") or any(choice.get("finish_reason") for choice in event["choices"])))
    ]


def _pings(frames: list[bytes]) -> list[bytes]:
    return [*frames[:1], b'event: ping\ndata: {"type":"ping"}\n\n', *frames[1:]]


def _index_zero(events: Events) -> Events:
    for fragment in _fragments(events):
        fragment["index"] = 0
    return events


def _arguments_again(events: Events) -> Events:
    """Behind the last fragment of each call, all of its arguments once more."""
    joined: dict[int, str] = {}
    last: dict[int, int] = {}
    for place, event in enumerate(events):
        for fragment in _fragments([event]):
            joined[fragment["index"]] = joined.get(fragment["index"], "") + fragment["function"].get("arguments", "")
            last[fragment["index"]] = place
    for index, place in sorted(last.items(), key=lambda pair: -pair[1]):
        again = copy.deepcopy(events[place])
        again["choices"][0]["delta"] = {"tool_calls": [{"index": index, "function": {"arguments": joined[index]}}]}
        events.insert(place + 1, again)
    return events


def _one_current_call(events: Events) -> Events:
    """As if there were one open call: every fragment goes to the call that was named last."""
    current = 0
    for fragment in _fragments(events):
        if fragment.get("id"):
            current = fragment["index"]
        else:
            fragment["index"] = current
    return events


def _call_as_text(said: Value) -> None:
    for call in said.pop("tool_calls", None) or ():
        function = call["function"]
        said["content"] = (said.get("content") or "") + json.dumps({"name": function.get("name"), "arguments": function.get("arguments")})


def _no_arguments(said: Value) -> None:
    for call in said.get("tool_calls") or ():
        if call["function"].get("arguments") == "{}":
            call["function"]["arguments"] = ""


def _bare_calls_dropped(body: Any) -> Any:
    message = body["choices"][0]["message"]
    message["tool_calls"] = [call for call in message.get("tool_calls") or () if call["function"]["arguments"] != "{}"]
    return body


def _search_as_call(body: Any) -> Any:
    function = {"name": "web_search", "arguments": '{"query": "lighthouse"}'}
    body["choices"][0]["message"]["tool_calls"] = [{"id": "srvtoolu_1", "type": "function", "function": function}]
    body["choices"][0]["finish_reason"] = "tool_calls"
    return body


def _search_in_stream(events: Events) -> Events:
    function = {"name": "web_search", "arguments": '{"query": "lighthouse"}'}
    call = {"index": 0, "id": "srvtoolu_1", "type": "function", "function": function}
    for place, event in enumerate(events):
        if any(delta.get("content") for delta in _deltas([event])):
            chunk = copy.deepcopy(event)
            chunk["choices"][0]["delta"] = {"tool_calls": [call]}
            return [*events[:place], chunk, *events[place:]]
    return events


def _without_reasoning(body: Any) -> Any:
    body["choices"][0]["message"].pop("reasoning_content", None)
    return body


def _as_message(events: Events) -> Events:
    for choice in _choices(events):
        choice["message"] = choice.pop("delta")
    return events


def _fenced(end: str) -> Callable[[Answer], Answer]:
    def whole(body: Any) -> Any:
        message = body["choices"][0]["message"]
        message["content"] = f"```json\n{message['content']}{end}"
        return body

    def stream(events: Events) -> Events:
        texts = [delta for delta in _deltas(events) if delta.get("content")]
        if texts:
            texts[0]["content"] = "```json\n" + texts[0]["content"]
            texts[-1]["content"] += end
        return events

    return either(on_events(stream), on_json(whole))


def _usage_on_finish(events: Events) -> Events:
    counts = next((event["usage"] for event in events if isinstance(event, dict) and event.get("usage")), None)
    kept = [event for event in events if not (isinstance(event, dict) and event.get("usage"))]
    for event in kept:
        if isinstance(event, dict) and any(choice.get("finish_reason") for choice in event["choices"]):
            event["usage"] = counts
    return kept


def _usage_always(events: Events) -> Events:
    counts = {"prompt_tokens": 24, "completion_tokens": 44, "total_tokens": 68}
    ends = [place for place, event in enumerate(events) if any(choice.get("finish_reason") for choice in _choices([event]))]
    if not ends:
        return events
    return [*events[: ends[0] + 1], {**events[ends[0]], "choices": [], "usage": counts}, *events[ends[0] + 1 :]]


def _stop_in_place_of_error(frames: list[bytes]) -> list[bytes]:
    kept = [frame for frame in frames if b'"error"' not in frame and b"[DONE]" not in frame]
    end = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [_STOPPED]}
    return [*kept, b"data: " + json.dumps(end).encode() + b"\n\n", b"data: [DONE]\n\n"]


_STOPPED: Final = {"index": 0, "delta": {}, "finish_reason": "stop"}


def _empty_beside_calls(body: Any) -> Any:
    for choice in body["choices"]:
        if choice["message"].get("tool_calls"):
            choice["message"]["content"] = choice["message"].get("content") or ""
    return body


def _as_broken_off(frames: list[bytes]) -> list[bytes]:
    """The words for a stream without its end, whatever the upstream said."""
    words = ((b"invalid_request_error", b"api_error"), (b"INVALID_ARGUMENT", b"UNAVAILABLE"))
    for word, other in words:
        frames = [frame.replace(word, other) for frame in frames]
    return frames


def _error_as_finish(frames: list[bytes]) -> list[bytes]:
    """The error's name where the finish_reason stands."""
    end = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    named = {**end, "choices": [{**_STOPPED, "finish_reason": "overloaded_error"}]}
    return [b"data: " + json.dumps(named).encode() + b"\n\n" if b'"error"' in frame else frame for frame in frames]


def _stopped(answer: Answer) -> Answer:
    """An answer with nothing in it in the place of the failure."""
    if answer.status < 400:
        return replace(answer, body=b"".join(_stop_in_place_of_error([frame + b"\n\n" for frame in answer.body.split(b"\n\n") if frame])))
    message = {"role": "assistant", "content": None, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    counts = {"prompt_tokens": 24, "completion_tokens": 0, "total_tokens": 24}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": counts}
    return replace(answer, status=200, body=json.dumps(body).encode())


# Messages


def _messages_stop(word: str, instead: str) -> Callable[[Answer], Answer]:
    def of(held: Value) -> None:
        if held.get("stop_reason") == word:
            held["stop_reason"] = instead

    def stream(events: Events) -> Events:
        for event in events_of(events, "message_delta"):
            of(event["delta"])
        return events

    def whole(body: Any) -> Any:
        of(body)
        return body

    return either(on_events(stream), on_json(whole))


def _empty_ping(frames: list[bytes]) -> list[bytes]:
    return [*frames[:2], b"event: ping\ndata: \n\n", *frames[2:]]


def _without_json(events: Events) -> Events:
    return [event for event in events if not (isinstance(event, dict) and event.get("delta", {}).get("type") == "input_json_delta")]


def _text_as_json(events: Events) -> Events:
    for event in events_of(events, "content_block_delta"):
        if event["delta"]["type"] == "text_delta":
            event["delta"] = {"type": "input_json_delta", "partial_json": ""}
    return events


def _smuggle(block: Value) -> None:
    if block["type"] == "tool_use":
        block["id"] += _SMUGGLED


def _start_at_zero(events: Events) -> Events:
    for event in events_of(events, "message_start"):
        event["message"]["usage"]["input_tokens"] = 0
    return events


def _prompt_as_input(usage: Value) -> None:
    """OpenAI's prompt_tokens, which has the cached ones in it, copied as they are."""
    usage["input_tokens"] += usage.get("cache_read_input_tokens") or 0
    usage["input_tokens"] += usage.get("cache_creation_input_tokens") or 0


def _without_cache_keys(events: Events) -> Events:
    for event in events_of(events, "message_start", "message_delta"):
        counts = (event.get("message") or event).get("usage", {})
        for name in [name for name in counts if name.startswith("cache_")]:
            del counts[name]
    return events


def _without_counts_at_the_end(events: Events) -> Events:
    for event in events_of(events, "message_delta"):
        event.pop("usage", None)
    return events


def _done(frames: list[bytes]) -> list[bytes]:
    return [*frames, b"data: [DONE]\n\n"]


def _without_thoughts(body: Any) -> Any:
    return {**body, "content": [block for block in body["content"] if block["type"] != "thinking"]}


def _without_start(events: Events) -> Events:
    return [event for event in events if not (isinstance(event, dict) and event.get("type") == "message_start")]


def _only_first_piece(events: Events) -> Events:
    """Each call's arguments end with their first piece."""
    met: set[int] = set()
    kept: Events = []
    for event in events:
        if isinstance(event, dict) and event.get("delta", {}).get("type") == "input_json_delta" and event["delta"]["partial_json"]:
            if event["index"] in met:
                continue
            met.add(event["index"])
        kept.append(event)
    return kept


def _as_chunks(frames: list[bytes]) -> list[bytes]:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{**_STOPPED, "finish_reason": None}],
    }
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for _ in frames]


def _without_last_block_stop(events: Events) -> Events:
    stops = [place for place, event in enumerate(events) if isinstance(event, dict) and event.get("type") == "content_block_stop"]
    return events[: stops[-1]] + events[stops[-1] + 1 :] if stops else events


def _spliced(events: Events) -> Events:
    """In the middle another upstream's stream takes over and begins anew."""
    starts, deltas = events_of(events, "message_start"), events_of(events, "content_block_delta")
    if len(deltas) < 2:
        return events
    middle = next(place for place, event in enumerate(events) if event is deltas[len(deltas) // 2])
    return [*events[:middle], *copy.deepcopy([starts[0], events_of(events, "content_block_start")[0]]), *events[middle:]]


def _ended_well(frames: list[bytes]) -> list[bytes]:
    kept = [frame for frame in frames if b"event: error" not in frame]
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 1}}
    ends = [
        b"event: message_delta\ndata: " + json.dumps(delta).encode() + b"\n\n",
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ]
    return [*kept, *ends]


def _good_answer(answer: Answer) -> Answer:
    """A failed response told as an empty one."""
    counts = {"input_tokens": 1, "output_tokens": 0}
    head = {"model": "m", "id": "msg_1", "type": "message", "role": "assistant", "content": []}
    body = {**head, "stop_reason": "end_turn", "stop_sequence": None, "usage": counts}
    return replace(answer, status=200, body=json.dumps(body).encode()) if answer.status >= 400 else answer


def _estimated(usage: Value) -> None:
    """An explicit zero taken for a missing count, and guessed anew."""
    for name, guess in (("input_tokens", 31), ("output_tokens", 43)):
        if usage.get(name) == 0:
            usage[name] = guess


# Responses


def _numbered(events: Events) -> Events:
    for number, event in enumerate(event for event in events if isinstance(event, dict)):
        event["sequence_number"] = number
    return events


def _unannounced(events: Events) -> Events:
    return _numbered([event for event in events if not (isinstance(event, dict) and event.get("type") == "response.output_item.added")])


def _all_first(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict) and "output_index" in event:
            event["output_index"] = 0
    return events


def _without_indexes(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict):
            event.pop("output_index", None)
            event.pop("content_index", None)
    return events


def _items_numbered_one(events: Events) -> Events:
    for event in events_of(events, "response.output_item.done"):
        event["sequence_number"] = 1
    return events


def _null(frames: list[bytes]) -> list[bytes]:
    return [*frames[:-1], b"data: null\n\n", *frames[-1:]]


def _ids_of_chat(body: Any) -> Any:
    for item in body["output"]:
        if item["type"] == "message":
            item["id"] = "chatcmpl-" + item["id"]
    return body


# Failures, books and other documents


def _status(status: int) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, status=status) if answer.status >= 400 else answer


def _stream_around_error(answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    body = b"data: " + json.dumps(json.loads(answer.body)).encode() + b"\n\n"
    return with_header("content-type", "text/event-stream")(replace(answer, status=200, body=body))


def _counts_nothing(answer: Answer) -> Answer:
    return on_json(lambda _: {"input_tokens": 0})(answer) if answer.status == 200 else answer


def _floats(answer: Answer) -> Answer:
    body = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}], "model": "m", "usage": {}}
    return replace(answer, status=200, body=json.dumps(body).encode())


def _unknown_parameter(answer: Answer) -> Answer:
    error = {"message": "encoding_format is not supported.", "type": "invalid_request_error", "param": "encoding_format", "code": None}
    return replace(answer, status=400, body=json.dumps({"error": error}).encode())


def _as_bytes(answer: Answer) -> Answer:
    if answer.status != 200:
        return answer
    return on_json(lambda body: {**body, "data": [{"b64_json": "iVBORw0KGgo="} for _ in body["data"]]})(answer)


def _failed_image_listed(books: Books) -> Books:
    if books.balance or not books.failed:
        return books
    row = {"request_id": "req_undelivered", "model": "?", "cost_micro_usd": 0, "input_tokens": 0, "output_tokens": 0}
    return replace(books, rows=[row, *books.rows])


def _without_sound(ask: Ask) -> Ask:
    def change(body: Any) -> Any:
        for turn in body["messages"]:
            if isinstance(turn["content"], list):
                turn["content"] = [part for part in turn["content"] if part["type"] != "input_audio"]
        return body

    return ask_body(change)(ask)


def _renamed(answer: Answer) -> Answer:
    """Names as an upstream takes them."""
    body = answer.body.replace(b"weather.lookup/now", b"weather_lookup_now").replace(b"look_up_" * 12, (b"look_up_" * 12)[:64])
    return replace(answer, body=body)


def _sorted_keys(frames: list[bytes]) -> list[bytes]:
    """Each event read into types and written again: what is not known is gone, and so are the blanks."""
    written = []
    for frame in frames:
        head, _, data = frame.partition(b"data: ")
        try:
            value = json.loads(data)
        except ValueError:
            written.append(frame)
            continue
        written.append(head + b"data: " + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n")
    return written


WHOLE: Final = "translation/answer-whole"
TEXT: Final = "translation/answer-text"
REASONING: Final = "translation/answer-reasoning"
SIGNATURES: Final = "translation/answer-signatures"
CALLS: Final = "translation/answer-calls"
ARGUMENTS: Final = "translation/answer-call-arguments"
STOP: Final = "translation/answer-stop"
USAGE: Final = "translation/answer-usage"
FAILURE: Final = "translation/answer-failure"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="translation-first-text-only",
        requirement=TEXT,
        text="Keeps of a whole answer the text before the call alone.",
        answer=only_whole(_half_of_text),
        where=_on("chat-claude-messages-text-around-call"),
    ),
    Mutant(
        id="translation-first-text-only-in-streams",
        requirement=TEXT,
        text="Streams no text that follows a call.",
        answer=only_stream(_first_text_only),
        where=_on("chat-claude-messages-text-around-call.stream"),
    ),
    Mutant(
        id="translation-blank-thoughts",
        requirement=REASONING,
        text="Reads the thoughts of a stream from the wrong member, so that they come out blank.",
        answer=_chat(_blank_thoughts),
        where=_on("chat-claude-thinking.stream"),
    ),
    Mutant(
        id="translation-no-proofs",
        requirement=SIGNATURES,
        text="Loses the signatures of thoughts, and those that are redacted.",
        answer=_chat(_without_proofs),
        where=_on("chat-claude-thinking*", "chat-claude-redacted-thinking*"),
    ),
    Mutant(
        id="translation-last-thought-only",
        requirement=REASONING,
        text="Keeps of several thoughts in a whole answer the last one.",
        answer=only_whole(_last_thought_only),
        where=_on("chat-claude-messages-two-thoughts"),
    ),
    Mutant(
        id="translation-filter-ends-well-whole",
        requirement=STOP,
        text="Says end_turn of filtered content in whole answers, and refusal in streams.",
        answer=either(lambda answer: answer, _messages_stop("refusal", "end_turn")),
        where=_on("messages-chat-chat-content-filter"),
    ),
    Mutant(
        id="translation-filter-ends-well",
        requirement=STOP,
        text="Says end_turn of content that the upstream's filter cut.",
        answer=_messages_stop("refusal", "end_turn"),
        where=_on("messages-chat-chat-content-filter*"),
        defects=("theopenco/llmgateway#2974",),
    ),
    Mutant(
        id="translation-prompt-uncached-only",
        requirement="chat/usage/parts-within",
        text="Takes Anthropic's input_tokens for the whole prompt.",
        answer=_usage(_input_alone),
        where=_on("chat-claude-usage*", "chat-claude-messages-late-cache*"),
        defects=("genkit-ai/genkit#5412", "BerriAI/litellm#5443"),
    ),
    Mutant(
        id="translation-cache-twice",
        requirement=USAGE,
        text="Counts cached tokens as input and as cached ones.",
        answer=_usage(_prompt_as_input),
        where=_on("messages-chat-cache-*", "messages-responses-cache-read*"),
        defects=("icebear0828/codex-proxy#587",),
    ),
    Mutant(
        id="translation-cache-not-in-streams",
        requirement=USAGE,
        text="Leaves the cache's counts out of streams.",
        answer=only_stream(_without_cache_keys),
        where=_on("messages-chat-cache-*", "messages-responses-cache-read*"),
        defects=("8monkey-ai/hebo-gateway#187",),
    ),
    Mutant(
        id="translation-cache-of-the-start-only",
        requirement=USAGE,
        text="Reads the cache's counts from message_start alone.",
        answer=_usage(_without_cache_counts),
        where=_on("chat-claude-messages-late-cache.stream"),
        defects=("jeremychone/rust-genai#258",),
    ),
    Mutant(
        id="translation-counts-of-the-end-only",
        requirement=USAGE,
        text="Says a prompt of 0 where message_delta has no input_tokens.",
        answer=_usage(_prompt_zero),
        where=_on("chat-claude-messages-early-counts.stream"),
    ),
    Mutant(
        id="translation-zero-guessed-anew",
        requirement=USAGE,
        text="Takes a count of zero for none, and estimates.",
        answer=_usage(_estimated),
        where=_on("messages-chat-chat-zero-usage"),
    ),
    Mutant(
        id="translation-usage-without-prompt",
        requirement="chat/schema/chunk",
        text="Does not keep the prompt's count of message_start for the usage chunk.",
        answer=_usage(_without_prompt),
        where=_on("chat-claude-*.stream"),
        defects=("Portkey-AI/gateway#1180", "Portkey-AI/gateway#858"),
    ),
    Mutant(
        id="translation-reasoning-uncounted",
        requirement="chat/usage/total",
        text="Leaves thoughts out of completion_tokens.",
        answer=_usage(_without_reasoning_tokens),
        where=_on("chat-gemini-usage*"),
        defects=(
            "router-for-me/CLIProxyAPI#5733",
            "Portkey-AI/gateway#1458",
            "envoyproxy/ai-gateway#1438",
            "mozilla-ai/any-llm#1291",
        ),
    ),
    Mutant(
        id="translation-usage-with-finish",
        requirement="translation/usage-apart",
        text="Puts the usage on the chunk that finishes.",
        answer=only_stream(_usage_on_finish),
        where=_on("chat-claude-text.stream", "chat-claude-usage.stream"),
    ),
    Mutant(
        id="translation-usage-always",
        requirement="chat/usage/not-unasked",
        text="Ends every stream with a usage chunk, asked for or not.",
        answer=only_stream(_usage_always),
        where=_on("chat-claude-usage-unasked.stream"),
    ),
    Mutant(
        id="translation-recitation-is-a-call",
        requirement=STOP,
        text="Tells Gemini's RECITATION as a tool call.",
        answer=_chat_finish(_recitation_calls),
        where=_on("chat-gemini-gemini-recitation*"),
    ),
    Mutant(
        id="translation-recitation-as-it-is",
        requirement="chat/content/finish-word",
        text="Hands Gemini's RECITATION on in small letters.",
        answer=_chat_finish(_vendors_word),
        where=_on("chat-gemini-gemini-recitation*"),
    ),
    Mutant(
        id="translation-malformed-call-is-a-stop",
        requirement=FAILURE,
        text="Ends with stop, and nothing said, where Gemini made a malformed call.",
        answer=_stopped,
        where=_on("chat-gemini-gemini-malformed-call*"),
    ),
    Mutant(
        id="translation-refused-without-a-choice",
        requirement=WHOLE,
        text="Drops a candidate that has no content, and with it how it ended.",
        answer=only_whole(_without_choices),
        where=_on("chat-gemini-refusal"),
        defects=("BerriAI/litellm#40864", "experientiallabs/experiential#967"),
    ),
    Mutant(
        id="translation-text-unsigned",
        requirement=SIGNATURES,
        text="Loses the signature of a text that has no thought before it.",
        answer=_chat(_without_proofs),
        where=_on("chat-gemini-gemini-signed-text*"),
    ),
    Mutant(
        id="translation-failed-ends-well",
        requirement=FAILURE,
        text="Ends an answer that failed as if it were whole.",
        answer=_good_answer,
        where=_on("messages-responses-failed"),
    ),
    Mutant(
        id="translation-failed-stream-ends-well",
        requirement="errors/no-false-end",
        text="Ends a stream whose upstream said response.failed by end_turn.",
        answer=on_frames(_ended_well),
        where=_on("messages-responses-error-event.stream"),
    ),
    Mutant(
        id="translation-no-stop-reason-is-a-stop",
        requirement="errors/no-false-end",
        text="Makes a stop of a stream that ended without a reason.",
        answer=on_frames(_ended_well),
        where=_on("messages-chat-chat-no-finish-reason.stream"),
    ),
    Mutant(
        id="translation-error-is-a-finish",
        requirement="errors/stream-ends-in-error",
        text="Puts the error's name where the finish_reason stands.",
        answer=on_frames(_error_as_finish),
        where=_on("*-error-event.stream"),
    ),
    Mutant(
        id="translation-first-count-told",
        requirement="translation/answer-usage",
        text="Tells the first count of several, as if nothing had been said after it.",
        answer=_usage(_one_token),
        where=_on("*-growing-usage.stream"),
    ),
    Mutant(
        id="translation-empty-beside-calls",
        requirement="translation/null-beside-calls",
        text="Gives a choice that only calls an empty text.",
        answer=on_json(_empty_beside_calls),
        where=_on("chat-gemini-tools"),
    ),
    Mutant(
        id="translation-error-is-a-truncation",
        requirement="translation/error-class",
        text="Reads no error event, and tells of a stream that broke off.",
        answer=on_frames(_as_broken_off),
        where=_on("*-refused-inside.stream"),
    ),
    Mutant(
        id="translation-error-just-ends",
        requirement="errors/stream-ends-in-error",
        text="Breaks off without a word where the upstream's stream had an error.",
        answer=on_frames(lambda frames: [frame for frame in frames if b"error" not in frame and b"[DONE]" not in frame]),
        where=_on("*-error-event.stream"),
    ),
    Mutant(
        id="translation-last-event-lost",
        requirement="chat/stream/one-finish",
        text="Loses the upstream's last event where no blank line follows it.",
        answer=only_stream(_without_last_event),
        where=_on("chat-claude-no-last-blank.stream"),
        defects=("agentjido/req_llm#462",),
    ),
    Mutant(
        id="translation-pings-copied",
        requirement="chat/stream/only-chunks",
        text="Copies Anthropic's pings into the chat stream.",
        answer=either(on_frames(_pings), lambda answer: answer),
        where=_on("chat-claude-pings.stream"),
        defects=("Wei-Shaw/sub2api#7097",),
    ),
    Mutant(
        id="translation-empty-ping",
        requirement="sse/data-is-an-object",
        text="Writes a ping with no data.",
        answer=either(on_frames(_empty_ping), lambda answer: answer),
        where=_on("messages-chat-text.stream"),
        defects=("caozhiyuan/copilot-api#88",),
    ),
    Mutant(
        id="translation-calls-stop-in-streams",
        requirement="chat/tools/finish-tells-of-calls",
        text="Says stop in streams where calls wait.",
        answer=only_stream(_calls_stop),
        where=_on("chat-gemini-tools.stream"),
        defects=("googleapis/python-genai#2868", "BerriAI/litellm#12862", "su-kaka/gcli2api#407", "dphnAI/sonar#1257"),
    ),
    Mutant(
        id="translation-vendors-reasons",
        requirement="chat/content/finish-word",
        text="Hands the upstream's own word for the end on.",
        answer=_chat_finish(_raw_reason),
        where=_on("chat-claude-text*", "chat-claude-parallel-tools*"),
        defects=("ROCm/FastFlowLM#500",),
    ),
    Mutant(
        id="translation-every-index-zero",
        requirement="chat/tools/indexes-in-order",
        text="Gives every parallel call the index 0.",
        answer=only_stream(_index_zero),
        where=_on("chat-responses-parallel-tools.stream"),
        defects=(
            "BerriAI/litellm#21337",
            "mcowger/plexus#691",
            "ai-dynamo/dynamo#4723",
            "su-kaka/gcli2api#406",
            "LibreChat-AI/agents#260",
            "langchain-ai/langchain#35281",
        ),
    ),
    Mutant(
        id="translation-arguments-again",
        requirement="chat/tools/arguments-are-json",
        text="Sends all arguments once more when they are done.",
        answer=only_stream(_arguments_again),
        where=_on("chat-responses-parallel-tools.stream"),
        defects=("lidge-jun/opencodex#361",),
    ),
    Mutant(
        id="translation-one-current-call",
        requirement=ARGUMENTS,
        text="Gives every piece of arguments to the call that began last.",
        answer=only_stream(_one_current_call),
        where=_on("chat-claude-messages-interleaved.stream"),
    ),
    Mutant(
        id="translation-arguments-of-done-lost",
        requirement=ARGUMENTS,
        text="Reads arguments from deltas alone, and not from the event that has them whole.",
        answer=only_stream(_without_json),
        where=_on("messages-responses-responses-arguments-when-done.stream"),
        defects=("BerriAI/litellm#25321",),
    ),
    Mutant(
        id="translation-text-as-arguments",
        requirement=TEXT,
        text="Takes a chunk with an empty list of calls for one of a call.",
        answer=only_stream(_text_as_json),
        where=_on("messages-chat-chat-empty-tool-calls.stream"),
        defects=("BerriAI/litellm#29286",),
    ),
    Mutant(
        id="translation-proof-in-the-id",
        requirement="translation/call-ids-replayable",
        text="Hides Gemini's thought signature in the call's id.",
        answer=each_block(_smuggle),
        where=_on("messages-gemini-thinking-tools*"),
        defects=("BerriAI/litellm#25561",),
    ),
    Mutant(
        id="translation-starts-at-zero",
        requirement="translation/start-counts-input",
        text="Says 0 input tokens in message_start.",
        answer=only_stream(_start_at_zero),
        where=_on("messages-*.stream"),
        defects=(
            "router-for-me/CLIProxyAPI#1700",
            "sgl-project/sglang#20678",
            "BerriAI/litellm#41406",
            "lidge-jun/opencodex#4891",
            "raine/claude-code-proxy#86",
            "getpaseo/paseo#4294",
        ),
    ),
    Mutant(
        id="translation-end-without-counts",
        requirement="messages/schema/event",
        text="Leaves usage out of message_delta.",
        answer=only_stream(_without_counts_at_the_end),
        where=_on("messages-chat-text.stream"),
        defects=("Alishahryar1/free-claude-code#43",),
    ),
    Mutant(
        id="translation-done-after-messages",
        requirement="sse/done-only-on-chat",
        text="Ends a Messages stream by [DONE].",
        answer=either(on_frames(_done), lambda answer: answer),
        where=_on("messages-chat-text.stream"),
        defects=("Alishahryar1/free-claude-code#43",),
    ),
    Mutant(
        id="translation-thoughts-not-in-whole-answers",
        requirement=REASONING,
        text="Has thoughts in streams alone.",
        answer=only_whole(_without_thoughts),
        where=_on("messages-deepseek-thinking"),
        defects=("maximhq/bifrost#5638",),
    ),
    Mutant(
        id="translation-chunk-with-message",
        requirement="chat/stream/delta-not-message",
        text="Builds chunks as whole answers are built.",
        answer=only_stream(_as_message),
        where=_on("chat-claude-text.stream"),
        defects=("Portkey-AI/gateway#858",),
    ),
    Mutant(
        id="translation-fenced-json",
        requirement="chat/content/structured",
        text="Wraps JSON in a Markdown fence.",
        answer=_fenced("\n```"),
        where=_on("chat-claude-structured*"),
        defects=("Arthur-Ficial/apfel#101", "veniceai/api-docs#264", "getzep/graphiti#1291", "laravel/ai#879"),
    ),
    Mutant(
        id="translation-half-a-fence",
        requirement="chat/content/structured",
        text="Opens a Markdown fence before JSON and never closes it.",
        answer=_fenced(""),
        where=_on("chat-claude-structured*"),
        defects=("pydantic/pydantic-ai#3475",),
    ),
    Mutant(
        id="translation-null-event",
        requirement="sse/data-is-an-object",
        text="Flushes with an event that is null.",
        answer=either(on_frames(_null), lambda answer: answer),
        where=_on("responses-claude-*.stream"),
        defects=("decolua/9router#1648",),
    ),
    Mutant(
        id="translation-items-unannounced",
        requirement="responses/items/while-open",
        text="Sends the content of items that it never announced.",
        answer=only_stream(_unannounced),
        where=_on("responses-claude-*.stream"),
        defects=("BerriAI/litellm#36375",),
    ),
    Mutant(
        id="translation-items-all-first",
        requirement="responses/items/index-in-order",
        text="Gives every item the output_index 0.",
        answer=only_stream(_all_first),
        where=_on("responses-claude-*.stream"),
        defects=("BerriAI/litellm#36375", "BerriAI/litellm#32777"),
    ),
    Mutant(
        id="translation-no-indexes",
        requirement="responses/schema/event",
        text="Leaves output_index and content_index out.",
        answer=only_stream(_without_indexes),
        where=_on("responses-claude-*.stream"),
        defects=("lemonade-sdk/lemonade#3607",),
    ),
    Mutant(
        id="translation-items-numbered-one",
        requirement="responses/stream/sequence",
        text="Gives the end of every item the sequence_number 1.",
        answer=only_stream(_items_numbered_one),
        where=_on("responses-claude-*.stream"),
        defects=("BerriAI/litellm#28899",),
    ),
    Mutant(
        id="translation-ids-of-chat",
        requirement="translation/item-ids-by-kind",
        text="Gives messages ids that begin with chatcmpl-.",
        answer=only_whole(_ids_of_chat),
        where=_on("responses-claude-*"),
        defects=("BerriAI/litellm#37946", "BerriAI/litellm#28692"),
    ),
    Mutant(
        id="translation-limit-told-as-500",
        requirement="translation/rate-limit-inside",
        text="Goes by the status alone where the error's code says that there were too many calls.",
        answer=_status(500),
        where=_on("messages-chat-chat-500-code-429"),
        defects=("BerriAI/litellm#30417",),
    ),
    Mutant(
        id="translation-stream-around-error",
        requirement="translation/status-before-stream",
        text="Answers 200 and puts the upstream's refusal into the stream.",
        answer=_stream_around_error,
        where=_on("*-error-4??.stream"),
        defects=("Oaklight/llm-rosetta#345",),
    ),
    Mutant(
        id="translation-call-as-text",
        requirement=CALLS,
        text="Writes a call as JSON into the text.",
        answer=_chat(_call_as_text),
        where=_on("chat-claude-parallel-tools", "chat-gemini-tools"),
        defects=("BerriAI/litellm#12481",),
    ),
    Mutant(
        id="translation-no-arguments",
        requirement="chat/tools/arguments-are-json",
        text="Streams a call without arguments as an empty text.",
        answer=_chat(_no_arguments),
        where=_on("chat-claude-parallel-tools*"),
        defects=("Kilo-Org/cloud#4753", "openai/openai-agents-js#664", "cloudwego/eino-ext#238", "langchain-ai/langchainjs#11319"),
    ),
    Mutant(
        id="translation-bare-calls-dropped",
        requirement=CALLS,
        text="Drops calls that have no arguments.",
        answer=only_whole(_bare_calls_dropped),
        where=_on("chat-claude-parallel-tools"),
        defects=("JohnnyZ93/oai-compatible-copilot#151",),
    ),
    Mutant(
        id="translation-search-as-call",
        requirement="translation/hosted-calls-apart",
        text="Shows the vendor's own search as a call that the client has to answer.",
        answer=either(on_events(_search_in_stream), on_json(_search_as_call)),
        where=_on("chat-claude-web-search*"),
    ),
    Mutant(
        id="translation-reasoning-not-in-whole-answers",
        requirement=REASONING,
        text="Has reasoning_content in streams alone.",
        answer=only_whole(_without_reasoning),
        where=_on("chat-claude-thinking"),
        defects=("decolua/9router#1189",),
    ),
    Mutant(
        id="translation-no-start-before-calls",
        requirement="messages/stream/message-start-first",
        text="Begins with message_start only where the answer begins with text.",
        answer=only_stream(_without_start),
        where=_on("messages-chat-parallel-tools.stream"),
        defects=("router-for-me/CLIProxyAPI#561",),
    ),
    Mutant(
        id="translation-first-piece-only",
        requirement="messages/tools/input-is-json",
        text="Ends each call after the first piece of its arguments.",
        answer=only_stream(_only_first_piece),
        where=_on("messages-chat-chat-by-character.stream"),
        defects=("mylxsw/llm-gateway#136",),
    ),
    Mutant(
        id="translation-not-translated",
        requirement="messages/stream/only-events",
        text="Sends chat chunks to a client of Messages.",
        answer=either(on_frames(_as_chunks), lambda answer: answer),
        where=_on("messages-chat-text.stream"),
        defects=("vllm-project/semantic-router#2160",),
    ),
    Mutant(
        id="translation-finished-by-each-thought",
        requirement="chat/stream/one-finish",
        text="Says stop with every thought.",
        answer=only_stream(_finish_on_thoughts),
        where=_on("chat-claude-thinking.stream"),
        defects=("open-webui/open-webui#16377",),
    ),
    Mutant(
        id="translation-last-block-open",
        requirement="messages/stream/blocks-in-turn",
        text="Never ends the last block.",
        answer=only_stream(_without_last_block_stop),
        where=_on("messages-chat-text.stream"),
        defects=("BerriAI/litellm#28868",),
    ),
    Mutant(
        id="translation-spliced",
        requirement="messages/stream/message-start-first",
        text="Goes on with another upstream's stream from its beginning.",
        answer=only_stream(_spliced),
        where=_on("messages-chat-text.stream"),
        defects=("api7/aisix#893", "api7/aisix#882"),
    ),
    Mutant(
        id="translation-counts-nothing",
        requirement="translation/count-tokens-grows",
        text="Answers every count with 0.",
        answer=_counts_nothing,
        where=_on("count-tokens"),
        defects=("lbjlaq/Antigravity-Manager#3295",),
    ),
    Mutant(
        id="translation-fetches-addresses",
        requirement="translation/no-address-fetched",
        text="Fetches pictures from wherever the caller says, its own loopback too.",
        flow=Flow.FETCH,
        where=_on("chat-*-fetch-address"),
        defects=("songquanpeng/one-api#2387",),
    ),
    Mutant(
        id="translation-fetches-names",
        requirement="translation/no-address-fetched",
        text="Fetches pictures from names, and looks only at addresses written as numbers.",
        flow=Flow.FETCH,
        where=_on("chat-*-fetch-name"),
        defects=("kyegomez/swarms#1714",),
    ),
    Mutant(
        id="translation-stream-waits-for-counting",
        requirement="translation/streams-while-counting",
        text="Counts tokens where it reads streams, so that those stand still.",
        flow=Flow.HOLD_BACK,
        where=_on("counting-beside-a-stream"),
    ),
    Mutant(
        id="translation-left-in-full",
        requirement="billing/hang-up-is-bounded",
        text="Bills the whole answer to a caller who left.",
        books=newest({"output_tokens": more_output}),
        where=_on("*-hang-up.stream"),
        defects=("BerriAI/litellm#36008",),
    ),
    Mutant(
        id="translation-left-at-once-billed",
        requirement="billing/hang-up-before-content-is-free",
        text="Bills a caller who left before the first word.",
        books=per_call,
        where=_on("*-hang-up-at-once.stream"),
    ),
    Mutant(
        id="translation-broken-is-billed",
        requirement="billing/failure-is-free",
        text="Keeps what it held for a call whose upstream broke off.",
        books=per_call,
        where=_on("*-cut.stream"),
    ),
    Mutant(
        id="translation-native-events-read",
        requirement="native/body-bytes",
        text="Reads native events into types and writes them again.",
        answer=either(on_frames(_sorted_keys), lambda answer: answer),
        where=lambda case: case.id == "messages/unknown.stream",
    ),
    Mutant(
        id="translation-embeddings-as-floats",
        requirement="errors/not-exposed",
        text="Answers embeddings with numbers where base64 was asked for.",
        answer=_floats,
        paths="/v1/embeddings",
        defects=(
            "BerriAI/litellm#42426",
            "Lightning-AI/LitServe#740",
            "garrytan/gbrain#220",
            "runpod-workers/worker-infinity-embedding#30",
        ),
    ),
    Mutant(
        id="translation-embeddings-parameter",
        requirement="errors/not-exposed",
        text="Refuses a parameter of embeddings that SDKs send by default.",
        answer=_unknown_parameter,
        paths="/v1/embeddings",
        defects=("BerriAI/litellm#42421", "stevereiner/flexible-graphrag#17"),
    ),
    Mutant(
        id="translation-sound-dropped",
        requirement="errors/refused-before-upstream",
        text="Drops sound that the model cannot hear, without a word.",
        ask=_without_sound,
        where=_on("chat-*-sound"),
    ),
    Mutant(
        id="translation-image-failed-billed",
        requirement="translation/image-by-address",
        text="Fails on an image that is given by address, and bills it.",
        books=_failed_image_listed,
        defects=("theopenco/llmgateway#1762",),
    ),
    Mutant(
        id="translation-image-otherwise-by-default",
        requirement="translation/image-linked-by-default",
        text="Gives the bytes where a link is promised.",
        answer=_as_bytes,
        paths="/v1/images/generations",
        defects=("diegosouzapw/OmniRoute#9932", "use-agent-os/agent-os#2570"),
    ),
    Mutant(
        id="translation-upstreams-tool-name",
        requirement="translation/tool-names-given-back",
        text="Tells the client the name under which it offered the tool upstream.",
        answer=_renamed,
        where=_on("*-tool-name*"),
    ),
    Mutant(
        id="translation-held-back",
        requirement="translation/as-it-comes",
        text="Reads the whole stream before it translates.",
        flow=Flow.HOLD_BACK,
        where=_on("*-paced.stream"),
    ),
    Mutant(
        id="translation-billed-otherwise",
        requirement="billing/row-tokens",
        text="Bills other counts than it tells.",
        books=newest({"output_tokens": more_output}),
        where=_on("*-billed*"),
    ),
    Mutant(
        id="translation-prose-passed-on",
        requirement="translation/prose-is-no-json",
        text="Does not look whether JSON that was asked for came.",
        answer=_stopped,
        where=_on("chat-claude-prose*"),
    ),
)
