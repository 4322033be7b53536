from msgspec import UNSET

from harness.wire import gemini, sse
from harness.wire.usage import Usage


def decode(raw: bytes) -> gemini.Event:
    return gemini.decode_event(sse.frames(raw)[0])


def chunk(*parts: gemini.Part, finish_reason: str | None = None) -> gemini.Chunk:
    candidate = gemini.Candidate(
        content=gemini.Content(parts=parts, role="model"), finish_reason=UNSET if finish_reason is None else finish_reason, index=0
    )
    return gemini.Chunk(candidates=(candidate,), model_version="gemini-3.5-flash", response_id="r")


def test_a_chunk_from_scratch_has_spaces_after_colons_only_crlf_and_escaped_brackets() -> None:
    event = chunk(gemini.Part(text="<é>'", thought_signature="c2ln"), finish_reason="STOP")
    raw = gemini.encode_event(event)
    assert raw.decode() == (
        'data: {"candidates": [{"content": {"parts": [{"text": "\\u003cé\\u003e\'","thoughtSignature": "c2ln"}],"role": "model"},'
        '"finishReason": "STOP","index": 0}],"modelVersion": "gemini-3.5-flash","responseId": "r"}\r\n\r\n'
    )
    assert decode(raw) == event


def test_parallel_calls_come_back_in_one_chunk() -> None:
    calls = [gemini.Part(function_call=gemini.FunctionCall(name=name, args={}, id=name)) for name in "ab"]
    event = chunk(*calls)
    assert decode(gemini.encode_event(event)) == event


def test_vertex_order_and_numbers_for_enumerations_are_kept() -> None:
    raw = b'data: {"candidates": [{"content": {"role": "model","parts": [{"text": ""}]},"finishReason": 1}]}\r\n\r\n'
    event = decode(raw)
    assert isinstance(event, gemini.Chunk)
    assert isinstance(event.candidates, tuple)
    assert event.candidates[0].finish_reason == 1
    assert gemini.encode_event(event) == raw


def test_a_finish_reason_a_block_and_an_error_end_a_stream() -> None:
    assert gemini.is_terminal(chunk(finish_reason="STOP"))
    assert gemini.is_terminal(gemini.Chunk(prompt_feedback={"blockReason": "SAFETY"}))
    assert not gemini.is_terminal(chunk(gemini.Part(text="x")))
    error = decode(b'data: {"error": {"code": 503,"message": "overloaded","status": "UNAVAILABLE"}}\r\n\r\n')
    assert isinstance(error, gemini.Error)
    assert gemini.is_terminal(error)


def test_usage_adds_tool_prompts_to_input_and_thoughts_to_output() -> None:
    said = gemini.UsageMetadata(
        prompt_token_count=100,
        candidates_token_count=5,
        cached_content_token_count=60,
        tool_use_prompt_token_count=7,
        thoughts_token_count=3,
        total_token_count=115,
    )
    assert gemini.usage_of(gemini.Chunk(usage_metadata=said)) == Usage(
        input_tokens=47, cache_read_tokens=60, output_tokens=8, reasoning_tokens=3, total_tokens=115
    )
    assert gemini.usage_of(gemini.Chunk()) is None


def test_a_stream_as_an_array() -> None:
    chunks = (chunk(gemini.Part(text="a")), chunk(finish_reason="STOP"))
    body = gemini.encode_array(chunks)
    assert body.startswith(b'[{\n  "candidates": [')
    assert b"\n}\n,\r\n{\n" in body
    assert body.endswith(b"\n}\n]")
    assert gemini.decode_array(body) == chunks


def test_a_body_is_pretty_with_a_final_newline() -> None:
    body = gemini.encode_body(chunk(gemini.Part(text="a"), finish_reason="STOP"))
    assert body.startswith(b'{\n  "candidates": [\n    {\n      "content": {')
    assert body.endswith(b"}\n")
    assert gemini.encode_body(gemini.decode_body(body)) == body
