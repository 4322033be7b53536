"""Messages as Anthropic writes it: one tight line, `model` first; events with 0 to 15 blanks before the last brace."""

import json
from collections.abc import Iterator
from typing import Any, Final

from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, Call, Citation, Part, Redacted, Text, Thinking, Usage, WebSearch, cut, words
from harness.wire.json_text import TIGHT, write_bytes

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
_DIRECT: Final = {"caller": {"type": "direct"}}


def usage(tokens: Usage, *, output: int | None = None) -> dict[str, Any]:
    thinking = {"output_tokens_details": {"thinking_tokens": tokens.reasoning}} if tokens.reasoning and output is None else {}
    return {
        "input_tokens": tokens.prompt - tokens.cached - tokens.written,
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens.written_5m, "ephemeral_1h_input_tokens": tokens.written_1h},
        "output_tokens": tokens.output if output is None else output,
        **thinking,
        "service_tier": "standard",
        "inference_geo": "global",
    }


class Writer:
    def __init__(self, names: Names, model: str) -> None:
        self._names = names
        self._model = model
        self._id = f"msg_011C{names.base58(20)}"

    def body(self, answer: Answer) -> bytes:
        blocks = [block for part in answer.parts for block, _ in self._blocks(part)]
        return write_bytes(
            self._message(blocks, answer.stop, answer.stop_sequence, self._searched(answer, usage(answer.usage))),
            TIGHT,
        )

    def stream(self, answer: Answer, *, pings: int = 1) -> Iterator[bytes]:
        yield from self._beginning(answer, pings)
        counts = usage(answer.usage)
        for absent in ("cache_creation", "service_tier", "inference_geo"):
            del counts[absent]
        delta = {"stop_reason": answer.stop, "stop_sequence": answer.stop_sequence, "stop_details": self._stop_details(answer.stop)}
        yield self._frame({"type": "message_delta", "delta": delta, "usage": self._searched(answer, counts)})
        yield self._frame({"type": "message_stop"})

    def broken_stream(self, answer: Answer, error: dict[str, Any]) -> Iterator[bytes]:
        """The answer without its last block_stop, then the error event, which carries no padding."""
        *beginning, _ = self._beginning(answer, 1)
        yield from beginning
        body = write_bytes({"type": "error", "error": error, "request_id": f"req_011C{self._names.base58(20)}"}, TIGHT)
        yield b"event: error\ndata: " + body + b"\n\n"

    def events(self, *values: dict[str, Any]) -> Iterator[bytes]:
        """Events of any content, laid out as the others."""
        return map(self._frame, values)

    def message(self, content: list[dict[str, Any]], stop: str | None, counts: dict[str, Any]) -> dict[str, Any]:
        return self._message(content, stop, None, counts)

    def _beginning(self, answer: Answer, pings: int) -> Iterator[bytes]:
        started = self._message([], None, None, usage(answer.usage, output=min(answer.usage.output, 4)))
        yield self._frame({"type": "message_start", "message": started})
        index = -1
        for part in answer.parts:
            for _, (start, deltas) in self._blocks(part):
                index += 1
                yield self._frame({"type": "content_block_start", "index": index, "content_block": start})
                if index == 0:
                    yield from [PING] * min(pings, 1)
                for number, delta in enumerate(deltas):
                    if index == 0 and pings > 1 and number in range(3, 3 * pings, 3):
                        yield PING
                    yield self._frame({"type": "content_block_delta", "index": index, "delta": delta})
                yield self._frame({"type": "content_block_stop", "index": index})
        if index < 0:
            yield from [PING] * min(pings, 1)

    def _message(self, content: list[dict[str, Any]], stop: str | None, sequence: str | None, counts: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": self._model,
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop,
            "stop_sequence": sequence,
            "stop_details": self._stop_details(stop),
            "usage": counts,
        }

    def _stop_details(self, stop: str | None) -> dict[str, Any] | None:
        return {"type": "refusal", "category": None, "explanation": None} if stop == "refusal" else None

    def _searched(self, answer: Answer, counts: dict[str, Any]) -> dict[str, Any]:
        searches = sum(isinstance(part, WebSearch) for part in answer.parts)
        if not searches:
            return counts
        return {**counts, "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0}}

    def _blocks(self, part: Part) -> Iterator[tuple[dict[str, Any], tuple[dict[str, Any], list[dict[str, Any]]]]]:
        """Each block of a part: whole, and as its start with its deltas."""
        match part:
            case Text(text=text, citations=citations, pieces=pieces):
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces or cut(text, (5, 23, 31, 40))]
                if not citations:
                    yield {"type": "text", "text": text}, ({"type": "text", "text": ""}, deltas)
                    return
                cited = [self._citation(citation) for citation in citations]
                whole = {"citations": cited, "type": "text", "text": text}
                said = [{"type": "citations_delta", "citation": citation} for citation in cited]
                yield whole, ({"citations": [], "type": "text", "text": ""}, said + deltas)
            case Thinking(text=text, signature=signature):
                thought = [{"type": "thinking_delta", "thinking": piece} for piece in cut(text, (4, 30, 38))]
                signed = {"type": "signature_delta", "signature": signature}
                whole = {"type": "thinking", "thinking": text, "signature": signature}
                yield whole, ({"type": "thinking", "thinking": "", "signature": ""}, [*thought, signed])
            case Redacted(data=data):
                block = {"type": "redacted_thinking", "data": data}
                yield block, (block, [])
            case Call(name=name, arguments=arguments):
                head = {"type": "tool_use", "id": f"toolu_01{self._names.base58(22)}", "name": name}
                # A tool without arguments streams one empty delta and nothing else.
                pieces = () if arguments == "{}" else part.pieces or tuple(cut(arguments, (7, 9, 4)))
                said = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]
                yield {**head, "input": json.loads(arguments), **_DIRECT}, ({**head, "input": {}, **_DIRECT}, said)
            case WebSearch(query=query, found=found):
                yield from self._search(query, found)
            case _:
                raise ValueError(f"Messages has no place for {type(part).__name__}: write this scenario for a vendor that has")

    def _search(
        self, query: str, found: tuple[Citation, ...]
    ) -> Iterator[tuple[dict[str, Any], tuple[dict[str, Any], list[dict[str, Any]]]]]:
        name = f"srvtoolu_01{self._names.base58(22)}"
        head = {"type": "server_tool_use", "id": name, "name": "web_search"}
        said = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *words(f'{{"query": "{query}"}}'))]
        yield {**head, "input": {"query": query}, **_DIRECT}, ({**head, "input": {}, **_DIRECT}, said)
        results = [
            {
                "type": "web_search_result",
                "title": citation.title,
                "url": citation.url,
                "encrypted_content": self._names.base64(400, "EucECioIBxgCIiQ"),
                "page_age": "3 weeks ago" if number == 0 else None,
            }
            for number, citation in enumerate(found)
        ]
        block = {"type": "web_search_tool_result", "tool_use_id": name, "content": results}
        yield block, (block, [])

    def _citation(self, citation: Citation) -> dict[str, Any]:
        return {
            "type": "web_search_result_location",
            "cited_text": citation.quoted,
            "url": citation.url,
            "title": citation.title,
            "encrypted_index": self._names.base64(200, "Eo8BCioIBxgCIiQ"),
        }

    def _frame(self, value: dict[str, Any]) -> bytes:
        body = write_bytes(value, TIGHT)[:-1] + b" " * self._names.number(16) + b"}"
        return f"event: {value['type']}".encode() + b"\ndata: " + body + b"\n\n"
