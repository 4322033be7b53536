"""Cuts secrets out of recorded bytes, and finds those that were left in.

What is cut becomes as many `x` as it had bytes, so every length, offset and content-length stays true. Names of headers and
parameters stay. Kinds are known by form: an issuer's prefix and a run long enough that no vendor's id is taken for one
(`chatcmpl-`, `msg_01`, `resp_`, `req_`, `toolu_`, `call_` and base64 signatures are none; the corpus tests hold this down).
Only bytes that stand together are seen: not a secret under a content-coding, nor one spelled over several SSE events.
This module imports only the standard library and nothing of ours: the capture add-on runs in mitmproxy's environment.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

SECRET_HEADERS: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "x-amz-security-token",
        "x-goog-user-project",
        "cookie",
        "set-cookie",
        "openai-organization",
        "openai-project",
        "anthropic-organization-id",
        "anthropic-workspace-id",
    }
)
_SECRET_PARAMETER: Final = re.compile(r"(?<=[?&])(key|api[-_]?key|access_token|token)=([^&#]*)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:Bearer|Basic) +", re.IGNORECASE)  # says how the caller signed in, and is no secret
_CUT_ALREADY: Final = re.compile(r"(?:x|\*)*|(?:\*\*)?\W?(?:REDACTED|FILTERED|SCRUBBED)\W?(?:\*\*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Something key-shaped: what kind, and at which byte it begins."""

    kind: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Run:
    """At least `low` and at most `high` bytes of a class; without `high` only as a form's last part."""

    members: str  # of a regex class
    low: int
    high: int | None = None


_WORD: Final = r"A-Za-z0-9_\-"
_ALNUM: Final = "A-Za-z0-9"
_TOKEN: Final = r"A-Za-z0-9._~+/=\-"
# A PEM body, its newlines plain or as JSON escapes.
_PEM: Final = r"A-Za-z0-9+/=\\\s"

# A form ends in a run without an upper end: that lets a stream be cut as it comes, once the run is long enough.
_FORMS: Final[tuple[tuple[str, tuple[str | _Run, ...]], ...]] = (
    ("anthropic-key", ("sk-ant-", _Run(_WORD, 16))),
    ("gateway-key", ("sk-byts-", _Run(_WORD, 8))),
    ("openai-key", ("sk-proj-", _Run(_WORD, 20))),
    ("openai-key", ("sk-svcacct-", _Run(_WORD, 20))),
    ("openai-key", ("sk-admin-", _Run(_WORD, 20))),
    ("openai-key", ("sk-", _Run(_ALNUM, 20))),
    ("openrouter-key", ("sk-or-v1-", _Run(_ALNUM, 20))),
    ("google-key", ("AIza", _Run(_WORD, 35))),
    ("google-token", ("ya29.", _Run(_WORD, 20))),
    ("bearer-token", (_Run("Bb", 1, 1), "earer", _Run(" ", 1, 4), _Run(_TOKEN, 20))),
    ("jwt", ("eyJ", _Run(_WORD, 8, 200), ".eyJ", _Run(_WORD + ".", 10))),
    ("aws-key", ("AKIA", _Run("A-Z0-9", 16))),
    ("aws-key", ("ASIA", _Run("A-Z0-9", 16))),
    *(("github-token", (f"gh{letter}_", _Run(_ALNUM, 36))) for letter in "pousr"),
    ("github-token", ("github_pat_", _Run("A-Za-z0-9_", 22))),
    *(("slack-token", (f"xox{letter}-", _Run(r"A-Za-z0-9\-", 20))) for letter in "abprs"),
    ("huggingface-token", ("hf_", _Run(_ALNUM, 30))),
    ("groq-key", ("gsk_", _Run(_ALNUM, 40))),
    ("xai-key", ("xai-", _Run(_ALNUM, 40))),
    *(("private-key", (f"-----BEGIN {name}PRIVATE KEY-----", _Run(_PEM, 16))) for name in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")),
)

# A key begins where a word begins, so not within `task-...`, or right after a JSON escape (\n, \u003c) or %3D.
_BOUNDARY: Final = r"(?:(?<![A-Za-z0-9_\-{also}])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}})|(?<=%[0-9A-F]{{2}}))"
_ROOT: Final = 3  # bytes of an anchor: "sk-", "xox"
_LOOKS_BACK: Final = 6  # bytes that _BOUNDARY may look at


class _Form:
    """One kind of secret as two expressions: the whole of it, and the start of one that the bytes at hand break off."""

    def __init__(self, kind: str, parts: tuple[str | _Run, ...]) -> None:
        runs = [run for part in parts for run in ([part] if isinstance(part, _Run) else [_Run(re.escape(c), 1, 1) for c in part])]
        last = runs[-1]
        self.kind = kind
        # Looked for first, which rules most bodies out at once: the first literal, and how many bytes of the form stand before it.
        literal = next(index for index, part in enumerate(parts) if isinstance(part, str))
        self.anchor = str(parts[literal]).encode()
        self.before_anchor = sum(part.low for part in parts[:literal] if isinstance(part, _Run))
        # Where base64 could spell the form, it must not begin inside base64.
        boundary = _BOUNDARY.format(also="" if re.search(r"[-_. ]", "".join(run.members for run in runs[:-1])) else "+/")
        # "Bearer " itself is no secret and stays, so the secret is the last run only.
        secret = len(runs) - 1 if kind == "bearer-token" else 0
        self.whole = re.compile(f"{boundary}{_fulls(runs[:secret])}({_fulls(runs[secret:])})".encode())
        self.start = re.compile((boundary + _broken_off(runs)).encode())
        self.rest = re.compile(f"[{last.members}]*".encode())
        self.longest_start = sum(run.high or run.low for run in runs)


def _fulls(runs: Sequence[_Run]) -> str:
    return "".join(f"[{run.members}]{{{run.low},{run.high or ''}}}" for run in runs)


def _broken_off(runs: Sequence[_Run]) -> str:
    first, *others = runs
    if not others:
        return rf"[{first.members}]{{0,{first.low - 1}}}\Z"
    return rf"(?:[{first.members}]{{1,{first.high}}}\Z|{_fulls([first])}{_broken_off(others)})"


_ALL: Final = tuple(_Form(kind, parts) for kind, parts in _FORMS)
# One look for what several anchors begin with rules all of them out, mostly.
_BY_ROOT: Final = tuple((root, tuple(forms)) for root, forms in groupby(_ALL, key=lambda form: form.anchor[:_ROOT]))


def find_secrets(data: bytes) -> list[Secret]:
    """Everything key-shaped in `data`, in order of offset; one that two kinds claim is told once."""
    found: list[Secret] = []
    end = 0
    for form, start, stop in sorted(_spans(data), key=lambda span: (span[1], -span[2])):
        if start >= end:
            found.append(Secret(kind=form.kind, offset=start))
        end = max(end, stop)
    return found


def redact(data: bytes) -> bytes:
    """`data` with every secret as a run of `x`, its length unchanged."""
    cut = bytearray(data)
    for _, start, stop in _spans(data):
        cut[start:stop] = b"x" * (stop - start)
    return bytes(cut)


def redact_reads(reads: Iterable[bytes]) -> list[bytes]:
    """The reads of one body, a secret cut even where it lies across two of them; each read keeps its length."""
    pieces = list(reads)
    whole = redact(b"".join(pieces))
    cut: list[bytes] = []
    at = 0
    for piece in pieces:
        cut.append(whole[at : at + len(piece)])
        at += len(piece)
    return cut


def redact_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers with secret values as `x`; `Bearer ` and `Basic ` before one stay."""
    return [(name, _redact_value(name, value)) for name, value in headers]


def secret_headers(headers: Iterable[tuple[str, str]]) -> list[str]:
    """The names of the headers whose values still are, or hold, a secret."""
    pairs = list(headers)
    return [name for (name, before), (_, after) in zip(pairs, redact_headers(pairs), strict=True) if before != after]


def redact_path(path: str) -> str:
    """A request path with the values of `key=` and its like in the query as `x`, and whatever else is key-shaped."""
    cut = _SECRET_PARAMETER.sub(lambda match: f"{match[1]}={_blank(match[2])}", path)
    return _redact_text(cut)


class StreamRedactor:
    """Cuts secrets from a stream, however its reads cut them; holds back only bytes that may begin a secret.

    `feed` and `close` give the bytes that are clear; all together they equal `redact` of all that was fed.
    """

    def __init__(self) -> None:
        self.kinds: set[str] = set()  # that were cut so far
        self._held = b""  # context that is out already, then bytes not yet out
        self._context = 0  # how many of _held are out
        self._running: set[_Form] = set()  # forms whose secret goes on at the first byte not yet out

    def feed(self, data: bytes) -> bytes:
        data = self._held + data
        return self._release(data, min((start for form in _ALL for start in self._starts(form, data)), default=len(data)))

    def close(self) -> bytes:
        """The bytes held back: nothing more can make a secret of them."""
        return self._release(self._held, len(self._held))

    def _starts(self, form: _Form, data: bytes) -> Iterator[int]:
        first = self._after_running(form, data)
        if match := form.start.search(data, max(first, len(data) - form.longest_start)):
            yield match.start()

    def _after_running(self, form: _Form, data: bytes) -> int:
        if form not in self._running:
            return self._context
        match = form.rest.match(data, self._context)
        return match.end() if match else self._context

    def _release(self, data: bytes, until: int) -> bytes:
        cut = bytearray(data)
        running = set()
        for form in _ALL:
            after = self._after_running(form, data)
            spans = [match.span(1) for match in form.whole.finditer(data, after) if match.start() < until]
            if form in self._running:
                spans.append((self._context, after))
            for start, stop in spans:
                if not _is_cut(data[start:stop]):
                    self.kinds.add(form.kind)
                cut[start:stop] = b"x" * (stop - start)
                if until <= stop:
                    running.add(form)
        out = bytes(cut[self._context : until])
        self._running = running
        keep = max(0, until - _LOOKS_BACK)
        self._held, self._context = data[keep:], until - keep
        return out


def _spans(data: bytes) -> Iterator[tuple[_Form, int, int]]:
    for form in (form for root, forms in _BY_ROOT if root in data for form in forms):
        at, end = data.find(form.anchor), 0
        while at >= 0:
            start = at - form.before_anchor
            match = form.whole.match(data, start) if start >= end else None
            if match is not None:
                end = match.end()
                if not _is_cut(match[1]):
                    yield form, *match.span(1)
            at = data.find(form.anchor, max(end, at + 1))


def _is_cut(secret: bytes) -> bool:
    return not secret.strip(b"x")


def _redact_value(name: str, value: str) -> str:
    if name.lower() not in SECRET_HEADERS:
        return _redact_text(value)
    scheme = _SCHEME.match(value)
    kept = scheme[0] if scheme else ""
    return kept + _blank(value[len(kept) :])


def _blank(secret: str) -> str:
    return secret if _CUT_ALREADY.fullmatch(secret) else "x" * len(secret)


def _redact_text(text: str) -> str:
    # Header values are bytes to the wire, and surrogateescape gives back whatever a recorder could not decode.
    return redact(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
