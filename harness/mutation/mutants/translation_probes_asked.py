"""Faulty translators, as real ones were: what they ask of the upstream (suites/translation/probes.json lists each with its source)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from harness.case import Case
from harness.exchange import Headers
from harness.mutation.mutant import Ask, Leg, Mutant, ask_body, ask_headers, named

Value = dict[str, Any]

_BETA: Final = "context-management-2025-06-27,fine-grained-tool-streaming-2025-05-14"
_THOUGHT: Final = "The caller must never read this thought."


def _on(*globs: str) -> Callable[[Case], bool]:
    return named(*(f"translation/probe-{glob}" for glob in globs))


def changing(change: Callable[[Value], None]) -> Callable[[Ask], Ask]:
    """`change` works on the body in place; one that stays equal keeps its bytes."""

    def apply(ask: Ask) -> Ask:
        before = json.loads(ask.body)
        after = json.loads(ask.body)
        change(after)
        return ask if after == before else ask_body(lambda _: after)(ask)

    return apply


def _lose(*names: str) -> Callable[[Value], None]:
    def change(body: Value) -> None:
        for name in names:
            body.pop(name, None)

    return change


def _thoughts_as_text(body: Value) -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": _THOUGHT}]}
    body["input"].insert(len(body["input"]) - 1, said)


def _without_thinking(body: Value) -> None:
    _lose("reasoning", "reasoning_effort", "thinking")(body)
    body.get("generationConfig", {}).pop("thinkingConfig", None)


def _cache_marks(body: Value) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    for held in (body.get("system"), body["messages"][0]["content"]):
        if isinstance(held, list):
            held[0]["cache_control"] = mark
            return
    body["messages"][0]["cache_control"] = mark


def _short_lived_marks(body: Value) -> None:
    """As a gateway that builds the mark anew."""
    for block in body["system"]:
        if "cache_control" in block:
            block["cache_control"] = {"type": "ephemeral"}


def _any_words(body: Value) -> None:
    for name in ("responseMimeType", "responseJsonSchema"):
        body["generationConfig"].pop(name, None)
    if not body["generationConfig"]:
        del body["generationConfig"]


def _format_verbatim(body: Value) -> None:
    schema = body.pop("output_config")["format"]["schema"]
    body["response_format"] = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}


def _loose_tools(body: Value) -> None:
    for tool in body["tools"]:
        tool.pop("strict", None)
        _open(tool["input_schema"])


def _open(schema: Any) -> None:
    if isinstance(schema, dict):
        schema.pop("additionalProperties", None)
        for inner in schema.values():
            _open(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _open(inner)


def _turn_of_nobody(body: Value) -> None:
    body["messages"].insert(1, {"role": "user"})


def _beta_header(ask: Ask) -> Ask:
    return ask_headers(lambda headers: (*headers, ("anthropic-beta", _BETA)))(ask)


def _beta_in_both(ask: Ask) -> Ask:
    return ask_body(lambda body: {**body, "anthropic_beta": [_BETA.partition(",")[0]]})(_beta_header(ask))


def _one_key(body: Value) -> None:
    body["prompt_cache_key"] = "user_0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"


def _without_pictures(value: Any) -> Any:
    """The value without what holds an image of any protocol; what is empty then is left empty."""
    if isinstance(value, dict):
        return {key: _without_pictures(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_pictures(inner) for inner in value if not _is_picture(inner)]
    return value


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and (
        value.get("type") in ("image", "image_url", "input_image", "document") or bool({"inlineData", "fileData"} & value.keys())
    )


def _blind(body: Value) -> None:
    body.update(_without_pictures(body))


def _one_text(body: Value) -> None:
    """All texts of the last turn as one, and nothing else of it."""
    turn = (body.get("messages") or body["contents"])[-1]
    name = "parts" if "parts" in turn else "content"
    text = "\n".join(part["text"] for part in turn[name] if "text" in part)
    turn[name] = [{"text": text}] if name == "parts" else text


def _placeholder(body: Value) -> None:
    turn = (body.get("messages") or body["contents"])[-1]
    name = "parts" if "parts" in turn else "content"
    typed = {"type": "text"} if name == "content" else {}
    turn[name] = [{**typed, "text": "[image]"} if _is_picture(part) else part for part in turn[name]]


def _choose(choice: Value | None) -> Callable[[Value], None]:
    def change(body: Value) -> None:
        body.pop("tool_choice", None)
        if choice is not None:
            body["tool_choice"] = choice

    return change


def _none_is_auto(body: Value) -> None:
    if body["tool_choice"] == {"type": "none"}:
        body["tool_choice"] = {"type": "auto"}


def _no_turns(body: Value) -> None:
    said = body["messages"].pop()
    body["system"] = [{"type": "text", "text": part["text"]} for part in said["content"]]


def _results(body: Value) -> tuple[int, Value]:
    """The turn with results, and its place."""
    return next(
        (place, turn)
        for place, turn in enumerate(body["messages"])
        if isinstance(turn["content"], list) and any(block.get("type") == "tool_result" for block in turn["content"])
    )


def _turn_for_each_result(body: Value) -> None:
    place, turn = _results(body)
    body["messages"][place : place + 1] = [{"role": "user", "content": [block]} for block in turn["content"]]


def _by_position(body: Value) -> None:
    """Results in the client's order, under the ids in that of the calls: here each gets the other's."""
    _, turn = _results(body)
    results = [block for block in turn["content"] if block["type"] == "tool_result"]
    for result, name in zip(results, [result["tool_use_id"] for result in reversed(results)], strict=True):
        result["tool_use_id"] = name


def _result_first(body: Value) -> None:
    place, _ = _results(body)
    turns = body["messages"]
    turns[place - 1], turns[place] = turns[place], turns[place - 1]


def _forgets_thoughts(body: Value) -> None:
    for turn in body["messages"]:
        if turn["role"] == "assistant":
            turn["content"] = [block for block in turn["content"] if block["type"] not in ("thinking", "redacted_thinking")]


def forgets_redacted(body: Value) -> None:
    for turn in body["messages"]:
        if turn["role"] == "assistant":
            turn["content"] = [block for block in turn["content"] if block["type"] != "redacted_thinking"]


def _callers_key(body: Value) -> None:
    body["prompt_cache_key"] = "rule-book"


class _OneForAll:
    """Everybody asks with the key that asked first, as if all shared what that one left."""

    def __init__(self) -> None:
        self._first: Headers | None = None

    def __call__(self, ask: Ask) -> Ask:
        keys = tuple(pair for pair in ask.headers if pair[0].lower() == "authorization")
        if ask.method != "POST" or not keys:
            return ask
        if b"tool_call_id" not in ask.body:  # a conversation begins
            self._first = keys
        others = tuple(pair for pair in ask.headers if pair[0].lower() != "authorization")
        return ask if self._first in (None, keys) else replace(ask, headers=(*others, *(self._first or ())))


def _nothing_proved(body: Value) -> None:
    """Neither thoughts nor signatures, in whatever protocol."""
    body.update(_unproved(body))


def _unproved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unproved(inner) for key, inner in value.items() if key not in _PROVING}
    if isinstance(value, list):
        return [_unproved(inner) for inner in value if not (isinstance(inner, dict) and inner.get("type") in ("thinking", "reasoning"))]
    return value


_PROVING: Final = frozenset({"thoughtSignature", "reasoning_content", "encrypted_content", "signature"})


def _managed(body: Value) -> None:
    body["context_management"] = {"edits": [{"type": "clear_tool_uses_20250919"}]}


def _asked(name: str, requirement: str, text: str, ask: Callable[[Ask], Ask], *where: str, defects: tuple[str, ...] = ()) -> Mutant:
    name = f"translation-{name}"
    return Mutant(id=name, requirement=requirement, text=text, leg=Leg.UPSTREAM, ask=ask, where=_on(*where), defects=defects)


IMAGES: Final = "translation/request-images"
DOCUMENTS: Final = "translation/request-documents"
TOOLS: Final = "translation/request-tools"
CHOICE: Final = "translation/request-tool-choice"
RESULTS: Final = "translation/request-results"
OUTPUT: Final = "translation/request-output"
REASONING: Final = "translation/request-reasoning"
EFFORT: Final = "translation/request-thinking"
CACHE: Final = "translation/request-cache-marks"
UNKNOWN: Final = "translation/request-unknown-member"
SHAPE: Final = "translation/request-shape"
PARALLEL: Final = "translation/request-parallel-calls"
ORDER: Final = "translation/request-order"

MUTANTS: tuple[Mutant, ...] = (
    _asked(
        "thoughts-as-text",
        REASONING,
        "Sends what the assistant thought as what it said.",
        changing(_thoughts_as_text),
        "messages-responses-thought-in-history",
        defects=("BerriAI/litellm#26927",),
    ),
    _asked(
        "thinking-dropped",
        EFFORT,
        "Drops the wish to think.",
        changing(_without_thinking),
        "messages-*-budget",
        defects=("BerriAI/litellm#8837", "BerriAI/litellm#9380"),
    ),
    _asked(
        "thinking-not-switched-off",
        "translation/thinking-switched-off",
        "Drops the wish not to think.",
        changing(_without_thinking),
        "chat-gemini-no-thinking",
        "messages-deepseek-no-thinking",
        defects=("8monkey-ai/hebo-gateway#97",),
    ),
    _asked(
        "marks-for-strangers",
        UNKNOWN,
        "Sends cache_control with its ttl to an upstream that has no such member.",
        changing(_cache_marks),
        "messages-chat-cache-1h",
        "messages-deepseek-cache-1h",
        "chat-deepseek-claude-cache-1h",
        defects=("BerriAI/litellm#38790",),
    ),
    _asked(
        "marks-without-ttl",
        CACHE,
        "Builds cache marks anew, without their ttl.",
        changing(_short_lived_marks),
        "chat-claude-cache-1h",
    ),
    _asked(
        "json-object-dropped",
        OUTPUT,
        "Maps schemas alone, and forgets that JSON was asked for.",
        changing(_any_words),
        "chat-gemini-json-object",
        defects=("mlflow/mlflow#23932", "ROCm/FastFlowLM#554"),
    ),
    _asked(
        "format-verbatim",
        UNKNOWN,
        "Sends response_format to Anthropic as it stands.",
        changing(_format_verbatim),
        "chat-claude-json-schema",
        defects=("Helicone/helicone#5639", "api7/aisix#1188", "Wei-Shaw/sub2api#4940", "camel-ai/camel#4001"),
    ),
    _asked(
        "format-dropped",
        OUTPUT,
        "Never reads text.format.",
        changing(_lose("output_config", "response_format")),
        "responses-*-text-format",
        defects=("NousResearch/hermes-agent#39595", "mnfst/llm-gateway#2421"),
    ),
    _asked(
        "loose-tools",
        TOOLS,
        "Strips additionalProperties and strict from tools.",
        changing(_loose_tools),
        "chat-claude-strict-tool",
        defects=("cuplivo/cuplivo#506", "nicobailon/pi-mcp-adapter#144"),
    ),
    _asked(
        "turn-of-nobody",
        SHAPE,
        "Makes a user's turn without content of a sealed thought.",
        changing(_turn_of_nobody),
        "responses-chat-sealed-only",
        defects=("mnfst/llm-gateway#2721",),
    ),
    _asked(
        "betas-for-strangers",
        "translation/no-foreign-betas",
        "Passes anthropic-beta on to whatever upstream there is.",
        _beta_header,
        "messages-*-betas",
        defects=("envoyproxy/ai-gateway#2411", "envoyproxy/ai-gateway#2420"),
    ),
    _asked(
        "betas-twice",
        "translation/betas-agree",
        "Puts the betas that it knows into the body, and sends the header as it came.",
        _beta_in_both,
        "messages-*-betas",
        defects=("maximhq/bifrost#2411",),
    ),
    _asked(
        "managed-for-strangers",
        UNKNOWN,
        "Sends context_management to an upstream that has no such member.",
        changing(_managed),
        "messages-*-betas",
        defects=("decolua/9router#1468", "anthropics/claude-code#21612", "caozhiyuan/copilot-api#305", "BerriAI/litellm#26240"),
    ),
    _asked(
        "one-cache-key",
        "translation/cache-keys-apart",
        "Makes the cache key of the beginning of the user's id.",
        changing(_one_key),
        "cache-keys",
        defects=("BerriAI/litellm#40342", "BerriAI/litellm#37623"),
    ),
    _asked(
        "results-without-pictures",
        IMAGES,
        "Keeps of a tool's result its texts.",
        changing(_blind),
        "messages-*-result-picture",
        defects=("NanmiCoder/cc-haha#1278", "open-webui/open-webui#23188", "kaitranntt/ccs#1133"),
    ),
    _asked(
        "pictures-dropped",
        IMAGES,
        "Does not convert the user's images.",
        changing(_blind),
        "messages-*-mixed-parts",
        defects=("musistudio/claude-code-router#1678", "routatic/proxy#71", "openseed-dev/openseed#82"),
    ),
    _asked(
        "parts-flattened",
        ORDER,
        "Makes one text of all parts of a turn.",
        changing(_one_text),
        "messages-*-mixed-parts",
        defects=("router-for-me/CLIProxyAPI#167",),
    ),
    _asked(
        "picture-as-words",
        IMAGES,
        "Sends a placeholder in the place of an image.",
        changing(_placeholder),
        "chat-*-picture",
        defects=("Th0rgal/sandboxed.sh#389",),
    ),
    _asked(
        "pictures-of-responses-dropped",
        IMAGES,
        "Reads of Responses' input its texts.",
        changing(_blind),
        "responses-*-picture",
    ),
    _asked(
        "paper-dropped",
        DOCUMENTS,
        "Drops documents without a word.",
        changing(_blind),
        "chat-*-paper",
    ),
    _asked(
        "parallel-is-forced",
        "translation/no-call-forced",
        "Forces a call where only parallel_tool_calls was said.",
        changing(_choose({"type": "any", "disable_parallel_tool_use": True})),
        "chat-claude-no-parallel",
        defects=("mozilla-ai/any-llm#1292",),
    ),
    _asked(
        "parallel-forgotten",
        PARALLEL,
        "Forgets parallel_tool_calls where there is no tool_choice.",
        changing(_choose(None)),
        "chat-claude-no-parallel",
    ),
    _asked(
        "none-is-auto",
        CHOICE,
        "Lets the model call where no call was allowed.",
        changing(_none_is_auto),
        "chat-claude-choice-none",
        defects=("dynamiq-ai/dynamiq#753",),
    ),
    _asked(
        "no-turns",
        "translation/system-alone",
        "Sends no message at all where there is only a system message.",
        changing(_no_turns),
        "chat-claude-system-only",
        defects=("maximhq/bifrost#3200",),
    ),
    _asked(
        "turn-for-each-result",
        "translation/results-together",
        "Makes a turn of its own of each tool's result.",
        changing(_turn_for_each_result),
        "chat-claude-tool-loop",
        defects=("anthony-chaudhary/fak#5797",),
    ),
    _asked(
        "results-by-position",
        RESULTS,
        "Pairs results with calls by their place.",
        changing(_by_position),
        "chat-claude-tool-loop",
        defects=("modelscope/ms-swift#10174", "scitix/siclaw#417"),
    ),
    _asked(
        "result-before-its-call",
        RESULTS,
        "Puts the results before the calls.",
        changing(_result_first),
        "chat-claude-tool-loop",
        defects=("openai/openai-agents-python#1797", "openai/openai-agents-python#1935"),
    ),
    _asked(
        "thoughts-forgotten",
        REASONING,
        "Leaves the thoughts out of a turn with calls.",
        changing(_forgets_thoughts),
        "chat-claude-tool-loop",
        defects=("openai/openai-agents-python#1704", "pydantic/pydantic-ai#2040"),
    ),
    _asked(
        "redacted-thoughts-forgotten",
        REASONING,
        "Hands back the thoughts that can be read, and no redacted one.",
        changing(forgets_redacted),
        "chat-claude-tool-loop",
    ),
    _asked(
        "cache-key-as-it-came",
        "auth/cache-key-by-account",
        "Hands the caller's prompt_cache_key on as it stands where it translates.",
        changing(_callers_key),
        "*-cache-key-of-two",
    ),
    _asked(
        "thoughts-not-kept",
        "translation/reasoning-comes-back",
        "Forgets thoughts that the client does not hand back.",
        changing(_nothing_proved),
        "*-conversation",
    ),
    _asked(
        "text-signature-not-kept",
        "translation/text-signature-comes-back",
        "Keeps what proves a call, and not what proves a text.",
        changing(_nothing_proved),
        "*-signed-conversation*",
    ),
    Mutant(
        id="translation-thoughts-for-all",
        requirement="translation/reasoning-apart",
        text="Keeps thoughts by the call's id alone, whoever asks.",
        ask=_OneForAll(),
        where=_on("chat-*-conversation"),
    ),
)
