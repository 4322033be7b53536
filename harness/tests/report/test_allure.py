import json
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SUITE = """
from harness.report import allure
from harness.run_secrets import RunSecrets
from harness.tests.report import made
from harness.judged import Standing, standing

def test_one(request, tmp_path):
    run = made.run(tmp_path)
    judged = next(judged for judged in run.verdicts if standing(judged) is Standing.FAILED and "order-kept" in judged.requirement)
    exchange = run.exchanges[judged.exchange]
    allure.attach(request.config, run.requirements[judged.requirement], judged, exchange, RunSecrets([made.SECRET]))
"""


def test_evidence_is_attached_where_allure_is_switched_on(pytester: pytest.Pytester) -> None:
    pytest.importorskip("allure", reason="allure-pytest is not installed")
    pytester.makepyfile(SUITE)
    results = pytester.path / "allure"
    # In a process of its own: allure-pytest keeps global state.
    pytester.runpytest_subprocess(f"--alluredir={results}", "-p", "no:cacheprovider").assert_outcomes(passed=1)
    [told] = [json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*-result.json")]
    attached = {each["name"]: (results / each["source"]).read_bytes() for each in told["attachments"]}
    assert list(attached) == ["findings", "client: request", "client: response", "upstream 1: request", "upstream 1: response"]
    assert b"expected open block 0, got block 1" in attached["findings"]
    assert attached["client: response"].startswith(b"HTTP 200\ncontent-type: text/event-stream\n\nevent: message_start")
    assert {label["value"] for label in told["labels"] if label["name"] == "severity"} == {"critical"}
    assert not [path for path in Path(results).iterdir() if b"sk-byts-" in path.read_bytes()]


def test_nothing_happens_where_it_is_not(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-p", "no:allure_pytest", "-p", "no:cacheprovider").assert_outcomes(passed=1)
