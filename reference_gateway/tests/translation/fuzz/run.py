"""Many streams, one after another, each made of its seed alone."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from reference_gateway.routes import Surface
from reference_gateway.tests.translation.fuzz import mutations
from reference_gateway.tests.translation.fuzz.judge import Fault, Hang, Outcome, judged, patience, tell
from reference_gateway.tests.translation.fuzz.streams import DIRECTIONS, Stream, recorded, shipped
from reference_gateway.translation.translator import Dialect

LONGEST: Final = 40_000  # bytes of a stream to start from: the longer ones are more of the same


@dataclass(slots=True)
class Tally:
    streams: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0  # of CPU, translation alone
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (direction, outcome)
    mutations: Counter[tuple[str, str]] = field(default_factory=Counter)  # (mutation, outcome)
    faults: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        for title, counted in (("direction", self.outcomes), ("mutation", self.mutations)):
            yield f"{title:32}{Outcome.TRANSLATED:>12}{Outcome.ERROR:>14}"
            for name in sorted({name for name, _ in counted}):
                yield f"{name:32}{counted[name, Outcome.TRANSLATED]:>12}{counted[name, Outcome.ERROR]:>14}"
        yield from self.faults
        total = Counter[str]()
        for (_, outcome), number in self.outcomes.items():
            total[outcome] += number
        yield (
            f"{self.streams:,} mutated streams in {self.seconds:.0f} s: {total[Outcome.TRANSLATED]:,} translated, "
            f"{total[Outcome.ERROR]:,} typed errors, {len(self.faults)} faults; the slowest took {self.slowest_ms:.0f} ms"
        )


def by_dialect() -> dict[Dialect, list[Stream]]:
    found: dict[Dialect, list[Stream]] = {dialect: [] for dialect in Dialect}
    for stream in (*shipped(), *recorded()):
        if len(stream.body) <= LONGEST:
            found[stream.dialect].append(stream)
    return found


def run(streams: int, seed: int, *, most_faults: int = 20) -> Tally:
    tally, seeds = Tally(), by_dialect()
    began = time.monotonic()
    for number in range(seed, seed + streams):
        one(number, seeds, tally)
        tally.streams += 1
        if len(tally.faults) >= most_faults:
            break
    tally.seconds = time.monotonic() - began
    return tally


def one(seed: int, seeds: dict[Dialect, list[Stream]], tally: Tally) -> None:
    draw = random.Random(seed)
    dialect, client = draw.choice(DIRECTIONS)
    stream = draw.choice(seeds[dialect])
    body, names = mutations.harm(draw, stream.body)
    array, give_up = client is Surface.GEMINI and draw.random() < 0.2, draw.random() < 0.02
    reads = mutations.reads(draw, body)
    try:
        with patience():
            began = time.process_time()
            told = tell(dialect, client, reads, array=array, give_up=give_up)
            tally.slowest_ms = max(tally.slowest_ms, (time.process_time() - began) * 1000)
            outcome = judged(told, body)
            if not give_up and tell(dialect, client, [body], array=array).data != told.data:
                raise Fault("the client was told otherwise for how the upstream's bytes were split")
    except (Exception, Hang) as problem:  # whatever it is, it is what is looked for
        tally.faults.append(f"seed {seed}, {stream.name} to {client}, {' + '.join(names)}: {_said(problem)}")
        return
    tally.outcomes[f"{dialect} to {client}", outcome] += 1
    for name in names:
        tally.mutations[name, outcome] += 1


def _said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:600]
