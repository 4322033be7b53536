"""JSON text to values and back, with what json modules throw away: how a number was spelled, the key order, a key that stands twice.

Source: RFC 8259. Layouts are counted from recorded traffic (one Style each below).
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from harness.wire.wire_error import WireError

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    Json = Any  # a struct resolves its annotations at run time, which a recursive name would send round in a circle

MAX_DEPTH: Final = 200  # arrays and objects inside each other; deeper text is refused rather than met with a RecursionError


class Spelled(float):
    """A number that Python would spell another way than its sender did: 1E5, 0.10, -0, 5.829126566113866e-6, 1e400."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Spelled":
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type["Spelled"], tuple[str]]:
        return Spelled, (self.text,)


class RepeatedKeys(dict[str, Json]):
    """An object in which a key stands twice. As a dict it holds the last value of each; `pairs` is what stood there."""

    def __init__(self, pairs: list[tuple[str, Json]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    @property
    def repeated(self) -> tuple[str, ...]:
        seen: set[str] = set()
        return tuple(dict.fromkeys(key for key, _ in self.pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a sender lays JSON out."""

    comma: str = ","
    colon: str = ":"
    indent: int | None = None  # None: one line
    end: str = ""  # what follows the last brace
    ascii_only: bool = False  # every character beyond ASCII as \\uXXXX
    escaped: str = ""  # characters that are written as \\uXXXX though JSON would not ask for it


TIGHT: Final = Style()
TIGHT_NEWLINE: Final = Style(end="\n")
PRETTY: Final = Style(colon=": ", indent=2)
PRETTY_NEWLINE: Final = Style(colon=": ", indent=2, end="\n")
PRETTY_ASCII: Final = Style(colon=": ", indent=2, ascii_only=True)
PRETTY_4: Final = Style(colon=": ", indent=4, end="\n")
SPACED: Final = Style(comma=", ", colon=": ")
GEMINI_SSE: Final = Style(colon=": ", escaped="<>")
GEMINI_BODY: Final = Style(colon=": ", indent=2, end="\n", escaped="<>")


def read(text: str | bytes) -> Json:
    """One JSON text. Anything else is a WireError with the byte offset where reading ended."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as wrong:
            raise WireError("not UTF-8", offset=wrong.start) from None
    _refuse_deep(text)
    try:
        return _DECODER.decode(text)  # type: ignore[no-any-return]
    except json.JSONDecodeError as wrong:
        raise WireError(f"not JSON: {wrong.msg}", offset=len(text[: wrong.pos].encode(errors="surrogatepass"))) from None
    except _NoNumberError as wrong:
        offset = len(text[: max(text.find(str(wrong)), 0)].encode(errors="surrogatepass"))
        raise WireError(f"not JSON: {wrong} is no JSON number", offset=offset) from None


def write(value: Json, style: Style = TIGHT) -> str:
    """The value in a sender's layout. A float that JSON has no number for is a ValueError."""
    parts: list[str] = []
    quote = _quoter(style)
    _write(value, style, quote, parts.append, "" if style.indent is None else "\n")
    parts.append(style.end)
    return "".join(parts)


def write_bytes(value: Json, style: Style = TIGHT) -> bytes:
    return to_bytes(write(value, style))


def to_bytes(text: str) -> bytes:
    """UTF-8; a lone surrogate, which UTF-8 has no bytes for, goes back to the escape it came as."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def repeated_keys(value: Json, pointer: str = "") -> Iterable[str]:
    """The JSON pointer of each key that stands twice in its object, anywhere in the value."""
    if isinstance(value, dict):
        if isinstance(value, RepeatedKeys):
            yield from (f"{pointer}/{escape(key)}" for key in value.repeated)
        for key, item in value.items():
            yield from repeated_keys(item, f"{pointer}/{escape(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from repeated_keys(item, f"{pointer}/{index}")


def escape(key: str) -> str:
    """A key as one step of a JSON pointer. Source: RFC 6901, 3."""
    return key.replace("~", "~0").replace("/", "~1")


class _NoNumberError(ValueError):
    pass


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else RepeatedKeys(pairs)


def _float(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else Spelled(text)


def _int(text: str) -> int | float:
    if text == "-0" or len(text) > 1000:
        return Spelled(text)
    return int(text)


def _constant(text: str) -> Json:
    raise _NoNumberError(text)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # a string is passed over in one piece


def _refuse_deep(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _BRACKET.finditer(text):
        match found[0]:
            case "[" | "{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise WireError(f"nested deeper than {MAX_DEPTH}", offset=len(text[: found.start()].encode(errors="surrogatepass")))
            case "]" | "}":
                depth -= 1


def _quoter(style: Style) -> Callable[[str], str]:
    quote: Callable[[str], str] = encode_basestring_ascii if style.ascii_only else encode_basestring
    if not style.escaped:
        return quote
    escapes = [(character, f"\\u{ord(character):04x}") for character in style.escaped]

    def quote_and_escape(text: str) -> str:
        quoted = quote(text)
        for character, escape_sequence in escapes:
            quoted = quoted.replace(character, escape_sequence)
        return quoted

    return quote_and_escape


def _write(value: Json, style: Style, quote: Callable[[str], str], put: Callable[[str], None], newline: str) -> None:
    """`newline` is the line end and indent of the value itself, `""` where all stands on one line."""
    kind = type(value)
    if kind is str:
        put(quote(value))  # type: ignore[arg-type]  # narrowed by kind, which is quicker than isinstance
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, dict):
        pairs = value.pairs if isinstance(value, RepeatedKeys) else value.items()
        if not pairs:
            put("{}")
            return
        inner = newline and newline + " " * (style.indent or 0)
        lead = "{" + inner
        for key, item in pairs:
            put(lead)
            put(quote(key))
            put(style.colon)
            _write(item, style, quote, put, inner)
            lead = style.comma + inner
        put(newline + "}")
    elif isinstance(value, (list, tuple)):
        if not value:
            put("[]")
            return
        inner = newline and newline + " " * (style.indent or 0)
        lead = "[" + inner
        for item in value:
            put(lead)
            _write(item, style, quote, put, inner)
            lead = style.comma + inner
        put(newline + "]")
    elif kind is float and value - value != 0:  # type: ignore[operator]  # infinite or not a number
        raise ValueError(f"JSON has no number for {value}: send null or a string")
    else:
        put(repr(value))
