from __future__ import annotations

import json
from typing import Any

import pytest

from reference_gateway.errors import Refusal
from reference_gateway.images.request import Delivery, ImageRequest, read_form, read_json
from reference_gateway.tests.images.pictures import png


def ask(**members: Any) -> ImageRequest:
    return read_json(json.dumps({"model": "gpt-image-2", "prompt": "a cat", **members}).encode())


def form(*fields: tuple[str, bytes, str | None]) -> bytes:
    pieces = []
    for name, value, filename in fields:
        file = f'; filename="{filename}"\r\ncontent-type: image/png' if filename else ""
        pieces.append(f'--b\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n")
    return b"".join(pieces) + b"--b--\r\n"


FORM = b"multipart/form-data; boundary=b"


def test_what_is_left_out_has_openais_defaults() -> None:
    request = ask()
    assert (request.n, request.delivery, request.size, request.quality, request.is_edit) == (1, Delivery.URL, None, None, False)
    assert ask(n=None, response_format=None, size=None, user="u", seed=7).others == {"user": "u", "seed": 7}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("n", 0),
        ("n", 5),
        ("n", True),
        ("n", "2"),
        ("n", 1.0),
        ("prompt", ""),
        ("prompt", None),
        ("prompt", 3),
        ("prompt", "x" * 32_001),
        ("model", None),
        ("model", ""),
        ("size", "large"),
        ("size", "0x10"),
        ("size", 1024),
        ("size", "4096x4097"),
        ("size", "99999x1000"),
        ("quality", 1),
        ("response_format", "png"),
        ("response_format", 1),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(member: str, value: object) -> None:
    with pytest.raises(Refusal) as refused:
        ask(**{member: value})
    assert (refused.value.fault.status, refused.value.fault.openai_code, refused.value.param) == (400, "invalid_param", member)


@pytest.mark.parametrize("member", ["stream", "partial_images"])
def test_streams_of_images_are_not_pretended(member: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(**{member: 1})
    assert (refused.value.fault.openai_code, refused.value.param) == ("unsupported_feature", member)
    ask(**{member: 0})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b'{"model": "\xff"}'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal):
        read_json(body)


def test_an_edit_is_read_from_its_form() -> None:
    body = form(
        ("model", b"gpt-image-2", None),
        ("image[]", png(), "a.png"),
        ("image[]", png(9), "b.png"),
        ("mask", png(1), "m.png"),
        ("prompt", b"12", None),
        ("n", b"2", None),
        ("size", b"1024x1024", None),
        ("response_format", b"b64_json", None),
    )
    request = read_form(FORM, body)
    assert (request.prompt, request.n, request.size, request.delivery) == ("12", 2, "1024x1024", Delivery.B64_JSON)
    assert [image.data for image in request.images] == [png(), png(9)]
    assert request.mask is not None
    assert request.mask.data == png(1)
    assert request.images[0].content_type == "image/png"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([("model", b"m", None), ("prompt", b"p", None)], "image"),
        ([("model", b"m", None), ("prompt", b"p", None), ("image", b"text", None)], "image"),
        ([("model", b"m", None), ("prompt", b"p", None), ("image", b"", "a.png")], "image"),
        ([("model", b"m", None), ("prompt", b"p", None), ("image", b"i", "a"), ("prompt", b"q", None)], "prompt"),
        ([("model", b"m", None), ("prompt", b"p", None), ("image", b"i", "a"), ("n", b"two", None)], "n"),
        ([("model", b"m", None), ("prompt", b"\xff", None), ("image", b"i", "a")], "prompt"),
    ],
)
def test_a_form_that_is_no_edit_is_refused_by_name(fields: list[tuple[str, bytes, str | None]], param: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_form(FORM, form(*fields))
    assert (refused.value.fault.status, refused.value.param) == (400, param)


def test_an_edit_that_is_no_form_is_refused() -> None:
    with pytest.raises(Refusal, match="multipart"):
        read_form(b"application/json", b"{}")
