import re

import pytest

from reference_gateway.accounts import minting


def test_a_secret_is_long_and_new_each_time() -> None:
    drawn = {minting.draw() for _ in range(100)}
    assert len(drawn) == 100
    assert all(re.fullmatch(r"sk-byts-[0-9a-f]{48}", secret) for secret in drawn)
    assert minting.custom(min(drawn))


def test_the_mask_shows_the_prefix_and_the_last_four() -> None:
    """contract:033."""
    assert minting.mask("sk-byts-0123456789abcdef1234") == "sk-byts-...****1234"
    assert minting.mask("short-secret") == "****"


@pytest.mark.parametrize("wrong", ["", "sk-byts-short", "sk-other-0123456789abcdef", "sk-byts-0123456789abcde ", "sk-byts-" + "x" * 121])
def test_a_secret_of_ones_own_must_look_like_one(wrong: str) -> None:
    with pytest.raises(ValueError, match="sk-byts-"):
        minting.custom(wrong)
