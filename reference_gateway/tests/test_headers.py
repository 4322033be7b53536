"""Headers as one piece are the same lines as one by one."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from reference_gateway import headers
from reference_gateway.billing.interface import Standing
from reference_gateway.billing.windows import Tightest
from reference_gateway.errors import Family
from reference_gateway.proxy.server import Headers, block
from reference_gateway.proxy.upstream import ResponseHead

AMOUNTS = st.integers(0, 10**13)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 2_000_000_000), st.sampled_from(Family))
def test_what_the_gateway_says_of_itself(left: int, limit: int, remaining: int, resets_at: int, family: Family) -> None:
    window = Tightest("5h", limit, 0, remaining, resets_at)
    for standing in (Standing(left, window), Standing(left, None), None):
        lines = block(headers.own("req_1", family, standing))
        assert sorted(headers.own_lines("req_1", family, standing).splitlines()) == sorted(lines.splitlines())


@pytest.mark.parametrize("connection", [None, b"keep-alive", b"Close", b"x-hop, keep-alive"])
def test_what_the_upstream_says(connection: bytes | None) -> None:
    given_headers: Headers = [
        (b"content-type", b"a/b"),
        (b"x-ratelimit-limit", b"9"),
        (b"x-request-id", b"r"),
        (b"set-cookie", b"s"),
        (b"x-hop", b"h"),
        (b"x-own", b"1"),
        (b"x-own", b"2"),
    ]
    if connection is not None:
        given_headers.append((b"connection", connection))
    head = ResponseHead(200, given_headers, dict(given_headers))
    for _ in range(2):
        assert headers.caller_lines(head) == block(headers.to_caller(head))
