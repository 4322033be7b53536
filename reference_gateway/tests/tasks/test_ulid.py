from __future__ import annotations

from reference_gateway.tasks import ulid


def test_ulids_sort_by_time_and_are_nobodys_guess() -> None:
    made = [ulid.new(1_800_000_000_000 + step) for step in range(100)]
    assert made == sorted(made)
    assert all(map(ulid.is_ulid, made))
    assert len({ulid.new(1_800_000_000_000) for _ in range(100)}) == 100
    assert ulid.new(1_469_918_176_385)[:10] == "01ARYZ6S41"  # the example of the specification


def test_what_is_none() -> None:
    for text in ("", "01ARYZ6S41" + "0" * 15, "01ARYZ6S41" + "0" * 17, "8" + "0" * 25, "U" * 26, "01aryz6s41" + "0" * 16):
        assert not ulid.is_ulid(text)
