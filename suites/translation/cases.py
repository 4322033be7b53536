"""The matrix: every client surface before every upstream dialect, whole and streamed, in every scenario."""

from collections.abc import Iterator
from typing import Final

from harness.case import CELL, MATRIX, Case, Client, Dialect, Outcome, Pace, Play, Step, Surface
from suites.surfaces import OFFICIAL, OFFICIAL_ASYNC, TEXT
from suites.translation.requests import asked
from suites.translation.scenarios import REFUSED, SCENARIOS, By, Scenario, cross_section

_TOLD_BOTH_WAYS: Final = "thinking-tools"  # it says most: a thought, a text, a call, and counts of each class
_SHORT: Final = {dialect: dialect.value.removeprefix("openai-") for dialect in Dialect}


def cell_id(scenario: str, surface: Surface, dialect: Dialect, *, stream: bool) -> str:
    return f"translation/{surface}-{_SHORT[dialect]}/{scenario}" + (".stream" if stream else "")


def _cell(scenario: Scenario, surface: Surface, dialect: Dialect, *, stream: bool) -> Case:
    dot = ".stream" if stream else ""
    native = surface is dialect.surface
    refused = (scenario.name, surface, dialect) in REFUSED
    fault = scenario.faults[stream] if scenario.faults else None
    forced = (scenario.forced or {}).get(dialect)
    play = Play(
        recording=scenario.answers[dialect] + dot,
        # All at once, an answer that breaks off would be read to its break before the client is told anything.
        pace=Pace.RECORDED if stream and scenario.outcome is Outcome.UPSTREAM_BROKEN else Pace.BURST,
        fault=fault,
        if_forced=forced + dot if forced else None,
    )
    by = scenario.by[stream]
    return Case(
        id=cell_id(scenario.name, surface, dialect, stream=stream),
        surface=surface,
        upstream=dialect,
        play=None if refused else play,
        stream=stream,
        client=_client(by, surface),
        helper=by is By.HELPER and stream and surface is not Surface.GEMINI,
        request=_request(scenario.name, surface, stream=stream),
        outcome=Outcome.REFUSED if refused else scenario.outcome,
        traits=frozenset(
            {
                CELL,
                f"scenario-{scenario.name}",
                "request-known",
                *(() if native else ("translated",)),
                *(() if not native and (scenario.name, stream) == cross_section(surface, dialect) else (MATRIX,)),
                *(("unsupported",) if refused else scenario.traits),
                *((f"fault-{fault.kind}",) if fault else ()),
                *(("usage-asked",) if surface is Surface.CHAT and stream else ()),
                *(("exact",) if native else ()),
                *(("vendor-deepseek",) if native and dialect is Dialect.DEEPSEEK_CHAT else ()),
                *(("incomplete",) if scenario.name == "length" else ()),
            }
        ),
    )


def _client(by: By, surface: Surface) -> Client:
    match by:
        case By.RAW:
            return Client.RAW
        case By.ASYNC:
            return OFFICIAL_ASYNC[surface]
        case _:
            return OFFICIAL[surface]


def _request(name: str, surface: Surface, *, stream: bool) -> dict[str, object]:
    request = asked(name, surface)
    if surface is Surface.CHAT and not stream:
        request.pop("stream_options", None)
    return request


def _both_ways(surface: Surface, dialect: Dialect) -> Case:
    """One answer, asked for whole and then as a stream, and compared with itself."""
    recording = next(scenario for scenario in SCENARIOS if scenario.name == _TOLD_BOTH_WAYS).answers[dialect]
    return Case(
        id=cell_id("both-ways", surface, dialect, stream=False),
        surface=surface,
        upstream=dialect,
        play=None,
        steps=tuple(
            Step(
                name="stream" if stream else "whole",
                surface=surface,
                request=asked(_TOLD_BOTH_WAYS, surface) if stream else _request(_TOLD_BOTH_WAYS, surface, stream=False),
                stream=stream,
                plays=(Play(recording=recording + (".stream" if stream else "")),),
            )
            for stream in (False, True)
        ),
        traits=frozenset({CELL, MATRIX, "both-ways", "translated", "scenario-both-ways"}),
    )


def _cases() -> Iterator[Case]:
    for surface in TEXT:
        for dialect in Dialect:
            if surface is not dialect.surface:
                yield _both_ways(surface, dialect)
            for scenario in SCENARIOS:
                for stream in (False, True):
                    yield _cell(scenario, surface, dialect, stream=stream)


CASES: tuple[Case, ...] = tuple(_cases())
