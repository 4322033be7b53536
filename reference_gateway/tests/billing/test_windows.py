import hypothesis.strategies as st
from hypothesis import given

from reference_gateway.billing.windows import SPANS, Window, Windows

HOUR = 3600


def test_a_rolling_window_forgets_one_spend_at_a_time() -> None:
    """billing-and-storage.md 4.3, invariant 12: that one probe tells rolling from anchored."""
    windows = Windows((100, 0, 0))
    windows.add(0.0, 30)
    windows.add(4.0 * HOUR, 20)
    before, after = windows.tightest(4.5 * HOUR), windows.tightest(5.0 * HOUR)
    assert before is not None
    assert after is not None
    assert (before.spent, before.remaining, before.resets_at) == (50, 50, 5 * HOUR)
    assert (after.spent, after.remaining, after.resets_at) == (20, 80, 9 * HOUR)


def test_an_exhausted_window_resets_when_something_remains_again() -> None:
    windows = Windows((100, 0, 0))
    for at, amount in ((0.0, 40), (10.5, 90), (20.0, 20)):
        windows.add(at, amount)
    window = windows.tightest(30.0)
    assert window is not None
    assert (window.remaining, window.resets_at) == (0, 5 * HOUR + 11)  # 40 ageing out leaves 110; 90 more leaves 20


def test_the_tightest_window_is_shown_and_no_limit_is_none() -> None:
    windows = Windows((1000, 100, 500))
    windows.add(0.0, 60)
    tightest = windows.tightest(6.0 * HOUR)
    assert tightest is not None
    assert (tightest.name, tightest.remaining) == ("1d", 40)
    assert Windows((0, 0, 0)).tightest(0.0) is None


@given(st.lists(st.tuples(st.floats(0, 20_000), st.integers(0, 100)), max_size=40), st.integers(1, 300), st.floats(0, 40_000))
def test_spent_is_the_sum_of_what_is_young_enough(spends: list[tuple[float, int]], limit: int, later: float) -> None:
    name, span = SPANS[0]
    window = Window(name, span, limit)
    now = 0.0
    for at, amount in sorted(spends):
        window.add(at, amount)
        now = at
    now += later
    window.forget(now)
    assert window.spent == sum(amount for at, amount in spends if at + span > now)
    assert window.remaining == max(0, limit - window.spent)
    reset = window.resets_at(now)
    assert reset > now
    if not window.remaining:
        window.forget(float(reset))
        assert window.remaining > 0
