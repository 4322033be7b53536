import asyncio
import json
import re

import pytest

from harness.case import Client, Surface
from harness.client import ClientWitness, DriveError
from harness.exchange import End, value
from harness.tests.client import answers
from harness.tests.client.scripted import KEY, Cut, Reset, call, case, chunk, frames_of, head, json_answer, serve, sse_answer

SPEAKS = {
    Surface.CHAT: (Client.OPENAI, Client.OPENAI_ASYNC),
    Surface.RESPONSES: (Client.OPENAI, Client.OPENAI_ASYNC),
    Surface.MESSAGES: (Client.ANTHROPIC, Client.ANTHROPIC_ASYNC),
    Surface.GEMINI: (Client.GOOGLE_GENAI, Client.GOOGLE_GENAI_ASYNC),
}
PAIRS = [pytest.param(surface, client, id=f"{surface}-{client}") for surface, clients in SPEAKS.items() for client in clients]
HELPERS = [pair for pair in PAIRS if pair.values[0] is not Surface.GEMINI]
PATHS = {
    Surface.CHAT: "/v1/chat/completions",
    Surface.RESPONSES: "/v1/responses",
    Surface.MESSAGES: "/v1/messages",
    Surface.GEMINI: "/v1/models/some-model:generateContent",
}


@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_a_plain_answer_is_kept_and_read(witness: ClientWitness, surface: Surface, client: Client) -> None:
    async with serve(answers.good(surface, stream=False)) as server:
        result = await witness.drive(call(server, case(surface, client)))
    response = result.hop.response
    assert response is not None
    assert (response.status, response.end) == (200, End.EOF)
    assert response.json == answers.BODIES[surface]
    assert result.hop.request.target == PATHS[surface]
    assert server.requests[0].endswith(b"\r\n\r\n" + result.hop.request.body)
    assert b"hello \\u00fc" in result.hop.request.body or "hello ü".encode() in result.hop.request.body
    assert result.sdk is not None
    assert result.sdk.error is None
    assert result.sdk.final == answers.BODIES[surface]
    if surface is not Surface.GEMINI:
        assert result.sdk.request_id == "req_1"


@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_a_stream_is_kept_read_by_read_and_yields_the_events_sent(witness: ClientWitness, surface: Surface, client: Client) -> None:
    async with serve(answers.good(surface, stream=True)) as server:
        result = await witness.drive(call(server, case(surface, client, stream=True)))
    response = result.hop.response
    assert response is not None
    assert response.end is End.EOF  # although openai stops reading at [DONE]
    assert [read.data for read in response.reads] == answers.frames(surface)
    times = [response.at_ms, *(read.at_ms for read in response.reads), response.end_ms]
    assert times == sorted(times)
    assert result.sdk is not None
    assert result.sdk.error is None
    assert list(result.sdk.events) == answers.EVENTS[surface]


@pytest.mark.parametrize(("surface", "client"), HELPERS)
async def test_a_helper_accumulates_the_answer(witness: ClientWitness, surface: Surface, client: Client) -> None:
    async with serve(answers.good(surface, stream=True)) as server:
        result = await witness.drive(call(server, case(surface, client, stream=True, helper=True)))
    assert result.sdk is not None
    assert result.sdk.error is None
    assert result.sdk.request_id == "req_1"
    assert result.sdk.events
    assert "Hello" in json.dumps(result.sdk.final)
    assert "snapshot" not in json.dumps(result.sdk.events)


async def test_a_chat_of_googles_sdk_keeps_a_turn_for_each_event(witness: ClientWitness) -> None:
    asked = case(Surface.GEMINI, Client.GOOGLE_GENAI_ASYNC, stream=True, helper=True)
    said = [event["candidates"][0]["content"] for event in answers.EVENTS[Surface.GEMINI]]
    before = [{"role": "user", "parts": [{"text": "first"}]}, *said]
    body = {"contents": [*before, {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]}]}
    async with serve(answers.good(Surface.GEMINI, stream=True)) as server:
        result = await witness.drive(call(server, asked, body=body))
    sent = json.loads(result.hop.request.body.replace(b"-_-_", b"+/+/"))  # the SDK writes base64 in the other alphabet
    assert sent["contents"] == body["contents"]
    assert result.sdk is not None
    assert result.sdk.error is None
    assert list(result.sdk.events) == answers.EVENTS[Surface.GEMINI]
    assert result.sdk.told == {"turns": said}


async def test_a_chat_of_googles_sdk_forgets_an_answer_of_which_one_event_says_nothing(witness: ClientWitness) -> None:
    events = [*answers.EVENTS[Surface.GEMINI], {"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP"}]}]
    async with serve(sse_answer(frames_of(events))) as server:
        result = await witness.drive(call(server, case(Surface.GEMINI, Client.GOOGLE_GENAI_ASYNC, stream=True, helper=True)))
    assert result.sdk is not None
    assert (result.sdk.error, result.sdk.told) == (None, {"turns": []})


async def test_a_chat_of_googles_sdk_is_asked_for_by_the_async_client(witness: ClientWitness) -> None:
    async with serve(answers.good(Surface.GEMINI, stream=True)) as server:
        with pytest.raises(DriveError, match="async client only"):
            await witness.drive(call(server, case(Surface.GEMINI, Client.GOOGLE_GENAI, stream=True, helper=True)))


async def test_items_of_a_stream_are_told_as_they_were_done(witness: ClientWitness) -> None:
    events = [dict(event) for event in answers.EVENTS[Surface.RESPONSES]]
    done = {**events[5]["item"], "status": "incomplete"}
    events[5]["item"] = done
    async with serve(sse_answer(frames_of(events, named=True))) as server:
        result = await witness.drive(call(server, case(Surface.RESPONSES, Client.OPENAI_ASYNC, stream=True, helper=True)))
    assert result.sdk is not None
    assert result.sdk.told == {**answers.BODIES[Surface.RESPONSES], "done": [done]}


@pytest.mark.parametrize("client", [Client.OPENAI, Client.OPENAI_ASYNC])
async def test_a_helper_takes_tools_that_are_not_strict(witness: ClientWitness, client: Client) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    body = {"messages": [{"role": "user", "content": "x"}], "tools": [tool], "vendor_field": 1}
    async with serve(answers.good(Surface.CHAT, stream=True)) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, client, stream=True, helper=True), body=body))
    sent = result.hop.request.json
    assert (sent["tools"], sent["vendor_field"], sent["stream"], sent["model"]) == ([tool], 1, True, "some-model")


@pytest.mark.parametrize(
    ("client", "model_list", "target"),
    [
        (Client.OPENAI, {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]}, "/v1/models"),
        (Client.ANTHROPIC, {"data": [{"type": "model", "id": "m"}], "has_more": False, "first_id": "m", "last_id": "m"}, "/v1/models"),
        (Client.GOOGLE_GENAI, {"models": [{"name": "models/m"}], "nextPageToken": "more"}, "/v1/models"),
    ],
)
async def test_model_lists(witness: ClientWitness, client: Client, model_list: dict[str, object], target: str) -> None:
    async with serve(json_answer(model_list)) as server:
        for variant in (client, Client(f"{client}-async")):
            result = await witness.drive(call(server, case(Surface.MODELS, variant)))
            assert result.hop.request.method == "GET"
            assert result.hop.request.path == target
            assert result.sdk is not None
            assert result.sdk.error is None
            if client is Client.GOOGLE_GENAI:
                assert [model["name"] for model in result.sdk.final["models"]] == ["models/m"]
            else:
                assert result.sdk.final == model_list
        assert len(server.requests) == 2  # the next page would be a request of its own


async def test_count_tokens(witness: ClientWitness) -> None:
    async with serve(answers.good(Surface.COUNT_TOKENS, stream=False)) as server:
        for client in SPEAKS[Surface.MESSAGES]:
            result = await witness.drive(call(server, case(Surface.COUNT_TOKENS, client)))
            assert result.hop.request.target == "/v1/messages/count_tokens"
            assert result.sdk is not None
            assert result.sdk.final == {"input_tokens": 7}


OPENAI_ERRORS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    402: "APIStatusError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "APIStatusError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    529: "InternalServerError",
}


@pytest.mark.parametrize("client", SPEAKS[Surface.CHAT])
async def test_openai_error_classes(witness: ClientWitness, client: Client) -> None:
    error = {"error": {"message": "no", "type": "some_type", "param": None, "code": "some_code"}}
    for status, name in OPENAI_ERRORS.items():
        async with serve(json_answer(error, status, headers=(("x-request-id", "req_2"),))) as server:
            result = await witness.drive(call(server, case(Surface.CHAT, client, stream=True)))
            assert len(server.requests) == 1  # never retried
        assert result.sdk is not None
        seen = result.sdk.error
        assert seen is not None
        assert (seen.type, seen.status, seen.code, seen.error_type) == (name, status, "some_code", "some_type")
        assert (seen.request_id, seen.official) == ("req_2", True)


ANTHROPIC_ERRORS = {
    400: ("BadRequestError", "invalid_request_error"),
    401: ("AuthenticationError", "authentication_error"),
    403: ("PermissionDeniedError", "permission_error"),
    404: ("NotFoundError", "not_found_error"),
    413: ("ContentTooLargeError", "request_too_large"),
    429: ("RateLimitError", "rate_limit_error"),
    500: ("InternalServerError", "api_error"),
    504: ("GatewayTimeoutError", "timeout_error"),
    529: ("OverloadedError", "overloaded_error"),
}


@pytest.mark.parametrize("client", SPEAKS[Surface.MESSAGES])
async def test_anthropic_error_classes(witness: ClientWitness, client: Client) -> None:
    for status, (name, error_type) in ANTHROPIC_ERRORS.items():
        body = {"type": "error", "error": {"type": error_type, "message": "no"}}
        async with serve(json_answer(body, status, headers=(("request-id", "req_3"),))) as server:
            result = await witness.drive(call(server, case(Surface.MESSAGES, client)))
            assert len(server.requests) == 1
        assert result.sdk is not None
        seen = result.sdk.error
        assert seen is not None
        assert (seen.type, seen.status, seen.error_type, seen.request_id) == (name, status, error_type, "req_3")
        assert seen.official


@pytest.mark.parametrize("client", SPEAKS[Surface.GEMINI])
async def test_google_error_classes(witness: ClientWitness, client: Client) -> None:
    for status, name in {400: "ClientError", 403: "ClientError", 429: "ClientError", 500: "ServerError", 503: "ServerError"}.items():
        body = {"error": {"code": status, "message": "no", "status": "SOME_STATUS"}}
        async with serve(json_answer(body, status)) as server:
            result = await witness.drive(call(server, case(Surface.GEMINI, client, stream=True)))
            assert len(server.requests) == 1
        assert result.sdk is not None
        seen = result.sdk.error
        assert seen is not None
        assert (seen.type, seen.status, seen.error_type, seen.official) == (name, status, "SOME_STATUS", True)


@pytest.mark.parametrize("end", [Cut(), Reset()])
@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_a_cut_stream_keeps_its_bytes_and_the_exception(
    witness: ClientWitness, surface: Surface, client: Client, end: Cut | Reset
) -> None:
    sent = answers.frames(surface)[:2]
    if surface is Surface.GEMINI:
        sent = sent[:1]
    async with serve([head(content_type="text/event-stream"), *map(chunk, sent), end]) as server:
        result = await witness.drive(call(server, case(surface, client, stream=True)))
    response = result.hop.response
    assert response is not None
    assert (response.end, response.encoded) == (End.RESET, b"".join(sent))
    assert result.hop.closed_ms == response.end_ms
    assert result.hop.error is not None
    assert result.hop.error.startswith(("RemoteProtocolError", "ReadError"))
    assert result.sdk is not None
    assert len(result.sdk.events) == len(sent)
    assert result.sdk.error is not None
    assert result.sdk.error.official is (surface in (Surface.CHAT, Surface.RESPONSES))  # the others let httpx2's own through


@pytest.mark.parametrize("client", SPEAKS[Surface.MESSAGES])
async def test_an_error_event_is_the_sdks_error(witness: ClientWitness, client: Client) -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    async with serve(sse_answer([*answers.frames(Surface.MESSAGES)[:2], error])) as server:
        result = await witness.drive(call(server, case(Surface.MESSAGES, client, stream=True)))
    assert result.sdk is not None
    assert result.sdk.error is not None
    assert (result.sdk.error.error_type, result.sdk.error.official) == ("overloaded_error", True)
    assert len(result.sdk.events) == 2


@pytest.mark.parametrize("client", SPEAKS[Surface.CHAT])
async def test_an_exception_that_the_sdk_lets_through_is_not_official(witness: ClientWitness, client: Client) -> None:
    async with serve(sse_answer([b"data: {broken\n\n", b"data: [DONE]\n\n"])) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, client, stream=True)))
    assert result.sdk is not None
    assert result.sdk.error is not None
    assert (result.sdk.error.type, result.sdk.error.official) == ("JSONDecodeError", False)
    assert result.hop.response is not None
    assert result.hop.response.encoded.endswith(b"[DONE]\n\n")  # the witness reads on where the SDK gave up


@pytest.mark.parametrize("client", SPEAKS[Surface.CHAT])
async def test_what_comes_after_the_sdk_stopped_reading_is_kept(witness: ClientWitness, client: Client) -> None:
    frames = [*answers.frames(Surface.CHAT), b": bye\n\n"]
    async with serve(sse_answer(frames)) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, client, stream=True)))
    assert result.hop.response is not None
    assert (result.hop.response.end, result.hop.response.encoded) == (End.EOF, b"".join(frames))


@pytest.mark.parametrize("client", SPEAKS[Surface.CHAT])
async def test_a_body_that_stays_open_after_the_last_event_is_a_timeout(witness: ClientWitness, client: Client) -> None:
    frames = answers.frames(Surface.CHAT)
    async with serve([head(content_type="text/event-stream"), *map(chunk, frames), asyncio.Event()]) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, client, stream=True), timeout_s=0.5))
    assert result.hop.response is not None
    assert (result.hop.response.end, result.hop.response.encoded) == (End.TIMEOUT, b"".join(frames))
    assert result.sdk is not None
    assert (result.sdk.error, len(result.sdk.events)) == (None, len(frames) - 1)  # the SDK had all it wanted


@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_a_redirect_is_an_answer_like_others(witness: ClientWitness, surface: Surface, client: Client) -> None:
    async with serve(json_answer({}, 307, headers=(("Location", "/elsewhere"),))) as server:
        result = await witness.drive(call(server, case(surface, client)))
    assert len(server.requests) == 1
    assert result.hop.response is not None
    assert result.hop.response.status == 307


async def test_an_html_answer_is_whatever_the_sdk_says_it_is(witness: ClientWitness) -> None:
    page = b"<html>hello</html>"
    async with serve([head(content_type="text/html", size=len(page)) + page]) as server:
        result = await witness.drive(call(server, case(Surface.CHAT, Client.OPENAI_ASYNC)))
    assert result.sdk is not None
    assert result.sdk.final == page.decode()


@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_a_case_may_hang_up_after_some_events(witness: ClientWitness, surface: Surface, client: Client) -> None:
    never = asyncio.Event()
    sent = answers.frames(surface)[:1]
    async with serve([head(content_type="text/event-stream"), *map(chunk, sent), never]) as server:
        asked = call(server, case(surface, client, stream=True, abort_after_frames=1))
        result = await witness.drive(asked)
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert result.hop.response is not None
    assert (result.hop.response.end, result.hop.response.encoded) == (End.ABORTED, sent[0])
    assert asked.progress.closed
    assert result.sdk is not None
    assert (len(result.sdk.events), result.sdk.error) == (1, None)


@pytest.mark.parametrize("client", SPEAKS[Surface.MESSAGES])
async def test_both_generations_of_anthropic_headers(witness: ClientWitness, client: Client) -> None:
    async with serve(answers.good(Surface.MESSAGES, stream=False)) as server:
        new = await witness.drive(call(server, case(Surface.MESSAGES, client)))
        old = await witness.drive(call(server, case(Surface.MESSAGES, client, traits=frozenset({"anthropic-2023"}))))
    headers = new.hop.request.headers
    assert value(headers, "authorization") == f"Bearer {KEY}"
    assert value(headers, "anthropic-version") == "2026-10-21"
    assert value(headers, "x-api-key") is None
    headers = old.hop.request.headers
    assert value(headers, "authorization") is None
    assert value(headers, "anthropic-version") == "2023-06-01"
    assert value(headers, "x-api-key") == KEY


@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_a_missing_key_is_not_shown_at_all(witness: ClientWitness, surface: Surface, client: Client) -> None:
    async with serve(answers.good(surface, stream=False)) as server:
        result = await witness.drive(call(server, case(surface, client), key=None))
    names = {name.lower() for name, _ in result.hop.request.headers}
    assert not names & {"authorization", "x-api-key", "x-goog-api-key"}
    assert b"no-key" not in server.requests[0]


@pytest.mark.parametrize(("surface", "client"), PAIRS)
async def test_headers_are_noted_as_they_were_sent(witness: ClientWitness, surface: Surface, client: Client) -> None:
    extra = (("X-Odd-CASE", "one two"),)
    async with serve(answers.good(surface, stream=False)) as server:
        result = await witness.drive(call(server, case(surface, client, headers=extra)))
    lines = server.requests[0].partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    assert [f"{name}: {content}" for name, content in result.hop.request.headers] == lines
    assert value(result.hop.request.headers, "x-odd-case") == "one two"  # openai lowers the name, the others keep it
    assert value(result.hop.request.headers, "accept-encoding") == "gzip, deflate"
    assert KEY.encode() not in result.hop.request.body


async def test_parameters_that_an_sdk_no_longer_knows_still_go_out(witness: ClientWitness) -> None:
    body = {"max_tokens": 5, "messages": [{"role": "user", "content": "x"}], "temperature": 0, "top_k": 4}
    async with serve(answers.good(Surface.MESSAGES, stream=False)) as server:
        result = await witness.drive(call(server, case(Surface.MESSAGES, Client.ANTHROPIC_ASYNC), body=body))
    assert result.hop.request.json == {"model": "some-model", **body}


async def test_a_gemini_request_is_taken_apart_and_arrives_whole(witness: ClientWitness) -> None:
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": "+/+/abcd"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "+/+/abcd"}]},
        ],
        "systemInstruction": {"parts": [{"text": "be short"}]},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 9,
            "thinkingConfig": {"includeThoughts": True},
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
            "newField": 1,
        },
        "newTopField": {"x": 1},
    }
    async with serve(answers.good(Surface.GEMINI, stream=True)) as server:
        result = await witness.drive(call(server, case(Surface.GEMINI, Client.GOOGLE_GENAI_ASYNC, stream=True), body=body))
    assert result.sdk is not None
    assert result.sdk.error is None
    sent = result.hop.request.json
    assert sent["contents"][0]["parts"][1]["inlineData"]["data"].translate(str.maketrans("-_", "+/")) == "+/+/abcd"
    assert sent["contents"][1]["parts"][0]["functionCall"] == {"name": "f", "args": {"a": 1}}
    # The SDK writes some inner fields in snake case; protobuf's JSON allows both.
    for field in ("tools", "toolConfig", "generationConfig", "newTopField"):
        assert _camel(sent[field]) == body[field]
    assert sent["systemInstruction"]["parts"] == [{"text": "be short"}]
    assert result.hop.request.target == "/v1/models/some-model:streamGenerateContent?alt=sse"


def _camel(found: object) -> object:
    if isinstance(found, dict):
        return {re.sub("_([a-z])", lambda m: m[1].upper(), name): _camel(inner) for name, inner in found.items()}
    return [_camel(inner) for inner in found] if isinstance(found, list) else found


async def test_the_older_gemini_path(witness: ClientWitness) -> None:
    async with serve(answers.good(Surface.GEMINI, stream=False)) as server:
        result = await witness.drive(call(server, case(Surface.GEMINI, Client.GOOGLE_GENAI, traits=frozenset({"gemini-v1beta"}))))
    assert result.hop.request.target == "/v1beta/models/some-model:generateContent"


@pytest.mark.parametrize(
    ("the_case", "body", "says"),
    [
        (case(Surface.MESSAGES, Client.OPENAI), {}, "does not speak messages"),
        (case(Surface.CHAT, Client.OPENAI, headers=(("A", "1"), ("a", "2"))), {}, "use the raw client"),
        (case(Surface.CHAT, Client.OPENAI, key_in="query"), {}, "use the raw client"),
        (case(Surface.CHAT, Client.OPENAI_ASYNC, headers=(("X-Bad", "a\r\nb"),)), {"messages": []}, "cannot be written"),
        (case(Surface.MESSAGES, Client.ANTHROPIC, headers=(("X-Bad", "a\r\nb"),)), {"messages": [], "max_tokens": 1}, "cannot be written"),
        (case(Surface.CHAT, Client.OPENAI), {"nothing": 1}, "refused before anything was sent"),
        (case(Surface.MESSAGES, Client.ANTHROPIC_ASYNC), {"messages": []}, "refused before anything was sent"),
        (case(Surface.GEMINI, Client.GOOGLE_GENAI), {"contents": [{"sides": 3}]}, "has no place for the request"),
    ],
)
async def test_what_an_sdk_cannot_send_is_our_fault(witness: ClientWitness, the_case: object, body: dict[str, object], says: str) -> None:
    async with serve([]) as server:
        with pytest.raises(DriveError, match=says):
            await witness.drive(call(server, the_case, body=body))  # type: ignore[arg-type]  # pytest's parameters are untyped
