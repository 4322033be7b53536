"""Requests that pass, by schema: each as full as its schema knows, as `schema_seeds` has answers."""

from typing import Any

_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_BREAK: dict[str, Any] = {"mode": "explicit", "ttl": "12h"}
_MARK: dict[str, Any] = {"type": "ephemeral", "ttl": "1h"}
_TEXT: dict[str, Any] = {"type": "text", "text": "Hi", "prompt_cache_breakpoint": _BREAK}
_CALL: dict[str, Any] = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
_FUNCTION: dict[str, Any] = {"name": "weather", "description": "Tells it.", "parameters": _SCHEMA, "strict": True}

_CHAT: dict[str, Any] = {
    "model": "gpt-5-mini",
    "messages": [
        {"role": "system", "content": [_TEXT], "name": "house"},
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "name": "ada",
            "content": [
                _TEXT,
                {
                    "type": "image_url",
                    "image_url": {"url": "https://example.com/a.png", "detail": "low"},
                    "prompt_cache_breakpoint": _BREAK,
                },
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}, "prompt_cache_breakpoint": _BREAK},
                {"type": "file", "file": {"file_data": "AAAA", "file_id": "f", "filename": "a.pdf"}, "prompt_cache_breakpoint": _BREAK},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Hm"}, {"type": "refusal", "refusal": "No."}],
            "name": "bot",
            "refusal": None,
            "audio": {"id": "audio_1"},
            "function_call": {"name": "weather", "arguments": "{}"},
            "tool_calls": [_CALL, {"id": "call_2", "type": "custom", "custom": {"name": "python", "input": "1"}}],
        },
        {"role": "tool", "content": [_TEXT], "tool_call_id": "call_1"},
        {"role": "function", "content": None, "name": "weather"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "max_tokens": 9,
    "max_completion_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ["x"],
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logprobs": True,
    "top_logprobs": 2,
    "tools": [
        {"type": "function", "function": _FUNCTION},
        {"type": "custom", "custom": {"name": "python", "description": "Runs it.", "format": {"type": "text"}}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "w", "description": "d", "schema": _SCHEMA, "strict": True}},
    "n": 1,
    "seed": 7,
    "logit_bias": {"50256": -100},
    "parallel_tool_calls": False,
    "functions": [{"name": "weather", "description": "Tells it.", "parameters": _SCHEMA}],
    "function_call": {"name": "weather"},
    "reasoning_effort": "low",
    "verbosity": "low",
    "modalities": ["text"],
    "audio": {"format": "wav", "voice": "ash"},
    "prediction": {"type": "content", "content": "x"},
    "moderation": None,
    "web_search_options": {},
    "metadata": {"a": "b"},
    "store": False,
    "user": "u",
    "safety_identifier": "u",
    "service_tier": "auto",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
}
_CHAT_CHOICES: list[dict[str, Any]] = [
    {"type": "custom", "custom": {"name": "python"}},
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "weather"}}]}},
]
_SHORT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

_DEEPSEEK_CHAT: dict[str, Any] = {
    "model": "deepseek-v4-flash",
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "house"},
        {"role": "user", "content": "Hi", "name": "ada"},
        {"role": "assistant", "content": None, "name": "bot", "reasoning_content": "", "prefix": False, "tool_calls": [_CALL]},
        {"role": "tool", "content": "4", "tool_call_id": "call_1"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "max_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ["x"],
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logprobs": True,
    "top_logprobs": 2,
    "tools": [{"type": "function", "function": _FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "response_format": {"type": "json_object"},
    "parallel_tool_calls": False,
    "seed": 7,
    "n": 1,
    "thinking": {"type": "disabled"},
    "reasoning_effort": "high",
}

_PARTS: list[dict[str, Any]] = [
    {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": _BREAK},
    {"type": "input_image", "image_url": "https://example.com/a.png", "file_id": None, "detail": "low", "prompt_cache_breakpoint": _BREAK},
    {
        "type": "input_file",
        "file_data": "AAAA",
        "file_id": None,
        "file_url": None,
        "filename": "a.pdf",
        "detail": "low",
        "prompt_cache_breakpoint": _BREAK,
    },
]
_RESPONSES: dict[str, Any] = {
    "model": "gpt-5-mini",
    "input": [
        {"type": "message", "role": "user", "content": _PARTS, "id": "msg_0", "status": "completed"},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "phase": "final_answer",
            "content": [
                {"type": "output_text", "text": "Hm", "annotations": [{"type": "file_path"}], "logprobs": [{}]},
                {"type": "refusal", "refusal": "No."},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "a"}],
            "content": [{"type": "reasoning_text", "text": "b"}],
            "encrypted_content": "gAAA",
            "status": None,
        },
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": "{}",
            "id": "fc_1",
            "status": "completed",
            "async": False,
            "namespace": None,
            "caller": {"type": "direct"},
        },
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": _PARTS,
            "id": "fco_1",
            "status": None,
            "name": None,
            "namespace": None,
            "caller": None,
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"id": "msg_2"},
        {"role": "user", "content": "Hi"},
    ],
    "instructions": "Be brief.",
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "max_output_tokens": 99,
    "temperature": 0.5,
    "top_p": 0.5,
    "tools": [
        {
            "type": "function",
            "name": "weather",
            "description": "Tells it.",
            "parameters": _SCHEMA,
            "strict": True,
            "output_schema": {},
            "allowed_callers": ["direct"],
            "defer_loading": False,
            "async": False,
        },
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "function", "name": "weather"},
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "text": {"format": {"type": "json_schema", "name": "w", "schema": _SCHEMA, "description": "d", "strict": True}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto", "generate_summary": None, "context": "auto", "mode": "standard"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"a": "b"},
    "user": "u",
    "safety_identifier": "u",
    "service_tier": "auto",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "implicit", "ttl": "30m", "comparison_response_id": None, "prewarm": False},
    "store": False,
    "truncation": "auto",
    "context_management": [{"type": "compaction"}],
    "image": {"context_compression": "auto"},
    "access_programs": {},
    "top_logprobs": 2,
    "background": False,
    "background_options": {},
    "previous_response_id": None,
    "conversation": None,
    "prompt": None,
    "moderation": None,
}

_MESSAGES: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 99,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": _MARK, "citations": None}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi", "cache_control": _MARK, "citations": [{"type": "char_location"}]},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                    "cache_control": _MARK,
                    "transformations": {"oversized_image": "error"},
                },
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                    "title": "A",
                    "context": "of",
                    "citations": {"enabled": True},
                    "cache_control": _MARK,
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Hi"}]}},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {
                    "type": "search_result",
                    "source": "https://example.com",
                    "title": "A",
                    "content": [{"type": "text", "text": "Hi"}],
                    "citations": {"enabled": True},
                    "cache_control": _MARK,
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Oslo", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "AAAA"},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "weather",
                    "input": {"city": "Oslo"},
                    "cache_control": _MARK,
                    "caller": {"type": "direct"},
                    "toolset_name": None,
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "4"}, {"type": "tool_reference", "tool_name": "x"}],
                    "is_error": False,
                    "cache_control": _MARK,
                    "toolset_name": None,
                }
            ],
        },
    ],
    "stream": True,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "stop_sequences": ["x"],
    "tools": [
        {
            "type": "custom",
            "name": "weather",
            "description": "Tells it.",
            "input_schema": _SCHEMA,
            "strict": True,
            "cache_control": _MARK,
            "input_examples": [{"city": "Oslo"}],
            "eager_input_streaming": None,
            "defer_loading": False,
            "allowed_callers": ["direct"],
        },
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
    "metadata": {"user_id": "u"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": _SCHEMA}, "task_budget": None},
    "output_format": None,
    "service_tier": "auto",
    "cache_control": _MARK,
    "context_management": None,
    "container": None,
    "mcp_servers": [{"type": "url", "name": "a", "url": "https://example.com"}],
    "inference_geo": None,
    "speed": None,
    "diagnostics": None,
    "user_profile_id": "p",
    "workspace_id": "w",
}
_SHORT_MESSAGES: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
_MESSAGES_CHOICES: list[dict[str, Any]] = [
    {"type": "auto", "disable_parallel_tool_use": False},
    {"type": "any", "disable_parallel_tool_use": False},
    {"type": "none"},
]
_MESSAGES_THINKING: list[dict[str, Any]] = [
    {"type": "disabled"},
    {"type": "adaptive", "display": "summarized"},
    {"type": "between_tools"},
]
_DEEPSEEK_MESSAGES: dict[str, Any] = {
    "model": "deepseek-v4-flash",
    "max_tokens": 99,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Oslo", "signature": ""},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "4"}], "is_error": False},
            ],
        },
    ],
    "stream": True,
    "temperature": 1.5,
    "top_p": 0.5,
    "stop_sequences": ["x"],
    "tools": [{"type": "custom", "name": "weather", "description": "Tells it.", "input_schema": _SCHEMA}],
    "tool_choice": {"type": "tool", "name": "weather"},
    "thinking": {"type": "enabled", "budget_tokens": 5},
    "metadata": {"user_id": "u"},
    "output_config": {"effort": "high"},
}

_BLOB: dict[str, Any] = {"mimeType": "image/png", "data": "AAAA", "displayName": "a"}
_FILE: dict[str, Any] = {"fileUri": "gs://a/b.pdf", "mimeType": "application/pdf", "displayName": "a"}
_READING: dict[str, Any] = {
    name: {} for name in ("mediaProcessing", "mediaResolution", "videoMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata")
}
_GEMINI: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "Hi", "thought": False, "thoughtSignature": "c2ln"},
                {"inlineData": _BLOB, **_READING, "audioTranscription": {}, "speechMetadata": {}, "partMetadata": {}},
                {"fileData": _FILE},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "c1", "name": "weather", "args": {}, "partialArgs": [{}], "willContinue": False}},
                {"executableCode": {}, "codeExecutionResult": {}, "toolCall": {}, "toolResponse": {}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "c1",
                        "name": "weather",
                        "response": {"output": "4"},
                        "parts": [{"inlineData": _BLOB, "fileData": _FILE, **_READING}],
                        "scheduling": "SILENT",
                        "willContinue": False,
                    }
                }
            ],
        },
    ],
    "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "Tells it.",
                    "parameters": {"type": "OBJECT"},
                    "parametersJsonSchema": _SCHEMA,
                    "response": {},
                    "responseJsonSchema": {},
                    "behavior": "BLOCKING",
                }
            ],
            **{
                name: {}
                for name in (
                    *("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "fileSearch", "googleMaps", "computerUse"),
                    *("enterpriseWebSearch", "retrieval", "parallelAiSearch", "exaAiSearch"),
                )
            },
            "mcpServers": [{}],
        }
    ],
    "toolConfig": {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"], "streamFunctionCallArguments": False},
        "retrievalConfig": {},
        "includeServerSideToolInvocations": False,
    },
    "generationConfig": {
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.5,
        "topK": 5.5,
        "seed": 7,
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.5,
        "stopSequences": ["x"],
        "candidateCount": 1,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT"},
        "responseJsonSchema": _SCHEMA,
        "responseModalities": ["TEXT"],
        "responseLogprobs": False,
        "logprobs": 1,
        "speechConfig": {},
        "imageConfig": {},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "audioTimestamp": False,
        "enableEnhancedCivicAnswers": False,
        "enableAffectiveDialog": False,
        "routingConfig": {},
        "modelSelectionConfig": {},
        "audioTranscriptionConfig": {},
        "automaticContinuation": False,
        "continuationToken": "t",
        "generationOutputConfig": {},
        "store": False,
        "responseFormat": [{}],
        "translationConfig": {},
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5, "thinkingLevel": "LOW"},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE", "method": "SEVERITY"}],
    "cachedContent": "cachedContents/1",
    "labels": {"a": "b"},
    "store": False,
    "serviceTier": "standard",
    "modelArmorConfig": {},
}

REQUEST_SEEDS: dict[str, list[Any]] = {
    "chat/request": [
        _CHAT,
        *({**_SHORT, "tool_choice": choice} for choice in _CHAT_CHOICES),
        {**_SHORT, "tool_choice": "auto", "stop": "x", "function_call": "none", "response_format": {"type": "json_object"}},
        {**_SHORT, "response_format": {"type": "text"}},
    ],
    "chat/deepseek-request": [_DEEPSEEK_CHAT, {**_SHORT, "tool_choice": "auto", "stop": "x", "response_format": {"type": "text"}}],
    "responses/request": [
        _RESPONSES,
        {"input": "Hi", "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]}},
        {"input": "Hi", "tool_choice": "auto", "text": {"format": {"type": "json_object"}}},
        {"input": None, "text": {"format": {"type": "text"}}},
    ],
    "messages/request": [
        _MESSAGES,
        {**_SHORT_MESSAGES, "system": "Be brief."},
        *({**_SHORT_MESSAGES, "tool_choice": choice} for choice in _MESSAGES_CHOICES),
        *({**_SHORT_MESSAGES, "thinking": thinking} for thinking in _MESSAGES_THINKING),
    ],
    "messages/deepseek-request": [
        _DEEPSEEK_MESSAGES,
        *({**_SHORT_MESSAGES, "tool_choice": {"type": kind}} for kind in ("auto", "any", "none")),
        {**_SHORT_MESSAGES, "system": "Be brief.", "thinking": {"type": "disabled"}},
    ],
    "gemini/request": [_GEMINI],
}
