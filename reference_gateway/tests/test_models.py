"""The catalogue: lists, filters, prices, and what an account can bind a key to."""

import json
from pathlib import Path

import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.errors import Family
from reference_gateway.models import CAPABILITIES, Filter, listing, protocols
from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import create
from reference_gateway.tests.scripted import stage


@pytest.mark.parametrize(
    ("query", "among"),
    [
        ("", {"gpt-5-5", "claude-sonnet-4-6", "gemini-3-1-pro", "deepseek-v4-pro"}),
        ("?capability=cache_control", {"claude-sonnet-4-6", "claude-opus-4-8"}),
        ("?capability=vision&capability=cache_control", {"claude-sonnet-4-6", "claude-opus-4-8"}),
        ("?capability=thinking&family=deepseek", {"deepseek-v4-pro"}),
        ("?family=claude", {"claude-sonnet-4-6", "claude-opus-4-8"}),
        ("?family=anthropic", {"claude-sonnet-4-6", "claude-opus-4-8"}),  # C13
        ("?family=gemini&key=ignored", {"gemini-3-1-pro"}),
    ],
)
async def test_filters_narrow_the_list(query: str, among: set[str], tmp_path: Path) -> None:
    """contract:058: capabilities must all be there."""
    async with stage(tmp_path) as s:
        everything = {model["id"]: model for model in (await s.get("/v1/models")).json()["data"]}
        answer = await s.get(f"/v1/models{query}")
        assert answer.status == 200
        found = {model["id"] for model in answer.json()["data"]}
        assert among <= found
        wanted = [part.partition("=")[2] for part in query.strip("?").split("&") if part.startswith("capability=")]
        expected = {id_ for id_, model in everything.items() if set(wanted) <= set(model["capabilities"])}
        assert found <= expected
        if "family" not in query:
            assert found == expected
        assert all(set(model["capabilities"]) <= set(CAPABILITIES) for model in everything.values())  # contract:059


@pytest.mark.parametrize("query", ["?capability=telepathy", "?family=nobody", "?capability=vision&capability=telepathy", "?family="])
async def test_a_filter_that_matches_nothing_gives_an_empty_list(query: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        answer = await s.get(f"/v1/models{query}")
        assert (answer.status, answer.json()) == (200, {"object": "list", "data": []})
        anthropic = await s.get(f"/v1/models{query}", **{"anthropic-version": "2023-06-01"})
        assert anthropic.json() == {"data": [], "has_more": False, "first_id": None, "last_id": None}


async def test_the_list_is_free_and_needs_no_money(tmp_path: Path) -> None:
    """contract:061: 401 and 403 only."""
    async with stage(tmp_path) as s:
        assert (await s.get("/v1/models", s.demo.poor_key)).status == 200
        blocked = await create(s, ip_blacklist=["127.0.0.0/8"])
        for path, status in (("/v1/models", "permission_denied"), ("/v1beta/models", "PERMISSION_DENIED")):
            answer = await s.get(path, blocked["key"])
            assert answer.status == 403
            assert status in answer.body.decode()
            assert answer.header("x-quota-remaining-credits") is None  # from there nothing of the account is seen


async def test_whatever_is_listed_is_in_the_keys_group(tmp_path: Path) -> None:
    """contract:060."""
    async with stage(tmp_path) as s:
        narrow = {model["id"] for model in (await s.get("/v1/models", s.demo.narrow_key)).json()["data"]}
        for model in (await s.get("/v1/models")).json()["data"]:
            assert (await s.get(f"/v1/models/{model['id']}", s.demo.narrow_key)).status == (200 if model["id"] in narrow else 403)


async def test_prices_are_of_every_class_and_of_the_models_one_can_call(tmp_path: Path) -> None:
    """contract:062, C29."""
    async with stage(tmp_path) as s:
        data = (await s.get("/api/pricing", s.demo.narrow_key)).json()["data"]
        models = (await s.get("/v1/models", s.demo.narrow_key)).json()["data"]
        assert [price["model"] for price in data] == [model["id"] for model in models]
        assert set(data[0]) == {"model", "category", "vendor", "rates", "updated_at"}
        assert {"input_per_1m", "cache_write_per_1m", "cache_write_1h_per_1m", "cache_read_per_1m", "output_per_1m", "currency"} <= set(
            data[0]["rates"]
        )
        assert not any("rates" in model or "price" in model for model in models)


async def test_what_an_account_can_bind_to(tmp_path: Path) -> None:
    """contract:040, contract:063."""
    async with stage(tmp_path) as s:
        groups = (await s.get("/api/v1/groups/available")).json()["data"]
        assert {"default", "claude-default", "gpt-default"} <= {group["id"] for group in groups}
        models = (await s.get("/api/v1/me/available-models", s.demo.narrow_key)).json()["data"]  # not only those of this key's group
        claude = next(model for model in models if model["id"] == "claude-sonnet-4-6")
        assert {"default", "claude-default"} <= set(claude["groups"])
        assert "anthropic_messages" in claude["protocols_aggregate"]
        assert {model["id"] for model in models} == {model for group in groups for model in group["models"]}


async def test_an_account_may_be_kept_to_some_groups(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        config = s.demo.config
        config.write_text(config.read_text().replace("[accounts.account-1]\n", '[accounts.account-1]\ngroups = ["gpt-default"]\n'))
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            assert [group["id"] for group in (await s.get("/api/v1/groups/available")).json()["data"]] == ["gpt-default"]
            ids = {model["id"] for model in (await s.get("/api/v1/me/available-models")).json()["data"]}
            assert "gpt-5-5" in ids
            assert not any(id_.startswith("claude") for id_ in ids)
            answer = await s.post("/api/v1/keys", {"name": "x", "group_id": "claude-default"})
            assert (answer.status, answer.json()["error"]["param"]) == (400, "group_id")
            assert "gpt-default" in answer.json()["error"]["message"]
            await create(s, group_id="gpt-default")


def test_translated_protocols_are_marked(tmp_path: Path) -> None:
    """contract:063."""
    model = load(demo_config("http://127.0.0.1:1", tmp_path).config).catalog.models["gemini-3-1-pro"]
    marked = protocols(model, (Surface.MESSAGES, Surface.CHAT, Surface.GEMINI))
    assert marked == ["gemini_generate_content", "openai_chat:translated", "anthropic_messages:translated"]


def test_a_list_says_what_goes_in_and_what_comes_out(tmp_path: Path) -> None:
    models = load(demo_config("http://127.0.0.1:1", tmp_path).config).catalog.models
    (gpt,) = json.loads(listing(Family.OPENAI, [models["gpt-5-5"]]))["data"]
    assert (gpt["input_modalities"], gpt["output_modalities"]) == (["text", "image"], ["text"])
    assert json.loads(listing(Family.OPENAI, models.values(), Filter(families=["nobody"])))["data"] == []
