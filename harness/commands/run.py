"""`wireproof run`: the suites, by pytest, with the reports written at the end."""

import argparse
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TextIO, cast

import pytest

import suites
from harness.case import Client
from harness.complaints import complaint
from harness.driver import start_ahead
from harness.pytest_plugin import refuse
from harness.settings import OPTIONS, Settings, add_options
from harness.toml_file import UserFileError

_COMMAND: Final = "wireproof run"
_LOOKS_ONLY: Final = frozenset({"--collect-only", "--collectonly", "--co", "--fixtures", "--markers", "--setup-plan"})
_OF_NAMES: Final = ("-k", "-m")  # a word after these may be a folder's name
_NEW_FIRST: Final = frozenset({"--nf", "--new-first"})
# Of pytest's own, those that are meant when one of them is mistyped.
_PYTESTS: Final = (
    "--alluredir",
    "--collect-only",
    "--deselect",
    "--durations",
    "--junitxml",
    "--lf",
    "--maxfail",  # only spelt right here: what it does is pytest's, and a run that it ends says that it was broken off
    "--pdb",
    "--quiet",
    "--verbose",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Every option is also an environment variable, named in brackets. "
        "Further words go to pytest: -k, -x, -m, --lf, --junitxml, --alluredir ... "
        "Exit codes: 0 all as expected, 1 findings, 2 could not run."
    )
    add_options(parser)


def main(arguments: argparse.Namespace) -> int:
    given = {option.name: getattr(arguments, option.name) for option in OPTIONS}
    try:
        settings = Settings.of(given)
    except UserFileError as error:
        return _refused(str(error))
    if settings.drives_embedded and not _LOOKS_ONLY.intersection(arguments.rest):
        start_ahead((Client.OPENAI, Client.ANTHROPIC, Client.GOOGLE_GENAI))
    words = [option.given(value) for option in OPTIONS if (value := given[option.name]) is not None]
    folder = Path(suites.__file__).parent
    own = Path(__file__).parent.parent / "suites.ini"
    places = [word for before, word in pairwise(["", *arguments.rest]) if before not in _OF_NAMES and _is_place(word, folder)]
    if not _NEW_FIRST.intersection(arguments.rest):
        words += ["-p", "no:nfplugin"]  # or pytest writes and reads the names of all verdicts for an option that nobody gave
    errors = _HeldBack(sys.stderr)
    sys.stderr = cast(TextIO, errors)
    try:
        code = pytest.main(
            ["-c", str(own), "--rootdir", str(folder.parent), *words, *arguments.rest, *([] if places else [str(folder)])],
            plugins=[_Understanding(errors)],
        )
    finally:
        sys.stderr = errors.stream
    if code == pytest.ExitCode.USAGE_ERROR and errors.held:
        return _refused(_in_one_sentence("".join(errors.held)))
    errors.let_go()
    return 2 if code == pytest.ExitCode.USAGE_ERROR else int(code)


def _is_place(word: str, folder: Path) -> bool:
    """Whether it names suites: a file that an option writes is there, too, once a run has written it."""
    if word.startswith("-"):
        return False
    place = Path(word.partition("::")[0]).resolve()
    return "::" in word or (place.exists() and (place.suffix == ".py" or place.is_relative_to(folder)))


def _refused(sentence: str) -> int:
    sys.stderr.write(f"wireproof: {sentence}\n")
    return 2


class _HeldBack:
    """Standard error, which keeps what is written until it is known that pytest understood its words: else it writes its whole usage."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.held: list[str] | None = []

    def write(self, text: str) -> int:
        if self.held is None:
            return self.stream.write(text)
        self.held.append(text)
        return len(text)

    def let_go(self) -> None:
        held, self.held = self.held or [], None
        self.stream.writelines(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Understanding:
    """A pytest plugin: how far pytest came with its words."""

    def __init__(self, errors: _HeldBack) -> None:
        self._errors = errors

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._errors.let_go()
        if getattr(session.config.option, "numprocesses", None):  # of pytest-xdist
            refuse(session.config, "a run is one process, which drives many exchanges at a time: leave out -n, and see --concurrency")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> Iterator[None]:
        try:
            return (yield)
        except pytest.UsageError as error:
            refuse(session.config, _in_one_sentence(str(error)))


def _in_one_sentence(said: str) -> str:
    """What pytest said of words that it does not understand, without its usage and its folders."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    error = next((line.partition(": error: ")[2] for line in lines if ": error: " in line), lines[0].removeprefix("ERROR: "))
    if error.startswith("file or directory not found: "):
        place = error.partition(": ")[2]
        return f"there is no {place}: give a file of suites, an option that `{_COMMAND} --help` or `pytest --help` lists, or leave it out"
    return complaint(error, _COMMAND, [*(option.flag for option in OPTIONS), *_PYTESTS])
