"""losses.json: the tables of all protocols as data, for whoever judges a gateway. `python -m reference_gateway.translation.losses_file`.

{"warning_header": the header of an answer that names what of the request was dropped, as `path (reason); ...`,
 "protocols": {"chat": [{"path", "direction", "rule", "note", "silent"}, ...], ...}}

A dialect of a protocol, such as `deepseek-chat`, has the rows in which it differs. `silent` stands only where it is true.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from reference_gateway.translation.chat import losses as chat
from reference_gateway.translation.gemini import losses as gemini
from reference_gateway.translation.losses import FieldRule
from reference_gateway.translation.messages import losses as messages
from reference_gateway.translation.responses import losses as responses

FILE: Final = Path(__file__).with_name("losses.json")
WARNING_HEADER: Final = "x-wireproof-losses"
TABLES: Final[Mapping[str, tuple[FieldRule, ...]]] = {
    "chat": chat.LOSSES,
    "responses": responses.LOSSES,
    "messages": messages.RULES,
    "gemini": gemini.RULES,
    "deepseek-chat": chat.DEEPSEEK_REQUEST_OUT,
    "deepseek-anthropic": messages.DEEPSEEK_REQUEST_OUT,
}


def text() -> str:
    """What the file has to be: one row a line."""
    tables = ",\n".join(f'    "{name}": [\n{_rows(rows)}\n    ]' for name, rows in TABLES.items())
    return f'{{\n  "warning_header": "{WARNING_HEADER}",\n  "protocols": {{\n{tables}\n  }}\n}}\n'


def _rows(rows: Iterable[FieldRule]) -> str:
    return ",\n".join(f"      {json.dumps(_row(row), ensure_ascii=False)}" for row in rows)


def _row(row: FieldRule) -> dict[str, Any]:
    found = {"path": row.path, "direction": row.direction, "rule": row.rule, "note": row.note}
    return {**found, "silent": True} if row.silent else found


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
