"""The official SDK's `images.generate` and `images.edit`, before the demo's own vendor (contract:001, contract:210)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.images.formats import ImageFormat, recognised
from reference_gateway.operations.demo import demo_config
from reference_gateway.operations.vendor.server import Vendor
from reference_gateway.tests.images.pictures import png
from reference_gateway.tests.scripted import Stage


@asynccontextmanager
async def client(folder: Path) -> AsyncIterator[tuple[openai.AsyncOpenAI, Stage]]:
    async with Vendor() as vendor:
        demo = demo_config(vendor.url, folder, database=":memory:")
        async with Running(load(demo.config), stop_within_s=1.0) as running:
            here = Stage(url=running.url, port=int(running.url.rpartition(":")[2]), demo=demo, running=running)
            async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=demo.keys[0], max_retries=0) as sdk:
                yield sdk, here


@pytest.mark.parametrize("model", ["seedream-4-5", "nano-banana", "gpt-image-2"])
async def test_the_guides_sample(model: str, tmp_path: Path) -> None:
    async with client(tmp_path) as (sdk, s):
        r = await sdk.images.generate(model=model, prompt="A timelapse of Tokyo at sunset", size="1024x1024", n=1)
        assert r.data is not None
        url = r.data[0].url
        assert url is not None
        assert url.startswith(f"{s.url}/v1/images/files/")
        image = await s.call("GET", url.removeprefix(s.url), b"", {})
        assert recognised(image.body) is ImageFormat.PNG
        (row,) = await s.usage()
        assert (row["model"], row["images"]) == (model, 1)


async def test_an_edit_and_base64(tmp_path: Path) -> None:
    async with client(tmp_path) as (sdk, s):
        r = await sdk.images.edit(
            model="gpt-image-2", image=[("a.png", png()), ("b.png", png(1))], prompt="a hat", n=2, response_format="b64_json"
        )
        assert r.data is not None
        assert [recognised(base64.b64decode(item.b64_json or "")) for item in r.data] == [ImageFormat.PNG] * 2
        r = await sdk.images.edit(model="seedream-4-5", image=png(), prompt="a hat")
        assert r.data is not None
        assert r.data[0].url
        assert len(await s.usage()) == 2


async def test_refusals_are_the_sdks_own_exceptions(tmp_path: Path) -> None:
    async with client(tmp_path) as (sdk, s):
        with pytest.raises(openai.BadRequestError) as bad:
            await sdk.images.generate(model="gpt-image-2", prompt="a cat", n=5)
        assert (bad.value.code, bad.value.param) == ("invalid_param", "n")
        with pytest.raises(openai.NotFoundError):
            await sdk.images.generate(model="gpt-image-1", prompt="a cat")
        assert await s.usage() == []
