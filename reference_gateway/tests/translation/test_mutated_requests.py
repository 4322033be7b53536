"""Requests that a client got wrong: whatever stands where, each is written for the upstream or refused with a path."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from harness.tests import corpus
from reference_gateway.routes import Surface
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import Malformed, Unsupported
from reference_gateway.translation.responses.sealed import UNSEALED
from reference_gateway.translation.translator import Dialect, Translator

SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
MUTATIONS: Final = 3_000  # of each surface
LONGEST: Final = 20_000
STRANGE: Final = [
    *("null", "true", "0", "-1", "1.5", "1e400", str(2**70), '""', '"x"', '"auto"', '"function"', '"{"', '"[1]"', f'"{"a" * 300}"'),
    *("[]", "{}", "[null]", "[[]]", "[{}]", '{"type":null}', '{"":1}', '{"$ref":"#"}', '"https://x/y"', '"data:image/png;base64,AA"'),
]
NAMES: Final = ("type", "role", "content", "id", "name", "cache_control", "signature", "thinking", "text", "tools", "input", "required")
MODELS: Final = (
    Upstream(model="gemini-3-pro", max_output_tokens=8000, family="gemini"),
    Upstream(model="gemini-2.0-flash", max_output_tokens=8000, family="gemini", native_json_schema=False, adaptive_thinking=True),
    Upstream(model="m", max_output_tokens=8000, family="x", vision=False, tools=False, thinking=False, sampling=False),
)

Path = tuple[Any, ...]  # of keys and places


def recorded(surface: Surface) -> list[dict[str, Any]]:
    found = []
    for case in corpus.exchanges(api=surface.value):
        body = case.request.get("body")
        if isinstance(body, dict) and len(json.dumps(body)) < LONGEST:
            found.append(body)
    return found


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def mutated(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    body = json.loads(json.dumps(body))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        *way, last = chance.choice([*paths(body)] or [("model",)])
        holder: Any = body
        for step in way:
            holder = holder[step]
        match chance.randrange(5):
            case 0 if last in holder or isinstance(holder, list):
                del holder[last]
            case 1 if isinstance(holder, list):
                holder.insert(last, json.loads(json.dumps(holder[last])))
            case 2 if isinstance(holder, dict):
                holder[chance.choice(NAMES)] = json.loads(chance.choice(STRANGE))
            case _:
                holder[last] = json.loads(chance.choice(STRANGE))
    return body


@pytest.mark.parametrize("surface", SURFACES)
def test_a_request_is_written_or_refused_with_a_path(surface: Surface, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(surface.value)
    bodies = recorded(surface)
    seen: Counter[str] = Counter()
    for _ in range(MUTATIONS):
        body = mutated(chance.choice(bodies), chance)
        translator = Translator.of(surface, chance.choice([*Dialect]), UNSEALED)
        try:
            ask = translator.ask(body, model="m", stream=chance.random() < 0.5)
            msgspec.json.encode(translator.prepare(ask, chance.choice(MODELS)).body)
        except (Malformed, Unsupported) as refused:
            seen[type(refused).__name__.lower()] += 1
            seen["refused without a path, or not in a sentence"] += not (refused.path and str(refused).endswith("."))
        except UnicodeEncodeError:  # half a surrogate pair: crossing.py refuses it
            seen["not unicode"] += 1
        else:
            seen["written"] += 1
    with capsys.disabled():
        print(f"\nmutated requests of {surface}: {dict(seen)}", end="")  # noqa: T201  # what the test is for
    assert not seen["refused without a path, or not in a sentence"]
    assert min(seen["written"], seen["malformed"], seen["unsupported"]) > MUTATIONS // 50
