"""One conformance run: what is judged, on which evidence, and what is written down. pytest is one front end of it."""

import gc
import importlib.metadata
import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import ModuleType
from typing import Final

import pytest
from rich.console import Console

from harness.apart import ApartSession
from harness.case import CELL, MATRIX, Case, Route
from harness.exchange import Exchange
from harness.expectations import Expectations, read_expectations
from harness.judged import Arithmetic, Judged, tally
from harness.plan import Planned, cases_of, in_driving_order, judge, plan, rules_of, says_of, suite_modules, unserved
from harness.recording.format import RecordingError
from harness.recording.library import SHIPPED
from harness.replay import SERVED, case_for
from harness.report import allure
from harness.report.cells import Matrix, print_matrix
from harness.report.cli import write_all
from harness.report.terminal import print_summary
from harness.report.words import as_typed
from harness.requirement import Rule
from harness.run_secrets import RunSecrets
from harness.runfile import Run, RunFileError, RunHeader, RunWriter, TargetFacts, read_run
from harness.settings import Settings
from harness.spending import tokens
from harness.toml_file import UserFileError
from harness.upstream.witness import ListenError
from harness.verdict import NotApplicable, Verdict

RUN_FILE: Final = "run.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to be judged: a requirement on one exchange."""

    rule: Rule
    planned: Planned

    @property
    def name(self) -> str:
        return f"{self.rule.requirement.id}[{self.planned.id}]"


class Live:
    """Evidence from a gateway, driven ahead in a process of its own."""

    def __init__(
        self,
        settings: Settings,
        cases: Sequence[Case],
        *,
        probe: bool = True,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        # The official SDKs take seconds to import: meanwhile the gateway starts and pytest collects.
        clients = sorted({client for case in cases for client in case.clients}) if probe and settings.recordings == SHIPPED else []
        self.session = ApartSession(settings, probe=probe, tell=tell, clients=clients)
        if settings.recordings != SHIPPED:  # before anything is started, since a file of the folder may be broken
            played = (case_for(recording) for recording in self.session.library if recording.surface in SERVED)
            cases = tuple(case for case in played if case.method == "POST")
        elif settings.matrix:
            cases = [case for case in cases if {CELL, MATRIX, "translated"} & case.traits]
        else:
            cases = [case for case in cases if MATRIX not in case.traits]
        self.session.open()
        self.planned = tuple(planned for planned in plan(cases, self.session.models) if self.session.offers(planned))
        served = {planned.case.id for planned in self.planned}
        self.undriven = sum(CELL in case.traits and case.id not in served for case in cases)  # cells for which the target has no model
        self._futures: dict[str, Future[Exchange]] = {}
        self._come: queue.SimpleQueue[str] = queue.SimpleQueue()

    def begin(self, wanted: Iterable[Planned]) -> None:
        self._futures = self.session.begin(in_driving_order(wanted))
        for planned_id, future in self._futures.items():
            future.add_done_callback(partial(self._arrived, planned_id))

    def _arrived(self, planned_id: str, _: Future[Exchange]) -> None:
        self._come.put(planned_id)

    def come_before(self, planned: Planned) -> str | None:
        """Wait for the next exchange to come: its id, or None once it is this one."""
        if self._futures[planned.id].done():
            return None
        come = self._come.get()
        return come if come != planned.id else None

    def exchange(self, planned: Planned) -> Exchange:
        return self._futures[planned.id].result()

    @property
    def feeds_every_requirement(self) -> bool:
        """The embedded gateway's models do, all together; of others those whose routes are all native, as pipes have it all."""
        if self._settings.drives_embedded and not self._settings.models:
            return True
        return all(route is Route.NATIVE for model in self.session.models for route in model.surfaces.values())

    def declared(self, requirement: str) -> str | None:
        return self.session.target.declared(requirement)

    def lacks(self, planned: Planned) -> str | None:
        return self.session.target.lacks(planned.case)

    def let_go(self) -> None:
        self.session.let_go()

    def close(self) -> None:
        self.session.close()


class Stored:
    """Evidence from a run file: judged again, with no network."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.planned = tuple(
            Planned(id=exchange.id, case=exchange.case, model=exchange.model, route=exchange.route) for exchange in run.exchanges.values()
        )
        self._declared = {
            judged.requirement: judged.verdict.reason
            for judged in run.verdicts
            if isinstance(judged.verdict, NotApplicable) and judged.exchange is not None  # else it was about that case alone
        }

    def begin(self, wanted: Iterable[Planned]) -> None:
        pass

    def come_before(self, planned: Planned) -> str | None:
        return None

    def exchange(self, planned: Planned) -> Exchange:
        return self.run.exchanges[planned.id]

    def declared(self, requirement: str) -> str | None:
        return self._declared.get(requirement)

    def lacks(self, planned: Planned) -> str | None:
        return None  # what was not driven is not in the run

    def let_go(self) -> None:
        pass

    def close(self) -> None:
        pass


Evidence = Live | Stored


class Conformance:
    """Opened, asked for its questions, begun with those that were selected, and closed."""

    def __init__(
        self,
        settings: Settings,
        evidence: Evidence,
        *,
        modules: tuple[ModuleType, ...],
        expectations: Expectations,
        command: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self.evidence = evidence
        self.modules = modules
        self.command = tuple(command)
        self.expectations = expectations
        self.judged: list[Judged] = []
        self.waiting: Callable[[int, int], None] = lambda come, wanted: None  # told while exchanges are waited for
        self.arithmetic = Arithmetic()
        self._offered = self._selected = self._wanted = 0
        self._closed = False
        self._complete = False
        self._writer: RunWriter | None = None
        self._written: set[str] = set()
        self._asked: dict[str, list[Question]] = {}  # by exchange, until it is judged
        self._verdicts: dict[tuple[str, str], Verdict] = {}  # by requirement and exchange: given ahead of their items
        self._by_surface: dict[str, list[Planned]] = {}
        for planned in evidence.planned:
            self._by_surface.setdefault(planned.case.surface, []).append(planned)

    @classmethod
    def open(
        cls, settings: Settings, *, command: Sequence[str] = (), probe: bool = True, tell: Callable[[str], None] = lambda _: None
    ) -> "Conformance":
        """Raises what USER_ERRORS lists, each with one sentence for the user. Without `probe` nothing is asked of the upstream."""
        expectations = read_expectations(settings.expectations) if settings.expectations else Expectations()  # before anything starts
        modules = suite_modules()
        evidence: Evidence
        evidence = Stored(read_run(settings.run)) if settings.run else Live(settings, cases_of(modules), probe=probe, tell=tell)
        try:
            return cls(settings, evidence, modules=modules, expectations=expectations, command=command)
        except BaseException:
            evidence.close()
            raise

    def questions(self, module: ModuleType) -> Iterable[Question]:
        """What the rules of one suite module ask, over all exchanges of the plan."""
        rules: tuple[Rule, ...] = getattr(module, "RULES", ())
        for rule in rules:
            for surface in sorted(rule.given.surfaces):
                for planned in self._by_surface.get(surface, ()):
                    if rule.given.holds(planned.case) and says_of(rule, planned):
                        self._offered += 1
                        yield Question(rule=rule, planned=planned)

    def begin(self, selected: Sequence[Question]) -> None:
        """Check the expectations against what is selected, open the run file, and set the exchanges going, in order."""
        triples = ((asked.rule.requirement.id, asked.planned.case.id, asked.planned.model) for asked in selected)
        self.expectations.check(triples, datetime.now(UTC).date())
        rarely_collect()
        self._selected = len(selected)
        wanted: dict[str, Planned] = {}
        for asked in selected:
            if self.evidence.lacks(asked.planned) is None:
                wanted[asked.planned.id] = asked.planned
                self._asked.setdefault(asked.planned.id, []).append(asked)
        self._wanted = len(wanted)
        if isinstance(self.evidence, Live):
            header = self._header(self.evidence, len(selected))
            secrets = (*self.evidence.session.target.secrets(), *self.settings.secrets())
            self._writer = RunWriter(self.settings.out / RUN_FILE, header, secrets=secrets)
        self.evidence.begin(wanted.values())

    def judge(self, asked: Question) -> Judged:
        """Wait for the exchange, judge it, write both down. While it is waited for, those that come before it are judged ahead."""
        requirement = asked.rule.requirement
        lacks = self.evidence.lacks(asked.planned)
        verdict = NotApplicable(lacks) if lacks is not None else unserved(asked.rule, asked.planned)
        exchange = None
        if verdict is None:
            while (come := self.evidence.come_before(asked.planned)) is not None:
                self._judge_ahead(come)
                self.waiting(self._wanted - len(self._asked), self._wanted)
            exchange = self.evidence.exchange(asked.planned)
            self._judge_ahead(exchange.id)
            # A plugin that runs an item again finds it gone, and has it judged again.
            verdict = self._verdicts.pop((requirement.id, exchange.id), None) or self._verdict(asked, exchange)
        expectation = self.expectations.of(requirement.id, asked.planned.case.id, asked.planned.model)
        judged = Judged(
            requirement=requirement.id,
            severity=requirement.severity,
            case=asked.planned.case.id,
            surface=asked.planned.case.surface,
            model=asked.planned.model,
            verdict=verdict,
            exchange=asked.planned.id if exchange is not None else None,
            expected=expectation.as_expected() if expectation else None,
        )
        if self._writer is not None:
            self._writer.verdict(requirement, judged)
        self.judged.append(judged)
        return judged

    def _judge_ahead(self, exchange_id: str) -> None:
        """Everything that is asked of an exchange, as soon as it has come: the items that ask may wait for others still."""
        questions = self._asked.pop(exchange_id, [])
        for asked in questions:
            if unserved(asked.rule, asked.planned) is None:
                exchange = self.evidence.exchange(asked.planned)
                self._verdicts[asked.rule.requirement.id, exchange_id] = self._verdict(asked, exchange)
                self._write(exchange)

    def _verdict(self, asked: Question, exchange: Exchange) -> Verdict:
        return judge(asked.rule, exchange, self.evidence.declared(asked.rule.requirement.id))

    def _write(self, exchange: Exchange) -> None:
        if self._writer is not None and exchange.id not in self._written:
            self._written.add(exchange.id)
            self._writer.exchange(exchange)
            self._writer.tokens += tokens(exchange)

    def attach(self, config: pytest.Config, asked: Question, judged: Judged) -> None:
        """Hand the evidence of this verdict to Allure, whose item is running."""
        exchange = self.evidence.exchange(asked.planned) if judged.exchange else None
        secrets = self.evidence.session.target.secrets() if isinstance(self.evidence, Live) else ()
        allure.attach(config, asked.rule.requirement, judged, exchange, RunSecrets(secrets))

    def print_summary(self, console: Console) -> None:
        """What broke, the arithmetic, and where the report is."""
        if self.settings.matrix:
            cells = (case.id for case in cases_of(self.modules) if CELL in case.traits)
            print_matrix(Matrix.of(cells, self.judged), console)
        elif isinstance(self.evidence, Live) and self.evidence.undriven:
            console.print(
                f"Nothing to drive for {self.evidence.undriven} cells of translation: the target names no model for them "
                "([[models]] upstream in the target file).",
                markup=False,
            )
        if isinstance(self.evidence, Stored):
            # Today's suites judge it, which may have requirements that the run was not driven for.
            known = {**self.evidence.run.requirements, **{rule.requirement.id: rule.requirement for rule in rules_of(self.modules)}}
            run = replace(
                self.evidence.run, verdicts=tuple(self.judged), arithmetic=self.arithmetic, complete=self._complete, requirements=known
            )
            print_summary(run, console, run_file=as_typed(run.path))
        elif self._writer is not None:
            run = read_run(self._writer.path)
            page = write_all(run, run.path.parent)
            print_summary(run, console, run_file=as_typed(run.path), reports=[as_typed(page)])
            if run.arithmetic.failed and not self.evidence.session.target.models:
                console.print(
                    "nobody said how these models are served: each was taken, by its name, to be native on its vendor's own surfaces; "
                    "where that is wrong, say so under [[models]] in a target file (README, Target file)",
                    soft_wrap=True,
                    markup=False,
                )
            if run.path.parent != self.settings.out:
                console.print(
                    f"{as_typed(self.settings.out)} keeps the last whole run, since this one was broken off", soft_wrap=True, markup=False
                )

    def close(self, *, complete: bool) -> Arithmetic:
        """Write the footer. A run that was broken off is readable too, and says so. A second call changes nothing."""
        if self._closed:
            return self.arithmetic
        self._closed = True
        self._complete = complete
        if self._writer is not None:
            if isinstance(self.evidence, Live):
                self._writer.calls_made, self._writer.spent_micro_usd = self.evidence.session.outcome()
            self.arithmetic = self._writer.close(complete=complete)
        elif isinstance(self.evidence, Stored):
            self.arithmetic = tally(
                self.judged,
                selected=self._selected,
                driven=len(self.evidence.planned),
                every_requirement=self.evidence.run.header.feeds_every_requirement and not self._is_narrowed,
            )
        self.evidence.let_go()
        return self.arithmetic

    @property
    def _is_narrowed(self) -> bool:
        """Whether less was selected than the suites that were collected ask."""
        return self._selected < self._offered

    def end(self) -> None:
        """Wait until witnesses and embedded gateway are gone: they leave while the reports are written."""
        self.evidence.close()

    def _header(self, live: Live, selected: int) -> RunHeader:
        target = live.session.target
        return RunHeader(
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            wireproof=version("wireproof"),
            target=TargetFacts(
                name=target.name,
                base_url=target.bases.root if target.bases else "",
                declared={**target.promises(), "dialect": target.dialect},
            ),
            sdks={name: version(name) for name in ("openai", "anthropic", "google-genai", "httpx2")},
            recordings=self.settings.recordings,
            matrix=self.settings.matrix,
            partial=self._is_narrowed or not live.feeds_every_requirement,
            selected=selected,
            models=tuple(model.id for model in live.session.models),
            command=self.command,
        )


def rarely_collect() -> None:
    """What is alive now stays to the end: the collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


# What a user can mend: each is one sentence, and exit code 2.
USER_ERRORS: Final = (UserFileError, RunFileError, RecordingError, ListenError)
