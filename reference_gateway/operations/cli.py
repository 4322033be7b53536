"""`wireproof gateway`, and `python -m reference_gateway`: run the reference gateway, and everything an operator does to it.

Exit codes: 0 done, 1 the doctor found something, 2 could not (one sentence on stderr says why and how to mend it).
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sqlite3
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from reference_gateway.config import ConfigError
from reference_gateway.errors import Refusal
from reference_gateway.operations import serve
from reference_gateway.storage.interface import StorageFailed

EXAMPLES: Final = """examples:
  wireproof gateway serve --demo                      try it out: scripted vendors, a key, every protocol
  wireproof gateway check-config gateway.toml         what would be served, or which line is wrong
  wireproof gateway doctor --config gateway.toml      is everything there that it needs
  wireproof gateway serve --config gateway.toml
  wireproof gateway keys create --config gateway.toml --account team --group default --name laptop
  wireproof gateway topup --config gateway.toml team 25.00
"""


class UsageError(Exception):
    """What was asked for cannot be done; one sentence that says how to mend it."""


@dataclass(frozen=True, slots=True)
class Action:
    """`module` has add_arguments(parser) and main(arguments) -> exit code; it is imported only when it is called."""

    name: str
    module: str
    help: str


ACTIONS: Final = (
    Action("serve", "serve", "run the gateway"),
    Action("keys", "keys", "create, list, rotate, delete keys; suspend accounts"),
    Action("topup", "topup", "put money into an account's wallet"),
    Action("groups", "groups", "which models each group of keys reaches"),
    Action("check-config", "check_config", "read a configuration and say what it would serve"),
    Action("doctor", "doctor", "look at everything the gateway needs, and say how to mend what is missing"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.allow_abbrev = False  # `--demo` of `serve` is no abbreviation of anything here
    actions = parser.add_subparsers(title="commands", dest="action", metavar="COMMAND")
    for action in ACTIONS:
        told = action.help[0].upper() + action.help[1:] + "."
        sub = actions.add_parser(action.name, help=action.help, description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
        _module(action).add_arguments(sub)
    # Without a command it serves: `--config FILE` and `--demo-upstream URL` stand for `serve` with the same words.
    serve.add_sources(parser.add_mutually_exclusive_group())
    serve.add_details(parser)
    parser.add_argument("--check", action="store_true")
    for option in parser._actions[1:]:
        if option.option_strings:
            option.help = argparse.SUPPRESS


def _module(action: Action) -> ModuleType:
    return importlib.import_module(f"reference_gateway.operations.{action.module}")


def main(args: argparse.Namespace) -> int:
    """0 after an orderly end, 1 where the doctor found something, 2 where it could not run (one sentence on stderr)."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        return _act(args)
    except (ConfigError, UsageError, StorageFailed) as error:
        return _fail(str(error))
    except Refusal as refusal:
        return _fail(refusal.message)
    except sqlite3.Error as error:
        return _fail(f"the database cannot be used: {error}; name another one under [server] database")
    except OSError as error:
        return _fail(f"cannot listen there: {error.strerror}; choose another --host or --port")


def _act(args: argparse.Namespace) -> int:
    for action in ACTIONS:
        if action.name == args.action:
            return int(_module(action).main(args))
    if args.config is None and args.demo_upstream is None:
        raise UsageError("say what to do: `wireproof gateway serve --demo` tries it out, `wireproof gateway --help` tells the rest")
    if args.check and args.config is not None:
        from reference_gateway.operations import check_config

        return check_config.check(args.config)
    return serve.main(args)


def _fail(message: str) -> int:
    sys.stderr.write(f"gateway: {message}\n")
    return 2
