import json
from dataclasses import replace

import pytest

from harness.case import Outcome, Surface
from harness.exchange import AccountReading, Balance, Exchange, UsageRow
from harness.mutation.mutants.billing import MUTANTS
from harness.verdict import Failed, Inconclusive, Passed
from suites.billing import charges, ledger, reading
from suites.billing.cases import CASES
from suites.billing.ledger_cases import CASES as LEDGER_CASES
from suites.tests import traffic

ANSWER = (
    b'{"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn",'
    b' "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5, "output_tokens": 7}}'
)
ROW = UsageRow(
    request_id="req_1", model="m", cost_micro_usd=40, input_tokens=10, output_tokens=7, cache_read_tokens=90, cache_write_tokens=5
)


def billed(*rows: UsageRow, charged: int = 40, answer: bytes = ANSWER) -> Exchange:
    before = Balance(available_micro_usd=1_000, rows=())
    after = Balance(available_micro_usd=1_000 - charged, rows=rows)
    return replace(traffic.made(Surface.MESSAGES, answer), account=AccountReading(before=before, after=after))


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept((*charges.RULES, *ledger.RULES), MUTANTS, "billing/")
    cases = (*CASES, *LEDGER_CASES)
    assert len({case.id for case in cases}) == len(cases)


def test_a_call_billed_right_passes() -> None:
    exchange = billed(ROW)
    checks = (charges.check_one_row, charges.check_row_tokens, charges.check_row_cache, charges.check_charge, charges.check_not_estimated)
    for check in checks:
        assert isinstance(check(exchange), Passed), check


def test_two_rows_are_one_too_many() -> None:
    assert isinstance(charges.check_one_row(billed(ROW, replace(ROW, request_id="req_2"))), Failed)


def test_no_row_is_one_too_few() -> None:
    assert isinstance(charges.check_one_row(billed()), Failed)


def test_input_may_be_listed_with_the_cached_tokens_or_without() -> None:
    assert isinstance(charges.check_row_tokens(billed(replace(ROW, input_tokens=105))), Passed)
    assert isinstance(charges.check_row_tokens(billed(replace(ROW, input_tokens=100))), Failed)


def test_cached_tokens_counted_as_plain_input_are_found() -> None:
    wrong = replace(ROW, input_tokens=105, cache_read_tokens=0, cache_write_tokens=0)
    assert isinstance(charges.check_row_cache(billed(wrong)), Failed)


def test_the_wallet_loses_what_the_row_says() -> None:
    assert isinstance(charges.check_charge(billed(ROW, charged=41)), Failed)
    assert isinstance(charges.check_charge(billed(replace(ROW, cost_micro_usd=0), charged=0)), Failed)


@pytest.mark.parametrize(("charged", "right"), [(90, True), (91, True), (180, False), (45, False), (0, False)])
def test_each_token_class_costs_what_the_price_table_says(charged: int, right: bool) -> None:
    exchange = billed(ROW, charged=charged)
    assert exchange.account is not None
    assert isinstance(charges.check_price(exchange), Inconclusive)
    rates = {"input_per_1m": 1_000_000, "output_per_1m": 5_000_000, "cache_read_per_1m": 400_000, "cache_write_per_1m": 1_800_000}
    priced = replace(exchange, account=replace(exchange.account, prices=rates))  # 10 + 35 + 36 + 9
    assert isinstance(charges.check_price(priced), Passed if right else Failed)


@pytest.mark.parametrize(("charged", "rows", "free"), [(0, (), True), (1, (), False), (0, (ROW,), False)])
def test_a_failure_is_free_and_leaves_no_row(charged: int, rows: tuple[UsageRow, ...], free: bool) -> None:
    exchange = billed(*rows, charged=charged)
    exchange = replace(exchange, case=replace(exchange.case, outcome=Outcome.UPSTREAM_BROKEN))
    verdicts = (charges.check_failure_free(exchange), charges.check_failure_no_row(exchange))
    assert all(isinstance(verdict, Passed) for verdict in verdicts) is free


def test_who_left_in_the_middle_pays_for_no_more_than_was_sent() -> None:
    stream = traffic.named_frames(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    )
    assert isinstance(charges.check_left_later(billed(replace(ROW, output_tokens=5), answer=stream)), Passed)
    assert isinstance(charges.check_left_later(billed(replace(ROW, output_tokens=6), answer=stream)), Failed)
    assert isinstance(charges.check_left_early(billed(answer=stream, charged=0)), Inconclusive)


def test_who_left_before_content_pays_nothing() -> None:
    start = traffic.named_frames({"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 1}}})
    assert isinstance(charges.check_left_early(billed(answer=start, charged=0)), Passed)
    assert isinstance(charges.check_left_early(billed(ROW, answer=start)), Failed)


def test_usage_is_read_over_the_whole_stream() -> None:
    stream = traffic.named_frames(
        {"type": "message_start", "message": {"usage": {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9, "cache_read_input_tokens": None}},
    )
    found = reading.reported(traffic.made(Surface.MESSAGES, stream))
    assert found == reading.Tokens(input_tokens=10, output_tokens=9, cache_read_tokens=3)


@pytest.mark.parametrize(("charged", "right"), [(20_090, True), (20_091, True), (90, False), (10_090, False), (30_090, False)])
def test_each_search_costs_what_the_price_table_says(charged: int, right: bool) -> None:
    searched = ANSWER.replace(b'"output_tokens": 7', b'"output_tokens": 7, "server_tool_use": {"web_search_requests": 2}')
    exchange = billed(ROW, charged=charged, answer=searched)
    assert exchange.account is not None
    rates = {"input_per_1m": 1_000_000, "output_per_1m": 5_000_000, "cache_read_per_1m": 400_000, "cache_write_per_1m": 1_800_000}
    assert isinstance(charges.check_searches(replace(exchange, account=replace(exchange.account, prices=rates))), Inconclusive)
    rates["per_search"] = 10_000
    assert isinstance(
        charges.check_searches(replace(exchange, account=replace(exchange.account, prices=rates))), Passed if right else Failed
    )
    silent = billed(ROW, charged=charged)
    assert silent.account is not None
    assert isinstance(charges.check_searches(replace(silent, account=replace(silent.account, prices=rates))), Inconclusive)


def test_searches_are_counted_as_each_protocol_tells_of_them() -> None:
    calls = [
        {"type": "web_search_call", "status": "completed", "action": {"type": "search"}},
        {"type": "web_search_call", "status": "completed"},
        {"type": "web_search_call", "status": "completed", "action": {"type": "open_page"}},
        {"type": "web_search_call", "status": "failed"},
        {"type": "message"},
    ]
    of_responses = billed(ROW, answer=json.dumps({"output": calls}).encode())
    of_responses = replace(of_responses, case=replace(of_responses.case, surface=Surface.RESPONSES))
    assert reading.searches(of_responses) == 2
