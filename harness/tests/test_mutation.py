"""The kill matrix gives a mutant that could not be judged beside its neighbours a second chance, alone."""

import asyncio

from harness.mutation.matrix import Fate, Hunt, Row, all_mutants
from harness.mutation.mutant import Mutant


class Busy(Hunt):
    """On a machine too busy to judge some mutants while others are hunted."""

    def __init__(self, slow: dict[str, int]) -> None:
        self.slow = dict(slow)  # mutant -> how often it cannot be judged
        self.under_way = 0
        self.alone: list[str] = []
        self._baseline = {}

    async def _hunt(self, mutant: Mutant) -> Row:
        self.under_way += 1
        await asyncio.sleep(0)
        if self.under_way == 1:
            self.alone.append(mutant.id)
        await asyncio.sleep(0)
        self.under_way -= 1
        left = self.slow.get(mutant.id, 0)
        self.slow[mutant.id] = left - 1
        return Row(mutant=mutant, fate=Fate.NOT_EXERCISED if left > 0 else Fate.KILLED, driven=0)


async def test_what_was_not_exercised_is_tried_once_more_alone() -> None:
    first, second, third, fourth = all_mutants()[:4]
    hunt = Busy({second.id: 1, fourth.id: 2})
    told: list[Row] = []
    rows = await hunt.run((first, second, third, fourth), told.append)
    assert [row.fate for row in rows] == [Fate.KILLED, Fate.KILLED, Fate.KILLED, Fate.NOT_EXERCISED]
    assert [row.mutant for row in rows] == [first, second, third, fourth]
    assert hunt.alone == [second.id, fourth.id]
    assert len(told) == 4
