"""Plans to scenarios: what the four surfaces have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.recording.format import Headers, Surface
from harness.recording.scenarios import errors
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, CustomCall, Part, Refusal, Scenario, Text, Thinking, Usage

BOTH: Final = (False, True)
STREAM_ONLY: Final = (True,)
WHOLE_ONLY: Final = (False,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One scenario in up to two forms: a whole answer and a stream."""

    name: str
    request: Mapping[str, Any]
    answer: Answer
    traits: frozenset[str]
    model: str
    streams: tuple[bool, ...] = BOTH
    live: bool = True
    between_ms: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a surface is served and by whom."""

    prefix: str  # of the ids
    surface: Surface
    vendor: str

    def path(self, model: str, *, stream: bool) -> str:
        match self.surface:
            case Surface.CHAT:
                return "/chat/completions" if self.vendor == "deepseek" else "/v1/chat/completions"
            case Surface.RESPONSES:
                return "/v1/responses"
            case Surface.MESSAGES:
                return "/v1/messages"
            case Surface.GEMINI:
                return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
        raise ValueError(f"no path is known for {self.surface}: build such a scenario by hand")

    def scenario_id(self, name: str, *, stream: bool) -> str:
        return f"{self.prefix}/{name}" + (".stream" if stream else "")

    def scenario(self, plan: Plan, pieces: Iterable[bytes], *, stream: bool) -> Scenario:
        scenario_id = self.scenario_id(plan.name, stream=stream)
        return Scenario(
            id=scenario_id,
            surface=self.surface,
            vendor=self.vendor,
            model=plan.model,
            stream=stream,
            method="POST",
            path=self.path(plan.model, stream=stream),
            request=plan.request,
            traits=plan.traits | ({"stream"} if stream else set()),
            status=200,
            headers=headers(self.vendor, self.surface, Names(f"{scenario_id}/headers"), status=200, stream=stream),
            pieces=tuple(pieces),
            answer=plan.answer,
            live=plan.live,
            first_byte_ms=150 + Names(scenario_id).number(250),
            between_ms=plan.between_ms,
        )

    def failures(self, model: str, requests: Mapping[int, Mapping[str, Any]]) -> Iterable[Scenario]:
        """Every error status, asked for as a stream and not: before the stream both are one JSON body. `requests` by status."""
        for failure in errors.failures(self.surface):
            asked = errors.UNKNOWN_MODEL if failure.status == 404 and self.surface is not Surface.RESPONSES else model
            for stream in BOTH:
                scenario_id = self.scenario_id(f"error-{failure.status}", stream=stream)
                plain = headers(self.vendor, self.surface, Names(f"{scenario_id}/headers"), status=failure.status, stream=stream)
                yield Scenario(
                    id=scenario_id,
                    surface=self.surface,
                    vendor=self.vendor,
                    model=asked,
                    stream=stream,
                    method="POST",
                    path=self.path(asked, stream=stream),
                    request=requests[failure.status],
                    traits=frozenset({"error", f"status-{failure.status}"} | ({"stream"} if stream else set())),
                    status=failure.status,
                    headers=with_headers(plain, failure.headers),
                    pieces=(errors.body(self.surface, failure, Names(scenario_id)),),
                    live=failure.live,
                    first_byte_ms=150 + Names(scenario_id).number(60),
                )


def with_headers(plain: Headers, more: Headers) -> Headers:
    """`more` in the place of the headers of the same name, the new ones behind."""
    wanted = dict(more)
    kept = tuple((name, wanted.pop(name, value)) for name, value in plain)
    return (*kept, *wanted.items())


def said(
    *parts: Part,
    stop: str,
    prompt: int = 24,
    cached: int = 0,
    written_5m: int = 0,
    written_1h: int = 0,
    reasoning: int = 0,
    stop_sequence: str | None = None,
) -> Answer:
    """An answer of one choice, its output tokens counted at about four characters each."""
    output = sum(_size(part) for part in parts) // 4 + reasoning + 2
    usage = Usage(prompt=prompt, output=output, cached=cached, written_5m=written_5m, written_1h=written_1h, reasoning=reasoning)
    return Answer(choices=(parts,), stop=stop, usage=usage, stop_sequence=stop_sequence)


def traits(*names: str) -> frozenset[str]:
    return frozenset(names)


def _size(part: Part) -> int:
    match part:
        case Text(text=text) | Refusal(text=text):
            return len(text)
        case Call(name=name, arguments=text) | CustomCall(name=name, input=text):
            return len(name) + len(text)
        case Thinking():
            return 0  # counted as reasoning
        case _:
            return 12
