"""What becomes of each member of Responses, in each direction of flow. Sources: openai-responses, openai-python; translation.md 3.6."""

from __future__ import annotations

from typing import Final

from reference_gateway.translation.losses import Direction, FieldRule, Rule

_KEPT: Final = Rule.KEPT
_RENAMED: Final = Rule.RENAMED
_EMULATED: Final = Rule.EMULATED
_DROPPED: Final = Rule.DROPPED
_REFUSED: Final = Rule.REFUSED


def _rules(direction: Direction, *rules: tuple[str, Rule, str]) -> tuple[FieldRule, ...]:
    return tuple(FieldRule(path=path, direction=direction, rule=rule, note=note) for path, rule, note in rules)


def _silent(direction: Direction, *rows: tuple[str, str]) -> tuple[FieldRule, ...]:
    return tuple(FieldRule(path=path, direction=direction, rule=Rule.DROPPED, note=note, silent=True) for path, note in rows)


_HOSTED: Final = "hosted tools are not offered here"
_STATE: Final = "responses are not kept here"

# A cache mark has the same member in every part that may carry one.
_PARTS: Final = ("input[].content[]", "input[].output[]")

REQUEST_IN: Final = _rules(
    Direction.REQUEST_IN,
    ("model", _KEPT, ""),
    ("input", _KEPT, "a string is one user message"),
    ("instructions", _RENAMED, "the first system block"),
    ("stream", _KEPT, ""),
    ("stream_options", _KEPT, ""),
    ("stream_options.include_obfuscation", _DROPPED, "events are never padded"),
    ("max_output_tokens", _KEPT, ""),
    ("temperature", _KEPT, ""),
    ("top_p", _KEPT, ""),
    ("tools", _KEPT, ""),
    ("tools[].type", _KEPT, "function; any other is refused"),
    ("tools[].name", _KEPT, ""),
    ("tools[].description", _KEPT, ""),
    ("tools[].parameters", _KEPT, ""),
    ("tools[].strict", _KEPT, ""),
    ("tools[].output_schema", _DROPPED, "no other protocol has it"),
    ("tools[].allowed_callers", _REFUSED, _HOSTED),
    ("tools[].defer_loading", _REFUSED, _HOSTED),
    ("tools[].async", _REFUSED, "calls are answered in the next request"),
    ("tool_choice", _KEPT, "allowed_tools in mode auto: the other tools are left out of the request"),
    ("tool_choice.type", _KEPT, ""),
    ("tool_choice.name", _KEPT, ""),
    ("tool_choice.mode", _KEPT, ""),
    ("tool_choice.tools", _KEPT, ""),
    ("parallel_tool_calls", _KEPT, ""),
    ("max_tool_calls", _KEPT, "it counts hosted tools, and there are none"),
    ("text", _KEPT, ""),
    ("text.format", _KEPT, ""),
    ("text.format.type", _KEPT, ""),
    ("text.format.name", _KEPT, ""),
    ("text.format.description", _KEPT, ""),
    ("text.format.schema", _KEPT, ""),
    ("text.format.strict", _KEPT, ""),
    ("text.verbosity", _DROPPED, "no other protocol has it"),
    ("response_format", _RENAMED, "text.format (C18); 400 where both are there and differ"),
    ("response_format.type", _RENAMED, ""),
    ("response_format.name", _RENAMED, ""),
    ("response_format.description", _RENAMED, ""),
    ("response_format.schema", _RENAMED, ""),
    ("response_format.strict", _RENAMED, ""),
    ("response_format.json_schema", _RENAMED, "as chat has it"),
    ("response_format.json_schema.name", _RENAMED, ""),
    ("response_format.json_schema.description", _RENAMED, ""),
    ("response_format.json_schema.schema", _RENAMED, ""),
    ("response_format.json_schema.strict", _RENAMED, ""),
    ("reasoning", _KEPT, ""),
    ("reasoning.effort", _KEPT, ""),
    ("reasoning.summary", _RENAMED, "any kind of summary: thoughts shall be shown"),
    ("reasoning.generate_summary", _RENAMED, "the older name of summary, which wins"),
    ("reasoning.context", _DROPPED, "what was said before is thought over as the upstream will"),
    ("reasoning.mode", _DROPPED, "no other protocol has it"),
    ("include", _KEPT, "reasoning.encrypted_content is always there; message.output_text.logprobs is refused; others are dropped"),
    ("metadata", _KEPT, "it comes back in the response"),
    ("user", _RENAMED, "the older name of safety_identifier, which wins"),
    ("safety_identifier", _KEPT, ""),
    ("service_tier", _KEPT, ""),
    ("prompt_cache_key", _KEPT, ""),
    ("prompt_cache_retention", _DROPPED, "cache marks say how long"),
    ("prompt_cache_options", _DROPPED, "cache marks say where"),
    ("store", _DROPPED, _STATE),
    ("truncation", _DROPPED, "an input that is too long is the upstream's to refuse"),
    ("context_management", _DROPPED, "an input that is too long is the upstream's to refuse"),
    ("access_programs", _DROPPED, "programs are one vendor's"),
    ("image", _DROPPED, "images are sent as they are"),
    ("top_logprobs", _REFUSED, "log probabilities are not offered here"),
    ("background", _REFUSED, "an answer is given at once or not at all"),
    ("background_options", _REFUSED, "an answer is given at once or not at all"),
    ("previous_response_id", _REFUSED, f"{_STATE}: send the whole conversation as input"),
    ("conversation", _REFUSED, f"{_STATE}: send the whole conversation as input"),
    ("prompt", _REFUSED, "templates are not kept here"),
    ("moderation", _REFUSED, "moderation is not offered here"),
    ("input[].type", _KEPT, "message, reasoning, function_call, function_call_output; any other is refused"),
    ("input[].role", _KEPT, "developer is system; a system message after the first turn stays where it is"),
    ("input[].content", _KEPT, ""),
    ("input[].id", _KEPT, "a thought's; of any other item nobody asks again"),
    ("input[].status", _KEPT, "what is sent back has ended"),
    ("input[].phase", _DROPPED, "no other protocol has it"),
    ("input[].call_id", _KEPT, ""),
    ("input[].name", _KEPT, ""),
    ("input[].namespace", _REFUSED, _HOSTED),
    ("input[].caller", _REFUSED, _HOSTED),
    ("input[].async", _DROPPED, "a call of the history is over"),
    ("input[].arguments", _KEPT, ""),
    ("input[].output", _KEPT, ""),
    ("input[].summary", _RENAMED, "one text, a blank line between its parts; not read where a thought's content stands beside it"),
    ("input[].summary[].type", _RENAMED, ""),
    ("input[].summary[].text", _RENAMED, ""),
    ("input[].encrypted_content", _KEPT, "as the gateway gave it, or OpenAI's own"),
    *(
        rule
        for part in _PARTS
        for rule in (
            (f"{part}.type", _KEPT, "input_text, input_image, input_file, output_text, refusal; any other is refused"),
            (f"{part}.text", _KEPT, ""),
            (f"{part}.refusal", _KEPT, ""),
            (f"{part}.image_url", _KEPT, "a data URI in base64, or an http or https address"),
            (f"{part}.detail", _KEPT, "an image's; of a file it is dropped"),
            (f"{part}.file_data", _KEPT, "PDF or text"),
            (f"{part}.file_url", _KEPT, ""),
            (f"{part}.filename", _KEPT, ""),
            (f"{part}.file_id", _REFUSED, "files are not stored here"),
            (f"{part}.annotations", _DROPPED, "the text has them already"),
            (f"{part}.logprobs", _DROPPED, "they were for the client"),
            (f"{part}.prompt_cache_breakpoint", _EMULATED, "as a cache mark of five minutes, of an hour for 12h"),
        )
    ),
)

# Things of a kind that only the vendor's own API has.
VARIANTS: Final = _rules(
    Direction.REQUEST_IN,
    *(
        (f"input[type={kind}]", _REFUSED, _HOSTED)
        for kind in (
            *("file_search_call", "computer_call", "computer_call_output", "web_search_call", "tool_search_call", "tool_search_output"),
            *("additional_tools", "image_generation_call", "code_interpreter_call", "local_shell_call", "local_shell_call_output"),
            *("shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_approval_request"),
            *("mcp_approval_response", "mcp_call", "custom_tool_call", "custom_tool_call_output", "program", "program_output"),
        )
    ),
    *((f"input[type={kind}]", _REFUSED, _STATE) for kind in ("item_reference", "compaction", "compaction_trigger", "configuration_update")),
    *(
        (f"tools[type={kind}]", _REFUSED, _HOSTED)
        for kind in (
            *("file_search", "computer", "computer_use_preview", "web_search", "web_search_2025_08_26", "web_search_preview"),
            *("web_search_preview_2025_03_11", "mcp", "code_interpreter", "programmatic_tool_calling", "image_generation", "local_shell"),
            *("shell", "custom", "namespace", "tool_search", "apply_patch"),
        )
    ),
    *(
        (f"tool_choice[type={kind}]", _REFUSED, _HOSTED)
        for kind in (
            *("file_search", "computer", "computer_use", "computer_use_preview", "web_search_preview", "web_search_preview_2025_03_11"),
            *("mcp", "code_interpreter", "programmatic_tool_calling", "image_generation", "shell", "custom", "apply_patch"),
        )
    ),
)

REQUEST_OUT: Final = (
    *_rules(
        Direction.REQUEST_OUT,
        ("system", _RENAMED, "instructions; several blocks, or marked ones, are parts of a first message of role developer"),
        ("system[].cache", _EMULATED, "prompt_cache_breakpoint, for a model that knows it; else caching is automatic, no warning"),
        ("turns", _KEPT, ""),
        ("turns[].items[].cache", _EMULATED, "as of system; on a call or an assistant's text it is dropped, no warning"),
        ("turns[].items[Text]", _KEPT, ""),
        ("turns[].items[Image]", _KEPT, ""),
        ("turns[].items[Image] of an assistant", _REFUSED, "an assistant's message has only texts there"),
        ("turns[].items[Document]", _KEPT, "text as a text part"),
        ("turns[].items[Document].name", _KEPT, "of PDF in base64; a text and an address have none, which is told"),
        ("turns[].items[Refused]", _KEPT, ""),
        (
            "turns[].items[Reasoning]",
            _DROPPED,
            "kept where it is OpenAI's own and sealed: another family's is never replayed",
        ),
        ("turns[].items[Reasoning].text", _RENAMED, "one part of the summary"),
        ("turns[].items[ToolCall].id", _EMULATED, "an id of more than 64 characters is replaced by a hash of it"),
        ("turns[].items[ToolCall].name", _EMULATED, "one of other characters, or more than 64, is replaced; the answer has the client's"),
        ("turns[].items[ToolCall].arguments", _KEPT, "no arguments are {}"),
        ("turns[].items[ToolResult]", _RENAMED, "function_call_output"),
        ("turns[].items[ToolResult].is_error", _DROPPED, ""),
        ("tools", _KEPT, ""),
        ("tools[].name", _EMULATED, "a name of other characters, or more than 64, is replaced; the answer has the client's"),
        ("tools[].schema", _KEPT, "none is an object of no members"),
        ("tools[].strict", _KEPT, "absent is false, since absent means true there"),
        ("tool_choice", _KEPT, "several named tools are allowed_tools in mode required"),
        ("parallel_tool_calls", _KEPT, ""),
        ("search", _REFUSED, "on this surface the web is searched by Gemini alone"),
        ("max_output_tokens", _KEPT, "at least 16"),
        ("temperature", _KEPT, "dropped for a model that refuses it"),
        ("top_p", _KEPT, "dropped for a model that refuses it"),
        ("top_k", _DROPPED, ""),
        ("stop", _DROPPED, "Responses has no stop sequences"),
        ("seed", _DROPPED, ""),
        ("presence_penalty", _DROPPED, ""),
        ("frequency_penalty", _DROPPED, ""),
        ("output", _RENAMED, "text.format; strict only where it was asked for"),
        ("thinking", _EMULATED, "reasoning.effort; a budget by its size; thoughts to be shown are a summary"),
        ("user", _RENAMED, "safety_identifier, hashed where longer than 64"),
        ("service_tier", _KEPT, "standard_only is default; what is unknown is dropped"),
        ("prompt_cache_key", _KEPT, ""),
    ),
    *_silent(
        Direction.REQUEST_OUT,
        ("tools[].cache", "caching is automatic there"),
        ("turns[].items[ToolCall].signature", "another family's proof"),
    ),
)

ANSWER_IN: Final = _rules(
    Direction.ANSWER_IN,
    ("id", _KEPT, ""),
    ("model", _KEPT, ""),
    ("created_at", _DROPPED, "the gateway has a clock"),
    ("completed_at", _DROPPED, "the gateway has a clock"),
    ("service_tier", _DROPPED, ""),
    ("status", _RENAMED, "completed with calls is tool_calls, with a refusal a refusal"),
    ("incomplete_details.reason", _KEPT, "max_output_tokens is length, content_filter a refusal, any other is length"),
    ("error", _KEPT, "what tells of the gateway's own key or balance gets other words"),
    ("output[].message.content[].output_text.text", _KEPT, "empty: no part"),
    ("output[].message.content[].output_text.annotations", _DROPPED, ""),
    ("output[].message.content[].output_text.logprobs", _DROPPED, "not asked for"),
    ("output[].message.content[].refusal", _KEPT, ""),
    ("output[].message.phase", _DROPPED, ""),
    ("output[].message.id", _DROPPED, ""),
    ("output[].reasoning.summary", _RENAMED, "one text, a blank line between its parts"),
    ("output[].reasoning.content", _RENAMED, "after the summary, in the same text"),
    ("output[].reasoning.encrypted_content", _KEPT, ""),
    ("output[].reasoning.id", _KEPT, "beside encrypted_content"),
    ("output[].function_call.call_id", _KEPT, ""),
    ("output[].function_call.name", _KEPT, ""),
    ("output[].function_call.arguments", _KEPT, ""),
    ("output[].function_call.id", _DROPPED, ""),
    ("output[].*", _DROPPED, "hosted tools are run by the vendor"),
    ("usage.input_tokens", _KEPT, ""),
    ("usage.input_tokens_details.cached_tokens", _KEPT, ""),
    ("usage.input_tokens_details.cache_write_tokens", _RENAMED, "the class of five minutes, of an hour for 12h"),
    ("usage.output_tokens", _KEPT, ""),
    ("usage.output_tokens_details.reasoning_tokens", _KEPT, ""),
    ("usage.total_tokens", _EMULATED, "the sum"),
    ("*", _DROPPED, "what repeats the request, and events of unknown kinds"),
)

ANSWER_OUT: Final = _rules(
    Direction.ANSWER_OUT,
    ("id", _EMULATED, "resp_ and the gateway's own; items msg_, rs_, fc_, ig_ with it and their place"),
    ("model", _EMULATED, "as the client asked for it"),
    ("items.Text", _RENAMED, "neighbours are parts of one message"),
    ("items.Refused", _RENAMED, "a part of a message"),
    ("items.Reasoning.text", _RENAMED, "one part of a summary"),
    ("items.Reasoning.signature", _RENAMED, "encrypted_content"),
    ("items.Reasoning.opaque", _RENAMED, "encrypted_content"),
    ("items.ToolCall", _RENAMED, "function_call; no arguments are {}"),
    ("items.ToolCall.signature", _RENAMED, "encrypted_content of a thought without text before the call"),
    ("items.Image", _RENAMED, "image_generation_call, of a whole answer; one at an address is a text"),
    ("stop", _RENAMED, "status: length and context_full are incomplete, a refusal without words is incomplete; else completed"),
    ("stop_sequence", _DROPPED, ""),
    ("tokens", _KEPT, "what was not counted is 0"),
    ("tokens.cache_write", _RENAMED, "input_tokens_details.cache_write_tokens, the sum of both classes"),
)

LOSSES: Final = (*REQUEST_IN, *VARIANTS, *REQUEST_OUT, *ANSWER_IN, *ANSWER_OUT)
