"""What the lists of models, prices and groups say, and that they agree with each other."""

from typing import Any, Final

from harness.case import Case, Need, Surface
from harness.exchange import Exchange, StepSeen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Inconclusive, Verdict
from suites.evidence import conclude, contract_clause, shown
from suites.steps import at, failed, got, json_of, status, unmet

_FIELDS: Final = (
    "id",
    "object",
    "created",
    "owned_by",
    "family",
    "capabilities",
    "context_window",
    "max_output_tokens",
    "input_modalities",
    "output_modalities",
    "pricing_url",
)
_TAGS: Final = frozenset(
    [
        "text",
        "vision",
        "audio",
        "video",
        "tool_use",
        "streaming",
        "cache_control",
        "thinking",
        "json_schema",
        "logprobs",
        "image_gen",
        "video_gen",
    ]
)
_RATES: Final = ("input_per_1m", "output_per_1m", "cache_read_per_1m", "cache_write_per_1m")
_WANTED: Final = ("vision", "tool_use")


ITEM = Requirement(
    id="models/item-fields",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("57, 59", "id, object, owned_by, family, capabilities, context_window, modalities, pricing_url, created; tags"),
    text="Each model has all fields of the catalogue, and only capability tags that the catalogue knows.",
    claims=("contract:057", "contract:059"),
)
FILTERED = Requirement(
    id="models/filters",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("58, C13", "?capability= (repeatable, AND) and ?family= (the value of the family field, also owned_by)"),
    text="The list can be narrowed to a family and to models that can do several things at once.",
    claims=("contract:058",),
)
CARD = Requirement(
    id="models/card",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-models", section="Retrieve model", says="Retrieves a model instance"),
    text="A single model is answered as it stands in the list, and one that is not there with 404.",
    claims=("contract:011", "contract:060"),
)
PRICED = Requirement(
    id="models/priced",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "62, C29", "/api/pricing: model, category, vendor, rates by token class, currency, updated_at; no prices in the list"
    ),
    text="Every listed model has its prices, by token class or by image, and the list itself has none.",
    claims=("contract:062", "contract:165"),
)
AVAILABLE = Requirement(
    id="models/available",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("40, 63", "me/available-models; protocols_aggregate lists protocols and marks translated ones with :translated"),
    text="The models that an account can reach say over which protocols, translated ones marked, and hold all that the key lists.",
    claims=("contract:040", "contract:063"),
)
GROUPS = Requirement(
    id="models/groups",
    severity=Severity.COSMETIC,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("40", "GET /api/v1/groups/available lists what an account can bind to"),
    text="The groups that a key can be bound to are listed by id, and the key's own models are those of one of them.",
    claims=("contract:040", "contract:044"),
)

CASES: tuple[Case, ...] = (
    Case(
        id="models/catalogue",
        surface=Surface.MODELS,
        play=None,
        steps=(
            got("all", "/v1/models"),
            got("able", "/v1/models?" + "&".join(f"capability={name}" for name in _WANTED)),
            got("family", "/v1/models?family={all:/data/0/family}"),
            got("owner", "/v1/models?family={all:/data/0/owned_by}"),
            got("card", "/v1/models/{all:/data/0/id}"),
            got("no-card", "/v1/models/no-such-model-9-9"),
            got("priced", "/api/pricing"),
            got("available", "/api/v1/me/available-models"),
            got("groups", "/api/v1/groups/available"),
        ),
        needs=frozenset({Need.DIALECT}),
        traits=frozenset({"catalogue"}),
    ),
)


def _entries(seen: StepSeen) -> list[dict[str, Any]]:
    document = json_of(seen)
    data = document.get("data") if isinstance(document, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def _ids(seen: StepSeen, name: str = "id") -> list[str]:
    return [entry[name] for entry in _entries(seen) if isinstance(entry.get(name), str)]


def _listed(exchange: Exchange, *names: str) -> Inconclusive | None:
    if (why := failed(exchange, "all", *names)) is not None:
        return why
    return None if _entries(exchange.step("all")) else Inconclusive("no model is listed")


def check_item(exchange: Exchange) -> Verdict:
    if (why := _listed(exchange)) is not None:
        return why
    seen = exchange.step("all")
    findings = []
    for place, entry in enumerate(_entries(seen)):
        findings += [at(seen, expected=f"the key {name}", got="none", pointer=f"/data/{place}") for name in _FIELDS if name not in entry]
        unknown = sorted(set(map(str, entry.get("capabilities") or ())) - _TAGS)
        findings += [at(seen, expected="a known tag", got=shown(tag), pointer=f"/data/{place}/capabilities") for tag in unknown]
    return conclude(findings, f"{len(_entries(seen))} models")


def check_filtered(exchange: Exchange) -> Verdict:
    if (why := _listed(exchange)) is not None:
        return why
    if (why := unmet(exchange, "able", "family", "owner")) is not None:
        return why
    models = _entries(exchange.step("all"))
    first = models[0]
    wanted = {
        "able": [model.get("id") for model in models if set(_WANTED) <= set(model.get("capabilities") or ())],
        "family": [model.get("id") for model in models if first.get("family") in (model.get("family"), model.get("owned_by"))],
        "owner": [model.get("id") for model in models if first.get("owned_by") in (model.get("family"), model.get("owned_by"))],
    }
    findings = [
        at(exchange.step(name), expected=shown(ids), got=shown(_ids(exchange.step(name))), pointer="/data")
        for name, ids in wanted.items()
        if sorted(map(str, ids)) != sorted(_ids(exchange.step(name)))
    ]
    return conclude(findings, f"{len(wanted['able'])} able, {len(wanted['family'])} of the family, of {len(models)}")


def check_card(exchange: Exchange) -> Verdict:
    if (why := _listed(exchange)) is not None:
        return why
    if (why := unmet(exchange, "card", "no-card")) is not None:
        return why
    first, card = _entries(exchange.step("all"))[0], exchange.step("card")
    findings = [*status(card, 200), *status(exchange.step("no-card"), 404)]
    if not findings and json_of(card) != first:
        findings.append(at(card, expected=shown(first), got=shown(json_of(card))))
    return conclude(findings, f"{first.get('id')} as in the list")


def check_priced(exchange: Exchange) -> Verdict:
    if (why := _listed(exchange, "priced")) is not None:
        return why
    seen = exchange.step("priced")
    table = {entry.get("model"): entry for entry in _entries(seen)}
    findings = []
    for place, model in enumerate(_entries(exchange.step("all"))):
        if priced := sorted(name for name in model if name in ("rates", "prices", "pricing")):
            findings.append(at(exchange.step("all"), expected="no prices in the list", got=shown(priced), pointer=f"/data/{place}"))
        entry = table.get(model.get("id"))
        if entry is None:
            findings.append(at(seen, expected=f"the prices of {model.get('id')}", got="none", pointer="/data"))
            continue
        rates = entry.get("rates")
        by_token = isinstance(rates, dict) and all(isinstance(rates.get(name), (int, float)) for name in _RATES)
        if not isinstance(rates, dict) or not (by_token or any("image" in name for name in rates)) or not rates.get("currency"):
            findings.append(at(seen, expected=f"rates by class of {model.get('id')}, and their currency", got=shown(rates)))
        missing = [name for name in ("category", "vendor", "updated_at") if not entry.get(name)]
        findings += [at(seen, expected=f"{name} of {model.get('id')}", got=shown(entry)) for name in missing]
    return conclude(findings, f"{len(table)} models priced")


def check_available(exchange: Exchange) -> Verdict:
    if (why := _listed(exchange, "available")) is not None:
        return why
    seen = exchange.step("available")
    entries = {entry.get("id"): entry for entry in _entries(seen)}
    findings = [
        at(seen, expected=f"{name}, which the key lists", got="none", pointer="/data")
        for name in _ids(exchange.step("all"))
        if name not in entries
    ]
    for place, entry in enumerate(_entries(seen)):
        protocols = entry.get("protocols_aggregate")
        names = protocols if isinstance(protocols, list) else []
        if not names or not all(isinstance(name, str) and name.partition(":")[2] in ("", "translated") for name in names):
            findings.append(at(seen, expected="protocols, some :translated", got=shown(protocols), pointer=f"/data/{place}"))
    return conclude(findings, f"{len(entries)} models")


def check_groups(exchange: Exchange) -> Verdict:
    if (why := _listed(exchange, "groups")) is not None:
        return why
    seen = exchange.step("groups")
    groups = _entries(seen)
    findings = [] if _ids(seen) and len(_ids(seen)) == len(groups) else [at(seen, expected="groups with ids", got=shown(json_of(seen)))]
    own = sorted(_ids(exchange.step("all")))
    reaches = [sorted(map(str, group.get("models") or ())) for group in groups]
    if not findings and not any(set(own) <= set(reach) for reach in reaches):
        findings.append(at(seen, expected=f"a group with {shown(own)}", got=shown(reaches)))
    return conclude(findings, ", ".join(_ids(seen)))


_ON: Final = Given(surfaces=frozenset({Surface.MODELS}), steps=True, traits=frozenset({"catalogue"}))

RULES: tuple[Rule, ...] = (
    Rule(ITEM, check_item, _ON),
    Rule(FILTERED, check_filtered, _ON),
    Rule(CARD, check_card, _ON),
    Rule(PRICED, check_priced, _ON),
    Rule(AVAILABLE, check_available, _ON),
    Rule(GROUPS, check_groups, _ON),
)
