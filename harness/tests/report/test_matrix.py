import pytest

from harness.judged import Standing
from harness.report.matrix import Cell, broken, feature_of, matrix, origins
from harness.runfile import Run
from harness.tests.report import made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made.run(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize(
    ("requirement", "feature"),
    [("messages/stream/delta-in-open-block", "messages/stream"), ("auth/wrong-key", "auth"), ("native/body/gzip/kept", "native/body")],
)
def test_a_feature_is_the_first_two_parts_but_never_the_whole_name(requirement: str, feature: str) -> None:
    assert feature_of(requirement) == feature


def test_cells_hold_every_verdict_once(run: Run) -> None:
    table = matrix(run)
    assert sum(cell.total for cell in table.cells.values()) == len(run.verdicts)
    assert sum(table.model_total(model).total for model in table.models) == len(run.verdicts)
    assert table.models == made.MODELS


def test_a_cell_is_named_by_its_worst(run: Run) -> None:
    table = matrix(run)
    assert table.cell("messages/stream", "claude-opus-4-7").worst is Standing.FAILED
    assert table.cell("chat/tools", "deepseek-v4").worst is Standing.UNEXPECTED_PASS
    assert table.cell("chat/usage", "gemini-3-pro") == Cell(counts={})
    assert table.cell("chat/usage", "gemini-3-pro").said() == "not tested"
    assert table.cell("chat/tools", "gpt-5-4").said() == "5 flaky, 20 passed"


def test_what_broke_comes_worst_severity_first(run: Run) -> None:
    found = broken(run)
    severities = [each.severity for each in found]
    assert severities[0] == "security"
    assert [each.requirement for each in found if each.standing is Standing.UNEXPECTED_PASS] == [
        "chat/tools/terminal-event",
        "messages/tools/terminal-event",
    ]
    assert sum(len(each.verdicts) for each in found) == run.arithmetic.failed + run.arithmetic.errored + run.arithmetic.unexpected_passes


def test_origins_count_verdicts_not_exchanges(run: Run) -> None:
    counts = origins(run)
    assert sum(counts.values()) == len(run.verdicts)
    assert counts["none"] == run.arithmetic.not_applicable
