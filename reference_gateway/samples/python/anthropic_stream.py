from anthropic import Anthropic

client = Anthropic(
    base_url="http://127.0.0.1:8080",
    api_key="sk-byts-demo",
)
with client.messages.stream(
    model="claude-sonnet-4-6",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Count to three"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="")
    r = stream.get_final_message()
