"""From the name that a request gives to a model of its key's group (C8 to C12, contract:049, contract:054 to contract:056)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from reference_gateway.catalog import Alias, Catalog, Model
from reference_gateway.errors import INVALID_REQUEST, MODEL_NOT_FOUND, MODEL_NOT_IN_GROUP, Refusal

_NO_MODELS: Mapping[str, Model] = {}


def resolve(catalog: Catalog, group: str, name: str, now: float) -> tuple[Model, Alias | None]:
    """Raises Refusal: unknown is 404, known but outside the key's group is 403, an alias whose time is over is 400.

    None of them reaches an upstream. `now` is Unix seconds.
    """
    models = catalog.groups.get(group, _NO_MODELS)
    model = models.get(name)
    if model is not None:
        return model, None
    alias = catalog.aliases.get(name)
    if alias is None:
        if name in catalog.models:
            raise Refusal(MODEL_NOT_IN_GROUP, f"The model {_shown(name)} is not in this key's group.", param="model")
        raise Refusal(MODEL_NOT_FOUND, f"The model {_shown(name)} does not exist.{_hint(catalog, models, name)}", param="model")
    if alias.until_ms is not None and now * 1000 >= alias.until_ms:
        raise Refusal(INVALID_REQUEST, f"The model {name} is no longer served; use {alias.model}.", param="model")
    model = models.get(alias.model)
    if model is None:
        raise Refusal(MODEL_NOT_IN_GROUP, f"The model {name} is not in this key's group.", param="model")
    return model, alias


def _hint(catalog: Catalog, models: Mapping[str, Model], name: str) -> str:
    """What this key could ask for instead; never a model that it may not call."""
    declared = catalog.hints.get(name)
    if declared is not None:
        return f" Use {declared}." if declared in models else ""
    dashed = name.lower().replace(".", "-").replace("_", "-")
    near = [dashed] if dashed in models else difflib.get_close_matches(dashed[:100], models, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _shown(name: str) -> str:
    text = name[:200]
    return text if text.isprintable() else ascii(text)
