"""JUnit, Markdown, badge, terminal and the command that writes them."""

import argparse
import io
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from harness.judged import Standing, standing
from harness.report import cli
from harness.report.badge import badge
from harness.report.junit import junit
from harness.report.markdown import code, markdown
from harness.report.terminal import print_summary
from harness.report.words import replay_command, shown
from harness.runfile import Run
from harness.tests.report import made


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made.run(tmp_path_factory.mktemp("red"))


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made.run(tmp_path_factory.mktemp("green"), green=True)


def test_junit_has_one_testcase_per_verdict_and_the_same_counts(red: Run) -> None:
    root = ElementTree.fromstring(junit(red))
    sums = red.arithmetic
    assert root.get("tests") == str(len(red.verdicts))
    assert root.get("failures") == str(sums.failed + sums.unexpected_passes)
    assert root.get("errors") == str(sums.errored)
    assert root.get("skipped") == str(sums.expected + sums.flaky + sums.inconclusive + sums.not_applicable)
    assert [suite.get("name") for suite in root] == list(made.MODELS)
    told = Counter(found.get("value") for found in root.iter("property") if found.get("name") == "standing")
    assert told == Counter(word for judged in red.verdicts if (word := standing(judged)) is not Standing.PASSED)
    names = [case.get("name") for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_junit_of_a_hostile_target_parses_and_keeps_its_words(red: Run) -> None:
    root = ElementTree.fromstring(junit(red))
    failures = [failure.text or "" for failure in root.iter("failure")]
    assert any('</script><img src=x onerror="alert(1)">\\x1b[31m' in text for text in failures)


def test_markdown_tells_what_broke_before_the_table_and_the_sum_last(red: Run) -> None:
    text = markdown(red)
    order = [text.index(part) for part in ("10 requirements broken", "### ", "| feature |", "**Arithmetic**")]
    assert order == sorted(order)
    assert "1,200 selected = 12 failed + 2 unexpected-pass" in text
    assert "not tested" in text
    assert "| chat/usage | ✅ 25 |" in text
    assert len({line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")}) == 1


@pytest.mark.parametrize("text", ["a`b", "``", "`", "", "a|b", "x\n# y", made.HOSTILE, "@someone <img>"])
def test_markdown_text_of_a_target_stays_in_its_code_span(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    assert span.endswith(fence[0])
    assert fence[0] not in re.sub("`+", lambda run: run[0] if len(run[0]) == len(fence[0]) else "", span[len(fence[0]) : -len(fence[0])])
    assert "\n" not in span
    assert "|" not in span.replace("\\|", "")


def test_terminal_groups_by_requirement_and_has_no_colour_off_a_terminal(red: Run) -> None:
    out = io.StringIO()
    print_summary(red, Console(file=out, highlight=False, width=80), run_file="reports/run.jsonl", reports=["reports/report.html"])
    text = out.getvalue()
    assert "\x1b" not in text
    assert text.count("chat/errors/no-key-in-body  security") == 1
    assert "and 3 more verdicts, on gpt-5-4, claude-opus-4-7, gemini-3-pro, deepseek-v4" in text
    assert "wireproof run --run reports/run.jsonl -k 'chat/errors/no-key-in-body[chat/refusal-gpt-5-4]'\n" in text
    assert "1,200 selected = 12 failed + 2 unexpected-pass + 2 errored + 10 flaky + 10 expected + 40 inconclusive + 1,024 passed" in text
    assert text.splitlines()[-3:] == ["10 requirements broken on 4 models.", "report  reports/report.html", "run file  reports/run.jsonl"]


def test_terminal_of_a_green_run_is_its_sum(green: Run) -> None:
    out = io.StringIO()
    print_summary(green, Console(file=out, highlight=False), run_file="run.jsonl")
    assert out.getvalue().startswith("1,200 selected = 1,200 passed\n")
    assert "Everything stood as expected." in out.getvalue()


def test_the_badge_counts_and_never_gives_a_percentage(red: Run, green: Run) -> None:
    for run, says in ((red, "12 of 1,200 failed"), (green, "1,200 of 1,200 passed")):
        root = ElementTree.fromstring(badge(run))
        assert root.get("aria-label") == f"wireproof: {says}"
        assert "%" not in badge(run)


def test_no_report_holds_the_secret_that_the_target_leaked(red: Run) -> None:
    for made_of in (junit(red).decode(), markdown(red), badge(red)):
        assert made.SECRET not in made_of


def test_a_replay_command_is_one_shell_word_of_keywords(red: Run) -> None:
    broken = [judged for judged in red.verdicts if standing(judged) is Standing.FAILED]
    for judged in broken:
        keyword = re.fullmatch(r"wireproof run --run 'my run\.jsonl' -k '([^']+)'", replay_command(judged, "my run.jsonl"))
        assert keyword is not None
        assert keyword[1] == f"{judged.requirement}[{judged.exchange}]"


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert shown("a\x00\x1b\u202e\ud800\x7f\tb\n") == "a\\x00\\x1b\\u202e\\ud800\\x7f\tb\n"


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_writes_all_reports_beside_the_run(red: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(parsed(str(red.path))) == 0
    assert {path.name for path in red.path.parent.iterdir()} == {"run.jsonl", "report.html", "junit.xml", "summary.md", "badge.svg"}
    assert "10 requirements broken on 4 models." in capsys.readouterr().out


def test_the_command_writes_just_what_was_chosen(green: Run, tmp_path: Path) -> None:
    assert cli.main(parsed(str(green.path), "--junit", str(tmp_path / "new" / "j.xml"))) == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["j.xml"]


def test_a_file_that_is_no_run_is_one_sentence_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.jsonl").write_text("<html>", encoding="utf-8")
    assert cli.main(parsed(str(tmp_path / "run.jsonl"))) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "is not a run file" in said
