"""What a client of each protocol may be sent as a stream, as small automata: each reads the bytes alone and knows no other code of ours.

`read` returns how the stream ended, or raises `Ungrammatical`. Stricter than any client has to be: the gateway's own spelling is known.

Sources: openai-chat "chat.completion.chunk", openai-responses "Streaming events", anthropic-messages "Event types",
gemini-generate-content "GenerateContentResponse"; contract:137, contract:140, contract:146, contract:147; C26, C27.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from reference_gateway.routes import Surface


class Ungrammatical(Exception):
    """What stands there, and what might have."""


class Ending(StrEnum):
    CLEAN = "clean"  # the protocol's own terminal event
    ERROR = "error"  # its typed error, in the place of that


def read(surface: Surface, data: bytes, *, usage_asked: bool = True) -> Ending:
    """`usage_asked`: the chat client wants the usage chunk."""
    match surface:
        case Surface.CHAT:
            return _chat(data, usage_asked)
        case Surface.RESPONSES:
            return _Responses().read(data)
        case Surface.MESSAGES:
            return _Messages().read(data)
        case Surface.GEMINI:
            return _gemini(list(_gemini_events(data)))
        case _:
            raise ValueError(surface)


def read_gemini_array(data: bytes) -> Ending:
    return _gemini(_json(data, list))


def _need(true: object, what: str) -> None:
    if not true:
        raise Ungrammatical(what)


def _json(data: bytes, kind: type) -> Any:
    try:
        value = json.loads(data.decode())  # strict UTF-8
    except ValueError as problem:
        raise Ungrammatical(f"{data[:80]!r} is not JSON: {problem}") from None
    _need(isinstance(value, kind), f"{data[:80]!r} is no {kind.__name__}")
    if b"\\ud" in data.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Ungrammatical(f"half a surrogate pair in {data[:80]!r}") from None
    return value


def _blocks(data: bytes, end: bytes) -> list[bytes]:
    _need(data.endswith(end), f"the last event has no blank line: {data[-80:]!r}")
    return data.split(end)[:-1]


def _named(data: bytes) -> Iterator[dict[str, Any]]:
    """Events of a name and one line of data, whose `type` is the name."""
    for block in _blocks(data, b"\n\n"):
        lines = block.split(b"\n")
        _need(len(lines) == 2, f"no event of a name and one line of data: {block[:80]!r}")
        _need(lines[0].startswith(b"event: ") and lines[1].startswith(b"data: "), f"its lines are others: {block[:80]!r}")
        event = _json(lines[1][6:], dict)
        _need(event.get("type") == lines[0][7:].decode(), f"{lines[0]!r} has the type {event.get('type')!r}")
        yield event


def _has(value: Mapping[str, Any], **kinds: type | tuple[type, ...]) -> None:
    for name, kind in kinds.items():
        _need(isinstance(value.get(name), kind), f"{name} is {value.get(name)!r:.60} in {sorted(value)}")


def _counts(usage: Mapping[str, Any], *names: str) -> None:
    for name in names:
        count = usage.get(name)
        _need(isinstance(count, int) and not isinstance(count, bool) and count >= 0, f"{name} is {count!r}, which is no count")


# chat


def _chat(data: bytes, usage_asked: bool) -> Ending:
    blocks = _blocks(data, b"\n\n")
    _need(blocks and blocks[-1] == b"data: [DONE]", "no [DONE] at the end")
    same: tuple[Any, ...] | None = None
    calls: list[str] = []
    finished = counted = False
    for place, block in enumerate(blocks[:-1]):
        _need(block.startswith(b"data: ") and b"\n" not in block, f"no line of data: {block[:80]!r}")
        chunk = _json(block[6:], dict)
        if "error" in chunk:
            _has(chunk["error"], message=str, type=str)
            _need({"param", "code"} <= chunk["error"].keys(), "an error without param or code")
            _need(chunk.get("choices") == [] and place == len(blocks) - 2 and not finished, "an error that is not the last")
            return Ending.ERROR
        _has(chunk, id=str, object=str, created=int, model=str, choices=list)
        alike = tuple(chunk[name] for name in ("id", "object", "created", "model"))
        _need(same in (None, alike) and chunk["id"].startswith("chatcmpl-") and chunk["object"] == "chat.completion.chunk", "another head")
        first, same = same is None, alike
        if not chunk["choices"]:
            _need(finished and usage_asked and not counted, "a chunk of no choice before the finish, not asked for, or again")
            _counts(chunk["usage"], "prompt_tokens", "completion_tokens", "total_tokens")
            counted = True
            continue
        _need(not finished, "a choice after its finish_reason")
        _need(("usage" in chunk) == usage_asked and chunk.get("usage") is None, "usage in a chunk of content")
        _need(len(chunk["choices"]) == 1, "several choices")
        choice = chunk["choices"][0]
        _need(choice["index"] == 0 and isinstance(choice["delta"], dict), "a choice that is another")
        delta = choice["delta"]
        _need((delta.get("role") == "assistant") == first, "the role belongs to the first chunk")
        _need(all(isinstance(delta.get(name, ""), str) for name in ("reasoning_content",)), "a thought that is no text")
        _need(all(delta.get(name) is None or isinstance(delta[name], str) for name in ("content", "refusal")), "a content that is no text")
        for call in delta.get("tool_calls", ()):
            _chat_call(call, calls)
        if choice["finish_reason"] is not None:
            _need(choice["finish_reason"] in ("stop", "length", "tool_calls", "content_filter", "function_call"), "no such finish_reason")
            _need(choice["finish_reason"] != "tool_calls" or calls, "finish_reason tool_calls without a call")
            _need(not delta, "a finish_reason beside content")
            finished = True
    _need(finished and (counted or not usage_asked), "[DONE] before the finish_reason, or the usage that was asked for")
    return Ending.CLEAN


def _chat_call(call: Mapping[str, Any], calls: list[str]) -> None:
    _has(call, index=int, function=dict)
    if call["index"] == len(calls):
        _has(call, id=str, type=str)
        _has(call["function"], name=str, arguments=str)
        _need(call["id"] and call["function"]["name"] and call["type"] == "function", "a call without id or name")
        calls.append(call["id"])
    else:
        _need(0 <= call["index"] < len(calls), f"a call of index {call['index']} after {len(calls)}")
        _need("id" not in call and "name" not in call["function"], "a call that begins twice")
        _has(call["function"], arguments=str)


# responses


class _Responses:
    """Items and their parts are open, then done, once; the last event has what was said."""

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []  # id, type; `value` when done
        self._parts: dict[tuple[int, str, int], str | None] = {}  # (item, kind, place) -> the text so far; None when done
        self._said: dict[tuple[int, str, int], str] = {}

    def read(self, data: bytes) -> Ending:
        events = list(_named(data))
        _need([event.get("sequence_number") for event in events] == list(range(len(events))), "numbers that do not rise by one from 0")
        _need([event["type"] for event in events[:2]] == ["response.created", "response.in_progress"], "another beginning")
        for event in events[:2]:
            _need(event["response"]["status"] == "in_progress" and event["response"]["output"] == [], "a response that has begun already")
        *rest, last = events[2:]
        error = rest.pop() if last["type"] == "response.failed" and rest and rest[-1]["type"] == "error" else None
        for event in rest:
            self._event(event)
        if error is not None:  # the same failure, for clients that look for this one
            _has(error, message=str, code=(str, type(None)))
        return self._end(last)

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "response.output_item.added":
            item = event["item"]
            _need(event["output_index"] == len(self._items), "an item at another place")
            _has(item, id=str, type=str)
            _need(item["id"] not in [each["id"] for each in self._items], "an item's id twice")
            if item["type"] == "function_call":
                _has(item, call_id=str, name=str, arguments=str)
                _need(item["name"] and item["call_id"], "a call without id or name")
                self._parts[len(self._items), "arguments", 0] = ""
            self._items.append({"id": item["id"], "type": item["type"]})
            return
        place = event["output_index"]
        _need(isinstance(place, int) and 0 <= place < len(self._items), f"{kind} of an item that is not there")
        item = self._items[place]
        _need("value" not in item, f"{kind} of an item that is done")
        if kind == "response.output_item.done":
            _need(event["item"]["id"] == item["id"] and event["item"]["type"] == item["type"], "another item is done")
            _need(all(text is None for (of, _, _), text in self._parts.items() if of == place), "an item is done before its parts")
            self._whole(place, event["item"])
            item["value"] = event["item"]
            return
        _need(event["item_id"] == item["id"], "an item_id of another item")
        family, _, what = kind.removeprefix("response.").rpartition(".")
        self._part(family, what, place, event)

    def _part(self, family: str, what: str, place: int, event: dict[str, Any]) -> None:
        match family, what:
            case "content_part" | "reasoning_summary_part", "added":
                where = "summary_index" if family == "reasoning_summary_part" else "content_index"
                key = (place, _part_kind(event["part"]["type"]), event[where])
                _need(key not in self._parts, "a part that begins twice")
                self._parts[key] = ""
            case "content_part" | "reasoning_summary_part", "done":
                where = "summary_index" if family == "reasoning_summary_part" else "content_index"
                key = (place, _part_kind(event["part"]["type"]), event[where])
                _need(self._parts.get(key, "") is None, "a part is done before its text")
                _need(event["part"].get("text", event["part"].get("refusal")) == self._said[key], "a part's text is not that of its deltas")
            case _, "delta":
                key = self._key(family, place, event)
                _need(isinstance(self._parts.get(key), str), f"a delta of a part that is not open: {key}")
                _has(event, delta=str)
                self._parts[key] = (self._parts[key] or "") + event["delta"]
            case _, "done":
                key = self._key(family, place, event)
                text = event[{"refusal": "refusal", "function_call_arguments": "arguments"}.get(family, "text")]
                _need(self._parts.get(key) == text, "the text that is done is not that of its deltas")
                self._parts[key], self._said[key] = None, text
            case _:
                raise Ungrammatical(f"no such event: {family}.{what}")

    def _key(self, family: str, place: int, event: Mapping[str, Any]) -> tuple[int, str, int]:
        match family:
            case "output_text":
                return place, "text", event["content_index"]
            case "refusal":
                return place, "refusal", event["content_index"]
            case "reasoning_summary_text":
                return place, "summary", event["summary_index"]
            case "function_call_arguments":
                return place, "arguments", 0
            case _:
                raise Ungrammatical(f"no such delta: {family}")

    def _whole(self, place: int, item: Mapping[str, Any]) -> None:
        """What an item says when it is done is what was said."""
        match item["type"]:
            case "message":
                told = [part.get("text", part.get("refusal")) for part in item["content"]]
            case "reasoning":
                told = [part["text"] for part in item["summary"]]
            case "function_call":
                told = [item["arguments"]]
            case kind:
                raise Ungrammatical(f"an item of another type: {kind}")
        said = [text for (of, _, _), text in sorted(self._said.items(), key=lambda pair: pair[0][2]) if of == place]
        _need(told == said, f"an item says {told!r:.80}, its deltas {said!r:.80}")

    def _end(self, event: dict[str, Any]) -> Ending:
        response = event.get("response", {})
        _need(event["type"] == f"response.{response.get('status')}", f"{event['type']} is no end")
        done = [item["value"] for item in self._items if "value" in item]
        _need(response["output"] == done, "the response's output is not its items")
        match response["status"]:
            case "completed" | "incomplete" as status:
                _need(len(done) == len(self._items), "an item that never ended")
                _need((response["incomplete_details"] is not None) == (status == "incomplete"), "incomplete_details")
                _need(response["error"] is None, "an error in a response that is whole")
                _counts(response["usage"], "input_tokens", "output_tokens", "total_tokens")
                return Ending.CLEAN
            case "failed":
                _has(response["error"], code=str, message=str)
                return Ending.ERROR
            case other:
                raise Ungrammatical(f"a response that ends as {other}")


def _part_kind(kind: str) -> str:
    return {"output_text": "text", "refusal": "refusal", "summary_text": "summary"}[kind]


# messages

_DELTAS: Final = {
    "text": {"text_delta": "text"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "redacted_thinking": {},
    "tool_use": {"input_json_delta": "partial_json"},
}


class _Messages:
    """One block is open at a time, and its index counts from 0."""

    def __init__(self) -> None:
        self._state: Callable[[dict[str, Any]], None] = self._waiting
        self._blocks = 0
        self._open: str | None = None
        self._called = False
        self._input = ""
        self._inputs: list[str] = []
        self._stop_reason = ""

    def read(self, data: bytes) -> Ending:
        events = list(_named(data))
        _need(events, "no event at all")
        *before, last = events
        for event in before:
            self._state(event)
        if last["type"] == "error":
            _has(last["error"], type=str, message=str)
            return Ending.ERROR
        _need(last["type"] == "message_stop" and self._state == self._stopped, f"the last event is {last['type']}")
        if self._stop_reason not in ("max_tokens", "model_context_window_exceeded"):
            for text in self._inputs:
                _json(text.encode() or b"{}", dict)
        return Ending.CLEAN

    def _waiting(self, event: dict[str, Any]) -> None:
        _need(event["type"] == "message_start", f"{event['type']} before message_start")
        message = event["message"]
        _has(message, id=str, model=str, usage=dict)
        _need(message["content"] == [] and message["stop_reason"] is None and message["role"] == "assistant", "a message that has begun")
        _counts(message["usage"], "input_tokens", "output_tokens")
        self._state = self._speaking

    def _speaking(self, event: dict[str, Any]) -> None:
        match event["type"], self._open:
            case "content_block_start", None:
                _need(event["index"] == self._blocks, "a block at another index")
                block = event["content_block"]
                _need(block["type"] in _DELTAS, f"no such block: {block['type']}")
                if block["type"] == "tool_use":
                    _has(block, id=str, name=str, input=dict)
                    _need(block["id"] and block["name"] and not block["input"], "a call without id or name")
                    self._called, self._input = True, ""
                self._open = block["type"]
            case "content_block_delta", str(kind):
                _need(event["index"] == self._blocks, "a delta of a block that is not open")
                member = _DELTAS[kind].get(event["delta"]["type"])
                _need(member and isinstance(event["delta"].get(member), str), f"{event['delta']['type']} in a block of {kind}")
                self._input += event["delta"].get("partial_json", "")
            case "content_block_stop", str(kind):
                _need(event["index"] == self._blocks, "the end of a block that is not open")
                if kind == "tool_use":
                    self._inputs.append(self._input)
                self._open = None
                self._blocks += 1
            case "message_delta", None:
                _has(event["delta"], stop_reason=str)
                self._stop_reason = event["delta"]["stop_reason"]
                _need(self._stop_reason != "tool_use" or self._called, "stop_reason tool_use without a call")
                _counts(event["usage"], "output_tokens")
                self._state = self._stopped
            case kind, open_:
                raise Ungrammatical(f"{kind} while {open_ or 'no block'} is open")

    def _stopped(self, event: dict[str, Any]) -> None:
        raise Ungrammatical(f"{event['type']} after message_delta")


# gemini


def _gemini_events(data: bytes) -> Iterator[dict[str, Any]]:
    for block in _blocks(data, b"\r\n\r\n"):
        _need(block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block, f"no line of data: {block[:80]!r}")
        yield _json(block[6:], dict)


def _gemini(chunks: list[dict[str, Any]]) -> Ending:
    _need(chunks, "no chunk at all")
    *before, last = chunks
    for chunk in before:
        _need("finishReason" not in _candidate(chunk), "a chunk after the finishReason")
    if "error" in last:
        _has(last["error"], code=int, message=str, status=str)
        return Ending.ERROR
    _has(_candidate(last), finishReason=str)
    _counts(last["usageMetadata"], "promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    return Ending.CLEAN


def _candidate(chunk: dict[str, Any]) -> dict[str, Any]:
    _has(chunk, candidates=list, modelVersion=str, responseId=str)
    _need(len(chunk["candidates"]) == 1, "several candidates")
    candidate: dict[str, Any] = chunk["candidates"][0]
    _need(candidate["index"] == 0 and candidate["content"]["role"] == "model", "a candidate that is another")
    for part in candidate["content"]["parts"]:
        if call := part.get("functionCall"):
            _has(call, name=str, args=dict)
        else:
            _need(
                any(isinstance(part.get(name), kind) for name, kind in (("text", str), ("inlineData", dict))),
                f"no such part: {sorted(part)}",
            )
    return candidate
