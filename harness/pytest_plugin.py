"""The suites as ordinary pytest items: one per requirement, case and model, so that -k, -x, -m, --lf and plugins work.

Exchanges are submitted ahead to a background event loop when collection is done; an item waits only for its own.
With `--run FILE` the exchanges come from a stored run, and nothing touches the network.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, assert_never

import pytest

from harness.settings import OPTIONS, Settings

if TYPE_CHECKING:  # the plugin is loaded by every pytest in the environment: it imports the harness only when a suite is collected
    from harness.conformance import Conformance, Question
    from harness.judged import Judged

_SUITES: Final = Path(__file__).resolve().parent.parent / "suites"
_CONFORMANCE: "Final[pytest.StashKey[Conformance]]" = pytest.StashKey()
_LINES: "Final[pytest.StashKey[Lines]]" = pytest.StashKey()
_ALONE: "Final[pytest.StashKey[bool]]" = pytest.StashKey()  # nothing but verdicts was selected
_REFUSED: "Final[pytest.StashKey[bool]]" = pytest.StashKey()  # the user was told what to mend

_SDK_WARNINGS: Final = ("ignore:.* is not a valid :UserWarning",)

_MARKS: Final = {
    "chat": "judged on the chat surface",
    "responses": "judged on the responses surface",
    "messages": "judged on the messages surface",
    "gemini": "judged on the gemini surface",
    "models": "judged on the model list",
    "count_tokens": "judged on token counting",
    "stream": "judged on a streamed answer",
    "sdk": "driven by an official SDK",
    "account": "judged with balance and usage read before and after",
    "security": "severity security",
    "silent_wrong": "severity silent-wrong",
    "cost": "severity cost",
    "breaks_sdk": "severity breaks-sdk",
    "cosmetic": "severity cosmetic",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("wireproof", "wireproof: is this gateway the drop-in that it claims to be?")
    for option in OPTIONS:
        default = f" (default: {option.default})" if option.default else ""
        group.addoption(
            option.flag, dest=f"wireproof_{option.name}", help=f"{option.help}{default} [{option.variable}]", **option.as_argument
        )


def pytest_configure(config: pytest.Config) -> None:
    for quiet in _SDK_WARNINGS:  # google-genai warns at an enum value it does not know; as an error that would be a false reading
        config.addinivalue_line("filterwarnings", quiet)
    for mark, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`pytest suites` judges a gateway; the tests of the suites themselves run only where they are asked for."""
    if collection_path != _SUITES / "tests":
        return None
    named = [Path(config.invocation_params.dir, word.partition("::")[0]).resolve() for word in config.args]
    return None if any(place.is_relative_to(collection_path) for place in named) else True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".py" or _SUITES not in file_path.parents or file_path.name.startswith("_"):
        return None
    if "tests" in file_path.relative_to(_SUITES).parts:
        return None
    return SuiteFile.from_parent(parent, path=file_path)


def _conformance(config: pytest.Config) -> "Conformance":
    """The run of this pytest session, opened by the first suite that is collected. A user's mistake ends pytest with exit code 2."""
    found = config.stash.get(_CONFORMANCE, None)
    if found is None:
        from harness.conformance import USER_ERRORS, Conformance

        try:
            settings = Settings.of({option.name: config.getoption(f"wireproof_{option.name}") for option in OPTIONS})
            found = Conformance.open(settings, command=sys.argv[1:], probe=not config.option.collectonly, tell=_teller(config))
        except USER_ERRORS as error:
            refuse(config, str(error))
        config.stash[_CONFORMANCE] = found
    return found


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """Says on a terminal what is being waited for, in the line that pytest writes over next; elsewhere nothing."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty:
        return lambda _: None
    return lambda text: reporter.rewrite(f"{text} ", erase=True)


def refuse(config: pytest.Config, sentence: str) -> NoReturn:
    """End pytest with exit code 2 and one sentence: a user's mistake needs no banner, no count of tests and no traceback."""
    config.stash[_REFUSED] = True
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        if reporter.isatty:
            reporter.rewrite("", erase=True)
        config.pluginmanager.unregister(reporter)
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        sys.stderr.write(f"wireproof: {sentence}\n")
        sys.stderr.flush()
    raise pytest.Session.Interrupted(sentence)  # which collection lets through, as it does not pytest.exit; its exit code is 2


class SuiteFile(pytest.File):
    """One suite module."""

    said_path: str  # as pytest tells it: from its root folder

    def collect(self) -> Iterator["Verdict"]:
        module = self._module()
        if not getattr(module, "RULES", ()):
            return
        self.said_path = self.session._node_location_to_relpath(self.path)
        for asked in _conformance(self.config).questions(module):
            # The id as text, so that pytest parses it as it will parse the one that it keeps for --lf.
            yield Verdict.from_parent(self, name=asked.name, nodeid=f"{self.nodeid}::{asked.name}", asked=asked)

    def _module(self) -> ModuleType:
        from importlib import import_module

        return import_module(".".join(self.path.relative_to(_SUITES.parent).with_suffix("").parts).removesuffix(".__init__"))


@cache
def _mark(word: str) -> pytest.MarkDecorator:
    """Looked up once: tens of thousands are given."""
    return getattr(pytest.mark, word)  # type: ignore[no-any-return]  # pytest makes them by name


class NotKept(Exception):
    """The target broke a requirement: pytest's way of hearing it."""

    def __init__(self, judged: "Judged", message: str) -> None:
        super().__init__(message)
        self.judged = judged


class Verdict(pytest.Item):
    """One requirement on one exchange."""

    def __init__(self, *, asked: "Question", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked = asked
        case = asked.planned.case
        words = [case.surface.value, asked.rule.requirement.severity.replace("-", "_")]
        words += ["stream"] * case.stream + ["sdk"] * (case.client != "raw") + ["account"] * case.account
        for word in words:
            if word in _MARKS:
                self.add_marker(_mark(word))

    @cached_property
    def location(self) -> tuple[str, int | None, str]:
        """As pytest has it, but the path is worked out once for a suite: there are hundreds of verdicts in each."""
        assert isinstance(self.parent, SuiteFile)
        return self.parent.said_path, None, self.name

    def judged(self) -> "Judged":
        from harness.conformance import USER_ERRORS
        from harness.judged import standing

        conformance = _conformance(self.config)
        try:
            judged = conformance.judge(self.asked)
        except USER_ERRORS as error:
            refuse(self.config, str(error))
        if _allure(self.config):
            conformance.attach(self.config, self.asked, judged)
        self.user_properties.append(("verdict", standing(judged).value))
        return judged

    def runtest(self) -> None:
        judged = self.judged()
        outcome, why = _outcome(self.asked, judged)
        match outcome:
            case "failed":
                raise NotKept(judged, why)
            case "xfailed":
                pytest.xfail(why)
            case "skipped":
                pytest.skip(why)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, NotKept):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class Lines:
    """Tells a run suite by suite, one line each: ten thousand dots say nothing. On a terminal the suite under way is counted live."""

    def __init__(self, config: pytest.Config, total: int) -> None:
        self._reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._total = total
        self._done = 0
        self._path: Path | None = None
        self._counts: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Counted by pytest, but not shown letter by letter."""
        if report.when == "call" and "verdict" in dict(report.user_properties):
            return "xfailed" if hasattr(report, "wasxfail") else report.outcome, "", ""
        return None

    def note(self, path: Path, standing: str) -> None:
        if path != self._path:
            self.finish()
            self._path = path
        self._counts[standing] += 1
        self._done += 1
        if self._reporter is not None and self._reporter.isatty and self._done % 25 == 0:
            self._reporter.rewrite(f"{self._named()} {self._done * 100 // self._total}%", erase=True)

    def waiting(self, come: int, wanted: int) -> None:
        if self._reporter is not None and self._reporter.isatty:
            self._reporter.rewrite(f"{come} of {wanted} exchanges driven and judged", erase=True)

    def finish(self) -> None:
        if self._path is None or self._reporter is None:
            return
        told = ", ".join(f"{count} {standing}" for standing, count in sorted(self._counts.items(), key=lambda pair: pair[0] != "passed"))
        red = self._counts.keys() & {"failed", "errored", "unexpected-pass"}
        if self._reporter.isatty:
            self._reporter.rewrite("", erase=True)
        self._reporter.write_line(f"{self._named()} {told}", red=bool(red), bold=bool(red))
        self._path, self._counts = None, Counter()

    def _named(self) -> str:
        assert self._path is not None
        return self._path.relative_to(_SUITES).with_suffix("").as_posix().ljust(28)


def _allure(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "allure_report_dir", None))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """One verdict without pytest's machinery for fixtures and captured output, which costs more than the judging.

    Reporters get what they always get. Allure hooks into that machinery, so it has it; and so do runs with ordinary tests among the
    verdicts, whose fixtures pytest unwinds from item to item.
    """
    if not isinstance(item, Verdict) or not item.config.stash.get(_ALONE, False) or _allure(item.config):
        return None
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    start, clock = time.time(), time.perf_counter()
    judged = item.judged()
    outcome, why = _outcome(item.asked, judged)
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="skipped" if outcome == "xfailed" else outcome,
        longrepr=(str(item.path), 1, f"Skipped: {why}") if outcome == "skipped" else why or None,
        when="call",
        duration=time.perf_counter() - clock,
        start=start,
        stop=time.time(),
        user_properties=item.user_properties,
    )
    if outcome == "xfailed":
        report.wasxfail = why
    hook.pytest_runtest_logreport(report=report)
    if (lines := item.config.stash.get(_LINES, None)) is not None:
        lines.note(item.path, str(dict(item.user_properties)["verdict"]))
    if item.config.option.xmlpath:  # JUnit closes a testcase at its teardown
        hook.pytest_runtest_logreport(
            report=pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords=report.keywords,
                outcome="passed",
                longrepr=None,
                when="teardown",
                user_properties=item.user_properties,
            )
        )
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _outcome(asked: "Question", judged: "Judged") -> tuple[Literal["passed", "failed", "skipped", "xfailed"], str]:
    """Pytest's word for a verdict, and the words that go with it."""
    from harness.judged import Standing, standing

    match standing(judged):
        case Standing.PASSED:
            return "passed", ""
        case Standing.FAILED | Standing.ERRORED | Standing.UNEXPECTED_PASS:
            return "failed", _told(asked, judged)
        case Standing.EXPECTED | Standing.FLAKY:
            return "xfailed", judged.expected.reason if judged.expected else ""
        case Standing.INCONCLUSIVE | Standing.NOT_APPLICABLE:
            return "skipped", str(getattr(judged.verdict, "reason", ""))
        case _ as never:
            assert_never(never)


def _told(asked: "Question", judged: "Judged") -> str:
    """What broke, in the words that a person needs: the requirement, each finding, and where the rule comes from."""
    from harness.verdict import Errored, Failed, Passed

    requirement = asked.rule.requirement
    lines = [requirement.text]
    match judged.verdict:
        case Failed(findings=findings):
            lines += [f"  {finding}" for finding in findings]
        case Errored(reason=reason):
            lines += [f"  wireproof's own fault: {reason}"]
        case Passed(saw=saw):
            lines += [f"  it passed ({saw}), but the expectations say that it fails: take the entry out"]
        case _:
            pass
    lines.append(f"  {requirement.severity}; {requirement.clause.source}, {requirement.clause.section}: {requirement.clause.says}")
    return "\n".join(lines)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config) -> Iterator[None]:
    """Expressions that pytest cannot read end the run here: it would go on to pytest_collection_finish with everything selected."""
    try:
        return (yield)
    except pytest.UsageError as error:
        if config.stash.get(_CONFORMANCE, None) is None:
            raise
        said = re.sub(r"^Wrong expression passed to '(-\w)': ", r"\1 cannot be read: ", str(error))
        refuse(config, f"{said}: names go with `and`, `or`, `not` and brackets between them, as in 'chat and not sdk'")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set going what was selected, in the order in which it will be asked for."""
    conformance = session.config.stash.get(_CONFORMANCE, None)
    if conformance is None or session.config.option.collectonly or session.config.stash.get(_REFUSED, False):
        return
    from harness.conformance import USER_ERRORS

    config = session.config
    if not session.items:  # before anything is driven, and before the last run's report is written over
        refuse(config, "no verdict was selected, so nothing can be proven: correct -k, -m or the names, which --collect-only lists")
    asked = [item.asked for item in session.items if isinstance(item, Verdict)]
    config.stash[_ALONE] = len(asked) == len(session.items)
    if config.stash[_ALONE] and config.option.verbose <= 0:
        # The run's own summary tells what broke; pytest's would tell it again, and looks through all reports for each failure.
        config.option.tbstyle = "no"
        if (reporter := config.pluginmanager.get_plugin("terminalreporter")) is not None:
            reporter.reportchars = ""  # which it took from the options when it was made
        config.stash[_LINES] = Lines(config, len(asked))
        config.pluginmanager.register(config.stash[_LINES], "wireproof-lines")
        conformance.waiting = config.stash[_LINES].waiting
    try:
        conformance.begin(asked)
    except USER_ERRORS as error:
        refuse(session.config, str(error))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Close the run file, whatever ended the session, and let the run's own arithmetic decide the exit code."""
    conformance = session.config.stash.get(_CONFORMANCE, None)
    if conformance is None or session.config.option.collectonly:
        return
    from harness.judged import exit_code

    if (lines := session.config.stash.get(_LINES, None)) is not None:
        lines.finish()
    complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    arithmetic = conformance.close(complete=complete and not session.shouldstop and not session.shouldfail)
    alone = all(isinstance(item, Verdict) for item in session.items)  # else pytest's own verdict on the other tests counts too
    if complete and alone:
        session.exitstatus = exit_code(arithmetic, complete=complete)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    conformance = config.stash.get(_CONFORMANCE, None)
    if conformance is None or config.option.collectonly:
        return
    from rich.console import Console

    terminalreporter.section("wireproof")
    conformance.print_summary(Console(file=terminalreporter._tw._file, highlight=False))


def pytest_unconfigure(config: pytest.Config) -> None:
    conformance = config.stash.get(_CONFORMANCE, None)
    if conformance is not None:
        conformance.close(complete=False)  # already closed, unless pytest never came to its end
        conformance.end()
