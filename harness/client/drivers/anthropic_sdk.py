"""The anthropic SDK: messages, count_tokens, models. Source: sdk-and-wire-facts 2.

Version 2 sends `Authorization: Bearer` and anthropic-version 2026-10-21. The trait "anthropic-2023" asks for what the
versions before it sent, `x-api-key` and 2023-06-01, made by default headers.
"""

from functools import cache
from typing import Any, Final

import httpx2

from harness.case import Surface
from harness.client.call import Call, DriveError
from harness.client.drivers.sdk import STAND_IN_KEY, Sdk, Shape, Step, extra_headers
from harness.client.transport import Pools

OLD_HEADERS: Final = "anthropic-2023"


@cache
def load(_: Pools | None = None) -> Sdk:
    import anthropic

    def arguments(call: Call) -> dict[str, Any]:
        key = call.key or STAND_IN_KEY
        headers: dict[str, Any] = {}
        if OLD_HEADERS in call.case.traits:
            headers = {"Authorization": anthropic.Omit(), "x-api-key": key, "anthropic-version": "2023-06-01"}
        return {"api_key": key, "base_url": call.base.anthropic, "max_retries": 0, "default_headers": headers}

    def sync_client(call: Call, http_client: httpx2.Client) -> Any:
        return anthropic.Anthropic(**arguments(call), http_client=http_client)

    def async_client(call: Call, http_client: httpx2.AsyncClient) -> Any:
        return anthropic.AsyncAnthropic(**arguments(call), http_client=http_client)

    return Sdk(
        root="anthropic",
        name=f"anthropic {anthropic.__version__}",
        request_id_header="request-id",
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
        case Surface.MESSAGES | Surface.COUNT_TOKENS:
            pass
        case _:
            raise DriveError(f"case {case.id}: the anthropic SDK does not speak {case.surface}")
    arguments = {"model": call.model, **(call.body or {}), "extra_headers": headers}
    if case.surface is Surface.COUNT_TOKENS:
        return Step(
            method=lambda client: client.messages.count_tokens, arguments=arguments, shape=Shape.PLAIN, name="messages.count_tokens"
        )
    if not case.stream:
        return Step(method=lambda client: client.messages.create, arguments=arguments, shape=Shape.PLAIN, name="messages.create")
    if not case.helper:
        arguments["stream"] = True
        return Step(method=lambda client: client.messages.create, arguments=arguments, shape=Shape.EVENTS, name="messages.create")
    return Step(
        method=lambda client: client.messages.stream,
        arguments=arguments,
        shape=Shape.HELPER,
        name="messages.stream",
        final="get_final_message",
    )
