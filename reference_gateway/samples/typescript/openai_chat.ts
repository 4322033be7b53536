import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "http://127.0.0.1:8080/v1",
  apiKey: "sk-byts-demo",
});
const r = await client.chat.completions.create({
  model: "gpt-5-4", // same id; or swap to gpt-5-5 / claude-sonnet-4-6 / gemini-3-1-pro
  messages: [{ role: "user", content: "ping" }],
});
console.log(JSON.stringify(r));
