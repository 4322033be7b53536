from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8080/v1",
    api_key="sk-byts-demo",
)
# OpenAI's images.generate works against the gateway's catalog:
r = client.images.generate(
    model="seedream-4-5",  # or "nano-banana", "gpt-image-2", ...
    prompt="A timelapse of Tokyo at sunset",
    size="1024x1024",
    n=1,
)
print(r.data[0].url)
