"""How a protocol's table of losses is written: one rule for each member, in each direction of flow.

The tables are data: losses.json has them (losses_file.py writes it), so that whoever judges a gateway knows what may differ between an
upstream's words and a client's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which of a protocol's four files the rule is about."""

    REQUEST_IN = "request_in"  # a client's request is read
    REQUEST_OUT = "request_out"  # a request is written to an upstream
    ANSWER_IN = "answer_in"  # an upstream's answer is read
    ANSWER_OUT = "answer_out"  # an answer is written to a client


class Rule(StrEnum):
    KEPT = "kept"  # same meaning, same place
    RENAMED = "renamed"  # same meaning, another name or place
    EMULATED = "emulated"  # another mechanism that comes to the same
    DROPPED = "dropped"  # the answer comes without it; a request's drop is told by a `Loss`, but for `silent` ones
    REFUSED = "refused"  # 400 with the member's path


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """`path` is the protocol's own ("messages[].content[].image_url.detail"), or a field of `items` where a request is written.

    `input[type=web_search_call]` is a variant of what stands in a list. Of a member that is dropped, refused or emulated, what stands in it
    has no row of its own.
    """

    path: str
    direction: Direction
    rule: Rule
    note: str = ""
    silent: bool = False  # dropped, and nothing is lost by it that a client could notice: no `Loss` tells
