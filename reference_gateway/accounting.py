"""What an upstream's answer says about money: its usage by token class, and whether it came to its protocol's own end.

Reads a copy of the bytes and never changes them. A stream is not parsed while it flows: its reads are kept (the same objects, not
copies), and parsed when something that looks like its end has come by, and then only its head and its tail, unless those leave a
question open.

Terminal conditions (billing-and-storage.md 4.2): chat, a chunk with a finish_reason and then `[DONE]`; responses, `response.completed`
or `response.incomplete`; messages, `message_stop`; gemini, a candidate with a finishReason, and then the end of the body.

Counts are read as translation reads them, so that a model costs the same on its own protocol and on another (contract:168). Searches that
the vendor ran are a class of their own (contract:090): Messages counts them in its usage, Responses has an item of each, Gemini lists its
queries, and a chat answer that cites pages of the web has searched once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from reference_gateway.catalog import Usage
from reference_gateway.content_coding import Corrupt, Decoder
from reference_gateway.routes import Surface
from reference_gateway.translation.chat.usage import read_usage as read_chat_usage
from reference_gateway.translation.gemini.usage import UsageMetadata
from reference_gateway.translation.gemini.usage import read_usage as read_gemini_usage
from reference_gateway.translation.items import Tokens
from reference_gateway.translation.messages.usage import read_usage as read_messages_usage
from reference_gateway.translation.responses.usage import read_usage as read_responses_usage

_decode: Final = msgspec.json.Decoder().decode
_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Completed(msgspec.Struct, frozen=True, kw_only=True):  # one a request: a frozen dataclass takes five times as long to make
    """The protocol's own end was seen.

    `usage` is None where the upstream reported none, or nonsense. `blocked`: the prompt was refused before any output. `content_bytes`
    is the text, reasoning and tool bytes of the answer as far as they were looked at.
    """

    usage: Usage | None
    content_bytes: int
    blocked: bool = False

    @property
    def billable(self) -> bool:
        """Not: an empty output of no tokens (the vendor produced nothing), or a blocked prompt."""
        if self.blocked:
            return False
        output_tokens = self.usage.output_tokens if self.usage is not None else 0
        return output_tokens > 0 or self.content_bytes > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No success, so no bill.

    `visible`: the upstream itself said so in its protocol's own words, which the caller should see as they stand.
    """

    reason: str
    visible: bool = False


Outcome = Completed | Failed


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def usage_of(tokens: Tokens, searches: int = 0) -> Usage:
    """translation.md 3.8: the classes of both are disjoint. What is absent costs nothing."""
    return Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read or 0,
        cache_write_5m_tokens=tokens.cache_write_5m or 0,
        cache_write_1h_tokens=tokens.cache_write_1h or 0,
        searches=searches or tokens.searches,
    )


def _reported(tokens: Tokens | None, searches: int = 0) -> Usage | None:
    return None if tokens is None or not tokens.input_counted else usage_of(tokens, searches)


def _gemini_tokens(usage: object) -> Tokens | None:
    try:
        return read_gemini_usage(msgspec.convert(usage, UsageMetadata | None))
    except msgspec.ValidationError:
        return None


def _searches_of_message(usage: object) -> int:
    count = _object(_object(usage).get("server_tool_use")).get("web_search_requests")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


def _searches_of_output(output: object) -> int:
    """Pages that the model opened or looked through cost nothing; what failed neither."""
    calls = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    return sum(
        item.get("type") == "web_search_call"
        and item.get("status") != "failed"
        and _object(item.get("action")).get("type", "search") == "search"
        for item in calls
    )


def _cites_the_web(message: object) -> bool:
    notes = _object(message).get("annotations")
    return isinstance(notes, list) and any(_object(note).get("type") == "url_citation" for note in notes)


def _queries(candidate: object) -> Iterator[str]:
    queries = _object(_object(candidate).get("groundingMetadata")).get("webSearchQueries")
    return (query for query in queries if isinstance(query, str) and query) if isinstance(queries, list) else iter(())


def _string_bytes(value: object) -> int:
    """UTF-8 bytes of every string inside: content may be text, a list of parts, a tool's arguments."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list):
        return sum(map(_string_bytes, value))
    if isinstance(value, dict):
        return sum(_string_bytes(item) for item in value.values())
    return 0


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _ChatUsage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Cached | None = None
    prompt_cache_hit_tokens: int | None = None

    def usage(self) -> Usage | None:
        details = self.prompt_tokens_details
        if details is not None and details.cache_write_tokens:
            return None
        cached = details.cached_tokens if details is not None else None
        if cached is None:
            cached = self.prompt_cache_hit_tokens or 0
        return _usual_usage(self.prompt_tokens, self.completion_tokens, cached)


class _ResponsesUsage(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    input_tokens_details: _Cached | None = None

    def usage(self) -> Usage | None:
        details = self.input_tokens_details
        if details is not None and details.cache_write_tokens:
            return None
        return _usual_usage(self.input_tokens, self.output_tokens, (details.cached_tokens or 0) if details is not None else 0)


class _ServerTools(msgspec.Struct):
    web_search_requests: int = 0


class _MessagesUsage(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: msgspec.Raw | None = None
    server_tool_use: _ServerTools | None = None

    def usage(self) -> Usage | None:
        if self.cache_creation_input_tokens or (self.cache_creation_input_tokens is None and self.cache_creation is not None):
            return None
        if self.server_tool_use is not None and self.server_tool_use.web_search_requests:
            return None
        return _usual_usage(self.input_tokens + (self.cache_read_input_tokens or 0), self.output_tokens, self.cache_read_input_tokens or 0)


class _ChatAnswer(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: _ChatUsage
    error: None = None


class _ResponsesAnswer(msgspec.Struct):
    output: list[msgspec.Raw]
    status: Literal["completed", "incomplete"]
    usage: _ResponsesUsage
    error: None = None


class _MessagesAnswer(msgspec.Struct):
    content: list[msgspec.Raw]
    type: Literal["message"]
    usage: _MessagesUsage
    error: None = None


_USUAL: Final[Mapping[Surface, Callable[[bytes], _ChatAnswer | _ResponsesAnswer | _MessagesAnswer]]] = {
    Surface.CHAT: msgspec.json.Decoder(_ChatAnswer).decode,
    Surface.RESPONSES: msgspec.json.Decoder(_ResponsesAnswer).decode,
    Surface.MESSAGES: msgspec.json.Decoder(_MessagesAnswer).decode,
}


# What an answer says where its vendor may have searched; Messages says it in its usage.
_SEARCHED: Final = {Surface.CHAT: b'"url_citation"', Surface.RESPONSES: b'"web_search_call"', Surface.GEMINI: b'"webSearchQueries"'}


def _usual_usage(total_input: int, output: int, cached: int) -> Usage | None:
    if output <= 0 or not 0 <= cached <= total_input:
        return None
    return Usage(input_tokens=total_input - cached, output_tokens=output, cache_read_tokens=cached)


def _judge_usual(surface: Surface, data: bytes) -> Completed | None:
    """The outcome of nearly all answers: a success that says what it used. None for any other.

    Only that is decoded; the content, which is most of the answer, is skipped over and so counted as no bytes.
    """
    decode = _USUAL.get(surface)
    if decode is None or ((searched := _SEARCHED.get(surface)) is not None and searched in data):
        return None
    try:
        answer = decode(data)
    except _BAD_JSON:
        return None
    usage = answer.usage.usage()
    return None if usage is None else Completed(usage=usage, content_bytes=0)


def judge_answer(surface: Surface, data: bytes) -> Outcome:
    """The outcome of a 200 whose whole decoded body is `data`."""
    usual = _judge_usual(surface, data)
    if usual is not None:
        return usual
    try:
        answer = _decode(data)
    except _BAD_JSON as error:
        return Failed(reason=f"its answer is not JSON: {error}")
    if surface is Surface.GEMINI and isinstance(answer, list):  # streamGenerateContent without alt=sse
        reading = Reading(surface)
        for item in answer:
            reading.event(b"", item)
        return reading.outcome(ended=True)
    if not isinstance(answer, dict):
        return Failed(reason="its answer is not a JSON object")
    match surface:
        case Surface.CHAT:
            return _judge_chat(answer)
        case Surface.RESPONSES:
            return _judge_response(answer)
        case Surface.MESSAGES:
            return _judge_message(answer)
        case Surface.GEMINI:
            return _judge_gemini(answer)
        case Surface.COUNT_TOKENS:
            if answer.get("type") == "error" or "error" in answer:
                return Failed(reason="it answered 200 with an error")
            return Completed(usage=None, content_bytes=0)
        case Surface.IMAGES | Surface.VIDEOS:
            raise AssertionError("images/ and videos/ judge their own answers")


def _judge_chat(answer: dict[str, Any]) -> Outcome:
    if answer.get("error"):
        return Failed(reason="it answered 200 with an error")
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return Failed(reason="its answer has no choices")
    content = sum(_string_bytes(_chat_content(_object(choice).get("message"))) for choice in choices)
    searches = int(any(_cites_the_web(_object(choice).get("message")) for choice in choices))
    return Completed(usage=_reported(read_chat_usage(answer.get("usage")), searches), content_bytes=content)


CHAT_CONTENT: Final = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call", "audio")


def _chat_content(message: object) -> list[object]:
    fields = _object(message)
    return [fields.get(name) for name in CHAT_CONTENT]


def _judge_response(answer: dict[str, Any]) -> Outcome:
    status, output = answer.get("status"), answer.get("output")
    if not isinstance(output, list):
        return Failed(reason="it answered 200 with an error" if answer.get("error") else "its answer has no output")
    if status not in ("completed", "incomplete"):
        # failed, cancelled, or a background response that has only been queued: a Response object all the same.
        return Failed(reason=f"its response is {status}", visible=True)
    usage = _reported(read_responses_usage(answer.get("usage")), _searches_of_output(output))
    return Completed(usage=usage, content_bytes=_string_bytes(output))


def _judge_message(answer: dict[str, Any]) -> Outcome:
    content = answer.get("content")
    if answer.get("type") == "error" or "error" in answer:
        return Failed(reason="it answered 200 with an error")
    if not isinstance(content, list):
        return Failed(reason="its answer has no content")
    usage = answer.get("usage")
    return Completed(
        usage=_reported(read_messages_usage(usage), _searches_of_message(usage)),
        content_bytes=_string_bytes(content),
        blocked=not content and answer.get("stop_reason") == "refusal",
    )


def _judge_gemini(answer: dict[str, Any]) -> Outcome:
    if answer.get("error"):
        return Failed(reason="it answered 200 with an error")
    candidates = answer.get("candidates")
    if not isinstance(candidates, list):
        if not isinstance(answer.get("promptFeedback"), dict) and not isinstance(answer.get("usageMetadata"), dict):
            return Failed(reason="its answer has no candidates")
        return Completed(usage=_reported(_gemini_tokens(answer.get("usageMetadata"))), content_bytes=0, blocked=True)
    content = sum(_string_bytes(_object(candidate).get("content")) for candidate in candidates)
    searches = len({query for candidate in candidates for query in _queries(candidate)})
    return Completed(usage=_reported(_gemini_tokens(answer.get("usageMetadata")), searches), content_bytes=content)


def sse_events(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(event name, data) of each block that has data; whatever stands after the last blank line counts as a block."""
    name, data = b"", list[bytes]()
    for line in raw.splitlines():
        if not line:
            if data:
                yield name, data[0] if len(data) == 1 else b"\n".join(data)
                data = []
            name = b""
        elif line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].removeprefix(b" ")
    if data:
        yield name, b"\n".join(data)


class _ChunkChoice(msgspec.Struct):
    delta: dict[str, Any] = {}
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    """A chunk of a chat stream as it nearly always is; of any other shape, the general decoder's dicts are looked at."""

    choices: list[_ChunkChoice] = []
    usage: Any = None
    error: Any = None


_decode_chunks: Final = msgspec.json.Decoder(list[_Chunk]).decode
_DONE: Final = b"\n\ndata: [DONE]\n\n"
_GLUE: Final = b"\n\ndata: "  # between two events' JSON, and never inside one: no JSON text has a bare newline in a string


class Reading:
    """What the events of one stream have said so far, in their order."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self.finished = False  # a finish_reason, a finishReason
        self.terminal = False  # [DONE], message_stop, response.completed
        self.error: str | None = None
        self.content_bytes = 0
        self.blocked = False
        self.refused = False
        self.started = False
        self.seen_bytes = 0
        self.dense_bytes = 0  # up to the end of the last event with content; known of a chat stream that reports no usage
        self._tokens: Tokens | None = None
        self._searches = 0
        self._queries: set[str] = set()  # gemini: it repeats them
        self._counts: dict[str, Any] = {}  # messages: message_start's, overlaid by each message_delta's (they are cumulative)

    def raw(self, data: bytes) -> None:
        if self._surface is Surface.CHAT and self._usual_chunks(data):
            return
        for name, payload in sse_events(data):
            if payload == b"[DONE]":
                self.terminal = self.terminal or self._surface is Surface.CHAT
                continue
            try:
                event = _decode(payload)
            except _BAD_JSON:
                continue  # counts for nothing; where it was the end of the stream, the terminal event is missing
            self.event(name, event)

    def event(self, name: bytes, event: object) -> None:
        fields = _object(event)
        match self._surface:
            case Surface.CHAT:
                self._chat(fields)
            case Surface.RESPONSES:
                self._responses(fields)
            case Surface.MESSAGES | Surface.COUNT_TOKENS:
                self._messages(fields)
            case Surface.GEMINI:
                self._gemini(fields)

    def _fail(self) -> None:
        self.error = self.error or "it sent an error in the stream"

    def _usual_chunks(self, data: bytes) -> bool:
        """Reads the events of a chat stream up to its end in one piece, where they are written as nearly all vendors write them."""
        if not data.startswith(b"data: ") or not data.endswith(_DONE):
            return False
        inner = data[6 : -len(_DONE)]
        try:
            chunks = _decode_chunks(b"[%b]" % inner.replace(_GLUE, b","))
        except _BAD_JSON:
            return False
        dense = 0
        for number, chunk in enumerate(chunks, 1):
            if chunk.error:
                self._fail()
            before = self.content_bytes
            for choice in chunk.choices:
                for name, value in choice.delta.items():
                    if name in CHAT_CONTENT:
                        self.content_bytes += len(value) if type(value) is str and value.isascii() else _string_bytes(value)
                if choice.finish_reason:
                    self.finished = True
                if "annotations" in choice.delta and _cites_the_web(choice.delta):
                    self._searches = 1
            if self.content_bytes != before:
                dense = number
            if chunk.usage is not None:
                self._tokens = read_chat_usage(chunk.usage)
        self.started = self.terminal = True
        if self._tokens is None:
            self.seen_bytes = len(data)
            self.dense_bytes = sum(len(_GLUE) + len(event) for event in inner.split(_GLUE)[:dense])
        return True

    def _chat(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            self._fail()
        self.started = True
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            fields = _object(choice)
            self.content_bytes += _string_bytes(_chat_content(fields.get("delta")))
            if _cites_the_web(fields.get("delta")):
                self._searches = 1
            if fields.get("finish_reason"):
                self.finished = True
        if chunk.get("usage") is not None:
            self._tokens = read_chat_usage(chunk["usage"])

    def _responses(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind in ("error", "response.failed"):
            self._fail()
        elif kind in ("response.completed", "response.incomplete"):
            response = _object(event.get("response"))
            self.terminal = True
            self._tokens = read_responses_usage(response.get("usage"))
            self._searches = _searches_of_output(response.get("output"))
            self.content_bytes = max(self.content_bytes, _string_bytes(response.get("output")))
        elif isinstance(kind, str) and kind.endswith(".delta"):
            self.content_bytes += _string_bytes(event.get("delta"))
        self.started = True

    def _messages(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self.started = True
                self._counts = _object(_object(event.get("message")).get("usage"))
            case "content_block_start":
                block = _object(event.get("content_block"))
                self.content_bytes += _string_bytes([item for name, item in block.items() if name not in ("type", "id", "name")])
            case "content_block_delta":
                delta = _object(event.get("delta"))
                self.content_bytes += _string_bytes([item for name, item in delta.items() if name != "type"])
            case "message_delta":
                # Nulls keep message_start's value, as in the vendor's own accumulator.
                counts = {name: item for name, item in _object(event.get("usage")).items() if item is not None}
                self._counts = {**self._counts, **counts}
                self.refused = _object(event.get("delta")).get("stop_reason") == "refusal"
                self.finished = True
            case "message_stop":
                self.terminal = True
            case "error":
                self._fail()
            case _:
                pass

    def _gemini(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            self._fail()
        self.started = True
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            fields = _object(candidate)
            self.content_bytes += _string_bytes(_object(fields.get("content")).get("parts"))
            self._queries.update(_queries(fields))
            if fields.get("finishReason"):
                self.finished = True
        if _object(chunk.get("promptFeedback")).get("blockReason"):
            self.blocked = True
        if isinstance(chunk.get("usageMetadata"), dict):
            self._tokens = _gemini_tokens(chunk["usageMetadata"])

    @property
    def usage(self) -> Usage | None:
        if self._surface is Surface.MESSAGES:
            return _reported(read_messages_usage(self._counts), _searches_of_message(self._counts))
        return _reported(self._tokens, self._searches or len(self._queries))

    def outcome(self, *, ended: bool) -> Outcome:
        """`ended`: the body itself is over."""
        if self.error is not None:
            return Failed(reason=self.error, visible=True)
        match self._surface:
            case Surface.CHAT:
                complete = self.terminal and self.finished
            case Surface.RESPONSES | Surface.MESSAGES | Surface.COUNT_TOKENS:
                complete = self.terminal
            case Surface.GEMINI:
                complete = ended and (self.finished or self.blocked)
        if not complete:
            return Failed(reason="its stream ended before the answer did")
        blocked = (self.blocked or self.refused) and not self.content_bytes
        return Completed(usage=self.usage, content_bytes=self.content_bytes, blocked=blocked)


def _whole_items(data: bytes) -> Iterator[object]:
    """The items of a JSON array of which only a beginning may be there."""
    text = data.decode("utf-8", "ignore").lstrip().removeprefix("[")
    decoder, at = json.JSONDecoder(), 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
        try:
            item, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            return
        yield item


_MARKS: Final = {
    Surface.CHAT: (b"[DONE]",),
    Surface.RESPONSES: (b"response.completed", b"response.incomplete", b"response.failed"),
    Surface.MESSAGES: (b"message_stop",),
    Surface.COUNT_TOKENS: (),
    Surface.GEMINI: (),  # ends with the body
    Surface.IMAGES: (),
    Surface.VIDEOS: (),
}
MARK_WITHIN: Final = 512  # of where the last event of a read begins: to look through whole reads would cost as much as forwarding them
_BLANK: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
TAILS: Final = (1280, 8 * 1024)  # how much of the end is looked at, first and then
KEPT: Final = 1024 * 1024


class StreamWatch:
    """Stands beside one stream: `feed` each read before it is forwarded, then ask."""

    def __init__(self, surface: Surface, decoder: Decoder | None = None, *, json_array: bool = False, searches: bool = False) -> None:
        self._surface = surface
        self._searched = _SEARCHED.get(surface) if searches else None  # looked for where a search costs something
        self._json_array = json_array  # gemini without alt=sse
        self._marks = _MARKS[surface]
        self._decoder = decoder
        self._reads: list[bytes] = []
        self._size = 0  # of self._reads
        self._dropped = 0  # bytes between the first read and the others
        self._error: str | None = None
        self._outcome: Completed | None = None

    def feed(self, read: bytes) -> Completed | None:
        """The completion, at the read that ends with the protocol's terminal event; None before it, and never for gemini.

        Where the upstream sends something after it in the same read, `close` finds it.
        """
        if self._decoder is not None:
            try:
                read = self._decoder.feed(read)
            except Corrupt as error:
                self._error = self._error or f"its stream cannot be decoded: {error}"
                return None
        self._reads.append(read)
        self._size += len(read)
        if read.rfind(b'"error"') >= 0 and self._error is None:  # from the end: in JSON three times as fast
            self._error = self._read(read).error
        last = read.rfind(b"\n\n", 0, -2)
        end = last + MARK_WITHIN if last >= 0 else len(read)
        for mark in self._marks:
            if read.find(mark, max(last, 0), end) >= 0 and self._outcome is None:
                outcome = self._judge(ended=False)
                if isinstance(outcome, Completed):
                    self._outcome = outcome
                    return outcome
        if self._size > KEPT and not self._json_array:
            self._drop()
        return None

    @property
    def outcome(self) -> Completed | None:
        """The completion that `feed` has reported."""
        return self._outcome

    def close(self) -> Outcome:
        """The outcome once the upstream has ended the body as HTTP says it should."""
        if self._outcome is not None:
            return self._outcome
        if self._decoder is not None:
            try:
                self._decoder.close()
            except Corrupt as error:
                return Failed(reason=f"its stream cannot be decoded: {error}")
        if self._json_array:
            return judge_answer(self._surface, b"".join(self._reads))
        return self._judge(ended=True)

    def partial(self) -> Reading:
        """What has come so far, for a stream that nobody will read to its end."""
        return self._everything()

    @property
    def head(self) -> bytes:
        """The first read that is kept, decoded."""
        return self._reads[0] if self._reads else b""

    def last_sequence_number(self) -> int:
        """Of a responses stream; -1 before the first event."""
        found = re.findall(rb'"sequence_number":\s*(\d+)', b"".join(self._reads))
        return int(found[-1]) if found else -1

    def _judge(self, *, ended: bool) -> Outcome:
        if self._error is not None:
            return Failed(reason=self._error, visible=True)
        if self._searched is not None and self._searched in b"".join(self._reads):
            return self._everything().outcome(ended=ended)
        for tail_bytes in TAILS:
            if self._size <= 2 * tail_bytes:
                break
            ends = self._ends(tail_bytes)
            outcome = ends.outcome(ended=ended)
            if not ends.started or not isinstance(outcome, Completed) or not outcome.billable:
                continue
            if outcome.usage is not None:
                return outcome
            if ends.dense_bytes:  # none was asked for: it will be estimated, and the end is a fair sample of the whole
                without = ends.seen_bytes - ends.dense_bytes + self._reads[0].find(b"\n\n") + 2  # the opening event and the last ones
                return Completed(usage=None, content_bytes=outcome.content_bytes * (self._size - without) // ends.dense_bytes)
        return self._everything().outcome(ended=ended)

    def _read(self, data: bytes) -> Reading:
        reading = Reading(self._surface)
        reading.raw(data)
        return reading

    def _ends(self, tail_bytes: int) -> Reading:
        """The first event and those of the last bytes; nothing between them."""
        head = b""
        if self._surface is Surface.MESSAGES and (boundary := _BLANK.search(self._reads[0])) is not None:
            head = self._reads[0][: boundary.end()]
        tail, size = list[bytes](), 0
        for read in reversed(self._reads):
            tail.append(read)
            size += len(read)
            if size >= tail_bytes:
                break
        last = (tail[0] if len(tail) == 1 else b"".join(reversed(tail)))[-tail_bytes:]
        boundary = _BLANK.search(last)
        return self._read(head + (last[boundary.end() :] if boundary is not None else b""))

    def _everything(self) -> Reading:
        """All that is kept; where something was dropped, the content of that is taken to be as dense as the rest's."""
        if self._json_array:
            reading = Reading(self._surface)
            for item in _whole_items(b"".join(self._reads)):
                reading.event(b"", item)
            return reading
        reading = self._read(b"".join(self._reads) if not self._dropped else b"\n\n".join((self._reads[0], b"".join(self._reads[1:]))))
        reading.content_bytes += reading.content_bytes * self._dropped // max(1, self._size)
        return reading

    def _drop(self) -> None:
        """Lets go of the middle, so that a long stream does not stay in memory: its two ends say what it cost."""
        first = 1 if len(self._reads[0]) <= KEPT // 4 else 0
        cut, size = first, self._size
        while size > KEPT // 2 and cut < len(self._reads) - 1:
            size -= len(self._reads[cut])
            cut += 1
        del self._reads[first:cut]
        self._dropped += self._size - size
        self._size = size
