"""The law of the codecs on real traffic: decode then encode loses nothing, and from scratch they write what the vendor writes."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from harness.tests import corpus
from harness.wire import chat, errors, gemini, json_text, messages, responses, sse, typed

PROTOCOLS: dict[str, Any] = {"chat": chat, "responses": responses, "messages": messages, "gemini": gemini}
FAMILIES = {
    "chat": errors.Family.OPENAI,
    "responses": errors.Family.OPENAI,
    "messages": errors.Family.ANTHROPIC,
    "gemini": errors.Family.GOOGLE,
}
BODY_STYLES = {("azure-openai", "chat"): json_text.TIGHT_NEWLINE}  # all others as their protocol has it


def streams(api: str, fidelity: str | None = None) -> Iterator[corpus.Recorded]:
    return (exchange for exchange in corpus.exchanges(api=api, fidelity=fidelity) if exchange.is_sse)


def json_bodies(api: str, fidelity: str | None = None) -> Iterator[corpus.Recorded]:
    """The answers that are JSON; a proxy's plain text is none."""
    for exchange in corpus.exchanges(api=api, fidelity=fidelity):
        if not exchange.is_sse and exchange.body[:1] in (b"{", b"["):
            yield exchange


def spelled(text: str | bytes) -> str:
    """A JSON text in one layout, with its key order, nulls and number spelling: equal texts are the same value."""
    return json_text.write(json_text.read(text))


@pytest.mark.parametrize("api", PROTOCOLS)
def test_every_stream_is_its_frames_and_none_has_a_tail(api: str) -> None:
    for exchange in streams(api):
        frames, tail = sse.split(exchange.body)
        assert tail is None, exchange.id
        assert b"".join(frame.raw for frame in frames) == exchange.body
        assert not any(frame.invalid_utf8 or frame.bom or frame.unknown_fields for frame in frames), exchange.id


@pytest.mark.parametrize("api", PROTOCOLS)
def test_every_event_comes_back_with_its_framing_and_its_value(api: str) -> None:
    protocol = PROTOCOLS[api]
    events = 0
    for exchange in streams(api):
        for frame in sse.frames(exchange.body):
            event = protocol.decode_event(frame)
            (again,) = sse.frames(protocol.encode_event(event, framing=sse.framing(frame)))
            assert (again.event, again.line_ends, [(line.name, line.separator) for line in again.lines]) == (
                frame.event,
                frame.line_ends,
                [(line.name, line.separator) for line in frame.lines],
            ), exchange.id
            assert again.data == frame.data == chat.DONE or spelled(again.data or "") == spelled(frame.data or ""), exchange.id
            events += 1
    assert events > 150


@pytest.mark.parametrize("api", PROTOCOLS)
def test_every_exact_event_comes_back_byte_for_byte_in_the_vendors_style(api: str) -> None:
    protocol = PROTOCOLS[api]
    for exchange in streams(api, "exact"):
        for frame in sse.frames(exchange.body):
            assert protocol.encode_event(protocol.decode_event(frame)) == frame.raw, exchange.id


@pytest.mark.parametrize("api", PROTOCOLS)
def test_no_documented_field_of_real_traffic_has_a_type_we_did_not_declare(api: str) -> None:
    protocol = PROTOCOLS[api]
    for exchange in streams(api):
        for frame in sse.frames(exchange.body):
            event = protocol.decode_event(frame)
            assert not isinstance(event, typed.Wire) or not list(typed.misfits(event)), exchange.id


def decode_json(api: str, body: bytes) -> tuple[Any, ...] | None:
    """The typed answer or error of a JSON body; None for other objects of the same path, such as a list of input items."""
    value = json_text.read(body)
    if isinstance(value, list) and "error" not in value[0]:  # type: ignore[operator]  # an array holds objects
        return gemini.decode_array(body)
    if isinstance(value, list) or (isinstance(value, dict) and value.get("error")):
        return (errors.decode_body(body, FAMILIES[api]),)
    if api == "responses" and isinstance(value, dict) and value.get("object") != "response":
        return None
    return (PROTOCOLS[api].decode_body(body),)


@pytest.mark.parametrize("api", PROTOCOLS)
def test_every_json_body_comes_back_with_its_value(api: str) -> None:
    passed_over = Counter[bool]()
    for exchange in json_bodies(api):
        answers = decode_json(api, exchange.body)
        passed_over[answers is None] += 1
        if answers is None:
            continue
        written = "[" + ",".join(json_text.write(typed.plain(answer)) for answer in answers) + "]"
        whole = spelled(exchange.body)
        assert written == (whole if whole.startswith("[") else f"[{whole}]"), exchange.id
        assert not [misfit for answer in answers for misfit in typed.misfits(answer)], exchange.id
    assert passed_over[False] > 90
    assert passed_over[True] <= (5 if api == "responses" else 0)


@pytest.mark.parametrize("api", PROTOCOLS)
def test_every_exact_json_body_comes_back_byte_for_byte_in_the_vendors_style(api: str) -> None:
    for exchange in json_bodies(api, "exact"):
        answers = decode_json(api, exchange.body)
        if answers is None:
            continue
        if isinstance(answers[0], errors.Body):
            assert errors.encode_body(answers[0], errors.style_of(answers[0], of_chat=api == "chat")) == exchange.body, exchange.id
        elif exchange.body.startswith(b"["):
            assert gemini.encode_array(answers) == exchange.body, exchange.id
        else:
            style = BODY_STYLES.get((exchange.vendor, api), PROTOCOLS[api].BODY_STYLE)
            assert PROTOCOLS[api].encode_body(answers[0], style) == exchange.body, exchange.id


# Since when a vendor's streams have the key order that our structs declare; OpenAI changed responses several times until 2026-02.
SINCE = [
    ("anthropic", "messages", "2025-10"),
    ("deepseek", "chat", "2025"),
    ("google", "gemini", "2025"),
    ("openai", "chat", "2026"),
    ("openai", "responses", "2026-03"),
]


@pytest.mark.parametrize(("vendor", "api", "since"), SINCE)
def test_from_scratch_the_key_order_is_the_vendors(vendor: str, api: str, since: str) -> None:
    protocol = PROTOCOLS[api]
    written = Counter[bool]()
    for exchange in corpus.exchanges(vendor=vendor, api=api, fidelity="exact"):
        if (exchange.recorded_at or "") < since:
            continue
        if exchange.is_sse:
            for frame in sse.frames(exchange.body):
                event = protocol.decode_event(frame)
                if isinstance(event, typed.Wire):
                    assert protocol.encode_event(typed.in_declared_order(event)) == frame.raw, exchange.id
                    written[True] += 1
        elif exchange.status == 200 and exchange.body.startswith(b"{"):
            answer = (decode_json(api, exchange.body) or (None,))[0]
            if answer is not None:
                assert protocol.encode_body(typed.in_declared_order(answer)) == exchange.body, exchange.id
                written[False] += 1
    assert written[True] > 20, "events"
    assert written[False] > 5 or vendor in ("deepseek", "google"), "bodies"


@pytest.mark.parametrize("api", PROTOCOLS)
def test_every_stream_of_a_success_ends_in_its_terminal_event(api: str) -> None:
    protocol = PROTOCOLS[api]
    for exchange in streams(api, "exact"):
        frames = sse.frames(exchange.body)
        ends = [number for number, frame in enumerate(frames) if protocol.is_terminal(protocol.decode_event(frame))]
        assert ends == [len(frames) - 1], exchange.id


def answers_of(api: str) -> Iterator[Any]:
    for exchange in streams(api):
        yield from (PROTOCOLS[api].decode_event(frame) for frame in sse.frames(exchange.body))
    for exchange in json_bodies(api):
        yield from (answer for answer in decode_json(api, exchange.body) or () if not isinstance(answer, errors.Body))


@pytest.mark.parametrize(("api", "share"), [("chat", 1.0), ("responses", 1.0), ("gemini", 0.95)])
def test_the_classes_of_usage_add_up_to_the_stated_total(api: str, share: float) -> None:
    """Google's own arithmetic is off in some answers, and in the first chunks of a stream."""
    adds_up = Counter[bool]()
    for answer in answers_of(api):
        usage = PROTOCOLS[api].usage_of(answer)
        if usage is None or usage.total_tokens is None:
            continue
        classes = (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens)
        adds_up[sum(count or 0 for count in classes) == usage.total_tokens] += 1
        assert (usage.reasoning_tokens or 0) <= (usage.output_tokens or 0)
    assert adds_up[True] >= share * adds_up.total() > 100


def test_cache_writes_of_messages_are_those_for_5_minutes_and_for_1_hour() -> None:
    """Or the split says 0 and 0 beside a full count, as after server tools."""
    written = Counter[bool]()
    for answer in answers_of("messages"):
        usage = messages.usage_of(answer)
        if usage is None or usage.cache_write_5m_tokens is None or usage.cache_write_1h_tokens is None:
            continue
        assert usage.cache_write_5m_tokens + usage.cache_write_1h_tokens in (0, usage.cache_write_tokens)
        written[bool(usage.cache_write_tokens)] += 1
    assert written[True] > 5
