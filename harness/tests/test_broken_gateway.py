"""The reference gateway with one line broken on purpose turns the run red for that reason and no other.

A copy of the gateway is changed in one place, the way real gateways were wrong (the requirements' `defects` name them), started in the
place of the embedded one, driven by every shipped case of the raw client, and judged by every requirement.
"""

import shutil
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from harness.case import Client
from harness.conformance import Live
from harness.plan import cases_of, judge, rules_of, suite_modules, unserved
from harness.settings import Settings
from harness.verdict import Errored, Failed

REPOSITORY = Path(__file__).parents[2]
GPT, CLAUDE, GEMINI = "gpt-5-4", "claude-sonnet-4-6", "gemini-3-1-pro"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    models: tuple[str, ...] = (GPT,)  # it has two surfaces; more where the line is about others
    breaks: tuple[str, ...]  # the requirements that must fail, and the only ones that may
    may: tuple[str, ...] = ()  # globs of those that fail or not by how TCP cuts the stream that moment


def _on_each_write(change: str) -> tuple[tuple[str, str], ...]:
    """Every place where the relay writes; `change` has `data` for the bytes."""
    return (
        (
            "            else:\n                self._answer.write(read)\n",
            f"            else:\n                self._answer.write({_of('read', change)})\n",
        ),
        (
            "not self._is_parked\n        self._answer.write(read)\n",
            f"not self._is_parked\n        self._answer.write({_of('read', change)})\n",
        ),
        ("        self._answer.finish(last)\n", f"        self._answer.finish({_of('last', change)})\n"),
    )


def _of(name: str, change: str) -> str:
    return change.replace("data", name)


BREAKAGES = (
    Breakage(
        name="drops event lines",
        models=(GPT, CLAUDE),
        file="proxy/relay.py",
        changes=_on_each_write('__import__("re").sub(rb"event: [^\\n]*\\n", b"", data)'),
        breaks=(
            "errors/kept-until-the-break",
            "errors/stream-ends-in-error",
            "messages/stream/error-named",
            "messages/stream/event-is-type",
            "native/body-bytes",
            "native/bytes-before-hang-up",
            "native/delivered-as-sent",
            "responses/stream/event-is-type",
            "sse/same-events",
        ),
    ),
    Breakage(
        name="drops [DONE]",
        file="proxy/relay.py",
        changes=_on_each_write('data.replace(b"da" + b"ta: [DONE]\\n\\n", b"")'),
        breaks=(
            "chat/stream/done-last",
            "native/body-bytes",
            "sse/same-events",
        ),
    ),
    Breakage(
        name="decodes each read by itself",
        file="proxy/relay.py",
        changes=(
            (
                "        if self._gathered is not None:\n            self._gather(",
                (
                    "        read = read.decode(errors='replace').encode() if self.sse else read\n"
                    "        if self._gathered is not None:\n            self._gather("
                ),
            ),
        ),
        breaks=(
            "native/body-bytes",
            "sse/no-replacement-character",
            "sse/same-events",
        ),
        may=(
            "*/content/*",
            "*/items/*",
        ),
    ),
    Breakage(
        name="gathers the whole stream",
        models=(CLAUDE, GEMINI),
        file="proxy/relay.py",
        changes=(
            *(
                (before, before.replace("self._answer.write(read)", "self._held = getattr(self, '_held', []) + [read]"))
                for before, _ in _on_each_write("data")[:2]
            ),
            (
                "        self._answer.finish(last)\n",
                "        [self._answer.write(read) for read in getattr(self, '_held', [])]\n        self._answer.finish(last)\n",
            ),
        ),
        breaks=("native/delivered-as-sent",),
        may=("native/bytes-before-hang-up",),
    ),
    Breakage(
        name="writes the JSON anew",
        file="express.py",
        changes=(
            (
                "self._response, self._data = response, data\n",
                "self._response, self._data = response, __import__('json').dumps(__import__('json').loads(data)).encode()\n",
            ),
        ),
        breaks=("native/body-bytes",),
    ),
    Breakage(
        name="bills the vendor's errors",
        file="forward.py",
        changes=(
            (
                "        own_headers = self._own_headers()\n        await self._release()\n",
                (
                    "        own_headers = self._own_headers()\n"
                    "        await self._settle(Usage(input_tokens=10, output_tokens=10), estimated=False, cap=True)\n"
                ),
            ),
        ),
        breaks=(
            "billing/failure-has-no-row",
            "billing/failure-is-free",
            "billing/retry-after-failure-bills-once",
            "billing/usage-by-key",
            "limits/failure-moves-nothing",
        ),
    ),
    Breakage(
        name="bills what breaks off",
        file="forward.py",
        changes=(
            (
                "        await self._release()\n        if not relay.sse:\n",
                "        await self._charge_partial(watch)\n        if not relay.sse:\n",
            ),
        ),
        breaks=(
            "auth/deleted-in-mid-stream-is-free",
            "billing/failure-has-no-row",
            "billing/failure-is-free",
            "limits/failure-moves-nothing",
        ),
    ),
    Breakage(
        name="admits without counting what is held",
        file="billing/treasury.py",
        changes=(
            (
                "if key.quota_micro_usd and book.spent + book.held + amount_micro_usd > key.quota_micro_usd:",
                "if key.quota_micro_usd and book.spent + amount_micro_usd > key.quota_micro_usd:",
            ),
        ),
        breaks=("limits/no-overspend",),
    ),
    Breakage(
        name="lets a deleted key's stream go on",
        file="accounts/directory.py",
        changes=(("        self.withdraw(lambda other: other.id == key_id)\n", ""),),
        breaks=("auth/deleted-in-mid-stream", "auth/deleted-in-mid-stream-is-free"),
    ),
    Breakage(
        name="hands the caller's key on",
        models=(GPT, CLAUDE, GEMINI),
        file="headers.py",
        changes=(
            (
                "        if name in REQUEST_NAMES or",
                '        if name in (*REQUEST_NAMES, b"authorization", b"x-api-key", b"x-goog-api-key") or',
            ),
        ),
        breaks=(
            "headers/caller-key-stays",
            "headers/one-vendor-credential",
        ),
    ),
)


@pytest.fixture
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Breakage:
    """The copy with the breakage stands in the current folder, where `python -m reference_gateway` looks first."""
    breakage: Breakage = request.param
    copy = tmp_path / "reference_gateway"
    shutil.copytree(REPOSITORY / "reference_gateway", copy, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    source = copy / breakage.file
    text = source.read_text(encoding="utf-8")
    for before, after in breakage.changes:
        assert text.count(before) == 1, f"{breakage.file} has changed: find the line to break anew"
        text = text.replace(before, after)
    source.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return breakage


@pytest.mark.parametrize("broken", BREAKAGES, ids=lambda breakage: breakage.name.replace(" ", "-"), indirect=True)
def test_the_run_is_red_for_what_is_broken_and_nothing_else(broken: Breakage) -> None:
    modules = suite_modules()
    rules = rules_of(modules)
    cases = tuple(case for case in cases_of(modules) if case.client is Client.RAW)  # what SDKs make of it is a consequence
    live = Live(Settings(models=broken.models), cases)
    failed: dict[str, str] = {}
    errored: list[str] = []
    try:
        live.begin(live.planned)
        for planned in live.planned:
            exchange = live.exchange(planned)
            for rule in rules:
                if planned.case.surface not in rule.given.surfaces or not rule.given.holds(planned.case) or unserved(rule, planned):
                    continue
                match judge(rule, exchange):
                    case Failed(findings=findings):
                        failed.setdefault(rule.requirement.id, f"{planned.id}: {findings[0]}")
                    case Errored(reason=reason):
                        errored.append(f"{rule.requirement.id} on {planned.id}: {reason}")
                    case _:
                        pass
    finally:
        live.close()
    assert not errored
    certain = {name for name in failed if not any(fnmatchcase(name, glob) for glob in broken.may)}
    assert certain == set(broken.breaks), "\n".join(f"{name} on {where}" for name, where in sorted(failed.items()))
