from dataclasses import replace
from types import ModuleType

import pytest

from harness.case import Case, Dialect, Fault, FaultKind, Outcome, Play, Route, Surface
from harness.exchange import Exchange, Hop, Request
from harness.plan import Planned, cases_of, in_driving_order, judge, plan, suite_modules, unserved
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.target import Model, on_every_surface
from harness.verdict import Errored, Inconclusive, NotApplicable, Passed, Verdict

GPT = Model(id="gpt-5-4", surfaces={Surface.CHAT: Route.NATIVE, Surface.RESPONSES: Route.NATIVE})
OTHER_GPT = Model(id="gpt-5-5", surfaces={Surface.CHAT: Route.NATIVE})
CLAUDE = Model(id="claude-sonnet-4-6", surfaces={Surface.MESSAGES: Route.NATIVE, Surface.CHAT: Route.TRANSLATED})
DEEPSEEK = Model(id="deepseek-v4-pro", surfaces={Surface.CHAT: Route.NATIVE})


def case(id_: str, surface: Surface, *traits: str) -> Case:
    return Case(id=id_, surface=surface, play=Play(recording="chat/text"), traits=frozenset(traits))


def rule(check: object = None, slug: str = "chat/made/rule") -> Rule:
    requirement = Requirement(
        id=slug, severity=Severity.COST, basis=Basis.OBSERVED, clause=Clause(source="s", section="x", says="y"), text="Something holds."
    )
    return Rule(requirement, check or (lambda _: Passed("it")), Given())  # type: ignore[arg-type]  # a check, or none given


def exchange(errored: str | None = None) -> Exchange:
    hop = Hop(request=Request(method="POST", target="/", headers=(), body=b""), response=None)
    return Exchange(id="x", case=case("a", Surface.CHAT), model="m", route=Route.NATIVE, marker="", client=hop, errored=errored)


def models_of(planned: tuple[Planned, ...]) -> list[str]:
    return [each.model for each in planned]


def test_each_case_meets_each_model_that_serves_its_surface_natively() -> None:
    planned = plan([case("a", Surface.CHAT)], [GPT, OTHER_GPT, CLAUDE])
    assert [(each.id, each.route) for each in planned] == [("a-gpt-5-4", Route.NATIVE), ("a-gpt-5-5", Route.NATIVE)]
    assert models_of(plan([case("b", Surface.GEMINI)], [GPT, CLAUDE])) == []


def test_the_model_list_is_asked_once_whatever_the_models() -> None:
    assert models_of(plan([case("list", Surface.MODELS)], [GPT, CLAUDE, DEEPSEEK])) == ["gpt-5-4"]


def test_counting_tokens_belongs_to_models_of_messages() -> None:
    assert models_of(plan([case("count", Surface.COUNT_TOKENS)], [GPT, CLAUDE])) == ["claude-sonnet-4-6"]


def test_vendor_traffic_is_played_once_and_deepseeks_where_there_is_a_deepseek() -> None:
    everyone = [GPT, OTHER_GPT, DEEPSEEK]
    assert models_of(plan([case("p", Surface.CHAT, "played", "vendor-openai")], everyone)) == ["gpt-5-4"]
    assert models_of(plan([case("p", Surface.CHAT, "played", "vendor-deepseek")], everyone)) == ["deepseek-v4-pro"]
    assert models_of(plan([case("p", Surface.CHAT, "played", "vendor-deepseek")], [GPT])) == ["gpt-5-4"]
    assert models_of(plan([case("p", Surface.RESPONSES, "played", "vendor-deepseek")], everyone)) == ["gpt-5-4"]
    assert models_of(plan([case("p", Surface.CHAT, "played", "vendor-openai")], [DEEPSEEK])) == ["deepseek-v4-pro"]


def test_a_cases_id_is_its_own() -> None:
    one, other = ModuleType("one"), ModuleType("other")
    one.CASES = other.CASES = (case("same", Surface.CHAT),)  # type: ignore[attr-defined]  # as a suite module has it
    with pytest.raises(ValueError, match="two cases are called same"):
        cases_of([one, other])


def test_the_suites_are_found_without_their_tests() -> None:
    names = {module.__name__ for module in suite_modules()}
    assert "suites.wire.native" in names
    assert not [name for name in names if ".tests" in name]


def test_what_the_target_declared_and_what_could_not_be_driven_is_never_judged() -> None:
    def never(_: Exchange) -> Verdict:
        raise AssertionError

    assert judge(rule(never), exchange(), "prepaid elsewhere") == NotApplicable("prepaid elsewhere")
    assert judge(rule(never), exchange("our loop died")) == Errored("our loop died")


def test_a_check_that_raises_is_our_own_fault_and_says_where() -> None:
    def broken(_: Exchange) -> Verdict:
        raise KeyError("choices")

    verdict = judge(rule(broken), exchange())
    assert isinstance(verdict, Errored)
    assert "chat/made/rule raised KeyError" in verdict.reason
    assert "in broken, line" in verdict.reason


def test_a_translated_route_is_not_asked_for_the_vendors_bytes() -> None:
    translated = Planned(id="x", case=case("a", Surface.CHAT), model="m", route=Route.TRANSLATED)
    assert isinstance(unserved(rule(slug="native/body-bytes"), translated), Inconclusive)
    assert unserved(rule(), translated) is None


def test_given_asks_for_all_that_it_names() -> None:
    streamed = Case(id="s", surface=Surface.CHAT, play=None, stream=True, outcome=Outcome.REFUSED, traits=frozenset({"tools", "long"}))
    refused = frozenset({Outcome.REFUSED})
    assert Given(outcomes=refused, stream=True, traits=frozenset({"tools"})).holds(streamed)
    assert not Given(outcomes=refused, without=frozenset({"long"})).holds(streamed)
    assert not Given(outcomes=refused, sees_upstream=True).holds(streamed)
    assert not Given(outcomes=refused, sdk=True).holds(streamed)
    assert not Given(stream=True).holds(streamed)


def test_who_runs_alone_goes_first_and_who_stalls_before_the_others() -> None:
    stall = Play(recording="chat/text", fault=Fault(kind=FaultKind.STALL_IN))
    cases = (
        case("plain", Surface.CHAT),
        Case(id="stall", surface=Surface.CHAT, play=stall, outcome=Outcome.UPSTREAM_BROKEN),
        Case(id="alone", surface=Surface.CHAT, play=None, serial=True),
        case("plain-too", Surface.CHAT),
    )
    ordered = in_driving_order(plan(cases, [GPT]))
    assert [planned.case.id for planned in ordered] == ["alone", "stall", "plain", "plain-too"]


CELLS = [CLAUDE, on_every_surface("claude-opus-4-8", Dialect.ANTHROPIC), on_every_surface("gpt-4-1", Dialect.OPENAI_CHAT, for_cells=True)]


@pytest.mark.parametrize(
    ("surface", "upstream", "expected"),
    [
        (Surface.CHAT, Dialect.ANTHROPIC, [("claude-sonnet-4-6", Route.TRANSLATED)]),
        (Surface.RESPONSES, Dialect.ANTHROPIC, [("claude-opus-4-8", Route.TRANSLATED)]),
        (Surface.MESSAGES, Dialect.ANTHROPIC, [("claude-sonnet-4-6", Route.NATIVE)]),
        (Surface.GEMINI, Dialect.OPENAI_CHAT, [("gpt-4-1", Route.TRANSLATED)]),
        (Surface.CHAT, Dialect.OPENAI_CHAT, [("gpt-4-1", Route.NATIVE)]),
        (Surface.CHAT, Dialect.GEMINI, []),
    ],
)
def test_a_cell_is_driven_on_one_model_whose_upstream_speaks_its_dialect(
    surface: Surface, upstream: Dialect, expected: list[tuple[str, Route]]
) -> None:
    cell = replace(case("cell", surface), upstream=upstream)
    assert [(each.model, each.route) for each in plan([cell], CELLS)] == expected


def test_a_model_for_cells_is_driven_on_nothing_else() -> None:
    assert models_of(plan([case("a", Surface.CHAT)], [*CELLS, GPT])) == ["gpt-5-4"]
