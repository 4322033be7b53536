"""A client's request as each upstream would get it, and what the client would be warned of."""

from collections.abc import Mapping
from typing import Any, Final

from harness.case import Dialect
from reference_gateway.crossing import warning
from reference_gateway.routes import Surface
from reference_gateway.translation import translator
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import Loss
from reference_gateway.translation.seal import Sealer
from reference_gateway.translation.translator import Translator

SEALER: Final = Sealer(b"a pepper for tests")

DIALECTS: Final[Mapping[Dialect, translator.Dialect]] = {
    Dialect.OPENAI_CHAT: translator.Dialect.CHAT,
    Dialect.OPENAI_RESPONSES: translator.Dialect.RESPONSES,
    Dialect.ANTHROPIC: translator.Dialect.MESSAGES,
    Dialect.GEMINI: translator.Dialect.GEMINI,
    Dialect.DEEPSEEK_CHAT: translator.Dialect.DEEPSEEK_CHAT,
    Dialect.DEEPSEEK_ANTHROPIC: translator.Dialect.DEEPSEEK_MESSAGES,
}
UPSTREAMS: Final[Mapping[Dialect, Upstream]] = {
    Dialect.OPENAI_CHAT: Upstream(model="gpt-5.2", max_output_tokens=64_000, family="gpt"),
    Dialect.OPENAI_RESPONSES: Upstream(model="gpt-5.2", max_output_tokens=64_000, family="gpt"),
    Dialect.ANTHROPIC: Upstream(model="claude-sonnet-4-6", max_output_tokens=64_000, family="claude"),
    Dialect.GEMINI: Upstream(model="gemini-2.5-pro", max_output_tokens=64_000, family="gemini"),
    Dialect.DEEPSEEK_CHAT: Upstream(model="deepseek-v4-pro", max_output_tokens=64_000, family="deepseek", vision=False),
    Dialect.DEEPSEEK_ANTHROPIC: Upstream(model="deepseek-v4-pro", max_output_tokens=64_000, family="deepseek", vision=False),
}


def cross(surface: Surface, body: dict[str, Any], dialect: Dialect, *, stream: bool = False) -> tuple[dict[str, Any], str]:
    """What is sent, and the whole value of the warning header. Raises Unsupported, Malformed."""
    crossing = Translator.of(surface, DIALECTS[dialect], SEALER.of("account"))
    ask = crossing.ask(body, model=body.get("model") or "asked", stream=stream)
    prepared = crossing.prepare(ask, UPSTREAMS[dialect])
    return prepared.body, named(prepared.losses)


def named(losses: tuple[Loss, ...]) -> str:
    """As the header has them, however many: each by itself, since the header is bounded."""
    return "; ".join(warning([loss]).decode().partition(": ")[2].strip() for loss in losses)
