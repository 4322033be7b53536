"""What a gateway declares that it loses where it translates: a JSON file, read as data by whoever judges it.

{"warning_header": "x-gateway-losses",        an answer's header that names what of its request was dropped, as `path (reason); ...`
 "protocols": {"chat": [{"path": "seed", "direction": "request_in", "rule": "kept"}, ...], ...}}

Directions are request_in (the client's request is read), request_out (it is written for an upstream), answer_in and answer_out. A rule is
kept, renamed, emulated, dropped or refused. A request's paths are its protocol's own where it is read ("messages[].content[].text"), and
the neutral ones of the reference gateway's table where it is written ("turns[].items[ToolResult].is_error"). A dialect of a protocol, such
as "deepseek-chat", has the rows in which it differs. `"silent": true` stands beside what is dropped without a word in the header.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.case import Dialect, Surface
from harness.toml_file import UserFileError

DIRECTIONS: Final = ("request_in", "request_out", "answer_in", "answer_out")
RULES: Final = ("kept", "renamed", "emulated", "dropped", "refused")
EMBEDDED: Final = Path(__file__).resolve().parents[1] / "reference_gateway" / "translation" / "losses.json"
_PROTOCOL: Final = {
    Dialect.OPENAI_CHAT: ("chat",),
    Dialect.OPENAI_RESPONSES: ("responses",),
    Dialect.ANTHROPIC: ("messages",),
    Dialect.GEMINI: ("gemini",),
    Dialect.DEEPSEEK_CHAT: ("chat", "deepseek-chat"),
    Dialect.DEEPSEEK_ANTHROPIC: ("messages", "deepseek-anthropic"),
}
_SILENT: Final = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The whole file. `rows`: protocol -> direction -> path -> its rule; "silent" for what is dropped without a word."""

    warning_header: str
    rows: Mapping[str, Mapping[str, Mapping[str, str]]]

    def on(self, client: Surface, upstream: Dialect) -> dict[str, Any]:
        """What concerns one route, as JSON: all that is not simply kept. An exchange carries it, so that it can be judged years later."""
        written: dict[str, Any] = {"warning_header": self.warning_header}
        for direction, protocols in (
            ("request_in", (str(client),)),
            ("request_out", _PROTOCOL[upstream]),
            ("answer_in", _PROTOCOL[upstream]),
            ("answer_out", (str(client),)),
        ):
            rows: dict[str, str] = {}
            for protocol in protocols:
                rows |= self.rows.get(protocol, {}).get(direction, {})
            written[direction] = {path: rule for path, rule in rows.items() if rule != "kept"}
        return written


def read_losses(path: Path) -> Declared:
    """Raises UserFileError, which says in one sentence what to mend."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise UserFileError(f"{path} cannot be read ({error.strerror}): give the path of a JSON file of losses") from error
    except ValueError as error:
        raise UserFileError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("protocols"), dict):
        raise UserFileError(f'{path} needs "protocols": for each protocol a list of rows')
    header = value.get("warning_header", "")
    if not isinstance(header, str):
        raise UserFileError(f'{path}: "warning_header" must be the name of a header')
    known = {word for protocols in _PROTOCOL.values() for word in protocols}
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for protocol, rows in value["protocols"].items():
        if protocol not in known:
            raise UserFileError(f"{path} has a protocol {protocol!r}: it takes {', '.join(sorted(known))}")
        if not isinstance(rows, list):
            raise UserFileError(f"{path}: {protocol} must be a list of rows")
        for number, row in enumerate(rows):
            _put(tables.setdefault(protocol, {}), row, f"{path}: row {number} of {protocol}")
    return Declared(warning_header=header.lower(), rows=tables)


def _put(table: dict[str, dict[str, str]], row: Any, where: str) -> None:
    if not isinstance(row, dict) or not isinstance(row.get("path"), str) or not row["path"]:
        raise UserFileError(f'{where} needs a "path"')
    if row.get("direction") not in DIRECTIONS:
        raise UserFileError(f'{where} ({row["path"]}) needs a "direction", one of {", ".join(DIRECTIONS)}')
    if row.get("rule") not in RULES:
        raise UserFileError(f'{where} ({row["path"]}) needs a "rule", one of {", ".join(RULES)}')
    rows = table.setdefault(row["direction"], {})
    if row["path"] in rows:
        raise UserFileError(f"{where} gives {row['path']} a second rule for {row['direction']}")
    rows[row["path"]] = _SILENT if row["rule"] == "dropped" and row.get("silent") is True else row["rule"]
