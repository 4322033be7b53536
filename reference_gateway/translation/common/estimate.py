"""How many tokens a prompt will come to, before its vendor has counted: a first figure for a client's meter, never for a bill."""

from __future__ import annotations

from typing import Final

import msgspec

from reference_gateway.translation.items import Ask, Document, Image, Inline, Item, Reasoning, Refused, Text, ToolCall, ToolResult

CHARACTERS_PER_TOKEN: Final = 4  # of English, with any of the vendors' tokenizers
IMAGE_TOKENS: Final = 1_000
TOKENS_PER_TURN: Final = 4
LINKED_DOCUMENT_TOKENS: Final = 2_000
DOCUMENT_BYTES_PER_TOKEN: Final = 20  # of a PDF's base64


def input_tokens(ask: Ask) -> int:
    """At least 1."""
    tokens = sum(len(text.text) for text in ask.system) // CHARACTERS_PER_TOKEN
    for turn in ask.turns:
        tokens += TOKENS_PER_TURN + sum(map(_item, turn.items))
    for tool in ask.tools:
        size = len(tool.name) + len(tool.description or "") + len(msgspec.json.encode(tool.schema or {}))
        tokens += TOKENS_PER_TURN + size // CHARACTERS_PER_TOKEN
    return max(1, tokens)


def _item(item: Item) -> int:
    match item:
        case Text(text=text) | Refused(text=text) | Reasoning(text=text):
            return -(-len(text) // CHARACTERS_PER_TOKEN)
        case ToolCall(name=name, arguments=arguments):
            return TOKENS_PER_TURN + (len(name) + len(arguments)) // CHARACTERS_PER_TOKEN
        case ToolResult(parts=parts):
            return TOKENS_PER_TURN + sum(map(_item, parts))
        case Image():
            return IMAGE_TOKENS
        case Document(source=Inline(media_type=media_type, base64=base64)):
            return len(base64) // (CHARACTERS_PER_TOKEN + 1 if media_type.startswith("text/") else DOCUMENT_BYTES_PER_TOKEN)
        case Document():
            return LINKED_DOCUMENT_TOKENS
