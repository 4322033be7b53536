"""Responses as OpenAI writes it: pretty JSON, ASCII only, no last newline; tight UTF-8 events, keys in order of the alphabet after `type`.

The response object repeats the request, so the writer needs it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, CustomCall, Part, Refusal, Text, Thinking, Usage, WebSearch, cut, words
from harness.recording.scenarios.writers.chat import CREATED
from harness.wire.json_text import PRETTY_ASCII, TIGHT, write_bytes

TERMINAL: Final = {"completed": "response.completed", "incomplete": "response.incomplete", "failed": "response.failed"}
_TOOL_USAGE: Final = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "total_tokens": 0,
    },
}
_LOCATION: Final = {"type": "approximate", "city": None, "country": "US", "region": None, "timezone": None}


def usage(tokens: Usage) -> dict[str, Any]:
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cache_write_tokens": tokens.written, "cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.output,
    }


class Writer:
    def __init__(self, names: Names, model: str, request: Mapping[str, Any]) -> None:
        self._names = names
        self._model = model
        self._request = request
        self._stem = names.hex(16)
        self._id = f"resp_{self._stem}{names.hex(34)}"
        self._sequence = -1

    def body(self, answer: Answer, *, reason: str | None = None, error: dict[str, Any] | None = None) -> bytes:
        items = [self._item(part, answer.stop) for part in answer.parts]
        value = self._response(answer.stop, items, answer, reason=reason, error=error, streamed=False)
        return write_bytes(value, PRETTY_ASCII)

    def stream(self, answer: Answer, *, reason: str | None = None, error: dict[str, Any] | None = None) -> Iterator[bytes]:
        yield from self._opening()
        items = []
        for index, part in enumerate(answer.parts):
            item = self._item(part, answer.stop)
            yield from self._item_events(index, item, part)
            items.append(item)
        final = self._response(answer.stop, items, answer, reason=reason, error=error, streamed=True)
        yield self._frame(TERMINAL[answer.stop], response=final)

    def broken_stream(self, answer: Answer, error: dict[str, Any]) -> Iterator[bytes]:
        """Deltas of the first item, then the error and a response that failed; the HTTP status was 200 long before."""
        yield from self._opening()
        item = self._item(answer.parts[0], "in_progress")
        yield from self._item_events(0, item, answer.parts[0], finish=False)
        yield self._frame("error", error={"type": error["type"], "code": error["code"], "message": error["message"], "param": None})
        told = {"code": error["code"], "message": error["message"]}
        yield self._frame("response.failed", response=self._response("failed", [], None, reason=None, error=told, streamed=True))

    def _opening(self) -> Iterator[bytes]:
        for event in ("response.created", "response.in_progress"):
            yield self._frame(event, response=self._response("in_progress", [], None, reason=None, error=None, streamed=True))

    def _response(
        self,
        status: str,
        items: list[dict[str, Any]],
        answer: Answer | None,
        *,
        reason: str | None,
        error: dict[str, Any] | None,
        streamed: bool,
    ) -> dict[str, Any]:
        asked = self._request
        tools = [self._tool(tool) for tool in asked.get("tools", ())]
        searches = sum(item["type"] == "web_search_call" for item in items)
        reasoning = asked.get("reasoning", {})
        return {
            "id": self._id,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": False,
            **({} if streamed else {"billing": {"payer": "developer"}}),
            "completed_at": CREATED + 2 if status == "completed" else None,
            "error": error,
            "frequency_penalty": 0.0,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "max_tool_calls": None,
            "model": self._model,
            "moderation": None,
            "output": items,
            "parallel_tool_calls": asked.get("parallel_tool_calls", True),
            "presence_penalty": 0.0,
            "previous_response_id": None,
            "prompt_cache_key": asked.get("prompt_cache_key"),
            "prompt_cache_retention": "24h",
            "reasoning": {
                "context": "current_turn",
                "effort": reasoning.get("effort", "none"),
                "mode": "standard",
                "summary": "detailed" if reasoning.get("summary") else None,
            },
            "safety_identifier": None,
            "service_tier": "auto" if status == "in_progress" else "default",
            "store": asked.get("store", True),
            "temperature": 1.0,
            "text": {"format": self._format(asked), "verbosity": "medium"},
            "tool_choice": asked.get("tool_choice", "auto"),
            "tool_usage": {**_TOOL_USAGE, "web_search": {"num_requests": searches}},
            "tools": tools,
            "top_logprobs": 0,
            "top_p": 0.98,
            "truncation": "disabled",
            "usage": usage(answer.usage) if answer and status != "failed" else None,
            "user": None,
            "metadata": {},
        }

    def _format(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked.get("text", {}).get("format")
        if not wanted:
            return {"type": "text"}
        return {"type": wanted["type"], "description": None, **{key: wanted[key] for key in ("name", "schema", "strict")}}

    def _tool(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        match tool["type"]:
            case "function":
                echoed = {"description": tool["description"], "name": tool["name"], "output_schema": None}
                return {"type": "function", **echoed, "parameters": tool["parameters"], "strict": tool["strict"]}
            case "custom":
                return {"type": "custom", "description": tool["description"], "format": {"type": "text"}, "name": tool["name"]}
            case _:
                search = {"return_token_budget": "default", "search_content_types": ["text"], "search_context_size": "medium"}
                return {"type": tool["type"], **search, "user_location": _LOCATION}

    def _item(self, part: Part, status: str) -> dict[str, Any]:
        done = "incomplete" if status == "incomplete" else "completed"
        match part:
            case Text() | Refusal():
                phase = {"phase": "final_answer"} if isinstance(part, Text) else {}
                head = {"id": self._item_id("msg"), "type": "message", "status": done}
                return {**head, "content": [self._content(part)], **phase, "role": "assistant"}
            case Thinking(text=text, signature=signature):
                summary = [{"type": "summary_text", "text": text}] if text else []
                head = {"id": self._item_id("rs"), "type": "reasoning"}
                return {**head, "content": [], "encrypted_content": signature, "summary": summary}
            case Call(name=name, arguments=arguments):
                head = {"id": self._item_id("fc"), "type": "function_call", "status": done, "arguments": arguments}
                return {**head, "call_id": f"call_{self._names.alnum(24)}", "name": name}
            case CustomCall(name=name, input=text):
                head = {"id": self._item_id("ctc"), "type": "custom_tool_call", "status": done}
                return {**head, "call_id": f"call_{self._names.alnum(24)}", "input": text, "name": name}
            case WebSearch(query=query):
                action = {"type": "search", "queries": [query], "query": query}
                return {"id": self._item_id("ws"), "type": "web_search_call", "status": done, "action": action}
            case _:
                raise ValueError(f"Responses has no place for {type(part).__name__}: write this scenario for a vendor that has")

    def _content(self, part: Text | Refusal) -> dict[str, Any]:
        if isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text}
        # The model quotes nothing: the indexes span the whole text.
        cited = [
            {"type": "url_citation", "end_index": len(part.text), "start_index": 0, "title": citation.title, "url": citation.url}
            for citation in part.citations
        ]
        return {"type": "output_text", "annotations": cited, "logprobs": [], "text": part.text}

    def _item_events(self, index: int, item: dict[str, Any], part: Part, *, finish: bool = True) -> Iterator[bytes]:
        at = {"item_id": item["id"], "output_index": index}
        empty: dict[str, Any]
        match part:
            case Text() | Refusal():
                empty = {"status": "in_progress", "content": []}
            case Thinking(signature=signature):
                empty = {"encrypted_content": signature[: max(len(signature) // 3, 64)], "summary": []}
            case Call():
                empty = {"status": "in_progress", "arguments": ""}
            case CustomCall():
                empty = {"status": "in_progress", "input": ""}
            case _:
                empty = {"status": "in_progress", "action": {"type": "search"}}
        yield self._frame("response.output_item.added", item={**item, **empty}, output_index=index)
        match part:
            case Text():
                yield from self._text_events(at, item["content"][0], part, finish=finish)
            case Refusal(text=text):
                yield from self._refusal_events(at, item["content"][0], text)
            case Thinking(text=text):
                yield from self._summary_events(at, text)
            case Call(arguments=arguments, pieces=pieces):
                yield from self._argument_events(at, "function_call_arguments", "arguments", arguments, pieces or cut(arguments, (3, 5, 8)))
            case CustomCall(input=text):
                yield from self._argument_events(at, "custom_tool_call_input", "input", text, words(text))
            case WebSearch():
                for step in ("in_progress", "searching", "completed"):
                    yield self._frame(f"response.web_search_call.{step}", **at)
            case _:
                raise ValueError(f"Responses streams no {type(part).__name__}: write this scenario for a vendor that does")
        if finish:
            yield self._frame("response.output_item.done", item=item, output_index=index)

    def _text_events(self, at: dict[str, Any], content: dict[str, Any], part: Text, *, finish: bool) -> Iterator[bytes]:
        at = {"content_index": 0, **at}
        yield self._frame("response.content_part.added", **at, part={**content, "annotations": [], "text": ""})
        for piece in part.pieces or words(part.text):
            padding = self._names.obfuscation(piece)
            yield self._frame("response.output_text.delta", **at, delta=piece, logprobs=[], obfuscation=padding)
        if not finish:
            return
        for number, cited in enumerate(content["annotations"]):
            yield self._frame("response.output_text.annotation.added", **at, annotation=cited, annotation_index=number)
        yield self._frame("response.output_text.done", **at, logprobs=[], text=part.text)
        yield self._frame("response.content_part.done", **at, part=content)

    def _refusal_events(self, at: dict[str, Any], content: dict[str, Any], text: str) -> Iterator[bytes]:
        at = {"content_index": 0, **at}
        yield self._frame("response.content_part.added", **at, part={"type": "refusal", "refusal": ""})
        for piece in words(text):
            yield self._frame("response.refusal.delta", **at, delta=piece)
        yield self._frame("response.refusal.done", **at, refusal=text)
        yield self._frame("response.content_part.done", **at, part=content)

    def _summary_events(self, at: dict[str, Any], text: str) -> Iterator[bytes]:
        if not text:
            return
        at = {**at, "summary_index": 0}
        yield self._frame("response.reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})
        for piece in words(text):
            padding = self._names.obfuscation(piece)
            yield self._frame("response.reasoning_summary_text.delta", **at, delta=piece, obfuscation=padding)
        yield self._frame("response.reasoning_summary_text.done", **at, text=text)
        yield self._frame("response.reasoning_summary_part.done", **at, part={"type": "summary_text", "text": text})

    def _argument_events(self, at: dict[str, Any], event: str, field: str, whole: str, pieces: Any) -> Iterator[bytes]:
        for piece in pieces:
            yield self._frame(f"response.{event}.delta", **at, delta=piece, obfuscation=self._names.obfuscation(piece))
        yield self._frame(f"response.{event}.done", **at, **{field: whole})

    def _item_id(self, kind: str) -> str:
        return f"{kind}_{self._stem}{self._names.hex(34)}"

    def _frame(self, event: str, **fields: Any) -> bytes:
        self._sequence += 1
        fields["sequence_number"] = self._sequence
        body = write_bytes({"type": event, **dict(sorted(fields.items()))}, TIGHT)
        return b"event: " + event.encode() + b"\ndata: " + body + b"\n\n"
