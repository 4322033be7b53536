import json
from collections.abc import Callable
from typing import Any

import pytest

from reference_gateway.accounts.fields import Fields, Query
from reference_gateway.errors import Refusal


def fields(**values: Any) -> Fields:
    return Fields(json.dumps(values).encode())


def param(read: Callable[[], object]) -> str | None:
    """The field that the refusal names."""
    with pytest.raises(Refusal) as refused:
        read()
    assert refused.value.fault.status == 400
    assert refused.value.message.endswith(".")
    return refused.value.param


@pytest.mark.parametrize(
    ("text", "micro"),
    [("5", 5_000_000), ("0.000001", 1), ('"1.25"', 1_250_000), ("1e2", 100_000_000), ("0.1", 100_000), ("null", 0), ("0", 0)],
)
def test_usd_is_exact_as_a_number_and_as_a_string(text: str, micro: int) -> None:
    assert Fields(b'{"quota": %b}' % text.encode()).usd("quota", 7) == micro


@pytest.mark.parametrize("text", ["-1", "0.0000001", '"five"', "true", "[]", "1e30", '"NaN"', '"Infinity"', "1e-999999"])
def test_usd_that_is_none_names_its_field(text: str) -> None:
    assert param(lambda: Fields(b'{"quota": %b}' % text.encode()).usd("quota", 0)) == "quota"


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b'{"quota": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object(body: bytes) -> None:
    assert param(lambda: Fields(body)) is None


def test_an_absent_field_keeps_its_default() -> None:
    empty = Fields(b"")
    assert empty.usd("quota", 7) == 7
    assert empty.text("name", "old") == "old"
    assert empty.days("expires_in_days") is None
    assert empty.networks("ip_whitelist", ()) == ()
    empty.close()


def test_days_are_seconds_and_zero_is_never() -> None:
    assert fields(d=1).days("d") == 86_400
    assert fields(d=0.5).days("d") == 43_200
    assert fields(d=0).days("d") is None
    for wrong in (-1, 40_000, "1", True):
        assert param(lambda: fields(d=wrong).days("d")) == "d"  # noqa: B023 (called at once)


def test_networks_are_checked_one_by_one() -> None:
    assert [str(net) for net in fields(n=["10.0.0.0/8", "2001:db8::1"]).networks("n", ())] == ["10.0.0.0/8", "2001:db8::1/128"]
    assert fields(n=None).networks("n", ()) == ()
    for wrong in ("10.0.0.0/8", [1], ["10.0.0.1/8"], ["10.0.0.0/8"] * 201):
        assert param(lambda: fields(n=wrong).networks("n", ())) == "n"  # noqa: B023


def test_a_misspelt_field_is_refused() -> None:
    body = fields(quota=1, rate_limit_5hours=2)
    body.usd("quota", 0)
    body.usd("rate_limit_5h", 0)
    assert param(body.close) == "rate_limit_5hours"


@pytest.mark.parametrize("wrong", [None, "", 5, "a\nb", "x" * 101])
def test_text_is_short_and_printable(wrong: object) -> None:
    assert param(lambda: fields(name=wrong).text("name")) == "name"


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-07-01", 1_782_864_000_000),
        ("2026-07-01T00:00:00Z", 1_782_864_000_000),
        ("2026-07-01T02:00:00%2B02:00", 1_782_864_000_000),
        ("2026-07-01T02:00:00+02:00", 1_782_864_000_000),
        ("1782864000", 1_782_864_000_000),
    ],
)
def test_a_moment_is_a_date_a_time_or_unix_seconds(text: str, at_ms: int) -> None:
    assert Query(b"since=" + text.encode()).moment("since") == at_ms


def test_a_query_says_which_parameter_is_wrong() -> None:
    query = Query(b"limit=0&since=yesterday&kind=gift&family=a&family=b&capability=x&capability=y")
    assert param(lambda: query.integer("limit", 1, low=1, high=10)) == "limit"
    assert param(lambda: query.moment("since")) == "since"
    assert param(lambda: query.word("kind", ["topup", "refund"])) == "kind"
    assert param(lambda: query.text("family")) == "family"
    assert query.all("capability") == ["x", "y"]
    assert query.integer("page", 3, low=1, high=10) == 3
