"""Which model a name stands for, which channels a group has, and what goes to the vendor (contract:042 to contract:069, C8 to C14)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.catalog import Alias, Catalog
from reference_gateway.config import load
from reference_gateway.errors import Refusal
from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.routing import names
from reference_gateway.routing.names import resolve
from reference_gateway.tests.routing.channels import called, channel, channels
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import BODIES, CHAT_BODY, MESSAGES_BODY, request

JULY_24 = 1_784_908_740.0  # 2026-07-24T15:59:00Z, as the vendor has it


async def serve(call: Upstream) -> None:
    await call.answer(MESSAGES_BODY if call.target.endswith("/messages") else CHAT_BODY)


def catalog(folder: Path) -> Catalog:
    return load(demo_config("http://127.0.0.1:9", folder).config).catalog


def refused(catalog: Catalog, group: str, name: str, now: float = 0.0) -> tuple[int, str]:
    with pytest.raises(Refusal) as raised:
        resolve(catalog, group, name, now)
    assert raised.value.param == "model"
    return raised.value.fault.status, raised.value.message


def test_an_alias_holds_until_its_day(tmp_path: Path) -> None:
    """contract:055."""
    known = catalog(tmp_path)
    model, alias = resolve(known, "default", "deepseek-reasoner", JULY_24 - 1)
    assert (model.id, alias) == (
        "deepseek-v4-pro",
        Alias(name="deepseek-reasoner", model="deepseek-v4-pro", thinking=True, until_ms=int(JULY_24 * 1000)),
    )
    status, message = refused(known, "default", "deepseek-reasoner", JULY_24)
    assert (status, "use deepseek-v4-pro" in message) == (400, True)
    assert refused(known, "claude-default", "deepseek-reasoner", JULY_24 - 1)[0] == 403


def test_a_name_that_is_no_model_is_told_which_one_is(tmp_path: Path) -> None:
    """contract:049, contract:056, C9, C10."""
    known = catalog(tmp_path)
    assert refused(known, "default", "deepseek-coder") == (404, "The model deepseek-coder does not exist. Use deepseek-v4-pro.")
    assert refused(known, "default", "gemini-3.1-pro") == (404, "The model gemini-3.1-pro does not exist. Did you mean gemini-3-1-pro?")
    assert refused(known, "default", "gpt-5-6")[1].endswith("Did you mean gpt-5-5?")
    assert refused(known, "default", "zzz") == (404, "The model zzz does not exist.")
    # No hint at what the key may not call.
    assert refused(known, "claude-default", "deepseek-coder") == (404, "The model deepseek-coder does not exist.")
    assert "gemini-3-1-pro" not in refused(known, "claude-default", "gemini-3.1-pro")[1]
    assert refused(known, "claude-default", "gpt-5-5")[0] == 403
    assert refused(known, "gone", "gpt-5-5")[0] == 403
    assert "\n" not in refused(known, "default", "a\nb")[1]


async def test_an_alias_reaches_the_upstream_by_the_models_name(tmp_path: Path) -> None:
    alias = '[aliases.deepseek-reasoner]\nmodel = "deepseek-v4-pro"\nthinking = true\n'
    async with channels(tmp_path, serve, channel("a", "deepseek"), extra=alias) as s:
        answer = await s.post("/v1/chat/completions", b'{"model":"deepseek-reasoner", "messages":[]}')
        assert answer.status == 200
        assert s.calls[0].body == b'{"model":"deepseek-v4-pro","thinking":{"type":"enabled"}, "messages":[]}'
        (row,) = await s.usage()
        assert row["model"] == "deepseek-v4-pro"


@pytest.mark.parametrize("given", [False, True])
async def test_the_path_picks_deepseeks_base_and_how_its_key_is_shown(given: bool, tmp_path: Path) -> None:
    """contract:066."""
    more: dict[str, Any] = {"base_url_anthropic": "{base}/messages-here"} if given else {}
    deepseek = channel("a", "deepseek", **more)
    async with channels(tmp_path, serve, deepseek) as s:
        s.demo.config.write_text(s.demo.config.read_text().replace('native = ["chat"]\n', ""))
        await s.running.load(load(s.demo.config))
        secret = (tmp_path / "upstream-key").read_text().strip()
        body = {"model": "deepseek-v4-pro", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        assert (await s.post("/v1/chat/completions", body)).status == 200
        assert (await s.post("/v1/messages", body, anthropic_version="2023-06-01")).status == 200
        chat, messages = s.calls
        assert (chat.target, messages.target) == (
            "/a/chat/completions",
            "/messages-here/v1/messages" if given else "/a/anthropic/v1/messages",
        )
        assert (chat.header("authorization"), chat.header("x-api-key")) == ([f"Bearer {secret}"], [])
        assert (messages.header("authorization"), messages.header("x-api-key")) == ([], [secret])


async def test_a_group_reaches_its_own_channels_and_models_only(tmp_path: Path) -> None:
    """contract:046, contract:064: not even where the others fail."""

    async def script(call: Upstream) -> None:
        await call.answer(b'{"error":{}}', 500)

    async with channels(tmp_path, script, channel("a"), channel("b", priority=2)) as s:
        text = s.demo.config.read_text()
        s.demo.config.write_text(
            text.replace('[groups.default]\nmodels = ["*"]', '[groups.default]\nmodels = ["gpt-5-5"]\nchannels = ["b"]')
        )
        await s.running.load(load(s.demo.config))
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).status == 500
        assert called(s) == ["b"]
        assert (await s.post(path, {**body, "model": "gpt-5-4"})).status == 403
        assert [model["id"] for model in (await s.get("/v1/models")).json()["data"]] == ["gpt-5-5"]
        assert called(s) == ["b"]


async def test_a_channel_taken_out_gets_no_traffic_at_once(tmp_path: Path) -> None:
    """contract:067; what is under way on it comes to its end."""
    go = asyncio.Event()

    async def script(call: Upstream) -> None:
        await go.wait()
        await serve(call)

    async with channels(tmp_path, script, channel("a", schedulable=True), channel("b", priority=2)) as s:
        path, body, _ = request(Surface.CHAT)
        under_way = asyncio.create_task(s.post(path, body))
        await s.called.wait()
        s.demo.config.write_text(s.demo.config.read_text().replace("schedulable = true", "schedulable = false"))
        await s.running.load(load(s.demo.config))
        go.set()
        assert (await s.post(path, body)).status == 200
        assert (await under_way).status == 200
        assert called(s) == ["a", "b"]
        s.demo.config.write_text(s.demo.config.read_text().replace("priority = 2", "schedulable = false"))
        await s.running.load(load(s.demo.config))
        answer = await s.post(path, body)
        assert (answer.status, answer.header("retry-after")) == (503, "30")
        assert called(s) == ["a", "b"]


async def test_a_configuration_read_anew_keeps_health_and_connections_of_what_stays(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        if call.target.startswith("/a/"):
            await call.answer(b'{"error":{}}', 500)
        else:
            await serve(call)

    extra = "[routing]\nfailures = 1\ncooldown_ms = 60000\n"
    async with channels(tmp_path, script, channel("a"), channel("b", priority=2), extra=extra) as s:
        path, body, _ = request(Surface.CHAT)
        await s.post(path, body)
        await s.running.load(load(s.demo.config))
        await s.post(path, body)
        assert called(s) == ["a", "b", "b"]
        assert s.calls[1].writer is s.calls[2].writer
        s.demo.config.write_text(s.demo.config.read_text().replace('/a"', '/a/2"'))
        await s.running.load(load(s.demo.config))
        s.calls.clear()
        await s.post(path, {**body, "prompt_cache_key": "new"})
        assert called(s) == ["a", "b"]  # another address: nothing is known of it


async def test_the_serving_channel_shows_where_the_operator_wants_it(tmp_path: Path) -> None:
    """C14; callers cannot pick one (contract:068)."""
    async with channels(tmp_path, serve, channel("a"), channel("b", priority=2)) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body, x_wireproof_channel="b", x_channel="b")
        assert called(s) == ["a"]
        assert answer.header("x-wireproof-channel") is None
        assert answer.body == CHAT_BODY
        assert s.calls[0].header("x-wireproof-channel") == []
    async with channels(tmp_path / "2", serve, channel("a"), extra="[routing]\nchannel_header = true\n") as s:
        assert (await s.post(path, body)).header("x-wireproof-channel") == "a"


async def test_two_accounts_do_not_share_a_cache_key(tmp_path: Path) -> None:
    async with channels(tmp_path, serve, channel("a")) as s:
        raw = b'{"model":"gpt-5-5","prompt_cache_key":"tea","messages":[]}'
        for key in (s.demo.keys[0], s.demo.keys[0], s.demo.keys[1]):
            assert (await s.post("/v1/chat/completions", raw, key)).status == 200
        first, second, other = (json.loads(call.body)["prompt_cache_key"] for call in s.calls)
        assert first == second != other
        assert s.calls[0].body.replace(first.encode(), b"tea") == raw


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES])
async def test_an_image_url_is_the_vendors_to_fetch(surface: Surface, tmp_path: Path) -> None:
    """The gateway opens no connection to it: what stands there is never asked, and the URL reaches the vendor as it was written."""
    asked: list[bytes] = []

    async def image(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))
        writer.close()

    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    server = await asyncio.start_server(image, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/cat.png"
    part: dict[Surface, dict[str, object]] = {
        Surface.CHAT: {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]},
        Surface.RESPONSES: {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]},
        Surface.MESSAGES: {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": url}}]}]},
    }
    async with stage(tmp_path, script) as s:
        path, body, headers = request(surface)
        assert (await s.post(path, {**body, **part[surface]}, **headers)).status == 200
        assert url.encode() in s.calls[0].body
    server.close()
    assert asked == []


async def test_headers_of_an_answer(tmp_path: Path) -> None:
    """C38, contract:028: the vendor's limits and our account there are not the caller's; what the hop needs stays with the hop."""

    async def script(call: Upstream) -> None:
        await call.answer(
            CHAT_BODY,
            200,
            "x-request-id: req_upstream",
            "x-ratelimit-limit-requests: 500",
            "x-ratelimit-reset-tokens: 6m0s",
            "anthropic-ratelimit-requests-remaining: 4",
            "x-quota-remaining-credits: 1",
            "openai-organization: our-org",
            "openai-processing-ms: 12",
            "set-cookie: __cf_bm=1",
            "server: cloudflare",
            "via: 1.1 x",
            "connection: keep-alive, x-hop",
            "x-hop: 1",
            "keep-alive: timeout=5",
            "retry-after: 3",
            "x-should-retry: false",
        )

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body, openai_organization="theirs", openai_project="theirs", te="trailers", x_forwarded_for="1.2.3.4")
        for gone in (
            *("x-ratelimit-limit-requests", "x-ratelimit-reset-tokens", "anthropic-ratelimit-requests-remaining", "openai-organization"),
            *("set-cookie", "server", "via", "x-hop", "keep-alive"),
        ):
            assert answer.header(gone) is None, gone
        assert answer.header("x-upstream-request-id") == "req_upstream"
        assert (answer.header("x-request-id") or "").startswith("req_0")
        assert answer.header("openai-processing-ms") == "12"
        assert answer.header("x-should-retry") == "false"  # contract:233
        assert answer.header("x-quota-remaining-credits") == "99.999924"
        for gone in ("openai-organization", "openai-project", "te", "x-forwarded-for", "x-api-key"):
            assert s.calls[0].header(gone) == [], gone


def test_hints_are_short_whatever_was_asked(tmp_path: Path) -> None:
    status, message = refused(catalog(tmp_path), "default", "x" * 100_000)
    assert status == 404
    assert len(message) < 300
    assert names.resolve(catalog(tmp_path / "b"), "default", "gpt-5-5", 0.0)[1] is None
