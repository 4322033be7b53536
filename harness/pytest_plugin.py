"""The suites as ordinary pytest items: one per requirement, case and model, so that -k, -x, -m, --lf and plugins work.

Exchanges are submitted ahead to a background event loop when collection is done; an item waits only for its own.
With `--run FILE` the exchanges come from a stored run, and nothing touches the network.
"""

import sys
import time
from collections.abc import Callable, Iterator
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
_ALONE: "Final[pytest.StashKey[bool]]" = pytest.StashKey()  # nothing but verdicts was selected
_COULD_NOT_RUN: Final = 2

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
            option.flag, metavar=option.metavar, dest=f"wireproof_{option.name}", help=f"{option.help}{default} [{option.variable}]"
        )


def pytest_configure(config: pytest.Config) -> None:
    for quiet in _SDK_WARNINGS:  # google-genai warns at an enum value it does not know; as an error that would be a false reading
        config.addinivalue_line("filterwarnings", quiet)
    for mark, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


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
            _refuse(config, str(error))
        config.stash[_CONFORMANCE] = found
    return found


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """Says on a terminal what is being waited for, in the line that pytest writes over next; elsewhere nothing."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty:
        return lambda _: None
    return lambda text: reporter.rewrite(f"{text} ", erase=True)


def _refuse(config: pytest.Config, sentence: str) -> NoReturn:
    """End pytest with exit code 2 and one sentence: a user's mistake needs no banner, no count of tests and no traceback."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        if reporter.isatty:
            reporter.rewrite("", erase=True)
        config.pluginmanager.unregister(reporter)
    with config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        sys.stderr.write(f"wireproof: {sentence}\n")
        sys.stderr.flush()
    pytest.exit(sentence, returncode=_COULD_NOT_RUN)


class SuiteFile(pytest.File):
    """One suite module."""

    def collect(self) -> Iterator["Verdict"]:
        module = self._module()
        if not getattr(module, "RULES", ()):
            return
        for asked in _conformance(self.config).questions(module):
            yield Verdict.from_parent(self, name=asked.name, asked=asked)

    def _module(self) -> ModuleType:
        from importlib import import_module

        return import_module(".".join(self.path.relative_to(_SUITES.parent).with_suffix("").parts).removesuffix(".__init__"))


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
                self.add_marker(word)

    def judged(self) -> "Judged":
        from harness.conformance import USER_ERRORS

        conformance = _conformance(self.config)
        try:
            judged = conformance.judge(self.asked)
        except USER_ERRORS as error:
            _refuse(self.config, str(error))
        if _allure(self.config):
            conformance.attach(self.config, self.asked, judged)
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


def _allure(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "allure_report_dir", None))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Close the run file, whatever ended the session, and let the run's own arithmetic decide the exit code."""
    conformance = session.config.stash.get(_CONFORMANCE, None)
    if conformance is None or session.config.option.collectonly:
        return
    from harness.judged import exit_code

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
