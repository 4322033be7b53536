"""Which pieces make the half of each protocol: of a client's, and of what an upstream speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from reference_gateway.routes import Surface
from reference_gateway.translation.chat import answer_in as chat_answer_in
from reference_gateway.translation.chat import answer_out as chat_answer_out
from reference_gateway.translation.chat import deepseek as deepseek_chat
from reference_gateway.translation.chat import request_in as chat_request_in
from reference_gateway.translation.chat import request_out as chat_request_out
from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.gemini import answer_in as gemini_answer_in
from reference_gateway.translation.gemini import answer_out as gemini_answer_out
from reference_gateway.translation.gemini import request_in as gemini_request_in
from reference_gateway.translation.gemini import request_out as gemini_request_out
from reference_gateway.translation.items import JsonObject, JsonSchema, Maker
from reference_gateway.translation.messages import answer_in as messages_answer_in
from reference_gateway.translation.messages import answer_out as messages_answer_out
from reference_gateway.translation.messages import deepseek as deepseek_messages
from reference_gateway.translation.messages import request_in as messages_request_in
from reference_gateway.translation.messages import request_out as messages_request_out
from reference_gateway.translation.messages import schema as messages_schema
from reference_gateway.translation.responses import answer_in as responses_answer_in
from reference_gateway.translation.responses import answer_out as responses_answer_out
from reference_gateway.translation.responses import request_in as responses_request_in
from reference_gateway.translation.responses import request_out as responses_request_out
from reference_gateway.translation.translator import Client, Dialect, Vendor


def _no_output(output: JsonObject | JsonSchema, upstream: Upstream) -> bool:
    return False


def _claude_output(output: JsonObject | JsonSchema, upstream: Upstream) -> bool:
    return isinstance(output, JsonSchema) and upstream.native_json_schema and messages_schema.native(output.schema) is not None


CLIENTS: Final[Mapping[Surface, Client]] = {
    Surface.CHAT: Client(
        read_request=lambda body, model, stream, seal: chat_request_in.read_request(body, model=model, stream=stream),
        write_answer=lambda answer, ask, naming, seal: chat_answer_out.write_answer(answer, ask, naming),
        stream_writer=lambda ask, naming, seal: chat_answer_out.StreamWriter(ask, naming),
    ),
    Surface.RESPONSES: Client(
        read_request=responses_request_in.read_request,
        write_answer=responses_answer_out.write_answer,
        stream_writer=responses_answer_out.StreamWriter,
    ),
    Surface.MESSAGES: Client(
        read_request=lambda body, model, stream, seal: messages_request_in.read_request(body, model=model, stream=stream),
        write_answer=lambda answer, ask, naming, seal: messages_answer_out.write_answer(answer, ask, naming),
        stream_writer=lambda ask, naming, seal: messages_answer_out.StreamWriter(ask, naming),
    ),
    Surface.GEMINI: Client(
        read_request=lambda body, model, stream, seal: gemini_request_in.read_request(body, model=model, stream=stream),
        write_answer=lambda answer, ask, naming, seal: gemini_answer_out.write_answer(answer, ask, naming),
        stream_writer=lambda ask, naming, seal: gemini_answer_out.StreamWriter(ask, naming),
        content_type=b"text/event-stream",
    ),
}
# contract:137: without alt=sse a Gemini client gets its stream as a JSON array.
GEMINI_ARRAY: Final = replace(
    CLIENTS[Surface.GEMINI],
    stream_writer=lambda ask, naming, seal: gemini_answer_out.StreamWriter(ask, naming, json_array=True),
    content_type=b"application/json; charset=UTF-8",
)
VENDORS: Final[Mapping[Dialect, Vendor]] = {
    Dialect.CHAT: Vendor(
        write_request=chat_request_out.write_request,
        read_answer=chat_answer_in.read_answer,
        stream_reader=chat_answer_in.StreamReader,
        failure=chat_answer_in.failure,
        maker=Maker.OPENAI,
    ),
    Dialect.RESPONSES: Vendor(
        write_request=responses_request_out.write_request,
        read_answer=responses_answer_in.read_answer,
        stream_reader=responses_answer_in.StreamReader,
        failure=responses_answer_in.failure,
        maker=Maker.OPENAI,
    ),
    Dialect.MESSAGES: Vendor(
        write_request=messages_request_out.write_request,
        read_answer=messages_answer_in.read_answer,
        stream_reader=messages_answer_in.StreamReader,
        failure=messages_answer_in.failure,
        maker=Maker.ANTHROPIC,
        holds=_claude_output,
        thinks_when_forced=False,
    ),
    Dialect.GEMINI: Vendor(
        write_request=gemini_request_out.write_request,
        read_answer=gemini_answer_in.read_answer,
        stream_reader=gemini_answer_in.StreamReader,
        failure=gemini_answer_in.failure,
        maker=Maker.GEMINI,
        holds=gemini_request_out.holds,
    ),
    Dialect.DEEPSEEK_CHAT: Vendor(
        write_request=deepseek_chat.write_request,
        read_answer=deepseek_chat.read_answer,
        stream_reader=deepseek_chat.StreamReader,
        failure=chat_answer_in.failure,
        maker=Maker.DEEPSEEK,
    ),
    Dialect.DEEPSEEK_MESSAGES: Vendor(
        write_request=deepseek_messages.write_request,
        read_answer=deepseek_messages.read_answer,
        stream_reader=deepseek_messages.StreamReader,
        failure=messages_answer_in.failure,
        maker=Maker.DEEPSEEK,
        holds=_no_output,
    ),
}
