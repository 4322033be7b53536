"""Videos, which tasks alone make: asked of the vendor, fetched from where it keeps them, and billed by the second, or not at all.

The vendor's own task ends after its first question. What every task promises, suites/tasks/laws.py asks of these, too.
"""

from typing import Any, Final

from harness.case import MARKER, Case, Fault, FaultKind, Key, Need, Play, Step, Surface
from harness.exchange import Exchange, Hop, StepSeen, value
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, in_books, shown
from suites.steps import at, failed, got, json_of, micro_usd, new_rows, unmet
from suites.tasks.laws import check_failed_free

_FEE_MICRO_USD: Final = 50_000  # contract:171
_SECONDS: Final = {"submit": 8, "shorter": 4}
_ASKED: Final = {"submit": "by-id", "shorter": "by-id-shorter"}


def _play(name: str, fault: Fault | None = None) -> Play:
    return Play(recording=f"media/ark-{name}", named=True, fault=fault)


_BEGUN: Final = _play("begun")
_FILE: Final = _play("file")
_GONE: Final = _play("file", Fault(kind=FaultKind.STATUS, status=404))


def _submit(name: str, *plays: Play, seconds: int = 8, **more: Any) -> Step:
    request = {"model": "{videos}", "params": {"prompt": f"A lighthouse, and the tide comes in. {MARKER}", "duration": seconds}}
    return Step(name=name, surface=Surface.OTHER, path="/v1/tasks/submit", request=request, plays=plays, **more)


def _query(name: str, of: str) -> Step:
    request = {"task_id": f"{{{of}:/task_id}}"}
    return Step(name=name, surface=Surface.OTHER, path="/v1/tasks/query", request=request, books=True)


def _watch(name: str, of: str) -> Step:
    return got(name, f"/v1/tasks/stream/{{{of}:/task_id}}")


def _case(name: str, *steps: Step) -> Case:
    return Case(
        id=f"tasks/{name}",
        surface=Surface.IMAGES,
        play=None,
        steps=steps,
        needs=frozenset({Need.VIDEOS}),
        traits=frozenset({"one-model", f"tasks-{name}"}),
        account=True,
    )


def _ending(name: str, *plays: Play) -> Case:
    return _case(name, _submit("submit", _BEGUN, *plays), _watch("watch", "submit"), _query("by-id", "submit"))


CASES: tuple[Case, ...] = (
    _case(
        "video",
        _submit("submit", _BEGUN, _play("made-8s"), _FILE, books=True),
        _submit("shorter", _BEGUN, _play("made-4s"), _FILE, seconds=4),
        _watch("watch", "submit"),
        _watch("watch-shorter", "shorter"),
        _query("by-id", "submit"),
        _query("by-id-shorter", "shorter"),
        got("fetched", "{by-id:/output/0/url}", key=Key.MISSING),
    ),
    _ending("video-failed", _play("failed")),
    _ending("video-blocked", _play("blocked")),
    _ending("video-lost", _play("made-8s"), _GONE),
    _case(
        "video-cancelled",
        _submit("submit", _BEGUN, _play("running")),
        Step(name="cancel", surface=Surface.OTHER, path="/v1/tasks/cancel/{submit:/task_id}", request={}),
        _watch("watch", "submit"),
        _query("by-id", "submit"),
    ),
)


ASKED = Requirement(
    id="tasks/video-asked",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("217, 171", "Submit {model, params, ...}; video: per second"),
    text="The vendor is asked once for each video, with the prompt, and for as many seconds as the caller wants.",
    claims=("contract:171", "contract:217"),
)
DELIVERED = Requirement(
    id="tasks/video-delivered",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("222, 211", "output[] only on completed; URL presigned, 24 h"),
    text="The link in a completed task's output leads to the vendor's video, byte for byte, as a video and without a key.",
    claims=("contract:211", "contract:222"),
)
BILLED = Requirement(
    id="tasks/video-billed-by-the-second",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("171", "Video: per second + $0.05 submit fee"),
    text="A video costs its seconds, each the same, and 0.05 USD besides; the wallet loses what the tasks show.",
    claims=("contract:171",),
)
LOST = Requirement(
    id="tasks/video-lost-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("159, 171", "an undeliverable asset URL counts as a failure; failed renders refunded in full"),
    text="A video that the vendor made and does not hand over makes the task fail, which costs nothing, the fee included.",
    claims=("contract:159", "contract:171"),
)


def _document(seen: StepSeen) -> dict[str, Any]:
    document = json_of(seen)
    return document if isinstance(document, dict) else {}


def _begun(seen: StepSeen) -> list[Hop]:
    return [hop for hop in seen.upstream if hop.request.method == "POST"]


def check_asked(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *_SECONDS)) is not None:
        return why
    findings = []
    for name, seconds in _SECONDS.items():
        seen = exchange.step(name)
        asked = _begun(seen)
        if len(asked) != 1:
            findings.append(Finding(step=name, side=Side.UPSTREAM, expected="one task of the vendor's", got=f"{len(asked)}"))
            continue
        found = asked[0].request.json
        body: dict[str, Any] = found if isinstance(found, dict) else {}
        content = body.get("content")
        texts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        if not any(isinstance(text, str) and "the tide comes in" in text for text in texts):
            findings.append(Finding(step=name, side=Side.UPSTREAM, expected="the prompt", got=shown(content), pointer="/content"))
        if body.get("duration") != seconds:
            told = shown(body.get("duration"))
            findings.append(Finding(step=name, side=Side.UPSTREAM, expected=f"{seconds} s", got=told, pointer="/duration"))
    return conclude(findings, "one task each, of 8 and of 4 seconds")


def check_delivered(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "submit", "watch", "by-id")) is not None:
        return why
    seen = exchange.step("submit")
    output = _document(exchange.step("by-id")).get("output")
    link = output[0].get("url") if isinstance(output, list) and output and isinstance(output[0], dict) else None
    if not isinstance(link, str) or not link:
        return conclude([at(exchange.step("by-id"), expected="a link", got=shown(output), pointer="/output/0/url")], "")
    answers = [hop.response for hop in seen.upstream if hop.response is not None]
    if any(link.encode() in answer.text for answer in answers):
        return Inconclusive("the link is the vendor's own")
    if (why := unmet(exchange, "fetched")) is not None:
        return why
    made = [answer.text for answer in answers if (value(answer.headers, "content-type") or "").startswith("video/")]
    fetched = exchange.step("fetched")
    kind = (value(fetched.answer.headers, "content-type") or "") if fetched.answer is not None else ""
    came = fetched.answer.text if fetched.answer is not None else b""
    findings = [] if kind.startswith("video/") else [at(fetched, expected="content-type video/…", got=shown(kind))]
    if not made or came != made[-1]:
        findings.append(at(fetched, expected=f"the vendor's {len(made[-1]) if made else 0} bytes", got=f"{len(came)} others"))
    return conclude(findings, f"{len(came)} bytes, without a key")


def check_billed(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *_ASKED, "watch", "watch-shorter", *_ASKED.values())) is not None:
        return why
    if exchange.account is None:
        return Inconclusive("the account was not read")
    shows = {name: _document(exchange.step(query)) for name, query in _ASKED.items()}
    unfinished = [document.get("status") for document in shows.values() if document.get("status") != "completed"]
    if unfinished:
        return Inconclusive(f"a task is {unfinished[0]}")
    longer, shorter = (micro_usd(shows[name].get("credits_used")) or 0 for name in ("submit", "shorter"))
    findings = []
    seconds = _SECONDS["submit"] - _SECONDS["shorter"]
    second, over = divmod(longer - shorter, seconds)
    fee = shorter - second * _SECONDS["shorter"]
    if second <= 0 or over or fee != _FEE_MICRO_USD:
        told = f"{longer} micro-USD for 8 s and {shorter} for 4 s"
        findings.append(in_books(f"seconds at one price, and {_FEE_MICRO_USD} micro-USD for each video", told))
    charged, rows = exchange.account.charged_micro_usd, sum(row.cost_micro_usd for row in new_rows(exchange).values())
    if not charged == rows == longer + shorter:
        findings.append(in_books(f"{longer + shorter} micro-USD, as the tasks show", f"{charged} taken, {rows} in the rows"))
    return conclude(findings, f"{second} micro-USD a second and {fee} a video")


def _on(name: str) -> Given:
    return Given(surfaces=frozenset({Surface.IMAGES}), steps=True, traits=frozenset({f"tasks-{name}"}))


RULES: tuple[Rule, ...] = (
    Rule(ASKED, check_asked, _on("video")),
    Rule(DELIVERED, check_delivered, _on("video")),
    Rule(BILLED, check_billed, _on("video")),
    Rule(LOST, check_failed_free, _on("video-lost")),
)
