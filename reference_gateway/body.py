"""What the gateway reads in a request body, and the one thing it may change there: the model's name, in place.

The body is never parsed into objects and written again; unread members are only skipped over.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from reference_gateway.billing.prices import Prices
from reference_gateway.catalog import Model
from reference_gateway.errors import INVALID_REQUEST, Family, Refusal
from reference_gateway.routes import Surface

ABSENT: Final = msgspec.Raw(b"")


class _Members(msgspec.Struct):
    """The members of the three JSON protocols that decide on route and hold.

    Of any type, since judging the rest is the vendor's business.
    """

    model: Any = None
    stream: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None
    generationConfig: Any = None  # noqa: N815 (gemini's spelling)
    logprobs: Any = None
    top_logprobs: Any = None
    response_format: Any = None
    # What tells one conversation from another (routing/sticky.py). Raw: skipped over, not parsed.
    prompt_cache_key: Any = None
    previous_response_id: Any = None
    metadata: Any = None
    system: msgspec.Raw = ABSENT
    instructions: msgspec.Raw = ABSENT
    systemInstruction: msgspec.Raw = ABSENT  # noqa: N815
    messages: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT
    contents: msgspec.Raw = ABSENT


class Facts(msgspec.Struct, frozen=True, kw_only=True):  # one a request: a frozen dataclass takes five times as long to make
    """`model` is None where the body names none (gemini has it in the path). `output_cap` is tokens for one choice."""

    model: str | None
    model_span: tuple[int, int]  # of the JSON string in the body, quotes included
    stream: bool
    output_cap: int | None
    choices: int
    logprobs: bool = False  # asked for
    response_format: bool = False  # on responses, where it is no field of the vendor's
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None
    session: str | None = None  # what the caller calls the conversation
    opening: tuple[msgspec.Raw, msgspec.Raw] = (ABSENT, ABSENT)  # the JSON of system prompt and conversation, unparsed


class Usual(msgspec.Struct):
    """A request on chat or messages as it nearly always is; what is of another type, or must be null here, is for `read` to see."""

    model: str
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    prompt_cache_key: None = None
    logprobs: bool | None = None
    top_logprobs: None = None
    messages: msgspec.Raw = ABSENT
    tools: msgspec.Raw = ABSENT
    functions: msgspec.Raw = ABSENT


_DECODE: Final = msgspec.json.Decoder(_Members).decode
_DECODE_USUAL: Final = msgspec.json.Decoder(Usual).decode
_MODEL: Final = re.compile(rb'"model"\s*:\s*("[^"\\]*")')
_MESSAGES: Final = re.compile(rb'"messages"\s*:\s*')
_CACHE_KEY: Final = re.compile(rb'"prompt_cache_key"\s*:\s*("(?:[^"\\]|\\.)*")')
# A key may be spelled with escapes; then only a whole scan can say which members are called so.
_ESCAPED: Final = re.compile(rb"\\u00(?:5[fF]|[67][0-9a-fA-F])")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]')
NO_SPAN: Final = (0, 0)
LARGE: Final = 16 * 1024
NEAR: Final = 4 * 1024


def read(body: bytes, surface: Surface) -> Facts:
    """Raises Refusal (400) for a body that is not a JSON object, names no model, or names it twice."""
    try:
        members = _DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(INVALID_REQUEST, f"The request body is not a JSON object: {error}.") from None
    if surface is Surface.GEMINI:
        config = members.generationConfig
        cap = config.get("maxOutputTokens", config.get("max_output_tokens")) if isinstance(config, dict) else None
        choices = config.get("candidateCount") if isinstance(config, dict) else None
        return Facts(
            model=None,
            model_span=NO_SPAN,
            stream=False,
            output_cap=_count(cap),
            choices=_count(choices) or 1,
            logprobs=isinstance(config, dict) and config.get("responseLogprobs") is True,
            opening=(members.systemInstruction, members.contents),
        )
    if not isinstance(members.model, str) or not members.model:
        raise Refusal(INVALID_REQUEST, "model must be a string that names a model.", param="model")
    return Facts(
        model=members.model,
        model_span=_model_span(body, members.model),
        stream=members.stream is True,
        output_cap=_output_cap(members, surface),
        choices=(_count(members.n) or 1) if surface is Surface.CHAT else 1,
        logprobs=members.logprobs is True or members.top_logprobs not in (None, 0),
        response_format=members.response_format is not None and surface is Surface.RESPONSES,
        prompt_cache_key=_name(members.prompt_cache_key) if surface.family is Family.OPENAI else None,
        previous_response_id=_name(members.previous_response_id) if surface is Surface.RESPONSES else None,
        session=_session(members, surface),
        opening=(members.instructions, members.input) if surface is Surface.RESPONSES else (members.system, members.messages),
    )


def usual(body: bytes) -> tuple[Usual, tuple[int, int]] | None:
    """The members, and where the model's name stands; None for a request that `read` has to look at."""
    try:
        members = _DECODE_USUAL(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    span = _span_beside(body, members.messages) if len(body) > LARGE else _usual_span(body)
    return None if span is None or members.logprobs else (members, span)


def _output_cap(members: _Members, surface: Surface) -> int | None:
    match surface:
        case Surface.CHAT:
            cap = _count(members.max_completion_tokens)
            return cap if cap is not None else _count(members.max_tokens)
        case Surface.MESSAGES:
            return _count(members.max_tokens)
        case Surface.RESPONSES:
            return _count(members.max_output_tokens)
        case _:
            return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _session(members: _Members, surface: Surface) -> str | None:
    if surface.family is Family.OPENAI:
        return _name(members.prompt_cache_key)
    return _name(members.metadata.get("user_id")) if isinstance(members.metadata, dict) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _model_span(body: bytes, model: str) -> tuple[int, int]:
    """Where the value of the top-level `model` stands. One that stands twice is refused: gateway and vendor might each believe another."""
    usual_span = _usual_span(body)
    if usual_span is not None:
        return usual_span
    spans = top_level_spans(body, "model")
    if len(spans) != 1:
        raise Refusal(INVALID_REQUEST, "model must stand in the request once.", param="model")
    start, end = spans[0]
    if json.loads(body[start:end]) != model:
        raise Refusal(INVALID_REQUEST, "model must stand in the request once.", param="model")
    return spans[0]


def _usual_span(body: bytes) -> tuple[int, int] | None:
    """Of a name that obviously stands once."""
    if len(body) > LARGE:
        at = _only_model_of_large(body)
    else:
        at = body.find(b'"model"')
        if body.find(b'"model"', at + 7) >= 0 or (b"\\u00" in body and _ESCAPED.search(body) is not None):
            return None
    match = _MODEL.match(body, at) if at >= 0 else None
    return match.span(1) if match is not None else None


def _span_beside(body: bytes, messages: msgspec.Raw) -> tuple[int, int] | None:
    """As `_usual_span`, of a long body most of which are its messages: they are passed over, since they are known already."""
    at = body.find(b'"messages"', 0, NEAR)
    key = _MESSAGES.match(body, at) if at >= 0 and _depth(body[:at]) == 1 else None
    if key is None or not body.startswith(messages, key.end()):  # of two such keys the last is what was read
        return _usual_span(body)
    start, size = key.end(), memoryview(messages).nbytes
    span = _usual_span(b"%b[]%b" % (body[:start], body[start + size :]))
    if span is None:
        return _usual_span(body)
    return span if span[0] < start else (span[0] + size - 2, span[1] + size - 2)


class _Key(str):
    """A key at depth 1."""

    __slots__ = ()


_keys_seen: list[str] = []


def _see(kind: type, key: str) -> _Key:
    _keys_seen.append(key)
    return _Key(key)


_KEYS: Final = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=_see).decode


def _only_model_of_large(body: bytes) -> int:
    """Where the only key `model` at depth 1 begins; -1 where there are several, or where it is not close to either end.

    Searching all of a long body twice costs more than all else that is done with it; msgspec tells every key as it skips over the values.
    """
    _keys_seen.clear()
    _KEYS(body)
    if _keys_seen.count("model") != 1:
        return -1
    at = body.find(b'"model"', 0, NEAR)
    if at >= 0:
        return at if _depth(body[:at]) == 1 else -1
    at = body.rfind(b'"model"', len(body) - NEAR)
    return at if at >= 0 and _depth(body[at:]) == -1 else -1


def _depth(part: bytes) -> int:
    """Brackets opened and not closed in a beginning of a JSON text, or, negative, closed and not opened in an end of one."""
    tokens = [match[0] for match in _TOKEN.finditer(part)]
    return sum((token in (b"{", b"[")) - (token in (b"}", b"]")) for token in tokens)


def _has_escaped_keys(body: bytes) -> bool:
    """Whether any may be. The first search is a fast one and nearly always the only one."""
    return b"\\u00" in body and _ESCAPED.search(body) is not None


def cache_key_spans(body: bytes) -> list[tuple[int, int]]:
    """Where the value of the top-level `prompt_cache_key` stands, quotes included; the body has one that is a string."""
    if body.count(b'"prompt_cache_key"') == 1 and not _has_escaped_keys(body) and (match := _CACHE_KEY.search(body)) is not None:
        return [match.span(1)]
    return [(start, end) for start, end in top_level_spans(body, "prompt_cache_key") if body[start : start + 1] == b'"']


def top_level_spans(body: bytes, name: str) -> list[tuple[int, int]]:
    """The span of the value of every member at depth 1 whose key decodes to the name, as far as its first token (a string is one token).

    The body is known to be valid JSON.
    """
    spans = []
    depth, key, wanted = 0, b"", False
    for match in _TOKEN.finditer(body):
        token = match[0]
        if wanted and depth == 1:
            spans.append(match.span())
            wanted = False
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth != 1:
            continue
        elif token == b":":
            wanted = json.loads(key) == name
        elif token != b",":
            key = token
    return spans


def with_model(body: bytes, facts: Facts, upstream_id: str) -> bytes:
    """The same bytes but for the model's name."""
    if facts.model is None or facts.model == upstream_id:
        return body
    return renamed(body, facts.model_span, upstream_id)


def renamed(body: bytes, model_span: tuple[int, int], upstream_id: str) -> bytes:
    (start, end), view = model_span, memoryview(body)
    return b"".join((view[:start], msgspec.json.encode(upstream_id), view[end:]))


def is_json(data: bytes) -> bool:
    """An object or an array, as every vendor's error is."""
    try:
        return isinstance(msgspec.json.decode(data), (dict, list))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def hold_amount(body: bytes, facts: Facts, model: Model, prices: Prices) -> int:
    """The most this request is expected to cost, in micro-USD.

    Input by size at the dearest input price, output by its cap (4.2, "Hold size").

    A third of a token a byte is above what any of these tokenizers makes of ordinary text.
    """
    dearest = max(prices.input, prices.cache_write_5m)
    if prices.cache_write_1h > dearest and b'"1h"' in body:
        dearest = prices.cache_write_1h
    input_tokens = len(body) // 3 + 1
    cap, most = facts.output_cap, model.max_output_tokens
    output_tokens = (most if cap is None or cap > most else cap) * facts.choices
    return -(-(input_tokens * dearest + output_tokens * prices.output) // 1_000_000)


def estimate_input_tokens(body: bytes) -> int:
    """Tokens of the texts in a request, four characters each, rounded down.

    Only for a row flagged as estimated, so never in the gateway's favour.
    """

    def characters(value: object) -> int:
        if isinstance(value, str):
            return len(value)
        if isinstance(value, list):
            return sum(map(characters, value))
        if isinstance(value, dict):
            return sum(characters(item) for name, item in value.items() if name not in ("model", "role", "type", "data", "url"))
        return 0

    try:
        return characters(msgspec.json.decode(body)) // 4
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
