"""The names that the guides give and take away: what is on the list can be called, and an old name is no alias."""

import json
from pathlib import Path

import pytest

from reference_gateway.clock import ShiftedClock
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import BODIES, request

OF_OPENAI = ("gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano", "o1", "o1-mini", "o1-preview")
OF_ANTHROPIC = (
    *("claude-3-5-sonnet-20241022", "claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "claude-opus-4-20250514"),
    *("claude-3-5-haiku-20241022", "claude-3-5-sonnet-latest", "claude-sonnet-4-6-20260101"),
)
OF_DEEPSEEK = ("deepseek-coder", "deepseek-r1", "deepseek-v2", "deepseek-v3")
JULY_24 = 1_784_908_740.0  # 2026-07-24T15:59:00Z
DOTTED = ("gemini-3.1-pro", "gemini-2.5-pro", "gpt-5.5", "seedream-v4.5", "claude-opus-4.8")


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES])
async def test_an_old_name_is_no_alias(surface: Surface, tmp_path: Path) -> None:
    """contract:052 to contract:054, C9, C10, C11: 404, and no vendor hears of it."""
    async with stage(tmp_path) as s:
        path, body, headers = request(surface)
        for name in (*OF_OPENAI, *OF_ANTHROPIC, *DOTTED):
            answer = await s.post(path, {**body, "model": name}, **headers)
            assert answer.status == 404, name
            assert name in answer.json()["error"]["message"]
        for name in ("gpt-image-1", "seedream-v4.5"):
            assert (await s.post("/v1/images/generations", {"model": name, "prompt": "a cat"})).status == 404
        assert s.calls == []


async def test_handles_of_deepseeks_families_are_told_what_to_ask_for(tmp_path: Path) -> None:
    """contract:056, C12: all but the one that is sold."""
    async with stage(tmp_path) as s:
        listed = {model["id"] for model in (await s.get("/v1/models")).json()["data"]}
        for name in OF_DEEPSEEK:
            answer = await s.post("/v1/chat/completions", {"model": name, "messages": []})
            assert answer.status == 404
            hint = answer.json()["error"]["message"].partition("Use ")[2].rstrip(".")
            assert hint in listed
        assert "deepseek-v3-anthropic" in listed
        assert s.calls == []


async def test_one_spelling_on_every_protocol(tmp_path: Path) -> None:
    """contract:049: what the list says is what each path takes, and what goes to the vendor (contract:235)."""

    async def script(call: Upstream) -> None:
        surface = Surface.MESSAGES if "messages" in call.target else Surface.GEMINI if "v1beta" in call.target else Surface.CHAT
        await call.answer(BODIES[surface])

    async with stage(tmp_path, script) as s:
        ids = [model["id"] for model in (await s.get("/v1/models")).json()["data"]]
        assert [model["id"] for model in (await s.get("/v1/models", **{"anthropic-version": "2023-06-01"})).json()["data"]] == ids
        assert [model["name"] for model in (await s.get("/v1beta/models")).json()["models"]] == [f"models/{id_}" for id_ in ids]
        for surface in (Surface.CHAT, Surface.MESSAGES, Surface.GEMINI):
            path, body, headers = request(surface)
            assert (await s.post(path, body, **headers)).status == 200
            assert body.get("model", "gemini-3-1-pro") in s.calls[-1].target + s.calls[-1].body.decode()


async def test_the_documented_groups_can_be_bound_to(tmp_path: Path) -> None:
    """contract:044, C7: default reaches every vendor here, since its configuration says so."""
    async with stage(tmp_path) as s:
        groups = {group["id"]: group["models"] for group in (await s.get("/api/v1/groups/available")).json()["data"]}
        assert {"default", "claude-default", "gemini-default", "volcengine-default"} <= set(groups)
        assert set(groups["default"]) == {model["id"] for model in (await s.get("/v1/models")).json()["data"]}
        for group, models in groups.items():
            made = await s.post("/api/v1/keys", {"name": "mine", "group_id": group})
            assert made.status == 201
            assert [model["id"] for model in (await s.get("/v1/models", made.json()["key"])).json()["data"]] == models


async def test_which_models_think(tmp_path: Path) -> None:
    """contract:123."""
    async with stage(tmp_path) as s:
        listed = (await s.get("/v1/models?capability=thinking&family=claude")).json()["data"]
        assert {model["id"] for model in listed} == {"claude-sonnet-4-6", "claude-opus-4-8"}


@pytest.mark.parametrize(
    ("old", "model", "thinking"), [("deepseek-chat", "deepseek-v4-flash", "disabled"), ("deepseek-reasoner", "deepseek-v4-pro", "enabled")]
)
@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.MESSAGES])
async def test_deepseeks_old_names_until_their_day(old: str, model: str, thinking: str, surface: Surface, tmp_path: Path) -> None:
    """contract:055: a second before it they are the V4 models, thinking or not; from it on 400, whatever is in the group."""

    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script, clock=ShiftedClock(lambda: JULY_24 - 1)) as s:
        path, body, headers = request(surface)
        before = await s.post(path, {**body, "model": old}, **headers)
        assert before.status == 200, before
        sent = json.loads(s.calls[-1].body)
        assert (sent["model"], sent["thinking"]["type"]) == (model, thinking)
        (row,) = await s.usage()
        assert row["model"] == model
        s.clock.advance(1)
        after = await s.post(path, {**body, "model": old}, **headers)
        assert after.status == 400
        assert f"use {model}" in after.json()["error"]["message"]
        assert len(s.calls) == 1


async def test_what_is_translated_is_marked_for_every_model(tmp_path: Path) -> None:
    """contract:063: over the wire, for all four protocols, and the marked ones answer."""
    protocols = {"openai_chat", "openai_responses", "anthropic_messages", "gemini_generate_content"}
    native = {
        "gpt-5-5": {"openai_chat", "openai_responses"},
        "claude-sonnet-4-6": {"anthropic_messages"},
        "gemini-3-1-pro": {"gemini_generate_content"},
        "deepseek-v3-anthropic": {"anthropic_messages"},
    }
    async with stage(tmp_path) as s:
        models = {model["id"]: model["protocols_aggregate"] for model in (await s.get("/api/v1/me/available-models")).json()["data"]}
        for id_, own in native.items():
            assert set(models[id_]) == own | {f"{name}:translated" for name in protocols - own}
        assert models["gpt-image-2"] == ["openai_images"]
        assert models["seedance-1-5"] == ["video_tasks"]
