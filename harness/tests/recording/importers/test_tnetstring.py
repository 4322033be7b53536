import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recording.importers.tnetstring import Reader, TnetstringError, Value

values: st.SearchStrategy[Value] = st.recursive(
    st.binary() | st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def dump(value: Value) -> bytes:
    """A writer for the test, from the format's description."""
    match value:
        case bytes():
            return b"%d:%s," % (len(value), value)
        case str():
            return b"%d:%s;" % (len(value.encode()), value.encode())
        case bool():
            text = str(value).lower().encode()
            return b"%d:%s!" % (len(text), text)
        case int():
            return b"%d:%d#" % (len(str(value)), value)
        case float():
            return b"%d:%s^" % (len(repr(value)), repr(value).encode())
        case None:
            return b"0:~"
        case list():
            inside = b"".join(map(dump, value))
            return b"%d:%s]" % (len(inside), inside)
        case dict():
            inside = b"".join(dump(name) + dump(held) for name, held in value.items())
            return b"%d:%s}" % (len(inside), inside)


@given(rows=st.lists(values, max_size=3), cut=st.integers(0, 60))
def test_values_are_read_however_the_file_arrives(rows: list[Value], cut: int) -> None:
    data = b"".join(map(dump, rows))
    reader = Reader()
    assert [*reader.feed(data[:cut]), *reader.feed(data[cut:])] == rows
    reader.close()


@given(value=values)
def test_a_file_cut_anywhere_is_an_error(value: Value) -> None:
    data = dump(value)
    for cut in range(1, len(data)):
        reader = Reader()
        assert list(reader.feed(data[:cut])) == []
        with pytest.raises(TnetstringError):
            reader.close()


@pytest.mark.parametrize(
    "data", [b"x", b":,", b"-1:a,", b"9999999999999:", b"3:abc?", b"2:9:]", b"1:x#", b"1:x!", b"1:x~", b"4:1:a,}", b"1:\xff;", b"3:5:a]"]
)
def test_what_is_no_tnetstring_says_where(data: bytes) -> None:
    with pytest.raises(TnetstringError, match="byte"):
        list(Reader().feed(data))
