"""Each vendor's words for a request, and what its answers mean; no sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_gateway.errors import Refusal
from reference_gateway.images.nano_banana import NanoBanana
from reference_gateway.images.openai_images import OpenAIImages
from reference_gateway.images.request import ImageRequest, read_form, read_json
from reference_gateway.images.seedream import Seedream
from reference_gateway.images.vendor import Blocked, Outcome, Produced, Vendor, VendorError
from reference_gateway.tests.images.pictures import b64, png
from reference_gateway.tests.images.test_request import FORM, form


def ask(model: str = "m", **members: Any) -> ImageRequest:
    return read_json(json.dumps({"model": model, "prompt": "a cat", **members}).encode())


def edit(*more: tuple[str, bytes, str | None], model: bytes = b"m") -> ImageRequest:
    return read_form(FORM, form(("model", model, None), ("prompt", b"a cat", None), ("image", png(), "a.png"), *more))


def read(vendor: Vendor, answer: object, status: int = 200, request: ImageRequest | None = None) -> Outcome:
    call, *_ = vendor.calls(request or ask(), "up")
    return vendor.read(call, status, answer if isinstance(answer, bytes) else json.dumps(answer).encode())


class TestOpenAI:
    vendor = OpenAIImages()

    def test_a_generation_goes_on_as_it_stands(self) -> None:
        body = b'{"prompt" : "a cat", "model":"m",\n "n":2, "x": 1.0}'
        (call,) = self.vendor.calls(read_json(body), "m")
        assert (call.path, call.body, call.images) == (b"/images/generations", body, 2)

    def test_another_name_and_response_format_are_all_that_changes(self) -> None:
        body = b'{"prompt":"a cat","model":"m","response_format":"url","x":1.0,"y":"\\u00e4"}'
        (call,) = self.vendor.calls(read_json(body), "gpt-image-2-2026")
        assert call.body == b'{"prompt":"a cat","model":"gpt-image-2-2026","x":1.0,"y":"\\u00e4"}'

    def test_an_edit_goes_on_as_it_stands_too(self) -> None:
        request = edit(("response_format", b"b64_json", None))
        (call,) = self.vendor.calls(request, "other")
        assert call.path == b"/images/edits"
        assert call.content_type == FORM
        assert call.body == form(("model", b"other", None), ("prompt", b"a cat", None), ("image", png(), "a.png"))

    def test_images_come_in_either_form_and_missing_ones_are_declared(self) -> None:
        answer = {"data": [{"b64_json": b64(png()), "revised_prompt": "r"}, {"url": "https://v/i"}, {}], "size": "1024x1024", "created": 1}
        made = read(self.vendor, answer, request=ask(n=4))
        assert isinstance(made, Produced)
        assert [(picture.source, picture.revised_prompt) for picture in made.pictures] == [(png(), "r"), ("https://v/i", None)]
        assert [shortfall.code for shortfall in made.shortfalls] == ["upstream_error"] * 2
        assert (made.details, made.native) == ({"size": "1024x1024"}, None)

    def test_a_whole_answer_can_go_on_as_it_stands(self) -> None:
        body = b'{"created": 1,\n "data": [{"b64_json": "%b"}], "new": true}' % b64(png()).encode()
        made = read(self.vendor, body)
        assert isinstance(made, Produced)
        assert made.native == body

    def test_more_images_than_asked_for_are_not_handed_on(self) -> None:
        made = read(self.vendor, {"data": [{"b64_json": b64(png(shade))} for shade in range(3)]}, request=ask(n=2))
        assert isinstance(made, Produced)
        assert (len(made.pictures), made.native) == (2, None)

    @pytest.mark.parametrize("code", ["moderation_blocked", "content_policy_violation"])
    def test_a_blocked_prompt_is_told_apart(self, code: str) -> None:
        assert read(self.vendor, {"error": {"code": code, "message": "no"}}, 400) == Blocked(message="no")

    def test_an_image_blocked_by_itself_blocks_the_rest_only_where_nothing_came(self) -> None:
        refused = {"error": {"code": "moderation_blocked", "message": "no"}}
        assert read(self.vendor, {"data": [refused]}) == Blocked(message="no")
        made = read(self.vendor, {"data": [refused, {"b64_json": b64(png())}]}, request=ask(n=2))
        assert isinstance(made, Produced)
        assert [shortfall.code for shortfall in made.shortfalls] == ["content_policy_violation"]

    def test_its_own_error_is_the_callers_to_see(self) -> None:
        body = b'{"error": {"message": "bad size", "code": "invalid_value"}}'
        error = read(self.vendor, body, 400)
        assert error == VendorError(status=400, message="bad size", native=body)
        assert not error.elsewhere

    @pytest.mark.parametrize("answer", [b"<html>", b"{}", b"[]", b'{"data": {}}', b'{"error": {"message": "late"}}'])
    def test_a_200_that_is_none_is_an_error(self, answer: bytes) -> None:
        error = read(self.vendor, answer)
        assert isinstance(error, VendorError)
        assert (error.status, error.native, error.elsewhere) == (502, None, True)

    def test_base64_that_is_none_is_no_image(self) -> None:
        made = read(self.vendor, {"data": [{"b64_json": "!"}]})
        assert isinstance(made, Produced)
        assert (made.pictures, len(made.shortfalls)) == ((), 1)


class TestSeedream:
    vendor = Seedream()

    def test_each_image_is_a_call_of_its_own(self) -> None:
        calls = self.vendor.calls(ask("seedream-4-0", n=3, size="1024x1024", seed=5, negative_prompt="dogs", user="u"), "ark-id")
        bodies = [json.loads(call.body) for call in calls]
        assert [body["seed"] for body in bodies] == [5, 6, 7]
        assert {call.path for call in calls} == {b"/images/generations"}
        assert bodies[0] == {
            "model": "ark-id",
            "prompt": "a cat",
            "response_format": "b64_json",
            "sequential_image_generation": "disabled",
            "seed": 5,
            "negative_prompt": "dogs",
            "size": "1024x1024",
        }

    @pytest.mark.parametrize(
        ("size", "sent"),
        [("1024x1024", "1920x1920"), ("1792x1024", "2540x1452"), ("4096x4096", "4096x4096"), ("2K", "2K"), ("auto", None), (None, None)],
    )
    def test_4_5_is_never_asked_for_fewer_pixels_than_it_takes(self, size: str | None, sent: str | None) -> None:
        (call,) = self.vendor.calls(ask("seedream-4-5", size=size), "up")
        assert json.loads(call.body).get("size") == sent

    def test_an_edit_sends_its_images_along(self) -> None:
        (call,) = self.vendor.calls(edit(), "up")
        assert json.loads(call.body)["image"] == f"data:image/png;base64,{b64(png())}"
        (call,) = self.vendor.calls(edit(("image", png(2), "b.png")), "up")
        assert len(json.loads(call.body)["image"]) == 2

    @pytest.mark.parametrize(
        ("member", "value"), [("quality", "high"), ("style", "vivid"), ("background", "transparent"), ("output_format", "webp")]
    )
    def test_what_it_has_no_words_for_is_refused(self, member: str, value: str) -> None:
        with pytest.raises(Refusal) as refused:
            self.vendor.calls(ask(**{member: value}), "up")
        assert (refused.value.fault.openai_code, refused.value.param) == ("unsupported_feature", member)
        self.vendor.calls(ask(**{member: "auto"}), "up")

    def test_sizes_and_seeds_that_cannot_be_are_refused(self) -> None:
        for members in ({"size": "100x2000"}, {"seed": "x", "n": 2}):
            with pytest.raises(Refusal):
                self.vendor.calls(ask(**members), "up")
        with pytest.raises(Refusal):
            self.vendor.calls(edit(("mask", png(), "m.png")), "up")

    def test_what_comes_back(self) -> None:
        made = read(self.vendor, {"data": [{"b64_json": b64(png()), "size": "2048x2048"}], "usage": {"generated_images": 1}})
        assert isinstance(made, Produced)
        assert (made.pictures[0].source, made.details) == (png(), {"size": "2048x2048"})
        made = read(self.vendor, {"data": [{"url": "https://tos/i.png"}]})
        assert isinstance(made, Produced)
        assert made.pictures[0].source == "https://tos/i.png"

    @pytest.mark.parametrize("code", ["InputTextSensitiveContentDetected", "OutputImageSensitiveContentDetected.PolicyViolation"])
    def test_a_blocked_prompt_is_told_apart(self, code: str) -> None:
        assert read(self.vendor, {"error": {"code": code, "message": "no"}}, 400) == Blocked(message="no")
        assert read(self.vendor, {"data": [{"error": {"code": code, "message": "no"}}]}) == Blocked(message="no")

    def test_errors(self) -> None:
        error = read(self.vendor, {"error": {"code": "InvalidParameter", "message": "bad"}}, 400)
        assert error == VendorError(status=400, message="bad")
        error = read(self.vendor, {"error": {"code": "InternalServiceError", "message": "late"}})
        assert isinstance(error, VendorError)
        assert error.status == 502
        made = read(self.vendor, {"data": []})
        assert isinstance(made, Produced)
        assert len(made.shortfalls) == 1


class TestNanoBanana:
    vendor = NanoBanana()

    def test_the_request_is_a_generate_content(self) -> None:
        calls = self.vendor.calls(ask(n=2, size="1536x1024"), "gemini-3-image/x")
        assert len(calls) == 2
        assert calls[0].path == b"/v1beta/models/gemini-3-image%2Fx:generateContent"
        assert json.loads(calls[0].body) == {
            "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
            "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "3:2"}},
        }

    @pytest.mark.parametrize(
        ("size", "shape"),
        [
            (None, None),
            ("auto", None),
            ("1024x1024", {"aspectRatio": "1:1"}),
            ("1792x1024", {"aspectRatio": "16:9", "imageSize": "2K"}),
            ("4096x4096", {"aspectRatio": "1:1", "imageSize": "4K"}),
            ("2K", {"imageSize": "2K"}),
        ],
    )
    def test_a_size_is_a_ratio_and_a_class(self, size: str | None, shape: object) -> None:
        (call,) = self.vendor.calls(ask(size=size), "up")
        assert json.loads(call.body)["generationConfig"].get("imageConfig") == shape

    def test_a_ratio_that_it_has_not_is_refused(self) -> None:
        with pytest.raises(Refusal) as refused:
            self.vendor.calls(ask(size="1000x700"), "up")
        assert refused.value.param == "size"

    def test_an_edit_sends_its_images_along(self) -> None:
        (call,) = self.vendor.calls(edit(), "up")
        assert json.loads(call.body)["contents"][0]["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": b64(png())}}

    def test_the_image_is_found_among_the_parts(self) -> None:
        thought = {"thought": True, "inlineData": {"mimeType": "image/png", "data": b64(png(1))}}
        parts = [{"text": "here"}, thought, {"inlineData": {"mimeType": "image/png", "data": b64(png())}}]
        made = read(self.vendor, {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]})
        assert isinstance(made, Produced)
        assert made.pictures[0].source == png()

    def test_a_blocked_prompt_is_told_apart(self) -> None:
        assert isinstance(read(self.vendor, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), Blocked)
        assert isinstance(read(self.vendor, {"candidates": [{"finishReason": "IMAGE_SAFETY"}]}), Blocked)

    def test_words_alone_are_no_image(self) -> None:
        made = read(self.vendor, {"candidates": [{"content": {"parts": [{"text": "I would rather not"}]}, "finishReason": "STOP"}]})
        assert isinstance(made, Produced)
        assert (made.pictures, len(made.shortfalls)) == ((), 1)

    def test_errors(self) -> None:
        assert read(self.vendor, {"error": {"message": "bad"}}, 400) == VendorError(status=400, message="bad")
        answers: list[object] = [{}, {"candidates": []}, b"<html>"]
        for answer in answers:
            error = read(self.vendor, answer)
            assert isinstance(error, VendorError)
            assert error.status == 502
