"""Answers by hypothesis, as items: what any upstream may have said."""

from hypothesis import strategies as st

from reference_gateway.translation.items import Answer, AssistantItem, Maker, Reasoning, Refused, Stop, Text, Tokens, ToolCall

texts = st.text(st.characters(codec="utf-8"), max_size=12)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
counts = st.none() | st.integers(0, 10**9)


@st.composite
def thoughts(draw: st.DrawFn) -> Reasoning:
    """Without a proof nobody knows whose it is."""
    text = draw(texts)
    match draw(st.sampled_from((None, *Maker))):
        case None:
            return Reasoning(text=text or "so")
        case Maker.OPENAI:
            return Reasoning(text=text, opaque=draw(words), maker=Maker.OPENAI, id=draw(st.none() | words))
        case Maker.ANTHROPIC if draw(st.booleans()):
            return Reasoning(opaque=draw(words), maker=Maker.ANTHROPIC)
        case maker:
            return Reasoning(text=text, signature=draw(words), maker=maker)


@st.composite
def calls(draw: st.DrawFn) -> ToolCall:
    signature = draw(st.none() | words)
    return ToolCall(
        id=draw(words),
        name=draw(words),
        arguments=draw(st.sampled_from(("", "{}", '{"a": 1}', '{"city":"Zürich","n":12345678901234567890.50}'))),
        signature=signature,
        maker=Maker.GEMINI if signature else None,
    )


items: st.SearchStrategy[AssistantItem] = (
    texts.map(lambda text: Text(text=text)) | words.map(lambda text: Refused(text=text)) | thoughts() | calls()
)
tokens = st.none() | st.builds(
    Tokens,
    input=st.integers(0, 10**9),
    output=st.integers(0, 10**9),
    cache_read=counts,
    cache_write_5m=counts,
    cache_write_1h=counts,
    reasoning=counts,
)
answers = st.builds(
    Answer,
    id=st.just("msg_1"),
    model=st.just("upstream-model"),
    items=st.lists(items, max_size=5, unique_by=lambda item: item.id if isinstance(item, ToolCall) else object()).map(tuple),
    stop=st.sampled_from(Stop),
    tokens=tokens,
)
