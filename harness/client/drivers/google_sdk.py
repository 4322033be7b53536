"""The google-genai SDK: generateContent, streamed or not, and models. Source: sdk-and-wire-facts 2.

A case holds the wire's JSON; the SDK wants it taken apart: `contents`, and one config that holds generationConfig's fields
beside the request's own. What the config does not know goes through extra_body. A chat of the SDK's is what stands for a stream helper: it
puts together the turns that its user would send back. The SDK's path is /v1/models/...; the
trait "gemini-v1beta" asks for the version that the SDK had before.
"""

import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from harness.case import Surface
from harness.client.call import Call, DriveError
from harness.client.drivers.reading import json_value
from harness.client.drivers.sdk import STAND_IN_KEY, Sdk, Shape, Step, extra_headers, is_async
from harness.client.transport import Pools

BETA_PATH: Final = "gemini-v1beta"
_BASE64_FIELDS: Final = ("thoughtSignature", "data", "continuationToken")
_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


def load(pools: Pools) -> Sdk:
    import google.genai
    from google.genai import types

    def client(call: Call, sync: httpx2.Client, asynchronous: httpx2.AsyncClient) -> Any:
        options = types.HttpOptions(
            base_url=call.base.gemini,
            api_version="v1beta" if BETA_PATH in call.case.traits else None,
            headers=extra_headers(call.case),
            # Both clients and a TLS context are given, else each genai client makes two contexts of its own (some 60 ms each).
            httpx_client=sync,
            httpx_async_client=asynchronous,
            async_client_args={"ssl": pools.tls},
        )
        return google.genai.Client(api_key=call.key or STAND_IN_KEY, vertexai=False, http_options=options)

    return Sdk(
        root="google.genai",
        name=f"google-genai {google.genai.__version__}",
        request_id_header=None,
        sync_client=lambda call, http: client(call, http, httpx2.AsyncClient(transport=pools.async_inner, trust_env=False)),
        async_client=lambda call, http: client(call, httpx2.Client(transport=pools.sync_inner, trust_env=False), http),
    )


def step(call: Call) -> Step:
    case = call.case
    extra_headers(case)
    match case.surface:
        case Surface.MODELS:
            return Step(
                method=_method(call, "list"), arguments={}, shape=Shape.PLAIN, name="models.list", to_json=_page, split_unknown=False
            )
        case Surface.GEMINI:
            name = "generate_content_stream" if case.stream else "generate_content"
        case _:
            raise DriveError(f"case {case.id}: the google-genai SDK does not speak {case.surface}")
    if case.helper and case.stream:
        if not is_async(case.client):
            raise DriveError(f"case {case.id}: a chat of google-genai is driven by the async client only")
        return Step(
            method=lambda client: partial(_Chat, client),
            arguments=_arguments(call),
            shape=Shape.HELPER,
            name="chats.send_message_stream",
            final="said",
            to_json=_to_json,
            split_unknown=False,
        )
    return Step(
        method=_method(call, name),
        arguments=_arguments(call),
        shape=Shape.EVENTS if case.stream else Shape.PLAIN,
        name=f"models.{name}",
        to_json=_to_json,
        split_unknown=False,
    )


class _Chat:
    """The last of `contents` sent in a chat that has the others behind it; events out, and then what the chat keeps of the answer."""

    def __init__(self, client: Any, *, model: str, contents: list[Any], config: Any) -> None:
        self._chat = client.aio.chats.create(model=model, config=config, history=contents[:-1])
        self._message = contents[-1].parts
        self._given = len(contents)

    async def __aenter__(self) -> Self:
        self._stream = await self._chat.send_message_stream(self._message)
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return aiter(self._stream)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stream.aclose()

    async def said(self) -> Mapping[str, Any]:
        """A turn of its own for each event. None where the SDK takes an event for invalid: such an answer is never sent back."""
        return {"turns": [_to_json(turn) for turn in self._chat.get_history(curated=True)[self._given :]]}


def _method(call: Call, name: str) -> Any:
    if is_async(call.case.client):
        return lambda client: getattr(client.aio.models, name)
    return lambda client: getattr(client.models, name)


def _arguments(call: Call) -> dict[str, Any]:
    from google.genai import types
    from pydantic import ValidationError

    fields = {field.alias or name for name, field in types.GenerateContentConfig.model_fields.items()}
    config: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, given in (call.body or {}).items():
        if name == "contents":
            continue
        if name != "generationConfig":
            (config if name in fields else extra)[name] = given
            continue
        for inner, value in given.items():
            if inner in fields:
                config[inner] = value
            else:
                extra.setdefault("generationConfig", {})[inner] = value
    try:
        # As JSON, so that base64 text becomes bytes; a dict would be taken for text.
        contents = [types.Content.model_validate_json(json.dumps(content)) for content in (call.body or {}).get("contents", ())]
        made = types.GenerateContentConfig.model_validate(config)
    except ValidationError as error:
        raise DriveError(f"case {call.case.id}: google-genai has no place for the request: {error}") from error
    made.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)  # one exchange is one request
    made.automatic_continuation = False
    if extra:
        made.http_options = types.HttpOptions(extra_body=extra)
    return {"model": call.model, "contents": contents, "config": made}


def _to_json(answer: Any) -> Any:
    """The wire's spelling of what the SDK read: its own additions are left out, and base64 is in the wire's alphabet again."""
    found = json_value(answer)
    if isinstance(found, dict):
        for own in ("sdkHttpResponse", "automaticFunctionCallingHistory", "parsed"):
            found.pop(own, None)
    return _restore(found)


def _restore(found: Any) -> Any:
    match found:
        case dict():
            return {
                name: value.translate(_STANDARD_ALPHABET) if name in _BASE64_FIELDS and isinstance(value, str) else _restore(value)
                for name, value in found.items()
                if value is not None  # fields that the SDK set to None itself
            }
        case list():
            return [_restore(value) for value in found]
        case _:
            return found


def _page(pager: Any) -> Any:
    """The first page only: the next one would be a request of its own."""
    return {"models": [_to_json(model) for model in pager.page]}
