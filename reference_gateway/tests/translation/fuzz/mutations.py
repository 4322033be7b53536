"""What may happen to an upstream's stream: harmless changes, which a client must not notice, and harm of every kind.

A mutation takes the random numbers and the bytes, and gives bytes. All that is random comes from there, so that a seed is a stream.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from reference_gateway.tests.translation.fuzz.streams import frames

Random = random.Random
Mutation = Callable[[Random, bytes], bytes]

_TEXTS: Final = (
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "\u2028",
    "\ufeff",
    "é" * 9,
    "😀",
    "[DONE]",
    "data: x\n\n",
    "\r\n\r\n",
    '"}',
    "\\",
    "",
    " ",
)
_NUMBERS: Final = (
    "-1",
    "0",
    "1e400",
    "-0.0",
    "1.5",
    "NaN",
    "Infinity",
    "1" + "0" * 400,
    str(2**31),
    str(2**63),
    str(2**64),
    "-" + "9" * 30,
)
_VALUES: Final[tuple[Any, ...]] = (None, True, False, 0, -1, 1.5, "", "x", [], {}, [None], [[]], {"type": None}, [{"index": 0}], {"": ""})
_WORDS: Final = ("stop", "error", "tool_use", "text", "message_stop", "response.completed", "response.failed", "STOP", "tool_calls", "ping")
_BAD_UTF8: Final = (b"\xff", b"\xc3(", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80")
_GARBAGE: Final = (
    b"<html><body>502 Bad Gateway</body></html>",
    b"data: \n\n",
    b"data:\n\n",
    b"data: [DONE]\n\n",
    b"data: null\n\n",
    b"data: []\n\n",
    b"data: {}\n\n",
    b'data: "x"\n\n',
    b"data: {\n\n",
    b"event: error\n\n",
    b"event: error\ndata: {}\n\n",
    b"event: error\ndata: no JSON\n\n",
    b"event: message_stop\ndata: \n\n",
    b"\x00\x00\x00",
    b"\n" * 50,
    b"\r" * 3,
    b": comment\n",
    b"id: 7\nretry: 10\n\n",
)
_ERRORS: Final = (
    b'data: {"error":{"message":"The server had an error","type":"server_error","code":null,"param":null}}\n\n',
    b'data: {"error":"no object"}\n\n',
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
    b'event: error\ndata: {"type":"error","code":"server_error","message":"x","param":null,"sequence_number":3}\n\n',
    b'event: response.failed\ndata: {"type":"response.failed","response":{"status":"failed","error":{"code":"x","message":"y"}}}\n\n',
    b'data: {"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}\n\n',
)


# harmless: the standard of server-sent events, and what vendors reserve to themselves


def line_ends(random: Random, body: bytes) -> bytes:
    """Another one for each event."""
    ends = random.choice([(b"\n",), (b"\r\n",), (b"\r",), (b"\n", b"\r\n", b"\r")])
    return b"".join(frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", random.choice(ends)) for frame in frames(body))


def comments(random: Random, body: bytes) -> bytes:
    keep_alives = (b": keep-alive\n\n", b":\n\n", b": ping\r\n\r\n", b"\n", b"\n\n\n", b"retry: 3000\n\n", b"id: 1\n\n")
    return b"".join(random.choice(keep_alives) * random.randrange(3) + frame for frame in frames(body))


def no_spaces(random: Random, body: bytes) -> bytes:
    return b"".join(
        b"".join(_no_space(line) if random.random() < 0.5 else line for line in frame.splitlines(keepends=True)) for frame in frames(body)
    )


def _no_space(line: bytes) -> bytes:
    name, colon, value = line.partition(b": ")
    return name + b":" + value if colon and name in (b"data", b"event") and not value.startswith(b" ") else line


def spelling(random: Random, body: bytes) -> bytes:
    """The same JSON with other white space and escapes."""
    ascii_only, separators = random.random() < 0.5, random.choice([(",", ":"), (", ", ": "), (" ,", " : ")])
    return _each_json(body, lambda value: json.dumps(value, ensure_ascii=ascii_only, separators=separators))


def unknown_members(random: Random, body: bytes) -> bytes:
    def more(value: Any) -> str:
        if isinstance(value, dict):
            extra = {"x_new": random.choice([None, 1, "x", {"type": "x"}, ["y"]]), "obfuscation": "a" * random.randrange(9)}
            value = {**extra, **value} if random.random() < 0.5 else {**value, **extra}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    return _each_json(body, more)


def bom(random: Random, body: bytes) -> bytes:
    return body if body.startswith(b"\xef\xbb\xbf") else b"\xef\xbb\xbf" + body


HARMLESS: Final[tuple[Mutation, ...]] = (line_ends, comments, no_spaces, spelling, unknown_members, bom)


# harm


def flip(random: Random, body: bytes) -> bytes:
    found = bytearray(body)
    for _ in range(random.choice([1, 1, 1, 2, 4, 16])):
        if found:
            found[random.randrange(len(found))] = random.choice([random.randrange(256), *b'"{}[],:\\\n\r 0'])
    return bytes(found)


def cut(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def cut_late(random: Random, body: bytes) -> bytes:
    return body[: max(0, len(body) - random.randrange(400))]


def cut_between(random: Random, body: bytes) -> bytes:
    found = frames(body)
    return b"".join(found[: random.randrange(len(found) + 1)])


def cut_head(random: Random, body: bytes) -> bytes:
    return body[random.randrange(len(body) + 1) :]


def hole(random: Random, body: bytes) -> bytes:
    start = random.randrange(len(body) + 1)
    return body[:start] + body[start + random.choice([1, 2, 9, 99, 999]) :]


def drop(random: Random, body: bytes) -> bytes:
    found = frames(body)
    for _ in range(random.choice([1, 1, 2, 5])):
        if found:
            del found[random.randrange(len(found))]
    return b"".join(found)


def duplicate(random: Random, body: bytes) -> bytes:
    found = frames(body)
    for _ in range(random.choice([1, 1, 3])):
        if found:
            place = random.randrange(len(found))
            found.insert(random.choice([place, random.randrange(len(found) + 1)]), found[place])
    return b"".join(found)


def reorder(random: Random, body: bytes) -> bytes:
    found = frames(body)
    if len(found) > 1:
        start = random.randrange(len(found) - 1)
        window = found[start : start + random.choice([2, 2, 3, 8, len(found)])]
        random.shuffle(window)
        found[start : start + len(window)] = window
    return b"".join(found)


def twice(random: Random, body: bytes) -> bytes:
    return body + body[random.choice([0, random.randrange(len(body) + 1)]) :]


def wrong_type(random: Random, body: bytes) -> bytes:
    return _change(random, body, lambda at: random.choice(_VALUES))


def wrong_word(random: Random, body: bytes) -> bytes:
    return _change(random, body, lambda at: random.choice(_WORDS) if isinstance(at, str) else at, strings=True)


def odd_text(random: Random, body: bytes) -> bytes:
    def odd(at: Any) -> Any:
        if not isinstance(at, str):
            return at
        place = random.randrange(len(at) + 1)
        return at[:place] + random.choice(_TEXTS) * random.choice([1, 1, 7]) + at[place:]

    return _change(random, body, odd, strings=True)


def long_text(random: Random, body: bytes) -> bytes:
    size = random.choice([2_000, 70_000])
    return _change(random, body, lambda at: at + '\u00e9\U0001f600 "x' * (size // 5) if isinstance(at, str) else at, strings=True)


def no_member(random: Random, body: bytes) -> bytes:
    return _change(random, body, lambda at: {key: value for key, value in at.items() if random.random() < 0.7}, objects=True)


def other_name(random: Random, body: bytes) -> bytes:
    def renamed(at: Any) -> Any:
        name = random.choice([*at, ""])
        return {random.choice(["x", key.upper(), key + "_"]) if key == name else key: value for key, value in at.items()}

    return _change(random, body, renamed, objects=True)


def number(random: Random, body: bytes) -> bytes:
    """In the place of a value: numbers that Python would not write."""
    return _change(random, body, lambda at: "@@").replace(b'"@@"', random.choice(_NUMBERS).encode())


def deep(random: Random, body: bytes) -> bytes:
    depth = random.choice([50, 600, 1_100, 20_000, 100_000])
    begin, end = random.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"type":"text","a":', b"}]")])
    nest = begin * depth + b"1" + random.choice([end * depth, b""])
    return _change(random, body, lambda at: "@@").replace(b'"@@"', nest, 1)


def bad_utf8(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body) + 1)
    if random.random() < 0.7:  # within a text
        place = body.find(b'"', place) + 1 or place
    return body[:place] + random.choice(_BAD_UTF8) + body[place:]


def nul(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body) + 1)
    return body[:place] + random.choice([b"\x00", b"\\u0000", b"\x00" * 40]) + body[place:]


def surrogate(random: Random, body: bytes) -> bytes:
    place = body.find(b'"', random.randrange(len(body) + 1)) + 1
    return body[:place] + random.choice([b"\\ud83d", b"\\ude00", b"\\udfff\\ud800", b"\\ud83d\\u0041"]) + body[place:]


def broken_lines(random: Random, body: bytes) -> bytes:
    """Line ends where none belong, or others than belong there."""
    found = body.split(b"\n")
    return b"".join(part + random.choice([b"\n", b"\n", b"\n", b"\r", b"\r\n", b"\n\r", b""]) for part in found)


def garbage(random: Random, body: bytes) -> bytes:
    found = frames(body)
    found.insert(random.randrange(len(found) + 1), random.choice(_GARBAGE))
    return b"".join(found)


def error_event(random: Random, body: bytes) -> bytes:
    found = frames(body)
    found.insert(random.randrange(len(found) + 1), random.choice(_ERRORS))
    return b"".join(found)


def nothing(random: Random, body: bytes) -> bytes:
    return random.choice([b"", b"\n", b"\r\n\r\n", b"data", b"data: ", b"\xef\xbb", b"{", b"[", b"[]", b"{}", b"[{}", b"null", b"<html>"])


def as_json(random: Random, body: bytes) -> bytes:
    """Not as events but as the array of them, whole or cut."""
    values = [value for frame in frames(body) if (value := frame.partition(b"data: ")[2].strip())]
    return b"[" + b",\r\n".join(values) + random.choice([b"]", b""])


HARM: Final[tuple[Mutation, ...]] = (
    *(flip, flip, cut, cut, cut_late, cut_between, cut_head, hole, drop, drop, duplicate, reorder, reorder, twice),
    *(wrong_type, wrong_type, wrong_word, odd_text, no_member, no_member, other_name, number, deep, bad_utf8, nul, surrogate),
    *(broken_lines, garbage, error_event),
)
SELDOM: Final[tuple[Mutation, ...]] = (nothing, as_json, long_text)


def harm(random: Random, body: bytes) -> tuple[bytes, list[str]]:
    """One to three mutations, and their names."""
    names = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        mutation = random.choice(SELDOM if random.random() < 0.03 else HARM)
        body = mutation(random, body)
        names.append(mutation.__name__)
    return body, names


def reads(random: Random, body: bytes) -> list[bytes]:
    """The body cut into reads anywhere."""
    most = random.choice([0, 1, 3, 20, 200])
    cuts = sorted({random.randrange(len(body) + 1) for _ in range(most)})
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


# JSON inside events


def _each_json(body: bytes, spelled: Callable[[Any], str]) -> bytes:
    """Every event of one data line whose data is JSON, spelled anew."""
    out = []
    for frame in frames(body):
        lines = frame.splitlines(keepends=True)
        for place, line in enumerate(lines):
            if line.startswith(b"data: ") and sum(each.startswith(b"data:") for each in lines) == 1:
                end = line[len(line.rstrip(b"\r\n")) :]
                try:
                    value = json.loads(line[6:])
                except (ValueError, RecursionError):
                    continue
                lines[place] = b"data: " + spelled(value).encode("utf-8", "surrogatepass") + end
        out += lines
    return b"".join(out)


def _change(random: Random, body: bytes, to: Callable[[Any], Any], *, strings: bool = False, objects: bool = False) -> bytes:
    """One value somewhere in one event's JSON becomes another; the body as it was where there is none."""
    found = frames(body)
    places = [place for place, frame in enumerate(found) if b"{" in frame]
    if not places:
        return body
    place = random.choice(places)
    head, colon, data = found[place].partition(b"data: ")
    try:
        value = [json.loads(data)]
    except (ValueError, RecursionError):
        return body
    spots: list[tuple[Any, Any]] = []
    _spots(value, spots)
    if strings:
        spots = [(at, key) for at, key in spots if isinstance(at[key], str)]
    if objects:
        spots = [(at, key) for at, key in spots if isinstance(at[key], dict)]
    if not spots:
        return body
    at, key = random.choice(spots)
    at[key] = to(at[key])
    text = json.dumps(value[0], ensure_ascii=random.random() < 0.5, separators=(",", ":"))
    found[place] = head + colon + text.encode("utf-8", "surrogatepass") + b"\n\n"
    return b"".join(found)


def _spots(value: Any, into: list[tuple[Any, Any]]) -> None:
    keys: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        into.append((value, key))
        _spots(value[key], into)
