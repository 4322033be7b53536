"""The model list, in each dialect, by plain HTTP and by each SDK."""

from typing import Final

from harness.case import Case, Client, Key, Surface

_ANTHROPIC: Final = (("anthropic-version", "2023-06-01"),)

CASES: tuple[Case, ...] = (
    Case(id="models/openai", surface=Surface.MODELS, method="GET", play=None, traits=frozenset({"list"})),
    Case(
        id="models/anthropic",
        surface=Surface.MODELS,
        method="GET",
        play=None,
        headers=_ANTHROPIC,
        key_in="x-api-key",
        traits=frozenset({"list"}),
    ),
    Case(
        id="models/gemini",
        surface=Surface.MODELS,
        method="GET",
        path="/v1beta/models",
        play=None,
        key_in="x-goog-api-key",
        traits=frozenset({"list"}),
    ),
    *(
        Case(id=f"models/sdk-{client}", surface=Surface.MODELS, method="GET", client=client, play=None, traits=frozenset({"list"}))
        for client in (Client.OPENAI, Client.OPENAI_ASYNC, Client.ANTHROPIC, Client.GOOGLE_GENAI)
    ),
    Case(
        id="models/other-group",
        surface=Surface.MODELS,
        method="GET",
        play=None,
        key=Key.OTHER_GROUP,
        traits=frozenset({"narrow"}),
    ),
)
