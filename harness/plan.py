"""Which exchanges to drive and which requirements each is judged by: cases x models x rules, decided before anything is sent."""

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

from harness.case import Case, FaultKind, Need, Outcome, Route, Surface
from harness.exchange import Exchange
from harness.excuse import excuse
from harness.requirement import Rule, Severity
from harness.target import Model
from harness.verdict import Errored, Failed, Inconclusive, NotApplicable, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One exchange to drive."""

    id: str  # "case-model": unique in a run, and short enough to be named with -k
    case: Case
    model: str
    route: Route


def suite_modules(package: str = "suites") -> tuple[ModuleType, ...]:
    """Every module of the suites, imported, in order of name; their tests left out."""
    root = importlib.import_module(package)
    names = sorted(
        found.name
        for found in pkgutil.walk_packages(root.__path__, prefix=f"{package}.")
        if ".tests" not in found.name and not found.name.rpartition(".")[2].startswith("_")
    )
    return tuple(importlib.import_module(name) for name in names)


def rules_of(modules: Iterable[ModuleType]) -> tuple[Rule, ...]:
    return tuple(rule for module in modules for rule in getattr(module, "RULES", ()))


def cases_of(modules: Iterable[ModuleType]) -> tuple[Case, ...]:
    cases = tuple(case for module in modules for case in getattr(module, "CASES", ()))
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise ValueError(f"two cases are called {case.id}: a case's id is permanent and its own")
        seen.add(case.id)
    return cases


def plan(cases: Sequence[Case], models: Sequence[Model]) -> tuple[Planned, ...]:
    """Each case on each model that serves its surface natively; one that names an upstream's dialect on one model that has it.

    A case of the model list is about the key, not about a model, so it is driven once, for the first model.
    A recording of DeepSeek's dialect is played on a DeepSeek model where there is one, and the others on the others.
    """
    planned = []
    for case in cases:
        for model in _fitting(case, models):
            route = model.surfaces.get(case.surface, Route.NATIVE)
            planned.append(Planned(id=f"{case.id}-{model.id}", case=case, model=model.id, route=route))
    return tuple(planned)


def _fitting(case: Case, models: Sequence[Model]) -> Sequence[Model]:
    if case.surface is Surface.MODELS:
        return models[:1]
    surface = Surface.MESSAGES if case.surface is Surface.COUNT_TOKENS else case.surface
    if case.upstream is not None:
        return [model for model in models if model.dialect_on(surface) is case.upstream][:1]
    serving = [model for model in models if model.surfaces.get(surface) is Route.NATIVE and not model.for_cells]
    deepseek = [model for model in serving if "deepseek" in model.id]
    if "vendor-deepseek" in case.traits and deepseek:
        serving = deepseek
    elif case.outcome is Outcome.SUCCESS and len(deepseek) < len(serving):
        serving = [model for model in serving if model not in deepseek]
    # Vendor traffic is played once, whatever the number of models: what it shows is the bytes, not the model.
    return serving[:1] if case.traits & {"played", "one-model"} else serving


def in_driving_order(chosen: Iterable[Planned]) -> tuple[Planned, ...]:
    """Those that run alone first, as each waits until nothing else runs; then those that last, by design or until books rest."""

    def haste(planned: Planned) -> int:
        plays = (planned.case.play, *(play for step in planned.case.steps for play in step.plays))
        stalls = any(play and play.fault and play.fault.kind in (FaultKind.STALL_BEFORE, FaultKind.STALL_IN) for play in plays)
        if Need.RESTART in planned.case.needs:
            return -1  # before any clock is moved: a node that is started again has forgotten that
        return 0 if planned.case.serial else 1 if stalls else 2 if planned.case.account else 3

    return tuple(sorted(chosen, key=haste))


def judge(rule: Rule, exchange: Exchange, declared: str | None = None) -> Verdict:
    """The verdict. A check that raises is our own fault and says so; so is what failed while we stood in the target's way.

    What should be secret is so however late it is.
    """
    if declared is not None:
        return NotApplicable(declared)
    if exchange.errored is not None:
        return Errored(exchange.errored)
    try:
        verdict = rule.check(exchange)
        if isinstance(verdict, Failed) and rule.requirement.severity is not Severity.SECURITY and (why := excuse(exchange)) is not None:
            return Inconclusive(why, late=True)
        return verdict
    except Exception as error:  # whatever a check raises is the harness's fault, never a verdict on the target
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace is not None else "?"
        return Errored(f"the check of {rule.requirement.id} raised {type(error).__name__}: {error} (in {place})")


def says_of(rule: Rule, planned: Planned) -> bool:
    """Whether it is a question at all: of a cell that is translated, rules on byte pipes say nothing."""
    return planned.case.upstream is None or unserved(rule, planned) is None


def unserved(rule: Rule, planned: Planned) -> Verdict | None:
    """A verdict that needs no exchange: translated routes are not byte pipes, so native comparisons say nothing of them."""
    if planned.route is Route.TRANSLATED and rule.requirement.id.startswith("native/"):
        return Inconclusive("a translated route is not byte for byte")
    return None
