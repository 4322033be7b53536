import pytest

from harness.wire import WireError, errors
from harness.wire.errors import ErrorInfo, Family


def test_openai_lays_out_by_where_the_error_arose() -> None:
    key = ErrorInfo(message="Incorrect API key provided", type="invalid_request_error", code="invalid_api_key")
    assert errors.write(key, Family.OPENAI, of_chat=True) == (
        b'{\n    "error": {\n        "message": "Incorrect API key provided",\n        "type": "invalid_request_error",\n'
        b'        "param": null,\n        "code": "invalid_api_key"\n    }\n}\n'
    )
    assert errors.write(key, Family.OPENAI).endswith(b'"code": "invalid_api_key"\n  }\n}')
    value = ErrorInfo(message="Unsupported", type="invalid_request_error", param="stop", code="unsupported_parameter")
    assert errors.write(value, Family.OPENAI, of_chat=True).startswith(b'{\n  "error": {\n    "message": "Unsupported"')


def test_anthropic_is_one_tight_line_with_or_without_request_id() -> None:
    error = ErrorInfo(type="overloaded_error", message="Overloaded", request_id="req_1")
    assert errors.write(error, Family.ANTHROPIC) == (
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'
    )
    without_id = ErrorInfo(type="overloaded_error", message="Overloaded")
    assert errors.write(without_id, Family.ANTHROPIC) == b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'


def test_google_states_its_status_in_the_body() -> None:
    error = ErrorInfo(status=503, type="UNAVAILABLE", message="overloaded")
    body = errors.write(error, Family.GOOGLE)
    assert body == b'{\n  "error": {\n    "code": 503,\n    "message": "overloaded",\n    "status": "UNAVAILABLE"\n  }\n}\n'
    assert errors.read(body, Family.GOOGLE) == error
    assert errors.read(b"[" + body + b"]", Family.GOOGLE) == error


def test_a_google_error_without_a_status_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="give ErrorInfo a status"):
        errors.write(ErrorInfo(message="x"), Family.GOOGLE)


@pytest.mark.parametrize(
    ("family", "error"),
    [
        (Family.OPENAI, ErrorInfo(status=429, type="insufficient_quota", code="insufficient_quota", message="quota", param=None)),
        (Family.ANTHROPIC, ErrorInfo(status=529, type="overloaded_error", message="Overloaded", request_id="req_1")),
        (Family.GOOGLE, ErrorInfo(status=429, type="RESOURCE_EXHAUSTED", message="slow down")),
    ],
)
def test_what_was_written_reads_back(family: Family, error: ErrorInfo) -> None:
    assert errors.read(errors.write(error, family), family, error.status) == error


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("body", [b"upstream connect error", b"<html></html>", b"{}", b'{"error":"gone"}', b"[]", b""])
def test_no_envelope_is_a_wire_error(family: Family, body: bytes) -> None:
    with pytest.raises(WireError):
        errors.read(body, family)


def test_a_code_that_is_a_number_is_read_as_text_and_kept_as_a_number() -> None:
    body = b'{"error":{"message":"no","code":401}}'
    assert errors.read(body, Family.OPENAI).code == "401"
    decoded = errors.decode_body(body, Family.OPENAI)
    assert isinstance(decoded, errors.OpenAIBody)
    assert decoded.error.code == 401
