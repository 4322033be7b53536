"""What a run is told: every option of the command line, each also an environment variable."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from harness.toml_file import UserFileError

REPORTS: Final = Path("reports")


class Storage(StrEnum):
    """Where the embedded gateway keeps its books."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"  # and Redis beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option, for pytest and for `wireproof run` alike."""

    name: str
    help: str
    default: str | None = None
    metavar: str = "X"
    switch: bool = False  # given without a value

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "WIREPROOF_" + self.name.upper()

    @property
    def as_argument(self) -> dict[str, str]:
        """How argparse, and pytest's parser, is told of what follows it on the command line."""
        return {"action": "store_const", "const": "1"} if self.switch else {"metavar": self.metavar}

    def given(self, value: str) -> str:
        """As a word of the command line."""
        return self.flag if self.switch else f"{self.flag}={value}"


OPTIONS: Final = (
    Option(
        name="base_url",
        metavar="URL[,URL]",
        help="the gateway under test, or its nodes, which are asked in turn; without it the embedded reference gateway is started",
    ),
    Option(name="api_key", metavar="KEY", help="a key of the gateway under test (better given by the environment variable)"),
    Option(name="models", metavar="ID,ID", help="only these models; without it all that the gateway lists"),
    Option(name="target", metavar="FILE", help="TOML file that says what the gateway is and promises (its form: README.md, Target file)"),
    Option(
        name="upstream_port",
        metavar="PORT",
        help="where the upstream witness listens: the gateway's vendors must be configured to be there",
    ),
    Option(name="concurrency", metavar="N", default="16", help="exchanges driven at the same time"),
    Option(name="expectations", metavar="FILE", help="TOML file of known failures and flakes (its form: README.md, Expectations)"),
    Option(
        name="out",
        metavar="DIR",
        default="reports/latest",
        help="where the run file and the reports go; what is no usual run has a folder of its own, such as reports/matrix",
    ),
    Option(
        name="recordings",
        metavar="WHICH",
        default="shipped",
        help="what the upstream plays: shipped, corpus (see `wireproof corpus pull`) or a folder",
    ),
    Option(name="storage", metavar="WHICH", default="sqlite", help="where the embedded gateway keeps its books: sqlite or postgres"),
    Option(
        name="nodes", metavar="N", default="1", help="so many processes of the embedded gateway, asked in turn (with --storage postgres)"
    ),
    Option(name="postgres_url", metavar="URL", help="a database for --storage postgres; without it a server is started for the run"),
    Option(name="redis_url", metavar="URL", help="Redis or Valkey for --storage postgres; without it a server is started for the run"),
    Option(name="storm_calls", metavar="N", help="kill the gateway's nodes in the midst of so many calls; without it none is killed"),
    Option(
        name="matrix",
        switch=True,
        help="the whole matrix of translated routes and nothing else, and a table of its cells: the usual run drives a cross-section",
    ),
    Option(name="run", metavar="FILE", help="judge this stored run again, with no network"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()
    target: Path | None = None
    upstream_port: int | None = None
    concurrency: int = 16
    expectations: Path | None = None
    out: Path = REPORTS / "latest"
    recordings: str = "shipped"
    storage: Storage = Storage.SQLITE
    nodes: int = 1
    postgres_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    storm_calls: int = 0
    matrix: bool = False
    run: Path | None = None

    def secrets(self) -> tuple[str, ...]:
        """What may stand in no file, besides the keys."""
        return tuple(url for url in (self.postgres_url, self.redis_url) if url)

    @property
    def drives_embedded(self) -> bool:
        """Whether the gateway is ours, started for this run and played the recordings that ship."""
        return self.run is None and self.base_url is None and self.target is None and self.recordings == "shipped"

    def refuse_embedded(self) -> None:
        """Raises UserFileError for what is said of the embedded gateway, where another one is driven."""
        said = {
            "--storage": self.storage is not Storage.SQLITE,
            "--nodes": self.nodes > 1,
            "--postgres-url": self.postgres_url is not None,
            "--redis-url": self.redis_url is not None,
        }
        for flag in (flag for flag, given in said.items() if given):
            raise UserFileError(f"{flag} is for the embedded gateway, and --base-url or --target names another: leave one of them out")

    @classmethod
    def of(
        cls,
        given: Mapping[str, str | None],
        environment: Mapping[str, str] = os.environ,
        *,
        options: Sequence[Option] = OPTIONS,
        folder: str | None = None,
    ) -> "Settings":
        """The command line's values before the environment's before the defaults; only of `options`. Raises UserFileError.

        `folder`: where below reports/ the output goes when nobody says; without it the kind of the run decides.
        """
        values: dict[str, Any] = {}
        for option in options:
            value, where = given.get(option.name), option.flag
            if value is None:
                value, where = environment.get(option.variable) or None, f"{option.flag} ({option.variable})"
            elif not value:  # as `--base-url "$URL"` is where nobody set URL: that must not pass for a run without it
                raise UserFileError(f"{option.flag} is empty: give it a value, or leave it out")
            if value is not None:
                values[option.name] = _converted(option, value, where)
        values.setdefault("out", REPORTS / (folder or _kind(cls(**values))))
        return cls(**values)


def _kind(settings: Settings) -> str:
    """The folder of a run that was not told one: each kind has its own, so that no run takes the place of the usual one's."""
    words = ["matrix"] * settings.matrix
    words += ["postgres"] * (settings.storage is Storage.POSTGRES)
    words += ["storm"] * (settings.storm_calls > 0)
    match settings.recordings:
        case "shipped":
            pass
        case "corpus":
            words.append("corpus")
        case _:
            words.append("own-recordings")
    return "-".join(words) or "latest"


def _converted(option: Option, value: str, where: str) -> Any:
    """`where` the value was given, for the complaint."""
    match option.name:
        case "upstream_port" | "concurrency" | "nodes" | "storm_calls":
            if not (value.isascii() and value.isdecimal() and 0 < int(value) < 65536):
                raise UserFileError(f"{where} takes a whole number from 1 to 65535, not {value!r}")
            return int(value)
        case "matrix":
            return value != "0"
        case "storage":
            if value not in tuple(Storage):
                raise UserFileError(f"{where} is one of {', '.join(Storage)}, not {value!r}")
            return Storage(value)
        case "models":
            models = tuple(part.strip() for part in value.split(",") if part.strip())
            if not models:
                raise UserFileError(f"{where} names no model: give ids with commas between, or leave it out")
            return models
        case "target" | "expectations" | "out" | "run":
            return Path(value)
        case _:
            return value


def add_options(parser: argparse.ArgumentParser, options: Sequence[Option] = OPTIONS) -> None:
    """Each of them as one of the parser's."""
    for option in options:
        default = f" (default: {option.default})" if option.default else ""
        parser.add_argument(option.flag, help=f"{option.help}{default} [{option.variable}]", **option.as_argument)  # type: ignore[arg-type]  # all are texts
