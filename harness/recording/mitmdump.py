"""mitmdump in an environment of its own: built once from mitmproxy.lock, started in front of a vendor, stopped cleanly.

It cannot share ours: on Python 3.11 its last release wants an older h11 than the SDKs do.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from harness.recording.format import Origin

_HERE: Final = Path(__file__).resolve().parent
LOCK: Final = _HERE / "mitmproxy.lock"
ADDON: Final = _HERE / "capture_addon.py"
START_TIMEOUT_S: Final = 90
STOP_TIMEOUT_S: Final = 15
_MAIN: Final = "from mitmproxy.tools.main import mitmdump; mitmdump()"


class MitmdumpError(Exception):
    """mitmdump could not be installed or started; the message says how to mend that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A mitmdump that stands before `upstream` (scheme://host[:port]) and records into `out`."""

    upstream: str
    out: Path
    vendor: str
    origin: Origin
    recorder: str
    ca: Path | None = None  # PEM of the authority to trust in the place of the system's


def environments_dir() -> Path:
    named = os.environ.get("WIREPROOF_CACHE")
    return (Path(named) if named else platformdirs.user_cache_path("wireproof")) / "environments"


def ensure_environment(say: Callable[[str], None] = lambda _: None) -> Path:
    """The Python of mitmdump's environment, which is built when there is none for this lock and this Python.

    Two builders at once do not meet: each builds beside, and the first to finish gives the environment its name.
    """
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = environments_dir() / f"mitmproxy-{key}"
    python = Path("Scripts", "python.exe") if os.name == "nt" else Path("bin", "python")
    if (folder / python).exists():
        return folder / python
    say("Building the environment of mitmdump: this is done once, and takes about a minute.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        _build(part, part / python)
        with contextlib.suppress(OSError):  # another builder was quicker: then its environment is there
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if not (folder / python).exists():
        raise MitmdumpError(f"{folder} could not be made: give a cache folder that can be written to, by WIREPROOF_CACHE")
    return folder / python


def _build(folder: Path, python: Path) -> None:
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", str(LOCK)]
    for command, mend in (
        ([sys.executable, "-m", "venv", str(folder)], "install Python's venv module"),
        ([str(python), *pip], "check that pip can reach its package index"),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise MitmdumpError(f"the environment of mitmdump could not be built ({reason}): {mend}, then try again")


@contextlib.asynccontextmanager
async def running(front: Front, python: Path) -> AsyncIterator[str]:
    """Starts mitmdump and gives the address to send requests to; every recording is on disk when the block is left."""
    with tempfile.TemporaryDirectory(prefix="wireproof-mitmdump-") as private:
        ready, log = Path(private, "ready.json"), Path(private, "log")
        process = _start(_command(front, python, Path(private), ready), log)
        try:
            yield f"http://127.0.0.1:{await _port(process, ready, log)}"
        finally:
            await _stop(process)


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)


def _command(front: Front, python: Path, private: Path, ready: Path) -> list[str]:
    options = {
        "confdir": private,  # else it writes to the home folder
        "connection_strategy": "lazy",
        "http2": "false",  # reads of HTTP/1.1 are what SDKs get by default
        "anticomp": "true",  # bodies are recorded as text that can be read
        "termlog_verbosity": "warn",
        "flow_detail": "0",
        "wireproof_out": front.out,
        "wireproof_ready": ready,
        "wireproof_vendor": front.vendor,
        "wireproof_origin": front.origin,
        "wireproof_recorder": front.recorder,
    }
    if front.ca:
        options["ssl_verify_upstream_trusted_ca"] = front.ca
    sets = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    mode = ["--mode", f"reverse:{front.upstream}", "--listen-host", "127.0.0.1", "--listen-port", "0"]
    return [str(python), "-I", "-c", _MAIN, "-s", str(ADDON), *mode, *sets]


async def _port(process: subprocess.Popen[bytes], ready: Path, log: Path) -> int:
    """The add-on writes the port when mitmdump listens: a probe of the port would open a connection to the vendor."""
    for _ in range(START_TIMEOUT_S * 20):
        if (port := _told(ready)) is not None:
            return port
        if process.poll() is not None:
            raise MitmdumpError(f"mitmdump ended as it started ({_last_line(log)}): remove {environments_dir()} and try again")
        await asyncio.sleep(0.05)
    raise MitmdumpError(f"mitmdump was not ready after {START_TIMEOUT_S} s ({_last_line(log)}): try again on a machine less busy")


def _told(ready: Path) -> int | None:
    return int(json.loads(ready.read_bytes())["port"]) if ready.exists() else None


async def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    for _ in range(STOP_TIMEOUT_S * 20):
        if process.poll() is not None:
            return
        await asyncio.sleep(0.05)
    process.kill()
    process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
