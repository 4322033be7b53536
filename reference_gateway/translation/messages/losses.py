"""What Messages keeps and what it cannot: every member of its request and answer, both ways (translation.md 3.1 to 3.4, 3.7 to 3.15).

The reader of requests obeys REQUEST_IN as it stands: a member that is dropped or refused there is nowhere else in the code, and one that
is not listed is unknown, and dropped with a warning. Rules that depend on the member's value say so in their note.
"""

from __future__ import annotations

from typing import Final

from reference_gateway.translation.losses import Direction, FieldRule, Rule

_KEPT, _RENAMED, _EMULATED, _DROPPED, _REFUSED = Rule.KEPT, Rule.RENAMED, Rule.EMULATED, Rule.DROPPED, Rule.REFUSED


def _rules(direction: Direction, *rows: tuple[str, Rule, str]) -> tuple[FieldRule, ...]:
    return tuple(FieldRule(path=path, direction=direction, rule=rule, note=note) for path, rule, note in rows)


def _members(path: str, *rows: tuple[str, Rule, str]) -> tuple[tuple[str, Rule, str], ...]:
    return tuple((f"{path}.{name}", rule, note) for name, rule, note in rows)


# The same blocks may stand in a message, in a tool's result, in a search result and in a document.
_TEXT: Final = (
    ("type", _KEPT, "blocks of the vendor's own tools are refused"),
    ("text", _KEPT, ""),
    ("cache_control", _KEPT, ""),
    ("cache_control.type", _KEPT, ""),
    ("cache_control.ttl", _KEPT, ""),
    ("citations", _DROPPED, "answers quote no places in the text"),
)
_MEDIA: Final = (
    ("source", _KEPT, "base64, url and text; content becomes text; files of the vendor's store are refused"),
    ("source.type", _KEPT, ""),
    ("source.media_type", _KEPT, ""),
    ("source.data", _KEPT, ""),
    ("source.url", _KEPT, ""),
    ("source.content", _EMULATED, "its texts are one document of text; images in it are refused"),
    ("source.file_id", _REFUSED, "files are in the store of one vendor"),
    ("transformations", _DROPPED, "how an image is made smaller is the vendor's affair"),
    ("title", _KEPT, "a document's name"),
    ("context", _EMULATED, "as a text block before the document"),
)

REQUEST_IN: Final = _rules(
    Direction.REQUEST_IN,
    ("model", _KEPT, ""),
    ("max_tokens", _KEPT, "0, which only fills a cache, is refused"),
    ("stream", _KEPT, ""),
    ("system", _KEPT, "a string is a list of one block"),
    ("system[].type", _KEPT, ""),
    ("system[].text", _KEPT, ""),
    ("system[].cache_control", _KEPT, ""),
    ("system[].cache_control.type", _KEPT, ""),
    ("system[].cache_control.ttl", _KEPT, ""),
    ("system[].citations", _DROPPED, "answers quote no places in the text"),
    ("messages", _KEPT, ""),
    ("messages[].role", _KEPT, "user, assistant, and system among the turns"),
    ("messages[].content", _KEPT, "a string is a list of one block"),
    *_members("messages[].content[]", *_TEXT, *_MEDIA),
    *_members("messages[].content[].content[]", *_TEXT, *_MEDIA),  # of a result, and of a search result
    *_members("messages[].content[].source.content[]", *_TEXT),
    *_members("messages[].content[].content[].content[]", *_TEXT),
    *_members("messages[].content[].content[].source.content[]", *_TEXT),
    *_members(
        "messages[].content[]",
        ("content", _KEPT, "text, images and documents; a search result becomes text"),
        ("thinking", _KEPT, "sent only to the family that made it"),
        ("signature", _KEPT, "sent only to the family that made it"),
        ("data", _KEPT, "sent only to the family that made it"),
        ("id", _KEPT, ""),
        ("name", _KEPT, ""),
        ("input", _KEPT, "as JSON text"),
        ("caller", _DROPPED, "every call is the model's own; direct asks for nothing"),
        ("toolset_name", _DROPPED, "toolsets are the vendor's own"),
        ("tool_use_id", _KEPT, ""),
        ("is_error", _KEPT, ""),
    ),
    ("messages[].content[].content[].content", _EMULATED, "a search result is text: its title, its source, its texts"),
    ("messages[].clear_at", _DROPPED, "what a system message says stays said"),
    ("messages[].output_config", _DROPPED, "one effort is for all turns"),
    ("metadata", _KEPT, ""),
    ("metadata.user_id", _KEPT, ""),
    ("tools", _KEPT, ""),
    ("tools[].type", _KEPT, "custom; the vendor's own tools are refused"),
    ("tools[].name", _KEPT, ""),
    ("tools[].description", _KEPT, ""),
    ("tools[].input_schema", _KEPT, "any JSON schema"),
    ("tools[].input_schema.type", _KEPT, ""),
    ("tools[].input_schema.properties", _KEPT, ""),
    ("tools[].input_schema.required", _KEPT, ""),
    ("tools[].strict", _KEPT, ""),
    ("tools[].cache_control", _KEPT, ""),
    ("tools[].cache_control.type", _KEPT, ""),
    ("tools[].cache_control.ttl", _KEPT, ""),
    ("tools[].input_examples", _DROPPED, "no other vendor has examples of a tool's input"),
    ("tools[].eager_input_streaming", _DROPPED, "arguments are streamed as the upstream gives them"),
    ("tools[].defer_loading", _DROPPED, "the tool is there from the start"),
    ("tools[].allowed_callers", _KEPT, "direct; a tool that only the vendor's own tools may call is refused"),
    ("tool_choice", _KEPT, ""),
    ("tool_choice.type", _KEPT, ""),
    ("tool_choice.name", _KEPT, ""),
    ("tool_choice.disable_parallel_tool_use", _KEPT, ""),
    ("temperature", _KEPT, ""),
    ("top_p", _KEPT, ""),
    ("top_k", _KEPT, ""),
    ("stop_sequences", _KEPT, ""),
    ("thinking", _KEPT, ""),
    ("thinking.type", _KEPT, "enabled, disabled and adaptive; between_tools is refused"),
    ("thinking.budget_tokens", _KEPT, ""),
    ("thinking.display", _KEPT, ""),
    ("thinking.block_binding", _DROPPED, "whether a thought fits its turn is the vendor's to judge"),
    ("output_config", _KEPT, ""),
    ("output_config.effort", _KEPT, "of thinking; without it where thinking is disabled"),
    ("output_config.format", _KEPT, ""),
    ("output_config.format.type", _KEPT, ""),
    ("output_config.format.schema", _KEPT, ""),
    ("output_config.task_budget", _DROPPED, "no other vendor plans a budget for several turns"),
    ("output_format", _RENAMED, "the beta's name of output_config.format"),
    ("output_format.type", _KEPT, ""),
    ("output_format.schema", _KEPT, ""),
    ("service_tier", _KEPT, "standard_only is the others' default"),
    ("cache_control", _EMULATED, "as a mark on the last block of the last message"),
    ("context_management", _DROPPED, "where it only clears old results or thoughts, which then are sent; else refused"),
    ("container", _REFUSED, "containers are a vendor's own machines"),
    ("mcp_servers", _REFUSED, "no upstream is asked to call other servers"),
    ("inference_geo", _REFUSED, "where a model runs cannot be chosen; global asks for nothing"),
    ("speed", _DROPPED, "there is one speed"),
    ("diagnostics", _DROPPED, "why a cache missed is not told"),
    ("billing_policy", _DROPPED, "the caller pays the gateway"),
    ("compaction", _DROPPED, "a conversation that is too long is the upstream's to refuse"),
    ("fallbacks", _DROPPED, "no other model is tried"),
    ("fallback_credit_token", _DROPPED, "no other model is tried"),
    ("thread", _REFUSED, "conversations are not kept here: send all messages"),
    ("user_profile_id", _DROPPED, "profiles are one vendor's"),
    ("workspace_id", _DROPPED, "workspaces are one vendor's"),
    ("betas", _DROPPED, "betas are one vendor's"),
)

REQUEST_OUT: Final = _rules(
    Direction.REQUEST_OUT,
    ("model", _RENAMED, "the vendor's name of the model"),
    ("stream", _KEPT, ""),
    ("include_usage", _KEPT, "usage is always there"),
    ("system", _KEPT, "blocks stay apart"),
    ("turns", _KEPT, "runs of one role are one message; results come first; an assistant turn that says nothing is left out"),
    ("turns[role=system]", _EMULATED, "joins the system blocks, which changes its place; alone, it is the user's message"),
    ("turns[].items[Text]", _KEPT, "those of blanks only are left out"),
    ("turns[].items[Image]", _KEPT, "png, jpeg, gif, webp and addresses; the assistant's are refused"),
    ("turns[].items[Image].detail", _DROPPED, "the vendor has one level of detail"),
    ("turns[].items[Document]", _KEPT, "PDF, text and addresses"),
    ("turns[].items[Reasoning]", _KEPT, "where its maker's family is asked, else dropped; never as text"),
    ("turns[].items[ToolCall].arguments", _KEPT, "as an object; what is none is refused"),
    ("turns[].items[ToolCall].id", _RENAMED, "where it has other characters than letters, digits, _ and -, or more than 64"),
    ("turns[].items[ToolCall].signature", _DROPPED, "it is Gemini's"),
    ("turns[].items[ToolResult]", _KEPT, ""),
    ("turns[].items[Refused]", _EMULATED, "as text"),
    ("cache", _KEPT, "four marks: the first and the last three; one hour does not come after five minutes"),
    ("tools", _KEPT, "refused where the model has none"),
    ("tools[].name", _RENAMED, "where it has other characters than letters, digits, _ and -, or more than 64"),
    ("tools[].schema", _KEPT, "none is an object of no members"),
    ("tools[].strict", _KEPT, "dropped where the vendor's strict mode does not know the schema's words"),
    ("tool_choice", _KEPT, "several names: the other tools are left out; a forced call switches thinking off"),
    ("search", _REFUSED, "on this surface the web is searched by Gemini alone"),
    ("parallel_tool_calls", _RENAMED, "the opposite of tool_choice.disable_parallel_tool_use"),
    ("max_output_tokens", _KEPT, "the model's own maximum where there is none; raised where thinking would not fit"),
    ("temperature", _KEPT, "above 1 refused; dropped with thinking, and where the model samples by itself"),
    ("top_p", _KEPT, "dropped with thinking below 0.95, and where the model samples by itself"),
    ("top_k", _KEPT, "dropped with thinking, and where the model samples by itself"),
    ("stop", _RENAMED, "stop_sequences; those of blanks only are dropped"),
    ("seed", _DROPPED, "the vendor has none"),
    ("presence_penalty", _DROPPED, "the vendor has none"),
    ("frequency_penalty", _DROPPED, "the vendor has none"),
    ("output[JsonSchema]", _RENAMED, "output_config.format, with what the vendor does not check moved into descriptions"),
    ("output[JsonObject]", _REFUSED, "no free object in the vendor's output_config.format; asked for by a tool instead"),
    ("thinking", _KEPT, "effort and budget by the table of 3.10; off where a call is forced or the model has none"),
    ("user", _RENAMED, "metadata.user_id; dropped where it looks like an address or a telephone number"),
    ("service_tier", _RENAMED, "auto, and default as standard_only; any other is dropped"),
    ("prompt_cache_key", _DROPPED, "caching goes by marks and by what is equal"),
)

# Where DeepSeek's dialect differs.
DEEPSEEK_REQUEST_OUT: Final = _rules(
    Direction.REQUEST_OUT,
    ("turns[].items[Image]", _REFUSED, "it reads text only"),
    ("turns[].items[Document]", _EMULATED, "the text of one of text, as text; any other is refused"),
    ("turns[].items[Document].name", _DROPPED, "a text has no name"),
    ("turns[].items[Reasoning]", _KEPT, "unsigned or its own, else dropped"),
    ("cache", _DROPPED, "caching goes by what is equal"),
    ("tools[].strict", _DROPPED, "it is not held to a tool's schema"),
    ("parallel_tool_calls", _DROPPED, "it may make several calls at once"),
    ("top_k", _DROPPED, "the vendor has none"),
    ("output[JsonSchema]", _EMULATED, "a tool that is forced, or the schema in the prompt, and the answer is judged"),
    ("output[JsonObject]", _EMULATED, "a tool that is forced, or words in the prompt, and the answer is judged"),
    ("service_tier", _DROPPED, "the vendor has no tiers"),
)

# Things of a kind that only the vendor's own API has: its tools, what they did, and what is kept in its store.
_ITS_BLOCKS: Final = (
    *(
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "mcp_tool_use",
        "mcp_tool_result",
    ),
    *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result", "advisor_tool_result"),
    *("container_upload", "mcp_tool_listing", "compaction", "fallback", "tool_addition", "tool_removal"),
)
_ITS_TOOLS: Final = (
    *("bash_*", "code_execution_*", "browser_toolset_*", "memory_*", "computer_*", "text_editor_*", "web_search_*", "web_fetch_*"),
    *("tool_search_tool_*", "advisor_*", "mcp_toolset"),
)
_VENDORS_OWN: Final = "it is a tool of one vendor's own"
VARIANTS: Final = _rules(
    Direction.REQUEST_IN,
    *((f"messages[].content[type={kind}]", _REFUSED, _VENDORS_OWN) for kind in _ITS_BLOCKS),
    *((f"messages[].content[].content[type={kind}]", _REFUSED, _VENDORS_OWN) for kind in ("tool_reference", "browser_state")),
    *((f"tools[type={kind}]", _REFUSED, _VENDORS_OWN) for kind in _ITS_TOOLS),
)

ANSWER_IN: Final = _rules(
    Direction.ANSWER_IN,
    ("id", _KEPT, ""),
    ("model", _KEPT, ""),
    ("content[text]", _KEPT, "blocks stay apart"),
    ("content[].citations", _DROPPED, ""),
    ("content[thinking]", _KEPT, ""),
    ("content[redacted_thinking]", _KEPT, ""),
    ("content[tool_use]", _KEPT, ""),
    ("content[].caller", _DROPPED, ""),
    ("content[any other]", _DROPPED, "calls and results of the vendor's own tools are not the client's to answer"),
    ("stop_reason", _KEPT, "a word that is not known is an end, if anything was said"),
    ("stop_sequence", _KEPT, ""),
    ("stop_details.explanation", _RENAMED, "a refusal's text"),
    ("container", _DROPPED, ""),
    ("context_management", _DROPPED, ""),
    ("usage.input_tokens", _KEPT, ""),
    ("usage.output_tokens", _KEPT, ""),
    ("usage.cache_read_input_tokens", _KEPT, ""),
    ("usage.cache_creation_input_tokens", _KEPT, ""),
    ("usage.cache_creation", _KEPT, ""),
    ("usage.output_tokens_details.thinking_tokens", _KEPT, ""),
    ("usage.server_tool_use", _DROPPED, "no vendor's tool is asked for"),
    ("usage.iterations", _EMULATED, "their sum"),
    ("usage.service_tier", _DROPPED, ""),
    ("usage.inference_geo", _DROPPED, ""),
    ("ping", _DROPPED, ""),
)

ANSWER_OUT: Final = _rules(
    Direction.ANSWER_OUT,
    ("id", _RENAMED, "minted by the gateway"),
    ("model", _RENAMED, "as the client asked for it"),
    ("items[Text]", _KEPT, "empty ones are left out; parts that come at once are put one after another"),
    ("items[Reasoning]", _KEPT, "another maker's proof stands in `signature`, marked as its own"),
    ("items[Text].signature", _DROPPED, "Gemini's; kept by the gateway, by the text"),
    ("items[ToolCall]", _KEPT, "arguments that are no JSON object are a failure; those cut by the limit count as far as they are whole"),
    ("items[ToolCall].signature", _DROPPED, "kept by the gateway, by the call's id"),
    ("items[Refused]", _EMULATED, "as text, with stop_reason refusal"),
    ("items[Image]", _EMULATED, "as text: an image in Markdown"),
    ("stop", _KEPT, ""),
    ("stop_sequence", _KEPT, ""),
    ("vendor_stop", _DROPPED, ""),
    ("tokens", _KEPT, "an upstream that was silent gives zeros; message_start has an estimate where the count comes only at the end"),
)

RULES: Final = REQUEST_IN + VARIANTS + REQUEST_OUT + ANSWER_IN + ANSWER_OUT
