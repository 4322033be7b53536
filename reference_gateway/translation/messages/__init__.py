"""Anthropic Messages, and DeepSeek's base URL that speaks them."""
