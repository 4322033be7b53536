"""The openai SDK: chat completions, responses, images, models. Source: sdk-and-wire-facts 2."""

from functools import cache
from typing import Any

import httpx2

from harness.case import Surface
from harness.client.call import Call, DriveError
from harness.client.drivers.reading import json_value
from harness.client.drivers.sdk import STAND_IN_KEY, Sdk, Shape, Step, extra_headers
from harness.client.transport import Pools


@cache
def load(_: Pools | None = None) -> Sdk:
    import openai

    def arguments(call: Call) -> dict[str, Any]:
        return {"api_key": call.key or STAND_IN_KEY, "base_url": call.base.openai, "max_retries": 0}

    def sync_client(call: Call, http_client: httpx2.Client) -> Any:
        return openai.OpenAI(**arguments(call), http_client=http_client)

    def async_client(call: Call, http_client: httpx2.AsyncClient) -> Any:
        return openai.AsyncOpenAI(**arguments(call), http_client=http_client)

    return Sdk(
        root="openai",
        name=f"openai {openai.__version__}",
        request_id_header="x-request-id",
        sync_client=sync_client,
        async_client=async_client,
    )


def step(call: Call) -> Step:
    case = call.case
    headers = extra_headers(case)
    match case.surface:
        case Surface.MODELS:
            return Step(
                method=lambda client: client.models.list,
                arguments={"extra_headers": headers},
                shape=Shape.PLAIN,
                name="models.list",
            )
        case Surface.IMAGES:
            return Step(
                method=lambda client: client.images.generate,
                arguments={"model": call.model, **(call.body or {}), "extra_headers": headers},
                shape=Shape.PLAIN,
                name="images.generate",
            )
        case Surface.CHAT | Surface.RESPONSES:
            pass
        case _:
            raise DriveError(f"case {case.id}: the openai SDK does not speak {case.surface}")
    resource = "chat.completions" if case.surface is Surface.CHAT else "responses"
    arguments = {"model": call.model, **(call.body or {}), "extra_headers": headers}
    if not case.stream:
        return Step(method=_method(case.surface, "create"), arguments=arguments, shape=Shape.PLAIN, name=f"{resource}.create")
    if not case.helper:
        arguments["stream"] = True
        return Step(method=_method(case.surface, "create"), arguments=arguments, shape=Shape.EVENTS, name=f"{resource}.create")
    if "tools" in arguments:
        # Given by name, the helper parses arguments itself, and refuses tools that are not strict.
        arguments["extra_body"] = {"tools": arguments.pop("tools")}
    return Step(
        method=_method(case.surface, "stream"),
        arguments=arguments,
        shape=Shape.HELPER,
        name=f"{resource}.stream",
        final="get_final_completion" if case.surface is Surface.CHAT else "get_final_response",
        to_json=json_value if case.surface is Surface.CHAT else _sent_back,
    )


def _sent_back(found: Any) -> Any:
    """What the SDK read, without its own additions: it leaves them out of an item of the Responses API that is handed back."""
    return _without(json_value(found), {"parsed", "parsed_arguments"})


def _without(found: Any, names: set[str]) -> Any:
    match found:
        case dict():
            return {name: _without(value, names) for name, value in found.items() if name not in names}
        case list():
            return [_without(value, names) for value in found]
        case _:
            return found


def _method(surface: Surface, name: str) -> Any:
    if surface is Surface.CHAT:
        return lambda client: getattr(client.chat.completions, name)
    return lambda client: getattr(client.responses, name)
