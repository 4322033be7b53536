"""Who is being answered: what the steps of one model call share."""

from __future__ import annotations

from dataclasses import dataclass

from reference_gateway.errors import Family
from reference_gateway.keys import Key
from reference_gateway.proxy.server import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    key: Key
    family: Family
    request_id: str
    answer: Answer
