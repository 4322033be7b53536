"""A few thousand mutated streams in each run of the tests; `nox -s fuzz` takes a hundred thousand."""

import itertools
import random
from typing import Final

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.translation.fuzz import mutations
from reference_gateway.tests.translation.fuzz.grammar import Ungrammatical
from reference_gateway.tests.translation.fuzz.judge import Fault, Outcome, Told, judged, tell
from reference_gateway.tests.translation.fuzz.run import LONGEST, run
from reference_gateway.tests.translation.fuzz.streams import DIRECTIONS, Stream, frames, shipped
from reference_gateway.translation.translator import Dialect

STREAMS: Final = 2_400
SEED: Final = 20_261_122
PARTS: Final = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_streams_are_translated_or_fail_as_their_protocol_has_it(part: int) -> None:
    size = STREAMS // PARTS
    tally = run(size, SEED + part * size)
    assert not tally.faults, "\n".join(tally.faults)
    assert tally.streams == size
    found = {name for name, _ in tally.mutations}
    assert found >= {mutation.__name__ for mutation in mutations.HARM}
    assert {name for name, _ in tally.outcomes} == {f"{dialect} to {client}" for dialect, client in DIRECTIONS}
    assert sum(number for (_, outcome), number in tally.outcomes.items() if outcome == Outcome.TRANSLATED) > size // 10


def short(dialect: Dialect) -> list[Stream]:
    return [stream for stream in shipped() if stream.dialect is dialect and len(stream.body) <= LONGEST]


@pytest.mark.parametrize("mutation", mutations.HARMLESS, ids=lambda mutation: str(mutation.__name__))
def test_what_harms_nothing_changes_nothing(mutation: mutations.Mutation) -> None:
    for dialect, client in DIRECTIONS:
        for stream in short(dialect):
            draw = random.Random(f"{mutation.__name__} {stream.name}")
            body = mutation(draw, stream.body)
            plain = tell(dialect, client, [stream.body]).data
            assert tell(dialect, client, mutations.reads(draw, body)).data == plain, f"{stream.name} to {client}"


@pytest.mark.parametrize("dialect", Dialect)
def test_no_beginning_of_a_stream_is_a_whole_answer(dialect: Dialect) -> None:
    """Cut after each event, and at every byte of the last ones: clean only where the upstream's own end is there."""
    clients = itertools.cycle([client for of, client in DIRECTIONS if of is dialect])
    for stream in [stream for stream in short(dialect) if 1_000 < len(stream.body) < 4_000][:8]:
        found = frames(stream.body)
        sizes = {sum(map(len, found[:count])) for count in range(len(found))}
        sizes |= set(range(len(stream.body) - 300, len(stream.body)))
        for size in sizes:
            body = stream.body[:size]
            judged(tell(dialect, next(clients), [body]), body)


def told(client: Surface, dialect: Dialect = Dialect.GEMINI) -> tuple[Told, bytes]:
    stream = next(each for each in shipped() if each.dialect is dialect and each.name.endswith("/parallel-tools.stream"))
    return tell(dialect, client, [stream.body]), stream.body


@pytest.mark.parametrize(
    ("client", "before", "after"),
    [
        (Surface.CHAT, b"data: [DONE]\n\n", b""),
        (Surface.CHAT, b'"finish_reason":"tool_calls"', b'"finish_reason":null'),
        (Surface.CHAT, b'"index":1,"id"', b'"index":2,"id"'),
        (Surface.CHAT, b'"content":""', b'"content":"x"'),
        (Surface.CHAT, b'"prompt_tokens":', b'"prompt_tokens":1'),
        (Surface.MESSAGES, b'event: message_stop\ndata: {"type":"message_stop"}\n\n', b""),
        (Surface.MESSAGES, b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n', b""),
        (Surface.MESSAGES, b'"type":"content_block_stop","index":1', b'"type":"content_block_stop","index":0'),
        (Surface.MESSAGES, b'"partial_json":"{', b'"partial_json":"{{'),
        (Surface.MESSAGES, b'"stop_reason":"tool_use"', b'"stop_reason":"max_tokens"'),
        (Surface.RESPONSES, b'"sequence_number":5', b'"sequence_number":6'),
        (Surface.RESPONSES, b'"arguments":"{', b'"arguments":" {'),
        (Surface.RESPONSES, b"response.completed", b"response.incomplete"),
        (Surface.RESPONSES, b'"call_id":"', b'"call_id":"x'),
    ],
)
def test_what_a_translator_might_do_wrong_is_found(client: Surface, before: bytes, after: bytes) -> None:
    answer, body = told(client)
    assert judged(answer, body) is Outcome.TRANSLATED
    assert before in answer.data
    wrong = Told(dialect=answer.dialect, client=client, data=answer.data.replace(before, after), passage=answer.passage)
    with pytest.raises((Fault, Ungrammatical)):
        judged(wrong, body)


@pytest.mark.parametrize("client", [Surface.CHAT, Surface.MESSAGES, Surface.RESPONSES])
def test_a_clean_end_of_a_cut_stream_is_found(client: Surface) -> None:
    answer, body = told(client)
    with pytest.raises(Fault, match="a clean end, though"):
        judged(answer, body.replace(b'"finishReason"', b'"finish"'))
