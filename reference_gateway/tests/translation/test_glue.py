"""Runs of texts that are not decoded (common/glue.py): a client gets the same bytes at the same read as if each event had been."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_gateway.routes import Surface
from reference_gateway.tests.translation import made
from reference_gateway.tests.translation.fuzz import mutations
from reference_gateway.tests.translation.fuzz.judge import passage
from reference_gateway.tests.translation.fuzz.run import by_dialect
from reference_gateway.tests.translation.fuzz.streams import DIRECTIONS, SPOKEN, Stream, recorded, shipped
from reference_gateway.translation import translator
from reference_gateway.translation.common import glue
from reference_gateway.translation.items import Answer, Broken, Ended
from reference_gateway.translation.translator import Dialect

WAYS: Final = (*((dialect, client, False) for dialect, client in DIRECTIONS), (Dialect.CHAT, Surface.GEMINI, True))
EACH: Final = pytest.mark.parametrize(("dialect", "client", "array"), WAYS, ids=lambda value: str(value).replace(" ", "-"))
SIZES: Final = (7, 100, 1_000)
MUTATED: Final = 500
SHORT: Final = 3_000  # bytes of a stream that is split everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Read by read, what the client got, and what is left in the passage."""

    reads: tuple[bytes, ...]
    end: Ended | Broken | None
    content_bytes: int
    estimated: bool
    blocked: bool
    keepsakes: Answer | Broken


@contextmanager
def decoded() -> Iterator[None]:
    """Each event by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glue, "MOST_LESSONS", 0)
        yield


def tell(dialect: Dialect, client: Surface, reads: Sequence[bytes], *, array: bool = False) -> Told:
    way = passage(client, dialect, array=array)
    said = (*(way.feed(read) for read in reads), way.close())
    return Told(
        reads=said,
        end=way.end,
        content_bytes=way.content_bytes,
        estimated=way.estimated,
        blocked=way.blocked,
        keepsakes=way.keepsakes,
    )


def alike(dialect: Dialect, client: Surface, reads: Sequence[bytes], *, array: bool = False, name: str = "", shortest: int = 0) -> Told:
    """`shortest`: reads of fewer bytes are not looked at."""
    with decoded():
        plain = tell(dialect, client, reads, array=array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translator, "SHORTEST_RUN", shortest)
        got = tell(dialect, client, reads, array=array)
    assert got == plain, f"{name}, {dialect} to {client}, {len(reads)} reads"
    return got


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


def by_size(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def by_event(body: bytes) -> list[bytes]:
    """As a vendor sends them that thinks: each read is one event."""
    return [part for part in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", body) if part]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each event that was a read and was taken."""
    found: list[int] = []
    take_only = glue.Glue.take_only

    def counted(self: glue.Glue, data: bytes) -> glue.Run | None:
        run = take_only(self, data)
        if run is not None:
            found.append(run.size)
        return run

    monkeypatch.setattr(glue.Glue, "take_only", counted)
    return found


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each run had."""
    found: list[int] = []
    take = glue.Glue.take

    def counted(self: glue.Glue, data: bytes, at: int) -> glue.Run | None:
        run = take(self, data, at)
        if run is not None:
            found.append(len(run.texts))
        return run

    monkeypatch.setattr(glue.Glue, "take", counted)
    return found


# real streams


def streams(dialect: Dialect) -> list[Stream]:
    return [stream for stream in (*shipped(), *recorded()) if stream.dialect is dialect]


@EACH
def test_real_streams(dialect: Dialect, client: Surface, array: bool, taken: list[int]) -> None:
    found = streams(dialect)
    for stream in found:
        alike(dialect, client, [stream.body], array=array, name=stream.name, shortest=translator.SHORTEST_RUN)
        drawn = random.Random(stream.name)
        places = sorted(drawn.randrange(len(stream.body) + 1) for _ in range(len(stream.body) // 1_500))
        alike(dialect, client, cut(stream.body, places), array=array, name=stream.name, shortest=translator.SHORTEST_RUN)
        for size in SIZES:
            if len(stream.body) // size < 800:
                alike(dialect, client, by_size(stream.body, size), array=array, name=stream.name)
        other = stream.body.replace(b"\r\n", b"\n") if b"\r" in stream.body else stream.body.replace(b"\n", b"\r\n")
        alike(dialect, client, [other], array=array, name=f"{stream.name}, of other line ends")
    assert found
    assert array or sum(taken) > 5 * len(found), "the shortcut has hardly been taken"


@EACH
def test_real_streams_event_by_event(dialect: Dialect, client: Surface, array: bool, alone: list[int]) -> None:
    found, reads = streams(dialect), 0
    for stream in found:
        events = by_event(stream.body)
        if len(events) < 2_000:
            reads += len(events)
            alike(dialect, client, events, array=array, name=stream.name, shortest=translator.SHORTEST_RUN)
    assert array or len(alone) > reads / 10, "single events have hardly been taken"


@EACH
def test_real_streams_split_in_two(dialect: Dialect, client: Surface, array: bool) -> None:
    """Each stream at some places, each place drawn by the stream's own name; some short ones at every place."""
    everywhere = 1
    for stream in sorted(streams(dialect), key=lambda stream: len(stream.body)):
        if everywhere and 1_000 < len(stream.body) < SHORT:
            everywhere -= 1
            places: Sequence[int] = range(len(stream.body) + 1)
        else:
            places = [random.Random(stream.name).randrange(len(stream.body) + 1)]
        for place in places:
            alike(dialect, client, cut(stream.body, [place]), array=array, name=f"{stream.name} at {place}")


def test_mutated_streams() -> None:
    seeds = by_dialect()
    for seed in range(MUTATED):
        draw = random.Random(f"glue {seed}")
        dialect, client = draw.choice(DIRECTIONS)
        body, names = mutations.harm(draw, draw.choice(seeds[dialect]).body)
        array = client is Surface.GEMINI and draw.random() < 0.2
        for reads in ([body], mutations.reads(draw, body)):
            alike(dialect, client, reads, array=array, name=f"seed {seed}, {names}")


# streams of one's own making


def event(dialect: Dialect, text: bytes, *, number: int = 0, more: bytes = b"") -> bytes:
    """`text` is the inside of a JSON string as it shall stand; `more` stands before the event's last brace."""
    match SPOKEN[dialect]:
        case Surface.CHAT:
            hidden = b',"obfuscation":"%b"' % (b"x" * (number % 3))
            return b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]%b%b}\n\n' % (text, more, hidden)
        case Surface.RESPONSES:
            return (
                b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":%d,"output_index":0,'
                b'"content_index":0,"item_id":"i","delta":"%b","logprobs":[]%b}\n\n' % (number, text, more)
            )
        case Surface.MESSAGES:
            delta = b'{"type":"text_delta","text":"%b"%b}' % (text, more)
            padding = b" " * (number % 3)
            return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":%b%b}\n\n' % (delta, padding)
        case _:
            return (
                b'data: {"candidates": [{"content": {"parts": [{"text": "%b"}],"role": "model"},"index": 0}],"usageMetadata": '
                b'{"promptTokenCount": 5,"candidatesTokenCount": %d,"totalTokenCount": %d}%b,"responseId": "g"}\r\n\r\n'
                % (text, number, number + 5, more)
            )


def _data(value: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(value).encode() + end


def _named(value: dict[str, Any]) -> bytes:
    name: str = value["type"]
    return b"event: " + name.encode() + b"\n" + _data(value)


def begin(dialect: Dialect) -> bytes:
    match SPOKEN[dialect]:
        case Surface.CHAT:
            return _data({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        case Surface.RESPONSES:
            return _named({"type": "response.created", "response": {"id": "r", "model": "m", "status": "in_progress"}})
        case Surface.MESSAGES:
            message = {"id": "m", "model": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}
            block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            return _named({"type": "message_start", "message": message}) + _named(block)
        case _:
            return b""


def end(dialect: Dialect) -> bytes:
    match SPOKEN[dialect]:
        case Surface.CHAT:
            return _data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"
        case Surface.RESPONSES:
            return _named({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}})
        case Surface.MESSAGES:
            stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
            return _named({"type": "content_block_stop", "index": 0}) + _named(stop) + _named({"type": "message_stop"})
        case _:
            return _data({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}, b"\r\n\r\n")


INSIDES: Final = (
    *(b"a", b"Hello there", "é".encode(), "\u2028😀".encode(), b"\\n", b'\\"', b"\\\\", b"\\/", b"\\u0000", b"\\u00e9", b"\\u003cb\\u003e"),
    *(b"\\ud83d\\ude00", b"[DONE]", b"\x7f", b"data: x", b"|", b'\\"},', b"\\\\\\\\", b"%d%b%%", b"tab\\t", b"{}", b"0", b" "),
    *(b'\\"delta\\":{\\"content\\":\\"x\\"', b"\xef\xbb\xbf"),
)
# No inside of a JSON string, or none that may follow on another: harm that both ways have to see alike.
ODD: Final = (
    *(b"", b'"', b"\\", b"\\\\\\", b"\\x", b"\\u12", b"\\ud83d", b"\\ude00", b"\x00", b"\x1f", b"\xff", b"\xe2\x82", b"\xac", b"\xc0\x80"),
    *(b'a","text":"b', b'a","content":"b', b'a","delta":"b', b'"},"x":{"a":"', b"\t", b"\xed\xa0\x80", b'x"}', b"a\rb", b"a\nb", b"a\n\nb"),
)
MORE: Final = (
    *(b"", b',"x":1', b',"content":"y"', b',"text":"y"', b',"delta":"y"', b',"error":null', b',"error":{"message":"no"}', b',"usage":null'),
    *(b',"choices":[]', b',"sequence_number":01', b',"type":"ping"', b',"finish_reason":"stop"', b',"index":1', b',"candidates":[]', b",}"),
)


def between(dialect: Dialect) -> tuple[bytes, ...]:
    """What may stand between two text events."""
    own = event(dialect, b"x")
    return (
        *(b": a comment\n\n", b"\n\n", b"\r\n\r\n", b"data:\n\n", b"id: 7\n\n", b"event: ping\ndata: {}\n\n", b"data: [DONE]\n\n"),
        *(own.replace(b"data: ", b"data:"), own.replace(b"\r\n", b"\n"), own.replace(b"\n", b"\r\n"), own.replace(b"\n", b"\r")),
        *(own.replace(b'"index"', b'"Index"'), own.replace(b'{"', b'{ "', 1), b"id: 1\n" + own, own.replace(b"}", b"}}", 1)),
        *(own.replace(b'"text":', b'"text" :'), own.replace(b'"content":', b'"content" :'), b"data: {}\n\n", b"event: x\n", own[:-1]),
        *(
            own.replace(b":0", b":1"),
            own.replace(b": 5", b": 05"),
            own.replace(b'_number":0', b'_number":00'),
            own.replace(b": 5", b": -5"),
        ),
        *(own.replace(b": 5", b": 5.0"), own.replace(b'"role": "model"', b'"role": "model","x": 1'), end(dialect), begin(dialect)),
        *(own.replace(b'"promptTokenCount": 5,', b""), own.replace(b": 5", b": 777"), b"data: \xff\n\n"),
        *(own.replace(b'"text"', b'"thought": true,"text"'), own.replace(b'"content"', b'"reasoning_content"')),
    )


@st.composite
def bodies(draw: st.DrawFn, dialect: Dialect) -> bytes:
    found = [begin(dialect)]
    others = between(dialect)
    for number in range(draw(st.integers(0, 14))):
        match draw(st.integers(0, 11)):
            case 0:
                found.append(draw(st.sampled_from(others)))
            case 1:
                found.append(event(dialect, draw(st.sampled_from(ODD)), number=number))
            case 2:
                found.append(event(dialect, b"z", number=number, more=draw(st.sampled_from(MORE))))
            case _:
                free = st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace"))
                text = draw(st.sampled_from(INSIDES) | free)
                found.append(event(dialect, text, number=draw(st.sampled_from([number, 0]))))
    return b"".join(found) + (end(dialect) if draw(st.booleans()) else b"")


@EACH
@settings(max_examples=40)
@given(data=st.data())
def test_any_stream_at_any_split(dialect: Dialect, client: Surface, array: bool, data: st.DataObject) -> None:
    body = data.draw(bodies(dialect))
    alike(dialect, client, [body], array=array)
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    alike(dialect, client, cut(body, places), array=array)
    alike(dialect, client, cut(body, places), array=array, shortest=translator.SHORTEST_RUN)
    alike(dialect, client, by_event(body), array=array, shortest=translator.SHORTEST_RUN)


@EACH
@settings(max_examples=15)
@given(data=st.data())
def test_any_answer(dialect: Dialect, client: Surface, array: bool, data: st.DataObject) -> None:
    said = data.draw(made.answers(SPOKEN[dialect]))
    body = made.stream(SPOKEN[dialect], said, data.draw(st.sampled_from([1, 2, 50])))
    if SPOKEN[dialect] is Surface.GEMINI:
        body = body.replace(b"\n", b"\r\n")
    alike(dialect, client, [body], array=array)
    alike(dialect, client, by_size(body, data.draw(st.integers(1, 400))), array=array)


@EACH
def test_each_odd_text_alone_among_others_at_every_split(dialect: Dialect, client: Surface, array: bool) -> None:
    for place, text in enumerate((*INSIDES, *ODD)):
        parts = [begin(dialect), *(event(dialect, each, number=number) for number, each in enumerate([b"a", b"b", b"c", text, b"d", text]))]
        body = b"".join(parts) + end(dialect)
        for at in range(place % 41, len(body), 41):
            alike(dialect, client, cut(body, [at]), array=array, name=f"{text!r} at {at}")
        alike(dialect, client, [*parts, end(dialect)], array=array, name=f"{text!r} alone", shortest=translator.SHORTEST_RUN)


@EACH
def test_what_stands_between_changes_nothing(dialect: Dialect, client: Surface, array: bool) -> None:
    texts = [event(dialect, b"t%d" % number, number=number) for number in range(5)]
    for other in (*between(dialect), *(event(dialect, b"z", number=3, more=more) for more in MORE)):
        body = b"".join([begin(dialect), *texts, other, *texts, other, *texts, end(dialect)])
        alike(dialect, client, [body], array=array, name=repr(other))
        alike(dialect, client, by_size(body, 150), array=array, name=repr(other))
        reads = [begin(dialect), *texts, other, *texts, other, *texts, end(dialect)]
        alike(dialect, client, reads, array=array, name=repr(other), shortest=translator.SHORTEST_RUN)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_run_is_taken_whole(dialect: Dialect, taken: list[int]) -> None:
    client = next(client for each, client in DIRECTIONS if each is dialect)
    body = begin(dialect) + b"".join(event(dialect, b"some text %d\\n" % number, number=number) for number in range(100)) + end(dialect)
    told = alike(dialect, client, [body])
    assert isinstance(told.end, Ended)
    assert max(taken) >= 98
    assert told.content_bytes >= 100 * len(b"some text 1\n")


@pytest.mark.parametrize("dialect", Dialect)
def test_a_run_is_taken_whole_after_short_reads(dialect: Dialect, taken: list[int]) -> None:
    client = next(client for each, client in DIRECTIONS if each is dialect)
    texts = [event(dialect, b"text %d" % number) for number in range(60)]
    alike(dialect, client, [begin(dialect), *texts[:9], b"".join(texts[9:]) + end(dialect)], shortest=translator.SHORTEST_RUN)
    assert max(taken) >= 50


@pytest.mark.parametrize("client", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES])
def test_thoughts_of_gemini_are_taken_too(client: Surface, taken: list[int]) -> None:
    thoughts = [event(Dialect.GEMINI, b"thought %d" % number, number=number) for number in range(40)]
    thought, said = b"".join(thoughts).replace(b'"text"', b'"thought": true,"text"'), b"".join(thoughts) + end(Dialect.GEMINI)
    told = alike(Dialect.GEMINI, client, [thought, said])
    assert len([count for count in taken if count > 35]) == 2
    assert isinstance(told.keepsakes, Answer)
    alike(Dialect.GEMINI, client, by_size(thought + said, 1_500))


def test_a_stream_of_odd_texts_is_not_looked_at_for_ever(taken: list[int]) -> None:
    """One that is not taken costs a look at all that is left of its read."""
    texts = [b"\\u00e9" if number % 2 else b"e" for number in range(2_000)]
    body = begin(Dialect.MESSAGES) + b"".join(event(Dialect.MESSAGES, text) for text in texts) + end(Dialect.MESSAGES)
    alike(Dialect.MESSAGES, Surface.CHAT, [body])
    assert len(taken) < 10


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ([b"a", b"b"], "ab"),
        (["é".encode(), b"\\n"], "é\n"),
        ([b"", b"b"], None),
        ([b"\\", b"n"], None),
        ([b"\\", b'","'], None),
        ([b"\\ud83d", b"\\ude00"], None),
        ([b"\xc3", b"\xa9"], None),
        ([b"\\u00e9"], None),
        ([b"\\/"], None),
        ([b'a","b'], None),
        ([b'a"', b'"b'], None),
        ([b"a\nb"], None),
        ([b"\\\\", b"n"], "\\n"),
    ],
)
def test_texts_are_taken_only_if_each_is_one_as_it_would_be_written(inside: list[bytes], said: str | None) -> None:
    assert glue._said(inside) == said
