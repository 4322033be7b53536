"""A package index on loopback, for tests: one made sdist, served as the simple API's JSON or HTML, with or without a password."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class SimpleIndex:
    port: int
    files: dict[str, bytes]  # by file name
    html: bool = False
    password: str | None = None  # of the user "u"
    not_json: bool = False  # the page says it is JSON and is not
    cut_after: int | None = None  # bytes of a file after which the connection is closed
    asked: list[str] = field(default_factory=list)  # paths, in order

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}127.0.0.1:{self.port}/simple"

    def answer(self, path: str) -> tuple[int, str, bytes]:
        self.asked.append(path)
        if path == "/simple/some-package/":
            links = {name: (f"../../files/{name}", hashlib.sha256(data).hexdigest()) for name, data in self.files.items()}
            if self.html:
                page = "".join(f'<a href="{url}#sha256={digest}">{name}</a><br>' for name, (url, digest) in links.items())
                return 200, "text/html; charset=utf-8", f"<!DOCTYPE html><html><body>{page}</body></html>".encode()
            if self.not_json:
                return 200, "application/vnd.pypi.simple.v1+json", b"<html>"
            listed = [{"filename": name, "url": url, "hashes": {"sha256": digest}} for name, (url, digest) in links.items()]
            return 200, "application/vnd.pypi.simple.v1+json", json.dumps({"meta": {"api-version": "1.1"}, "files": listed}).encode()
        if path.startswith("/files/"):
            return 200, "application/octet-stream", self.files[path.removeprefix("/files/")]
        return 404, "text/plain", b"no"


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[SimpleIndex]:
    index = SimpleIndex(0, files)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = "Basic " + base64.b64encode(f"u:{index.password}".encode()).decode()
            if index.password and self.headers["authorization"] != wanted:
                self.send_error(401)
                return
            status, kind, body = index.answer(self.path)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: index.cut_after] if kind == "application/octet-stream" else body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
