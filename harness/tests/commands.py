"""Runs `wireproof` and pytest as their users do, in processes of their own; and small servers that are no good gateways."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_SECONDS = 120  # a command that hangs is a failure of its own


def environment(**more: str) -> dict[str, str]:
    """The process's environment without settings of a run, as on a user's machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WIREPROOF_", "PYTEST_"))}
    return kept | {"PYTHONPATH": str(REPOSITORY)} | more


def started(words: Sequence[str | Path], cwd: Path) -> "subprocess.Popen[str]":
    """A command that goes on while the test looks on. It hears Ctrl-C even where the tests themselves were started deaf to it."""
    return subprocess.Popen(
        [str(word) for word in words],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # the child does nothing else before exec
    )


def wireproof(*words: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return _run([sys.executable, "-m", "harness.cli", *map(str, words)], cwd, more)


def pytest_suites(*words: str | Path, suites: Sequence[str] = ("suites",), **more: str) -> subprocess.CompletedProcess[str]:
    """`pytest suites ...` in the checkout."""
    return _run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *suites, *map(str, words)], REPOSITORY, more)


def _run(words: list[str], cwd: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=_SECONDS, check=False)


@contextmanager
def server(*, models: Sequence[str] = ("gpt-5-4",), key: str | None = None, html: bool = False) -> Iterator[str]:
    """A server that lists models, where a key is asked for only to its bearer, and that calls no vendor; or one with a web page."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the base class calls it so
            if html:
                self._answer(200, "text/html", b"<html><body>Welcome</body></html>")
            elif key is not None and self.headers.get("authorization") != f"Bearer {key}":
                self._json(401, {"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}})
            else:
                self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in models]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            self._json(503, {"error": {"message": "no vendor is configured", "type": "server_error", "code": None}})

        def log_message(self, *_: object) -> None:
            pass

        def _json(self, status: int, document: object) -> None:
            self._answer(status, "application/json", json.dumps(document).encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}"
        finally:
            httpd.shutdown()
            thread.join()
