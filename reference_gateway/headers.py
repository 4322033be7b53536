"""Header hygiene: what of a request may reach an upstream, and what of an upstream's answer may reach the caller.

To the upstream only what is listed here goes; the caller's key, cookies and OpenAI organization or project never do (contract:026,
contract:028). To the caller everything goes but what belongs to the hop, names the gateway's own account at the vendor, or speaks of
the vendor's limits for that account, which are not the caller's (C38).
"""

from __future__ import annotations

from typing import Final

from reference_gateway.billing.interface import Standing
from reference_gateway.billing.treasury import usd
from reference_gateway.content_coding import readable_only
from reference_gateway.errors import Family
from reference_gateway.proxy.server import Headers, RequestHead, block
from reference_gateway.proxy.upstream import ResponseHead, SizedHead

REQUEST_NAMES: Final = frozenset({b"content-type", b"accept", b"user-agent", b"openai-beta", b"idempotency-key", b"x-goog-api-client"})
REQUEST_PREFIXES: Final = (b"anthropic-", b"x-stainless-")

RESPONSE_DROPPED: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
        b"set-cookie",
        b"alt-svc",
        b"strict-transport-security",
        b"server",
        b"via",
        b"openai-organization",
        b"openai-project",
        b"anthropic-organization-id",
        b"anthropic-workspace-id",
    }
)
RESPONSE_DROPPED_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"x-quota-", b"x-org-quota-")
RENAMED: Final = {b"x-request-id": b"x-upstream-request-id", b"request-id": b"x-upstream-request-id"}


def to_upstream(head: RequestHead) -> list[bytes]:
    """Header lines in the caller's order, duplicates kept, values byte for byte (contract:111, contract:234)."""
    lines = []
    for name, value in head.headers:
        if name in REQUEST_NAMES or name.startswith(REQUEST_PREFIXES):
            lines.append(b"%b: %b\r\n" % (name, value))
        elif name == b"accept-encoding":
            lines.append(b"accept-encoding: %b\r\n" % readable_only(value))
    return lines


_shown: Final[dict[bytes, bytes]] = {}  # an upstream's header name -> `name: ` as the caller gets it; empty where it does not
_MAX_SHOWN: Final = 2048


def _show(name: bytes) -> bytes:
    if len(_shown) >= _MAX_SHOWN:
        _shown.clear()
    dropped = name in RESPONSE_DROPPED or name.startswith(RESPONSE_DROPPED_PREFIXES)
    return _shown.setdefault(name, b"" if dropped else RENAMED.get(name, name) + b": ")


_NAMES_NOTHING: Final = (b"close", b"keep-alive")  # what `connection` says where it names no header


def _form(name: bytes) -> bytes:
    """With room for its value; without any for that of one that is not shown."""
    line = _show(name)
    return line.replace(b"%", b"%%") + b"%b\r\n" if line else b"%.0b"


def caller_lines(head: ResponseHead) -> bytes:
    """`to_caller` as one piece."""
    if isinstance(head, SizedHead):
        layout = head.layout
        at = layout.connection
        if at < 0 or head.values[at].lower() in _NAMES_NOTHING:
            shown = layout.memo.get("shown")
            if shown is None:
                shown = layout.memo["shown"] = b"".join(map(_form, layout.names))
            return shown % head.values
    if head.header.get(b"connection", b"close").lower() not in _NAMES_NOTHING:
        return block(to_caller(head))
    parts: list[bytes] = []
    for name, value in head.headers:
        shown = _shown.get(name)
        if shown is None:
            shown = _show(name)
        if shown:
            parts += (shown, value, b"\r\n")
    return b"".join(parts)


def to_caller(head: ResponseHead) -> Headers:
    """The upstream's headers as the caller may see them; its request ids under a name of their own."""
    named_by_connection: frozenset[bytes] = frozenset()
    connection = head.header.get(b"connection")
    if connection is not None:
        named_by_connection = frozenset(token.strip().lower() for token in connection.split(b","))
    return [
        (RENAMED.get(name, name), value)
        for name, value in head.headers
        if name not in RESPONSE_DROPPED and not name.startswith(RESPONSE_DROPPED_PREFIXES) and name not in named_by_connection
    ]


def own(request_id: str, family: Family, standing: Standing | None) -> Headers:
    """What every answer of the gateway carries (contract:191, contract:192).

    Without a known key there is no standing to show, and a key without a window limit has no rate limit to show.
    """
    identity = request_id.encode()
    headers: Headers = [(b"x-request-id", identity)]
    if family is Family.ANTHROPIC:  # its SDK reads this one
        headers.append((b"request-id", identity))
    if standing is not None:
        headers.append((b"x-quota-remaining-credits", usd(standing.credits).encode()))
        if (window := standing.window) is not None:
            headers += [
                (b"x-ratelimit-limit", cents(window.limit)),
                (b"x-ratelimit-remaining", cents(window.remaining)),
            ]
            if window.resets_at:
                headers.append((b"x-ratelimit-reset", b"%d" % window.resets_at))
    return headers


def own_lines(request_id: str, family: Family, standing: Standing | None) -> bytes:
    """`own` as one piece."""
    if standing is None or standing.window is None or standing.credits < 0 or not standing.window.resets_at:
        return block(own(request_id, family, standing))
    identity, window = request_id.encode(), standing.window
    whole, part = divmod(standing.credits, 1_000_000)
    decimals = (b"%06d" % part).rstrip(b"0").ljust(2, b"0")
    limit, remaining = window.limit // 10_000, window.remaining // 10_000
    return b"%bx-request-id: %b\r\nx-quota-remaining-credits: %d.%b\r\n%b: %d.%02d\r\n%b: %d.%02d\r\nx-ratelimit-reset: %d\r\n" % (
        b"request-id: %b\r\n" % identity if family is Family.ANTHROPIC else b"",
        identity,
        whole,
        decimals,
        b"x-ratelimit-limit",
        limit // 100,
        limit % 100,
        b"x-ratelimit-remaining",
        remaining // 100,
        remaining % 100,
        window.resets_at,
    )


def cents(micro_usd: int) -> bytes:
    """USD with two decimals, rounded down: what is shown is never more than what there is."""
    return b"%d.%02d" % divmod(micro_usd // 10_000, 100)
