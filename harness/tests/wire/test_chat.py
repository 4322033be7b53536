import pytest
from msgspec import UNSET

from harness.wire import WireError, chat, sse
from harness.wire.usage import Usage


def frame(data: str) -> sse.Frame:
    return sse.frames(sse.write(data=data))[0]


def chunk(choices: tuple[chat.ChunkChoice, ...], usage: chat.CompletionUsage | None = None) -> chat.Chunk:
    return chat.Chunk(
        id="chatcmpl-1",
        created=1784728648,
        model="gpt-5",
        service_tier="default",
        system_fingerprint=None,
        choices=choices,
        usage=usage,
        obfuscation="x7",
    )


def test_a_stream_from_scratch_is_laid_out_as_openai_does() -> None:
    first = chat.ChunkChoice(index=0, delta=chat.Delta(role="assistant", content="", refusal=None), finish_reason=None)
    usage = chat.CompletionUsage(
        prompt_tokens=9,
        completion_tokens=2,
        total_tokens=11,
        prompt_tokens_details=chat.PromptDetails(cached_tokens=4, audio_tokens=0),
        completion_tokens_details=chat.CompletionDetails(reasoning_tokens=1),
    )
    head = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1784728648,"model":"gpt-5","service_tier":"default"'
    assert chat.encode_event(chunk((first,))).decode() == (
        f'data: {{{head},"system_fingerprint":null,"choices":[{{"index":0,"delta":{{"role":"assistant","content":"","refusal":null}},'
        '"finish_reason":null}],"usage":null,"obfuscation":"x7"}\n\n'
    )
    assert chat.encode_event(chunk((), usage)).decode() == (
        f'data: {{{head},"system_fingerprint":null,"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,'
        '"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1}},'
        '"obfuscation":"x7"}\n\n'
    )
    assert chat.encode_event(chat.Done()) == b"data: [DONE]\n\n"


def test_a_fragmented_tool_call() -> None:
    data = '{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\\"a"}}]},"finish_reason":null}]}'
    event = chat.decode_event(frame(data))
    assert isinstance(event, chat.Chunk)
    calls = event.choices[0].delta.tool_calls
    assert calls == (chat.ToolCallDelta(index=1, function=chat.FunctionDelta(arguments='{"a')),)
    assert event.usage is UNSET
    assert chat.encode_event(event) == sse.write(data=data)


def test_only_done_and_an_error_end_a_stream() -> None:
    done = chat.decode_event(frame("[DONE]"))
    error = chat.decode_event(frame('{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}'))
    assert done == chat.Done()
    assert isinstance(error, chat.Error)
    assert error.error.message == "overloaded"
    assert [chat.is_terminal(event) for event in (done, error, chunk(()))] == [True, True, False]


def test_a_chunk_without_choices_is_wrong_and_another_object_is_unknown() -> None:
    with pytest.raises(WireError, match="/choices"):
        chat.decode_event(frame('{"object":"chat.completion.chunk"}'))
    event = chat.decode_event(frame('{"type":"keepalive"}'))
    assert isinstance(event, chat.Unknown)
    assert event.type == "keepalive"


def test_usage_of_openai_and_of_deepseek() -> None:
    openai = chat.CompletionUsage(
        prompt_tokens=100, completion_tokens=7, total_tokens=107, prompt_tokens_details=chat.PromptDetails(cached_tokens=60)
    )
    assert chat.usage_of(chunk((), openai)) == Usage(input_tokens=40, cache_read_tokens=60, output_tokens=7, total_tokens=107)
    deepseek = chat.CompletionUsage(prompt_tokens=100, completion_tokens=7, prompt_cache_hit_tokens=0, prompt_cache_miss_tokens=100)
    assert chat.usage_of(chunk((), deepseek)) == Usage(input_tokens=100, cache_read_tokens=0, output_tokens=7)
    assert chat.usage_of(chunk(())) is None


def test_a_body_from_scratch_is_pretty_with_a_final_newline() -> None:
    message = chat.Message(content="Hé", refusal=None, annotations=[])
    body = chat.encode_body(chat.Completion(id="c", choices=(chat.Choice(index=0, message=message, finish_reason="stop"),)))
    assert body.decode() == (
        '{\n  "id": "c",\n  "object": "chat.completion",\n  "choices": [\n    {\n      "index": 0,\n      "message": {\n'
        '        "role": "assistant",\n        "content": "Hé",\n        "refusal": null,\n        "annotations": []\n      },\n'
        '      "finish_reason": "stop"\n    }\n  ]\n}\n'
    )
    assert chat.encode_body(chat.decode_body(body)) == body
