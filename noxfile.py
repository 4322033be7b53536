"""Everything a person or CI runs: `nox` alone does lint, types, tests, conformance and mutation.

All sessions share one environment, .nox/wireproof, installed from requirements.lock and kept while that file stays the same,
so the second call of any session starts at once. uv builds it where there is one, else virtualenv (which nox brings) and pip.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests", "conformance", "mutation"]

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".nox" / "wireproof"
BIN = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin")
CODE = ("harness", "reference_gateway", "suites", "noxfile.py")

if os.environ.get("CI"):  # colours and progress bars help nobody in a log
    os.environ.setdefault("NO_COLOR", "1")


def install(on: nox.Session) -> None:
    """The shared environment: built when there is none for this lock and this Python, else left as it is."""
    wanted = hashlib.sha256(sys.version.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        wanted.update((ROOT / name).read_bytes())
    stamp = ENVIRONMENT / "installed-from"
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)  # half an environment is worse than none
    python = str(BIN / "python")
    if uv := shutil.which("uv"):
        on.run(uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT), external=True)
        pip = [uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode"]  # SDKs take seconds to import else
    else:
        on.run(sys.executable, "-m", "virtualenv", "--quiet", str(ENVIRONMENT), external=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    on.run(*pip, "--require-hashes", "-r", "requirements.lock", external=True)
    on.run(*pip, "--no-deps", "--no-build-isolation", "-e", ".", external=True)
    stamp.write_text(wanted.hexdigest())


def run(on: nox.Session, command: str, *words: str) -> None:
    install(on)
    on.env["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    on.env["PYTHONDONTWRITEBYTECODE"] = ""  # tests and runs start hundreds of processes: each would compile the project anew
    on.run(str(BIN / command), *words, external=True)


@nox.session
def lint(on: nox.Session) -> None:
    """ruff: rules and layout."""
    run(on, "ruff", "check", *CODE)
    run(on, "ruff", "format", "--check", *CODE)


@nox.session
def types(on: nox.Session) -> None:
    """mypy, strict."""
    run(on, "mypy", *CODE)


@nox.session
def tests(on: nox.Session) -> None:
    """The project's own tests. `nox -s tests -- -k sse` hands words on to pytest."""
    workers = str((os.cpu_count() or 1) + 1)  # a third of their time tests wait for servers that they started
    run(on, "pytest", "--numprocesses", workers, "--dist", "loadfile", "--no-loadscope-reorder", *on.posargs)


@nox.session
def conformance(on: nox.Session) -> None:
    """The suites against the reference gateway, or against any other: `nox -s conformance -- --base-url URL --upstream-port PORT`."""
    run(on, "wireproof", "run", *on.posargs)


@nox.session
def translation(on: nox.Session) -> None:
    """Every cell of the translation's matrix, which `conformance` drives a cross-section of: 4 surfaces, 6 dialects, whole and streamed."""
    run(on, "wireproof", "run", "--matrix", *on.posargs)


@nox.session
def mutation(on: nox.Session) -> None:
    """Break the wire on purpose, one way at a time, and print which check notices."""
    run(on, "wireproof", "mutation", *on.posargs)


@nox.session
def sdks(on: nox.Session) -> None:
    """The guides' samples with every generation of the official SDKs, each in an environment of its own under .nox."""
    on.env["WIREPROOF_BUILD_SDKS"] = "1"
    run(on, "pytest", "reference_gateway/tests/samples/test_sdks.py", *on.posargs)


@nox.session
def fuzz(on: nox.Session) -> None:
    """A hundred thousand mutated upstream streams through the translator; `nox -s fuzz -- --streams 5000 --seed 7` is shorter."""
    run(on, "python", "-m", "reference_gateway.tests.translation.fuzz", *on.posargs)


@nox.session
def soak(on: nox.Session) -> None:
    """Five minutes of high load, faults and hang-ups: nothing may be left over. `nox -s soak -- --seconds 30` is shorter."""
    run(on, "python", "-m", "reference_gateway.tests.soak", *on.posargs)


@nox.session
def record(on: nox.Session) -> None:
    """Record a vendor: `nox -s record -- --vendor anthropic`. Needs that vendor's key in the environment."""
    run(on, "wireproof", "record", *on.posargs)


@nox.session
def bench(on: nox.Session) -> None:
    """Measure on this machine, as ratios. `nox -s bench -- --with-litellm` puts LiteLLM into an environment of its own and beside."""
    words = list(on.posargs)
    if "--with-litellm" in words:
        words.remove("--with-litellm")
        words += ["--litellm", str(litellm(on))]
    run(on, "wireproof", "bench", *words)


def litellm(on: nox.Session) -> Path:
    """Its command; minutes the first time, and kept under .nox."""
    folder = ENVIRONMENT.parent / "bench-litellm"
    program = folder / "bin" / "litellm"
    if not program.exists():
        on.run(sys.executable, "-m", "venv", str(folder), external=True)
        on.run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "litellm[proxy]", "httptools", external=True)
    return program


@nox.session
def lock(on: nox.Session) -> None:
    """Make requirements.lock again from pyproject.toml (needs uv)."""
    head = "# Every dependency of wireproof and of its tests, with hashes and no addresses. Made again by: nox -s lock\n"
    words = ["--group", "dev", "--extra", "allure", "--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
    words += ["--no-header", "--no-annotate"]
    made = str(on.run("uv", "pip", "compile", "--quiet", "pyproject.toml", *words, silent=True, external=True))
    if "://" in made:
        on.error("uv wrote an address into the lock: leave it out of pyproject.toml and of uv's configuration")
    (ROOT / "requirements.lock").write_text(head + made, encoding="utf-8")
