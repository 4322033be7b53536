"""A task and the document that callers see of it: the same one in an answer, in a stream and in a callback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from reference_gateway.billing.prices import MILLION, Usage


class State(StrEnum):
    """contract:226, C44: pending, running, then one of the others; no other order."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What came of it: the items of `output`, a reason for each that was asked for and did not come, and what is to be billed for it.

    `provider`, `channel` and `surface` say who made it, for the usage row.
    """

    items: Sequence[Mapping[str, Any]]
    errors: Sequence[Mapping[str, Any]] = ()
    usage: Usage = field(default_factory=Usage)
    provider: str = ""
    channel: str = ""
    surface: str = "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row. `id` is also the request id of its hold and of its usage row; times are Unix milliseconds.

    `body` is the request that the model's own endpoint would have been sent, `link_base` where its caller found this gateway.
    """

    id: str
    account: str
    key_id: str
    out_task_id: str | None
    fingerprint: str
    model: str
    body: bytes
    link_base: str
    state: State
    callback_url: str | None
    callback_attempts: int
    estimated_micro_usd: int
    created_ms: int
    charged_micro_usd: int | None = None
    output: Output | None = None
    error_code: str | None = None
    error_message: str | None = None
    node: str = ""
    started_ms: int | None = None
    finished_ms: int | None = None


def document(task: Task) -> dict[str, Any]:
    """`credits` are USD (C28); `credits_used` stands where something was billed and nowhere else (contract:222, C43)."""
    shown: dict[str, Any] = {"task_id": task.id, "object": "task"}
    if task.out_task_id is not None:
        shown["out_task_id"] = task.out_task_id
    shown |= {
        "model": task.model,
        "status": task.state,
        "estimated_credits": task.estimated_micro_usd / MILLION,
        "estimated_micro_usd": task.estimated_micro_usd,
        "created_at": task.created_ms // 1000,
    }
    if task.started_ms is not None:
        shown["started_at"] = task.started_ms // 1000
    if task.finished_ms is not None:
        shown["finished_at"] = task.finished_ms // 1000
    match task.state:
        case State.COMPLETED:
            shown |= {"credits_used": (task.charged_micro_usd or 0) / MILLION, "credits_used_micro_usd": task.charged_micro_usd or 0}
            if task.output is not None:
                shown["output"] = list(task.output.items)
                if task.output.errors:
                    shown["errors"] = list(task.output.errors)
        case State.FAILED:
            shown |= {"error_code": task.error_code, "error_message": task.error_message}
        case State.PENDING | State.RUNNING | State.CANCELLED:
            pass
    return shown
