#!/bin/sh
# The same call as openai_chat.py, by hand.
export OPENAI_BASE_URL=http://127.0.0.1:8080/v1
export OPENAI_API_KEY=sk-byts-demo

curl -sS "$OPENAI_BASE_URL/chat/completions" \
  -H "Authorization: Bearer $OPENAI_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"model": "gpt-5-4", "messages": [{"role": "user", "content": "ping"}]}'
