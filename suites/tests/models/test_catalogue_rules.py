from typing import Any

import pytest

from harness.exchange import Exchange, StepSeen
from suites.models.catalogue import CASES, RULES
from suites.tests.steps import answer, assert_all_pass, assert_fails, exchange, seen, with_step


def model(name: str, family: str, *tags: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 1,
        "owned_by": f"{family}-vendor",
        "family": family,
        "capabilities": ["text", *tags],
        "context_window": 1,
        "max_output_tokens": 1,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "pricing_url": "/api/pricing",
    }


ONE, TWO = model("one", "gpt", "vision", "tool_use"), model("two", "claude", "vision")
RATES = {"input_per_1m": 1, "output_per_1m": 8, "cache_read_per_1m": 0.1, "cache_write_per_1m": 1.25, "currency": "USD"}


def priced(name: str, **rates: Any) -> dict[str, Any]:
    return {"model": name, "category": "text", "vendor": "v", "rates": {**RATES, **rates}, "updated_at": "2026-01-01T00:00:00Z"}


def listed(name: str, *entries: dict[str, Any]) -> StepSeen:
    return seen(name, answer(200, {"object": "list", "data": list(entries)}))


def right() -> Exchange:
    (case,) = CASES
    return exchange(
        case,
        listed("all", ONE, TWO),
        listed("able", ONE),
        listed("family", ONE),
        listed("owner", ONE),
        seen("card", answer(200, ONE)),
        seen("no-card", answer(404, {"error": {}})),
        listed("priced", priced("one"), priced("two")),
        listed(
            "available",
            {**ONE, "protocols_aggregate": ["openai_chat", "anthropic_messages:translated"]},
            {**TWO, "protocols_aggregate": ["x"]},
        ),
        listed("groups", {"id": "default", "models": ["one", "two"]}, {"id": "narrow", "models": ["one"]}),
    )


def test_a_catalogue_as_it_should_be_passes() -> None:
    assert_all_pass(RULES, right())


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("models/filters", listed("able", ONE, TWO)),
        ("models/filters", listed("owner")),
        ("models/card", seen("card", answer(200, TWO))),
        ("models/card", seen("no-card", answer(200, ONE))),
        ("models/priced", listed("priced", priced("one"))),
        ("models/priced", listed("priced", priced("one"), priced("two", currency=None))),
        ("models/available", listed("available", {**ONE, "protocols_aggregate": ["openai_chat"]})),
        ("models/available", listed("available", {**ONE, "protocols_aggregate": ["a:b"]}, {**TWO, "protocols_aggregate": ["x"]})),
        ("models/groups", listed("groups", {"id": "narrow", "models": ["one"]})),
        ("models/groups", listed("groups", {"name": "default", "models": ["one", "two"]})),
    ],
)
def test_a_fault_is_found_by_its_own_check(requirement: str, step: StepSeen) -> None:
    assert_fails(RULES, with_step(right(), step), requirement)


def test_a_tag_that_nobody_knows_is_found() -> None:
    two = {**TWO, "capabilities": ["text", "vision", "very_good"]}
    assert_fails(RULES, with_step(right(), listed("all", ONE, two)), "models/item-fields")
