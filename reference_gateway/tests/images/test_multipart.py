from __future__ import annotations

import pytest

from reference_gateway.errors import Refusal
from reference_gateway.images import multipart

BODY = (
    b'--x y\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-image-2\r\n'
    b'--x y\r\nContent-Disposition: form-data; name="image"; filename="a\\"b.png"\r\nContent-Type: image/png\r\n\r\n\x89\r\n--x\r\n\xff\r\n'
    b'--x y\r\ncontent-disposition: form-data; name="response_format"\r\n\r\nurl\r\n'
    b"--x y--\r\n"
)


def test_parts_are_where_their_spans_say() -> None:
    assert multipart.boundary(b'multipart/form-data; boundary="x y"') == b"x y"
    assert multipart.boundary(b"Multipart/Form-Data; charset=utf-8; boundary=abc") == b"abc"
    assert multipart.boundary(b"application/json") is None
    assert multipart.boundary(b"multipart/form-data") is None
    parts = multipart.parts(BODY, b"x y")
    assert [part.name for part in parts] == ["model", "image", "response_format"]
    assert [BODY[slice(*part.span)] for part in parts] == [b"gpt-image-2", b"\x89\r\n--x\r\n\xff", b"url"]
    assert [(part.filename, part.content_type) for part in parts] == [(None, ""), ('a\\"b.png', "image/png"), (None, "")]
    assert multipart.parts(b"a preamble\r\n" + BODY, b"x y")[2].name == "response_format"


def test_a_field_is_replaced_or_left_out_and_every_other_byte_stays() -> None:
    parts = multipart.parts(BODY, b"x y")
    edited = multipart.edited(BODY, parts, values={"model": b"other"}, without=("response_format",))
    assert edited == BODY.replace(b"gpt-image-2", b"other").replace(
        b'--x y\r\ncontent-disposition: form-data; name="response_format"\r\n\r\nurl\r\n', b""
    )
    assert multipart.edited(BODY, parts, values={}, without=()) == BODY


@pytest.mark.parametrize("cut", [b"", b"--x y", b"--x y\r\n\r\n", BODY[:-8], BODY[:60], BODY.replace(b'name="model"', b"")])
def test_what_is_no_form_is_refused(cut: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        multipart.parts(cut, b"x y")
    assert refused.value.fault.status == 400


def test_a_form_of_very_many_parts_is_refused() -> None:
    with pytest.raises(Refusal, match="parts"):
        multipart.parts(b'--b\r\ncontent-disposition: form-data; name="n"\r\n\r\n1\r\n' * 65 + b"--b--", b"b")


def test_every_cut_of_a_form_is_refused_and_never_crashes() -> None:
    for cut in range(len(BODY) - 4):
        with pytest.raises(Refusal):
            multipart.parts(BODY[:cut], b"x y")
