from datetime import date
from pathlib import Path

import pytest

from harness.expectations import read_expectations
from harness.judged import ExpectedKind
from harness.toml_file import UserFileError

TODAY = date(2026, 11, 21)
GOOD = """
[[expect]]
requirement = "messages/stream/*"
model = "claude-*"
reason = "blocks interleave"
link = "https://example.org/12"
expires = 2027-01-31

[[expect]]
requirement = "chat/stream/done-last"
outcome = "flaky"
reason = "sometimes late"
"""
PLANNED = [("messages/stream/order", "messages/text.stream", "claude-opus-4-8"), ("chat/stream/done-last", "chat/text.stream", "gpt-5-4")]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "expectations.toml"
    path.write_text(text)
    return path


def test_an_entry_covers_by_globs(tmp_path: Path) -> None:
    expectations = read_expectations(written(tmp_path, GOOD))
    found = expectations.of(*PLANNED[0])
    assert found is not None
    assert found.as_expected().kind is ExpectedKind.FAILURE
    assert found.as_expected().expires == "2027-01-31"
    assert expectations.of("messages/stream/order", "messages/text.stream", "gpt-5-4") is None
    flaky = expectations.of(*PLANNED[1])
    assert flaky is not None
    assert flaky.as_expected().kind is ExpectedKind.FLAKE
    expectations.check(PLANNED, TODAY)


def test_an_entry_that_matches_nothing_stops_the_run(tmp_path: Path) -> None:
    expectations = read_expectations(written(tmp_path, GOOD))
    with pytest.raises(UserFileError, match=r"line 9: the expectation chat/stream/done-last .* matches nothing"):
        expectations.check(PLANNED[:1], TODAY)


def test_an_entry_past_its_day_stops_the_run(tmp_path: Path) -> None:
    expectations = read_expectations(written(tmp_path, GOOD))
    with pytest.raises(UserFileError, match=r"line 2: .* expired on 2027-01-31"):
        expectations.check(PLANNED, date(2027, 2, 1))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('reason = "sometimes late"', "", "line 9: an [[expect]] entry needs `reason`"),
        ('outcome = "flaky"', 'outcome = "skip"', "line 11: `outcome` must be one of fails, flaky, not 'skip'"),
        ("expires = 2027-01-31", 'expires = "soon"', "line 7: `expires` must be a day"),
        ("model =", "modell =", "line 4: [[expect]] has no key `modell`; did you mean `model`?"),
    ],
)
def test_a_mistake_is_named_by_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(UserFileError) as caught:
        read_expectations(written(tmp_path, GOOD.replace(old, new)))
    assert says in str(caught.value)
