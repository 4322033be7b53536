"""The table of losses knows every member that the official SDK knows, each once."""

from collections.abc import Iterable
from typing import Any, get_type_hints

from reference_gateway.translation.losses import Direction, Rule
from reference_gateway.translation.messages.losses import REQUEST_IN, RULES


def test_each_member_has_one_rule() -> None:
    seen = [(rule.direction, rule.path) for rule in RULES]
    assert len(seen) == len(set(seen))
    assert {rule.direction for rule in RULES} == set(Direction)


def test_whatever_is_not_kept_says_why() -> None:
    for rule in REQUEST_IN:
        assert rule.note or rule.rule is Rule.KEPT, rule.path


def official() -> Iterable[tuple[str, Any]]:
    from anthropic import types

    yield "", types.message_create_params.MessageCreateParamsNonStreaming
    yield "tools[].", types.ToolParam
    yield "metadata.", types.MetadataParam
    yield "output_config.", types.OutputConfigParam
    yield "thinking.", types.ThinkingConfigEnabledParam
    yield "tool_choice.", types.ToolChoiceToolParam
    yield "system[].", types.TextBlockParam
    block = "messages[].content[]."
    yield block, types.TextBlockParam
    yield block, types.ImageBlockParam
    yield block, types.DocumentBlockParam
    yield block, types.ThinkingBlockParam
    yield block, types.RedactedThinkingBlockParam
    yield block, types.ToolUseBlockParam
    yield block, types.ToolResultBlockParam
    yield block, types.SearchResultBlockParam
    yield f"{block}source.", types.Base64ImageSourceParam
    yield f"{block}source.", types.URLImageSourceParam
    yield f"{block}source.", types.ContentBlockSourceParam
    yield f"{block}content[].", types.DocumentBlockParam


def test_every_member_of_the_official_types_has_a_rule() -> None:
    known = {rule.path for rule in REQUEST_IN}
    assert [prefix + name for prefix, of in official() for name in get_type_hints(of) if prefix + name not in known] == []
