"""Tasks from submission to end: completed, failed and cancelled, asked for again and by others."""

from typing import Any, Final

from harness.case import MARKER, Case, Fault, FaultKind, Need, Pace, Play, Step, Surface
from suites.steps import MADE, got, made, unmade

_ONE: Final = (Play(recording="images/one"),)
_SLOW: Final = (Play(recording="images/one", pace=Pace.RECORDED),)
# Silent till the gateway leaves: a busy machine has all the time it wants to cancel before there is an output.
_NEVER: Final = (Play(recording="images/one", fault=Fault(kind=FaultKind.STALL_BEFORE)),)
_FAILS: Final = (Play(recording="images/one", fault=Fault(kind=FaultKind.STATUS, status=500)),)


def _params(prompt: str, quality: str = "medium") -> dict[str, Any]:
    return {"prompt": f"A lighthouse at dusk. {prompt}", "n": 1, "size": "1024x1024", "quality": quality}


def _submit(name: str, plays: tuple[Play, ...], *, prompt: str = MARKER, out_task_id: str | None = None, **rest: Any) -> Step:
    request: dict[str, Any] = {"model": "{model}", "params": _params(prompt, rest.pop("quality", "medium"))}
    if out_task_id is not None:
        request["out_task_id"] = out_task_id
    return Step(name=name, surface=Surface.OTHER, path="/v1/tasks/submit", request=request, plays=plays, **rest)


def _query(name: str, request: dict[str, Any], **rest: Any) -> Step:
    return Step(name=name, surface=Surface.OTHER, path="/v1/tasks/query", request=request, **rest)


def _cancel(name: str, task_id: str, **rest: Any) -> Step:
    return Step(name=name, surface=Surface.OTHER, path=f"/v1/tasks/cancel/{task_id}", request={}, **rest)


def _case(name: str, *steps: Step, needs: frozenset[Need] = frozenset()) -> Case:
    return Case(
        id=f"tasks/{name}",
        surface=Surface.IMAGES,
        play=None,
        steps=steps,
        needs=needs,
        traits=frozenset({"one-model", f"tasks-{name}"}),
        account=True,
    )


_AGAIN: Final = {"prompt": "{marker:submit}", "out_task_id": "wp-{marker:submit}"}

CASES: tuple[Case, ...] = (
    _case(
        "completed",
        made(),
        _submit("submit", _SLOW, out_task_id=f"wp-{MARKER}", books=True),
        _submit("again", (), **_AGAIN, books=True),
        _submit("other-params", (), **_AGAIN, quality="high"),
        got("watch", "/v1/tasks/stream/{submit:/task_id}"),
        _query("by-id", {"task_id": "{submit:/task_id}"}, books=True),
        _query("by-own-id", {"out_task_id": "wp-{marker:submit}"}),
        _cancel("too-late", "{submit:/task_id}"),
        _query("by-both", {"task_id": "{submit:/task_id}", "out_task_id": "wp-{marker:submit}"}),
        _query("by-neither", {}),
        _query("by-another", {"task_id": "{submit:/task_id}"}, key_from=MADE),
        _query("unknown", {"task_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}),
        unmade(),
        needs=frozenset({Need.MANAGEMENT}),
    ),
    _case(
        "asked",
        _submit("submit", _ONE, out_task_id=f"wp-{MARKER}"),
        got("watch", "/v1/tasks/stream/{submit:/task_id}"),
        _query("by-id", {"task_id": "{submit:/task_id}"}, books=True),
        _query("by-own-id", {"out_task_id": "wp-{marker:submit}"}),
        _query("again", {"task_id": "{submit:/task_id}"}),
        _cancel("too-late", "{submit:/task_id}"),
    ),
    _case(
        "cancelled",
        _submit("submit", _NEVER, books=True),
        _cancel("cancel", "{submit:/task_id}"),
        got("watch", "/v1/tasks/stream/{submit:/task_id}"),
        _query("by-id", {"task_id": "{submit:/task_id}"}, books=True),
    ),
    _case(
        "failed",
        _submit("submit", _FAILS),
        got("watch", "/v1/tasks/stream/{submit:/task_id}"),
        _query("by-id", {"task_id": "{submit:/task_id}"}, books=True),
    ),
)
