"""`wireproof recordings lint|import`: the recordings' own commands, told which recordings the suites play."""

import argparse

from harness.recording import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Examples: `wireproof recordings lint` checks what ships; "
        "`wireproof recordings import session.har --into my-recordings` makes recordings of what your browser saved. "
        "Exit codes: 0 all well, 1 findings, 2 could not run."
    )
    cli.add_recordings_arguments(parser)


def main(arguments: argparse.Namespace) -> int:
    return cli.main(arguments, played() if arguments.recordings_command == "lint" else None)


def played() -> frozenset[str]:
    """The recordings that the suites' cases play, and the lists that the upstream witness answers with unasked."""
    from harness.plan import cases_of, suite_modules
    from harness.upstream.witness import MODEL_LISTS

    cases = cases_of(suite_modules())
    plays = [play for case in cases for play in (case.play, *(play for step in case.steps for play in step.plays))]
    return frozenset(MODEL_LISTS.values()) | {play.recording for play in plays if play is not None}
