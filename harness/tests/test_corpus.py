from pathlib import Path

import pytest

from harness.tests import corpus


def test_without_the_corpus_a_test_is_skipped_and_in_ci_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREPROOF_SHARED_CORPUS", str(tmp_path))
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="WIREPROOF_SHARED_CORPUS"):
        next(corpus.exchanges())
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="WIREPROOF_SHARED_CORPUS"):
        next(corpus.exchanges())


def test_exchanges_match_all_that_is_asked() -> None:
    found = list(corpus.exchanges(vendor="anthropic", api="messages", stream=True, fidelity="exact"))
    assert len(found) > 50
    assert {(exchange.vendor, exchange.api, exchange.stream, exchange.fidelity) for exchange in found} == {
        ("anthropic", "messages", True, "exact")
    }
    assert all(exchange.is_sse and exchange.body for exchange in found)
    assert found[0].request["method"] == "POST"
