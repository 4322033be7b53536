from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8080/v1",
    api_key="sk-byts-demo",
)
r = []
for chunk in client.chat.completions.create(
    model="gpt-5-4",
    messages=[{"role": "user", "content": "Count to three"}],
    stream=True,
):
    if chunk.choices:
        r.append(chunk.choices[0].delta.content or "")
print("".join(r))
