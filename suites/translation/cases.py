"""The matrix: every client surface before every upstream dialect, whole and streamed, in every scenario."""

from collections.abc import Iterator
from typing import Final

from harness.case import CELL, MATRIX, Case, Client, Dialect, Outcome, Play, Surface
from suites.surfaces import OFFICIAL, OFFICIAL_ASYNC, TEXT
from suites.translation.requests import asked
from suites.translation.scenarios import CROSS_SECTION, REFUSED, SCENARIOS, By, Scenario

_SHORT: Final = {dialect: dialect.value.removeprefix("openai-") for dialect in Dialect}


def cell_id(scenario: str, surface: Surface, dialect: Dialect, *, stream: bool) -> str:
    return f"translation/{surface}-{_SHORT[dialect]}/{scenario}" + (".stream" if stream else "")


def _cell(scenario: Scenario, surface: Surface, dialect: Dialect, *, stream: bool) -> Case:
    dot = ".stream" if stream else ""
    native = surface is dialect.surface
    refused = (scenario.name, surface, dialect) in REFUSED
    fault = scenario.faults[stream] if scenario.faults else None
    forced = (scenario.forced or {}).get(dialect)
    play = Play(recording=scenario.answers[dialect] + dot, fault=fault, if_forced=forced + dot if forced else None)
    by = scenario.by[stream]
    return Case(
        id=cell_id(scenario.name, surface, dialect, stream=stream),
        surface=surface,
        upstream=dialect,
        play=None if refused else play,
        stream=stream,
        client=_client(by, surface),
        helper=by is By.HELPER and stream and surface is not Surface.GEMINI,
        request=_request(scenario, surface, stream=stream),
        outcome=Outcome.REFUSED if refused else scenario.outcome,
        traits=frozenset(
            {
                CELL,
                f"scenario-{scenario.name}",
                "request-known",
                *(() if native else ("translated",)),
                *(() if scenario.name in CROSS_SECTION else (MATRIX,)),
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


def _request(scenario: Scenario, surface: Surface, *, stream: bool) -> dict[str, object]:
    request = asked(scenario.name, surface)
    if surface is Surface.CHAT and not stream:
        request.pop("stream_options", None)
    return request


def _cases() -> Iterator[Case]:
    for surface in TEXT:
        for dialect in Dialect:
            for scenario in SCENARIOS:
                for stream in (False, True):
                    yield _cell(scenario, surface, dialect, stream=stream)


CASES: tuple[Case, ...] = tuple(_cases())
