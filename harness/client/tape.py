"""What the transport saw of one exchange, kept as it came."""

import time

import httpx2

from harness.client.call import DriveError
from harness.exchange import End, Headers, Hop, Read, Request, Response
from harness.progress import ClientProgress

_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key"})


class Tape:
    """Kept by one client at a time, in whichever thread that client runs."""

    def __init__(self, *, began: float, timeout_s: float, progress: ClientProgress, without_key: bool = False) -> None:
        self._began = began
        self._progress = progress
        self._without_key = without_key  # SDKs refuse to be built without a key: they get a stand-in, cut out again here
        self._deadline: float | None = None
        self._reads: list[Read] = []
        self._head: httpx2.Response | None = None
        self._head_ms = 0
        self._end_ms = 0
        self._refused: str | None = None  # why no such exchange can be: our fault, raised by `hop`, since an SDK may swallow it
        self.timeout_s = timeout_s
        self.request: Request | None = None
        self.end: End | None = None  # None: the body is still open
        self.error: str | None = None

    def asked(self, request: httpx2.Request, body: bytes) -> None:
        """The request is about to leave; the witness's timeouts take the place of the client's, which stay in its headers."""
        if self.request is not None:
            raise self.refuse(f"the client sent a second request in one exchange ({request.method} {request.url}): turn off its retries")
        if self._without_key:
            kept = [pair for pair in request.headers.raw if pair[0].lower() not in _CREDENTIALS]
            request.headers = httpx2.Headers(kept)
        request.extensions = {**request.extensions, "timeout": httpx2.Timeout(self.timeout_s).as_dict()}
        target: bytes = request.extensions.get("target", request.url.raw_path)
        self.request = Request(
            method=request.method,
            target=target.decode("latin-1"),
            headers=_as_written(request.headers.raw),
            body=body,
            at_ms=self._now_ms(),
        )

    def answered(self, head: httpx2.Response) -> None:
        self._head = head
        self._head_ms = self._now_ms()
        self._deadline = time.perf_counter() + self.timeout_s

    def read(self, data: bytes) -> None:
        self._reads.append(Read(at_ms=self._now_ms(), data=data))
        self._progress.advance(len(data))

    def ended(self, end: End, error: BaseException | None = None) -> None:
        """The first word stands: closing what already broke off changes nothing."""
        if self.end is not None:
            return
        self.end = end
        self._end_ms = self._now_ms()
        self.failed(error)
        self._progress.close()

    def failed(self, error: BaseException | None) -> None:
        if error is not None:
            self.error = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

    def refuse(self, reason: str) -> DriveError:
        self._refused = reason
        return DriveError(reason)

    def check_deadline(self) -> None:
        """Each read has its own timeout; this one ends a body that comes in drops."""
        if self._deadline is not None and time.perf_counter() > self._deadline:
            raise httpx2.ReadTimeout(f"the body had not ended after {self.timeout_s} s")

    def hop(self) -> Hop:
        if self._refused is not None:
            raise DriveError(self._refused)
        if self.request is None:
            raise DriveError("the client sent nothing")
        self._progress.close()
        return Hop(
            request=self.request,
            response=self._response(),
            closed_ms=self._end_ms if self.end is End.RESET else None,
            error=self.error,
        )

    def _response(self) -> Response | None:
        if self._head is None:
            return None
        return Response(
            status=self._head.status_code,
            headers=_text(self._head.headers.raw),
            reads=tuple(self._reads),
            end=self.end or End.ABORTED,
            at_ms=self._head_ms,
            end_ms=self._end_ms,
        )

    def _now_ms(self) -> int:
        return int((time.perf_counter() - self._began) * 1000)


def _as_written(raw: list[tuple[bytes, bytes]]) -> Headers:
    """Headers in the order of the wire: h11 writes Host before the others."""
    return _text(sorted(raw, key=lambda pair: pair[0].lower() != b"host"))


def _text(raw: list[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
