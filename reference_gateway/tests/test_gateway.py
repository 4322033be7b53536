"""Keys, groups, envelopes, the model list and money at the door: all that is decided before an upstream is called."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, request

SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]


def words(surface: Surface, answer: Answer) -> tuple[Any, ...]:
    """What the envelope says, in the family's own words."""
    body = answer.json()
    match surface:
        case Surface.MESSAGES:
            assert body["type"] == "error"
            assert body["request_id"] == answer.header("request-id") == answer.header("x-request-id")
            return (body["error"]["type"],)
        case Surface.GEMINI:
            assert body["error"]["code"] == answer.status
            return (body["error"]["status"],)
        case _:
            return (body["error"]["type"], body["error"]["code"])


async def ask(s: Stage, surface: Surface, key: str | None = None, **headers: str) -> Answer:
    path, body, own = request(surface)
    return await s.call("POST", path, json.dumps(body).encode(), {**own, **({"x-api-key": key} if key else {}), **headers})


@pytest.mark.parametrize("surface", SURFACES)
async def test_which_credential_counts(surface: Surface, tmp_path: Path) -> None:
    """contract:020 to contract:029, C2, C3: x-api-key over Bearer over x-goog-api-key, and the first that is there decides."""

    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    async with stage(tmp_path, script) as s:
        good, bad = s.demo.keys[0], "sk-byts-nobody"
        bearer_good, bearer_bad = {"authorization": f"Bearer {good}"}, {"authorization": f"bearer {bad}"}
        accepted: list[dict[str, str]] = [
            {"x-api-key": good},
            bearer_good,
            {"x-goog-api-key": good},
            {"x-api-key": good, **bearer_bad},
            {**bearer_good, "x-goog-api-key": bad},
            {"x-api-key": good, "openai-organization": "org-1", "openai-project": "p"},
        ]
        refused: list[dict[str, str]] = [
            {},
            {"x-api-key": bad, **bearer_good},
            {**bearer_bad, "x-goog-api-key": good},
            {"authorization": good},
            {"authorization": f"Basic {good}"},
            {"x-api-key": ""},
            {"x-api-key": s.demo.revoked_key},
            {"x-api-key": s.demo.expired_key},
        ]
        for headers in accepted:
            assert (await ask(s, surface, None, **headers)).status == 200, headers
        called = len(s.calls)
        for headers in refused:
            answer = await ask(s, surface, None, **headers)
            assert answer.status == 401, headers
            assert words(surface, answer) == {
                Surface.MESSAGES: ("authentication_error",),
                Surface.GEMINI: ("UNAUTHENTICATED",),
            }.get(surface, ("invalid_request_error", "invalid_api_key"))
            assert bad not in answer.body.decode()
            assert answer.header("x-quota-remaining-credits") is None
        assert len(s.calls) == called == len(accepted)
        assert await s.spent() == COSTS[surface] * called


async def test_a_key_in_the_query_counts_last(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.GEMINI])

    async with stage(tmp_path, script) as s:
        path = f"/v1beta/models/gemini-3-1-pro:generateContent?key={s.demo.keys[0]}"
        assert (await s.call("POST", path, b"{}", {})).status == 200
        assert (await s.call("POST", path, b"{}", {"x-api-key": "other"})).status == 401


@pytest.mark.parametrize("surface", SURFACES)
async def test_unknown_models_and_models_of_other_groups(surface: Surface, tmp_path: Path) -> None:
    """C8 and C9: 404 and 403; neither reaches an upstream."""
    async with stage(tmp_path) as s:
        path, body, headers = request(surface)
        unknown = await s.post(path.replace("gemini-3-1-pro", "gemini-9"), {**body, "model": "gpt-9"}, **headers)
        assert unknown.status == 404
        assert words(surface, unknown) == {Surface.MESSAGES: ("not_found_error",), Surface.GEMINI: ("NOT_FOUND",)}.get(
            surface, ("invalid_request_error", "model_not_found")
        )
        if surface is not Surface.MESSAGES:  # the narrow group has the models of messages
            outside = await s.post(path, body, s.demo.narrow_key, **headers)
            assert outside.status == 403
            assert words(surface, outside) == {Surface.GEMINI: ("PERMISSION_DENIED",)}.get(
                surface, ("permission_denied", "model_not_in_group")
            )
        assert s.calls == []
        assert await s.spent() == 0


async def test_a_model_that_does_not_speak_the_surface(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, {**body, "model": "gpt-image-2"})
        assert (answer.status, words(Surface.CHAT, answer)) == (400, ("invalid_request_error", "unsupported_feature"))
        assert s.calls == []


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_wallet_that_cannot_pay_is_refused_before_the_upstream(surface: Surface, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        path, body, headers = request(surface)
        answer = await s.post(path, body, s.demo.poor_key, **headers)
        assert answer.status == 402
        assert words(surface, answer) == {Surface.MESSAGES: ("billing_error",), Surface.GEMINI: ("FAILED_PRECONDITION",)}.get(
            surface, ("insufficient_quota", "insufficient_balance")
        )
        assert s.calls == []
        assert answer.header("x-quota-remaining-credits") == "0.000001"


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'"x"', b'{"model": 5', b"\xff\xfe"])
async def test_bodies_that_are_no_request(surface: Surface, body: bytes, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        path, _, headers = request(surface)
        answer = await s.post(path, body, **headers)
        assert answer.status == 400
        words(surface, answer)
        assert s.calls == []


async def test_messages_needs_a_version_and_takes_any(tmp_path: Path) -> None:
    """contract:110; both generations of the SDK: x-api-key with 2023-06-01, Bearer with 2026-10-21."""

    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.MESSAGES])

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.MESSAGES)
        key = s.demo.keys[0]
        data = json.dumps(body).encode()
        without = await s.call("POST", path, data, {"x-api-key": key})
        assert (without.status, words(Surface.MESSAGES, without)) == (400, ("invalid_request_error",))
        old = await s.call("POST", path, data, {"x-api-key": key, "anthropic-version": "2023-06-01"})
        new = await s.call("POST", path, data, {"authorization": f"Bearer {key}", "anthropic-version": "2026-10-21"})
        assert (old.status, new.status) == (200, 200)
        assert [call.header("anthropic-version") for call in s.calls] == [["2023-06-01"], ["2026-10-21"]]


@pytest.mark.parametrize(
    ("method", "path", "headers", "surface", "status"),
    [
        ("GET", "/", {}, Surface.CHAT, 404),
        ("POST", "/v1/embeddings", {}, Surface.CHAT, 404),
        ("POST", "/v1/files", {}, Surface.CHAT, 404),
        ("POST", "/v1/messages/batches", {}, Surface.MESSAGES, 404),
        ("GET", "/v1/anything", {"anthropic-version": "2023-06-01"}, Surface.MESSAGES, 404),
        ("POST", "/v1beta/models/gemini-3-1-pro:countTokens", {}, Surface.GEMINI, 404),
        ("POST", "/v1beta/files", {}, Surface.GEMINI, 404),
        ("GET", "/v1/chat/completions", {}, Surface.CHAT, 405),
        ("GET", "/v1/messages", {}, Surface.MESSAGES, 405),
        ("GET", "/v1beta/models/gemini-3-1-pro:generateContent", {}, Surface.GEMINI, 405),
    ],
)
async def test_what_is_not_served(method: str, path: str, headers: dict[str, str], surface: Surface, status: int, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        answer = await s.call(method, path, b"", headers)
        assert answer.status == status
        assert answer.header("content-type") == "application/json"
        words(surface, answer)
        assert s.calls == []


async def test_the_price_table_has_a_price_for_each_token_class(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        table = (await s.get("/api/pricing")).json()["data"]
        listed = (await s.get("/v1/models")).json()["data"]
        assert [entry["model"] for entry in table] == [model["id"] for model in listed]
        rates = next(entry["rates"] for entry in table if entry["model"] == "claude-sonnet-4-6")
        assert rates["cache_read_per_1m"] < rates["input_per_1m"] < rates["cache_write_per_1m"] < rates["cache_write_1h_per_1m"]
        assert rates["input_per_1m"] < rates["output_per_1m"]
        assert rates["currency"] == "USD"


async def test_the_model_list_in_three_dialects(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        openai = (await s.get("/v1/models")).json()
        assert openai["object"] == "list"
        assert {model["id"] for model in openai["data"]} >= {"gpt-5-5", "claude-sonnet-4-6", "gemini-3-1-pro", "deepseek-v4-pro"}
        assert set(openai["data"][0]) == {
            *("id", "object", "owned_by", "family", "capabilities", "context_window", "max_output_tokens"),
            *("input_modalities", "output_modalities", "pricing_url", "created"),
        }
        narrow = (await s.get("/v1/models", s.demo.narrow_key, **{"anthropic-version": "2023-06-01"})).json()
        assert [model["id"] for model in narrow["data"]] == ["claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-4-5"]
        assert (narrow["first_id"], narrow["last_id"], narrow["has_more"]) == ("claude-sonnet-4-6", "claude-haiku-4-5", False)
        for answer in (await s.get("/v1beta/models"), await s.get("/v1/models", **{"x-goog-api-client": "google-genai-sdk/3"})):
            assert "models/gemini-3-1-pro" in {model["name"] for model in answer.json()["models"]}
        assert (await s.get("/v1/models/gpt-5-5")).json()["id"] == "gpt-5-5"
        assert (await s.get("/v1/models/gpt-5-5", s.demo.narrow_key)).status == 403
        assert (await s.get("/v1/models/gpt-9")).status == 404
        assert (await s.get("/v1/models", "nobody")).status == 401
        assert await s.spent() == 0


async def test_headers_on_every_answer(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        answers = [
            await s.post(path, body),
            await s.post(path, {**body, "model": "gpt-9"}),
            await s.post(path, b"{"),
            await s.get("/v1/models"),
            await s.get("/api/v1/me/account"),
            await s.get("/api/v1/usage"),
        ]
        ids = {answer.header("x-request-id") for answer in answers}
        assert len(ids) == len(answers)
        for answer in answers:
            assert answer.header("x-quota-remaining-credits") == "99.999924"
            assert answer.header("x-ratelimit-limit") == "1000.00"
            assert answer.header("x-ratelimit-remaining") == "999.99"
            assert int(answer.header("x-ratelimit-reset") or 0) > 1_700_000_000
        assert (await s.call("GET", "/healthz", b"", {})).json() == {"status": "ok"}


async def test_the_account_and_the_usage_of_one_key_are_its_own(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        first = await s.post(path, body)
        await s.post(path, body)
        other = s.demo.keys[1]
        assert await s.spent(other) == 0
        assert await s.usage(other) == []
        assert await s.usage(other, f"?request_id={first.header('x-request-id')}") == []
        assert len(await s.usage()) == 2
        assert len(await s.usage(query="?limit=1")) == 1
        assert (await s.get("/api/v1/usage?limit=0")).status == 400
        account = (await s.get("/api/v1/me/account", s.demo.narrow_key)).json()
        assert [model["id"] for model in account["allowed_models"]] == ["claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-4-5"]
        assert account["user"] == {"id": "special"}
        assert account["org"] is None


async def test_parallel_calls_cannot_spend_more_than_there_is(tmp_path: Path) -> None:
    """billing-and-storage.md 4.3, invariant 6."""

    refused = asyncio.Event()

    async def script(call: Upstream) -> None:
        await refused.wait()
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script, balance_usd="0.005") as s:
        path, body, _ = request(Surface.CHAT, max_tokens=100)  # a hold of some 1,030 micro-USD
        pending = [asyncio.create_task(s.post(path, body)) for _ in range(20)]
        async with asyncio.timeout(10):
            for done in asyncio.as_completed(pending):
                await done
                if sum(task.done() for task in pending) == 16:
                    refused.set()
        answers = [task.result() for task in pending]
        statuses = [answer.status for answer in answers]
        assert set(statuses) == {200, 402}
        assert statuses.count(200) == len(s.calls) == 4
        assert await s.spent() == 4 * COSTS[Surface.CHAT]


async def test_an_alias_replaces_the_model_and_nothing_else(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.GEMINI if "gemini" in call.target else Surface.CHAT])

    from reference_gateway.app import Running
    from reference_gateway.config import load

    async with stage(tmp_path, script) as s:
        config = s.demo.config
        theirs = {"gpt-5-5": "gpt-5.5-2026", "gemini-3-1-pro": "gemini-3.1-pro"}

        def names(match: re.Match[str]) -> str:
            ids = json.loads(match[2])
            return match[1] + "models = { " + ", ".join(f'{id_} = "{theirs.get(id_, id_)}"' for id_ in ids) + " }"

        config.write_text(re.sub(r'(key_file = "upstream-key"\n)models = (\[.*\])', names, config.read_text()))
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            await s.post("/v1/chat/completions", b'{"tools":[{"model":"gpt-5-5"}],\n "model" :"gpt-5-5", "n":1.0}')
            assert s.calls[0].body == b'{"tools":[{"model":"gpt-5-5"}],\n "model" :"gpt-5.5-2026", "n":1.0}'
            await s.post("/v1beta/models/gemini-3-1-pro:generateContent", b"{}")
            assert s.calls[1].target == "/v1beta/models/gemini-3.1-pro:generateContent"


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_body_that_is_too_large_is_refused_in_the_callers_envelope(surface: Surface, tmp_path: Path) -> None:
    async with stage(tmp_path, max_body_bytes=1000) as s:
        path, _, headers = request(surface)
        answer = await s.post(path, b"x" * 1001, **headers)
        assert answer.status == 413
        assert words(surface, answer) == {Surface.MESSAGES: ("request_too_large",), Surface.GEMINI: ("INVALID_ARGUMENT",)}.get(
            surface, ("invalid_request_error", "request_too_large")
        )
        assert answer.header("x-request-id")
