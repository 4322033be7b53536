"""Faulty gateways that break the framing of streams, and native routes that are no byte pipes."""

import json
import re
from dataclasses import replace
from typing import Any, Final

from harness.case import Surface
from harness.mutation.mutant import (
    Answer,
    Ask,
    Flow,
    Leg,
    Mutant,
    ask_body,
    named,
    on_body,
    on_frames,
    on_json,
    with_header,
)
from harness.wire import sse

_COUNT: Final = re.compile(rb'_tokens(": ?)(\d+)\b|TokenCount(": ?)(\d+)\b')


def _on_stream(change: Any) -> Any:
    """The change on event streams only."""
    return lambda answer: change(answer) if answer.body.lstrip()[:1] not in (b"{", b"[") else answer


def _first(change: Any) -> Any:
    """`change` on the first frame."""
    return on_frames(lambda frames: [change(frames[0]), *frames[1:]] if frames else frames)


def _whole_answer(answer: Answer) -> Answer:
    """The stream's data in one JSON body."""
    events = [frame.data for frame in sse.frames(answer.body) if frame.data and frame.data.startswith("{")]
    if not events or not answer.body.startswith((b"event", b"data")):
        return answer
    headers = tuple(pair for pair in answer.headers if pair[0].lower() != "content-type")
    return replace(answer, body=events[-1].encode(), headers=(*headers, ("content-type", "application/json")))


def _as_stream(answer: Answer) -> Answer:
    """A whole answer replayed as one event."""
    if not answer.body.lstrip().startswith(b"{"):
        return answer
    data = json.dumps(json.loads(answer.body), ensure_ascii=False).encode()
    headers = tuple(pair for pair in answer.headers if pair[0].lower() != "content-type")
    return replace(answer, body=b"data: " + data + b"\n\n", headers=(*headers, ("content-type", "text/event-stream")))


def _broken_character(body: bytes) -> bytes:
    """The first character beyond ASCII loses its last byte; where there is none, a byte that no UTF-8 has is put into a string."""
    found = re.search(rb"[\xc2-\xf4][\x80-\xbf]+", body)
    return body[: found.end() - 1] + body[found.end() :] if found else body.replace(b'":"', b'":"\xff', 1).replace(b'": "', b'": "\xff', 1)


def _replaced_character(body: bytes) -> bytes:
    return re.sub(rb"[\xc2-\xf4][\x80-\xbf]+", "\N{REPLACEMENT CHARACTER}".encode(), body, count=1)


def _run_together(frames: list[bytes]) -> list[bytes]:
    return [frames[0].rstrip(b"\r\n") + b"\n" + frames[1], *frames[2:]] if len(frames) > 1 else frames


def _without_one(frames: list[bytes]) -> list[bytes]:
    return frames[:-2] + frames[-1:] if len(frames) > 2 else frames


def _one_count_up(body: bytes) -> bytes:
    """The last token count grows by one digit's worth: a number that nobody's schema minds."""
    counts = list(_COUNT.finditer(body))
    if not counts:
        return body
    found = counts[-1]
    start, end = found.span(2) if found.group(2) else found.span(4)
    return body[:start] + b"%d" % (int(body[start:end]) + 1) + body[end:]


def _escape(body: bytes) -> bytes:
    """Characters beyond ASCII become escapes: the same JSON in other bytes."""
    text = body.decode("utf-8", "replace")
    return "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text).encode()


def _reserialised(value: Any) -> Any:
    return value


def _breakpoint(value: Any) -> Any:
    """The gateway's own cache breakpoint on the last message, or its own cache key elsewhere."""
    if "messages" in value and value["messages"] and isinstance(value["messages"][-1].get("content"), str):
        last = value["messages"][-1]
        block = {"type": "text", "text": last["content"], "cache_control": {"type": "ephemeral"}}
        return {**value, "messages": [*value["messages"][:-1], {**last, "content": [block]}]}
    return {**value, "metadata": {"gateway": "1"}}


def _sorted(ask: Ask) -> Ask:
    text = json.dumps(json.loads(ask.body), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return replace(ask, body=text.encode())


def _html_escaped(ask: Ask) -> Ask:
    text = ask.body.decode()
    for letter in "<>&'":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return replace(ask, body=text.encode())


def _shorter_numbers(ask: Ask) -> Ask:
    return replace(ask, body=re.sub(rb"(\d)\.0(?=[,\s])", rb"\1", ask.body))


def _doubles(ask: Ask) -> Ask:
    return replace(ask, body=re.sub(rb"(?<=[ :])\d{16,}(?=[,\s])", lambda found: b"%d" % int(float(found[0])), ask.body))


def _other_query(ask: Ask) -> Ask:
    return replace(ask, target=f"{ask.target}{'&' if '?' in ask.target else '?'}beta=true")


def _status(status: int) -> Any:
    return lambda answer: replace(answer, status=status)


def _other_type(answer: Answer) -> str:
    return "application/problem+json" if answer.body.lstrip().startswith(b"{") else "text/event-stream; charset=latin-1"


def _text_stream(answer: Answer) -> Answer:
    return with_header("content-type", "application/json")(answer)


def _unsigned_texts(body: dict[str, Any]) -> dict[str, Any]:
    for turn in body["contents"]:
        for part in turn["parts"]:
            if "text" in part:
                part.pop("thoughtSignature", None)
    return body


def _thoughtless(body: dict[str, Any]) -> dict[str, Any]:
    for turn in body["messages"]:
        if isinstance(turn["content"], list):
            turn["content"] = [block for block in turn["content"] if block["type"] != "thinking"]
    return body


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="sse-labelled-json",
        requirement="sse/content-type",
        text="Labels the stream application/json.",
        answer=_on_stream(_text_stream),
        defects=("vllm-project/vllm-ascend#5033",),
    ),
    Mutant(
        id="sse-answered-whole",
        requirement="sse/streamed-when-asked",
        text="Answers a request for a stream with one JSON body.",
        answer=_whole_answer,
    ),
    Mutant(
        id="sse-answered-in-events",
        requirement="sse/whole-when-not-asked",
        text="Replays a whole answer as a stream although none was asked for.",
        answer=_as_stream,
        defects=("gumieri/nenya#18",),
    ),
    Mutant(
        id="sse-broken-character",
        requirement="sse/utf-8",
        text="Loses the last byte of a character that lay across two reads.",
        answer=_on_stream(on_body(_broken_character)),
        defects=("xberg-io/liter-llm#152",),
    ),
    Mutant(
        id="sse-replaced-character",
        requirement="sse/no-replacement-character",
        text="Decodes each read by itself, so that a character that lay across two becomes U+FFFD.",
        answer=on_body(_replaced_character),
        defects=("musistudio/claude-code-router#1672",),
    ),
    Mutant(
        id="sse-byte-order-mark",
        requirement="sse/no-byte-order-mark",
        text="Writes a byte-order mark before the first event.",
        answer=_on_stream(on_body(lambda body: sse.BOM + body if body else body)),
    ),
    Mutant(
        id="sse-last-event-open",
        requirement="sse/last-event-closed",
        text="Closes the stream without the blank line of the last event.",
        answer=_on_stream(on_body(lambda body: body.rstrip(b"\r\n") + b"\n" if body else body)),
        where=lambda case: case.outcome.value == "success",
        defects=("agentjido/req_llm#462",),
    ),
    Mutant(
        id="sse-events-run-together",
        requirement="sse/one-data-line",
        text="Puts one newline, not two, between two events.",
        answer=_on_stream(on_frames(_run_together)),
        where=lambda case: case.outcome.value == "success",
        defects=("rexxars/eventsource-parser#31",),
    ),
    Mutant(
        id="sse-block-without-data",
        requirement="sse/no-block-without-data",
        text="Sends a block of only an event name as a sign of life.",
        answer=_on_stream(_first(lambda frame: b"event: keep-alive\n\n" + frame)),
        where=lambda case: case.outcome.value == "success",
        defects=("theopenco/llmgateway#2334",),
    ),
    Mutant(
        id="sse-blank-between-event-and-data",
        requirement="sse/no-block-without-data",
        text="Inserts a blank line between an event's name and its data.",
        answer=_on_stream(_first(lambda frame: frame.replace(b"\ndata:", b"\n\ndata:", 1))),
        where=lambda case: case.outcome.value == "success" and case.surface in (Surface.MESSAGES, Surface.RESPONSES),
        defects=("earendil-works/pi#8430",),
    ),
    Mutant(
        id="sse-unknown-field",
        requirement="sse/known-fields",
        text="Marks each first event with a field of its own.",
        answer=_on_stream(_first(lambda frame: b"gateway: 1\n" + frame)),
        where=lambda case: case.outcome.value == "success",
    ),
    Mutant(
        id="sse-adds-id",
        requirement="sse/no-id-or-retry",
        text="Numbers the events with id lines.",
        answer=_on_stream(on_frames(lambda frames: [b"id: %d\n%b" % (number, frame) for number, frame in enumerate(frames)])),
        defects=("openai/openai-python#2722",),
    ),
    Mutant(
        id="sse-null-event",
        requirement="sse/data-is-an-object",
        text="Flushes with an event whose data is null.",
        answer=_on_stream(_first(lambda frame: frame + b"data: null\n\n")),
        where=lambda case: case.outcome.value == "success",
        defects=("decolua/9router#1648",),
    ),
    Mutant(
        id="sse-done-everywhere",
        requirement="sse/done-only-on-chat",
        text="Ends every stream with [DONE].",
        answer=_on_stream(on_body(lambda body: body + b"data: [DONE]\n\n" if body else body)),
        defects=("BerriAI/litellm#29201",),
    ),
    Mutant(
        id="sse-comments-for-google",
        requirement="sse/no-comments-for-google",
        text="Sends keep-alive comments to Google's SDK.",
        answer=_on_stream(_first(lambda frame: frame + b": keep-alive\n\n")),
    ),
    Mutant(
        id="sse-drops-an-event",
        requirement="sse/same-events",
        text="Drops the last event but one.",
        answer=_on_stream(on_frames(_without_one)),
        defects=("ferro-labs/ai-gateway#129",),
    ),
    Mutant(
        id="native-count-changed",
        requirement="native/body-bytes",
        text="Rewrites one token count of the vendor's usage.",
        answer=on_body(_one_count_up),
        where=lambda case: case.outcome.value == "success",
    ),
    Mutant(
        id="native-escapes",
        requirement="native/body-bytes",
        text="Writes the JSON anew, with \\u escapes in the place of characters.",
        answer=on_body(_escape),
        where=lambda case: "unicode" in case.traits and case.surface is not Surface.RESPONSES,
    ),
    Mutant(
        id="native-reserialised",
        requirement="native/body-bytes",
        text="Decodes the JSON body and encodes it again, tight where the vendor's was pretty.",
        answer=lambda answer: on_json(_reserialised)(answer) if answer.body.startswith(b"{\n") else answer,
        where=lambda case: not case.stream,
    ),
    Mutant(
        id="native-comments-dropped",
        requirement="native/body-bytes",
        text="Drops the vendor's comment lines from the stream.",
        answer=on_frames(lambda frames: [frame for frame in frames if not frame.startswith(b":")]),
        where=lambda case: "framing-comments" in case.id,
    ),
    Mutant(
        id="native-status-500",
        requirement="native/status",
        text="Reports every refusal of the vendor as a 500.",
        answer=lambda answer: _status(500)(answer) if 400 <= answer.status < 500 else answer,
        where=lambda case: case.outcome.value == "upstream-error",
        defects=("BerriAI/litellm#37599",),
    ),
    Mutant(
        id="native-content-type-bare",
        requirement="native/content-type",
        text="Replaces the vendor's content-type by one with other parameters.",
        answer=lambda answer: with_header(
            "content-type",
            "text/event-stream; charset=latin-1" if not answer.body.lstrip().startswith(b"{") else "application/problem+json",
        )(answer),
    ),
    Mutant(
        id="native-mislabelled-gzip",
        requirement="native/content-coding",
        text="Unpacks the body and leaves the content-encoding header in its place.",
        answer=with_header("content-encoding", "gzip"),
    ),
    Mutant(
        id="native-early-eof",
        requirement="native/ends-whole",
        text="Closes the connection without the body's proper end.",
        flow=Flow.EARLY_EOF,
        where=lambda case: case.stream,  # a body with a content-length is whole without a word at its end
    ),
    Mutant(
        id="native-stays-open",
        requirement="native/ends-in-time",
        text="Leaves the connection open after the last byte.",
        flow=Flow.NO_EOF,
        where=lambda case: case.stream and case.client.value == "raw",
        defects=("earendil-works/pi#5592",),
    ),
    Mutant(
        id="native-holds-back",
        requirement="native/delivered-as-sent",
        text="Collects the whole answer before it sends any of it.",
        flow=Flow.HOLD_BACK,
        defects=("volcano-sh/kthena#79",),
    ),
    Mutant(
        id="native-deaf-to-hang-up",
        requirement="native/hang-up-reaches-upstream",
        text="Reads the vendor's answer to its end although the client has gone.",
        flow=Flow.DEAF_TO_ABORT,
        where=lambda case: case.abort_after_frames != 0,
        defects=("Wei-Shaw/sub2api#4408",),
    ),
    Mutant(
        id="native-other-bytes-before-hang-up",
        requirement="native/bytes-before-hang-up",
        text="Upstream bytes reach the client under another spelling.",
        answer=_on_stream(on_body(lambda body: body.replace(b"data: ", b"data:  "))),
    ),
    Mutant(
        id="native-request-keys-sorted",
        requirement="native/request-bytes",
        text="Decodes the request and encodes it again with its keys sorted.",
        leg=Leg.UPSTREAM,
        ask=_sorted,
        where=lambda case: case.surface is not Surface.GEMINI,
        defects=("kubeai-project/kubeai#690",),
    ),
    Mutant(
        id="native-request-html-escaped",
        requirement="native/request-bytes",
        text="Writes < > & and ' of the request as \\u escapes.",
        leg=Leg.UPSTREAM,
        ask=_html_escaped,
        defects=("router-for-me/CLIProxyAPI#1893",),
    ),
    Mutant(
        id="native-request-cache-breakpoint",
        requirement="native/request-bytes",
        text="Sets its own cache breakpoint in the request.",
        leg=Leg.UPSTREAM,
        ask=ask_body(_breakpoint),
        defects=("anomalyco/opencode#45750",),
    ),
    Mutant(
        id="native-request-other-query",
        requirement="native/request-target",
        text="Adds a query of its own to the vendor's URL.",
        leg=Leg.UPSTREAM,
        ask=_other_query,
    ),
    Mutant(
        id="native-request-query-dropped",
        requirement="native/request-target",
        text="Does not pass the caller's query on.",
        leg=Leg.UPSTREAM,
        ask=lambda ask: replace(ask, target=ask.target.partition("?")[0]),
        where=lambda case: "query" in case.traits,
    ),
    Mutant(
        id="native-called-twice",
        requirement="native/one-call",
        text="Calls the vendor a second time for one request.",
        flow=Flow.CALL_TWICE,
        defects=("BerriAI/litellm#19216",),
    ),
    Mutant(
        id="native-refuses",
        requirement="native/served",
        text="Refuses a request that the vendor would have taken.",
        ask=lambda ask: replace(ask, body=ask.body[:-2]),
        where=lambda case: bool({"big-request", "spelled", "tools"} & case.traits),
        defects=("ferro-labs/ai-gateway#129",),
    ),
    Mutant(
        id="native-answer-cached",
        requirement="native/asked-each-time",
        text="Answers the same request a second time out of a cache.",
        flow=Flow.REPLAY,
    ),
    Mutant(
        id="native-request-numbers-respelled",
        requirement="native/request-bytes",
        text="Writes the request's 1.0 as 1, as an encoder without a type for it does.",
        leg=Leg.UPSTREAM,
        ask=_shorter_numbers,
        where=lambda case: "spelled" in case.traits,
    ),
    Mutant(
        id="native-request-text-unsigned",
        requirement="native/request-bytes",
        text="Keeps what proves a call of Gemini's history, and not what proves a text.",
        leg=Leg.UPSTREAM,
        ask=ask_body(_unsigned_texts),
        where=named("gemini/asked-much"),
    ),
    Mutant(
        id="native-request-thoughtless",
        requirement="native/request-bytes",
        text="Leaves the thoughts of earlier turns out.",
        leg=Leg.UPSTREAM,
        ask=ask_body(_thoughtless),
        where=named("messages/asked-much"),
    ),
    Mutant(
        id="native-request-big-integers",
        requirement="native/request-bytes",
        text="Reads the request's integers as doubles, so that those beyond 2^53 change.",
        leg=Leg.UPSTREAM,
        ask=_doubles,
        where=lambda case: "spelled" in case.traits,
    ),
)
