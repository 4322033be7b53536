"""`wireproof report RUN`: reports on a stored run, without the target."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from harness.report.badge import badge
from harness.report.html import html
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.terminal import print_summary
from harness.report.words import as_typed
from harness.runfile import Run, RunFileError, read_run
from harness.whole_file import write_whole

# option -> usual file name, what it holds, how it is made
REPORTS: Final[dict[str, tuple[str, str, Callable[[Run], str | bytes]]]] = {
    "html": ("report.html", "the whole run as one page that needs nothing else", html),
    "junit": ("junit.xml", "JUnit XML, one testcase per verdict", junit),
    "markdown": ("summary.md", "a summary for a CI job or a pull request", markdown),
    "badge": ("badge.svg", "a small SVG", badge),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Make reports from a run file. Without a choice of files, all of them, beside the run file."
    parser.add_argument("run", type=Path, metavar="RUN", help="the run file, as `wireproof run` wrote it")
    for option, (_, meaning, _) in REPORTS.items():
        parser.add_argument(f"--{option}", type=Path, metavar="FILE", help=meaning)


def main(arguments: argparse.Namespace) -> int:
    """0, or 2 with one sentence. Reporting on a red run succeeds: the run's own exit code has told of it."""
    try:
        run = read_run(arguments.run)
        chosen = {option: path for option in REPORTS if (path := getattr(arguments, option)) is not None}
        if chosen:
            write(run, chosen)
        else:
            page = write_all(run, arguments.run.parent)
            print_summary(run, run_file=as_typed(run.path), reports=[as_typed(page)])
    except RunFileError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{error.filename} cannot be written ({error.strerror}): give another file")
    return 0


def _refused(sentence: str) -> int:
    sys.stderr.write(f"wireproof: {sentence}\n")
    return 2


def write_all(run: Run, folder: Path) -> Path:
    """Every report under its usual name. Gives the page that a person opens."""
    write(run, {option: folder / name for option, (name, _, _) in REPORTS.items()})
    return folder / REPORTS["html"][0]


def write(run: Run, chosen: Mapping[str, Path]) -> None:
    """`chosen` maps names of REPORTS to files, which are replaced once all of them are made. Raises OSError."""
    made = {path: REPORTS[option][2](run) for option, path in chosen.items()}
    for path, report in made.items():
        write_whole(path, report if isinstance(report, bytes) else report.encode())
