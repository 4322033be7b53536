from reference_gateway.accounts.keys import Key, KeyRing, digest, presented, without_key


def test_a_key_is_found_by_its_secret_and_only_under_its_pepper() -> None:
    key = Key(id="k", hash=digest(b"pepper", b"secret"), account="a", group="g")
    assert KeyRing(b"pepper", [key]).find(b"secret", 0.0) is key
    assert KeyRing(b"pepper", [key]).find(b"Secret", 0.0) is None
    assert KeyRing(b"other", [key]).find(b"secret", 0.0) is None


def test_expiry_is_exclusive_and_revoked_is_gone() -> None:
    key = Key(id="k", hash=digest(b"p", b"s"), account="a", group="g", expires_at=10.0)
    ring = KeyRing(b"p", [key])
    assert ring.find(b"s", 9.9) is key
    assert ring.find(b"s", 10.0) is None
    assert KeyRing(b"p", [Key(id="k", hash=digest(b"p", b"s"), account="a", group="g", revoked=True)]).find(b"s", 0.0) is None


def test_a_secret_that_has_passed_to_another_key_stays_there() -> None:
    old, young = (Key(id=id_, hash=digest(b"p", b"s"), account="a", group="g") for id_ in ("old", "young"))
    ring = KeyRing(b"p", [old])
    ring.put(young)  # before it is heard that the old one is gone
    ring.drop("old")
    assert ring.find(b"s", 0.0) is young
    ring.put(Key(id="young", hash=digest(b"p", b"t"), account="a", group="g"))
    assert ring.find(b"s", 0.0) is None


def test_where_a_secret_is_looked_for() -> None:
    assert presented({b"x-api-key": b"1", b"authorization": b"Bearer 2"}, b"key=3") == b"1"
    assert presented({b"authorization": b"BEARER  2 ", b"x-goog-api-key": b"4"}, b"key=3") == b"2"
    assert presented({b"authorization": b"Basic 2"}, b"key=3") == b""
    assert presented({b"x-goog-api-key": b"4"}, b"key=3") == b"4"
    assert presented({}, b"monkey=5&key=a%2Db&alt=sse") == b"a-b"
    assert presented({}, b"monkey=5") is None


def test_the_callers_key_leaves_the_query_and_all_else_stays() -> None:
    assert without_key(b"alt=sse&key=s&x=%41&key=t&monkey=1&") == b"alt=sse&x=%41&monkey=1&"
    assert without_key(b"alt=sse") == b"alt=sse"
