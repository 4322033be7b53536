"""Translators that ask a vendor so that it would answer otherwise than the client expects, one way each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.mutation.mutant import Ask, Leg, Mutant, ask_headers, named
from harness.mutation.mutants.translation_probes_asked import changing

Value = dict[str, Any]

_TWO_TOKENS: Final = ("authorization", "Bearer sk-of-another-vendor")


def _without(*path: str) -> Callable[[Ask], Ask]:
    def change(body: Value) -> None:
        place: Any = body
        for name in path[:-1]:
            place = place.get(name, {})
        place.pop(path[-1], None)

    return changing(change)


def _elsewhere(ask: Ask) -> Ask:
    return replace(ask, target=ask.target.replace("/chat/completions", "/completions"))


def _two_credentials(ask: Ask) -> Ask:
    return ask_headers(lambda headers: (*headers, _TWO_TOKENS))(ask)


def _mutant(name: str, text: str, ask: Callable[[Ask], Ask], *cases: str) -> Mutant:
    return Mutant(
        id=f"translation-asks-{name}",
        requirement=f"translation/{name}",
        text=text,
        leg=Leg.UPSTREAM,
        ask=ask,
        where=named(*(f"translation/{case}" for case in cases)),
    )


MUTANTS: tuple[Mutant, ...] = (
    _mutant("request-endpoint", "Asks an endpoint of another protocol.", _elsewhere, "messages-chat/*", "responses-chat/*"),
    _mutant("request-credential", "Shows two credentials at once.", _two_credentials, "chat-anthropic/*", "gemini-anthropic/*"),
    _mutant("stream-asked-for", "Asks for the whole answer where a stream is wanted.", _without("stream"), "chat-anthropic/text.stream"),
    _mutant("usage-asked-for", "Does not ask for a stream's usage.", _without("stream_options"), "messages-chat/text.stream"),
    _mutant("sealed-thoughts-asked-for", "Does not ask for sealed thoughts.", _without("include"), "messages-responses/thinking-tools*"),
    _mutant(
        "thoughts-asked-for",
        "Lets the model think and does not ask for its thoughts.",
        _without("generationConfig", "thinkingConfig", "includeThoughts"),
        "messages-gemini/thinking-tools*",
    ),
)
