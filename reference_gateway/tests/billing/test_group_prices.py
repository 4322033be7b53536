"""contract:167: a group can have prices of its own, and they are what its keys see and pay."""

from pathlib import Path

import pytest

from reference_gateway.config import ConfigError, load
from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import create
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, request

DEAR = '\n[groups.dear]\nmodels = ["*"]\n[groups.dear.prices.gpt-5-5]\ninput = "2.50"\noutput = "20.00"\ncache_read = "0.25"\n'


async def cost(s: Stage, key: str) -> int:
    path, body, _ = request(Surface.CHAT)
    answer = await s.post(path, body, key)
    assert answer.status == 200
    (row,) = await s.usage(key, f"?request_id={answer.header('x-request-id')}")
    assert row["model"] == "gpt-5-5"
    charged: int = row["cost_micro_usd"]
    return charged


async def rate(s: Stage, key: str) -> float:
    listed = (await s.get("/api/pricing", key)).json()["data"]
    found: float = next(entry["rates"]["input_per_1m"] for entry in listed if entry["model"] == "gpt-5-5")
    return found


async def test_the_same_model_costs_more_in_a_dearer_group(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script, edit=lambda text: text + DEAR) as s:
        usual, dear = (await create(s))["key"], (await create(s, group_id="dear"))["key"]
        assert await cost(s, usual) == COSTS[Surface.CHAT] == 76
        assert await cost(s, dear) == 153  # 152.5
        assert (await rate(s, usual), await rate(s, dear)) == (1.25, 2.5)
        before = await s.spent()
        s.demo.config.write_text(s.demo.config.read_text().replace('input = "2.50"', 'input = "5.00"'))
        s.clock.advance(1)
        await s.running.load(load(s.demo.config))
        assert await cost(s, usual) == 76
        assert await s.spent() == before + 76
        assert await rate(s, dear) == 5.0


@pytest.mark.parametrize(
    ("price", "says"),
    [
        ('[groups.default.prices.gpt-9]\ninput = "1"\noutput = "1"\n', "model gpt-9 is not defined"),
        ('[groups.default.prices.seedream-4-5]\nimages = { default = "1" }\n', "priced by the piece, which no group can change"),
        ('[groups.default.prices.gpt-5-5]\ninput = "1"\n', "lacks output"),
    ],
)
def test_a_price_that_no_group_can_have(price: str, says: str, tmp_path: Path) -> None:
    file = demo_config("http://127.0.0.1:1", tmp_path).config
    file.write_text(file.read_text() + price)
    with pytest.raises(ConfigError, match=says):
        load(file)
