import json

import pytest

from harness.case import Case, Dialect, Play, Route, Surface
from harness.exchange import Exchange, Hop, Request
from harness.mutation.mutants.models import MUTANTS
from suites.models import asked, catalogue, listing
from suites.surfaces import TEXT
from suites.tests import traffic
from suites.tests.steps import assert_all_pass, assert_fails

RULES = (*listing.RULES, *catalogue.RULES, *asked.RULES)
CLAUDE, GEMINI = "claude-sonnet-4-6", "gemini-3-1-pro"
DATED = "claude-sonnet-4-6-20260201"


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "models/")


def test_no_rule_fails_on_what_vendors_really_sent() -> None:
    for surface in TEXT:
        traffic.assert_no_false_alarm(RULES, traffic.of_corpus(surface))


def sent(model: str, *names: str | None, path: str = "/v1", upstream: Dialect | None = None, ids: tuple[str, ...] = ()) -> Exchange:
    """One call to the vendor for each name."""

    def hop(name: str | None) -> Hop:
        body = json.dumps({} if name is None else {"model": name}).encode()
        return Hop(request=Request(method="POST", target=path, headers=(), body=body), response=None)

    case = Case(id="made", surface=Surface.CHAT, upstream=upstream, play=Play(recording="made"))
    return Exchange(
        id="made",
        case=case,
        model=model,
        route=Route.NATIVE if upstream is None else Route.TRANSLATED,
        marker="",
        client=hop(model),
        upstream=tuple(map(hop, names)),
        promises={"upstream_ids": list(ids)} if ids else {},
    )


@pytest.mark.parametrize(
    "right",
    [
        sent(CLAUDE, CLAUDE),
        sent(CLAUDE, DATED),
        sent("fast", "deepseek-chat"),
        sent(CLAUDE, DATED, ids=(DATED,)),
        sent(CLAUDE, CLAUDE, DATED, ids=(CLAUDE, DATED)),
        sent(CLAUDE, "gpt-5-4", upstream=Dialect.OPENAI_CHAT),  # as the target describes it
        sent(GEMINI, None, path=f"/v1beta/models/{GEMINI}:generateContent", ids=(GEMINI,)),
        sent(GEMINI, None, path="/v1beta/models/gemini%2D3-1-pro:streamGenerateContent?alt=sse", ids=(GEMINI,)),
    ],
)
def test_the_model_that_was_named_is_asked_for(right: Exchange) -> None:
    assert_all_pass(asked.RULES, right)


@pytest.mark.parametrize(
    "wrong",
    [
        sent(CLAUDE, None),
        sent(CLAUDE, ""),
        sent(CLAUDE, "gpt-5-4"),
        sent(CLAUDE, DATED, ids=(CLAUDE,)),
        sent(CLAUDE, CLAUDE, DATED, ids=(CLAUDE,)),
        sent(CLAUDE, "claude-haiku-4-5", upstream=Dialect.ANTHROPIC, ids=(CLAUDE,)),
        sent(GEMINI, None, path="/v1beta/models/gemini-3-1-flash:generateContent", ids=(GEMINI,)),
    ],
)
def test_another_model_is_found_out(wrong: Exchange) -> None:
    assert_fails(asked.RULES, wrong, "models/asked-of-vendor")
