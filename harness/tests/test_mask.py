from hypothesis import given
from hypothesis import strategies as st

from harness.mask import Masker, token

KEY = "sk-byts-0123456789abcdefghij0123456789"
MASKER = Masker({"client-key": [KEY]})


def test_a_known_secret_becomes_a_token_of_its_own_length() -> None:
    masked = MASKER.mask(b"before " + KEY.encode() + b" after")
    assert masked == b"before " + token("client-key", len(KEY)).encode() + b" after"
    assert len(masked) == len(b"before ") + len(KEY) + len(b" after")


def test_a_part_of_a_secret_is_found_and_named() -> None:
    masked = MASKER.mask(b'{"error": "bad key ...ghij0123456789"}')
    assert b"ghij0123" not in masked
    assert b"[client-key" in masked


def test_the_public_prefix_alone_is_no_secret() -> None:
    assert MASKER.mask(b"keys begin with sk-byts-") == b"keys begin with sk-byts-"


@given(st.binary(max_size=60), st.integers(0, len(KEY) - 8), st.integers(8, len(KEY)), st.binary(max_size=60))
def test_whatever_stands_around_it_no_eight_characters_of_the_secret_remain(before: bytes, at: int, length: int, after: bytes) -> None:
    body = KEY[KEY.rfind("-") + 1 :].encode()
    masked = MASKER.mask(before + KEY.encode()[at : at + length] + after)
    assert len(masked) == len(before) + len(KEY.encode()[at : at + length]) + len(after)
    assert not any(body[start : start + 8] in masked for start in range(len(body) - 7))


def test_credential_headers_are_cut_even_when_nobody_knows_what_they_hold() -> None:
    headers = (("Authorization", "Bearer real-vendor-secret"), ("X-Api-Key", KEY), ("Content-Type", "text/plain"))
    assert MASKER.headers(headers) == (
        ("Authorization", "Bearer [cut]"),
        ("X-Api-Key", token("client-key", len(KEY))),
        ("Content-Type", "text/plain"),
    )
