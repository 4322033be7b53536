import io

from rich.console import Console

from harness.case import Surface
from harness.judged import Judged
from harness.report.cells import Matrix, State, print_matrix
from harness.requirement import Severity
from harness.verdict import Failed, Finding, Inconclusive, Passed, Verdict

CELLS = (
    "translation/chat-gemini/text",
    "translation/chat-gemini/text.stream",
    "translation/chat-gemini/empty",
    "translation/chat-deepseek-anthropic/text",
)


def judged(case: str, verdict: Verdict) -> Judged:
    return Judged(requirement="a/b", severity=Severity.COST, case=case, surface=Surface.CHAT, model="m", verdict=verdict)


VERDICTS = (
    judged(CELLS[0], Passed("it")),
    judged(CELLS[0], Inconclusive("nothing")),
    judged(CELLS[1], Passed("it")),
    judged(CELLS[1], Failed(Finding(expected="a", got="b"))),
    judged(CELLS[2], Inconclusive("nothing")),
    judged("chat/text", Passed("it")),
)


def test_a_cell_is_green_red_unjudged_or_not_driven() -> None:
    matrix = Matrix.of(CELLS, VERDICTS)
    assert matrix.scenarios == ("text", "empty")
    assert matrix.cells(State.GREEN) == ("chat-gemini whole text",)
    assert matrix.cells(State.RED) == ("chat-gemini stream text",)
    assert matrix.cells(State.UNJUDGED) == ("chat-gemini whole empty",)
    assert matrix.cells(State.MISSING) == ("chat-deepseek-anthropic whole text",)


def test_the_table_tells_its_counts_and_what_was_not_driven() -> None:
    shown = io.StringIO()
    print_matrix(Matrix.of(CELLS, VERDICTS), Console(file=shown, width=200))
    text = shown.getvalue()
    assert "4 cells: 1 green, 1 red, 1 unjudged, 1 not driven; 2 verdicts passed" in text
    assert "Nothing to drive for 1 cells" in text
    assert "1!" in text
