from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case, Play, Surface
from harness.verdict import Failed, Finding, Passed
from suites.evidence import MOST, conclude, shows, text_findings


@given(st.text(max_size=200), st.text(max_size=200))
def test_two_texts_have_a_finding_exactly_where_they_differ(expected: str, got: str) -> None:
    assert bool(text_findings(expected, got)) is (expected != got)


def test_a_finding_shows_what_stands_around_the_first_difference() -> None:
    (finding,) = text_findings("x" * 100 + "1" + "y" * 100, "x" * 100 + "2" + "y" * 100)
    assert finding.expected.startswith('"' + "x" * 20 + "1yyy")
    assert finding.got.startswith('"' + "x" * 20 + "2yyy")
    assert finding.got.endswith("differing at character 100 of 201")


def test_one_fault_met_a_thousand_times_is_shown_a_few_times() -> None:
    verdict = conclude([Finding(expected="1", got="2")] * 1000, "")
    assert isinstance(verdict, Failed)
    assert len(verdict.findings) == MOST


def test_no_finding_is_a_pass() -> None:
    assert conclude([], "3 of them") == Passed("3 of them")


def test_vendor_traffic_may_show_anything() -> None:
    def case(*traits: str) -> Case:
        return Case(id="chat/x", surface=Surface.CHAT, play=Play(recording="x"), traits=frozenset(traits))

    assert shows("tools")(case("tools", "exact"))
    assert shows("tools")(case("played"))
    assert not shows("tools")(case("text"))
