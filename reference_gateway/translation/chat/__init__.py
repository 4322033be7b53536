"""OpenAI chat completions, and DeepSeek's dialect of them."""
