"""A form is prepared, put back and judged."""

from typing import Any

import pytest
from msgspec.structs import replace

from reference_gateway.translation import events
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.items import (
    Answer,
    Ask,
    Broken,
    Choice,
    Effort,
    JsonObject,
    JsonSchema,
    Malformed,
    Named,
    Role,
    Stop,
    Text,
    Thinking,
    Tokens,
    Tool,
    ToolCall,
    Turn,
)
from reference_gateway.translation.structured import TOOL, Form, Shaper, prepare, verdict

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
OUTPUT = JsonSchema(schema=SCHEMA)
ASK = Ask(model="m", turns=(Turn(role=Role.USER, items=(Text(text="x"),), path="messages[0]"),), output=OUTPUT)
CLAUDE = Upstream(model="c", max_output_tokens=100, family="claude")
OWN = Tool(name="look")


def prepared(ask: Ask, upstream: Upstream = CLAUDE, *, held: bool = False, forced: bool = False) -> tuple[Ask, Form | None]:
    return prepare(ask, upstream, lambda output: held, forced=forced)


def shaped(answer: Answer, form: Form) -> Answer | Broken:
    return events.collect(Shaper(form).events(events.of(answer)))


def answer(*items: Any, stop: Stop = Stop.TOOL_CALLS) -> Answer:
    return Answer(id="1", model="m", items=items, stop=stop, tokens=Tokens(input=1, output=1))


def called(arguments: str) -> ToolCall:
    return ToolCall(id="t", name=TOOL, arguments=arguments)


def test_nothing_happens_where_no_form_was_asked_for() -> None:
    ask = replace(ASK, output=None)
    assert prepared(ask) == (ask, None)


def test_a_vendor_with_a_mechanism_is_left_to_it() -> None:
    ask, form = prepared(ASK, held=True)
    assert ask is ASK
    assert form is not None
    assert form.tool is None


def test_a_tool_is_forced_and_with_tools_of_the_clients_own_it_is_one_of_them() -> None:
    ask, _ = prepared(ASK)
    assert (ask.output, ask.tool_choice, ask.parallel_tool_calls) == (None, Named(names=(TOOL,)), False)
    assert ask.tools[0].schema == SCHEMA
    among, _ = prepared(replace(ASK, tools=(OWN,)))
    assert (among.tool_choice, [tool.name for tool in among.tools]) == (Choice.REQUIRED, ["look", TOOL])
    never, _ = prepared(replace(ASK, tools=(OWN,), tool_choice=Choice.NONE))
    assert never.tool_choice == Named(names=(TOOL,))
    must, form = prepared(replace(ASK, tools=(OWN,), tool_choice=Choice.REQUIRED))
    assert must.tools == (OWN,)
    assert form is not None
    assert form.tool is None
    taken, form = prepared(replace(ASK, tools=(Tool(name=TOOL),)))
    assert taken.tools[1].name == f"{TOOL}_"
    assert form is not None
    assert form.tool == f"{TOOL}_"


@pytest.mark.parametrize(
    "ask", [replace(ASK, thinking=Thinking(effort=Effort.HIGH)), replace(ASK, output=JsonSchema(schema={"anyOf": [SCHEMA]}))]
)
def test_where_no_tool_can_be_forced_the_model_is_told_and_the_client_too(ask: Ask) -> None:
    told, form = prepared(ask)
    assert (told.output, told.tools) == (None, ())
    assert '"size"' in told.system[-1].text
    assert [loss.path for loss in told.losses] == ["output"]
    assert form is not None


def test_a_thinking_model_that_may_be_forced_is() -> None:
    ask, _ = prepared(replace(ASK, thinking=Thinking(effort=Effort.HIGH)), forced=True)
    assert ask.tools


def test_the_call_becomes_the_text_and_words_before_it_are_none_of_it() -> None:
    _, form = prepared(ASK)
    assert form is not None
    assert shaped(answer(Text(text="Here:"), called('{"size": 1}')), form) == answer(Text(text='{"size": 1}'), stop=Stop.END)
    wrong = shaped(answer(called("")), form)  # an empty call is the empty object
    assert isinstance(wrong, Broken)
    assert (wrong.status, "$ is not what" in wrong.message) == (502, True)


def test_a_call_of_the_clients_own_stays_one() -> None:
    _, form = prepared(replace(ASK, tools=(OWN,)))
    assert form is not None
    own = answer(Text(text="I look."), ToolCall(id="1", name="look", arguments="{}"))
    assert shaped(own, form) == own


@pytest.mark.parametrize("stop", [Stop.LENGTH, Stop.REFUSAL, Stop.PAUSE])
def test_what_was_cut_is_not_judged(stop: Stop) -> None:
    _, form = prepared(ASK)
    assert form is not None
    cut = answer(Text(text='{"si'), stop=stop)
    assert shaped(cut, form) == cut


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"size": 1}', True),
        (' {"size": 1}\n', True),
        ('{"size": "1"}', False),
        ("{}", False),
        ("size", False),
        ('```{"size": 1}```', False),
    ],
)
def test_the_clients_own_schema_decides(text: str, right: bool) -> None:
    assert (verdict(OUTPUT, "p")(text) == "") is right


def test_an_object_is_any_object() -> None:
    judge = verdict(JsonObject(), "p")
    assert [judge(text) == "" for text in ("{}", "[]", "1", "{")] == [True, False, False, False]


@pytest.mark.parametrize(
    "schema", [{"type": "nonsense"}, {"$ref": "http://127.0.0.1:1/x"}, {"$ref": "file:///etc/passwd"}, {"$schema": "http://x/y"}]
)
def test_a_schema_that_is_none_is_the_clients_fault_and_nothing_is_fetched(schema: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as raised:
        verdict(JsonSchema(schema=schema), "response_format")
    assert raised.value.path == "response_format"


def test_a_pattern_cannot_take_for_ever() -> None:
    judge = verdict(JsonSchema(schema={"type": "string", "pattern": "(a+)+(b+)+\\1$"}), "p")
    assert judge('"' + "a" * 60 + '!"')


def doubling(levels: int) -> JsonSchema:
    """Each level refers to the next in two ways."""
    definitions: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return JsonSchema(schema={"$defs": {**definitions, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"})


def test_a_schema_cannot_hold_up_the_process() -> None:
    small, large = verdict(doubling(4), "x"), verdict(doubling(200), "x")
    assert (small('"a"'), small("{}")) == ("", "$ is not what the schema allows")
    assert "too much work" in large("{}")
    assert verdict(doubling(14), "x")("{}") == "the schema does not allow it"
    tree = {"$defs": {"t": {"anyOf": [{"items": {"$ref": "#/$defs/t"}, "minItems": n} for n in (1, 2)]}}, "$ref": "#/$defs/t"}
    judge = verdict(JsonSchema(schema=tree), "x")
    assert judge("[[1], [2], []]") == "$ is not what the schema allows"
    assert "too much work" in judge("[" * 60 + "]" * 60)  # it doubles with each level of the value
    assert "not JSON" in judge("[" * 100_000)


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#"}, {"$ref": "#/$defs/no"}, {"items": {"$ref": "#"}}, {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}],
)
def test_a_schema_that_comes_back_to_itself_is_judged_or_refused(schema: dict[str, Any]) -> None:
    try:
        judge = verdict(JsonSchema(schema=schema), "x")
    except Malformed:
        return
    for text in ("1", "{}", "[[[]]]"):
        assert isinstance(judge(text), str)
