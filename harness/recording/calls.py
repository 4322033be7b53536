"""One scenario asked by its vendor's official SDK, or by plain HTTP where an SDK would not wait for the end.

What the SDK makes of the answer is thrown away: the capture keeps the bytes.
"""

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from harness.recording.format import Surface
from harness.recording.scenarios.scenario import Scenario

TIMEOUT_S: Final = 300
_WRONG_KEY: Final = "wrong-key-for-a-recording"  # too plain to be taken for a real one


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Where requests go and with which key. The SDKs share one pool of connections."""

    address: str  # scheme, host and port of the proxy
    prefix: str  # path that the vendor's base URL has before `/v1`, mostly ""
    key: str
    http: httpx2.AsyncClient


@contextlib.asynccontextmanager
async def caller(address: str, base_url: str, key: str) -> AsyncIterator[Caller]:
    """`base_url` is the vendor's own; what stands in its path comes before the documented paths."""
    async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
        yield Caller(address=address, prefix=prefix_of(base_url), key=key, http=http)


def prefix_of(base_url: str) -> str:
    """The path before the version, which users may or may not give: `https://h/api/v1/` -> `/api`."""
    path = urlsplit(base_url).path.rstrip("/")
    for version in ("/v1beta", "/v1"):
        path = path.removesuffix(version)
    return path


async def call(scenario: Scenario, caller: Caller, headers: Mapping[str, str]) -> Exception | None:
    """Asks, and reads the answer to its end. An error that the scenario is about is no error; another one comes back."""
    key = _WRONG_KEY if scenario.status == 401 else caller.key
    try:
        match scenario.vendor:
            case _ if "error-event" in scenario.traits:  # the SDKs hang up at the error, before the rest of the stream is there
                await _raw(scenario, caller, key, headers)
            case "anthropic":
                await _anthropic(scenario, caller, key, headers)
            case "google":
                await _google(scenario, caller, key, headers)
            case _:
                await _openai(scenario, caller, key, headers)
    except Exception as error:  # whatever an SDK raises: the recording tells what came, and is checked afterwards
        expected = scenario.status >= 400 or scenario.traits & {"error-event", "failed", "incomplete"}
        return None if expected else error
    return None


async def _openai(scenario: Scenario, caller: Caller, key: str, headers: Mapping[str, str]) -> None:
    import openai

    version = "" if scenario.vendor == "deepseek" else "/v1"
    base_url = f"{caller.address}{caller.prefix}{version}"
    client = openai.AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, http_client=caller.http)
    match scenario.surface:
        case Surface.MODELS:
            await client.models.list(extra_headers=headers)
        case Surface.RESPONSES:
            await _consume(await client.responses.create(**_arguments(client.responses.create, scenario), extra_headers=headers))
        case _:
            create = client.chat.completions.create
            await _consume(await create(**_arguments(create, scenario), extra_headers=headers))


async def _anthropic(scenario: Scenario, caller: Caller, key: str, headers: Mapping[str, str]) -> None:
    import anthropic

    base_url = f"{caller.address}{caller.prefix}"
    client = anthropic.AsyncAnthropic(api_key=key, base_url=base_url, max_retries=0, http_client=caller.http)
    match scenario.surface:
        case Surface.MODELS:
            await client.models.list(extra_headers=headers)
        case Surface.COUNT_TOKENS:
            count = client.messages.count_tokens
            await count(**_arguments(count, scenario), extra_headers=headers)
        case _:
            create = client.messages.create
            await _consume(await create(**_arguments(create, scenario), extra_headers=headers))


async def _google(scenario: Scenario, caller: Caller, key: str, headers: Mapping[str, str]) -> None:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=f"{caller.address}{caller.prefix}", headers=dict(headers), httpx_async_client=caller.http)
    client = genai.Client(api_key=key, http_options=options, vertexai=False)
    if scenario.surface is Surface.MODELS:
        await client.aio.models.list()
        return
    body = dict(scenario.request or {})
    contents = body.pop("contents")
    config = types.GenerateContentConfig.model_validate({**body.pop("generationConfig", {}), **body})
    if scenario.stream:
        await _consume(await client.aio.models.generate_content_stream(model=scenario.model, contents=contents, config=config))
    else:
        await client.aio.models.generate_content(model=scenario.model, contents=contents, config=config)


async def _raw(scenario: Scenario, caller: Caller, key: str, headers: Mapping[str, str]) -> None:
    match scenario.vendor:
        case "anthropic":
            auth = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        case "google":
            auth = {"x-goog-api-key": key}
        case _:
            auth = {"authorization": f"Bearer {key}"}
    address = f"{caller.address}{caller.prefix}{scenario.path}"
    await caller.http.request(scenario.method, address, json=scenario.sent, headers={**auth, **headers})


def _arguments(method: Callable[..., Any], scenario: Scenario) -> dict[str, Any]:
    """The body as the method's arguments; what it has no argument for goes in `extra_body`."""
    known = inspect.signature(method).parameters
    body = scenario.sent or {}
    extra = {name: value for name, value in body.items() if name not in known}
    return {**{name: value for name, value in body.items() if name in known}, **({"extra_body": extra} if extra else {})}


async def _consume(answer: Any) -> None:
    if hasattr(answer, "__aiter__"):
        async for _ in answer:
            pass
