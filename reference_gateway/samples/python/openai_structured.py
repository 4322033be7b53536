from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:8080/v1",
    api_key="sk-byts-demo",
)
r = client.chat.completions.create(
    model="gpt-5-4",
    messages=[{"role": "user", "content": "Where does the Danube rise?"}],
    response_format={
        "type": "json_schema",
        "json_schema": {
            "name": "river",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"river": {"type": "string"}, "length_km": {"type": "integer"}},
                "required": ["river", "length_km"],
                "additionalProperties": False,
            },
        },
    },
)
print(r.choices[0].message.content)
