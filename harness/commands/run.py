"""`wireproof run`: the suites, by pytest, with the reports written at the end."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

import suites
from harness.case import Client
from harness.driver import start_ahead
from harness.settings import OPTIONS, Settings, add_options
from harness.toml_file import UserFileError

_LOOKS_ONLY: Final = frozenset({"--collect-only", "--collectonly", "--co", "--fixtures", "--markers", "--setup-plan"})
_NEW_FIRST: Final = frozenset({"--nf", "--new-first"})


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
        sys.stderr.write(f"wireproof: {error}\n")
        return 2
    if settings.drives_embedded and not _LOOKS_ONLY.intersection(arguments.rest):
        start_ahead((Client.OPENAI, Client.ANTHROPIC, Client.GOOGLE_GENAI))
    words = [option.given(value) for option in OPTIONS if (value := given[option.name]) is not None]
    folder = Path(suites.__file__).parent
    own = Path(__file__).parent.parent / "suites.ini"
    places = [word for word in arguments.rest if not word.startswith("-") and ("::" in word or Path(word).exists())]
    if not _NEW_FIRST.intersection(arguments.rest):
        words += ["-p", "no:nfplugin"]  # or pytest writes and reads the names of all verdicts for an option that nobody gave
    code = pytest.main(["-c", str(own), "--rootdir", str(folder.parent), *words, *arguments.rest, *([] if places else [str(folder)])])
    if code == pytest.ExitCode.USAGE_ERROR:  # pytest has said what it did not understand
        sys.stderr.write(_mistyped(arguments.rest))
        return 2
    return int(code)


def _mistyped(words: Sequence[str]) -> str:
    """What to do about words that neither we nor pytest know, with the option of ours that is nearest."""
    flags = [option.flag for option in OPTIONS]
    for word in words:
        if word.startswith("--") and (near := difflib.get_close_matches(word.partition("=")[0], flags, n=1)):
            return f"wireproof: there is no {word.partition('=')[0]}; did you mean {near[0]}?\n"
    return "wireproof: correct the words after `wireproof run`; `wireproof run --help` has ours, `pytest --help` those of pytest\n"
