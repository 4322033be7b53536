"""What an account reads of its own: balance, movements, usage rows and sums; and nothing of anyone else's."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reference_gateway.billing.ledger import Kind
from reference_gateway.routes import Surface
from reference_gateway.storage.interface import Row, Values
from reference_gateway.tests import scripted
from reference_gateway.tests.accounts.test_manage import create
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.services import Postgres, postgres
from reference_gateway.tests.wires import BODIES, COSTS, MODELS, request

__all__ = ["postgres"]

COST = COSTS[Surface.CHAT]


async def answering(call: Upstream) -> None:
    surface = Surface.MESSAGES if "messages" in call.target else Surface.CHAT
    await call.answer(BODIES[surface])


async def ask(s: Stage, surface: Surface = Surface.CHAT, key: str | None = None) -> str:
    path, body, headers = request(surface)
    answer = await s.call("POST", path, json.dumps(body).encode(), {"x-api-key": key or s.demo.keys[0], **headers})
    assert answer.status == 200
    return answer.header("x-request-id") or ""


async def test_the_account_and_its_alias(tmp_path: Path) -> None:
    """contract:178, C35."""
    async with stage(tmp_path, answering) as s:
        await ask(s)
        account = (await s.get("/api/v1/me/account")).json()
        assert (await s.get("/v1/balance")).json() == account
        balance = account["balance"]
        assert {"available_usd", "lifetime_topup_usd", "lifetime_spent_usd", "low_balance_threshold_usd", "low_balance_flagged"} <= set(
            balance
        )
        assert balance["lifetime_topup_micro_usd"] - balance["lifetime_spent_micro_usd"] == balance["available_micro_usd"]
        used = {model["id"]: model["quota_used_usd"] for model in account["allowed_models"]}
        assert used[MODELS[Surface.CHAT]] == COST / 1_000_000
        assert sum(used.values()) == COST / 1_000_000
        assert (await s.get("/api/v1/me/account", s.demo.poor_key)).json()["balance"]["low_balance_flagged"] is True
        assert {"user", "balance", "allowed_models", "org"} <= set(account)
        assert all(set(model) == {"id", "quota_used_usd", "quota_cap_usd"} for model in account["allowed_models"])
        assert [model["id"] for model in account["allowed_models"]] == [each["id"] for each in (await s.get("/v1/models")).json()["data"]]


async def test_movements_of_the_wallet_and_no_usage_among_them(tmp_path: Path) -> None:
    """contract:179, contract:154."""
    async with stage(tmp_path, answering) as s:
        await ask(s)
        treasury = s.running.treasury
        await treasury.move("account-1", Kind.TOPUP, 5_000_000, reference="pay-1", source="card", note="May")
        await treasury.move("account-1", Kind.ADMIN_DEBIT, 1_000_000, reference="fix-1", source="operator")
        await treasury.move("account-2", Kind.TOPUP, 7_000_000, reference="pay-2", source="card")
        listed = (await s.get("/api/v1/me/billing/transactions")).json()
        newest, topup, opening = listed["data"]
        assert listed["next"] is None
        assert set(newest) >= {"id", "created_at", "kind", "amount_usd", "balance_after_usd", "source", "note"}
        assert (newest["kind"], newest["amount_usd"], newest["balance_after_micro_usd"]) == ("admin_debit", -1.0, 104_000_000 - COST)
        assert (topup["kind"], topup["amount_usd"], topup["note"], topup["source"]) == ("topup", 5.0, "May", "card")
        assert (opening["kind"], opening["amount_usd"], opening["balance_after_usd"]) == ("topup", 100.0, 100.0)
        pages, after = [], ""
        while True:
            page = (await s.get(f"/api/v1/me/billing/transactions?limit=1{after}")).json()
            pages += page["data"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert pages == listed["data"]
        only = await s.get("/api/v1/me/billing/transactions?kind=topup")
        assert [entry["id"] for entry in only.json()["data"]] == [topup["id"], opening["id"]]
        assert (await s.get("/api/v1/me/billing/transactions?kind=subscription_renew")).json()["data"] == []
        assert (await s.get("/api/v1/me/billing/transactions?since=2999-01-01")).json()["data"] == []
        assert (await s.get("/api/v1/me/billing/transactions?until=2000-01-01")).json()["data"] == []
        for query, param in (("kind=gift", "kind"), ("limit=0", "limit"), ("since=soon", "since"), ("after=x", "after")):
            answer = await s.get(f"/api/v1/me/billing/transactions?{query}")
            assert (answer.status, answer.json()["error"]["param"]) == (400, param)


async def test_usage_rows_are_found_and_paged(tmp_path: Path) -> None:
    """contract:181, C33: a row's id is the answer's x-request-id."""
    async with stage(tmp_path, answering) as s:
        other = await create(s)
        ids = [await ask(s), await ask(s, Surface.MESSAGES), await ask(s, key=other["key"])]
        rows = await s.usage()
        assert {row["request_id"] for row in rows} == set(ids)
        assert [row["request_id"] for row in await s.usage(query=f"?request_id={ids[1]}")] == [ids[1]]
        assert [row["request_id"] for row in await s.usage(query=f"?api_key={other['id']}")] == [ids[2]]
        assert [row["request_id"] for row in await s.usage(query=f"?model={MODELS[Surface.MESSAGES]}")] == [ids[1]]
        pages, after = [], ""
        while True:
            page = (await s.get(f"/api/v1/usage?limit=1{after}")).json()
            pages += page["data"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert pages == rows
        assert await s.usage(query="?until=2001-01-01") == await s.usage(query="?since=2999-01-01") == []
        assert await s.usage(s.demo.keys[1], f"?request_id={ids[0]}") == []
        for query, param in (("after=x", "after"), ("limit=1001", "limit"), ("until=never", "until")):
            answer = await s.get(f"/api/v1/usage?{query}")
            assert (answer.status, answer.json()["error"]["param"]) == (400, param)


async def test_sums_by_day_hour_model_and_key(tmp_path: Path) -> None:
    """contract:180, contract:242: and they add up to what the wallet lost."""
    async with stage(tmp_path, answering) as s:
        other = await create(s)
        for surface, key in ((Surface.CHAT, None), (Surface.CHAT, other["key"]), (Surface.MESSAGES, None)):
            await ask(s, surface, key)
        await ask(s, key=s.demo.keys[1])
        failed = await s.post("/v1/chat/completions", b"{")
        assert failed.status == 400
        spent = await s.spent()
        today = datetime.now(UTC)
        whole = (await s.get("/api/v1/me/usage")).json()
        assert whole["group_by"] == ["day"]
        assert sum(bucket["call_count"] for bucket in whole["data"]) == 3
        assert whole["data"][-1]["day"] in (f"{today:%Y-%m-%d}", f"{today - timedelta(seconds=10):%Y-%m-%d}")
        for group_by in ("day", "hour", "model", "api_key", "model,api_key", "day,hour,model,api_key"):
            data = (await s.get(f"/api/v1/me/usage?group_by={group_by}")).json()["data"]
            assert sum(bucket["total_micro_usd"] for bucket in data) == spent == 2 * COST + COSTS[Surface.MESSAGES]
            assert all(set(group_by.split(",")) <= set(bucket) for bucket in data)
        by_key = (await s.get("/api/v1/me/usage?group_by=api_key")).json()["data"]
        assert {bucket["api_key"]: bucket["call_count"] for bucket in by_key} == {"key-1": 2, other["id"]: 1}
        by_model = {bucket["model"]: bucket for bucket in (await s.get("/api/v1/me/usage?group_by=model")).json()["data"]}
        chat = by_model[MODELS[Surface.CHAT]]
        assert (chat["input_tokens"], chat["cache_read_tokens"], chat["output_tokens"]) == (40, 20, 10)
        assert chat["total_usd"] == 2 * COST / 1_000_000


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("group_by=week", "group_by"),
        ("group_by=", "group_by"),
        ("group_by=day,,model", "group_by"),
        ("since=2026-01-01&until=2026-06-01", "since"),
        ("since=2026-02-01&until=2026-01-01", "since"),
        ("until=then", "until"),
    ],
)
async def test_sums_that_cannot_be_asked_for(query: str, param: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        answer = await s.get(f"/api/v1/me/usage?{query}")
        assert (answer.status, answer.json()["error"]["param"]) == (400, param)


async def test_since_is_inclusive_until_is_not(tmp_path: Path) -> None:
    async with stage(tmp_path, answering) as s:
        await ask(s)
        at_s = (await s.usage())[0]["created"]
        for since, until, calls in ((at_s, at_s + 1, 1), (at_s - 5, at_s, 0), (at_s + 1, at_s + 5, 0)):
            data = (await s.get(f"/api/v1/me/usage?since={since}&until={until}")).json()["data"]
            assert sum(bucket["call_count"] for bucket in data) == calls


async def test_free_endpoints_move_nothing(tmp_path: Path) -> None:
    """billing-and-storage.md 4.3, invariant 16; contract:172."""
    async with stage(tmp_path, answering) as s:
        await ask(s)
        before = (await s.get("/v1/models")).headers
        balance = await s.account()
        made = await create(s)
        for path in (
            *("/v1/models", "/v1/models/gpt-5-5", "/v1beta/models", "/api/pricing", "/v1/balance", "/api/v1/usage", "/api/v1/keys"),
            *("/api/v1/me/account", "/api/v1/me/usage", "/api/v1/me/billing/transactions", "/api/v1/me/available-models"),
            *("/api/v1/groups/available", f"/api/v1/keys/{made['id']}"),
        ):
            answer = await s.get(path)
            assert answer.status == 200, path
            for name in ("x-quota-remaining-credits", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"):
                assert answer.header(name) == dict(before)[name], (path, name)
        assert await s.account() == balance


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
async def test_no_document_of_the_account_looks_through_all_of_its_rows(
    storage: str, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the account's document is kept as it is spent; rows, sums and movements are found by an index."""
    if storage == "postgres":
        (tmp_path / "database").write_text(await asyncio.to_thread(postgres.fresh))
        monkeypatch.setattr(scripted, "PREAMBLE", f'[storage]\ndatabase_file = "{tmp_path / "database"}"\n')
    async with stage(tmp_path / "gateway", answering) as s:
        for surface in (Surface.CHAT, Surface.MESSAGES, Surface.CHAT):
            await ask(s, surface)
        await ask(s, Surface.CHAT, s.demo.keys[1])
        asked: list[tuple[str, Values]] = []
        database = s.running.books.database
        fetch = database.fetch

        async def noted(sql: str, values: Values) -> list[Row]:
            asked.append((sql, values))
            return await fetch(sql, values)

        monkeypatch.setattr(database, "fetch", noted)
        models = (await s.get("/api/v1/me/account")).json()["allowed_models"]
        assert {model["id"]: round(model["quota_used_usd"] * 1_000_000) for model in models if model["quota_used_usd"]} == {
            MODELS[Surface.CHAT]: 2 * COST,
            MODELS[Surface.MESSAGES]: COSTS[Surface.MESSAGES],
        }
        assert not [sql for sql, _ in asked if "usage" in sql]
        if storage == "sqlite":
            for path in ("/api/v1/me/usage", "/api/v1/usage", "/api/v1/usage?request_id=x", "/api/v1/me/billing/transactions"):
                asked.clear()
                assert (await s.get(path)).status == 200
                for sql, values in [each for each in asked if "usage" in each[0] or "ledger" in each[0]]:
                    plan = [row["detail"] for row in await fetch(f"EXPLAIN QUERY PLAN {sql}", values)]
                    assert plan[0].startswith("SEARCH"), (path, plan)
