"""A recording as a case, and as an exchange with no gateway between.

The first lets the suites play any library of recordings through a gateway. The second is the false-alarm witness:
what a vendor really sent, judged as if it had come through a gateway that changes nothing, must pass everything.
"""

import json
from typing import Any

from harness.case import Case, Client, Outcome, Play, RecordingFacts, Route, Surface
from harness.exchange import End, Exchange, Hop, Request, Response
from harness.recording.format import End as RecordedEnd
from harness.recording.format import Recording
from harness.upstream.plan import with_content_type

SERVED = frozenset({Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI, Surface.MODELS, Surface.COUNT_TOKENS})


def facts(recording: Recording) -> RecordingFacts:
    return RecordingFacts(
        id=recording.id,
        vendor=recording.vendor,
        model=recording.model or "",
        origin=recording.origin,
        fidelity=recording.fidelity,
        provenance=recording.provenance,
    )


def case_for(recording: Recording) -> Case:
    """The recording's own request, sent by the raw client; its own answer, played as it was."""
    return Case(
        id=f"played/{recording.id}",
        surface=recording.surface,
        stream=recording.stream,
        client=Client.RAW,
        method=recording.request.method,
        play=Play(recording=recording.id),
        outcome=_outcome(recording),
        traits=traits(recording),
    )


def _outcome(recording: Recording) -> Outcome:
    """A 2xx whose end was not the vendor's own is an answer that breaks off, whoever broke it off."""
    if not 200 <= recording.status < 300:
        return Outcome.UPSTREAM_ERROR
    return Outcome.SUCCESS if recording.end is RecordedEnd.EOF else Outcome.UPSTREAM_BROKEN


def traits(recording: Recording) -> frozenset[str]:
    """What the recording can show, read from its request and its answer: the words that Given.traits uses.

    "played" marks it as not of our own making, so that no check expects what only our recordings are sure to have.
    """
    found = {"played"}
    found |= {f"vendor-{recording.vendor}", str(recording.fidelity), str(recording.provenance)}
    asked = _json(recording.request.body)
    if isinstance(asked, dict):
        found.add("request-known")
        if _asks_schema(asked):
            found.add("structured")
        if isinstance(asked.get("stream_options"), dict) and asked["stream_options"].get("include_usage"):
            found.add("usage-asked")
    return frozenset(found)


def without_gateway(recording: Recording, case: Case | None = None) -> Exchange:
    """The exchange in which client and vendor met with nothing between them."""
    case = case or case_for(recording)
    request = Request(
        method=recording.request.method, target=recording.request.path, headers=recording.request.headers, body=recording.request.body
    )
    response = Response(
        status=recording.status,
        headers=with_content_type(recording, recording.headers),
        reads=recording.reads,
        end=End.EOF if recording.end is RecordedEnd.EOF else End.RESET,
    )
    hop = Hop(request=request, response=response)
    return Exchange(
        id=f"{case.id}-{recording.model}",
        case=case,
        model=recording.model or "",
        route=Route.NATIVE,
        marker="",
        client=hop,
        upstream=(hop,),
        recording=facts(recording),
        promises={"no_gateway": True},
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _asks_schema(asked: dict[str, Any]) -> bool:
    """Whether the client asked for JSON by a schema, in any of the four protocols' ways."""
    generation = asked.get("generationConfig")
    places = (
        asked.get("response_format"),
        asked.get("text", {}).get("format") if isinstance(asked.get("text"), dict) else None,
        asked.get("output_config", {}).get("format") if isinstance(asked.get("output_config"), dict) else None,
        {"type": "json_schema"} if isinstance(generation, dict) and {"responseSchema", "responseJsonSchema"} & generation.keys() else None,
    )
    return any(isinstance(place, dict) and place.get("type") == "json_schema" for place in places)
