"""The demo's vendor as an HTTP server on a loopback port: which path speaks which protocol, and at what pace a stream comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, Self

import msgspec

from reference_gateway.operations.vendor import chat, gemini, images, messages, responses, videos
from reference_gateway.operations.vendor.script import Asked, Cached, PromptCache, reply_to, tokens
from reference_gateway.operations.vendor.wire import Unreadable, a_dict, encode, flat, new_id, openai_error
from reference_gateway.proxy.server import Answer, Headers, RequestHead, Server

JSON: Final = (b"content-type", b"application/json")
SSE: Final = (b"content-type", b"text/event-stream; charset=utf-8")
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
CACHED_FROM_TOKENS: Final = 1024  # OpenAI, DeepSeek and Google cache by themselves from this size on
IMAGE_MODELS: Final = ("nano-banana", "image")


class Vendor:
    """Serves while the block lasts; `url` is where. `pause_s` is between two frames of a stream."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self._pause_s = pause_s
        self._cache = PromptCache()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = Server(self)
        host, port = await self._server.listen("127.0.0.1", 0)
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0.0)

    # proxy.server.Application

    def max_body_bytes(self, head: RequestHead) -> int:
        return MAX_BODY_BYTES

    def refuse(self, head: RequestHead | None, status: int, message: str) -> tuple[Headers, bytes]:
        return [JSON], openai_error(status, message)

    async def serve(self, head: RequestHead, body: bytes, answer: Answer) -> None:
        path = head.path.removeprefix(b"/anthropic")
        try:
            if path.startswith(images.PICTURE_PATH):
                self._picture(path, answer)
            elif path.startswith(videos.VIDEO_PATH):
                answer.send(200, [(b"content-type", b"video/mp4")], videos.file())
            elif path.startswith(videos.TASKS + b"/"):
                self._video(path.rpartition(b"/")[2].decode("latin-1"), answer)
            elif path.startswith((b"/v1beta/models/", b"/v1/models/")):
                await self._gemini(path, b"alt=sse" in head.query, _document(body), answer)
            elif path in (b"/v1/messages", b"/v1/messages/count_tokens"):
                await self._messages(path, _document(body), answer)
            elif path == b"/v1/images/edits":
                self._send(answer, images.openai(images.form(body)))
            else:
                await self._openai(path, _document(body), answer)
        except Unreadable as wrong:
            self._refuse(path, answer, str(wrong))

    @staticmethod
    def _refuse(path: bytes, answer: Answer, message: str) -> None:
        if path.startswith(b"/v1/messages"):
            data = messages.error(message)
        elif path.startswith((b"/v1beta/", b"/v1/models/")):
            data = gemini.error(400, message)
        else:
            data = openai_error(400, message)
        answer.send(400, [JSON], data)

    def _picture(self, path: bytes, answer: Answer) -> None:
        found = images.fetched(path)
        if found is None:
            answer.send(404, [JSON], openai_error(404, "There is no such picture."))
        else:
            answer.send(200, [(b"content-type", b"image/png")], found)

    def _video(self, task_id: str, answer: Answer) -> None:
        found = videos.state(task_id, self.url)
        if found is None:
            answer.send(404, [JSON], openai_error(404, "There is no such task."))
        else:
            self._send(answer, found)

    async def _openai(self, path: bytes, body: dict[str, Any], answer: Answer) -> None:
        identity = (b"x-request-id", new_id("req_", 32).encode())
        match path:
            case b"/v1/chat/completions" | b"/chat/completions":
                asked = chat.read(body)
                reply, cached = reply_to(asked), self._automatic(asked)
                if asked.stream:
                    include_usage = a_dict(body.get("stream_options")).get("include_usage") is True
                    await self._stream(answer, chat.stream(asked, reply, cached, include_usage=include_usage), identity)
                else:
                    self._send(answer, chat.answer(asked, reply, cached), identity)
            case b"/v1/responses":
                asked = responses.read(body)
                reply, cached = reply_to(asked), self._automatic(asked)
                if asked.stream:
                    await self._stream(answer, responses.stream(body, asked, reply, cached), identity)
                else:
                    self._send(answer, responses.answer(body, asked, reply, cached), identity)
            case b"/v1/images/generations":
                self._send(answer, images.openai(body), identity)
            case b"/api/v3/images/generations":
                self._send(answer, images.ark(body, self.url), identity)
            case videos.TASKS:
                self._send(answer, videos.submitted(body), identity)
            case _:
                answer.send(404, [JSON], openai_error(404, f"Unknown request URL: {path.decode('latin-1')}."))

    async def _messages(self, path: bytes, body: dict[str, Any], answer: Answer) -> None:
        identity = (b"request-id", new_id("req_01", 22).encode())
        if path.endswith(b"/count_tokens"):
            self._send(answer, {"input_tokens": tokens(messages.read(body, counting=True).whole)}, identity)
            return
        asked = messages.read(body)
        beginning, one_hour = messages.cached_beginning(body)
        cached = self._cache.use(asked.model, beginning)
        reply = reply_to(asked)
        if asked.stream:
            await self._stream(answer, messages.stream(asked, reply, cached, one_hour=one_hour), identity)
        else:
            self._send(answer, messages.answer(asked, reply, cached, one_hour=one_hour), identity)

    async def _gemini(self, path: bytes, sse: bool, body: dict[str, Any], answer: Answer) -> None:
        name, _, method = path.rpartition(b"/")[2].decode("latin-1").partition(":")
        asked = gemini.read(name, body)
        if any(word in name for word in IMAGE_MODELS):
            self._send(answer, gemini.image(asked))
            return
        reply, cached = reply_to(asked), self._automatic(asked)
        if method != "streamGenerateContent":
            self._send(answer, gemini.answer(asked, reply, cached))
            return
        chunks = gemini.chunks(asked, reply, cached)
        if sse:
            await self._stream(answer, (b"data: %b\r\n\r\n" % encode(chunk) for chunk in chunks))
        else:
            answer.send(200, [JSON], encode(list(chunks)))

    def _automatic(self, asked: Asked) -> Cached:
        """Caching that the caller did not ask for, as OpenAI, DeepSeek and Google do it: reads are told, writes cost nothing extra."""
        if tokens(asked.whole) < CACHED_FROM_TOKENS:
            return Cached()
        return Cached(read=self._cache.use(asked.model, flat(asked.whole)).read)

    @staticmethod
    def _send(answer: Answer, data: dict[str, Any], *extra: tuple[bytes, bytes]) -> None:
        answer.send(200, [JSON, *extra], encode(data))

    async def _stream(self, answer: Answer, frames: Iterable[bytes], *extra: tuple[bytes, bytes]) -> None:
        answer.start(200, [SSE, *extra])
        for frame in frames:
            if answer.gone:
                return
            answer.write(frame)
            await asyncio.sleep(self._pause_s)
        answer.end()


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("We could not parse the JSON body of your request.") from None
    if not isinstance(document, dict):
        raise Unreadable("The body of your request is not a JSON object.")
    return document
