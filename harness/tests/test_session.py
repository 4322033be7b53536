"""A gateway that somebody else started, on one key, on several, and without an account to look at."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.case import Case
from harness.conformance import Live
from harness.embedded import EmbeddedGateway
from harness.plan import cases_of, judge, rules_of, suite_modules
from harness.settings import Settings
from harness.target import Target
from harness.tests.commands import wireproof
from harness.verdict import Errored, Failed, NotApplicable, Passed, Verdict, word

MODEL = "gpt-5-4"


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[int, Target]]:
    """The reference gateway, whose vendors are where a run's upstream witness will listen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    started = EmbeddedGateway(f"http://127.0.0.1:{port}")
    try:
        yield port, started.ready()
    finally:
        started.stop()


def chat_cases() -> tuple[Case, ...]:
    """Cases with the account read before and after, and others among them that would spoil it if they ran meanwhile."""
    found = [case for case in cases_of(suite_modules()) if case.surface == "chat" and case.client == "raw"]
    return tuple(case for case in found if case.account or "text" in case.id)


def billing(live: Live) -> list[tuple[str, Verdict]]:
    rules = [rule for rule in rules_of(suite_modules()) if rule.requirement.id.startswith("billing/")]
    asked = tuple(planned for planned in live.planned if live.lacks(planned) is None)
    live.begin(asked)
    return [
        (f"{rule.requirement.id} on {planned.id}", judge(rule, live.exchange(planned), live.declared(rule.requirement.id)))
        for planned in asked
        for rule in rules
        if planned.case.surface in rule.given.surfaces and rule.given.holds(planned.case)
    ]


def target_file(folder: Path, target: Target, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Path:
    assert target.bases is not None
    for number, key in enumerate(keys):
        monkeypatch.setenv(f"WP_TEST_KEY_{number}", key)
    names = ", ".join(f'"WP_TEST_KEY_{number}"' for number in range(len(keys)))
    path = folder / "target.toml"
    path.write_text(
        f'[target]\nname = "test"\nbase_url = "{target.bases.root}"\n[keys]\ngood = [{names}]\n[account]\ndialect = "wireproof"\n'
        f"[timeouts]\nfirst_byte_ms = {target.first_byte_ms}\nidle_ms = {target.idle_ms}\n"
    )
    return path


@pytest.mark.parametrize("keys", [1, 4], ids=["one key", "four keys"])
def test_the_books_of_each_exchange_are_its_own(
    keys: int, gateway: tuple[int, Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, target = gateway
    path = target_file(tmp_path, target, target.good_keys[:keys], monkeypatch)
    live = Live(Settings(target=path, upstream_port=port, models=(MODEL,)), chat_cases())
    try:
        verdicts = billing(live)
    finally:
        live.close()
    assert [(name, verdict) for name, verdict in verdicts if isinstance(verdict, Failed | Errored)] == []
    assert sum(isinstance(verdict, Passed) for _, verdict in verdicts) > 20


def test_without_an_account_nothing_about_billing_is_judged(gateway: tuple[int, Target]) -> None:
    port, target = gateway
    assert target.bases is not None
    settings = Settings(base_url=target.bases.root, api_key=target.good_keys[0], upstream_port=port, models=(MODEL,))
    live = Live(settings, chat_cases())
    try:
        verdicts = billing(live)
    finally:
        live.close()
    assert verdicts
    assert {word(verdict) for _, verdict in verdicts} == {"not-applicable"}
    assert verdicts[0][1] == NotApplicable("the target shows no account (dialect none)")


def test_a_red_run_whose_routes_were_guessed_says_so(gateway: tuple[int, Target], tmp_path: Path) -> None:
    port, target = gateway
    assert target.bases is not None
    # Its vendor is spoken to in another protocol, which its name does not show.
    words = ("--base-url", target.bases.root, "--upstream-port", str(port), "--models", "gpt-5-5-pro", "-k", "chat/content/text-kept")
    result = wireproof("run", *words, "--out", tmp_path, cwd=tmp_path, WIREPROOF_API_KEY=target.good_keys[0])
    assert result.returncode == 1, result.stdout + result.stderr
    assert "native on its vendor's own surfaces; where that is wrong, say so under [[models]] in a target file" in result.stdout
