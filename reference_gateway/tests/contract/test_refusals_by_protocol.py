"""One refusal after the other in each protocol's own words: status, envelope, and what a retry reads; none of them reaches a vendor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reference_gateway import errors
from reference_gateway.errors import Family, Fault
from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import KEYS, create, put
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.test_gateway import words
from reference_gateway.tests.wires import BODIES, COSTS, request

SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]
# contract:201, and billing_error, which C32 adds and the vendor's SDK knows.
OF_ANTHROPIC = {
    *("invalid_request_error", "authentication_error", "permission_error", "not_found_error", "request_too_large", "rate_limit_error"),
    *("api_error", "overloaded_error", "billing_error"),
}
OF_GOOGLE = {
    *("INVALID_ARGUMENT", "UNAUTHENTICATED", "FAILED_PRECONDITION", "PERMISSION_DENIED", "NOT_FOUND", "DEADLINE_EXCEEDED"),
    *("ALREADY_EXISTS", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"),
}


async def ask(s: Stage, surface: Surface, key: str | None = None, *, stream: bool = False, model: str | None = None) -> Answer:
    path, body, headers = request(surface, stream=stream)
    if model is not None:
        path, body = path.replace("gemini-3-1-pro", model), {**body, "model": model} if "model" in body else body
    return await s.post(path, body, key, **headers)


def answering(surface: Surface) -> Any:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    return script


def told(surface: Surface, answer: Answer, openai: tuple[str, str], anthropic: str, google: str) -> None:
    """The words of the surface's family, a message, and an id."""
    assert words(surface, answer) == {Surface.MESSAGES: (anthropic,), Surface.GEMINI: (google,)}.get(surface, openai)
    assert answer.json()["error"]["message"]
    assert answer.header("x-request-id")
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
async def test_a_model_outside_of_the_keys_group(surface: Surface, stream: bool, tmp_path: Path) -> None:
    """contract:046, contract:047, C8: 403 on all four, streamed or not."""
    async with stage(tmp_path) as s:
        key = s.demo.gpt_key if surface in (Surface.MESSAGES, Surface.GEMINI) else s.demo.narrow_key
        answer = await ask(s, surface, key, stream=stream)
        assert answer.status == 403
        told(surface, answer, ("permission_denied", "model_not_in_group"), "permission_error", "PERMISSION_DENIED")
        assert s.calls == []
        assert await s.spent(key) == 0


@pytest.mark.parametrize("name", ["gemini-3.1-pro", "gpt-5.5", "claude-opus-4.8", "nobody"])
@pytest.mark.parametrize("surface", SURFACES)
async def test_a_name_with_dots_or_of_nobody(surface: Surface, name: str, tmp_path: Path) -> None:
    """contract:048, contract:049, C9, C10."""
    async with stage(tmp_path) as s:
        answer = await ask(s, surface, model=name)
        assert answer.status == 404
        told(surface, answer, ("invalid_request_error", "model_not_found"), "not_found_error", "NOT_FOUND")
        assert s.calls == []


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_exhausted_window_and_an_empty_quota(surface: Surface, tmp_path: Path) -> None:
    """contract:175, contract:176, contract:194, contract:233, C32: 429 says when, 402 says that waiting does not help."""
    async with stage(tmp_path, answering(surface)) as s:
        price = COSTS[surface] / 1_000_000
        made = await create(s, rate_limit_5h=price)
        assert (await ask(s, surface, made["key"])).status == 200
        for stream in (False, True):
            late = await ask(s, surface, made["key"], stream=stream)
            assert late.status == 429
            told(surface, late, ("rate_limit_error", "rate_limit_exceeded"), "rate_limit_error", "RESOURCE_EXHAUSTED")
            assert 0 < int(late.header("retry-after") or 0) <= 5 * 3600 + 1
            reset = int(late.header("x-ratelimit-reset") or 0)
            assert reset > s.clock()
            message = late.json()["error"]["message"]
            assert "5h window" in message
            assert str(reset) in message
        await put(s, f"{KEYS}/{made['id']}", {"rate_limit_5h": 100, "quota": price})
        for stream in (False, True):
            empty = await ask(s, surface, made["key"], stream=stream)
            assert empty.status == 402
            told(surface, empty, ("insufficient_quota", "quota_exceeded"), "billing_error", "FAILED_PRECONDITION")
            assert empty.header("retry-after") is None
        assert len(s.calls) == 1
        assert await s.spent() == COSTS[surface]


@pytest.mark.parametrize("headers", [{}, {"anthropic_version": "2023-06-01"}, {"x_goog_api_client": "google-genai-sdk/3"}])
async def test_images_and_tasks_are_refused_in_openais_words_whoever_asks(headers: dict[str, str], tmp_path: Path) -> None:
    """contract:200."""
    async with stage(tmp_path) as s:
        for path, body, status in (
            ("/v1/images/generations", {"model": "gpt-image-2"}, 400),
            ("/v1/images/generations", {"model": "nobody", "prompt": "x"}, 404),
            ("/v1/images/edits", {"model": "gpt-image-2", "prompt": "x"}, 400),
            ("/v1/tasks/submit", {"model": "nobody", "params": {"prompt": "x"}}, 404),
            ("/v1/tasks/query", {}, 400),
            ("/v1/tasks/cancel", {"task_id": "nothing"}, 404),
        ):
            answer = await s.post(path, body, **headers)
            assert answer.status == status, path
            assert set(answer.json()) == {"error"}
            assert set(answer.json()["error"]) == {"message", "type", "code", "param"}  # contract:202
            refused = await s.post(path, body, "sk-byts-nobody", **headers)
            assert (refused.status, refused.json()["error"]["code"]) == (401, "invalid_api_key")


def test_every_word_is_one_that_its_vendor_has() -> None:
    """contract:139, contract:201, contract:202: of every fault that there is, and of those made of an upstream's status."""
    faults = [fault for fault in vars(errors).values() if isinstance(fault, Fault)]
    faults += [errors.upstream_status(status) for status in range(400, 600)]
    assert len(faults) > 220
    for fault in faults:
        assert 400 <= fault.status < 600
        assert fault.anthropic_type in OF_ANTHROPIC, fault
        assert fault.google_status in OF_GOOGLE, fault
        openai = errors.envelope(Family.OPENAI, fault, "m", "r", "p")["error"]
        assert set(openai) == {"message", "type", "param", "code"}
        assert openai["type"]
        google = errors.envelope(Family.GOOGLE, fault, "m", "r")["error"]
        assert (google["code"], google["status"]) == (fault.status, fault.google_status)
    assert {fault.google_status for fault in faults if fault.status == 402} == {"FAILED_PRECONDITION"}
