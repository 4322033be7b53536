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
    except (RunFileError, OSError) as error:
        print(f"wireproof: {error}", file=sys.stderr)  # noqa: T201  # the command's own voice
        return 2
    return 0


def write_all(run: Run, folder: Path) -> Path:
    """Every report under its usual name. Gives the page that a person opens."""
    write(run, {option: folder / name for option, (name, _, _) in REPORTS.items()})
    return folder / REPORTS["html"][0]


def write(run: Run, chosen: Mapping[str, Path]) -> None:
    """`chosen` maps names of REPORTS to files, which are replaced."""
    for option, path in chosen.items():
        made = REPORTS[option][2](run)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made if isinstance(made, bytes) else made.encode())
