"""Bytes of one connection to whole requests, sans I/O: h11 reads, spelling and order of the headers are kept."""

from dataclasses import dataclass
from typing import Final

import h11

from harness.exchange import Headers, values

_MAX_HEAD_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request; with `error`, what there was of one that broke HTTP/1.1 or broke off, `body` then being all that is left of it."""

    method: str
    target: str
    headers: Headers
    body: bytes
    began: float  # time.perf_counter() at its first byte
    error: str | None = None

    @property
    def close(self) -> bool:
        """The gateway will not use the connection again."""
        options = {option.strip().lower() for text in values(self.headers, "connection") for option in text.split(",")}
        return self.error is not None or "close" in options


class RequestReader:
    """Requests come out as soon as they are whole, pipelined ones too. After one with an error there are no more."""

    def __init__(self) -> None:
        self._http = self._fresh()
        self._began: float | None = None  # None: between two requests
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._broken = False

    @property
    def wants_continue(self) -> bool:
        """The gateway waits for `100 Continue` before it sends the body."""
        return not self._broken and self._http.they_are_waiting_for_100_continue

    def feed(self, data: bytes, now: float) -> list[Arrived]:
        """`now` is time.perf_counter()."""
        arrived: list[Arrived] = []
        while data and not self._broken:
            self._began = self._began if self._began is not None else now
            try:
                self._http.receive_data(data)
                whole = self._read()
            except h11.RemoteProtocolError as error:
                self._broken = True
                arrived.append(self._arrived(self._began, f"not HTTP/1.1: {error}", data))
                break
            if not whole:
                break
            arrived.append(self._arrived(self._began))
            data, _ = self._http.trailing_data
            self._http = self._fresh()
            self._began, self._head, self._body = None, None, bytearray()
        return arrived

    def partial(self) -> Arrived | None:
        """What came of a request whose sender left before its end."""
        if self._began is None or self._broken:
            return None
        return self._arrived(self._began, "the gateway left before its request was whole")

    def _read(self) -> bool:
        """Reads what there is; True at the end of the request."""
        while True:
            match self._http.next_event():
                case h11.Request() as head:
                    self._head = head
                    if head.http_version != b"1.1":
                        raise h11.RemoteProtocolError(f"version {head.http_version.decode()} of HTTP", error_status_hint=505)
                case h11.Data(data=data):
                    self._body += data
                case h11.EndOfMessage():
                    return True
                case _:
                    return False

    def _arrived(self, began: float, error: str | None = None, raw: bytes = b"") -> Arrived:
        head = self._head
        return Arrived(
            method=head.method.decode("latin-1") if head else "",
            target=head.target.decode("latin-1") if head else "",
            headers=tuple((name.decode("latin-1"), text.decode("latin-1")) for name, text in head.headers.raw_items()) if head else (),
            body=bytes(self._body) or raw,
            began=began,
            error=error,
        )

    @staticmethod
    def _fresh() -> h11.Connection:
        return h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
