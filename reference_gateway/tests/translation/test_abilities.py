"""What a model's version says."""

import pytest

from reference_gateway.translation.abilities import upstream


@pytest.mark.parametrize(
    ("id_", "family", "adaptive", "sampling", "breakpoints"),
    [
        ("claude-sonnet-4-6", "claude", True, True, False),
        ("claude-opus-4-8", "claude", True, False, False),
        ("claude-haiku-4-5", "claude", False, True, False),
        ("claude-opus-4-1", "claude", False, True, False),
        ("gpt-5-5", "gpt", False, False, False),
        ("gpt-5-6-mini", "gpt", False, False, True),
        ("gpt-4-1", "gpt", False, True, False),
        ("gemini-3-1-pro", "gemini", False, True, False),
        ("deepseek-v4-pro", "deepseek", False, True, False),
    ],
)
def test_versions(id_: str, family: str, adaptive: bool, sampling: bool, breakpoints: bool) -> None:
    found = upstream(id_, "vendor-name", family=family, capabilities=("text", "thinking"), max_output_tokens=10)
    assert (found.adaptive_thinking, found.sampling, found.cache_breakpoints) == (adaptive, sampling, breakpoints)
    assert (found.model, found.vision, found.tools, found.native_json_schema, found.thinking) == ("vendor-name", False, False, False, True)
