"""What an answer says, in the harness's own neutral form: text, reasoning, tool calls, refusal, how it stopped, what it cost in tokens.

Read separately from what the upstream sent and from what the official SDK made of the client's bytes: by JSON alone, with neither
`harness.wire` nor any gateway's code. Nothing here raises: what has the wrong type counts as not there.
"""

import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange

# The protocols' own words for how an answer stopped, by what they mean (translation.md 3.7).
_STOPS: Final = {
    "end": {"stop", "end_turn", "stop_sequence", "pause_turn", "completed", "STOP"},
    "length": {"length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "model_context_window_exceeded"},
    "tools": {"tool_calls", "tool_use", "function_call"},
    "refused": {
        *("content_filter", "refusal", "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE"),
    },
}
# google-generate-content, FinishReason: with `$alt=json;enum-encoding=int` words are numbers.
_FINISH_NUMBERS: Final = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER", 6: "BLOCKLIST", 7: "PROHIBITED_CONTENT"}
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]|\['([^']*)'\]")  # of a JSON path
_CLASS: Final = {word: name for name, words in _STOPS.items() for word in words}


class CallKind(StrEnum):
    FUNCTION = "function"  # the client runs it
    CUSTOM = "custom"  # the client runs it, on free text
    HOSTED = "hosted"  # the vendor ran it


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """`arguments` as spelled; of Gemini, which has an object, in one fixed spelling."""

    id: str
    name: str
    arguments: str
    kind: CallKind = CallKind.FUNCTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """`usage` maps the classes input, output, cache_read, cache_write, reasoning to tokens; `input` has no cached ones among it."""

    text: str = ""
    reasoning: str = ""
    signatures: tuple[str, ...] = ()  # what proves reasoning on the next turn
    call_signatures: tuple[str, ...] = ()  # those of them that stand on a call (Gemini)
    text_signatures: tuple[str, ...] = ()  # those of them that stand on a text (Gemini)
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    images: tuple[str, ...] = ()  # their base64
    order: tuple[str, ...] = ()  # text, reasoning, refusal, call, image: as they came, like neighbours as one
    stop: str | None = None  # end, length, tools, refused, or the protocol's own word
    stop_sequence: str | None = None  # which one, where the protocol says so
    usage: dict[str, int] = field(default_factory=dict)
    complete: bool = False  # the protocol's own end was there, and no error
    error: str | None = None  # what the vendor called its failure


def of_upstream(exchange: Exchange) -> Transcript | None:
    """What the vendor said; None where it gave no successful answer."""
    response = exchange.upstream[-1].response if exchange.upstream else None
    if response is None or not response.ok:
        return None
    if response.is_sse:
        return of_values(exchange.upstream_surface, (seen.data for seen in exchange.upstream_events))
    return of_values(exchange.upstream_surface, [response.json])


def of_sdk(exchange: Exchange) -> Transcript | None:
    """What the SDK read; None where it read nothing."""
    reading = exchange.sdk
    if reading is None:
        return None
    if isinstance(reading.final, dict):
        return of_values(exchange.case.surface, [reading.final])
    return of_values(exchange.case.surface, reading.events) if reading.events else None


def of_values(surface: Surface, values: Iterable[Any]) -> Transcript:
    """From the JSON values of one whole answer, or of a stream's events in their order."""
    reader = _READERS.get(surface)
    draft = _Draft()
    if reader is not None:
        for value in values:
            if draft.over:  # some recorders put one answer behind the other
                break
            if isinstance(value, dict):
                reader(draft, value)
    return draft.done()


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""
    kind: CallKind = CallKind.FUNCTION
    partial: dict[str, Any] = field(default_factory=dict)  # Gemini: arguments as far as they have come in pieces
    given: str = ""  # Messages: those that a block begins with, where no delta follows


@dataclass(slots=True)
class _Draft:
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    signatures: list[str] = field(default_factory=list)
    call_signatures: list[str] = field(default_factory=list)
    text_signatures: list[str] = field(default_factory=list)
    calls: dict[Any, _Call] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    order: list[str | _Call] = field(default_factory=list)
    said: dict[tuple[Any, ...], str] = field(default_factory=dict)  # Responses: of each part that is told by deltas
    whole: set[tuple[Any, ...]] = field(default_factory=set)  # those that have ended
    places: dict[str, Any] = field(default_factory=dict)  # Responses: of each item, by its id
    newest: Any = None  # chat: the key of the call that was spoken of last
    blocks: dict[Any, str] = field(default_factory=dict)  # Messages: the type of each that has begun
    stop: str | None = None
    stop_sequence: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    over: bool = False  # the protocol's last event was there
    error: str | None = None

    def say(self, kind: str, text: str) -> None:
        """`kind` is text, reasoning or refusal."""
        if text:
            setattr(self, kind, getattr(self, kind) + text)
            self.came(kind)

    def came(self, kind: str) -> None:
        if not self.order or self.order[-1] != kind:
            self.order.append(kind)

    def call(self, key: Any) -> _Call:
        if key not in self.calls:
            self.calls[key] = _Call()
            self.order.append(self.calls[key])
        return self.calls[key]

    def tell(self, kind: str, key: tuple[Any, ...], delta: str = "", whole: str = "") -> None:
        """A part by its deltas; at its end, what they left out. Some servers trim the whole; one that says other things is a failure.

        Nothing belongs to it after that.
        """
        if key in self.whole and not whole:
            return
        if whole:
            self.whole.add(key)
        before = self.said.get(key, "")
        if whole and not whole.startswith(before) and whole.strip() != before.strip():
            self.fail({"message": "a text that its deltas do not come to"})
        delta = whole.removeprefix(before) if whole and whole.startswith(before) else delta
        self.said[key] = before + delta
        self.say(kind, delta)

    @property
    def told(self) -> bool:
        """Whether any event has said something."""
        return bool(self.signatures or self.images or self.text or self.reasoning or self.refusal) or any(
            call.name for call in self.calls.values()
        )

    def again(self, key: Any) -> None:
        """A call of this key is over: another one takes it."""
        if key in self.calls:
            self.calls = {(key, len(self.calls)) if each == key else each: call for each, call in self.calls.items()}

    def forget_nameless(self, key: Any) -> None:
        if key in self.calls and not self.calls[key].name:
            call = self.calls.pop(key)
            self.whole.discard(("arguments", key))
            self.order = [came for came in self.order if came is not call]

    def argue(self, key: Any, whole: str) -> None:
        """All of a call's arguments, where its deltas left something out."""
        call = self.call(key)
        if not whole or ("arguments", key) in self.whole:
            return
        self.whole.add(("arguments", key))
        call.arguments = whole if whole.startswith(call.arguments) else call.arguments

    def prove(self, *signatures: str) -> None:
        self.signatures += filter(None, signatures)

    def show(self, image: str) -> None:
        if image:
            self.images.append(image)
            self.came("image")

    def count(self, **classes: int | None) -> None:
        """Later counts replace earlier ones; None is no count."""
        self.usage |= {name: number for name, number in classes.items() if number is not None}

    def fail(self, error: Any) -> None:
        said = _object(error)
        words = (_text(said.get("type")), _text(said.get("code")), _text(said.get("status")), _text(said.get("message")))
        self.error = self.error or next(filter(None, words), "an error without a word")

    def done(self) -> Transcript:
        begun = [call for call in self.calls.values() if call.id or call.name]
        calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments or call.given, kind=call.kind) for call in begun)
        stop = _CLASS.get(self.stop or "", self.stop)
        if stop == "end" and any(call.kind is not CallKind.HOSTED for call in calls):
            stop = "tools"
        elif stop == "end" and self.refusal:
            stop = "refused"
        for kind in ("text", "refusal", "reasoning"):  # part after part, though deltas be mixed
            told = "".join(text for (of, *_), text in self.said.items() if kind == ("reasoning" if of == "summary" else of))
            if len(told) == len(getattr(self, kind)):
                setattr(self, kind, told)
        order: list[str] = []
        for came in self.order:
            kind = came if isinstance(came, str) else "call" if came.kind is not CallKind.HOSTED and came in begun else ""
            if kind and order[-1:] != [kind]:
                order.append(kind)
        return Transcript(
            text=self.text,
            reasoning=self.reasoning,
            signatures=tuple(self.signatures),
            call_signatures=tuple(self.call_signatures),
            text_signatures=tuple(self.text_signatures),
            refusal=self.refusal,
            calls=calls,
            images=tuple(self.images),
            order=tuple(order),
            stop=stop,
            stop_sequence=self.stop_sequence,
            usage=self.usage,
            complete=self.ended and self.error is None,
            error=self.error,
        )


def _chat(draft: _Draft, value: dict[str, Any]) -> None:
    if value.get("error"):
        draft.fail(value["error"])
    for choice in _objects(value.get("choices")):
        if choice.get("index", 0) != 0:  # the first choice is the answer; the others are what it might have been
            continue
        said = _object(choice.get("delta")) or _object(choice.get("message"))
        draft.say("reasoning", _text(said.get("reasoning_content")))
        for block in _objects(said.get("thinking_blocks")):
            draft.prove(_text(block.get("signature")), _text(block.get("data")))
        draft.say("text", _text(said.get("content")))
        draft.say("refusal", _text(said.get("refusal")))
        for image in _objects(said.get("images")):
            draft.show(_data(_text(_object(image.get("image_url")).get("url"))))
        for place, call in enumerate(_objects(said.get("tool_calls"))):
            key = _chat_call(draft, call, place)
            made = draft.call(key)
            inner = _object(call.get("function")) or _object(call.get("custom"))
            made.kind = CallKind.CUSTOM if "custom" in call else made.kind
            made.id = made.id or _text(call.get("id"))
            if not made.name:  # it begins with its name
                draft.order = [came for came in draft.order if came is not made]
                draft.order.append(made)
                draft.calls[key] = draft.calls.pop(key)
            made.name = made.name or _text(inner.get("name"))
            made.arguments += _text(inner.get("arguments")) + _text(inner.get("input"))
            signature = _text(_object(_object(call.get("extra_content")).get("google")).get("thought_signature"))
            draft.prove(signature)
            draft.call_signatures += filter(None, [signature])
        if before := _object(said.get("function_call")):  # as calls were before there were tools
            made = draft.call("function_call")
            made.name = made.name or _text(before.get("name"))
            made.arguments += _text(before.get("arguments"))
        draft.stop = _text(choice.get("finish_reason")) or draft.stop
        draft.ended = draft.stop is not None
    if usage := _object(value.get("usage")):
        prompt = _object(usage.get("prompt_tokens_details"))
        read = _count(prompt.get("cached_tokens"))
        read = _count(usage.get("prompt_cache_hit_tokens")) if read is None else read  # DeepSeek
        written = _count(prompt.get("cache_write_tokens"))
        asked, said_tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        if None in (asked, said_tokens):  # half of a usage is none
            return
        draft.count(
            input=_less(asked, read, written),
            output=said_tokens,
            cache_read=read or 0,
            cache_write=written,
            reasoning=_count(_object(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        )


def _chat_call(draft: _Draft, call: dict[str, Any], place: int) -> Any:
    """By its index. One without is another where it has an id of its own (Google's dialect), else more of the newest."""
    index, call_id = call.get("index"), _text(call.get("id"))
    if type(index) is int:
        draft.newest = index
    elif call_id:
        draft.newest = next((key for key, made in draft.calls.items() if made.id == call_id), len(draft.calls))
    elif draft.newest is None:
        draft.newest = place
    return draft.newest


def _responses(draft: _Draft, value: dict[str, Any]) -> None:
    kind, place = _text(value.get("type")), _place(value.get("output_index"))
    item_id = _text(value.get("item_id")) or _text(_object(value.get("item")).get("id"))
    if place is None:
        place = draft.places.get(item_id, item_id or None)
    draft.places[item_id] = place
    if value.get("object") == "response":
        for number, item in enumerate(_objects(value.get("output"))):
            _item(draft, number, item, whole=True)
        _response_end(draft, value)
        return
    delta, text = _text(value.get("delta")), _text(value.get("text"))
    part = (place, _place(value.get("content_index", 0)), _place(value.get("summary_index", 0)))
    match kind:
        case "response.output_text.delta" | "response.output_text.done":
            draft.tell("text", ("text", *part), delta, text)
        case "response.refusal.delta" | "response.refusal.done":
            draft.tell("refusal", ("refusal", *part), delta, _text(value.get("refusal")))
        case "response.reasoning_summary_text.delta" | "response.reasoning_summary_text.done":
            draft.tell("reasoning", ("summary", *part), delta, text)
        case "response.reasoning_text.delta" | "response.reasoning_text.done":
            draft.tell("reasoning", ("reasoning", *part), delta, text)
        case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
            if ("arguments", place) not in draft.whole:
                draft.call(place).arguments += delta
        case "response.function_call_arguments.done":
            draft.argue(place, _text(value.get("arguments")))
        case "response.output_item.added":
            _item(draft, place, _object(value.get("item")), whole=False)
        case "response.output_item.done":
            _done(draft, place, _object(value.get("item")))
        case "response.completed" | "response.incomplete" | "response.failed":
            response = _object(value.get("response"))
            if not draft.told:
                for number, item in enumerate(_objects(response.get("output"))):
                    _item(draft, number, item, whole=True)
            _response_end(draft, {**response, "status": response.get("status") or kind.removeprefix("response.")})
            draft.over = True
        case "error":
            draft.fail(value.get("error") or value)


def _done(draft: _Draft, place: Any, item: dict[str, Any]) -> None:
    """A finished item: what of it no event has told."""
    match item.get("type"):
        case "message":
            for number, part in enumerate(_objects(item.get("content"))):
                draft.tell("text", ("text", place, number, 0), whole=_text(part.get("text")))
                draft.tell("refusal", ("refusal", place, number, 0), whole=_text(part.get("refusal")))
        case "reasoning":
            for number, part in enumerate(_objects(item.get("summary"))):
                draft.tell("reasoning", ("summary", place, 0, number), whole=_text(part.get("text")))
            for number, part in enumerate(_objects(item.get("content"))):
                draft.tell("reasoning", ("reasoning", place, number, 0), whole=_text(part.get("text")))
            draft.prove(_text(item.get("encrypted_content")))
        case "function_call":
            if not draft.call(place).name:  # it was never announced
                _item(draft, place, item, whole=False)
            draft.argue(place, _text(item.get("arguments")))
        case "image_generation_call":
            draft.show(_text(item.get("result")))


def _item(draft: _Draft, place: Any, item: dict[str, Any], *, whole: bool) -> None:
    match item.get("type"):
        case "function_call" | "custom_tool_call" as kind:
            draft.forget_nameless(place)  # what came before the call began belongs to none
            call = draft.call(place)
            call.id, call.name = _text(item.get("call_id")), _text(item.get("name"))
            call.kind = CallKind.FUNCTION if kind == "function_call" else CallKind.CUSTOM
            if whole:
                call.arguments = _text(item.get("arguments")) + _text(item.get("input"))
        case "message" if whole:
            for part in _objects(item.get("content")):
                draft.say("text", _text(part.get("text")))
                draft.say("refusal", _text(part.get("refusal")))
        case "reasoning" if whole:
            for part in [*_objects(item.get("summary")), *_objects(item.get("content"))]:
                draft.say("reasoning", _text(part.get("text")))
            draft.prove(_text(item.get("encrypted_content")))
        case "image_generation_call" if whole:
            draft.show(_text(item.get("result")))


def _response_end(draft: _Draft, response: dict[str, Any]) -> None:
    reason = _text(_object(response.get("incomplete_details")).get("reason"))
    status = _text(response.get("status"))
    if status == "incomplete" and reason not in _CLASS:  # for whatever reason: it was cut, and that is what matters
        reason = "max_output_tokens"
    draft.stop = reason or status or None
    draft.ended = status not in ("", "failed", "cancelled", "queued", "in_progress")
    if response.get("error") or status == "failed":
        draft.fail(response.get("error"))
    if usage := _object(response.get("usage")):
        details = _object(usage.get("input_tokens_details"))
        read, written = _count(details.get("cached_tokens")), _count(details.get("cache_write_tokens"))
        draft.count(
            input=_less(_count(usage.get("input_tokens")), read, written),
            output=_count(usage.get("output_tokens")),
            cache_read=read or 0,
            cache_write=written,
            reasoning=_count(_object(usage.get("output_tokens_details")).get("reasoning_tokens")),
        )


def _messages(draft: _Draft, value: dict[str, Any]) -> None:
    match value.get("type"):
        case "message":
            for place, block in enumerate(_objects(value.get("content"))):
                _block(draft, place, block, whole=True)
            _message_end(draft, value)
            draft.ended = draft.stop is not None
        case "message_start":
            _message_end(draft, _object(value.get("message")))
        case "content_block_start":
            _block(draft, _place(value.get("index")), _object(value.get("content_block")), whole=False)
        case "content_block_delta":
            place, delta = _place(value.get("index")), _object(value.get("delta"))
            kind = draft.blocks.get(place)
            if kind in (None, "text"):
                draft.tell("text", ("text", place), _text(delta.get("text")))
            if kind in (None, "thinking"):
                draft.tell("reasoning", ("reasoning", place), _text(delta.get("thinking")))
                draft.prove(_text(delta.get("signature")))
            if kind in (None, *_CALLS) and "partial_json" in delta:
                draft.call(place).arguments += _text(delta.get("partial_json"))
        case "message_delta":
            _message_end(draft, {**_object(value.get("delta")), "usage": value.get("usage")})
        case "message_stop":
            draft.ended, draft.over = draft.stop is not None, True
        case "error":
            draft.fail(value.get("error"))


_CALLS: Final = ("tool_use", "server_tool_use", "mcp_tool_use")


def _block(draft: _Draft, place: Any, block: dict[str, Any], *, whole: bool) -> None:
    draft.blocks[place] = _text(block.get("type"))
    match block.get("type"):
        case "tool_use" | "server_tool_use" | "mcp_tool_use" as kind:
            draft.again(place)
            call = draft.call(place)
            call.id, call.name = _text(block.get("id")), _text(block.get("name"))
            call.kind = CallKind.FUNCTION if kind == "tool_use" else CallKind.HOSTED
            if whole or block.get("input"):
                call.given = _spelled(block.get("input"))
        case "text":
            draft.tell("text", ("text", place), _text(block.get("text")))
        case "thinking":
            draft.tell("reasoning", ("reasoning", place), _text(block.get("thinking")))
            draft.prove(_text(block.get("signature")))
        case "redacted_thinking":
            draft.prove(_text(block.get("data")))


def _message_end(draft: _Draft, value: dict[str, Any]) -> None:
    draft.stop = _text(value.get("stop_reason")) or draft.stop
    draft.stop_sequence = _text(value.get("stop_sequence")) or draft.stop_sequence
    draft.say("refusal", _text(_object(value.get("stop_details")).get("explanation")))
    usage = _object(value.get("usage"))
    written, by_ttl = _count(usage.get("cache_creation_input_tokens")), _object(usage.get("cache_creation"))
    if written is None and by_ttl:
        written = sum(_count(by_ttl.get(f"ephemeral_{ttl}_input_tokens")) or 0 for ttl in ("5m", "1h"))
    given = usage.get("iterations")  # each is paid for; the counts beside them are the last one's
    rounds = _objects(given)
    counted = all(_count(each.get(name)) is not None for each in rounds for name in ("input_tokens", "output_tokens"))
    if not (isinstance(given, list) and counted and len(rounds) == len(given)):
        rounds = []
    draft.count(
        input=_over(rounds, "input_tokens", _count(usage.get("input_tokens"))),
        output=_over(rounds, "output_tokens", _count(usage.get("output_tokens"))),
        cache_read=_over(rounds, "cache_read_input_tokens", _count(usage.get("cache_read_input_tokens"))),
        cache_write=_over(rounds, "cache_creation_input_tokens", written),
        reasoning=_count(_object(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def _over(rounds: Iterable[dict[str, Any]], name: str, otherwise: int | None) -> int | None:
    counts = [count for each in rounds if (count := _count(each.get(name))) is not None]
    return sum(counts) if counts else otherwise


def _gemini(draft: _Draft, value: dict[str, Any]) -> None:
    if value.get("error"):
        draft.fail(value["error"])
    for candidate in _objects(value.get("candidates")):
        if candidate.get("index", 0) not in (0, None):
            continue
        for part in _objects(_object(candidate.get("content")).get("parts")):
            draft.say("reasoning" if part.get("thought") is True else "text", _text(part.get("text")))
            signature = _text(part.get("thoughtSignature"))
            draft.prove(signature)
            draft.show(_text(_object(part.get("inlineData")).get("data")))
            if isinstance(part.get("functionCall"), dict):
                _gemini_call(draft, part["functionCall"])
                draft.call_signatures += filter(None, [signature])
            elif part.get("thought") is not True:
                draft.text_signatures += filter(None, [signature])
        reason = candidate.get("finishReason")
        draft.stop = _FINISH_NUMBERS.get(reason, str(reason)) if isinstance(reason, int) else _text(reason) or draft.stop
    blocked = _object(value.get("promptFeedback")).get("blockReason")
    if (_text(blocked) or (isinstance(blocked, int) and blocked > 0)) and draft.stop is None:
        draft.stop = "SAFETY"
    draft.ended = draft.stop is not None
    if usage := _object(value.get("usageMetadata")):
        prompt, by_tools, read, shown, thought, total = (
            _count(usage.get(name))
            for name in (
                *("promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount"),
                *("candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"),
            )
        )
        # Most models count thoughts beside the candidates; the total shows where they are among them.
        among = thought is not None and shown is not None and total == (prompt or 0) + (by_tools or 0) + shown
        # A count of zero is left out; a prompt has some, and where that is not counted at all, what was said still may be.
        if prompt is not None or ("input" not in draft.usage and (shown is not None or thought is not None)):
            draft.count(
                input=None if prompt is None else max(0, prompt + (by_tools or 0) - (read or 0)),
                # A prompt that was blocked was answered with nothing, whatever is counted.
                output=0 if blocked and not draft.told else (shown or 0) + (0 if among else thought or 0),
                cache_read=read or 0,
                reasoning=thought or 0,
            )


def _gemini_call(draft: _Draft, call: dict[str, Any]) -> None:
    """A call, or another piece of the newest: that has no name."""
    if call.get("name") or not draft.calls:
        made = draft.call(len(draft.calls))
        made.id, made.name = _text(call.get("id")), _text(call.get("name"))
    else:
        made = draft.calls[len(draft.calls) - 1]
    # Google's SDK leaves null members out.
    made.partial |= {key: argument for key, argument in _object(call.get("args")).items() if argument is not None}
    for piece in _objects(call.get("partialArgs")):
        _put(made.partial, _text(piece.get("jsonPath")), piece)
    made.arguments = _spelled(made.partial)


def _put(arguments: dict[str, Any], path: str, piece: dict[str, Any]) -> None:
    """A piece of an argument at a JSON path such as `$.steps[2].text`: texts grow, anything else is set."""
    steps: list[str | int] = [int(number) if number else name or quoted for name, number, quoted in _STEP.findall(path)]
    at: Any = arguments
    for step, following in itertools.pairwise(steps):
        fresh: Any = [] if isinstance(following, int) else {}
        if isinstance(at, list):
            if step == len(at):
                at.append(fresh)
            at = at[step] if isinstance(step, int) and step < len(at) else {}
        else:
            at = at.setdefault(step, fresh) if isinstance(at, dict) else {}
    if not steps:
        return
    last = steps[-1]
    value = next((piece[name] for name in ("stringValue", "numberValue", "boolValue", "nullValue") if name in piece), None)
    if isinstance(at, list):
        if last == len(at):
            at.append(None)
        if isinstance(last, int) and last < len(at):
            at[last] = at[last] + value if isinstance(at[last], str) and isinstance(value, str) else value
    elif isinstance(at, dict):
        before = at.get(last)
        at[last] = before + value if isinstance(before, str) and isinstance(value, str) else value


_READERS: Final = {Surface.CHAT: _chat, Surface.RESPONSES: _responses, Surface.MESSAGES: _messages, Surface.GEMINI: _gemini}


def canonical(arguments: str) -> str:
    """Tool arguments in one fixed spelling, for comparing what was an object on one side; what is no JSON stays as it is."""
    try:
        return _spelled(json.loads(arguments)) if arguments else "{}"
    except ValueError:
        return arguments


def _spelled(value: Any) -> str:
    return json.dumps(value if value is not None else {}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _less(whole: int | None, *parts: int | None) -> int | None:
    return None if whole is None else max(0, whole - sum(part or 0 for part in parts))


def _data(url: str) -> str:
    """Of a data URI, what stands in base64; of an address, the address."""
    return url.partition(";base64,")[2] or url


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _place(value: Any) -> Any:
    """An index; whatever else stands in its place is one place."""
    return value if type(value) in (int, str) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
