"""One scenario asked by its vendor's official SDK, or by plain HTTP where an SDK would not wait for the end.

What the SDK makes of the answer is thrown away: the capture keeps the bytes.
"""

import contextlib
import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2

from harness.recording.format import Surface
from harness.recording.scenarios.scenario import Scenario

if TYPE_CHECKING:  # the SDKs take seconds to import
    import anthropic
    import openai
    from google import genai

TIMEOUT_S: Final = 300
_SDK_OF: Final = {"anthropic": "anthropic", "google": "google.genai"}
_WRONG_KEY: Final = "wrong-key-for-a-recording"  # too plain to be taken for a real one


class Caller:
    """Where requests go and with which key: `address` is the proxy's, `prefix` the path that the vendor has before `/v1`, mostly "".

    The SDKs share one pool of connections.
    """

    def __init__(self, *, address: str, prefix: str, key: str, http: httpx2.AsyncClient) -> None:
        self.address = address
        self.prefix = prefix
        self.key = key
        self.http = http
        self._google: dict[str, genai.Client] = {}  # by key: one takes a tenth of a second to make, others a millisecond

    def openai(self, key: str, version: str) -> "openai.AsyncOpenAI":
        import openai

        base_url = f"{self.address}{self.prefix}{version}"
        return openai.AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, http_client=self.http)

    def anthropic(self, key: str) -> "anthropic.AsyncAnthropic":
        import anthropic

        return anthropic.AsyncAnthropic(api_key=key, base_url=f"{self.address}{self.prefix}", max_retries=0, http_client=self.http)

    def google(self, key: str) -> "genai.Client":
        from google import genai
        from google.genai import types

        if key not in self._google:
            options = types.HttpOptions(base_url=f"{self.address}{self.prefix}", httpx_async_client=self.http)
            self._google[key] = genai.Client(api_key=key, http_options=options, vertexai=False)
        return self._google[key]


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


def import_sdks(vendors: Iterable[str]) -> None:
    """Imports what the calls will need. It takes seconds, which the first recordings would show in their times."""
    for module in {_SDK_OF.get(vendor, "openai") for vendor in vendors}:
        importlib.import_module(module)


async def call(scenario: Scenario, caller: Caller, headers: Mapping[str, str]) -> Exception | None:
    """Asks, and reads the answer to its end. An error that the scenario is about is no error; another one comes back."""
    key = _WRONG_KEY if scenario.status == 401 else caller.key
    try:
        match scenario.vendor:
            # The SDKs hang up at the error, before the rest of the stream is there; and "raw" asks for what none of them does.
            case _ if scenario.traits & {"error-event", "raw"}:
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
    client = caller.openai(key, "" if scenario.vendor == "deepseek" else "/v1")
    match scenario.surface:
        case Surface.MODELS:
            await client.models.list(extra_headers=headers)
        case Surface.IMAGES:
            await client.images.generate(**_arguments(client.images.generate, scenario), extra_headers=headers)
        case Surface.RESPONSES:
            await _consume(await client.responses.create(**_arguments(client.responses.create, scenario), extra_headers=headers))
        case _:
            create = client.chat.completions.create
            await _consume(await create(**_arguments(create, scenario), extra_headers=headers))


async def _anthropic(scenario: Scenario, caller: Caller, key: str, headers: Mapping[str, str]) -> None:
    client = caller.anthropic(key)
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
    from google.genai import types

    models = caller.google(key).aio.models
    options = types.HttpOptions(headers=dict(headers))
    if scenario.surface is Surface.MODELS:
        await models.list(config=types.ListModelsConfig(http_options=options))
        return
    body = dict(scenario.request or {})
    contents = body.pop("contents")
    config = types.GenerateContentConfig.model_validate({**body.pop("generationConfig", {}), **body, "http_options": options})
    if scenario.stream:
        await _consume(await models.generate_content_stream(model=scenario.model, contents=contents, config=config))
    else:
        await models.generate_content(model=scenario.model, contents=contents, config=config)


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
