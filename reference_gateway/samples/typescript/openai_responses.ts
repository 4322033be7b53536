import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "http://127.0.0.1:8080/v1",
  apiKey: "sk-byts-demo",
});
const r = await client.responses.create({
  model: "gpt-5-5",
  input: "Summarize the doc at https://example.com/doc",
  reasoning: { effort: "medium" },
});
console.log(JSON.stringify(r));
