"""What differs between the four text surfaces where one case is made for each of them."""

from typing import Final

from harness.case import Client, Surface

TEXT: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)

OFFICIAL: Final = {
    Surface.CHAT: Client.OPENAI,
    Surface.RESPONSES: Client.OPENAI,
    Surface.MESSAGES: Client.ANTHROPIC,
    Surface.GEMINI: Client.GOOGLE_GENAI,
}
OFFICIAL_ASYNC: Final = {
    Surface.CHAT: Client.OPENAI_ASYNC,
    Surface.RESPONSES: Client.OPENAI_ASYNC,
    Surface.MESSAGES: Client.ANTHROPIC_ASYNC,
    Surface.GEMINI: Client.GOOGLE_GENAI_ASYNC,
}
PATHS: Final = {
    Surface.CHAT: "/v1/chat/completions",
    Surface.RESPONSES: "/v1/responses",
    Surface.MESSAGES: "/v1/messages",
    Surface.GEMINI: "/v1beta/models/{model}:generateContent",
}
