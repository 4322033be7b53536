"""What makes requests one conversation."""

import json
from typing import Any

import pytest

from reference_gateway import body
from reference_gateway.accounts.keys import Key
from reference_gateway.catalog import Routing
from reference_gateway.errors import Refusal
from reference_gateway.routes import Surface
from reference_gateway.routing.sticky import Sticky, opening, response_id, session_of
from reference_gateway.storage.shared import Alone

KEY = Key(id="k1", hash=b"", account="a", group="g")
OTHER = Key(id="k2", hash=b"", account="a", group="g")


def session(surface: Surface, request: dict[str, Any], key: Key = KEY, model: str = "m") -> str | None:
    return session_of(key, model, body.read(json.dumps({"model": model, **request}).encode(), surface))


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(texts)]


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.MESSAGES])
def test_a_conversation_is_known_by_how_it_began(surface: Surface) -> None:
    first = session(surface, {"messages": turns("hello")})
    assert first == session(surface, {"messages": turns("hello", "hi", "how are you?"), "temperature": 0})
    assert first != session(surface, {"messages": turns("good day")})
    assert first != session(surface, {"messages": turns("hello")}, OTHER)
    assert first != session(surface, {"messages": turns("hello")}, model="n")


def test_a_system_prompt_alone_does_not_make_two_conversations_one() -> None:
    system = {"role": "system", "content": 'Be kind. "user" [{'}
    one, two = ({"messages": [system, *turns(text)]} for text in ("hello", "good day"))
    assert session(Surface.CHAT, one) != session(Surface.CHAT, two)
    assert session(Surface.MESSAGES, {"system": "a", "messages": turns("x")}) != session(
        Surface.MESSAGES, {"system": "b", "messages": turns("x")}
    )


def test_responses_and_gemini_begin_in_their_own_words() -> None:
    plain = session(Surface.RESPONSES, {"input": "hello", "instructions": "x"})
    assert plain is not None
    assert plain != session(Surface.RESPONSES, {"input": "hello", "instructions": "y"})
    contents = [{"role": "user", "parts": [{"text": "hello"}]}, {"role": "model", "parts": [{"text": "hi"}]}]
    assert session(Surface.GEMINI, {"contents": contents[:1]}) == session(Surface.GEMINI, {"contents": contents})
    assert session(Surface.CHAT, {}) is None


def test_what_the_caller_calls_it_counts_first_and_on_both_protocols() -> None:
    by_chat = session(Surface.CHAT, {"prompt_cache_key": "mine", "messages": turns("a")})
    assert by_chat == session(Surface.CHAT, {"prompt_cache_key": "mine", "messages": turns("b")})
    assert by_chat == session(Surface.MESSAGES, {"metadata": {"user_id": "mine"}, "messages": turns("c")})
    assert by_chat == session(Surface.RESPONSES, {"prompt_cache_key": "mine", "input": "d"})


def test_an_opening_ends_with_the_first_user_turn() -> None:
    assert opening(b'[{"role":"system","content":"s]"},{"role":"user","content":"u"},{"role":"assistant"}]') == (
        b'[{"role":"system","content":"s]"},{"role":"user","content":"u"}'
    )
    assert opening(b'"plain"') == b'"plain"'
    assert len(opening(b'["' + b"x" * 100_000 + b'"]')) == 32 * 1024


async def test_a_response_is_known_to_the_account_that_made_it_only() -> None:
    sticky = Sticky(Alone(), Routing())
    await sticky.keep_response("resp_1", "a", "ours")
    assert await sticky.channel_of_response("resp_1", "ours") == "a"
    assert await sticky.channel_of_response("resp_2", "ours") is None
    with pytest.raises(Refusal) as refused:
        await sticky.channel_of_response("resp_1", "theirs")
    assert (refused.value.fault.status, refused.value.param) == (400, "previous_response_id")


def test_the_id_of_a_response_in_an_answer_and_in_a_stream() -> None:
    assert response_id(b'{\n  "id": "resp_0a-B",\n  "object": "response"}') == "resp_0a-B"
    assert response_id(b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_9"') == "resp_9"
    assert response_id(b'{"id":"chatcmpl-1"}') is None
