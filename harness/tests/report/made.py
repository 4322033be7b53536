"""A run made by hand, with every standing in it, and traffic that would like to be markup."""

from pathlib import Path
from typing import Final

from harness.case import Case, Client, Play, RecordingFacts, Route, Surface
from harness.exchange import End, Exchange, Hop, Read, Request, Response
from harness.judged import Expected, ExpectedKind, Judged
from harness.requirement import Basis, Clause, Requirement, Severity
from harness.runfile import Run, RunHeader, RunWriter, TargetFacts, read_run
from harness.verdict import Errored, Failed, Finding, Inconclusive, NotApplicable, Passed, Side, Verdict

SECRET: Final = "sk-byts-Zq81kWQ09wLmN4tYpB7v"
HOSTILE: Final = '</script><img src=x onerror="alert(1)">\x1b[31m|`**\u202egnp.exe\ud800 &lt; \x00'
MODELS: Final = ("gpt-5-4", "claude-opus-4-7", "gemini-3-pro", "deepseek-v4")
_SURFACES: Final = {
    "gpt-5-4": ("chat", "responses"),
    "claude-opus-4-7": ("messages", "chat"),
    "gemini-3-pro": ("gemini", "chat"),
    "deepseek-v4": ("chat", "messages"),
}
_FEATURES: Final = ("framing", "stream", "tools", "usage", "errors", "native")
_RULES: Final = (
    ("terminal-event", "The stream ends in its protocol's terminal event.", Severity.BREAKS_SDK),
    ("order-kept", "Events reach the client in the order in which the vendor sent them.", Severity.SILENT_WRONG),
    ("nothing-added", "The gateway adds no field that the vendor did not send.", Severity.COSMETIC),
    ("never-billed-twice", "One answer is billed once.", Severity.COST),
    ("no-key-in-body", "No credential stands in any body.", Severity.SECURITY),
)
_CASES: Final = ("text.stream", "parallel-tools.stream", "thinking.stream", "refusal", "cached-prompt")
BODY: Final = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01","content":[]}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\xc3\xbc"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def run(folder: Path, *, green: bool = False, complete: bool = True, models: tuple[str, ...] = MODELS, repeat: int = 1) -> Run:
    """Written and read again. `repeat` multiplies the cases."""
    path = folder / "run.jsonl"
    asked = [
        (model, surface, feature, rule, case)
        for model in models
        for surface in _SURFACES.get(model, ("messages",))
        for feature in _FEATURES
        for rule in _RULES
        for case in (f"{name}{number or ''}" for number in range(repeat) for name in _CASES)
    ]
    header = RunHeader(
        started="2026-11-21T21:40:00+00:00",
        wireproof="0.1.0",
        target=TargetFacts(name="reference gateway" if green else "staging <gateway>", base_url="http://127.0.0.1:9000"),
        sdks={"openai": "3.54.0", "anthropic": "2.12.0", "google-genai": "3.4.0"},
        selected=len(asked),
        models=models,
        command=("pytest", "suites", f"--api-key={SECRET}"),
    )
    written: set[str] = set()
    with RunWriter(path, header, secrets=[SECRET]) as writer:
        writer.calls_made, writer.tokens, writer.spent_micro_usd = 1_204, 48_113, 91_250
        for number, (model, surface, feature, rule, case) in enumerate(asked):
            verdict, expected = (
                (Passed("12 frames, each as the vendor sent it"), None) if green else _verdict(number, model, feature, rule[0], case)
            )
            if verdict is None:
                continue
            exchange = f"{surface}/{case}-{model}"
            if exchange not in written:
                written.add(exchange)
                writer.exchange(_exchange(exchange, Surface(surface), f"{surface}/{case}", model, number))
            requirement = _requirement(surface, feature, *rule)
            judged = Judged(
                requirement=requirement.id,
                severity=requirement.severity,
                case=f"{surface}/{case}",
                surface=Surface(surface),
                model=model,
                verdict=verdict,
                exchange=None if isinstance(verdict, NotApplicable) else exchange,
                expected=expected,
            )
            writer.verdict(requirement, judged)
        writer.close(complete=complete)
    return read_run(path)


def _requirement(surface: str, feature: str, name: str, text: str, severity: Severity) -> Requirement:
    return Requirement(
        id=f"{surface}/{feature}/{name}",
        severity=severity,
        basis=Basis.DOCUMENTED,
        clause=Clause(source="anthropic-messages-streaming", section="Event types", says="each block has a start, deltas and a stop"),
        text=text,
        claims=("contract:141",),
    )


def _verdict(number: int, model: str, feature: str, rule: str, case: str) -> tuple[Verdict | None, Expected | None]:
    known = Expected(
        kind=ExpectedKind.FAILURE,
        reason="blocks interleave when two tools run",
        link="https://example.test/issues/12",
        expires="2027-01-31",
    )
    finding = Finding(expected="open block 0", got="block 1", frame=2, offset=BODY.index(b"event: content_block_delta"), pointer="/index")
    match model, feature, rule:
        case "gemini-3-pro", "usage", _:
            return None, None  # not tested
        case "claude-opus-4-7", "stream", "order-kept" if case.startswith(("parallel", "text")):
            return Failed(finding, Finding(expected=HOSTILE, got=f"{SECRET} " + HOSTILE * 3, frame=3)), None
        case _, "errors", "no-key-in-body" if case == "refusal":
            return Failed(Finding(expected="no key", got=f"key {SECRET} at the end", side=Side.UPSTREAM, offset=12)), None
        case "deepseek-v4", "tools", "order-kept":
            return Failed(finding), known
        case "deepseek-v4", "tools", "terminal-event" if case == "refusal":
            return Passed("message_stop, then EOF"), known
        case "gpt-5-4", "tools", "nothing-added":
            return Failed(finding), Expected(kind=ExpectedKind.FLAKE, reason="once in fifty")
        case "gpt-5-4", "native", "never-billed-twice" if case == "refusal":
            return Errored(f"the check raised KeyError: {HOSTILE}"), None
        case "claude-opus-4-7", "native", _:
            return NotApplicable("prepaid elsewhere"), None
        case _, "framing", "nothing-added":
            return Inconclusive("no comment reached the client"), None
    return Passed(f"{number % 7 + 3} frames, each as the vendor sent it"), None


def _exchange(id_: str, surface: Surface, case: str, model: str, number: int) -> Exchange:
    hop = Hop(
        request=Request(
            method="POST",
            target="/v1/messages",
            headers=(("x-api-key", SECRET),),
            body=b'{"model": "m", "key": "' + SECRET.encode() + b'"}',
        ),
        response=Response(
            status=200,
            headers=(("content-type", "text/event-stream"),),
            reads=(Read(at_ms=3, data=BODY[:90]), Read(at_ms=5, data=BODY[90:])),
            end=End.EOF,
        ),
    )
    return Exchange(
        id=id_,
        case=Case(id=case, surface=surface, play=Play(recording=case), stream=True, client=Client.RAW),
        model=model,
        route=Route.NATIVE,
        marker="m",
        client=hop,
        upstream=(hop,),
        recording=RecordingFacts(
            id=case, vendor="v", model=model, origin="captured" if number % 4 == 0 else "synthetic", fidelity="exact", provenance="recorded"
        ),
    )
