"""An ask as a Messages upstream gets it: Anthropic's, and DeepSeek's."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_gateway.tests.translation.messages.told import ADAPTIVE, UPSTREAM
from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.items import (
    Ask,
    AssistantItem,
    CacheTtl,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    Item,
    JsonObject,
    JsonSchema,
    Link,
    Loss,
    Maker,
    Malformed,
    Named,
    Reasoning,
    Refused,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
    UserItem,
)
from reference_gateway.translation.messages import deepseek
from reference_gateway.translation.messages.request_in import read_request
from reference_gateway.translation.messages.request_out import write_request

FIVE, HOUR = CacheTtl.FIVE_MINUTES, CacheTtl.ONE_HOUR
WEATHER = Tool(name="weather", description="Of a city", schema={"type": "object", "properties": {"city": {"type": "string"}}})
NOW = Tool(name="now")
CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Paris"}')
RESULT = ToolResult(call_id="call_1", parts=(Text(text="sunny"),))
THOUGHT = Reasoning(text="Hm", signature="c2ln", maker=Maker.ANTHROPIC)
PARIS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


def user(*items: Item, path: str = "messages[0]") -> Turn:
    return Turn(role=Role.USER, items=items, path=path)


def assistant(*items: Item, path: str = "messages[1]") -> Turn:
    return Turn(role=Role.ASSISTANT, items=items, path=path)


def ask(*turns: Turn, **members: Any) -> Ask:
    return Ask(model="m", turns=turns or (user(Text(text="Hello")),), **members)


def write(*turns: Turn, upstream: Upstream = UPSTREAM, **members: Any) -> Written:
    return write_request(ask(*turns, **members), upstream)


def lost(written: Written) -> list[str]:
    return [loss.path for loss in written.losses]


def test_a_plain_request() -> None:
    written = write(
        max_output_tokens=100, temperature=0.5, top_p=0.9, top_k=5, stop=("END",), user="u1", service_tier="default", stream=True
    )
    assert written == Written(
        body={
            "model": "claude-sonnet-4-6",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
            "stop_sequences": ["END"],
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 5,
            "metadata": {"user_id": "u1"},
            "service_tier": "standard_only",
            "stream": True,
        },
        names={},
        losses=(),
    )


def test_max_tokens_is_the_models_own_where_there_is_none() -> None:
    assert write().body["max_tokens"] == 64_000
    assert write(max_output_tokens=100_000).body["max_tokens"] == 64_000
    assert lost(write(max_output_tokens=100_000)) == ["max_output_tokens"]


# system and turns


def test_system_blocks_stay_apart_with_their_marks() -> None:
    written = write(system=(Text(text="one"), Text(text="two", cache=HOUR), Text(text=" ")))
    assert written.body["system"] == [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]


def test_a_system_message_among_the_turns_joins_the_others() -> None:
    late = Turn(role=Role.SYSTEM, items=(Text(text="late"),), path="messages[2]")
    written = write(user(Text(text="a")), late, user(Text(text="b")), system=(Text(text="early"),))
    assert [block["text"] for block in written.body["system"]] == ["early", "late"]
    assert [block["text"] for block in written.body["messages"][0]["content"]] == ["a", "b"]
    assert lost(written) == ["messages[2]"]


def test_a_system_message_alone_is_the_users() -> None:
    written = write_request(Ask(model="m", turns=(), system=(Text(text="Be kind."),)), UPSTREAM)
    assert "system" not in written.body
    assert written.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Be kind."}]}]
    assert lost(written) == ["system"]


def test_results_come_first_in_one_message_directly_after_the_calls() -> None:
    other = replace(CALL, id="call_2")
    image = Image(source=Inline(media_type="image/png", base64="AAAA"))
    written = write(
        user(Text(text="x")),
        assistant(Text(text="I look."), CALL, other),
        user(Text(text="Here:"), ToolResult(call_id="call_2", parts=(Text(text="rain"), image), is_error=True, cache=FIVE)),
        user(RESULT),
        user(Text(text="And?")),
    )
    assert [message["role"] for message in written.body["messages"]] == ["user", "assistant", "user"]
    assert written.body["messages"][1]["content"] == [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "call_2", "name": "weather", "input": {"city": "Paris"}},
    ]
    assert written.body["messages"][2]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "call_2",
            "content": [
                {"type": "text", "text": "rain"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ],
            "is_error": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
        {"type": "text", "text": "Here:"},
        {"type": "text", "text": "And?"},
    ]


@pytest.mark.parametrize(
    ("turns", "path"),
    [
        ((user(RESULT),), "messages[0]"),
        ((user(Text(text="x")), assistant(CALL)), "messages[1]"),
        ((user(Text(text="x")), assistant(CALL), user(Text(text="y"), path="messages[2]")), "messages[2]"),
        ((user(Text(text="x")), assistant(CALL), user(RESULT, RESULT, path="messages[2]")), "messages[2]"),
        ((user(Text(text="x")), assistant(replace(CALL, arguments="[1]")), user(RESULT)), "messages[1]"),
        ((user(Text(text="x")), assistant(replace(CALL, arguments="{")), user(RESULT)), "messages[1]"),
        ((user(Text(text="  ")),), "messages[0]"),
        ((user(THOUGHT),), "messages[0]"),
        ((assistant(RESULT),), "messages[1]"),
    ],
)
def test_what_the_vendor_would_refuse_names_the_message(turns: tuple[Turn, ...], path: str) -> None:
    with pytest.raises(Malformed) as refused:
        write(*turns)
    assert refused.value.path == path


def test_blanks_are_no_blocks() -> None:
    written = write(user(Text(text=" \n"), Text(text="x")), assistant(Text(text="")), user(Text(text="y")))
    assert written.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}]
    assert lost(written) == ["messages[1]"]
    result = write(user(Text(text="x")), assistant(CALL), user(ToolResult(call_id="call_1", parts=(Text(text=""),))))
    assert result.body["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "call_1"}]


def test_a_refusal_is_text() -> None:
    written = write(user(Text(text="x")), assistant(Refused(text="I cannot.")), user(Text(text="y")))
    assert written.body["messages"][1]["content"] == [{"type": "text", "text": "I cannot."}]


# images and documents


def test_images_and_documents() -> None:
    written = write(
        user(
            Image(source=Link(url="https://x/y.png"), detail="high", cache=FIVE),
            Document(source=Inline(media_type="application/pdf", base64="BBBB"), name="Report"),
            Document(source=Inline(media_type="text/markdown", base64=b64encode("hé".encode()).decode())),
            Document(source=Link(url="https://x/y.pdf")),
        )
    )
    assert written.body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}, "cache_control": {"type": "ephemeral"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}, "title": "Report"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hé"}},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
    ]
    assert lost(written) == ["messages[0]"]  # the detail


@pytest.mark.parametrize(
    ("item", "upstream"),
    [
        (Image(source=Inline(media_type="image/tiff", base64="AAAA")), UPSTREAM),
        (Image(source=Link(url="https://x")), replace(UPSTREAM, vision=False)),
        (Document(source=Inline(media_type="application/pdf", base64="AAAA")), replace(UPSTREAM, vision=False)),
        (Document(source=Inline(media_type="application/zip", base64="AAAA")), UPSTREAM),
    ],
)
def test_what_the_model_does_not_see_is_refused(item: Item, upstream: Upstream) -> None:
    with pytest.raises(Unsupported) as refused:
        write(user(item), upstream=upstream)
    assert refused.value.path == "messages[0]"


# thoughts


def test_thoughts_go_back_only_to_their_makers_family() -> None:
    redacted = Reasoning(opaque="b3A=", maker=Maker.ANTHROPIC)
    foreign = [Reasoning(text="Hm"), Reasoning(text="Hm", signature="x", maker=Maker.GEMINI), Reasoning(opaque="x", maker=Maker.OPENAI)]
    written = write(user(Text(text="x")), assistant(THOUGHT, redacted, *foreign, Text(text="y")), user(Text(text="z")))
    assert written.body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3A="},
        {"type": "text", "text": "y"},
    ]
    assert lost(written) == ["messages[1]"]


def test_thoughts_come_first() -> None:
    written = write(user(Text(text="x")), assistant(Text(text="y"), THOUGHT, CALL), user(RESULT))
    assert [block["type"] for block in written.body["messages"][1]["content"]] == ["thinking", "text", "tool_use"]


@pytest.mark.parametrize(
    ("thinking", "told", "max_tokens"),
    [
        (Thinking(effort=Effort.NONE), {"thinking": {"type": "disabled"}}, 8_000),
        (Thinking(effort=Effort.MINIMAL), {"thinking": {"type": "enabled", "budget_tokens": 1_024}}, 8_000),
        (Thinking(effort=Effort.LOW), {"thinking": {"type": "enabled", "budget_tokens": 1_024}}, 8_000),
        (Thinking(effort=Effort.MEDIUM), {"thinking": {"type": "enabled", "budget_tokens": 2_048}}, 8_000),
        (Thinking(effort=Effort.HIGH), {"thinking": {"type": "enabled", "budget_tokens": 4_096}}, 8_000),
        (Thinking(effort=Effort.XHIGH), {"thinking": {"type": "enabled", "budget_tokens": 8_192}}, 16_192),
        (Thinking(effort=Effort.MAX), {"thinking": {"type": "enabled", "budget_tokens": 16_384}}, 24_384),
        (
            Thinking(budget_tokens=3_000, show=True),
            {"thinking": {"type": "enabled", "budget_tokens": 3_000, "display": "summarized"}},
            8_000,
        ),
        (Thinking(budget_tokens=5), {"thinking": {"type": "enabled", "budget_tokens": 1_024}}, 8_000),
        (Thinking(adaptive=True, show=False), {"thinking": {"type": "enabled", "budget_tokens": 4_096, "display": "omitted"}}, 8_000),
        (Thinking(show=True), {}, 8_000),
    ],
)
def test_thinking_by_budget(thinking: Thinking, told: dict[str, Any], max_tokens: int) -> None:
    written = write(thinking=thinking, max_output_tokens=8_000)
    assert {name: written.body[name] for name in ("thinking", "output_config") if name in written.body} == told
    assert written.body["max_tokens"] == max_tokens
    assert lost(written) == (["max_output_tokens"] if max_tokens > 8_000 else [])


def test_thinking_fits_into_the_models_maximum() -> None:
    small = replace(UPSTREAM, max_output_tokens=4_096)
    written = write(thinking=Thinking(effort=Effort.MAX), max_output_tokens=2_000, upstream=small)
    assert (written.body["max_tokens"], written.body["thinking"]["budget_tokens"]) == (4_096, 2_096)
    tiny = write(thinking=Thinking(effort=Effort.MAX), upstream=replace(UPSTREAM, max_output_tokens=1_000))
    assert (tiny.body["max_tokens"], tiny.body["thinking"]) == (1_000, {"type": "disabled"})
    assert lost(tiny) == ["thinking"]


@pytest.mark.parametrize(
    ("thinking", "told", "losses"),
    [
        (Thinking(effort=Effort.NONE), {"thinking": {"type": "disabled"}}, []),
        (Thinking(effort=Effort.MINIMAL), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, []),
        (Thinking(effort=Effort.XHIGH), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, []),
        (Thinking(adaptive=True, show=True), {"thinking": {"type": "adaptive", "display": "summarized"}}, []),
        (Thinking(budget_tokens=2_000), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}, ["thinking"]),
        (Thinking(budget_tokens=0), {"thinking": {"type": "disabled"}}, []),
    ],
)
def test_thinking_by_effort(thinking: Thinking, told: dict[str, Any], losses: list[str]) -> None:
    written = write(thinking=thinking, max_output_tokens=100, upstream=ADAPTIVE)
    assert {name: written.body[name] for name in ("thinking", "output_config") if name in written.body} == told
    assert written.body["max_tokens"] == 100
    assert lost(written) == losses


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    written = write(thinking=Thinking(effort=Effort.HIGH), upstream=replace(UPSTREAM, thinking=False))
    assert "thinking" not in written.body
    assert lost(written) == ["thinking"]
    assert lost(write(thinking=Thinking(effort=Effort.NONE), upstream=replace(UPSTREAM, thinking=False))) == []


@pytest.mark.parametrize("choice", [Choice.REQUIRED, Named(names=("weather",))])
@pytest.mark.parametrize("upstream", [UPSTREAM, ADAPTIVE])
def test_a_forced_call_switches_thinking_off(choice: Choice | Named, upstream: Upstream) -> None:
    written = write(thinking=Thinking(effort=Effort.HIGH), tools=(WEATHER,), tool_choice=choice, upstream=upstream)
    assert written.body["thinking"] == {"type": "disabled"}
    assert lost(written) == ["thinking"]


def test_calls_without_the_thoughts_that_led_there_switch_a_budget_off() -> None:
    turns = user(Text(text="x")), assistant(CALL), user(RESULT)
    for thoughts, kind in (((), "disabled"), ((THOUGHT,), "enabled"), ((Reasoning(text="foreign"),), "disabled")):
        written = write(turns[0], assistant(*thoughts, CALL), turns[2], thinking=Thinking(effort=Effort.HIGH))
        assert written.body["thinking"]["type"] == kind
    over = write(*turns, assistant(Text(text="Sunny.")), user(Text(text="Thanks.")), thinking=Thinking(effort=Effort.HIGH))
    assert over.body["thinking"]["type"] == "enabled"
    adaptive = write(*turns, thinking=Thinking(effort=Effort.HIGH), upstream=ADAPTIVE)
    assert adaptive.body["thinking"]["type"] == "adaptive"


# tools


@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (Choice.AUTO, None, {"type": "auto"}),
        (Choice.AUTO, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (Choice.NONE, False, {"type": "none"}),
        (Choice.REQUIRED, None, {"type": "any"}),
        (Named(names=("now",)), False, {"type": "tool", "name": "now", "disable_parallel_tool_use": True}),
    ],
)
def test_tool_choice(choice: Choice | Named | None, parallel: bool | None, told: dict[str, Any] | None) -> None:
    written = write(tools=(WEATHER, NOW), tool_choice=choice, parallel_tool_calls=parallel)
    assert written.body.get("tool_choice") == told
    assert written.losses == ()


def test_one_of_several_tools_is_any_of_those_alone() -> None:
    written = write(tools=(WEATHER, NOW, replace(NOW, name="third")), tool_choice=Named(names=("now", "third")))
    assert [tool["name"] for tool in written.body["tools"]] == ["now", "third"]
    assert written.body["tool_choice"] == {"type": "any"}


def test_without_tools_there_is_no_choice() -> None:
    written = write(tool_choice=Choice.AUTO, parallel_tool_calls=False)
    assert not {"tools", "tool_choice"} & written.body.keys()


def test_a_model_without_tools_is_given_none() -> None:
    with pytest.raises(Unsupported) as refused:
        write(tools=(NOW,), upstream=replace(UPSTREAM, tools=False))
    assert refused.value.path == "tools"


def test_schemas_have_a_type() -> None:
    tools = NOW, replace(NOW, name="b", schema={}), replace(NOW, name="c", schema={"properties": {"a": {}}}), WEATHER
    assert [tool["input_schema"] for tool in write(tools=tools).body["tools"]] == [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {}}},
        WEATHER.schema,
    ]


def test_strict_where_the_vendor_can_be() -> None:
    clean = {**PARIS, "properties": {"city": {"type": "string"}}}
    tools = (
        replace(NOW, name="clean", schema=clean, strict=True),
        replace(NOW, name="worded", schema=PARIS, strict=True),
        replace(NOW, name="open", schema=WEATHER.schema, strict=True),
        replace(NOW, name="free", schema=clean, strict=False),
    )
    written = write(tools=tools)
    assert [tool.get("strict") for tool in written.body["tools"]] == [True, None, None, None]
    assert written.body["tools"][1]["input_schema"] == PARIS
    assert lost(written) == ["tools", "tools"]


def test_names_and_ids_that_the_vendor_refuses_are_others_upstream() -> None:
    names = "weather.of", "weather/of", "x" * 70, "x" * 71, "fine-name_1"
    ids = "call|1", "call/1", "y" * 90, "z" * 91, "fine-id_1"
    calls = [ToolCall(id=id_, name=name, arguments="") for id_, name in zip(ids, names, strict=True)]
    results = [ToolResult(call_id=id_, parts=()) for id_ in ids]
    written = write(
        user(Text(text="x")),
        assistant(*calls),
        user(*results),
        tools=tuple(Tool(name=name) for name in names),
        tool_choice=Named(names=("weather.of",)),
    )
    told = [tool["name"] for tool in written.body["tools"]]
    assert len(set(told)) == 5
    assert all(len(name) <= 64 and name.replace("_", "").replace("-", "").isalnum() for name in told)
    assert [written.names.get(name, name) for name in told] == list(names)
    assert written.body["tool_choice"]["name"] == told[0]
    uses = [(block["id"], block["name"]) for block in written.body["messages"][1]["content"]]
    assert [name for _, name in uses] == told
    assert [block["tool_use_id"] for block in written.body["messages"][2]["content"]] == [id_ for id_, _ in uses]
    assert len({id_ for id_, _ in uses}) == 5
    assert uses[4][0] == "fine-id_1"


# marks


def test_four_marks_at_most() -> None:
    texts = [Text(text=str(number), cache=FIVE) for number in range(5)]
    written = write(user(*texts), system=(Text(text="s", cache=FIVE),), tools=(replace(NOW, cache=FIVE),))
    assert "cache_control" in written.body["tools"][0]
    assert "cache_control" not in written.body["system"][0]
    assert ["cache_control" in block for block in written.body["messages"][0]["content"]] == [False, False, True, True, True]
    assert lost(written) == ["cache_control"]


def test_an_hour_does_not_come_after_five_minutes() -> None:
    written = write(user(Text(text="x", cache=HOUR)), system=(Text(text="s", cache=FIVE),), tools=(replace(NOW, cache=HOUR),))
    assert written.body["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert written.body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert lost(written) == ["cache_control"]


# the rest


def test_what_has_no_word_is_told() -> None:
    written = write(seed=1, presence_penalty=0.0, frequency_penalty=1.0, stop=("\n", "END"), prompt_cache_key="k", service_tier="flex")
    assert lost(written) == ["stop", "seed", "presence_penalty", "frequency_penalty", "service_tier", "prompt_cache_key"]
    assert written.body["stop_sequences"] == ["END"]


def test_the_losses_of_reading_stand_before_those_of_writing() -> None:
    assert lost(write(seed=1, losses=(Loss(path="n", reason="one"),), paths={"seed": "generationConfig.seed"})) == [
        "n",
        "generationConfig.seed",
    ]


def test_a_temperature_above_one_is_refused() -> None:
    with pytest.raises(Unsupported) as refused:
        write(temperature=1.2)
    assert refused.value.path == "temperature"


def test_sampling_is_dropped_where_it_would_be_refused() -> None:
    sampling: dict[str, Any] = {"temperature": 0.5, "top_p": 0.5, "top_k": 5}
    for written in (
        write(**sampling, upstream=replace(UPSTREAM, sampling=False)),
        write(**sampling, thinking=Thinking(effort=Effort.LOW)),
    ):
        assert not sampling.keys() & written.body.keys()
        assert lost(written) == list(sampling)
    kept = write(temperature=1.0, top_p=0.95, thinking=Thinking(effort=Effort.LOW))
    assert (kept.body["temperature"], kept.body["top_p"]) == (1.0, 0.95)


@pytest.mark.parametrize("who", ["someone@example.com", "+49 170 1234567", "x" * 257])
def test_a_person_is_not_named(who: str) -> None:
    written = write_request(ask(user=who), UPSTREAM)
    assert "metadata" not in written.body
    assert lost(written) == ["user"]


def test_structured_output_is_native() -> None:
    written = write(output=JsonSchema(schema=PARIS, strict=True), thinking=Thinking(effort=Effort.LOW), upstream=ADAPTIVE)
    assert written.body["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {**PARIS, "properties": {"city": {"type": "string", "description": "{minLength: 1}"}}},
        },
    }
    assert lost(written) == ["output"]


@pytest.mark.parametrize(
    ("output", "upstream"),
    [
        (JsonObject(), UPSTREAM),
        (JsonSchema(schema={"type": "object"}), UPSTREAM),
        (JsonSchema(schema=PARIS), replace(UPSTREAM, native_json_schema=False)),
    ],
)
def test_an_output_that_the_vendor_cannot_be_held_to_is_refused(output: JsonObject | JsonSchema, upstream: Upstream) -> None:
    with pytest.raises(Unsupported) as refused:
        write(output=output, paths={"output": "response_format"}, upstream=upstream)
    assert refused.value.path == "response_format"


# DeepSeek


def test_deepseek_is_told_only_what_it_knows() -> None:
    marked = ask(
        user(Text(text="x", cache=HOUR), Document(source=Inline(media_type="text/plain", base64="aMOp"))),
        assistant(Reasoning(text="Hm"), Reasoning(text="No", signature="s", maker=Maker.ANTHROPIC), CALL, path="messages[1]"),
        user(RESULT),
        tools=(replace(WEATHER, strict=True),),
        parallel_tool_calls=False,
        temperature=1.5,
        top_k=5,
        service_tier="auto",
    )
    written = deepseek.write_request(marked, replace(UPSTREAM, model="deepseek-chat", native_json_schema=False))
    assert written.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "hé"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": ""},
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}]},
    ]
    assert written.body["temperature"] == 1.5
    assert not {"tool_choice", "top_k", "service_tier"} & written.body.keys()
    assert sorted(lost(written)) == ["cache_control", "messages[1]", "parallel_tool_calls", "service_tier", "tools", "top_k"]


def test_deepseek_has_an_effort_beside_the_budget_and_always_shows_its_thoughts() -> None:
    assert lost(deepseek.write_request(ask(thinking=Thinking(effort=Effort.MAX, show=False)), UPSTREAM)) == ["thinking"]
    written = deepseek.write_request(ask(thinking=Thinking(effort=Effort.MAX, show=True)), UPSTREAM)
    assert written.body["thinking"] == {"type": "enabled", "budget_tokens": 16_384}
    assert written.body["output_config"] == {"effort": "max"}


def test_deepseek_sees_nothing() -> None:
    for item in (Image(source=Link(url="https://x")), Document(source=Inline(media_type="application/pdf", base64="AAAA"))):
        with pytest.raises(Unsupported):
            deepseek.write_request(ask(user(item)), UPSTREAM)


# there and back

words = st.text(min_size=1, max_size=6).filter(lambda text: bool(text.strip()))
marks = st.none() | st.just(FIVE)
pieces = st.one_of(
    st.builds(Text, text=words),
    st.builds(Image, source=st.builds(Inline, media_type=st.sampled_from(["image/png", "image/webp"]), base64=st.just("AAAA"))),
    st.builds(Document, source=st.builds(Inline, media_type=st.just("application/pdf"), base64=st.just("BBBB")), name=st.none() | words),
)
thoughts = st.sampled_from([THOUGHT, Reasoning(opaque="b3A=", maker=Maker.ANTHROPIC)])
names = st.sampled_from(["weather", "now"])


@st.composite
def conversations(draw: st.DrawFn) -> Ask:
    turns: list[Turn] = []
    call = 0
    for round_ in range(draw(st.integers(1, 3))):
        said: tuple[UserItem, ...] = tuple(draw(st.lists(pieces, min_size=1, max_size=3)))
        calls: list[ToolCall] = []
        if round_:
            for _ in range(draw(st.integers(0, 2))):
                call += 1
                arguments = draw(st.dictionaries(words, words | st.integers(), max_size=2))
                text = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
                calls.append(ToolCall(id=f"call_{call}", name=draw(names), arguments=text))
            answer: tuple[AssistantItem, ...] = (
                *draw(st.lists(thoughts, max_size=2)),
                *draw(st.lists(st.builds(Text, text=words), min_size=1, max_size=2)),
                *calls,
            )
            turns.append(assistant(*answer, path=f"messages[{len(turns)}]"))
        results = [
            ToolResult(call_id=each.id, parts=tuple(draw(st.lists(pieces, max_size=2))), is_error=draw(st.booleans())) for each in calls
        ]
        turns.append(user(*results, *said, path=f"messages[{len(turns)}]"))
    return Ask(
        model="m",
        system=tuple(draw(st.lists(st.builds(Text, text=words, cache=marks), max_size=2))),
        turns=tuple(turns),
        tools=(Tool(name="weather", description="x", schema=WEATHER.schema), Tool(name="now", schema={"type": "object", "properties": {}})),
        tool_choice=draw(st.sampled_from([None, Choice.NONE, Choice.REQUIRED, Named(names=("now",))])),
        max_output_tokens=draw(st.integers(1, 1_000)),
        temperature=draw(st.none() | st.floats(0, 1)),
        top_k=draw(st.none() | st.integers(0, 100)),
        stop=tuple(draw(st.lists(words, max_size=3))),
        output=draw(st.none() | st.just(JsonSchema(schema={**PARIS, "properties": {"city": {"type": "string"}}}))),
        stream=draw(st.booleans()),
    )


@given(given_ask=conversations())
@settings(max_examples=60, deadline=None)
def test_what_is_written_reads_back(given_ask: Ask) -> None:
    written = write_request(given_ask, UPSTREAM)
    back = read_request(written.body, model="m", stream=given_ask.stream)
    assert written.losses == back.losses == ()
    assert replace(back, paths={}, include_usage=False) == given_ask


@given(given_ask=conversations())
@settings(max_examples=15, deadline=None)
def test_the_official_sdk_has_the_same_types(given_ask: Ask) -> None:
    from anthropic.types import MessageParam, OutputConfigParam, TextBlockParam, ToolChoiceParam, ToolParam
    from pydantic import TypeAdapter

    body = write_request(given_ask, UPSTREAM).body
    messages = TypeAdapter[Any](MessageParam)
    for message in body["messages"]:
        list(messages.validate_python(message)["content"])  # it reads the blocks only when they are asked for
    for tool in body["tools"]:
        TypeAdapter[Any](ToolParam).validate_python(tool)
    for block in body.get("system", ()):
        TypeAdapter[Any](TextBlockParam).validate_python(block)
    TypeAdapter[Any](OutputConfigParam | None).validate_python(body.get("output_config"))
    TypeAdapter[Any](ToolChoiceParam | None).validate_python(body.get("tool_choice"))
