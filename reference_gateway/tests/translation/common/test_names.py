"""A name that fits stays; any other is changed the same way each time, and no two become one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from reference_gateway.translation.common.names import fitting


def test_what_fits_stays_as_it_is() -> None:
    assert fitting(["get_weather", "a-B_9", "x" * 64], longest=64) == {name: name for name in ("get_weather", "a-B_9", "x" * 64)}


def test_what_does_not_is_cleaned_and_told_apart() -> None:
    found = fitting(["a.b", "a:b", "a_b", "x" * 65, "x" * 66, ""], longest=64)
    assert found["a_b"] == "a_b"
    assert found["a.b"].startswith("a_b_")
    assert len(set(found.values())) == 6
    assert fitting(["a.b"], longest=64)["a.b"] == found["a.b"]


@given(st.lists(st.text(max_size=80)), st.integers(12, 64))
def test_names_are_told_apart_and_accepted(names: list[str], longest: int) -> None:
    found = fitting(names, longest=longest)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(set(names))
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", new) and len(new) <= longest for new in found.values())
