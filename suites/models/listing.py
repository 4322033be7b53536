"""The model list: what a key can call, in the dialect of whoever asks."""

from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, value
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.schema import findings as schema_findings
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown

_NO_LIST: Final = Inconclusive("no model list reached the client")
_OWN_FIELDS: Final = ("owned_by", "family", "capabilities", "context_window", "max_output_tokens", "input_modalities", "output_modalities")


SHAPE = Requirement(
    id="models/shape",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(source="openai-models", section="List models", says="object list, data: an array of models"),
    text="The list has the shape that the caller's family of clients reads: OpenAI's, Anthropic's or Google's.",
    claims=("contract:11", "contract:57"),
)
UNIQUE = Requirement(
    id="models/ids-unique",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-models", section="The model object, id", says="The model identifier, which can be referenced in the API"),
    text="Each model is listed once, by an id that can be called: no patterns.",
    claims=("contract:49", "contract:60"),
    defects=("langwatch/langwatch#5941",),
)
CALLABLE = Requirement(
    id="models/lists-what-works",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("60", "The list contains only models the key can call; anything absent is rejected when called."),
    text="The model that the key calls in this run is on its list, in every dialect.",
    claims=("contract:45", "contract:60"),
)
OWN_GROUP = Requirement(
    id="models/only-own-group",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("60", "The list contains only models the key can call"),
    text="A key of another group does not see a model that it cannot call.",
    claims=("contract:42", "contract:46", "contract:60"),
    defects=("maximhq/bifrost#6657",),
)
FIELDS = Requirement(
    id="models/contract-fields",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("57", "id, object, owned_by, family, capabilities[], context_window, max_output_tokens, modalities, created"),
    text="Each model of the OpenAI list says its family, what it can do and how much it holds.",
    claims=("contract:57", "contract:59", "contract:62"),
)
SDK_READS = Requirement(
    id="models/sdk-reads",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="models.list", says="iterates over the models of the page"),
    text="The official SDK's list has the ids that stand in the body, in order.",
    claims=("contract:5", "contract:11"),
)


def _family(exchange: Exchange) -> str:
    asked = exchange.client.request
    if asked.path.startswith("/v1beta") or any(value(asked.headers, name) for name in ("x-goog-api-key", "x-goog-api-client")):
        return "gemini"
    return "anthropic" if value(asked.headers, "anthropic-version") is not None else "openai"


def _ids(family: str, body: Any) -> list[str] | None:
    entries = body.get("models" if family == "gemini" else "data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        return None
    names = [entry.get("name" if family == "gemini" else "id") for entry in entries if isinstance(entry, dict)]
    return [name.removeprefix("models/") for name in names if isinstance(name, str)]


def _listed(exchange: Exchange) -> list[str] | None:
    response = exchange.client.response
    return _ids(_family(exchange), response.json) if response is not None and response.ok else None


def check_shape(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return _NO_LIST
    family = _family(exchange)
    if not response.ok:
        return conclude([Finding(expected="status 200", got=f"status {response.status}")], "")
    wrong = [
        Finding(expected=each.expected, got=each.got, pointer=each.pointer)
        for each in schema_findings(f"models/{family}-list", response.json)
    ]
    return conclude(wrong, f"{len(_listed(exchange) or ())} models in {family}'s form")


def check_unique(exchange: Exchange) -> Verdict:
    ids = _listed(exchange)
    if not ids:
        return _NO_LIST
    findings = [Finding(expected="each id once", got=f"{name} twice") for name in sorted({name for name in ids if ids.count(name) > 1})]
    findings += [Finding(expected="an id that can be called", got=shown(name)) for name in ids if not name.strip() or "*" in name]
    return conclude(findings, f"{len(ids)} ids")


def check_callable(exchange: Exchange) -> Verdict:
    ids = _listed(exchange)
    if ids is None:
        return _NO_LIST
    return conclude(
        [] if exchange.model in ids else [Finding(expected=exchange.model, got=shown(ids))], f"{exchange.model} among {len(ids)}"
    )


def check_own_group(exchange: Exchange) -> Verdict:
    ids = _listed(exchange)
    if ids is None or value(exchange.client.request.headers, "authorization") is None:
        return Inconclusive("no list for a key of another group")
    wrong = [Finding(expected=f"no {exchange.model}", got=shown(ids))] if exchange.model in ids else []
    return conclude(wrong, f"{shown(ids)}, without {exchange.model}")


def check_fields(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not response.ok or _family(exchange) != "openai" or not _listed(exchange):
        return _NO_LIST
    findings = [
        Finding(expected=f"the key {name}", got="an object without it", pointer=f"/data/{place}")
        for place, entry in enumerate(response.json["data"])
        for name in _OWN_FIELDS
        if isinstance(entry, dict) and name not in entry
    ]
    return conclude(findings, f"{len(_OWN_FIELDS)} fields of {len(response.json['data'])} models")


def check_sdk_reads(exchange: Exchange) -> Verdict:
    response, reading = exchange.client.response, exchange.sdk
    if response is None or not response.ok or reading is None:
        return _NO_LIST
    if reading.error is not None:
        return conclude([Finding(side=Side.SDK, expected="no exception", got=f"{reading.error.type}: {reading.error.message}"[:200])], "")
    read = _ids("openai", reading.final) or _ids("gemini", reading.final)
    if not read:
        return conclude([Finding(side=Side.SDK, expected="a list of models", got=shown(reading.final))], "")
    ids = _listed(exchange)
    return conclude([] if read == ids else [Finding(side=Side.SDK, expected=shown(ids), got=shown(read))], f"{len(read)} ids")


def _given(trait: str, *, sdk: bool | None = None) -> Given:
    return Given(surfaces=frozenset({Surface.MODELS}), traits=frozenset({trait}), sdk=sdk)


RULES: tuple[Rule, ...] = (
    Rule(SHAPE, check_shape, _given("list")),
    Rule(UNIQUE, check_unique, _given("list")),
    Rule(CALLABLE, check_callable, _given("list")),
    Rule(OWN_GROUP, check_own_group, _given("narrow")),
    Rule(FIELDS, check_fields, _given("list", sdk=False)),
    Rule(SDK_READS, check_sdk_reads, _given("list", sdk=True)),
)
