from anthropic import Anthropic

# env vars switched
# (ANTHROPIC_BASE_URL=http://127.0.0.1:8080, ANTHROPIC_API_KEY=sk-byts-demo)
client = Anthropic()
r = client.messages.create(
    model="claude-sonnet-4-6",  # newer Anthropic id
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(r.content[0].text)
