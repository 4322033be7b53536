from reference_gateway.request_ids import DRAWN_AT_ONCE, new_request_id


def test_ids_differ_and_sort_by_time() -> None:
    ids = [new_request_id() for _ in range(3 * DRAWN_AT_ONCE)]
    assert len({made[-16:] for made in ids}) == len(ids)
    assert [made[:16] for made in ids] == sorted(made[:16] for made in ids)
    assert all(len(made) == 32 and made.startswith("req_") for made in ids)
