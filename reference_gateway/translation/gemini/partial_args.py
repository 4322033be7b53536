"""A call's arguments that come value by value, each with its place: `streamFunctionCallArguments`, which no request of ours asks for.

Source: vertex-function-calling "partialArgs"; recorded of gemini-3-flash-preview. Strings come in pieces, all else at once.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d{1,4})\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")


class PartialArg(msgspec.Struct, frozen=True, rename="camel"):
    json_path: str
    string_value: str | None = None
    number_value: float | int | None = None
    bool_value: bool | None = None
    will_continue: bool | None = None

    @property
    def value(self) -> str | float | bool | None:
        return next((value for value in (self.string_value, self.number_value, self.bool_value) if value is not None), None)


def put(args: dict[str, Any], arg: PartialArg) -> bool:
    """Into its place, after what of the string is there already. False where there is no such place."""
    steps: list[str | int] = []
    end = 1
    for found in _STEP.finditer(arg.json_path, 1):
        if found.start() != end:
            return False
        end = found.end()
        steps.append(int(found[2]) if found[2] is not None else next(name for name in (found[1], found[3], found[4]) if name is not None))
    if not arg.json_path.startswith("$") or end != len(arg.json_path) or not steps:
        return False
    at: Any = args
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        new: Any = arg.value if after is None else [] if isinstance(after, int) else {}
        if isinstance(step, int) and isinstance(at, list) and step <= len(at):
            if step == len(at):
                at.append(new)
            elif after is None:
                at[step] = _more(at[step], new)
        elif isinstance(step, str) and isinstance(at, dict):
            at[step] = new if step not in at else _more(at[step], new) if after is None else at[step]
        else:
            return False
        at = at[step]
    return True


def _more(old: object, new: object) -> object:
    return old + new if isinstance(old, str) and isinstance(new, str) else new
