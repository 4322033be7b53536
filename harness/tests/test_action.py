"""action.yml: its inputs are options of `wireproof run`, and its script does what it says when it is run."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.settings import OPTIONS

ACTION: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
RUN = next(step for step in STEPS if step.get("id") == "run")
NOT_OPTIONS = {"version"}


def test_every_input_is_an_option_of_the_command() -> None:
    known = {option.flag.removeprefix("--") for option in OPTIONS}
    assert set(ACTION["inputs"]) - NOT_OPTIONS <= known
    assert all(entry["description"] for entry in ACTION["inputs"].values())


def test_every_input_reaches_the_command_by_the_options_own_variable() -> None:
    by_variable = {option.variable: option.flag.removeprefix("--") for option in OPTIONS}
    carried = {}
    for variable, value in RUN["env"].items():
        found = re.match(r"\$\{\{ inputs\.([\w-]+)", value)
        assert found, f"{variable} carries no input"
        carried[by_variable[variable]] = found[1]
    assert carried == {name: name for name in ACTION["inputs"] if name not in NOT_OPTIONS}


def test_defaults_are_those_of_the_command() -> None:
    for option in OPTIONS:
        entry = ACTION["inputs"].get(option.flag.removeprefix("--"))
        if entry is not None:
            assert entry["default"] == (option.default or "")


def test_no_input_is_pasted_into_a_script_and_the_key_stays_in_one_steps_environment() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", "")
        if step is not RUN:
            assert "api-key" not in str(step)
            assert "API_KEY" not in str(step)


@pytest.mark.parametrize(("code", "writes"), [(0, True), (1, True), (2, False)])
def test_the_script_ends_with_the_runs_exit_code_and_shows_its_summary(tmp_path: Path, code: int, writes: bool) -> None:
    out = tmp_path / "out with a blank"
    out.mkdir()
    (out / "summary.md").write_text("of an older run")
    program = tmp_path / "wireproof" / "bin" / "wireproof"
    program.parent.mkdir(parents=True)
    summary = 'echo "# summary of $1" > "$WIREPROOF_OUT/summary.md"\n' if writes else ""
    program.write_text(f"#!/bin/sh\n{summary}exit {code}\n")
    program.chmod(0o755)
    told, shown = tmp_path / "output", tmp_path / "summary"
    environment = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(told),
        "GITHUB_STEP_SUMMARY": str(shown),
        "WIREPROOF_OUT": str(out),
    }

    done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", RUN["run"]], env=environment, check=False)

    assert done.returncode == code
    assert told.read_text() == f"exit-code={code}\n"
    assert shown.read_text() == (
        "# summary of run\n" if writes else "wireproof could not run (exit code 2); the log of this step says why.\n"
    )
