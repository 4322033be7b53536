"""The translation's matrix on a terminal: a row for each client surface before each dialect, whole and streamed; a column a scenario."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from harness.judged import Judged, Standing, standing

_ROOM: int = 170  # columns of a terminal that are enough for all


class State(StrEnum):
    GREEN = "green"  # something was judged, and all of it stood
    RED = "red"
    UNJUDGED = "unjudged"  # driven, and no rule had anything to say
    MISSING = "not driven"  # the target has no model for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Verdicts by cell: row -> scenario -> how its verdicts stand. A cell without any was not driven."""

    rows: dict[str, dict[str, Counter[Standing]]] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Iterable[str], judged: Iterable[Judged]) -> "Matrix":
        """`cells`: the ids of all cases that are cells, such as "translation/chat-gemini/text.stream"."""
        matrix = cls()
        for cell in cells:
            row, scenario = _place(cell)
            matrix.rows.setdefault(row, {})[scenario] = Counter()
        for verdict in judged:
            row, scenario = _place(verdict.case)
            if scenario in matrix.rows.get(row, {}):
                matrix.rows[row][scenario][standing(verdict)] += 1
        return matrix

    @property
    def scenarios(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(scenario for row in self.rows.values() for scenario in row))

    def states(self) -> Counter[State]:
        return Counter(state_of(counts) for row in self.rows.values() for counts in row.values())

    def cells(self, state: State) -> tuple[str, ...]:
        return tuple(
            f"{row} {scenario}" for row, found in self.rows.items() for scenario, counts in found.items() if state_of(counts) is state
        )


def state_of(counts: Counter[Standing]) -> State:
    if not counts or set(counts) == {Standing.NOT_APPLICABLE}:
        return State.MISSING
    if counts.keys() & {Standing.FAILED, Standing.ERRORED, Standing.UNEXPECTED_PASS}:
        return State.RED
    return State.GREEN if counts[Standing.PASSED] else State.UNJUDGED


def _place(case: str) -> tuple[str, str]:
    """`translation/chat-gemini/text.stream` stands in row `chat-gemini stream`, column `text`."""
    _, _, rest = case.partition("/")
    pair, _, scenario = rest.partition("/")
    name, _, form = scenario.partition(".")
    return f"{pair} {form or 'whole'}", name


def print_matrix(matrix: Matrix, console: Console) -> None:
    """Each cell with the number of its verdicts that passed, or that failed."""
    if console.width < _ROOM:
        console = Console(file=console.file, width=_ROOM, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("client-upstream", no_wrap=True, vertical="bottom")
    for scenario in matrix.scenarios:
        table.add_column(scenario.replace("-", "\n"), justify="right", vertical="bottom")
    for row, cells in matrix.rows.items():
        table.add_row(row, *(_shown(cells[scenario]) if scenario in cells else "" for scenario in matrix.scenarios))
    console.print(table)
    states = matrix.states()
    told = ", ".join(f"{states[state]:,} {state}" for state in State if states[state] or state is State.GREEN)
    passed = sum(counts[Standing.PASSED] for row in matrix.rows.values() for counts in row.values())
    console.print(f"{sum(states.values()):,} cells: {told}; {passed:,} verdicts passed")
    if missing := matrix.cells(State.MISSING):
        console.print(f"Nothing to drive for {len(missing):,} cells: the target names no model with that upstream on that surface.")


def _shown(counts: Counter[Standing]) -> str:
    match state_of(counts):
        case State.GREEN:
            return f"[green]{counts[Standing.PASSED]}[/]"
        case State.RED:
            return f"[bold red]{counts[Standing.FAILED] + counts[Standing.ERRORED] + counts[Standing.UNEXPECTED_PASS]}![/]"
        case State.UNJUDGED:
            return "[magenta]?[/]"
        case State.MISSING:
            return "-"
