"""Environments of their own for the generations of the official SDKs, under .nox/sdk-NAME, each built once and kept.

One is built where it is missing only by `nox -s sdks` and under CI; elsewhere its tests are skipped, since building takes a network.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from harness.tests.absent import missing

ROOT: Final = Path(__file__).parents[3]
GENERATIONS: Final = {
    "openai-1": "openai>=1,<2",
    "openai-2": "openai>=2,<3",
    "openai-3": "openai>=3,<4",
    "anthropic-0": "anthropic<1",
    "anthropic-1": "anthropic>=1,<2",
    "anthropic-2": "anthropic>=2,<3",
}
NODE: Final = {"openai": "*", "@anthropic-ai/sdk": "*"}
BUILD_WITHIN_S: Final = 240


def python(name: str) -> str:
    """The interpreter of that generation's environment; skips the test where there is none and none may be built."""
    folder = ROOT / ".nox" / f"sdk-{name}"
    interpreter = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if _is_built(folder, GENERATIONS[name]):
        return str(interpreter)
    _may_build(name)
    shutil.rmtree(folder, ignore_errors=True)
    if uv := shutil.which("uv"):
        _build(name, uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        _build(name, uv, "pip", "install", "--quiet", "--python", str(interpreter), GENERATIONS[name])
    else:
        maker = "virtualenv" if importlib.util.find_spec("virtualenv") else "venv"
        _build(name, sys.executable, "-m", maker, str(folder))
        _build(name, str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GENERATIONS[name])
    _stamp(folder).write_text(GENERATIONS[name])
    return str(interpreter)


def node() -> Path:
    """The folder whose node_modules has the TypeScript SDKs; skips the test where there is no node, or none may be built."""
    folder = ROOT / ".nox" / "sdk-node"
    wanted = " ".join(NODE)
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("node and npm are not installed: install them to run the TypeScript samples")
    if _is_built(folder, wanted):
        return folder
    _may_build("node")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packages = [f"{name}@{version}" for name, version in NODE.items()]
    _build("node", npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages)
    _stamp(folder).write_text(wanted)
    return folder


def _stamp(folder: Path) -> Path:
    return folder / "built-for"


def _is_built(folder: Path, wanted: str) -> bool:
    return _stamp(folder).exists() and _stamp(folder).read_text() == wanted


def _may_build(name: str) -> None:
    if not os.environ.get("CI") and not os.environ.get("WIREPROOF_BUILD_SDKS"):
        # Each takes a quarter of a minute to build: on a developer's machine only if asked for; CI builds them all.
        pytest.skip(f"there is no environment .nox/sdk-{name}: `nox -s sdks` builds it")


def _build(name: str, *command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=BUILD_WITHIN_S)
    if done.returncode:
        pytest.fail(f"the environment .nox/sdk-{name} could not be built: {done.stderr.strip()[-600:]}")
