"""Values that pass, by schema: each as full as its schema knows, so that a test can take away or change every part of it."""

from typing import Any

from harness.tests.request_seeds import REQUEST_SEEDS

TOKEN: dict[str, Any] = {
    "token": "Hi",
    "logprob": -0.25,
    "bytes": [72, 105],
    "top_logprobs": [{"token": "Hi", "logprob": -0.25, "bytes": None}],
}
MODERATION: dict[str, Any] = {"input": {"type": "moderation_results"}, "output": {"type": "moderation_results"}}
CHAT_USAGE: dict[str, Any] = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 0, "image_tokens": 0, "text_tokens": 12},
    "completion_tokens_details": {
        "reasoning_tokens": 1,
        "audio_tokens": 0,
        "text_tokens": 4,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
    "prompt_cache_hit_tokens": 4,
    "prompt_cache_miss_tokens": 8,
}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1780000000,
    "model": "gpt-5-mini",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "annotations": [
                    {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "A", "start_index": 0, "end_index": 4}}
                ],
                "tool_calls": [
                    {"id": "call_1", "index": 0, "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
                    {"id": "call_2", "type": "custom", "custom": {"name": "python", "input": "print(1)"}},
                ],
                "audio": {"id": "audio_1", "data": "AAAA", "expires_at": 1780000100, "transcript": "Hi"},
                "function_call": {"name": "weather", "arguments": "{}"},
                "reasoning_content": "Oslo, then.",
            },
            "logprobs": {"content": [TOKEN], "refusal": None, "reasoning_content": [TOKEN]},
            "finish_reason": "tool_calls",
            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
        }
    ],
    "usage": CHAT_USAGE,
    "service_tier": "default",
    "system_fingerprint": None,
    "moderation": MODERATION,
    "metadata": {"ticket": "1"},
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
}
FILTERED: dict[str, Any] = {
    **COMPLETION,
    "choices": [{"index": 0, "finish_reason": "content_filter", "logprobs": None, "content_filter_results": {}}],
}
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1780000000,
    "model": "gpt-5-mini",
    "service_tier": "default",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "delta": {
                "role": "assistant",
                "content": "",
                "refusal": None,
                "reasoning_content": "So",
                "function_call": {"name": "weather", "arguments": "{"},
                "audio": {"id": "audio_1"},
                "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}],
            },
            "logprobs": {"content": [], "refusal": [TOKEN]},
            "finish_reason": None,
            "content_filter_results": {},
        }
    ],
    "usage": None,
    "obfuscation": "x1",
}
FRAGMENT: dict[str, Any] = {
    **CHUNK,
    "choices": [
        {
            "index": 0,
            "delta": {
                "tool_calls": [{"index": 0, "function": {"arguments": '{"c'}}, {"index": 1, "custom": {"name": "python", "input": "pr"}}]
            },
            "finish_reason": "tool_calls",
        }
    ],
}
LAST: dict[str, Any] = {**CHUNK, "choices": [], "usage": CHAT_USAGE, "moderation": MODERATION}
AZURE_FIRST: dict[str, Any] = {
    "choices": [],
    "created": 0,
    "id": "",
    "model": "",
    "object": "",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
}

CACHE_CREATION: dict[str, Any] = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0}
ITERATION: dict[str, Any] = {
    "type": "message",
    "input_tokens": 3,
    "output_tokens": 4,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_creation": CACHE_CREATION,
    "model": "claude-opus-4-8",
}
MESSAGES_USAGE: dict[str, Any] = {
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 0,
    "cache_creation": CACHE_CREATION,
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    "output_tokens_details": {"thinking_tokens": 5},
    "service_tier": "standard",
    "speed": "standard",
    "inference_geo": "global",
    "iterations": [ITERATION],
    "fallback_credit": {"left": 1},
}
CITATIONS: list[dict[str, Any]] = [
    {"type": "char_location", "cited_text": "a", "document_index": 0, "document_title": None, "start_char_index": 0, "end_char_index": 1},
    {"type": "page_location", "cited_text": "a", "document_index": 0, "document_title": "T", "start_page_number": 1, "end_page_number": 2},
    {
        "type": "content_block_location",
        "cited_text": "a",
        "document_index": 0,
        "document_title": None,
        "start_block_index": 0,
        "end_block_index": 1,
    },
    {
        "type": "search_result_location",
        "cited_text": "a",
        "source": "s",
        "title": "t",
        "search_result_index": 0,
        "start_block_index": 0,
        "end_block_index": 1,
    },
    {"type": "web_search_result_location", "cited_text": "a", "url": "https://example.com", "title": None, "encrypted_index": "e"},
]
OUTPUT: dict[str, Any] = {"type": "code_execution_output", "file_id": "file_1"}


def _result(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "tool_use_id": "srvtoolu_1", "content": content, **more}


DIRECT: dict[str, Any] = {"type": "direct"}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "Hi", "citations": CITATIONS},
    {"type": "thinking", "thinking": "", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "ZGF0YQ"},
    {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "weather",
        "input": {"city": "Oslo"},
        "toolset_name": None,
        "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"},
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {},
        "caller": {"type": "code_execution_20260120", "tool_id": "srvtoolu_2"},
    },
    {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "echo", "input": {}, "server_name": "echo"},
    _result("mcp_tool_result", [{"type": "text", "text": "hello"}], is_error=False),
    _result(
        "web_search_tool_result",
        [{"type": "web_search_result", "title": "t", "url": "u", "encrypted_content": "e", "page_age": None}],
        caller=DIRECT,
    ),
    _result("web_search_tool_result", {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}),
    _result(
        "web_fetch_tool_result",
        {
            "type": "web_fetch_result",
            "url": "u",
            "retrieved_at": "2026-01-01T00:00:00Z",
            "content": {
                "type": "document",
                "title": None,
                "citations": {"enabled": True},
                "source": {"type": "text", "media_type": "text/plain", "data": "d"},
            },
        },
        caller=DIRECT,
    ),
    _result("web_fetch_tool_result", {"type": "web_fetch_tool_result_error", "error_code": "url_not_allowed"}),
    _result(
        "code_execution_tool_result",
        {"type": "code_execution_result", "stdout": "", "stderr": "", "return_code": 0, "content": [OUTPUT], "abort_reason": None},
    ),
    _result(
        "code_execution_tool_result",
        {"type": "encrypted_code_execution_result", "encrypted_stdout": "e", "stderr": "", "return_code": 0, "content": [OUTPUT]},
    ),
    _result("code_execution_tool_result", {"type": "code_execution_tool_result_error", "error_code": "unavailable"}),
    _result(
        "bash_code_execution_tool_result",
        {"type": "bash_code_execution_result", "stdout": "", "stderr": "", "return_code": 0, "content": [OUTPUT]},
    ),
    _result("bash_code_execution_tool_result", {"type": "bash_code_execution_tool_result_error", "error_code": "unavailable"}),
    _result(
        "text_editor_code_execution_tool_result",
        {
            "type": "text_editor_code_execution_view_result",
            "file_type": "text",
            "content": "c",
            "num_lines": 1,
            "start_line": 1,
            "total_lines": 1,
        },
    ),
    _result("text_editor_code_execution_tool_result", {"type": "text_editor_code_execution_create_result", "is_file_update": False}),
    _result(
        "text_editor_code_execution_tool_result",
        {
            "type": "text_editor_code_execution_str_replace_result",
            "old_start": 1,
            "old_lines": 1,
            "new_start": 1,
            "new_lines": 1,
            "lines": ["-a"],
        },
    ),
    _result(
        "text_editor_code_execution_tool_result",
        {"type": "text_editor_code_execution_tool_result_error", "error_code": "unavailable", "error_message": None},
    ),
    _result(
        "tool_search_tool_result",
        {"type": "tool_search_tool_search_result", "tool_references": [{"type": "tool_reference", "tool_name": "weather"}]},
    ),
    _result("tool_search_tool_result", {"type": "tool_search_tool_result_error", "error_code": "unavailable", "error_message": None}),
    _result("advisor_tool_result", {"type": "advisor_result", "text": "t", "stop_reason": "end_turn"}),
    _result("advisor_tool_result", {"type": "advisor_redacted_result", "encrypted_content": "e", "stop_reason": None}),
    _result("advisor_tool_result", {"type": "advisor_tool_result_error", "error_code": "unavailable"}),
    {"type": "container_upload", "file_id": "file_1"},
    {"type": "compaction", "content": None, "encrypted_content": None},
    {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
]
STOP_DETAILS: dict[str, Any] = {
    "type": "refusal",
    "category": None,
    "explanation": "no",
    "recommended_model": "m",
    "fallback_credit_token": "t",
    "fallback_has_prefill_claim": False,
}
CONTAINER: dict[str, Any] = {
    "id": "container_1",
    "expires_at": "2026-01-01T00:00:00Z",
    "skills": [{"type": "anthropic", "skill_id": "pptx", "version": "1"}],
}
EDITS: dict[str, Any] = {"applied_edits": [{"type": "clear_tool_uses_20250919"}]}
MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "stop_details": STOP_DETAILS,
    "usage": MESSAGES_USAGE,
    "container": CONTAINER,
    "context_management": EDITS,
    "diagnostics": None,
}
ANTHROPIC_ERROR: dict[str, Any] = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded", "details": {"error_code": "busy"}},
    "request_id": "req_011",
}
MESSAGES_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "thinking_delta", "thinking": "", "estimated_tokens": None}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITATIONS[0]}},
    {"type": "content_block_delta", "index": 3, "delta": {"type": "compaction_delta", "content": None, "encrypted_content": None}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_sequence": None, "stop_details": STOP_DETAILS, "container": CONTAINER},
        "usage": MESSAGES_USAGE,
        "context_management": EDITS,
        "input_transformations": [],
    },
    {"type": "message_stop"},
    {"type": "ping"},
    ANTHROPIC_ERROR,
]

LOGPROB: dict[str, Any] = {"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": []}]}
ANNOTATIONS: list[dict[str, Any]] = [
    {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1},
    {"type": "file_citation", "file_id": "file-1", "filename": "f", "index": 0},
    {"type": "container_file_citation", "container_id": "cntr_1", "file_id": "cfile_1", "filename": "f", "start_index": 0, "end_index": 1},
    {"type": "file_path", "file_id": "file-1", "index": 0},
]
PARTS: list[dict[str, Any]] = [
    {"type": "output_text", "text": "Hi", "annotations": ANNOTATIONS, "logprobs": [LOGPROB]},
    {"type": "refusal", "refusal": "No."},
    {"type": "reasoning_text", "text": "So"},
    {"type": "summary_text", "text": "So"},
    {"type": "input_text", "text": "Hi"},
]
FUNCTION_TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": None,
    "parameters": {"type": "object"},
    "strict": True,
    "defer_loading": False,
    "output_schema": None,
    "allowed_callers": ["programmatic"],
}
TOOLS: list[dict[str, Any]] = [
    FUNCTION_TOOL,
    {"type": "custom", "name": "python", "description": "d", "format": {"type": "text"}},
    {"type": "namespace", "name": "crm", "description": "d", "tools": [FUNCTION_TOOL]},
    {
        "type": "file_search",
        "vector_store_ids": ["vs_1"],
        "max_num_results": 20,
        "filters": None,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
    },
    {
        "type": "web_search",
        "search_context_size": "medium",
        "filters": None,
        "user_location": {"type": "approximate", "city": None, "country": "NO", "region": None, "timezone": None},
    },
    {
        "type": "mcp",
        "server_label": "wiki",
        "server_url": "u",
        "headers": None,
        "require_approval": "never",
        "allowed_tools": ["ask"],
        "server_description": None,
        "connector_id": None,
        "authorization": None,
    },
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {
        "type": "image_generation",
        "background": "auto",
        "moderation": "auto",
        "n": 1,
        "output_compression": 100,
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
    },
    {"type": "tool_search", "description": None, "execution": "client", "parameters": None},
    {"type": "shell", "environment": {"type": "container_reference"}},
]
CALLED: dict[str, Any] = {"id": "i_1", "call_id": "call_1", "status": "completed"}
PROGRAM: dict[str, Any] = {"type": "program", "caller_id": "call_0"}
SHELL_OUTPUT: list[dict[str, Any]] = [{"outcome": {"type": "exit", "exit_code": 0}, "stdout": "", "stderr": "", "created_by": None}]


def _search(action: dict[str, Any]) -> dict[str, Any]:
    return {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action}


ITEMS: list[dict[str, Any]] = [
    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": PARTS, "phase": "final_answer"},
    {"type": "reasoning", "id": "rs_1", "summary": [PARTS[3]], "content": [PARTS[2]], "encrypted_content": "e", "status": None},
    {"type": "function_call", **CALLED, "name": "weather", "arguments": "{}", "namespace": "crm", "caller": PROGRAM},
    {"type": "function_call_output", **CALLED, "output": "rain"},
    {"type": "custom_tool_call", **CALLED, "name": "python", "input": "print(1)", "namespace": None, "caller": None},
    {"type": "custom_tool_call_output", **CALLED, "output": "1"},
    _search({"type": "search", "query": "q", "queries": ["q"], "sources": [{"type": "url", "url": "u", "name": "n"}]}),
    _search({"type": "open_page", "url": "u"}),
    _search({"type": "find_in_page", "pattern": "p", "url": "u"}),
    {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": ["q"],
        "results": [{"file_id": "file-1", "filename": "f", "score": 0.5, "text": "t", "attributes": {}}],
    },
    {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "status": "completed",
        "code": "1",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "url": "u"}],
    },
    {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": "AAAA",
        "background": "opaque",
        "output_format": "png",
        "quality": "low",
        "revised_prompt": "p",
        "size": "1024x1024",
        "action": "generate",
    },
    {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "wiki",
        "name": "ask",
        "arguments": "{}",
        "approval_request_id": None,
        "error": None,
        "output": "o",
        "status": "completed",
    },
    {
        "type": "mcp_list_tools",
        "id": "mcpl_1",
        "server_label": "wiki",
        "tools": [{"name": "ask", "input_schema": {}, "description": "d", "annotations": None}],
        "error": None,
    },
    {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "wiki", "name": "ask", "arguments": "{}"},
    {"type": "tool_search_call", **CALLED, "execution": "server", "arguments": {"paths": ["crm"]}},
    {"type": "tool_search_output", **CALLED, "execution": "server", "tools": [FUNCTION_TOOL]},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "e"},
    {
        "type": "local_shell_call",
        **CALLED,
        "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": None, "user": None, "working_directory": "/"},
    },
    {
        "type": "shell_call",
        **CALLED,
        "action": {"commands": ["ls"], "max_output_length": None, "timeout_ms": 5},
        "environment": {"type": "container_reference", "container_id": "cntr_1"},
        "caller": PROGRAM,
    },
    {"type": "shell_call_output", **CALLED, "output": SHELL_OUTPUT, "max_output_length": None},
    {"type": "apply_patch_call", **CALLED, "operation": {"type": "create_file", "path": "a.txt", "diff": "+a"}},
    {"type": "apply_patch_call_output", **CALLED, "output": None},
    {"type": "computer_call", **CALLED, "action": {"type": "click"}, "actions": None, "pending_safety_checks": []},
    {"type": "program", "id": "prg_1", "call_id": "call_1", "code": "c", "fingerprint": "f"},
    {"type": "program_output", **CALLED, "result": "r"},
]
RESPONSES_USAGE: dict[str, Any] = {
    "input_tokens": 10,
    "input_tokens_details": {
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_tokens_details": {"ttl_30m_tokens": 0, "ttl_12h_tokens": 0},
    },
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}
IMAGE_USAGE: dict[str, Any] = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "total_tokens": 0,
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1780000000,
    "status": "completed",
    "background": False,
    "billing": {"payer": "developer"},
    "completed_at": 1780000001,
    "conversation": {"id": "conv_1"},
    "error": None,
    "frequency_penalty": 0.0,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "model": "gpt-5",
    "moderation": MODERATION,
    "output": [ITEMS[0]],
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt": {"id": "pmpt_1"},
    "prompt_cache_key": None,
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": None,
    "reasoning": {"effort": "low", "summary": None, "generate_summary": None, "context": "current_turn", "mode": "standard"},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "description": None, "strict": True}, "verbosity": "medium"},
    "tool_choice": {"type": "function", "name": "weather"},
    "tool_usage": {"image_gen": IMAGE_USAGE, "web_search": {"num_requests": 0}},
    "tools": [FUNCTION_TOOL],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": RESPONSES_USAGE,
    "user": None,
}
STARTED: dict[str, Any] = {**RESPONSE, "status": "in_progress", "output": [], "usage": None, "tool_choice": "auto"}
FAILED: dict[str, Any] = {**RESPONSE, "status": "failed", "usage": None, "error": {"code": "server_error", "message": "m"}}
INCOMPLETE: dict[str, Any] = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
I_: dict[str, Any] = {"sequence_number": 4, "output_index": 0, "item_id": "i_1"}
IC: dict[str, Any] = {**I_, "content_index": 0}
IS: dict[str, Any] = {**I_, "summary_index": 0}
COMMAND: dict[str, Any] = {"sequence_number": 4, "output_index": 0, "command_index": 0}
DELTA: dict[str, Any] = {"delta": "x", "obfuscation": "y"}
OF_ITEM = (
    *(f"response.mcp_call.{step}" for step in ("in_progress", "completed", "failed")),
    *(f"response.mcp_list_tools.{step}" for step in ("in_progress", "completed", "failed")),
    *(f"response.file_search_call.{step}" for step in ("in_progress", "searching", "completed")),
    *(f"response.web_search_call.{step}" for step in ("in_progress", "searching", "completed")),
    *(f"response.code_interpreter_call.{step}" for step in ("in_progress", "interpreting", "completed")),
    *(f"response.image_generation_call.{step}" for step in ("in_progress", "generating", "completed")),
    "response.compaction.compacting",
)
NESTED_ERROR: dict[str, Any] = {
    "type": "error",
    "sequence_number": 2,
    "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m", "param": None},
}
FLAT_ERROR: dict[str, Any] = {"type": "error", "sequence_number": 2, "code": None, "message": "m", "param": None}
RESPONSES_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "sequence_number": 0, "response": STARTED},
    {"type": "response.queued", "sequence_number": 1, "response": {**STARTED, "status": "queued"}},
    {"type": "response.in_progress", "sequence_number": 1, "response": STARTED},
    {"type": "response.completed", "sequence_number": 9, "response": RESPONSE},
    {"type": "response.failed", "sequence_number": 9, "response": FAILED},
    {"type": "response.incomplete", "sequence_number": 9, "response": INCOMPLETE},
    {"type": "response.output_item.added", "sequence_number": 2, "output_index": 0, "item": {**ITEMS[0], "content": []}},
    {"type": "response.output_item.done", "sequence_number": 8, "output_index": 0, "item": ITEMS[2]},
    {"type": "response.content_part.added", **IC, "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}},
    {"type": "response.content_part.done", **IC, "part": PARTS[1]},
    {"type": "response.output_text.delta", **IC, **DELTA, "logprobs": [LOGPROB]},
    {"type": "response.output_text.done", **IC, "text": "x", "logprobs": [LOGPROB]},
    {"type": "response.output_text.annotation.added", **IC, "annotation_index": 0, "annotation": ANNOTATIONS[0]},
    {"type": "response.refusal.delta", **IC, **DELTA},
    {"type": "response.refusal.done", **IC, "refusal": "x"},
    {"type": "response.reasoning_text.delta", **IC, **DELTA},
    {"type": "response.reasoning_text.done", **IC, "text": "x"},
    {"type": "response.reasoning_summary_part.added", **IS, "part": PARTS[3]},
    {"type": "response.reasoning_summary_part.done", **IS, "part": PARTS[3], "status": "incomplete"},
    {"type": "response.reasoning_summary_text.delta", **IS, **DELTA},
    {"type": "response.reasoning_summary_text.done", **IS, "text": "x"},
    {"type": "response.function_call_arguments.delta", **I_, **DELTA},
    {"type": "response.function_call_arguments.done", **I_, "arguments": "{}", "name": "weather"},
    {"type": "response.custom_tool_call_input.delta", **I_, **DELTA},
    {"type": "response.custom_tool_call_input.done", **I_, "input": "x"},
    {"type": "response.mcp_call_arguments.delta", **I_, **DELTA},
    {"type": "response.mcp_call_arguments.done", **I_, "arguments": "{}"},
    *({"type": kind, **I_} for kind in OF_ITEM),
    {"type": "response.code_interpreter_call_code.delta", **I_, **DELTA},
    {"type": "response.code_interpreter_call_code.done", **I_, "code": "1"},
    {
        "type": "response.image_generation_call.partial_image",
        **I_,
        "partial_image_b64": "AAAA",
        "partial_image_index": 0,
        "size": "1024x1024",
        "quality": "low",
        "background": "opaque",
        "output_format": "png",
    },
    {"type": "response.shell_call_command.added", **COMMAND, "command": ""},
    {"type": "response.shell_call_command.delta", **COMMAND, **DELTA},
    {"type": "response.shell_call_command.done", **COMMAND, "command": "ls"},
    {"type": "response.shell_call_output_content.delta", **I_, "command_index": 0, "delta": {"stdout": "a", "stderr": None}},
    {"type": "response.shell_call_output_content.done", **I_, "command_index": 0, "output": SHELL_OUTPUT},
    {"type": "response.apply_patch_call_operation_diff.delta", **I_, **DELTA},
    {"type": "response.apply_patch_call_operation_diff.done", **I_, "diff": "+a"},
    {"type": "response.audio.delta", "sequence_number": 3, "delta": "AAAA"},
    {"type": "response.audio.transcript.delta", "sequence_number": 3, "delta": "Hi"},
    NESTED_ERROR,
    FLAT_ERROR,
]
TOOL_CHOICES: list[dict[str, Any]] = [
    {"type": "custom", "name": "python"},
    {"type": "mcp", "server_label": "wiki"},
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
]

BY_MODALITY: list[dict[str, Any]] = [{"modality": "TEXT", "tokenCount": 4}]
SAFETY: list[dict[str, Any]] = [
    {
        "category": "HARM_CATEGORY_HARASSMENT",
        "probability": "LOW",
        "blocked": False,
        "probabilityScore": 0.1,
        "severity": "LOW",
        "severityScore": 0.1,
    }
]
CITED: list[dict[str, Any]] = [
    {"startIndex": 0, "endIndex": 4, "uri": "u", "license": "mit", "title": "t", "publicationDate": {"year": 2020}}
]
CHOSEN: dict[str, Any] = {"token": "Hi", "logProbability": -0.5, "tokenId": 7}
GEMINI_TOP: dict[str, Any] = {
    "usageMetadata": {
        "promptTokenCount": 4,
        "candidatesTokenCount": 2,
        "totalTokenCount": 6,
        "thoughtsTokenCount": 0,
        "cachedContentTokenCount": 0,
        "toolUsePromptTokenCount": 0,
        "promptTokensDetails": BY_MODALITY,
        "candidatesTokensDetails": BY_MODALITY,
        "cacheTokensDetails": BY_MODALITY,
        "toolUsePromptTokensDetails": BY_MODALITY,
        "trafficType": "ON_DEMAND",
        "serviceTier": "standard",
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r_1",
    "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "m", "safetyRatings": SAFETY},
    "modelStatus": {"modelStage": "STABLE"},
}
GEMINI_PARTS: list[dict[str, Any]] = [
    {"text": "Hi", "thought": True, "thoughtSignature": "c2ln"},
    {"functionCall": {"name": "weather", "args": {"city": "Oslo"}, "id": "c_1"}},
    {"functionResponse": {"name": "weather", "response": {}, "id": "c_1"}},
    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    {"fileData": {"fileUri": "gs://a", "mimeType": "image/png"}, "videoMetadata": {"fps": 1}},
    {"executableCode": {"language": "PYTHON", "code": "1", "id": "x_1"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "x_1"}},
    {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t_1", "args": {}}},
    {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t_1", "response": {}}},
]
CANDIDATE: dict[str, Any] = {
    "content": {"role": "model", "parts": GEMINI_PARTS},
    "finishReason": "STOP",
    "finishMessage": "m",
    "index": 0,
    "safetyRatings": SAFETY,
    "citationMetadata": {"citationSources": CITED, "citations": CITED},
    "groundingMetadata": {
        "groundingChunks": [
            {"web": {"uri": "u", "title": "t", "domain": "d"}},
            {"retrievedContext": {"uri": "u", "title": "t", "text": "x", "fileSearchStore": "s", "customMetadata": [{"key": "k"}]}},
        ],
        "groundingSupports": [
            {
                "segment": {"partIndex": 0, "startIndex": 0, "endIndex": 4, "text": "x"},
                "groundingChunkIndices": [0],
                "confidenceScores": [0.5],
            }
        ],
        "webSearchQueries": ["q"],
        "searchEntryPoint": {"renderedContent": "<div>", "sdkBlob": "b"},
        "retrievalMetadata": {},
        "retrievalQueries": ["q"],
    },
    "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "u", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]},
    "avgLogprobs": -0.5,
    "logprobsResult": {"chosenCandidates": [CHOSEN], "topCandidates": [{"candidates": [CHOSEN]}], "logProbabilitySum": -0.5},
    "tokenCount": 2,
    "continuationToken": "c",
}
PARTIAL: dict[str, Any] = {
    "functionCall": {
        "name": "weather",
        "id": "c_1",
        "willContinue": True,
        "partialArgs": [
            {"jsonPath": "$.city", "stringValue": "Os", "willContinue": True},
            {"jsonPath": "$.days", "numberValue": 2},
            {"jsonPath": "$.long", "boolValue": False},
            {"jsonPath": "$.unit", "nullValue": None},
        ],
    }
}
OPENAI_MODEL: dict[str, Any] = {
    "id": "gpt-5",
    "object": "model",
    "created": 1780000000,
    "owned_by": "openai",
    "family": "gpt",
    "capabilities": ["tools"],
    "context_window": 400000,
    "max_output_tokens": 128000,
    "input_modalities": ["text"],
    "output_modalities": ["text"],
    "pricing_url": "https://example.com/pricing",
    "protocols_aggregate": ["openai_chat", "anthropic_messages:translated"],
}
ANTHROPIC_MODEL: dict[str, Any] = {
    "type": "model",
    "id": "claude-sonnet-5",
    "display_name": "Claude Sonnet 5",
    "created_at": "2026-06-01T00:00:00Z",
    "max_input_tokens": 1000000,
    "max_tokens": 64000,
    "capabilities": {"vision": {}},
    "lifecycle": "active",
    "line": "sonnet",
    "deprecated_at": None,
    "retires_at": None,
}
GEMINI_MODEL: dict[str, Any] = {
    "name": "models/gemini-2.5-flash",
    "version": "001",
    "displayName": "Gemini 2.5 Flash",
    "description": "d",
    "inputTokenLimit": 1048576,
    "outputTokenLimit": 65536,
    "supportedGenerationMethods": ["generateContent"],
    "temperature": 1,
    "topP": 0.95,
    "topK": 64,
    "maxTemperature": 2,
    "thinking": True,
    "baseModelId": "gemini-2.5-flash",
}
GOOGLE_ERROR: dict[str, Any] = {
    "error": {
        "code": 429,
        "message": "m",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}],
    }
}

SEEDS: dict[str, list[Any]] = {
    "chat/completion": [COMPLETION, FILTERED],
    "chat/chunk": [CHUNK, FRAGMENT, LAST, AZURE_FIRST],
    "messages/message": [MESSAGE],
    "messages/block": BLOCKS,
    "messages/event": MESSAGES_EVENTS,
    "messages/count_tokens": [{"input_tokens": 4, "context_management": None}],
    "responses/response": [RESPONSE, STARTED, FAILED, INCOMPLETE, *({**RESPONSE, "tool_choice": choice} for choice in TOOL_CHOICES)],
    "responses/item": ITEMS,
    "responses/tool": TOOLS,
    "responses/event": RESPONSES_EVENTS,
    "gemini/response": [{"candidates": [CANDIDATE], **GEMINI_TOP}, {**GEMINI_TOP, "createTime": "2026-01-01T00:00:00Z"}],
    "gemini/chunk": [
        {"candidates": [CANDIDATE], **GEMINI_TOP},
        {
            "candidates": [{"content": {"role": "model", "parts": [PARTIAL, {"functionCall": {}}]}}],
            **GEMINI_TOP,
            "createTime": "2026-01-01T00:00:00Z",
        },
    ],
    "gemini/count_tokens": [
        {
            "totalTokens": 4,
            "cachedContentTokenCount": 0,
            "totalBillableCharacters": 12,
            "promptTokensDetails": BY_MODALITY,
            "cacheTokensDetails": BY_MODALITY,
        }
    ],
    "models/openai-model": [OPENAI_MODEL, {"id": "deepseek-v4-flash", "object": "model", "owned_by": "deepseek"}],
    "models/openai-list": [{"object": "list", "data": [OPENAI_MODEL]}],
    "models/anthropic-model": [ANTHROPIC_MODEL],
    "models/anthropic-list": [{"data": [ANTHROPIC_MODEL], "has_more": False, "first_id": "claude-sonnet-5", "last_id": None}],
    "models/gemini-model": [GEMINI_MODEL],
    "models/gemini-list": [{"models": [GEMINI_MODEL], "nextPageToken": "p"}],
    "images/response": [
        {
            "created": 1780000000,
            "background": "opaque",
            "data": [{"url": "https://example.test/1.png", "revised_prompt": None, "b64_json": None}],
            "output_format": "png",
            "quality": "medium",
            "size": "1024x1024",
            "usage": {"input_tokens": 9, "input_tokens_details": {"text_tokens": 9}, "output_tokens": 1056, "total_tokens": 1065},
        }
    ],
    "errors/openai": [
        {"error": {"message": "m", "type": "invalid_request_error", "param": None, "code": "model_not_found"}},
        {"error": {"code": "404", "message": "Resource not found"}},
    ],
    "errors/openai-event": [NESTED_ERROR, FLAT_ERROR],
    "errors/anthropic": [ANTHROPIC_ERROR],
    "errors/google": [GOOGLE_ERROR, [GOOGLE_ERROR]],
    **REQUEST_SEEDS,
}
