"""Each error status in each vendor's own envelope, with the headers that come with it.

Sources: corpus counts (400, 401, 403, 404, 429 and 500 as recorded); 413, 503 and 529 as documented and as users reported them.
"""

from dataclasses import dataclass
from typing import Any, Final

from harness.recording.format import Headers, Surface
from harness.recording.scenarios.names import Names
from harness.wire.json_text import PRETTY, PRETTY_4, PRETTY_NEWLINE, TIGHT, write_bytes

RETRY_AFTER: Final = ("retry-after", "34")
UNKNOWN_MODEL: Final = "no-such-model-7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is told of one error status. `kind` and `code` are the vendor's own words."""

    status: int
    message: str
    kind: str
    code: str | None = None
    param: str | None = None
    headers: Headers = ()
    live: bool = False  # a client can provoke it from a real vendor


_OPENAI_OVERLOADED: Final = "The engine is currently overloaded, please try again later."
_OPENAI_500: Final = (
    "The server had an error while processing your request. Sorry about that! You can retry your request, "
    "or contact us through our help center at help.openai.com if the error persists."
)
_OPENAI: Final = (
    Failure(
        status=400,
        message="Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 7 instead.",
        kind="invalid_request_error",
        code="decimal_above_max_value",
        param="temperature",
        live=True,
    ),
    Failure(
        status=401,
        message="Incorrect API key provided: wrong-***-key. You can find your API key at https://platform.openai.com/account/api-keys.",
        kind="invalid_request_error",
        code="invalid_api_key",
        live=True,
    ),
    Failure(
        status=403,
        message="Country, region, or territory not supported",
        kind="request_forbidden",
        code="unsupported_country_region_territory",
    ),
    Failure(
        status=404,
        message=f"The model `{UNKNOWN_MODEL}` does not exist or you do not have access to it.",
        kind="invalid_request_error",
        code="model_not_found",
        live=True,
    ),
    Failure(status=413, message="Request body too large.", kind="invalid_request_error", code="request_too_large"),
    Failure(
        status=429,
        message="Rate limit reached for gpt-5.4 on tokens per min (TPM): Limit 30000, Used 29800, Requested 1200. Please try again in 34s.",
        kind="tokens",
        code="rate_limit_exceeded",
        headers=(RETRY_AFTER, ("retry-after-ms", "34000"), ("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "34s")),
    ),
    Failure(status=500, message=_OPENAI_500, kind="server_error"),
    Failure(status=503, message=_OPENAI_OVERLOADED, kind="server_error"),
)
_ANTHROPIC: Final = (
    Failure(
        status=400,
        message="max_tokens: Input should be greater than or equal to 1",
        kind="invalid_request_error",
        headers=(("x-should-retry", "false"),),
        live=True,
    ),
    Failure(status=401, message="invalid x-api-key", kind="authentication_error", headers=(("x-should-retry", "false"),), live=True),
    Failure(
        status=403,
        message="Your API key does not have permission to use the specified resource.",
        kind="permission_error",
        headers=(("x-should-retry", "false"),),
    ),
    Failure(status=404, message=f"model: {UNKNOWN_MODEL}", kind="not_found_error", headers=(("x-should-retry", "false"),), live=True),
    Failure(status=413, message="Request exceeds the maximum size", kind="request_too_large", headers=(("x-should-retry", "false"),)),
    Failure(
        status=429,
        message="This request would exceed your account's rate limit. Please try again later.",
        kind="rate_limit_error",
        headers=(RETRY_AFTER, ("anthropic-ratelimit-requests-remaining", "0"), ("x-should-retry", "true")),
    ),
    Failure(status=500, message="Internal server error", kind="api_error", headers=(("x-should-retry", "true"),)),
    Failure(status=503, message="Service temporarily unavailable", kind="api_error", headers=(("x-should-retry", "true"),)),
    Failure(status=529, message="Overloaded", kind="overloaded_error", headers=(("x-should-retry", "true"),)),
)
_GEMINI: Final = (
    Failure(
        status=400,
        message="* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
        kind="INVALID_ARGUMENT",
        live=True,
    ),
    Failure(
        status=401,
        message="Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        kind="UNAUTHENTICATED",
    ),
    Failure(status=403, message="The caller does not have permission", kind="PERMISSION_DENIED"),
    Failure(
        status=404,
        message=f"models/{UNKNOWN_MODEL} is not found for API version v1beta, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods.",
        kind="NOT_FOUND",
        live=True,
    ),
    Failure(status=413, message="Request payload size exceeds the limit: 20971520 bytes.", kind="INVALID_ARGUMENT"),
    Failure(
        status=429,
        message="You exceeded your current quota, please check your plan and billing details.",
        kind="RESOURCE_EXHAUSTED",
        headers=(RETRY_AFTER,),
    ),
    Failure(status=500, message="An internal error has occurred. Please retry.", kind="INTERNAL"),
    Failure(status=503, message="The model is overloaded. Please try again later.", kind="UNAVAILABLE"),
)


def failures(surface: Surface) -> tuple[Failure, ...]:
    match surface:
        case Surface.MESSAGES:
            return _ANTHROPIC
        case Surface.GEMINI:
            return _GEMINI
        case Surface.RESPONSES:
            return tuple(_not_found_of_responses(failure) if failure.status == 404 else failure for failure in _OPENAI)
        case _:
            return _OPENAI


def body(surface: Surface, failure: Failure, names: Names) -> bytes:
    match surface:
        case Surface.MESSAGES:
            error: dict[str, Any] = {"type": failure.kind, "message": failure.message}
            return write_bytes({"type": "error", "error": error, "request_id": f"req_011C{names.base58(20)}"}, TIGHT)
        case Surface.GEMINI:
            details = {"details": [_RETRY_INFO]} if failure.status == 429 else {}
            value: dict[str, Any] = {"error": {"code": failure.status, "message": failure.message, "status": failure.kind, **details}}
            return write_bytes(value, PRETTY_NEWLINE)
        case _:
            value = {"error": openai_error(failure)}
            four = surface is Surface.CHAT and failure.status in (401, 403, 404)  # the layer before the model answers these
            return write_bytes(value, PRETTY_4 if four else PRETTY)


def openai_error(failure: Failure) -> dict[str, Any]:
    return {"message": failure.message, "type": failure.kind, "param": failure.param, "code": failure.code}


def _not_found_of_responses(failure: Failure) -> Failure:
    # An unknown model is a 400 on this path; what is not found is a stored response.
    return Failure(
        status=404,
        message="Previous response with id 'resp_0000' not found.",
        kind="invalid_request_error",
        param="previous_response_id",
        code="previous_response_not_found",
        live=failure.live,
    )


_RETRY_INFO: Final = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
