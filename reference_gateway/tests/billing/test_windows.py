import hypothesis.strategies as st
import pytest
from hypothesis import given

from reference_gateway.billing.windows import GRAINS_OF_SPAN, SPANS, Tightest, Window, Windows

HOUR = 3600


def tightest(windows: Windows, now: float, limits: tuple[int, int, int]) -> Tightest:
    found = windows.tightest(now, limits)
    assert found is not None
    return found


def test_a_rolling_window_forgets_one_spend_at_a_time() -> None:
    """billing-and-storage.md 4.3, invariant 12: that one probe tells rolling from anchored."""
    windows = Windows()
    windows.add(0.0, 30)
    windows.add(4.0 * HOUR, 20)
    before = tightest(windows, 4.5 * HOUR, (100, 0, 0))
    after = tightest(windows, 5.0 * HOUR, (100, 0, 0))
    assert (before.spent, before.remaining, before.resets_at) == (50, 50, 5 * HOUR)
    assert (after.spent, after.remaining, after.resets_at) == (20, 80, 9 * HOUR)


def test_an_exhausted_window_resets_when_something_remains_again() -> None:
    windows = Windows()
    for at, amount in ((0.0, 40), (100.5, 90), (200.0, 20)):
        windows.add(at, amount)
    window = tightest(windows, 300.0, (100, 0, 0))
    assert (window.remaining, window.resets_at) == (0, 5 * HOUR + 101)  # 40 ageing out leaves 110; 90 more leaves 20


def test_the_tightest_window_is_shown_and_no_limit_is_none() -> None:
    windows = Windows()
    windows.add(0.0, 60)
    window = tightest(windows, 6.0 * HOUR, (1000, 100, 500))
    assert (window.name, window.remaining) == ("1d", 40)
    assert windows.tightest(6.0 * HOUR, (0, 0, 0)) is None


def test_a_limit_set_later_counts_what_was_spent_before() -> None:
    windows = Windows()
    windows.add(0.0, 60)
    assert windows.tightest(1.0, (0, 0, 0)) is None
    assert tightest(windows, 2.0, (0, 50, 0)).remaining == 0
    assert tightest(windows, 2.0, (0, 70, 0)).remaining == 10


def test_what_is_saved_and_loaded_is_the_same() -> None:
    windows, again = Windows(), Windows()
    for at in range(0, 40_000, 700):
        windows.add(float(at), at)
    again.load(windows.save(40_000.0))
    for now in (40_000.0, 50_000.0, 100_000.0, 700_000.0):
        assert again.tightest(now, (1, 1, 1)) == windows.tightest(now, (1, 1, 1))


def test_a_busy_key_takes_bounded_memory() -> None:
    window = Window("5h", 5 * HOUR)
    for number in range(400_000):
        window.add(number / 10, 1)
    assert len(window.save()) <= GRAINS_OF_SPAN + 1
    window.forget(40_000.0)
    assert window.spent == pytest.approx(180_000, abs=300)


SPENDS = st.lists(st.tuples(st.floats(0, 20_000), st.integers(0, 100)), max_size=40)


@given(SPENDS, st.integers(1, 300), st.floats(0, 40_000), st.sampled_from([0.0, None]))
def test_spent_is_the_sum_of_what_is_young_enough(spends: list[tuple[float, int]], limit: int, later: float, grain: float | None) -> None:
    name, span = SPANS[0]
    window = Window(name, span, grain)
    now = 0.0
    for at, amount in sorted(spends):
        window.add(at, amount)
        now = at
    now += later
    window.forget(now)
    least = sum(amount for at, amount in spends if at + span > now)
    most = least if grain == 0 else sum(amount for at, amount in spends if at + span + span / GRAINS_OF_SPAN > now)
    assert least <= window.spent <= most
    reset = window.resets_at(now, limit)
    assert reset > now
    if window.spent >= limit:
        window.forget(float(reset))
        assert window.spent < limit
