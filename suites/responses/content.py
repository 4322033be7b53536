"""What a Responses answer says: status, items, texts, reasoning, citations and every other field, as the vendor sent them."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, Response, Seen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import conclude, contract_clause, first_difference, native_upstream, shown, shows
from suites.field_counts import same_fields, same_obfuscation
from suites.responses.reading import asked, client_answer, content_parts, events, items, objects, snapshots, text, upstream_answer
from suites.structured import all_obey

_BYTE_FOR_BYTE: Final = contract_clause(
    "1.5 OpenAI Responses", "SSE byte-for-byte OpenAI Responses events; GPT ids go to the upstream Responses API directly"
)
_OTHER_PROTOCOL: Final = Inconclusive("the upstream spoke another protocol, or did not answer")

STATUS_KEPT = Requirement(
    id="responses/content/status-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses",
        section="status",
        says="One of completed, failed, in_progress, cancelled, queued, or incomplete.",
    ),
    text="The answer's status is the vendor's, with its reason or error: what was cut is not completed.",
    claims=("contract:99", "contract:101"),
)
STATUS_EXPLAINED = Requirement(
    id="responses/content/status-explained",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses",
        section="incomplete_details, error",
        says="Details about why the response is incomplete. An error object returned when the model fails to generate a Response.",
    ),
    text="A whole answer that is incomplete gives a reason, one that failed an error, and one that is completed neither.",
    claims=("contract:101",),
)
ITEMS_KEPT = Requirement(
    id="responses/content/items-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses",
        section="output",
        says="The length and order of items in the output array is dependent on the model's response.",
    ),
    text="The client gets the vendor's output items in the vendor's order, each with its id, type, role, phase and status.",
    claims=("contract:99",),
    defects=("BerriAI/litellm#37946", "router-for-me/CLIProxyAPI#5753", "kortix-ai/suna#4099"),
)
TEXT_KEPT = Requirement(
    id="responses/content/text-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_BYTE_FOR_BYTE,
    text="The text of every message part is character for character the vendor's.",
    claims=("contract:102", "contract:104"),
)
REFUSAL_KEPT = Requirement(
    id="responses/content/refusal-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-python",
        section="ResponseOutputRefusal",
        says="refusal: The refusal explanation from the model. type: always refusal.",
    ),
    text="A refusal stays a part of type refusal, with the vendor's words.",
)
ANNOTATIONS_KEPT = Requirement(
    id="responses/content/annotations-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-python",
        section="ResponseOutputText, annotations",
        says="The annotations of the text output.",
    ),
    text="The citations of every text are the vendor's, with their places in it.",
    claims=("contract:90",),
)
REASONING_KEPT = Requirement(
    id="responses/content/reasoning-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-python", section="ResponseReasoningItem", says="summary: Reasoning summary content. content: Reasoning text content."
    ),
    text="Every reasoning item has the summary and the text that the vendor sent.",
    claims=("contract:99",),
    defects=("openai/openai-agents-python#1704",),
)
SEALED_KEPT = Requirement(
    id="responses/content/sealed-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-python",
        section="ResponseReasoningItem, encrypted_content",
        says="The encrypted content of the reasoning item.",
    ),
    text="Every encrypted_content is byte for byte the vendor's: the next turn has to send it back.",
    claims=("contract:103",),
    defects=("can1357/oh-my-pi#50", "maximhq/bifrost#5410"),
)
STRUCTURED = Requirement(
    id="responses/content/structured",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses",
        section="text",
        says="Configuration options for a text response from the model. Can be plain text or structured JSON data.",
    ),
    text="Where JSON was asked for, a completed message's text as it stands is JSON, and by the request's own schema if it gave one.",
    defects=("NousResearch/hermes-agent#39595", "pydantic/pydantic-ai#3475"),
)
NO_HELPER_FIELD = Requirement(
    id="responses/content/no-output-text",
    severity=Severity.COSMETIC,
    basis=Basis.OBSERVED,
    clause=Clause(source="wireproof-corpus", section="OpenAI responses", says="output_text (SDK helper) never on the wire"),
    text="No response object has an output_text: that field is the SDK's own.",
)
FIELDS_KEPT = Requirement(
    id="responses/content/fields-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_BYTE_FOR_BYTE,
    text="Every field that the vendor sent is there, and no other: null is not absent, and unknown fields and events pass.",
    claims=("contract:102", "contract:104"),
    defects=("lemonade-sdk/lemonade#3607",),
)
OBFUSCATION_KEPT = Requirement(
    id="responses/content/obfuscation-kept",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="openai-responses-streaming",
        section="stream_options.include_obfuscation",
        says="adds random characters to an obfuscation field on streaming delta events to normalize payload sizes as a mitigation"
        " to certain side-channel attacks",
    ),
    text="Each delta's obfuscation arrives as it was sent: it hides the length of what the delta says.",
)


def check_status_kept(exchange: Exchange) -> Verdict:
    sent, got = upstream_answer(exchange), client_answer(exchange)
    if not native_upstream(exchange) or sent is None:
        return Inconclusive("the vendor sent no response object")
    findings = [
        Finding(pointer=f"/{key}", expected=shown(sent.get(key)), got=shown((got or {}).get(key)))
        for key in ("status", "incomplete_details", "error")
        if sent.get(key) != (got or {}).get(key)
    ]
    return conclude(findings, f"status {sent.get('status')}, as the vendor sent it")


def check_status_explained(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    if answer is None:
        return Inconclusive("no response object reached the client")
    status, details = answer.get("status"), answer.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    findings = []
    if status in ("completed", "incomplete", "failed"):
        if (reason is not None) is not (status == "incomplete"):
            findings.append(
                Finding(pointer="/incomplete_details", expected="a reason" if status == "incomplete" else "null", got=shown(details))
            )
        if isinstance(answer.get("error"), dict) is not (status == "failed"):
            findings.append(
                Finding(pointer="/error", expected="an error" if status == "failed" else "null", got=shown(answer.get("error")))
            )
    return conclude(findings, f"status {status}, explained where it has to be")


_SHAPE: Final = ("type", "id", "status", "role", "phase")


def _shapes(answer: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return [(item.pointer, {key: item.value[key] for key in _SHAPE if key in item.value}) for item in items(answer)]


def _texts(answer: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return [(f"{pointer}/text", part.get("text")) for pointer, part in content_parts(answer) if part.get("type") == "output_text"]


def _refusals(answer: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return [(f"{pointer}/refusal", part.get("refusal")) for pointer, part in content_parts(answer) if part.get("type") == "refusal"]


def _annotations(answer: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return [(f"{pointer}/annotations", part["annotations"]) for pointer, part in content_parts(answer) if part.get("annotations")]


def _reasoning(answer: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return [
        (item.pointer, [[text(part.get("text")) for part in objects(item.value.get(key))] for key in ("summary", "content")])
        for item in items(answer)
        if item.type == "reasoning"
    ]


def _sealed(answer: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return [
        (f"{item.pointer}/encrypted_content", item.value["encrypted_content"])
        for item in items(answer)
        if item.value.get("encrypted_content")
    ]


Told = list[tuple[str, Any]]  # JSON pointers with what stands there


def _check_kept(what: str, of: Callable[[dict[str, Any] | None], Told], exchange: Exchange) -> Verdict:
    if not native_upstream(exchange):
        return _OTHER_PROTOCOL
    sent, got = of(upstream_answer(exchange)), of(client_answer(exchange))
    if not sent and not got:
        return Inconclusive(f"the vendor sent no {what}")
    findings = _differences(what, sent, got)
    if not findings and exchange.client.response is not None and exchange.client.response.is_sse:
        findings = _differences(what, *(_told_before(of, seen) for seen in (exchange.upstream_events, exchange.client_events)))
    return conclude(findings, f"{len(got)} {what} as the vendor sent them")


def _told_before(of: Callable[[dict[str, Any] | None], Told], seen: tuple[Seen, ...]) -> Told:
    """What the items of a stream say each time that one is told: when added, and when done."""
    found = [one.data["item"] for one in events(seen) if isinstance(one.data.get("item"), dict)]
    return of({"output": found})


def _differences(what: str, sent: Told, got: Told) -> list[Finding]:
    findings = []
    for place in range(max(len(sent), len(got))):
        pointer, wanted = sent[place] if place < len(sent) else (got[place][0], None)
        came = got[place][1] if place < len(got) else None
        if wanted != came:
            expected, other = first_difference(_spelled(wanted), _spelled(came))
            findings.append(Finding(pointer=pointer, expected=f"{what} {expected}", got=other))
    return findings


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


check_items_kept = partial(_check_kept, "items", _shapes)
check_text_kept = partial(_check_kept, "texts", _texts)
check_refusal_kept = partial(_check_kept, "refusals", _refusals)
check_annotations_kept = partial(_check_kept, "cited texts", _annotations)
check_reasoning_kept = partial(_check_kept, "reasoning items", _reasoning)
check_sealed_kept = partial(_check_kept, "sealed items", _sealed)


def _wanted_schema(wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON Schema that the client's answer must follow; None where it asked for no JSON."""
    settings = wanted.get("text")
    form = settings.get("format") if isinstance(settings, dict) else None
    if not isinstance(form, dict):
        return None
    if form.get("type") == "json_object":
        return {"type": "object"}
    schema = form.get("schema") if form.get("type") == "json_schema" else None
    return schema if isinstance(schema, dict) else None


def check_structured(exchange: Exchange) -> Verdict:
    schema = _wanted_schema(asked(exchange) or {})
    if schema is None:
        return Inconclusive("the client asked for no JSON, or what it asked was not recorded")
    answer = client_answer(exchange)
    finished = _texts(answer) if answer and answer.get("status") == "completed" else []
    return all_obey([(pointer, text(said)) for pointer, said in finished], schema)


def check_no_output_text(exchange: Exchange) -> Verdict:
    answer = client_answer(exchange)
    met = [seen.data["response"] for seen in snapshots(exchange.client_events)] or ([answer] if answer else [])
    findings = [
        Finding(pointer="/output_text", expected="no such field", got=shown(one["output_text"])) for one in met if "output_text" in one
    ]
    return conclude(findings, f"{len(met)} response objects without it") if met else Inconclusive("no response object reached the client")


def check_fields_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange):
        return _OTHER_PROTOCOL
    sent, got = _values(exchange.upstream[-1].response, exchange.upstream_events), _values(exchange.client.response, exchange.client_events)
    return same_fields(sent, got)


def _values(response: Response | None, seen: tuple[Seen, ...]) -> list[Any]:
    if response is None:
        return []
    return [one.data for one in events(seen)] if response.is_sse else [response.json]


def check_obfuscation_kept(exchange: Exchange) -> Verdict:
    if not native_upstream(exchange):
        return _OTHER_PROTOCOL
    return same_obfuscation([one.data for one in events(exchange.upstream_events)], [one.data for one in events(exchange.client_events)])


_RESPONSES: Final = frozenset({Surface.RESPONSES})
_ANY: Final = Given(surfaces=_RESPONSES)


def _showing(*traits: str) -> Given:
    return Given(surfaces=_RESPONSES, also=shows(*traits))


RULES: tuple[Rule, ...] = (
    Rule(STATUS_KEPT, check_status_kept, _ANY),
    Rule(STATUS_EXPLAINED, gateway_only(check_status_explained), Given(surfaces=_RESPONSES, stream=False)),
    Rule(ITEMS_KEPT, check_items_kept, Given(surfaces=_RESPONSES, without=frozenset({"failed"}))),
    Rule(TEXT_KEPT, check_text_kept, _showing("text")),
    Rule(REFUSAL_KEPT, check_refusal_kept, _showing("refusal")),
    Rule(ANNOTATIONS_KEPT, check_annotations_kept, _showing("citations")),
    Rule(REASONING_KEPT, check_reasoning_kept, _showing("thinking")),
    Rule(SEALED_KEPT, check_sealed_kept, _showing("thinking")),
    Rule(STRUCTURED, gateway_only(check_structured), _showing("structured")),
    Rule(NO_HELPER_FIELD, gateway_only(check_no_output_text), _ANY),
    Rule(FIELDS_KEPT, check_fields_kept, _ANY),
    Rule(OBFUSCATION_KEPT, check_obfuscation_kept, Given(surfaces=_RESPONSES, stream=True, also=shows("text", "functions"))),
)
