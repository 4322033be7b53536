"""The tool that a request forces on the model: structured output comes so where a vendor has no other way to it (translation.md 3.9)."""

import json
from dataclasses import replace
from typing import Any

from harness.case import FORCED_TOOL
from harness.upstream.answer import Answer


def forced_tool(request: bytes) -> str | None:
    """Its name, in a request of Chat Completions, Responses or Messages; None where the model is free."""
    try:
        asked = json.loads(request)
    except ValueError:
        return None
    choice = asked.get("tool_choice") if isinstance(asked, dict) else None
    if isinstance(choice, dict) and choice.get("type") in ("function", "tool"):
        return _name(choice)
    tools = asked.get("tools") if isinstance(asked, dict) else None
    any_tool = choice == "required" or (isinstance(choice, dict) and choice.get("type") == "any")
    return _name(tools[0]) if any_tool and isinstance(tools, list) and len(tools) == 1 else None


def _name(tool: Any) -> str | None:
    """Chat has it one level down."""
    inner = tool.get("function", tool) if isinstance(tool, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None


def calling(answer: Answer, tool: str) -> Answer:
    """The answer with the tool's name where the recording has FORCED_TOOL, which stands within one piece."""
    name = json.dumps(tool)[1:-1].encode()
    return answer.with_pieces([replace(piece, data=piece.data.replace(FORCED_TOOL.encode(), name)) for piece in answer.pieces])
