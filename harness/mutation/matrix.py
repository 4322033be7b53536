"""The kill matrix: every mutant committed on live traffic, every requirement judged on what came of it.

A mutant counts as killed only by the check made for it. Beside it stands who else noticed.
"""

import asyncio
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harness.exchange import Exchange
from harness.mutation.mutant import Ask, Leg, Mutant
from harness.mutation.proxy import MutatingProxy
from harness.plan import Planned, judge
from harness.recording.marking import find_marker
from harness.requirement import Rule
from harness.runner import Runner
from harness.session import LiveSession
from harness.target import Bases
from harness.verdict import Errored, Failed, Finding, Passed

_CASES: Final = 3  # exchanges per mutant: enough that no single odd one decides


class Fate(StrEnum):
    KILLED = "killed by its own check"
    OTHER = "killed only by another"
    SURVIVED = "survived"
    NOT_EXERCISED = "not exercised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    mutant: Mutant
    fate: Fate
    driven: int  # exchanges on which it really changed something
    finding: Finding | None = None  # of its own check
    also: tuple[str, ...] = ()  # other requirements that failed
    errored: tuple[str, ...] = ()  # our own faults met on the way
    why: str = ""  # where it was not exercised: why


def all_mutants() -> tuple[Mutant, ...]:
    """Every mutant of harness.mutation.mutants. Raises ValueError where two share an id."""
    package = importlib.import_module("harness.mutation.mutants")
    found: dict[str, Mutant] = {}
    for module in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}."):
        for mutant in getattr(importlib.import_module(module.name), "MUTANTS", ()):
            if mutant.id in found:
                raise ValueError(f"two mutants are called {mutant.id}")
            found[mutant.id] = mutant
    return tuple(found.values())


class Hunt:
    """One mutation run against one target, whose upstream calls go through `upstream_proxy`."""

    def __init__(
        self,
        session: LiveSession,
        planned: Sequence[Planned],
        rules: Sequence[Rule],
        upstream_proxy: MutatingProxy,
        marked: dict[str, Mutant],
    ) -> None:
        self._session = session
        self._planned = planned
        self._rules = rules
        self._by_id = {rule.requirement.id: rule for rule in rules}
        self._upstream_proxy = upstream_proxy
        self._marked = marked  # marker -> the mutant that its upstream call meets
        self._baseline: dict[str, asyncio.Task[Exchange]] = {}

    async def run(self, mutants: Sequence[Mutant], tell: Callable[[Row], None], concurrency: int = 8) -> tuple[Row, ...]:
        free = asyncio.Semaphore(concurrency)

        async def one(mutant: Mutant) -> Row:
            async with free:
                row = await self._hunt(mutant)
                tell(row)
                return row

        rows = await asyncio.gather(*map(one, mutants))
        return tuple([row if row.fate is not Fate.NOT_EXERCISED else await self._once_more(row) for row in rows])

    async def _once_more(self, row: Row) -> Row:
        """Alone, with exchanges of its own: some requirements can be judged only of an exchange that was not held up by its neighbours."""
        self._baseline.clear()
        return await self._hunt(row.mutant)

    async def _hunt(self, mutant: Mutant) -> Row:
        own = self._by_id.get(mutant.requirement)
        if own is None:
            return Row(mutant=mutant, fate=Fate.NOT_EXERCISED, driven=0, why=f"there is no requirement {mutant.requirement}")
        fitting = [planned for planned in self._planned if _fits(mutant, own, planned)]
        if not fitting:
            return Row(mutant=mutant, fate=Fate.NOT_EXERCISED, driven=0, why="no case fits it")
        proxy = MutatingProxy(self._root(), lambda _: mutant)
        if mutant.leg is Leg.CLIENT:
            await proxy.start()
        try:
            return await self._on(mutant, own, fitting, proxy)
        finally:
            if mutant.leg is Leg.CLIENT:
                await proxy.stop()

    async def _on(self, mutant: Mutant, own: Rule, fitting: Sequence[Planned], proxy: MutatingProxy) -> Row:
        runner = self._runner(mutant, proxy)
        bites = (proxy if mutant.leg is Leg.CLIENT else self._upstream_proxy).bites
        finding, also, errored, driven, passed = None, set[str](), set[str](), 0, 0
        killed = False
        for planned in fitting:
            if passed >= _CASES or (killed and driven >= 1):
                break
            before = await self._unharmed(planned)
            if not isinstance(judge(own, before), Passed):
                continue
            passed += 1
            bitten = bites.get(mutant.id, 0)
            after = await runner.drive(planned)
            if after.errored is not None:
                errored.add(after.errored)
                continue
            if bites.get(mutant.id, 0) == bitten:
                passed -= 1  # it changed nothing here: another case may show it
                continue
            driven += 1
            for rule in self._rules:
                if not rule.given.holds(planned.case):
                    continue
                match judge(rule, after):
                    case Failed(findings=findings) if rule is own:
                        killed = True
                        finding = finding or findings[0]
                    case Failed() if not isinstance(judge(rule, before), Failed):
                        also.add(rule.requirement.id)
                    case Errored(reason=reason):
                        errored.add(reason)
                    case _:
                        pass
        fate = Fate.KILLED if killed else Fate.NOT_EXERCISED if not driven else Fate.OTHER if also else Fate.SURVIVED
        why = "" if driven else "its requirement passes on no fitting case" if not passed else "it changed nothing on any fitting case"
        return Row(
            mutant=mutant, fate=fate, driven=driven, finding=finding, also=tuple(sorted(also)), errored=tuple(sorted(errored)), why=why
        )

    def _runner(self, mutant: Mutant, proxy: MutatingProxy) -> Runner:

        def announce(marker: str) -> None:
            if mutant.leg is Leg.UPSTREAM:
                self._marked[marker] = mutant

        return self._session.runner.through(Bases.of(proxy.url) if mutant.leg is Leg.CLIENT else self._bases(), announce)

    async def _unharmed(self, planned: Planned) -> Exchange:
        """The same exchange without a mutant, driven once for all that need it."""
        if planned.id not in self._baseline:
            self._baseline[planned.id] = asyncio.ensure_future(self._session.runner.drive(planned))
        return await self._baseline[planned.id]

    def _bases(self) -> Bases:
        assert self._session.target.bases is not None
        return self._session.target.bases

    def _root(self) -> str:
        return self._bases().root


def _fits(mutant: Mutant, own: Rule, planned: Planned) -> bool:
    return own.given.holds(planned.case) and (mutant.where is None or mutant.where(planned.case))


def picker(marked: dict[str, Mutant]) -> Callable[[Ask], Mutant | None]:
    """For the upstream leg: the mutant that was announced for the marker in the request."""

    def pick(ask: Ask) -> Mutant | None:
        marker = find_marker(ask.body) or find_marker(ask.target.encode())
        return marked.get(marker) if marker else None

    return pick


def tally(rows: Iterable[Row]) -> dict[Fate, int]:
    counts = dict.fromkeys(Fate, 0)
    for row in rows:
        counts[row.fate] += 1
    return counts
