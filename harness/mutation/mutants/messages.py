"""Faulty gateways on messages: each breaks one requirement of suites/messages, as real ones did."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from harness.case import Case
from harness.mutation.events import Events, either, on_events, only_stream, only_whole
from harness.mutation.mutant import Answer, Mutant, on_frames, on_json

_BIG: Final = 9007199254740992  # 2**53: from here on a double has no room for every integer
_KNOWN: Final = frozenset({"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"})
_LAST: Final = frozenset({"message_stop", "ping", "error"})
_URL_SAFE: Final = str.maketrans("+/", "-_")

Value = dict[str, Any]


def _showing(*traits: str, stream: bool | None = None) -> Callable[[Case], bool]:
    """Narrows to cases that show all of the traits."""
    return lambda case: set(traits) <= case.traits and stream in (None, case.stream)


def _lacking(trait: str) -> Callable[[Case], bool]:
    return lambda case: trait not in case.traits


def events_of(events: Events, *types: str) -> list[Value]:
    return [event for event in events if isinstance(event, dict) and event.get("type") in types]


def _places(events: Events, kind: str) -> list[int]:
    return [place for place, event in enumerate(events) if isinstance(event, dict) and event.get("type") == kind]


def _deltas(events: Events, kind: str) -> list[Value]:
    return [event["delta"] for event in events_of(events, "content_block_delta") if event["delta"].get("type") == kind]


def _each_event(kind: str, change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def apply(events: Events) -> Events:
        for event in events_of(events, kind):
            change(event)
        return events

    return only_stream(apply)


def _each_delta(kind: str, change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    def apply(events: Events) -> Events:
        for delta in _deltas(events, kind):
            change(delta)
        return events

    return only_stream(apply)


def _both(stream: Callable[[Events], Events], whole: Callable[[Any], Any]) -> Callable[[Answer], Answer]:
    return either(on_events(stream), on_json(whole))


def _message(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    """Change the message: that of message_start, or the whole one."""

    def stream(events: Events) -> Events:
        for event in events_of(events, "message_start"):
            change(event["message"])
        return events

    def whole(body: Any) -> Any:
        change(body)
        return body

    return _both(stream, whole)


def _end(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    """Change what says how it ended: the delta of message_delta, or the whole message."""

    def stream(events: Events) -> Events:
        for event in events_of(events, "message_delta"):
            change(event["delta"])
        return events

    def whole(body: Any) -> Any:
        change(body)
        return body

    return _both(stream, whole)


def _usage(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    """Change every usage object."""

    def stream(events: Events) -> Events:
        for event in events_of(events, "message_start", "message_delta"):
            change((event.get("message") or event)["usage"])
        return events

    def whole(body: Any) -> Any:
        change(body["usage"])
        return body

    return _both(stream, whole)


def each_block(change: Callable[[Value], None]) -> Callable[[Answer], Answer]:
    """Change every block: as it starts, or whole."""

    def stream(events: Events) -> Events:
        for event in events_of(events, "content_block_start"):
            change(event["content_block"])
        return events

    def whole(body: Any) -> Any:
        for block in body["content"]:
            change(block)
        return body

    return _both(stream, whole)


def _drop_event_lines(frames: list[bytes]) -> list[bytes]:
    return [b"\n".join(line for line in frame.split(b"\n") if not line.startswith(b"event:")) for frame in frames]


def _heartbeat(frames: list[bytes]) -> list[bytes]:
    return [*frames[:1], b'event: heartbeat\ndata: {"heartbeat": true}\n\n', *frames[1:]]


def _start_late(events: Events) -> Events:
    return [events[1], events[0], *events[2:]]


def _without(kind: str) -> Callable[[Events], Events]:
    return lambda events: [event for event in events if not (isinstance(event, dict) and event.get("type") == kind)]


def _end_before_last_stop(events: Events) -> Events:
    stops, ends = _places(events, "content_block_stop"), _places(events, "message_delta")
    if not stops or not ends:
        return events
    end = events.pop(ends[0])
    return [*events[: stops[-1]], end, *events[stops[-1] :]]


def _delta_behind_stop(events: Events) -> Events:
    for stop in _places(events, "content_block_stop"):
        if isinstance(events[stop - 1], dict) and events[stop - 1].get("type") == "content_block_delta":
            events[stop - 1], events[stop] = events[stop], events[stop - 1]
            break
    return events


def _first_block_open(events: Events) -> Events:
    stops = _places(events, "content_block_stop")
    return events[: stops[0]] + events[stops[0] + 1 :] if stops else events


def _count_from_one(events: Events) -> Events:
    for event in events:
        if isinstance(event, dict) and "index" in event:
            event["index"] += 1
    return events


def _thoughts_as_text(delta: Value) -> None:
    delta.update(type="text_delta", text=delta.pop("thinking"))


def _tool_blocks(events: Events) -> Iterator[tuple[Value, list[Value]]]:
    """The start of each tool block with its pieces of JSON."""
    for start in events_of(events, "content_block_start"):
        if start["content_block"].get("type", "").endswith("_use"):
            pieces = [event["delta"] for event in events_of(events, "content_block_delta") if event["index"] == start["index"]]
            yield start["content_block"], [delta for delta in pieces if delta.get("type") == "input_json_delta"]


def _input_at_once_and_in_pieces(events: Events) -> Events:
    for block, pieces in _tool_blocks(events):
        block["input"] = json.loads("".join(delta["partial_json"] for delta in pieces) or "{}")
    return events


def _empty_text_first(events: Events) -> Events:
    for place in _places(events, "content_block_delta"):
        if events[place]["delta"].get("type") == "text_delta":
            empty = {**events[place], "delta": {"type": "text_delta", "text": ""}}
            return [*events[:place], empty, *events[place:]]
    return events


def _merge_texts(events: Events) -> Events:
    """As a gateway that waits for more before it sends: two deltas become one."""
    for place, event in enumerate(events[:-1]):
        following = events[place + 1]
        if _is_text(event) and _is_text(following):
            event["delta"]["text"] += following["delta"]["text"]
            return events[: place + 1] + events[place + 2 :]
    return events


def _is_text(event: Any) -> bool:
    return isinstance(event, dict) and event.get("type") == "content_block_delta" and event["delta"].get("type") == "text_delta"


def _only_known(events: Events) -> Events:
    return [event for event in events if not isinstance(event, dict) or event.get("type") in _KNOWN | _LAST]


def _error_as_openai(frames: list[bytes]) -> list[bytes]:
    said = b'data: {"error":{"message":"Overloaded","type":"server_error","code":null}}\n\n'
    return [said if frame.startswith(b"event: error") else frame for frame in frames]


def _success_in_place_of_error(events: Events) -> Events:
    return [{"type": "message_stop"} if isinstance(event, dict) and event.get("type") == "error" else event for event in events]


def _own_error(event: Value) -> None:
    event["error"] = {"type": "api_error", "message": "upstream failed"}


def _trimmed(delta: Value) -> None:
    delta["text"] = delta["text"].strip() or delta["text"]


def _bad_decode(delta: Value) -> None:
    delta["text"] = "".join("�" if ord(character) > 0xFFFF else character for character in delta["text"])


def _without_citations(body: Any) -> Any:
    for block in body["content"]:
        block.pop("citations", None)
    return body


def _without_citation_deltas(events: Events) -> Events:
    return [event for event in events if not (isinstance(event, dict) and event.get("delta", {}).get("type") == "citations_delta")]


def _sorted(last: str) -> Callable[[Any], Any]:
    """Blocks of one type behind all others."""

    def whole(body: Any) -> Any:
        body["content"].sort(key=lambda block: block["type"] == last)
        return body

    return whole


def _first_thought_lost(events: Events) -> Events:
    for delta in _deltas(events, "thinking_delta")[:1]:
        delta["thinking"] = ""
    return events


def _sign_url_safe(value: Value) -> None:
    if value.get("signature"):
        value["signature"] = value["signature"].translate(_URL_SAFE)


def _signatures_in_stream(events: Events) -> Events:
    for delta in _deltas(events, "signature_delta"):
        _sign_url_safe(delta)
    return events


def _signatures_in_body(body: Any) -> Any:
    for block in body["content"]:
        _sign_url_safe(block)
    return body


def _signature_first(events: Events) -> Events:
    for place in _places(events, "content_block_delta"):
        if events[place]["delta"].get("type") == "signature_delta":
            signed = events.pop(place)
            start = next(at for at in _places(events, "content_block_start") if events[at]["index"] == signed["index"])
            events.insert(start + 1, signed)
            break
    return events


def _shorten_redacted(block: Value) -> None:
    if block["type"] == "redacted_thinking":
        block["data"] = block["data"][:100]


def _tight_input(events: Events) -> Events:
    for _, pieces in _tool_blocks(events):
        for delta in pieces:
            delta["partial_json"] = delta["partial_json"].replace(": ", ":").replace(", ", ",")
    return events


def _doubles(value: Any) -> Any:
    """As a gateway in a language whose only number is the double."""
    match value:
        case dict():
            return {key: _doubles(inner) for key, inner in value.items()}
        case list():
            return [_doubles(inner) for inner in value]
        case int() if not isinstance(value, bool) and abs(value) > _BIG:
            return int(float(value))
        case _:
            return value


def _inputs_through_doubles(body: Any) -> Any:
    for block in body["content"]:
        if "input" in block:
            block["input"] = _doubles(block["input"])
    return body


def _last_piece_cut(events: Events) -> Events:
    for _, pieces in _tool_blocks(events):
        if pieces and pieces[-1]["partial_json"]:
            pieces[-1]["partial_json"] = pieces[-1]["partial_json"][:-1]
    return events


def _other_ids(block: Value) -> None:
    if block["type"] == "tool_use":
        block["id"] = block["id"].replace("toolu_", "call_")


def _same_ids(block: Value) -> None:
    if block["type"] == "tool_use":
        block["id"] = "toolu_0"


def _without_encrypted(block: Value) -> None:
    if block["type"] == "web_search_tool_result":
        for result in block["content"]:
            result["encrypted_content"] = ""


def _set(name: str, value: Any) -> Callable[[Value], None]:
    def change(held: Value) -> None:
        held[name] = value

    return change


def _lose(name: str) -> Callable[[Value], None]:
    def change(held: Value) -> None:
        held.pop(name, None)

    return change


def _cut_says_end(end: Value) -> None:
    if end.get("stop_reason") == "max_tokens":
        end["stop_reason"] = "end_turn"


def _without_null_details(held: Value) -> None:
    """As a gateway that writes its own types and leaves out what is None."""
    if held.get("stop_details", 0) is None:
        del held["stop_details"]


def _only_own_fields(message: Value) -> None:
    for name in ("audience", "lineage"):
        message.pop(name, None)


def _fence(events: Events) -> Events:
    for delta in _deltas(events, "text_delta")[:1]:
        delta["text"] = f"```json\n{delta['text']}"
    return events


def _fence_body(body: Any) -> Any:
    for block in body["content"]:
        if block["type"] == "text":
            block["text"] = f"```json\n{block['text']}\n```"
    return body


def _add_up_counts(events: Events) -> Events:
    """Takes cumulative counts for increments."""
    begun = sum(event["message"]["usage"]["output_tokens"] for event in events_of(events, "message_start"))
    for event in events_of(events, "message_delta"):
        event["usage"]["output_tokens"] += begun
    return events


def _nothing_at_the_end(event: Value) -> None:
    event["usage"]["output_tokens"] = 0


def _all_in_five_minutes(usage: Value) -> None:
    split = usage.get("cache_creation")
    if split and usage["cache_creation_input_tokens"]:
        split["ephemeral_5m_input_tokens"] = usage["cache_creation_input_tokens"]
        split["ephemeral_1h_input_tokens"] = usage["cache_creation_input_tokens"]


def _output_without_thinking(usage: Value) -> None:
    details = usage.get("output_tokens_details")
    if details:
        usage["output_tokens"] = details["thinking_tokens"] - 1


def _not_found(answer: Answer) -> Answer:
    body = b'{"type":"error","error":{"type":"not_found_error","message":"no such path"}}'
    return replace(answer, status=404, body=body)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="messages-drop-event-lines",
        requirement="messages/stream/event-is-type",
        text="Sends data lines only: clients that go by the event's name see an empty message.",
        answer=either(on_frames(_drop_event_lines), lambda answer: answer),
        defects=("earendil-works/pi#4381",),
    ),
    Mutant(
        id="messages-start-late",
        requirement="messages/stream/message-start-first",
        text="Sends the first content before message_start.",
        answer=only_stream(_start_late),
        where=_lacking("empty"),
    ),
    Mutant(
        id="messages-no-message-stop",
        requirement="messages/stream/message-stop-last",
        text="Ends the stream after message_delta.",
        answer=only_stream(_without("message_stop")),
        defects=("tombii/better-ccflare#307",),
    ),
    Mutant(
        id="messages-end-before-last-stop",
        requirement="messages/stream/one-message-delta",
        text="Sends message_delta while the last block is open.",
        answer=only_stream(_end_before_last_stop),
    ),
    Mutant(
        id="messages-delta-behind-stop",
        requirement="messages/stream/delta-in-open-block",
        text="Sends a delta of a block after its content_block_stop.",
        answer=only_stream(_delta_behind_stop),
    ),
    Mutant(
        id="messages-block-never-stops",
        requirement="messages/stream/blocks-in-turn",
        text="Forgets the content_block_stop of the first block.",
        answer=only_stream(_first_block_open),
    ),
    Mutant(
        id="messages-count-blocks-from-one",
        requirement="messages/stream/indexes-count",
        text="Numbers the blocks from one.",
        answer=only_stream(_count_from_one),
    ),
    Mutant(
        id="messages-thoughts-as-text-deltas",
        requirement="messages/stream/delta-fits-block",
        text="Sends thinking as text_delta in the thinking block.",
        answer=_each_delta("thinking_delta", _thoughts_as_text),
        where=_showing("thinking"),
    ),
    Mutant(
        id="messages-tool-input-twice",
        requirement="messages/stream/starts-empty",
        text="Puts the whole input into content_block_start and streams it as well.",
        answer=only_stream(_input_at_once_and_in_pieces),
        where=_showing("tools"),
    ),
    Mutant(
        id="messages-empty-text-delta",
        requirement="messages/stream/no-empty-text",
        text="Opens a text with an empty text_delta.",
        answer=only_stream(_empty_text_first),
    ),
    Mutant(
        id="messages-stop-reason-early",
        requirement="messages/stream/stop-reason-late",
        text="Says end_turn in message_start already.",
        answer=_each_event("message_start", lambda event: event["message"].update(stop_reason="end_turn")),
    ),
    Mutant(
        id="messages-untyped-heartbeat",
        requirement="messages/stream/only-events",
        text="Sends a heartbeat of its own that is no event of the protocol.",
        answer=either(on_frames(_heartbeat), lambda answer: answer),
    ),
    Mutant(
        id="messages-drop-pings",
        requirement="messages/stream/pings-kept",
        text="Keeps the vendor's pings to itself, so that a client's idle timeout runs.",
        answer=only_stream(_without("ping")),
    ),
    Mutant(
        id="messages-merge-deltas",
        requirement="messages/stream/events-kept",
        text="Gathers deltas and sends two as one.",
        answer=only_stream(_merge_texts),
    ),
    Mutant(
        id="messages-drop-unknown-events",
        requirement="messages/stream/events-kept",
        text="Passes on only the event types that it knows.",
        answer=only_stream(_only_known),
        where=_showing("unknown"),
    ),
    Mutant(
        id="messages-openai-error-in-stream",
        requirement="messages/stream/error-named",
        text="Tells an error in mid-stream in OpenAI's shape and without an event line: the SDK sees a stream that ends well.",
        answer=either(on_frames(_error_as_openai), lambda answer: answer),
        defects=("mlflow/mlflow#25897",),
    ),
    Mutant(
        id="messages-success-in-place-of-error",
        requirement="messages/stream/error-named",
        text="Ends a stream that the vendor broke off with message_stop.",
        answer=only_stream(_success_in_place_of_error),
        defects=("dativo-io/talon#254",),
    ),
    Mutant(
        id="messages-own-error-in-stream",
        requirement="messages/stream/error-kept",
        text="Puts an error of its own in the place of the vendor's: nobody sees that it was overloaded.",
        answer=_each_event("error", _own_error),
    ),
    Mutant(
        id="messages-trim-text",
        requirement="messages/content/text-kept",
        text="Trims each piece of text: words run together.",
        answer=_each_delta("text_delta", _trimmed),
    ),
    Mutant(
        id="messages-bad-decode",
        requirement="messages/content/text-kept",
        text="Decodes each network read by itself: a character across two of them is lost.",
        answer=_each_delta("text_delta", _bad_decode),
        where=_showing("unicode"),
        defects=("musistudio/claude-code-router#1672",),
    ),
    Mutant(
        id="messages-drop-citations",
        requirement="messages/content/citations-kept",
        text="Loses the citations of a text.",
        answer=_both(_without_citation_deltas, _without_citations),
        where=_showing("web-search"),
        defects=("experientiallabs/experiential#690",),
    ),
    Mutant(
        id="messages-text-last",
        requirement="messages/content/order-kept",
        text="Puts the text behind all other blocks.",
        answer=only_whole(_sorted("text")),
        where=_showing("parallel-tools"),
    ),
    Mutant(
        id="messages-lose-a-thought",
        requirement="messages/thinking/text-kept",
        text="Loses the first piece of thinking.",
        answer=only_stream(_first_thought_lost),
        where=_showing("thinking"),
    ),
    Mutant(
        id="messages-signature-url-safe",
        requirement="messages/thinking/signature-kept",
        text="Decodes the signature and encodes it in another alphabet: the next turn is refused.",
        answer=_both(_signatures_in_stream, _signatures_in_body),
        where=_showing("thinking"),
        defects=("kaitranntt/ccs#415",),
    ),
    Mutant(
        id="messages-signature-first",
        requirement="messages/thinking/signature-last",
        text="Sends the signature before the thinking that it signs.",
        answer=only_stream(_signature_first),
        where=_showing("thinking"),
    ),
    Mutant(
        id="messages-shorten-redacted",
        requirement="messages/thinking/redacted-kept",
        text="Cuts redacted thinking to the length of its column.",
        answer=each_block(_shorten_redacted),
        where=_showing("redacted-thinking"),
    ),
    Mutant(
        id="messages-thinking-last",
        requirement="messages/thinking/before-text",
        text="Puts the thinking behind the text that it led to.",
        answer=only_whole(_sorted("thinking")),
        where=lambda case: "thinking" in case.traits and "redacted-thinking" not in case.traits,
    ),
    Mutant(
        id="messages-tight-tool-input",
        requirement="messages/tools/input-kept",
        text="Writes the streamed input of a tool anew, in a spacing of its own.",
        answer=only_stream(_tight_input),
        where=_showing("tools"),
        defects=("router-for-me/CLIProxyAPI#1893",),
    ),
    Mutant(
        id="messages-tool-input-through-doubles",
        requirement="messages/tools/input-kept",
        text="Reads the numbers of a tool's input as doubles: a large id becomes its neighbour.",
        answer=only_whole(_inputs_through_doubles),
        where=_showing("parallel-tools"),
        defects=("0xShug0/audio.cpp#132",),
    ),
    Mutant(
        id="messages-tool-input-cut",
        requirement="messages/tools/input-is-json",
        text="Loses the last character of a tool's input.",
        answer=only_stream(_last_piece_cut),
        where=_showing("tools"),
    ),
    Mutant(
        id="messages-tool-ids-renamed",
        requirement="messages/tools/calls-kept",
        text="Gives tool calls ids of another protocol's form.",
        answer=each_block(_other_ids),
        where=_showing("tools"),
    ),
    Mutant(
        id="messages-tool-ids-equal",
        requirement="messages/tools/ids-differ",
        text="Gives every call of an answer the same id.",
        answer=each_block(_same_ids),
        where=_showing("parallel-tools"),
    ),
    Mutant(
        id="messages-tool-use-without-tools",
        requirement="messages/tools/stop-reason",
        text="Says tool_use where no tool is called: an agent waits for a call that never comes.",
        answer=_end(_set("stop_reason", "tool_use")),
        where=_lacking("tools"),
    ),
    Mutant(
        id="messages-encrypted-content-blanked",
        requirement="messages/tools/server-side-kept",
        text="Blanks the encrypted content of search results: the next turn is refused.",
        answer=each_block(_without_encrypted),
        where=_showing("web-search"),
        defects=("agentjido/req_llm#1034",),
    ),
    Mutant(
        id="messages-body-without-role",
        requirement="messages/schema/message",
        text="Leaves the role out of a whole message.",
        answer=only_whole(lambda body: {key: value for key, value in body.items() if key != "role"}),
    ),
    Mutant(
        id="messages-delta-without-stop-sequence",
        requirement="messages/schema/event",
        text="Leaves stop_sequence out of message_delta where it is null.",
        answer=_each_event("message_delta", lambda event: event["delta"].pop("stop_sequence")),
    ),
    Mutant(
        id="messages-own-id",
        requirement="messages/answer/identity-kept",
        text="Gives the message an id of its own: no one finds it at the vendor.",
        answer=_message(_set("id", "msg_gateway_1")),
    ),
    Mutant(
        id="messages-cut-says-end-turn",
        requirement="messages/answer/stop-kept",
        text="Tells an answer that was cut at max_tokens as a complete one.",
        answer=_end(_cut_says_end),
        where=_showing("length"),
    ),
    Mutant(
        id="messages-stop-sequence-lost",
        requirement="messages/answer/stop-sequence",
        text="Does not say which stop sequence was met.",
        answer=_end(_set("stop_sequence", None)),
        where=_showing("stop-sequence"),
    ),
    Mutant(
        id="messages-refusal-without-details",
        requirement="messages/answer/refusal-kept",
        text="Nulls the details of a refusal.",
        answer=_end(_set("stop_details", None)),
        where=_showing("refusal"),
    ),
    Mutant(
        id="messages-drop-nulls",
        requirement="messages/answer/fields-kept",
        text="Leaves out fields that are null.",
        answer=_message(_without_null_details),
        where=_lacking("refusal"),
    ),
    Mutant(
        id="messages-drop-unknown-fields",
        requirement="messages/answer/fields-kept",
        text="Passes on only the fields that it knows.",
        answer=_message(_only_own_fields),
        where=_showing("unknown"),
    ),
    Mutant(
        id="messages-add-provider",
        requirement="messages/answer/nothing-added",
        text="Adds a field of its own to the message.",
        answer=_message(_set("provider", "anthropic")),
    ),
    Mutant(
        id="messages-fence-json",
        requirement="messages/answer/structured",
        text="Wraps JSON that was asked for by a schema in a Markdown fence.",
        answer=_both(_fence, _fence_body),
        where=_showing("structured"),
    ),
    Mutant(
        id="messages-add-up-cumulative-counts",
        requirement="messages/usage/kept",
        text="Adds the output tokens of message_start to those of message_delta, which count them already.",
        answer=only_stream(_add_up_counts),
        defects=("tensorzero/tensorzero#5481",),
    ),
    Mutant(
        id="messages-cache-reads-zero",
        requirement="messages/usage/cache-kept",
        text="Says that nothing was read from the cache.",
        answer=_usage(_set("cache_read_input_tokens", 0)),
        where=_showing("cache-read"),
        defects=("Dstack-TEE/private-ai-gateway#194",),
    ),
    Mutant(
        id="messages-nothing-at-the-end",
        requirement="messages/usage/cumulative",
        text="Says zero output tokens in message_delta.",
        answer=_each_event("message_delta", _nothing_at_the_end),
    ),
    Mutant(
        id="messages-cache-split-doubled",
        requirement="messages/usage/cache-split",
        text="Counts all cache writes as five-minute ones and as one-hour ones.",
        answer=_usage(_all_in_five_minutes),
        where=_showing("cache-write"),
    ),
    Mutant(
        id="messages-output-without-thinking",
        requirement="messages/usage/thinking-within-output",
        text="Takes the thinking out of output_tokens and leaves it in the details.",
        answer=_usage(_output_without_thinking),
    ),
    Mutant(
        id="messages-no-count-tokens",
        requirement="messages/count-tokens/shape",
        text="Does not serve count_tokens.",
        answer=_not_found,
        defects=("askalf/dario#474",),
    ),
    Mutant(
        id="messages-own-count-of-tokens",
        requirement="messages/count-tokens/kept",
        text="Counts tokens by a tokenizer of its own.",
        answer=on_json(lambda body: {**body, "input_tokens": body["input_tokens"] + 3}),
    ),
)
