import pytest

from harness.bench import figures
from harness.bench.figures import Scenario, Series
from harness.bench.load import Figures

SCENARIO = Scenario(name="plain", text="", what="plain", chunks=0, connections=1)


def figure(
    *, answers: int = 100, p50: float | None = 50.0, cpu_s: float | None = 0.01, own_cpu_s: float = 0.2, vendor_cpu_s: float | None = 0.2
) -> Figures:
    return Figures(
        seconds=1.0,
        answers=answers,
        chunks=0,
        latency_us=None if p50 is None else (p50, p50 * 2),
        delay_us=None,
        target_cpu_s=cpu_s,
        vendor_cpu_s=vendor_cpu_s,
        own_cpu_s=own_cpu_s,
    )


def test_a_ratio_is_of_one_round_before_the_median_is_taken() -> None:
    # The machine is ten times as fast in the second round: medians alone would give 55/550 or anything between.
    series = Series(
        scenario=SCENARIO,
        rounds={
            "gateway": [figure(answers=10), figure(answers=300), figure(answers=50)],
            "nginx": [figure(answers=100), figure(answers=1000), figure(answers=100)],
        },
    )
    assert series.ratio("gateway", "nginx", figures.answers_per_s) == pytest.approx(0.3)


def test_cpu_is_that_of_the_least_disturbed_round_and_divided_by_what_was_done_in_it() -> None:
    series = Series(
        scenario=SCENARIO,
        rounds={"gateway": [figure(answers=100, cpu_s=0.02), figure(answers=200, cpu_s=0.02)], "relay": [figure(answers=100, cpu_s=0.005)]},
    )
    assert series.least("gateway", figures.cpu_us_per_answer) == pytest.approx(100)
    assert series.least_ratio("gateway", "relay", figures.cpu_us_per_answer) == pytest.approx(2)


def test_added_latency_is_less_the_same_rounds_direct_way() -> None:
    series = Series(
        scenario=SCENARIO,
        rounds={
            "direct": [figure(p50=30), figure(p50=60)],
            "gateway": [figure(p50=130), figure(p50=360)],
            "nginx": [figure(p50=70), figure(p50=140)],
            "relay": [figure(p50=20), figure(p50=60)],
        },
    )

    def p50(one: Figures) -> float | None:
        return figures.p50(one.latency_us)

    assert series.added("gateway", p50) == 200
    assert series.added_ratio("gateway", "nginx", p50) == pytest.approx(200 / 60)
    assert series.added_ratio("gateway", "relay", p50) is None  # it added less than nothing: noise is no divisor


def test_what_was_not_measured_gives_no_ratio() -> None:
    series = Series(scenario=SCENARIO, rounds={"gateway": [figure(cpu_s=None), figure(answers=0)], "nginx": [figure(answers=0)]})
    assert series.least("gateway", figures.cpu_us_per_answer) is None
    assert series.ratio("gateway", "nginx", figures.answers_per_s) is None
    assert series.ratio("gateway", "absent", figures.answers_per_s) is None


@pytest.mark.parametrize(("own", "vendor", "limit"), [(0.6, 0.35, True), (0.4, 0.3, False), (0.95, None, True)])
def test_a_busy_load_generator_is_told(own: float, vendor: float | None, limit: bool) -> None:
    series = Series(scenario=SCENARIO, rounds={"gateway": [figure(own_cpu_s=own, vendor_cpu_s=vendor)]})
    assert series.load_was_the_limit("gateway") is limit
