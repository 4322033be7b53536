"""Everything a person or CI runs: `nox` alone does lint, types, tests, conformance and mutation.

All sessions share one environment, installed from requirements.lock and kept while that file stays the same,
so the second call of any session starts at once.
"""

import hashlib
import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "conformance", "mutation"]
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
ENVIRONMENT = ".nox/wireproof"
CODE = ("harness", "reference_gateway", "suites", "noxfile.py")


def install(on: nox.Session) -> None:
    """Install the locked dependencies and this project; nothing when the lock has not changed since."""
    lock = hashlib.sha256((ROOT / "requirements.lock").read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = Path(on.virtualenv.location) / f"installed-{sys.version_info[0]}.{sys.version_info[1]}"
    if stamp.exists() and stamp.read_text() == lock:
        return
    on.install("--quiet", "--require-hashes", "-r", "requirements.lock")
    on.install("--quiet", "--no-deps", "--no-build-isolation", "-e", ".")
    stamp.write_text(lock)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def lint(on: nox.Session) -> None:
    """ruff: rules and layout."""
    install(on)
    on.run("ruff", "check", *CODE)
    on.run("ruff", "format", "--check", *CODE)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def types(on: nox.Session) -> None:
    """mypy, strict."""
    install(on)
    on.run("mypy", *CODE)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def tests(on: nox.Session) -> None:
    """The project's own tests. `nox -s tests -- -k sse` hands words on to pytest."""
    install(on)
    on.run("pytest", *on.posargs)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def conformance(on: nox.Session) -> None:
    """The suites against the reference gateway, or against any other: `nox -s conformance -- --base-url URL --api-key KEY`."""
    install(on)
    on.run("wireproof", "run", *on.posargs)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def mutation(on: nox.Session) -> None:
    """Break the wire on purpose, one way at a time, and print which check notices."""
    install(on)
    on.run("wireproof", "mutation", *on.posargs)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def record(on: nox.Session) -> None:
    """Record a vendor: `nox -s record -- --vendor anthropic`. Needs that vendor's key in the environment."""
    install(on)
    on.run("wireproof", "record", *on.posargs)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def bench(on: nox.Session) -> None:
    """Measure on this machine, as ratios against something measured in the same run."""
    install(on)
    on.run("wireproof", "bench", *on.posargs)


@nox.session(venv_location=ENVIRONMENT, reuse_venv=True)
def lock(on: nox.Session) -> None:
    """Make requirements.lock again from pyproject.toml (needs uv)."""
    on.install("--quiet", "uv")
    head = "# Every dependency of wireproof and of its tests, with hashes and no addresses. Made again by: nox -s lock\n"
    words = ["--group", "dev", "--extra", "allure", "--universal", "--python-version", "3.11", "--generate-hashes"]
    words += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade"]
    made = str(on.run("uv", "pip", "compile", "pyproject.toml", *words, silent=True))
    (ROOT / "requirements.lock").write_text(head + made, encoding="utf-8")


if os.environ.get("CI"):  # colours and progress bars help nobody in a log
    os.environ.setdefault("NO_COLOR", "1")
