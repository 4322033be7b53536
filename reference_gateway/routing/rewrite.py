"""What of a request body may change on its way to the upstream, each in its place, every other byte as it came.

The model's name (an upstream may call it otherwise), the `prompt_cache_key` (told apart by account: all our callers share the vendor's
account, and so its cache), and `thinking` where an alias stands for it.
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec

from reference_gateway.body import Facts, cache_key_spans, top_level_spans, with_model
from reference_gateway.catalog import Alias

THINKING: Final = {True: b',"thinking":{"type":"enabled"}', False: b',"thinking":{"type":"disabled"}'}


def cache_key(pepper: bytes, account: str, key: str) -> str:
    """32 hexadecimal digits: the same for the same account and key, within the vendor's limit of 64, and nobody's name in it."""
    message = account.encode() + b"\0" + key.encode("utf-8", "surrogatepass")
    return hmac.digest(pepper, message, "sha256").hex()[:32]


def to_upstream(body: bytes, facts: Facts, upstream_id: str, *, pepper: bytes, account: str, alias: Alias | None = None) -> bytes:
    """The very same object where nothing changes, which is the usual case."""
    thinking = b""
    if alias is not None and alias.thinking is not None and not top_level_spans(body, "thinking"):
        thinking = THINKING[alias.thinking]
    if facts.prompt_cache_key is None and not thinking:
        return with_model(body, facts, upstream_id)
    splices: list[tuple[int, int, bytes]] = []
    if facts.model is not None:
        splices.append((*facts.model_span, msgspec.json.encode(upstream_id) + thinking))
    if facts.prompt_cache_key is not None:
        own = msgspec.json.encode(cache_key(pepper, account, facts.prompt_cache_key))
        splices += [(start, end, own) for start, end in cache_key_spans(body)]
    for start, end, text in sorted(splices, reverse=True):
        body = b"%b%b%b" % (body[:start], text, body[end:])
    return body
