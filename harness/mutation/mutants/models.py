"""Gateways whose model list cannot be relied upon."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.mutation.mutant import Answer, Ask, Leg, Mutant, ask_body, named


def _on_entries(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Answer], Answer]:
    """The change on the list's entries, in whichever dialect."""

    def apply(answer: Answer) -> Answer:
        if not answer.body.startswith(b"{"):
            return answer
        body = json.loads(answer.body)
        key = "models" if "models" in body else "data"
        if not isinstance(body.get(key), list):
            return answer
        return replace(answer, body=json.dumps({**body, key: change(body[key])}).encode())

    return apply


def _named(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {**entry, **({"name": f"models/{name}"} if "name" in entry else {"id": name})}


def _unfiltered(ask: Ask) -> Ask:
    return replace(ask, target=ask.target.partition("?")[0])


def _on_data(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Answer], Answer]:
    return _on_entries(lambda entries: [change(entry) for entry in entries])


def _renamed(answer: Answer) -> Answer:
    """A single model under another owner than in the list."""
    return (
        replace(answer, body=json.dumps({**json.loads(answer.body), "owned_by": "somebody"}).encode()) if answer.status == 200 else answer
    )


def _smaller(ask: Ask) -> Ask:
    """Another of the vendor's models, in the path or in the body."""
    if "/models/" in ask.target:
        return replace(ask, target=re.sub(r"(/models/[^/:]+):", r"\1-lite:", ask.target))
    return ask_body(lambda body: {**body, "model": f"{body['model']}-mini"})(ask) if ask.body.startswith(b"{") else ask


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="models-bare-names",
        requirement="models/shape",
        text="Lists bare names in the place of model objects.",
        answer=_on_entries(lambda entries: [entry.get("id", entry.get("name")) for entry in entries]),  # type: ignore[misc]  # that is the fault
    ),
    Mutant(
        id="models-pattern",
        requirement="models/ids-unique",
        text="Lists the pattern by which a key is allowed its models.",
        answer=_on_entries(lambda entries: [*entries, _named(entries[0], "gpt-*")]),
        defects=("langwatch/langwatch#5941",),
    ),
    Mutant(
        id="models-empty",
        requirement="models/lists-what-works",
        text="Lists none of the models that the key can call.",
        answer=_on_entries(lambda entries: []),
    ),
    Mutant(
        id="models-of-all-groups",
        requirement="models/only-own-group",
        text="Lists every model to every key.",
        answer=_on_entries(lambda entries: [*entries, *(_named(entries[0], name) for name in ("gpt-5-5", "gpt-5-4", "gemini-3-1-pro"))]),
    ),
    Mutant(
        id="models-without-family",
        requirement="models/contract-fields",
        text="Leaves out what a model can do.",
        answer=_on_entries(lambda entries: [{key: kept for key, kept in entry.items() if key != "capabilities"} for entry in entries]),
    ),
    Mutant(
        id="models-unreadable",
        requirement="models/sdk-reads",
        text="Answers with a body that is no JSON object.",
        answer=lambda answer: replace(answer, body=b"[" + answer.body + b"]"),
    ),
    Mutant(
        id="models-unknown-tag",
        requirement="models/item-fields",
        text="Tags its models with words of its own.",
        answer=_on_data(lambda entry: {**entry, "capabilities": [*(entry.get("capabilities") or ()), "very_good"]}),
        paths="/v1/models",
    ),
    Mutant(
        id="models-filter-ignored",
        requirement="models/filters",
        text="Lists everything, whatever was asked for.",
        ask=_unfiltered,
        paths="/v1/models",
    ),
    Mutant(
        id="models-card-differs",
        requirement="models/card",
        text="Tells another owner of a single model than in the list.",
        answer=_renamed,
        paths="/v1/models/*",
    ),
    Mutant(
        id="models-unpriced",
        requirement="models/priced",
        text="Has no price for the first model of its list.",
        answer=_on_entries(lambda entries: entries[1:]),
        paths="/api/pricing",
    ),
    Mutant(
        id="models-no-protocols",
        requirement="models/available",
        text="Does not say over which protocols a model is reached.",
        answer=_on_data(lambda entry: {**entry, "protocols_aggregate": []}),
        paths="/api/v1/me/available-models",
    ),
    Mutant(
        id="models-nameless-groups",
        requirement="models/groups",
        text="Lists groups without an id to bind to.",
        answer=_on_data(lambda entry: {**entry, "id": None}),
        paths="/api/v1/groups/available",
    ),
    *(
        Mutant(
            id=f"models-smaller-asked-{name}",
            requirement="models/asked-of-vendor",
            text="Has a smaller model answer than the one that it was asked for.",
            leg=Leg.UPSTREAM,
            ask=_smaller,
            where=named(*cases),
        )
        for name, cases in (
            ("natively", ("*/text", "*/text.stream")),
            ("of-google", ("gemini/text", "gemini/text.stream")),
            ("translating", ("translation/*-anthropic/*", "translation/*-gemini/*")),
        )
    ),
)
