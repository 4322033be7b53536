"""A document's title goes where there is a place for it; where there is none the client is told."""

from base64 import b64encode

import pytest

from reference_gateway.translation.chat.request_out import write_request as to_chat
from reference_gateway.translation.codec import RequestWriter, Upstream
from reference_gateway.translation.gemini.request_out import write_request as to_gemini
from reference_gateway.translation.items import Ask, Document, Inline, Link, Role, Source, Turn
from reference_gateway.translation.messages import deepseek
from reference_gateway.translation.messages.request_out import write_request as to_messages
from reference_gateway.translation.responses.request_out import write_request as to_responses

TEXT = Inline(media_type="text/plain", base64=b64encode(b"High water is at noon.").decode())
PDF = Inline(media_type="application/pdf", base64="BBBB")
ADDRESS = Link(url="https://harbour.example/tides.pdf")


@pytest.mark.parametrize(
    ("write", "source", "kept"),
    [
        (to_chat, PDF, True),
        (to_chat, TEXT, False),
        (to_responses, PDF, True),
        (to_responses, TEXT, False),
        (to_responses, ADDRESS, False),
        (to_messages, PDF, True),
        (to_messages, TEXT, True),
        (to_messages, ADDRESS, True),
        (deepseek.write_request, TEXT, False),
        (to_gemini, PDF, False),
        (to_gemini, TEXT, False),
    ],
)
def test_a_title_is_kept_or_the_client_is_told(write: RequestWriter, source: Source, kept: bool) -> None:
    upstream = Upstream(model="m", max_output_tokens=4096, family="gpt")
    turn = Turn(role=Role.USER, items=(Document(source=source, name="Tides of May"),), path="messages[0]")
    written = write(Ask(model="m", turns=(turn,)), upstream)
    assert ("Tides of May" in str(written.body)) is kept
    assert bool(written.losses) is not kept
