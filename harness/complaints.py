"""A command line that cannot be understood, told in one sentence that says how to mend it. Argparse would put the whole usage before it."""

import argparse
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

COULD_NOT_RUN: Final = 2
_UNKNOWN: Final = "unrecognized arguments: "
_CHOICE: Final = re.compile(
    r"(?:argument (?P<where>.+?): )?invalid choice: (?P<given>'.*?'|\S+) \((?:choose from|maybe you meant:) (?P<known>.*)\)", re.DOTALL
)
_REQUIRED: Final = "the following arguments are required: "
_VALUE: Final = re.compile(r"argument (?P<where>.+?): (?P<what>.*)", re.DOTALL)
_ALIKE: Final = 0.7  # of options: they are long, and begin alike
_KINDS: Final = {"int": "a whole number", "float": "a number"}


class Parser(argparse.ArgumentParser):
    """Its subcommands' parsers are of this class too. Each complains of the words that it does not know itself, knowing its own options."""

    def __init__(self, *args: Any, passes_on: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.passes_on = passes_on  # what it does not know is for somebody else

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = super().parse_known_args(args, namespace)
        if rest and not self.passes_on:
            self.error(_UNKNOWN + " ".join(rest))
        return found, rest

    def error(self, message: str) -> NoReturn:
        self.exit(COULD_NOT_RUN, f"wireproof: {complaint(message, self.prog, self._option_string_actions)}\n")


def complaint(message: str, command: str, flags: Iterable[str]) -> str:
    """What argparse says, in our words. `command` is asked for its help, `flags` are what it takes."""
    ask = f"`{command} --help` lists what there is"
    if message.startswith(_UNKNOWN):
        return unknown(message.removeprefix(_UNKNOWN).split(), command, flags)
    if message.startswith(_REQUIRED):
        return f"`{command}` needs {message.removeprefix(_REQUIRED)}: {ask}"
    if found := _CHOICE.match(message):
        known = [word.strip("' ") for word in found["known"].split(",")]
        given = found["given"].strip("'")
        where = f" for {found['where']}" if (found["where"] or "").startswith("-") else ""
        if near := difflib.get_close_matches(given, known, n=1):
            return f"there is no {given!r}{where}; did you mean {near[0]!r}?"
        return f"there is no {given!r}{where}: choose from {', '.join(known)}"
    if found := _VALUE.match(message):
        where, what = found["where"], found["what"]
        if what.startswith("expected "):
            return f"{where} stands without its value: `{command} --help` says what it takes"
        if value := re.fullmatch(r"ignored explicit argument (.*)", what, re.DOTALL):
            return f"{where} takes no value: leave {value[1]} out"
        if kind := re.fullmatch(r"invalid (\w+) value: (.*)", what, re.DOTALL):
            return f"{where} takes {_KINDS[kind[1]]}, not {kind[2]}" if kind[1] in _KINDS else f"{where} cannot be {kind[2]}: {ask}"
        return f"{where}: {what}"
    return f"{message}: {ask}"


def unknown(words: Sequence[str], command: str, flags: Iterable[str]) -> str:
    """Of words that nobody knows, what to do about the first that looks like an option, or else the first."""
    word = next((word for word in words if word.startswith("-") and word != "-"), words[0]).partition("=")[0]
    if not word.startswith("-"):
        return f"`{command}` does not know what to do with {word!r}: leave it out, or see `{command} --help`"
    known = [flag for flag in flags if flag.startswith("--")]
    near = difflib.get_close_matches(word, known, n=1, cutoff=_ALIKE) if word.startswith("--") else []
    return f"there is no {word}; did you mean {near[0]}?" if near else f"there is no {word}: `{command} --help` lists what there is"
