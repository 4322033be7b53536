"""Thoughts kept for clients that do not hand them back; and what only this gateway can read."""

from msgspec.structs import replace

from reference_gateway.translation.codec import Naming
from reference_gateway.translation.items import Answer, Ask, Item, Maker, Reasoning, Role, Stop, Text, ToolCall, ToolResult, Turn
from reference_gateway.translation.messages.answer_out import write_answer
from reference_gateway.translation.reasoning_store import Memory, ReasoningStore
from reference_gateway.translation.seal import Sealer

THOUGHT = Reasoning(text="Hm.", signature="c2ln", maker=Maker.ANTHROPIC)
REDACTED = Reasoning(opaque="b3BhcXVl", maker=Maker.ANTHROPIC)
CALL = ToolCall(id="toolu_1", name="look", arguments='{"at":1}')
OTHER = ToolCall(id="toolu_2", name="look", arguments="{}")


def answer(*items: Reasoning | ToolCall | Text) -> Answer:
    return Answer(id="1", model="m", items=items, stop=Stop.TOOL_CALLS, tokens=None)


def ask(*items: Item) -> Ask:
    result = ToolResult(call_id="toolu_1", parts=(Text(text="a cat"),))
    turns = (
        Turn(role=Role.ASSISTANT, items=items, path="messages[1]"),
        Turn(role=Role.USER, items=(result,), path="messages[2]"),
    )
    return Ask(model="m", turns=turns)


def said(*items: Item) -> Ask:
    return Ask(model="m", turns=(Turn(role=Role.ASSISTANT, items=items, path="messages[1]"),))


async def test_thoughts_come_back_in_order_before_their_calls_to_their_maker_and_their_key_only() -> None:
    store = ReasoningStore(Memory())
    await store.keep("key-1", answer(THOUGHT, REDACTED, Text(text="I look."), CALL, OTHER), Maker.ANTHROPIC)
    asked = ask(Text(text="I look."), CALL, OTHER)
    back = await store.restore("key-1", asked, Maker.ANTHROPIC)
    assert back.turns[0].items == (THOUGHT, REDACTED, Text(text="I look."), CALL, OTHER)
    assert back.turns[1] == asked.turns[1]
    assert await store.restore("key-1", asked, Maker.GEMINI) == asked
    assert await store.restore("key-2", asked, Maker.ANTHROPIC) == asked


async def test_what_the_client_brought_itself_is_believed() -> None:
    store = ReasoningStore(Memory())
    await store.keep("key-1", answer(THOUGHT, CALL), Maker.ANTHROPIC)
    own = ask(replace(THOUGHT, signature="b3du"), CALL)
    assert await store.restore("key-1", own, Maker.ANTHROPIC) == own
    shown = ask(Reasoning(text="Hm."), CALL)  # the same thought, without its proof
    assert (await store.restore("key-1", shown, Maker.ANTHROPIC)).turns[0].items == (THOUGHT, CALL)


async def test_a_calls_own_signature_comes_back_to_that_call() -> None:
    store = ReasoningStore(Memory())
    await store.keep("key-1", answer(replace(CALL, signature="c2ln"), OTHER), Maker.GEMINI)
    back = await store.restore("key-1", ask(CALL, OTHER), Maker.GEMINI)
    assert back.turns[0].items == (replace(CALL, signature="c2ln", maker=Maker.GEMINI), OTHER)


async def test_a_call_is_known_by_the_id_that_a_client_of_messages_was_given() -> None:
    store = ReasoningStore(Memory())
    strange = replace(CALL, id="look:0|a.b", signature="c2ln")
    await store.keep("key-1", answer(strange, OTHER), Maker.GEMINI)
    told = write_answer(answer(strange, OTHER), ask(), Naming(id="1", model="m", created=1, stands_for={}))["content"][0]["id"]
    assert told != strange.id
    for known in (told, strange.id):
        back = await store.restore("key-1", ask(replace(CALL, id=known), OTHER), Maker.GEMINI)
        assert back.turns[0].items == (replace(CALL, id=known, signature="c2ln", maker=Maker.GEMINI), OTHER)


async def test_deepseek_wants_the_words_themselves_back() -> None:
    store = ReasoningStore(Memory())
    await store.keep("key-1", answer(Reasoning(text="Hm."), CALL), Maker.DEEPSEEK)
    back = await store.restore("key-1", ask(CALL), Maker.DEEPSEEK)
    assert back.turns[0].items == (Reasoning(text="Hm.", maker=Maker.DEEPSEEK), CALL)


async def test_the_signature_of_a_text_comes_back_to_that_text() -> None:
    store = ReasoningStore(Memory())
    proof = Reasoning(signature="c2ln", maker=Maker.GEMINI)
    await store.keep("key-1", answer(Text(text="It is"), Text(text=" so."), proof), Maker.GEMINI)
    asked = said(Text(text="It is so."))
    assert (await store.restore("key-1", asked, Maker.GEMINI)).turns[0].items == (Text(text="It is so."), proof)
    for other in (said(Text(text="It is so")), said(Reasoning(signature="b3du", maker=Maker.GEMINI), Text(text="It is so."))):
        assert await store.restore("key-1", other, Maker.GEMINI) == other
    assert await store.restore("key-2", asked, Maker.GEMINI) == asked
    assert await store.restore("key-1", asked, Maker.ANTHROPIC) == asked


async def test_answers_without_calls_or_proof_are_not_kept() -> None:
    memory = Memory()
    store = ReasoningStore(memory)
    await store.keep("key-1", answer(THOUGHT), Maker.ANTHROPIC)
    await store.keep("key-1", answer(Reasoning(text="Hm."), CALL), Maker.OPENAI)
    assert (await store.restore("key-1", ask(CALL), Maker.OPENAI)).turns[0].items == (CALL,)


async def test_memory_is_bounded_in_bytes_and_time() -> None:
    now = [0.0]
    memory = Memory(clock=lambda: now[0], max_bytes=100)
    for number in range(20):
        await memory.remember(f"n{number:02}", "x" * 17, 10.0)
    assert [await memory.recall(f"n{number:02}") is not None for number in range(14, 20)] == [False, *[True] * 5]
    now[0] = 10.0
    assert await memory.recall("n19") is None
    await memory.remember("large", "x" * 1000, 10.0)
    assert await memory.recall("large") is None


def test_a_seal_is_opened_by_its_account_and_its_gateway_only() -> None:
    seal = Sealer(b"pepper").of("account-1")
    text = seal.close(b"a thought")
    assert b"thought" not in text.encode()
    assert text == Sealer(b"pepper").of("account-1").close(b"a thought")
    assert seal.open(text) == b"a thought"
    assert Sealer(b"pepper").of("account-2").open(text) is None
    assert Sealer(b"salt").of("account-1").open(text) is None
    for damaged in (text[:-4], text[1:], "AAAA" + text, "", "é", text.swapcase()):
        assert seal.open(damaged) is None
