"""The exchanges that recordings are made of: what is asked, and what a vendor answers to it.

`SCENARIOS` lists them, `by_id` finds one, `render` makes its recording in memory. A recording captured from the scripted vendor
has the same body, byte for byte.
"""

from functools import cache
from itertools import accumulate
from typing import Final

from harness.recording.format import (
    End,
    Fidelity,
    Origin,
    Provenance,
    Read,
    RecordedRequest,
    Recording,
)
from harness.recording.scenarios import cells, chat, gemini, images, media, messages, models, probes, responses, signed
from harness.recording.scenarios.scenario import Scenario
from harness.wire.json_text import TIGHT, write_bytes

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *chat.scenarios(),
    *responses.scenarios(),
    *messages.scenarios(),
    *gemini.scenarios(),
    *models.scenarios(),
    *images.scenarios(),
    *media.scenarios(),
    *probes.scenarios(),
    *signed.scenarios(),
    *cells.scenarios(),
)


@cache
def _index() -> dict[str, Scenario]:
    return {scenario.id: scenario for scenario in SCENARIOS}


def by_id(scenario_id: str) -> Scenario:
    """The scenario of that name. Raises KeyError for one that was never written."""
    return _index()[scenario_id]


def render(scenario: Scenario) -> Recording:
    """The scenario as a recording, with times as the scripted vendor would keep them and no network between."""
    body = b"" if scenario.sent is None else write_bytes(scenario.sent, TIGHT)
    times = accumulate([scenario.first_byte_ms] + [scenario.between_ms] * (len(scenario.pieces) - 1))
    return Recording(
        id=scenario.id,
        vendor=scenario.vendor,
        surface=scenario.surface,
        model=scenario.model or None,
        stream=scenario.stream,
        origin=Origin.SYNTHETIC,
        recorded_on=None,
        recorder="wireproof scenarios",
        fidelity=Fidelity.EXACT,
        provenance=Provenance.RECORDED,
        source=None,
        redactions=(),
        notes=(),
        request=RecordedRequest(
            method=scenario.method,
            path=scenario.path,
            headers=(("accept", "application/json"), *((("content-type", "application/json"),) if body else ())),
            body=body,
        ),
        status=scenario.status,
        headers=scenario.headers,
        reads=tuple(Read(at_ms=at, data=piece) for at, piece in zip(times, scenario.pieces, strict=True)),
        end=End.EOF,
    )
