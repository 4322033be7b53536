"""The schemas are valid, all of real vendor traffic passes them, and nothing they say is without effect."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing import Registry, Resource

from harness import schema
from harness.tests import corpus
from harness.tests.request_seeds import REQUEST_SEEDS
from harness.tests.schema_claims import claims
from harness.tests.schema_seeds import SEEDS

SERVED = {"chat", "responses", "messages", "gemini", "models", "count_tokens"}
LIST_OR_MODEL = {"anthropic": "models/anthropic-", "google": "models/gemini-"}
ERRORS = {"anthropic": "errors/anthropic", "google": "errors/google", "google-vertex": "errors/google"}
PROTOCOLS = tuple(name for name in schema.names() if not name.startswith("run/"))  # the run file's schema has its own test
NOT_SERVED = ("/compact", "/input_tokens", "/input_items")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_schema_is_itself_valid(name: str) -> None:
    body = schema.schema(name)
    jsonschema.Draft202012Validator.check_schema(body)
    assert body["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert body["$id"].endswith(f"/schemas/{name}.json")
    schema.validator(name)


def test_every_definition_is_referred_to() -> None:
    texts = {name: json.dumps(schema.schema(name)) for name in PROTOCOLS}
    for name in PROTOCOLS:
        file = name.split("/")[1]
        for definition in schema.schema(name).get("$defs", {}):
            here = f'"#/$defs/{definition}"' in texts[name]
            elsewhere = any(f'{file}.json#/$defs/{definition}"' in text for text in texts.values())
            assert here or elsewhere, f"{name} defines {definition}, which nothing refers to"


def test_the_comments_name_sources_that_exist() -> None:
    known = schema.sources()
    for name in PROTOCOLS:
        body = schema.schema(name)
        named = re.findall(r"\b(?:openai|anthropic|deepseek|gemini|google|wireproof|rfc|whatwg)-[a-z0-9-]+", body.get("$comment", ""))
        assert named, f"{name} does not say what it rests on"
        assert set(named) <= known.keys()


@pytest.mark.parametrize("source", schema.sources().values(), ids=lambda source: source.key)
def test_a_source_is_complete_and_its_passage_has_the_hash(source: schema.Source) -> None:
    assert all((source.url, source.title, source.rests))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", source.hash)
    if source.hash_of == "the passage in `says`":
        assert source.hash == "sha256:" + hashlib.sha256(source.says.encode()).hexdigest()


def test_an_unknown_name_is_told_from_those_that_exist() -> None:
    with pytest.raises(KeyError, match="chat/chunk"):
        schema.schema("chat/chunks")
    with pytest.raises(KeyError, match=r"sources\.toml"):
        schema.source("openai-chats")
    assert schema.source("whatwg-sse").title.startswith("HTML Standard")


def test_a_violation_says_where_what_was_expected_and_what_came() -> None:
    chunk = SEEDS["chat/chunk"][0] | {"created": "soon"}
    del chunk["id"]
    found = schema.findings("chat/chunk", chunk)
    assert [str(violation) for violation in found] == [
        "/: expected the key id, got an object without it",
        '/created: expected integer, got string "soon"',
    ]


def test_of_alternatives_the_nearest_one_is_explained() -> None:
    chunk = SEEDS["chat/chunk"][0] | {"choices": [], "usage": None}
    assert schema.Violation(pointer="/usage", expected="object", got="null") in schema.findings("chat/chunk", chunk)


def test_what_is_unknown_passes() -> None:
    for name, value in [
        ("messages/event", {"type": "content_block_paused", "why": 1}),
        ("messages/block", {"type": "hologram"}),
        ("responses/event", {"type": "keepalive", "sequence_number": 3}),
        ("responses/item", {"type": "dream", "id": 7}),
        ("errors/anthropic", {"type": "error", "error": {"type": "tired_error", "message": "", "since": 3}}),
    ]:
        assert schema.findings(name, value) == ()
    for name, seeds in SEEDS.items():
        for seed in seeds:
            if isinstance(seed, dict) and name not in REQUEST_SEEDS:
                assert schema.findings(name, seed | {"added_next_month": {"a": [None]}}) == ()


def test_an_unknown_member_of_a_request_is_found_wherever_the_protocol_describes_its_members() -> None:
    """A vendor refuses it, or takes no notice: either way what a gateway meant by it is lost."""
    told = 0
    for name, seeds in REQUEST_SEEDS.items():
        for seed in seeds:
            for claim in claims(schema.schema(name), seed, REGISTRY):
                if claim.closed:
                    [violation, *_] = schema.findings(name, claim.added(seed, "added_next_month"))
                    assert violation.expected == "no key added_next_month"
                    assert f"/{violation.pointer.removeprefix('/')}" == claim.pointer
                    told += 1
    assert told > 150


def schema_of(recorded: corpus.Recorded) -> str | None:
    """The schema for the values of a recorded answer; None where no schema is meant for it."""
    vendor, api = recorded.vendor, recorded.api
    if recorded.status is not None and recorded.status >= 400:
        return ERRORS.get(vendor, "errors/openai")
    method, path = recorded.request["method"], recorded.request["path"]
    match api:
        case "chat":
            return "chat/chunk" if recorded.is_sse else "chat/completion"
        case "responses" if method == "DELETE" or path.endswith(NOT_SERVED):
            return None
        case "responses":
            return "responses/event" if recorded.is_sse else "responses/response"
        case "messages":
            return "messages/event" if recorded.is_sse else "messages/message"
        case "gemini":
            return "gemini/chunk" if path.endswith(":streamGenerateContent") else "gemini/response"
        case "count_tokens":
            return "messages/count_tokens" if vendor == "anthropic" else "gemini/count_tokens"
        case _:
            return LIST_OR_MODEL.get(vendor, "models/openai-") + ("list" if path.endswith("/models") else "model")


def values_of(recorded: corpus.Recorded) -> Iterator[Any]:
    """Each JSON value of an answer: the body, each data of its events, or each member of Gemini's array form."""
    text = recorded.body.decode()
    if text.startswith(("data:", "event:")):
        lines = (line.removeprefix("data:").strip() for line in re.split(r"\r\n|\n|\r", text) if line.startswith("data:"))
        yield from (json.loads(line) for line in lines if line != "[DONE]")
    else:
        body = json.loads(text)
        yield from body if isinstance(body, list) else [body]


def test_all_recorded_traffic_of_served_surfaces_passes() -> None:
    exchanges = 0
    judged: Counter[tuple[str, str]] = Counter()
    alarms: list[str] = []
    for recorded in corpus.exchanges():
        if recorded.api not in SERVED or (name := schema_of(recorded)) is None:
            continue
        exchanges += 1
        for value in values_of(recorded):
            judged[recorded.provenance, name] += 1
            alarms += [f"{recorded.id}: {name} {violation}" for violation in schema.findings(name, value)]
    counts = [f"{count:6} {provenance} {name}" for (provenance, name), count in sorted(judged.items())]
    print(*counts, f"{exchanges} exchanges, {sum(judged.values())} values, {len(alarms)} false alarms", sep="\n")  # noqa: T201 (asked for)
    assert alarms == []
    assert sum(judged.values()) > 10_000


REGISTRY: Registry[Any] = Registry().with_resources(
    (schema.schema(name)["$id"], Resource.from_contents(schema.schema(name))) for name in PROTOCOLS
)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "number": st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()),
    "string": st.text(max_size=8),
    "array": st.lists(st.integers(), max_size=2),
    "object": st.dictionaries(st.sampled_from(["x", "y"]), st.integers(), max_size=1),
}
CLAIMS = [(name, seed, claim) for name, seeds in SEEDS.items() for seed in seeds for claim in claims(schema.schema(name), seed, REGISTRY)]


def test_every_schema_has_a_seed_and_every_seed_passes() -> None:
    definitions_only = {name for name in PROTOCOLS if not schema.schema(name).keys() & {"type", "$ref", "anyOf"}}
    assert SEEDS.keys() | definitions_only == set(PROTOCOLS)
    for name, seeds in SEEDS.items():
        for seed in seeds:
            assert schema.findings(name, seed) == (), name


def test_every_branch_of_a_tagged_union_is_seeded() -> None:
    for name in PROTOCOLS:
        text = json.dumps(SEEDS)
        for tag in re.findall(r'"properties": \{"type": \{"const": "([^"]+)"\}\}', json.dumps(schema.schema(name))):
            assert f'"type": "{tag}"' in text, f"no seed of {name} has the type {tag}"


def test_a_required_key_taken_away_is_found() -> None:
    taken = 0
    for name, seed, claim in CLAIMS:
        for key in claim.required:
            mutant = claim.without(seed, key)
            assert schema.findings(name, mutant), f"{name} does not miss {key} at {claim.pointer}"
            taken += 1
    assert taken > 1900


@pytest.mark.parametrize("kind", BY_TYPE)
@given(data=st.data())
def test_a_value_of_another_type_is_found(kind: str, data: st.DataObject) -> None:
    typed = [number for number, (_, _, claim) in enumerate(CLAIMS) if claim.types and kind not in claim.types]
    name, seed, claim = CLAIMS[data.draw(st.sampled_from(typed))]
    value = data.draw(BY_TYPE[kind])
    assert schema.findings(name, claim.replaced(seed, value)), f"{name} takes {value!r} at {claim.pointer}"


def test_each_typed_place_refuses_each_other_type() -> None:
    examples: dict[str, Any] = {"null": None, "boolean": True, "number": 0.5, "string": "x", "array": [0], "object": {"x": 0}}
    swapped = 0
    for name, seed, claim in CLAIMS:
        for kind, value in examples.items():
            if claim.types and kind not in claim.types:
                assert schema.findings(name, claim.replaced(seed, value)), f"{name} takes {value!r} at {claim.pointer}"
                swapped += 1
    assert swapped > 18_000
