"""What a recording shows, told from its bytes, so that a suite can ask for recordings by what they exercise."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

from harness.recording.format import Recording


class Feature(StrEnum):
    STREAM = "stream"  # the answer is an event stream
    ERROR = "error"  # status from 400 on
    ERROR_IN_STREAM = "error-in-stream"
    TOOLS_OFFERED = "tools-offered"
    TOOL_CALL = "tool-call"
    PARALLEL_TOOL_CALLS = "parallel-tool-calls"
    THINKING = "thinking"
    SIGNATURE = "signature"
    STRUCTURED_OUTPUT = "structured-output"
    REFUSAL = "refusal"
    TRUNCATED = "truncated"  # stopped at the token limit
    CACHE_READ = "cache-read"
    CACHE_WRITE = "cache-write"
    CITATIONS = "citations"


_CALL: Final = (
    rb'"type": ?"(?:tool_use|function_call|custom_tool_call)"|"functionCall":'
    rb'|"tool_calls": ?\[\s*\{'
)

# Looked for in the answer's bytes. Spacing differs by vendor, so blanks are allowed wherever JSON allows one after a colon.
_IN_ANSWER: Final = {
    Feature.TOOL_CALL: re.compile(_CALL),
    Feature.THINKING: re.compile(
        rb'"type": ?"(?:thinking|redacted_thinking|reasoning)"|"thought": ?true|"reasoning_content": ?"[^"]|"reasoning_tokens": ?[1-9]'
    ),
    Feature.SIGNATURE: re.compile(rb'"(?:signature|thoughtSignature|encrypted_content)": ?"[^"]'),
    Feature.REFUSAL: re.compile(
        rb'"refusal": ?"[^"]|"stop_reason": ?"refusal"|"type": ?"refusal"|"finish_reason": ?"content_filter"|"blockReason"'
    ),
    Feature.TRUNCATED: re.compile(
        rb'"finish_reason": ?"length"|"stop_reason": ?"max_tokens"|"finishReason": ?"MAX_TOKENS"|"reason": ?"max_output_tokens"'
    ),
    Feature.CACHE_READ: re.compile(rb'"(?:cached_tokens|cache_read_input_tokens|cachedContentTokenCount|prompt_cache_hit_tokens)": ?[1-9]'),
    Feature.CACHE_WRITE: re.compile(rb'"(?:cache_creation_input_tokens|cache_write_tokens)": ?[1-9]'),
    Feature.CITATIONS: re.compile(rb'"citations": ?\[\s*\{|"type": ?"(?:citations_delta|url_citation)"|"groundingChunks"'),
}
_IN_REQUEST: Final = {
    Feature.TOOLS_OFFERED: re.compile(rb'"(?:tools|functions)": ?\[\s*\{'),
    Feature.STRUCTURED_OUTPUT: re.compile(
        rb'"(?:response_format|output_format|text_format)": ?\{|"type": ?"json_schema"|"response_?(?:json_?)?schema": ?\{', re.IGNORECASE
    ),
}
_ERROR_EVENT: Final = re.compile(rb'^event: ?error|^data: ?\{"error":|"type": ?"response\.failed"', re.MULTILINE)
_EVENT: Final = re.compile(rb"^(?:data|event):", re.MULTILINE)
# One match per call, not per fragment of it.
_CALL_START: Final = re.compile(
    rb'"type": ?"content_block_start"[^\n]*"type": ?"tool_use"|"type": ?"response\.output_item\.added"[^\n]*"type": ?"function_call"'
    rb'|"functionCall":|"id": ?"call_[^"]+",\s*"type": ?"function"'
)
_CALL_WHOLE: Final = re.compile(rb'"type": ?"(?:tool_use|function_call)"|"functionCall":|"id": ?"call_[^"]+",\s*"type": ?"function"')


@lru_cache(maxsize=4096)
def features(recording: Recording) -> frozenset[Feature]:
    """Everything the recording shows. Read from the bytes: a prompt that quotes a vendor's JSON may show what isn't there."""
    body = recording.body
    asked = recording.request.body
    found = {feature for feature, pattern in _IN_ANSWER.items() if pattern.search(body)}
    found |= {feature for feature, pattern in _IN_REQUEST.items() if pattern.search(asked)}
    is_stream = bool(_EVENT.match(body))
    if is_stream:
        found.add(Feature.STREAM)
        if _ERROR_EVENT.search(body):
            found.add(Feature.ERROR_IN_STREAM)
    if recording.status >= 400:
        found.add(Feature.ERROR)
    if len((_CALL_START if is_stream else _CALL_WHOLE).findall(body)) > 1:
        found.add(Feature.PARALLEL_TOOL_CALLS)
    return frozenset(found)
