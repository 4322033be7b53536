import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.case import Need
from harness.exchange import Exchange, StepSeen
from harness.verdict import Inconclusive
from suites.tasks import laws
from suites.tasks.videos import CASES, RULES, check_delivered
from suites.tests.steps import (
    answer,
    assert_all_pass,
    assert_fails,
    assert_judges_nothing,
    balance,
    case_of,
    exchange,
    row,
    seen,
    with_step,
)

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
VIDEO = b"\0\0\0\x18ftypmp42 and so on"
SECOND, FEE = 100_000, 50_000
LINK = "http://gateway/1.mp4"
ALL = (*RULES, *laws.RULES)


def states(name: str, *said: str) -> StepSeen:
    body = b"".join(b"event: status\ndata: " + json.dumps({"status": word}).encode() + b"\n\n" for word in said)
    return seen(name, answer(200, body))


def submitted(name: str, seconds: int, asked: Any = None, **more: Any) -> StepSeen:
    body = {"content": [{"type": "text", "text": "A lighthouse, and the tide comes in."}], "duration": seconds} if asked is None else asked
    vendor = [answer(200, {"id": "cgt-1"}), answer(200, {"content": {"video_url": "http://vendor/1.mp4"}})]
    vendor.append(answer(200, VIDEO, content_type="video/mp4"))
    found = seen(name, answer(200, {"task_id": ID, "status": "pending"}, x_request_id=f"r-{name}"), vendor=vendor, **more)
    first, *rest = found.upstream
    first = replace(first, request=replace(first.request, body=json.dumps(body).encode()))
    return replace(found, upstream=(first, *(replace(hop, request=replace(hop.request, method="GET")) for hop in rest)))


def done(name: str, cost: int, **more: Any) -> StepSeen:
    used = f"{cost / 1_000_000:.6f}"
    return seen(name, answer(200, {"task_id": ID, "status": "completed", "output": [{"url": LINK}], "credits_used": used, **more}))


def video(long: int = 8 * SECOND + FEE, short: int = 4 * SECOND + FEE) -> Exchange:
    return exchange(
        case_of(CASES, "tasks/video"),
        submitted("submit", 8, books=balance(long)),
        submitted("shorter", 4),
        states("watch", "pending", "running", "completed"),
        states("watch-shorter", "completed"),
        done("by-id", long),
        done("by-id-shorter", short),
        seen("fetched", answer(200, VIDEO, content_type="video/mp4")),
        rows=[row("r-submit", long), row("r-shorter", short)],
    )


def ended(name: str, word: str = "failed") -> Exchange:
    shows = {"task_id": ID, "status": word}
    if word == "failed":
        shows |= {"error_code": "bad_upstream", "error_message": "No."}
    cancel = [seen("cancel", answer(200, shows))] if word == "cancelled" else []
    steps = (states("watch", "pending", "running", word), seen("by-id", answer(200, shows)))
    return exchange(case_of(CASES, f"tasks/{name}"), submitted("submit", 8), *cancel, *steps)


def lost() -> Exchange:
    return ended("video-lost")


def failed() -> Exchange:
    return ended("video-failed")


def blocked() -> Exchange:
    return ended("video-blocked")


def cancelled() -> Exchange:
    return ended("video-cancelled", "cancelled")


@pytest.mark.parametrize("right", [video, lost, failed, blocked, cancelled])
def test_videos_as_they_should_be_pass(right: Callable[[], Exchange]) -> None:
    assert_all_pass(ALL, right())
    assert right().case.needs == {Need.VIDEOS}


@pytest.mark.parametrize(
    ("requirement", "step"),
    [
        ("tasks/video-asked", submitted("shorter", 5)),
        ("tasks/video-asked", submitted("shorter", 4, {"content": [{"type": "text", "text": "A cat."}], "duration": 4})),
        ("tasks/video-asked", submitted("shorter", 4, [])),
        ("tasks/video-asked", replace(submitted("shorter", 4), upstream=())),
        ("tasks/video-delivered", seen("fetched", answer(200, VIDEO, content_type="application/octet-stream"))),
        ("tasks/video-delivered", seen("fetched", answer(200, VIDEO[:9], content_type="video/mp4"))),
        ("tasks/video-delivered", done("by-id", 8 * SECOND + FEE, output=[{"url": None}])),
    ],
)
def test_a_fault_is_found_by_its_own_check(requirement: str, step: StepSeen) -> None:
    assert_fails(ALL, with_step(video(), step), requirement)


@pytest.mark.parametrize(
    ("long", "short"), [(8 * SECOND, 4 * SECOND), (850_000, 850_000), (850_001, 450_000), (600_000 + FEE, 4 * SECOND + FEE)]
)
def test_seconds_at_a_wrong_price_are_found(long: int, short: int) -> None:
    assert_fails(ALL, video(long, short), "tasks/video-billed-by-the-second")


def test_a_wallet_that_loses_more_than_the_tasks_show_is_found() -> None:
    of = video()
    assert of.account is not None
    after = balance(2_000_000, *(of.account.after.rows or ()))
    assert_fails(ALL, replace(of, account=replace(of.account, after=after)), "tasks/video-billed-by-the-second")


@pytest.mark.parametrize("right", [lost, failed])
def test_what_came_to_nothing_costs_nothing(right: Callable[[], Exchange]) -> None:
    of = right()
    assert of.account is not None
    wrong = replace(of, account=replace(of.account, after=balance(FEE, row("r-submit", FEE))))
    assert_fails(ALL, wrong, "tasks/video-lost-is-free" if right is lost else "tasks/failed-is-free")


def test_a_lost_video_that_counts_as_made_is_found() -> None:
    assert_fails(ALL, with_step(lost(), done("by-id", 0)), "tasks/video-lost-is-free")


def test_a_link_of_the_vendors_own_is_not_judged() -> None:
    of = with_step(video(), done("by-id", 850_000, output=[{"url": "http://vendor/1.mp4"}]))
    assert isinstance(check_delivered(of), Inconclusive)


@pytest.mark.parametrize("right", [video, lost])
def test_where_nothing_was_answered_nothing_is_judged(right: Callable[[], Exchange]) -> None:
    of = right()
    assert_judges_nothing(ALL, replace(of, steps=tuple(seen(step.name) for step in of.steps)))
