"""What holds of every translated answer, on answers by hypothesis and on recorded ones, for each upstream before each client.

The split of the upstream's bytes changes nothing; an answer says, counts and costs the same whole and streamed.
"""

import random
from dataclasses import dataclass, replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import Surface as Spoken
from harness.transcript import Transcript, canonical
from harness.transcript_oracle import heard
from reference_gateway.accounting import usage_of
from reference_gateway.billing.prices import Prices
from reference_gateway.routes import Surface
from reference_gateway.tests.translation import made
from reference_gateway.tests.translation.fuzz import grammar, mutations
from reference_gateway.tests.translation.fuzz.grammar import Ending
from reference_gateway.tests.translation.fuzz.judge import passage, tell
from reference_gateway.tests.translation.fuzz.run import LONGEST
from reference_gateway.tests.translation.fuzz.streams import DIRECTIONS, SPOKEN, recorded, shipped
from reference_gateway.tests.translation.made import Kind, Said
from reference_gateway.translation.items import Answer, Ended
from reference_gateway.translation.translator import Dialect

PRICES = Prices(input=3_000_000, output=15_000_000, cache_read=300_000, cache_write_5m=3_750_000, cache_write_1h=6_000_000)
EACH = pytest.mark.parametrize(("dialect", "client"), DIRECTIONS, ids=lambda value: str(value).replace(" ", "-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What a client was told, and what it cost in micro-USD."""

    said: Transcript
    charge: int


def charged(end: object) -> int:
    assert isinstance(end, Ended)
    assert end.tokens is not None
    return PRICES.cost(usage_of(end.tokens))


def streamed(dialect: Dialect, client: Surface, said: Said, size: int) -> Got:
    told = tell(dialect, client, [made.stream(SPOKEN[dialect], said, size)])
    assert grammar.read(client, told.data) is Ending.CLEAN
    return Got(said=heard(Spoken(client.value), told.data, as_client=True), charge=charged(told.passage.end))


def whole(dialect: Dialect, client: Surface, said: Said) -> Got:
    way = passage(client, dialect)
    answer = way.whole(made.body(SPOKEN[dialect], said))
    assert isinstance(answer, Answer)
    data = msgspec.json.encode(way.document(answer))
    return Got(said=heard(Spoken(client.value), data), charge=charged(way.end))


@EACH
@settings(max_examples=15)
@given(data=st.data())
def test_streamed_or_not_an_answer_is_the_same_and_costs_the_same(dialect: Dialect, client: Surface, data: st.DataObject) -> None:
    said = data.draw(made.answers(SPOKEN[dialect]))
    one, other = streamed(dialect, client, said, data.draw(st.sampled_from([1, 3, 50]))), whole(dialect, client, said)
    assert plain(one.said, client) == plain(other.said, client)
    assert one.charge == other.charge
    # And it is what the vendor said.
    assert one.said.text == said.of(Kind.TEXT)
    assert one.said.reasoning == said.of(Kind.THOUGHT)
    wanted = [(part.id, part.name, canonical(part.text)) for part in said.calls]
    assert [(call.id, call.name, canonical(call.arguments)) for call in one.said.calls] == wanted
    assert one.said.stop == ("length" if said.cut else "tools" if said.calls else "end")
    counts = said.counts
    assert one.said.usage["input"] == counts.prompt
    assert one.said.usage["output"] == counts.output
    assert one.said.usage.get("cache_read", 0) == counts.read
    assert one.charge == (counts.prompt * 3_000_000 + counts.read * 300_000 + counts.output * 15_000_000 + 500_000) // 1_000_000


def plain(said: Transcript, client: Surface) -> Transcript:
    """Without what only a stream can tell: where thoughts stood, which chat's whole answers do not say, and a sealed proof's bytes."""
    order = tuple(sorted(set(said.order))) if client is Surface.CHAT else said.order
    calls = tuple(replace(call, arguments=canonical(call.arguments)) for call in said.calls)
    return replace(said, order=order, calls=calls, signatures=tuple(sorted(said.signatures)))


@EACH
@settings(max_examples=15)
@given(data=st.data())
def test_any_split_gives_the_same_events(dialect: Dialect, client: Surface, data: st.DataObject) -> None:
    said = data.draw(made.answers(SPOKEN[dialect]))
    body = made.stream(SPOKEN[dialect], said, data.draw(st.sampled_from([1, 4, 50])))
    if data.draw(st.booleans()):
        body = data.draw(st.sampled_from([body.replace(b"\n", b"\r\n"), body.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + body]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    reads = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    plain = tell(dialect, client, [body]).data
    assert tell(dialect, client, reads).data == plain
    assert tell(dialect, client, [body[at : at + 1] for at in range(len(body))]).data == plain


@EACH
def test_any_split_of_a_recorded_stream_gives_the_same_events(dialect: Dialect, client: Surface) -> None:
    seen = 0
    for stream in (*shipped(), *recorded()):
        if stream.dialect is not dialect or len(stream.body) > LONGEST:
            continue
        seen += 1
        draw = random.Random(stream.name)
        plain = tell(dialect, client, [stream.body]).data
        assert tell(dialect, client, mutations.reads(draw, stream.body)).data == plain, stream.name
        if len(stream.body) < 2_000:
            assert tell(dialect, client, [stream.body[at : at + 1] for at in range(len(stream.body))]).data == plain, stream.name
    assert seen > 3
