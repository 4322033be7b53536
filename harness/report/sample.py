"""Makes reports/sample, the report that the README shows, from a run: `python -m harness.report.sample [reports/latest/run.jsonl]`.

The page, its summary, its badge, and a picture of the page's first screen, taken by Chromium. The run file itself stays out: it is large.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from harness.report.cli import REPORTS, write
from harness.runfile import RunFileError, read_run
from harness.whole_file import write_whole

FOLDER: Final = Path("reports/sample")
_KEPT: Final = ("html", "markdown", "badge")
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SIZE: Final = "1280,1080"  # CSS pixels
_LOADED_MS: Final = 5_000  # of the page's own time, in which it has long been drawn
_SECONDS: Final = 60


class SampleError(Exception):
    """The sample cannot be made; the message says why, and what to do."""


def make(run_file: Path, folder: Path) -> tuple[Path, ...]:
    """Writes the sample into the folder and gives its files. Raises SampleError, RunFileError, OSError."""
    run = read_run(run_file)
    if not run.complete:
        raise SampleError(f"{run_file} was broken off: a sample shows a whole run, drive it again")
    chosen = {option: folder / REPORTS[option][0] for option in _KEPT}
    picture = chosen["html"].with_suffix(".png")
    with TemporaryDirectory(prefix="wireproof-sample-") as beside:  # the last sample stays until all of this one is made
        made = Path(beside) / picture.name
        write(run, {"html": made.with_suffix(".html")})
        photograph(made.with_suffix(".html"), made)
        write(run, chosen)
        write_whole(picture, made.read_bytes())
    return (*chosen.values(), picture)


def photograph(page: Path, picture: Path) -> None:
    """The first screen of a page, as PNG. Raises SampleError."""
    program = os.environ.get("WIREPROOF_CHROMIUM") or next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if program is None:
        raise SampleError("no Chromium here: install Debian's chromium, or name one by WIREPROOF_CHROMIUM")
    with TemporaryDirectory(prefix="wireproof-chromium-", ignore_cleanup_errors=True) as profile:
        words = [program, "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", f"--user-data-dir={profile}"]
        words += ["--no-sandbox"]  # which root has not, and which a page of our own does not need
        words += [f"--window-size={_SIZE}", f"--virtual-time-budget={_LOADED_MS}", f"--screenshot={picture.absolute()}"]
        try:
            done = subprocess.run([*words, page.absolute().as_uri()], capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SampleError(f"{program} took no picture ({error}): try another by WIREPROOF_CHROMIUM") from error
    if not picture.exists():
        said = done.stderr.strip().splitlines()
        raise SampleError(f"{program} took no picture: {said[-1] if said else f'exit code {done.returncode}'}")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.report.sample", description="Make the sample report that the README shows.")
    parser.add_argument(
        "run", type=Path, nargs="?", default=Path("reports/latest/run.jsonl"), metavar="RUN", help="default: the latest run"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help=f"default: {FOLDER}")
    arguments = parser.parse_args(words)
    try:
        made = make(arguments.run, arguments.out)
    except (SampleError, RunFileError, OSError) as error:
        sys.stderr.write(f"wireproof: {error}\n")
        return 2
    for file in made:
        sys.stdout.write(f"{file}  {file.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
