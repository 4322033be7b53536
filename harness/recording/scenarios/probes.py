"""Answers on which translators were seen to fail: rare turns of the four protocols, one recording for each.

Sources: the defects and probes that suites/translation/probes.json lists. Streams that no writer makes by itself are made of one that it
makes, its events put in another order or cut down.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios import chat as chat_scenarios
from harness.recording.scenarios import content, errors
from harness.recording.scenarios import gemini as gemini_scenarios
from harness.recording.scenarios import images as images_scenarios
from harness.recording.scenarios import messages as messages_scenarios
from harness.recording.scenarios import responses as responses_scenarios
from harness.recording.scenarios.build import BOTH, STREAM_ONLY, WHOLE_ONLY, Place, Plan, said, traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, Redacted, Scenario, Text, Thinking, Usage
from harness.recording.scenarios.writers import chat, gemini, messages, responses
from harness.wire.json_text import TIGHT, write_bytes

_CHAT: Final = Place(prefix="probes", surface=Surface.CHAT, vendor="openai")
_RESPONSES: Final = Place(prefix="probes", surface=Surface.RESPONSES, vendor="openai")
_MESSAGES: Final = Place(prefix="probes", surface=Surface.MESSAGES, vendor="anthropic")
_GEMINI: Final = Place(prefix="probes", surface=Surface.GEMINI, vendor="google")

Value = dict[str, Any]
Change = Callable[[list[Value]], Iterable[Value]]

# OpenAI itself sends no empty list, counts at the end alone, says nothing with its finish_reason, and a call's arguments after its name.
_IMITATIONS: Final = ("chat-empty-tool-calls", "chat-growing-usage", "chat-last-words", "chat-calls-at-once")
SEARCHED: Final = ("The first block, before the call. ", "The second block, after it.")
LATER_THOUGHT: Final = "One more look: the moon was full yesterday, so the figure stands."
# Text that begins and ends with blanks, and a piece of nothing else.
_BLANKS: Final = (Text(text="\n\n    indented:\n\n\tcode()  \n", pieces=("\n\n", "    indented:", "\n\n", "\tcode()", "  \n")),)
_CITIES: Final = tuple(Call(name="get_weather", arguments=json.dumps({"city": city, "unit": "celsius"})) for city in ("Graz", "Linz"))
_BY_CHARACTER: Final = replace(content.NOTE, pieces=tuple(content.NOTE_ARGUMENTS))


def scenarios() -> Iterator[Scenario]:
    yield from _of_messages()
    yield from _of_chat()
    yield from _of_responses()
    yield from _of_gemini()
    yield from _conversations()
    yield from _loops()
    yield _rate_limit_in_500()
    yield _image_by_address()


def _of_messages() -> Iterator[Scenario]:
    around = said(Text(text=SEARCHED[0]), content.WEATHER, Text(text=SEARCHED[1]), stop="tool_use")
    yield from _messages("messages-text-around-call", around)
    yield from _messages(
        "messages-two-thoughts",
        said(
            _thought("messages-two-thoughts/1", content.THOUGHT),
            Redacted(data=Names("probes/messages-two-thoughts/2").base64(400, "EqcCCkYICRgC")),
            _thought("messages-two-thoughts/3", LATER_THOUGHT),
            Text(text=content.THOUGHT_ANSWER),
            stop="end_turn",
            reasoning=70,
        ),
    )
    yield from _messages("messages-interleaved", _calls("tool_use"), STREAM_ONLY, _interleaved_blocks)
    cached = said(Text(text=content.CACHED), stop="end_turn", prompt=2034, cached=1448, written_5m=560)
    yield from _messages("messages-late-cache", cached, STREAM_ONLY, _counts_at_the_end)
    yield from _messages("messages-early-counts", cached, STREAM_ONLY, _counts_at_the_start)
    yield from _messages("messages-blanks", said(*_BLANKS, stop="end_turn"))
    yield from _messages("messages-context-full", said(Text(text=content.LENGTH), stop="model_context_window_exceeded"))
    yield from _messages("messages-paused", said(Text(text=SEARCHED[0]), stop="pause_turn"))
    yield from _messages("messages-cut-call", said(content.ORDER, stop="max_tokens"), STREAM_ONLY, _without_last_delta)
    yield from _messages("messages-input-at-once", _calls("tool_use"), STREAM_ONLY, _input_at_once)
    yield from _messages("messages-no-stop-reason", said(Text(text=content.TEXT), stop="end_turn"), STREAM_ONLY, _without_message_delta)


def _of_chat() -> Iterator[Scenario]:
    yield from _chat("chat-empty-tool-calls", said(Text(text=content.TEXT), stop="stop"), STREAM_ONLY, _empty_tool_calls)
    yield from _chat("chat-by-character", said(_BY_CHARACTER, stop="tool_calls", prompt=231), STREAM_ONLY)
    yield from _chat("chat-interleaved", _calls("tool_calls"), STREAM_ONLY, _interleaved_calls)
    yield from _chat("chat-blanks", said(*_BLANKS, stop="stop"))
    yield from _chat("chat-last-words", said(Text(text=content.TEXT), stop="stop"), STREAM_ONLY, _finish_with_words)
    yield from _chat("chat-calls-at-once", _calls("tool_calls"), STREAM_ONLY, _calls_at_once)
    yield from _chat("chat-no-finish-reason", said(Text(text=content.TEXT), stop="stop"), STREAM_ONLY, _without_finish)
    yield from _chat("chat-content-filter", said(Text(text=content.TEXT[:60]), stop="content_filter"))
    yield from _chat("chat-growing-usage", said(Text(text=content.TEXT), stop="stop"), STREAM_ONLY, _counts_so_far)
    yield from _chat("chat-zero-usage", Answer(choices=((Text(text=content.TEXT),),), stop="stop", usage=Usage(prompt=0, output=0)))


def _of_responses() -> Iterator[Scenario]:
    answer = _calls("completed")
    yield from _responses("responses-arguments-when-done", answer, STREAM_ONLY, _without_argument_deltas)
    yield from _responses("responses-text-when-done", said(Text(text=content.TEXT), stop="completed"), STREAM_ONLY, _without_text_deltas)


def _of_gemini() -> Iterator[Scenario]:
    yield from _gemini("gemini-recitation", said(Text(text=content.TEXT[:60]), stop="RECITATION"))
    yield from _gemini("gemini-malformed-call", said(stop="MALFORMED_FUNCTION_CALL"))
    yield from _gemini("gemini-nameless-calls", said(*_CITIES, stop="STOP"), change=_without_ids)
    signed = Thinking(text="", signature=Names("probes/gemini-signed-text/signature").base64(500, "EvsDCvgDAQw5"))
    yield from _gemini("gemini-signed-text", said(signed, Text(text=content.THOUGHT_ANSWER), stop="STOP", reasoning=40))


def _messages(name: str, answer: Answer, streams: tuple[bool, ...] = BOTH, change: Change | None = None) -> Iterator[Scenario]:
    request = messages_scenarios.asks("parallel-tools", tools=messages_scenarios.tools("save_note", "find_order", "get_weather"))
    plan = _plan(name, messages_scenarios.MODEL, request, answer)
    for stream in streams:
        writer = messages.Writer(Names(_MESSAGES.scenario_id(name, stream=stream)), plan.model)
        pieces = _changed(writer.stream(answer), change) if stream else [writer.body(answer)]
        yield _MESSAGES.scenario(plan, pieces, stream=stream)


def _chat(name: str, answer: Answer, streams: tuple[bool, ...] = BOTH, change: Change | None = None) -> Iterator[Scenario]:
    request = chat_scenarios.asks("parallel-tools", tools=chat_scenarios.tools("save_note", "find_order", "current_time"))
    for stream in streams:
        asked = {**request, "stream_options": {"include_usage": True}} if stream else request
        plan = _plan(name, chat_scenarios.MODEL, asked, answer)
        writer = chat.Writer(Names(_CHAT.scenario_id(name, stream=stream)), chat_scenarios.ANSWERED[plan.model])
        pieces = _changed(writer.stream(answer, include_usage=True), change) if stream else [writer.body(answer)]
        yield _CHAT.scenario(plan, pieces, stream=stream)


def _responses(name: str, answer: Answer, streams: tuple[bool, ...] = BOTH, change: Change | None = None) -> Iterator[Scenario]:
    request = responses_scenarios.asks("parallel-tools", tools=responses_scenarios.tools("save_note", "find_order", "current_time"))
    plan = _plan(name, responses_scenarios.MODEL, request, answer)
    for stream in streams:
        writer = responses.Writer(Names(_RESPONSES.scenario_id(name, stream=stream)), responses_scenarios.ANSWERED, request)
        pieces = _changed(writer.stream(answer), change) if stream else [writer.body(answer)]
        yield _RESPONSES.scenario(plan, pieces, stream=stream)


def _gemini(
    name: str, answer: Answer, streams: tuple[bool, ...] = BOTH, change: Callable[[bytes], bytes] = lambda piece: piece
) -> Iterator[Scenario]:
    plan = _plan(name, gemini_scenarios.MODEL, gemini_scenarios.asks("thinking"), answer)
    for stream in streams:
        writer = gemini.Writer(Names(_GEMINI.scenario_id(name, stream=stream)), plan.model)
        yield _GEMINI.scenario(plan, map(change, writer.stream(answer) if stream else [writer.body(answer)]), stream=stream)


def _plan(name: str, model: str, request: Value, answer: Answer) -> Plan:
    more = ("imitation",) if name in _IMITATIONS else ()
    return Plan(name=name, model=model, request=request, answer=answer, traits=traits("raw", "probe", *more), live=False)


def _thought(seed: str, text: str) -> Thinking:
    return Thinking(text=text, signature=content.signature(Names(f"probes/{seed}")))


def _calls(stop: str) -> Answer:
    """Two calls, whose arguments come in pieces of different number."""
    return said(content.NOTE, content.ORDER, stop=stop, prompt=231)


def _changed(pieces: Iterable[bytes], change: Change | None) -> Iterator[bytes]:
    """The events with another order or fewer members; those that are not changed keep their bytes.

    What is no JSON, such as `[DONE]`, stays at the end.
    """
    if change is None:
        yield from pieces
        return
    frames = list(pieces)
    values = [json.loads(data) for data in map(_data, frames) if data.startswith("{")]
    kept = {id(value): (write_bytes(value, TIGHT), frame) for value, frame in zip(values, frames, strict=False)}
    named = frames[0].startswith(b"event:")
    for value in change([*values]):
        body = write_bytes(value, TIGHT)
        before, frame = kept.get(id(value), (b"", b""))
        name = f"event: {value['type']}\n".encode() if named else b""
        yield frame if body == before else name + b"data: " + body + b"\n\n"
    yield from (frame for frame in frames if not _data(frame).startswith("{"))


def _data(frame: bytes) -> str:
    return frame.decode().partition("data: ")[2].strip()


def _interleaved_blocks(events: list[Value]) -> Iterator[Value]:
    """Both blocks open before either has arguments, and take turns."""
    of = {index: [event for event in events if event.get("index") == index] for index in (0, 1)}
    outside = [event for event in events if "index" not in event]
    started = [event for event in outside if event["type"] == "message_start"]
    yield from started
    yield from (of[index][0] for index in of)
    yield from _in_turns(*(deltas[1:-1] for deltas in of.values()))
    yield from (of[index][-1] for index in of)
    yield from outside[len(started) :]


def _interleaved_calls(chunks: list[Value]) -> Iterator[Value]:
    def index(chunk: Value) -> int | None:
        calls = chunk["choices"][0]["delta"].get("tool_calls") if chunk["choices"] else None
        return calls[0]["index"] if calls else None

    places = [place for place, chunk in enumerate(chunks) if index(chunk) is not None]
    yield from chunks[: places[0]]
    yield from _in_turns(*([chunk for chunk in chunks if index(chunk) == number] for number in (0, 1)))
    yield from chunks[places[-1] + 1 :]


def _in_turns(*rows: list[Value]) -> Iterator[Value]:
    for turn in range(max(map(len, rows))):
        yield from (row[turn] for row in rows if turn < len(row))


def _counts_at_the_end(events: list[Value]) -> list[Value]:
    """As of an Anthropic-like vendor that knows of its cache only when it is done."""
    for event in events:
        if event["type"] == "message_start":
            usage = event["message"]["usage"]
            event["message"]["usage"] = {"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"]}
    return events


def _counts_at_the_start(events: list[Value]) -> list[Value]:
    """As the documentation's first examples: `message_delta` counts the output alone."""
    for event in events:
        if event["type"] == "message_delta":
            event["usage"] = {"output_tokens": event["usage"]["output_tokens"]}
    return events


def _without_message_delta(events: list[Value]) -> list[Value]:
    return [event for event in events if event["type"] != "message_delta"]


def _without_finish(chunks: list[Value]) -> list[Value]:
    return [chunk for chunk in chunks if not chunk["choices"] or not chunk["choices"][0]["finish_reason"]]


def _counts_so_far(chunks: list[Value]) -> list[Value]:
    """As of OpenAI-like vendors that count in every chunk what they have said by then: the last one's count is the answer's."""
    whole = chunks[-1]["usage"]
    for said_by_then, chunk in enumerate(chunks[:-1]):
        output = min(said_by_then, whole["completion_tokens"])
        chunk["usage"] = {**whole, "completion_tokens": output, "total_tokens": whole["prompt_tokens"] + output}
    return chunks


def _empty_tool_calls(chunks: list[Value]) -> list[Value]:
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["delta"].get("content"):
                choice["delta"]["tool_calls"] = []
    return chunks


def _without_argument_deltas(events: list[Value]) -> Iterator[Value]:
    kept = (event for event in events if event["type"] != "response.function_call_arguments.delta")
    for number, event in enumerate(kept):
        yield {**event, "sequence_number": number}


def _without_text_deltas(events: list[Value]) -> Iterator[Value]:
    kept = (event for event in events if event["type"] != "response.output_text.delta")
    for number, event in enumerate(kept):
        yield {**event, "sequence_number": number}


def _without_last_delta(events: list[Value]) -> list[Value]:
    """Cut in the middle of a call's arguments."""
    last = max(place for place, event in enumerate(events) if event["type"] == "content_block_delta")
    return events[:last] + events[last + 1 :]


def _input_at_once(events: list[Value]) -> Iterator[Value]:
    """As of Anthropic-like vendors that begin a call with all of its input, and send no delta of it."""
    told: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_delta":
            told[event["index"]] = told.get(event["index"], "") + event["delta"]["partial_json"]
    for event in events:
        if event["type"] == "content_block_start":
            event["content_block"]["input"] = json.loads(told[event["index"]])
        if event["type"] != "content_block_delta":
            yield event


def _finish_with_words(chunks: list[Value]) -> Iterator[Value]:
    """As of vendors whose last words and finish_reason come together."""
    spoken = [chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0]["delta"].get("content")]
    finish = next(chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0]["finish_reason"])
    spoken[-1]["choices"][0]["finish_reason"] = finish["choices"][0]["finish_reason"]
    return (chunk for chunk in chunks if chunk is not finish)


def _calls_at_once(chunks: list[Value]) -> Iterator[Value]:
    """As of vendors that send each call in one chunk, its arguments with its name."""
    begun: dict[int, Value] = {}
    for chunk in chunks:
        calls = chunk["choices"][0]["delta"].get("tool_calls", ()) if chunk["choices"] else ()
        if not any(call["index"] in begun for call in calls):
            begun |= {call["index"]: call for call in calls}
            continue
        for call in calls:
            begun[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return (
        chunk
        for chunk in chunks
        if not chunk["choices"]
        or not (calls := chunk["choices"][0]["delta"].get("tool_calls"))
        or any(call is begun[call["index"]] for call in calls)
    )


def _without_ids(piece: bytes) -> bytes:
    """As of models before Gemini 3, whose calls have none."""
    return re.sub(rb',\s*"id": ?"\w{8}"', b"", piece)


def _conversations() -> Iterator[Scenario]:
    """A thought before a call, by ids that no other recording has: what is kept under them shows whose it is."""
    claude = said(_thought("messages-conversation", content.THOUGHT_BEFORE_CALL), content.WEATHER, stop="tool_use", reasoning=24)
    yield from _messages("messages-conversation", claude, WHOLE_ONLY)
    signed = Thinking(text="", signature=Names("probes/gemini-conversation/signature").base64(500, "EvsDCvgDAQw5"))
    yield from _gemini("gemini-conversation", said(signed, content.WEATHER, stop="STOP", reasoning=40), WHOLE_ONLY)
    sealed = Thinking(text="", signature=Names("probes/responses-conversation/encrypted").base64url(698, "gAAAAABqaR3-") + "==")
    yield from _responses("responses-conversation", said(sealed, content.WEATHER, stop="completed", reasoning=64), WHOLE_ONLY)
    hidden = Redacted(data=Names("probes/messages-redacted-conversation/1").base64(400, "EqcCCkYICRgC"))
    yield from _messages("messages-redacted-conversation", said(hidden, content.WEATHER, stop="tool_use", reasoning=24), WHOLE_ONLY)


def _loops() -> Iterator[Scenario]:
    """Two turns that call, each for what the one before brought. Claude thinks before the first of them, the others before each."""
    thought = content.THOUGHT_BEFORE_CALL
    hidden = Redacted(data=Names("probes/messages-loop/2").base64(400, "EqcCCkYICRgC"))
    claude = said(_thought("messages-loop", thought), hidden, content.WEATHER, stop="tool_use", reasoning=24)
    yield from _messages("messages-loop", claude)
    yield from _messages("messages-loop-again", said(content.NOTE, content.ORDER, stop="tool_use", prompt=231))
    for number, (words, calls) in enumerate(((thought, (content.WEATHER,)), ("", (content.NOTE, content.ORDER)))):
        name = "loop-again" if number else "loop"
        signed = Thinking(text=words, signature=Names(f"probes/gemini-{name}/signature").base64(500, "EvsDCvgDAQw5"))
        yield from _gemini(f"gemini-{name}", said(signed, *calls, stop="STOP", reasoning=40))
        sealed = Thinking(text=words, signature=Names(f"probes/responses-{name}/encrypted").base64url(698, "gAAAAABqaR3-") + "==")
        yield from _responses(f"responses-{name}", said(sealed, *calls, stop="completed", reasoning=64))


def _rate_limit_in_500() -> Scenario:
    """A gateway between had a rate limit and says 500: only the body has the code."""
    failure = next(failure for failure in errors.failures(Surface.CHAT) if failure.status == 429)
    error = {**errors.openai_error(failure), "type": "server_error", "code": "429"}
    names = Names("probes/chat-500-code-429/headers")
    return Scenario(
        id="probes/chat-500-code-429",
        surface=Surface.CHAT,
        vendor="openai",
        model=chat_scenarios.MODEL,
        stream=False,
        method="POST",
        path="/v1/chat/completions",
        request=chat_scenarios.asks("text"),
        traits=traits("error", "status-500", "raw", "probe"),
        status=500,
        headers=headers("openai", Surface.CHAT, names, status=500, stream=False),
        pieces=(write_bytes({"error": error}, TIGHT),),
        live=False,
    )


def _image_by_address() -> Scenario:
    """An image that stands at an address of the vendor's, where others send its bytes."""
    image = {"url": "https://images.example.org/made/1.png"}
    usage = {
        "input_tokens": 14,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 14},
        "output_tokens": 1056,
        "total_tokens": 1070,
    }
    answer: Value = {
        "created": chat.CREATED,
        "data": [image],
        "output_format": "png",
        "quality": "medium",
        "size": "1024x1024",
        "usage": usage,
    }
    return Scenario(
        id="probes/images-by-address",
        surface=Surface.IMAGES,
        vendor="openai",
        model=images_scenarios.MODEL,
        stream=False,
        method="POST",
        path="/v1/images/generations",
        request={"prompt": "A lighthouse at noon, in few colours.", "n": 1, "size": "1024x1024", "quality": "medium"},
        traits=traits("images", "probe"),
        status=200,
        headers=headers("openai", Surface.IMAGES, Names("probes/images-by-address/headers"), status=200, stream=False),
        pieces=(write_bytes(answer, TIGHT),),
        live=False,
    )
