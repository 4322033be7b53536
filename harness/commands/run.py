"""`wireproof run`: the suites, by pytest, with the reports written at the end."""

import argparse
import sys
from pathlib import Path

import pytest

import suites
from harness.settings import OPTIONS, Settings, add_options
from harness.toml_file import UserFileError


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
        Settings.of(given)
    except UserFileError as error:
        sys.stderr.write(f"wireproof: {error}\n")
        return 2
    words = [f"{option.flag}={given[option.name]}" for option in OPTIONS if given[option.name] is not None]
    folder = Path(suites.__file__).parent
    own = Path(__file__).parent.parent / "suites.ini"
    places = [word for word in arguments.rest if not word.startswith("-") and ("::" in word or Path(word).exists())]
    return int(pytest.main(["-c", str(own), "--rootdir", str(folder.parent), *words, *arguments.rest, *([] if places else [str(folder)])]))
