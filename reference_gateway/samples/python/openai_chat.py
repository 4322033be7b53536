from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8080/v1",
    api_key="sk-byts-demo",
)
r = client.chat.completions.create(
    model="gpt-5-4",  # same id; or swap to gpt-5-5 / claude-sonnet-4-6 / gemini-3-1-pro
    messages=[{"role": "user", "content": "ping"}],
)
print(r.choices[0].message.content)
