import json
from typing import Any

import pytest

from harness.case import Case, Dialect, Play, Route, Surface
from harness.exchange import Exchange, Headers, Hop, Request
from harness.mutation.mutants.translation_asking import MUTANTS
from suites.tests import traffic
from suites.tests.steps import answer, assert_all_pass, assert_fails
from suites.translation.asking import RULES

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
STREAM, WHOLE = "/v1beta/models/m:streamGenerateContent", "/v1beta/models/m:generateContent"
BEARER: Headers = (("Authorization", "Bearer [vendor]"),)
GOOGLE: Headers = (("x-goog-api-key", "[vendor]"),)
COUNTED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
SEALED: dict[str, Any] = {"store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}}
SHOWN: dict[str, Any] = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}


def asked(upstream: Dialect, path: str, body: Any, headers: Headers = BEARER, *, stream: bool = False) -> Exchange:
    """By a Messages client that wants thoughts."""
    case = Case(id="translation/made", surface=Surface.MESSAGES, upstream=upstream, play=Play(recording="made"), stream=stream)
    wanted = json.dumps({"thinking": {"type": "enabled", "budget_tokens": 1024}}).encode()
    client = Hop(request=Request(method="POST", target="/v1/messages", headers=(), body=wanted), response=answer())
    sent = Hop(request=Request(method="POST", target=path, headers=headers, body=json.dumps(body).encode()), response=answer())
    return Exchange(id=case.id, case=case, model="m", route=Route.TRANSLATED, marker="", client=client, upstream=(sent,))


def test_ids_sources_and_mutants_are_well_kept() -> None:
    traffic.assert_well_kept(RULES, MUTANTS, "translation/")


@pytest.mark.parametrize(
    "right",
    [
        asked(Dialect.OPENAI_CHAT, CHAT, {}),
        asked(Dialect.DEEPSEEK_CHAT, "/chat/completions", COUNTED, stream=True),
        asked(Dialect.OPENAI_RESPONSES, RESPONSES, SEALED),
        asked(Dialect.GEMINI, WHOLE, SHOWN, GOOGLE),
        asked(Dialect.GEMINI, f"{STREAM}?alt=sse", SHOWN, GOOGLE, stream=True),
    ],
)
def test_what_is_right_passes(right: Exchange) -> None:
    assert_all_pass(RULES, right)


@pytest.mark.parametrize(
    ("requirement", "wrong"),
    [
        ("request-endpoint", asked(Dialect.OPENAI_CHAT, "/v1/completions", {})),
        ("request-endpoint", asked(Dialect.GEMINI, "/v1beta/models/m", SHOWN, GOOGLE)),
        ("request-credential", asked(Dialect.OPENAI_CHAT, CHAT, {}, ())),
        ("request-credential", asked(Dialect.OPENAI_CHAT, CHAT, {}, (*BEARER, *GOOGLE))),
        ("request-credential", asked(Dialect.GEMINI, WHOLE, SHOWN, BEARER)),
        ("stream-asked-for", asked(Dialect.OPENAI_CHAT, CHAT, {}, stream=True)),
        ("stream-asked-for", asked(Dialect.GEMINI, WHOLE, SHOWN, GOOGLE, stream=True)),
        ("usage-asked-for", asked(Dialect.OPENAI_CHAT, CHAT, {"stream": True}, stream=True)),
        ("sealed-thoughts-asked-for", asked(Dialect.OPENAI_RESPONSES, RESPONSES, {**SEALED, "include": []})),
        ("thoughts-asked-for", asked(Dialect.OPENAI_RESPONSES, RESPONSES, {**SEALED, "reasoning": {"effort": "low"}})),
        ("thoughts-asked-for", asked(Dialect.GEMINI, WHOLE, {}, GOOGLE)),
    ],
)
def test_what_is_wrong_fails(requirement: str, wrong: Exchange) -> None:
    assert_fails(RULES, wrong, f"translation/{requirement}")
