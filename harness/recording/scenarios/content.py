"""What the prompts ask and the answers say. One wording for every surface, so that a translation can be compared with its origin."""

from typing import Any, Final

from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Call, Citation, cut

SYSTEM: Final = "You are a careful harbour master. Answer briefly and in plain words."

TEXT: Final = (
    "A lighthouse marks the coast with a steady rhythm of light. Each one has its own pattern, "
    "so a sailor who counts the seconds between two flashes knows which tower it is."
)

BLOCKS: Final = (
    "First, look at the sky in the west: high thin clouds often come a day before the rain.",
    "Second, read the barometer every hour and write the figure down.",
    "Third, ask the fishermen. They have seen this coast in every weather.",
)

THOUGHT: Final = (
    "The question is about tides. High water comes about fifty minutes later each day, "
    "because the moon moves on while the earth turns. So if today it is at 10:00, tomorrow it is near 10:50."
)
THOUGHT_ANSWER: Final = "Tomorrow high water is at about 10:50, some fifty minutes later than today."
THOUGHT_BEFORE_CALL: Final = "I do not know the weather by heart, so I should look it up for Zürich before I answer."

REFUSAL: Final = "I'm sorry, but I can't help with that request."

LENGTH: Final = "The five oldest harbours on this coast are, from north to south: Nordhafen, which was built in"

STOP_SEQUENCE: Final = "One, two, three, "

CACHED: Final = "The rule book has twelve chapters; chapter four is the one about right of way."

EMPTY_PROMPT: Final = "If there is nothing left to do, say nothing at all."

# Line separators, quotes, escapes, markup, a family of joined emoji, combining marks, right-to-left and CJK text.
UNICODE: Final = (
    "中文：灯塔在黎明前熄灭。日本語：灯台の光は三十秒ごとに回る。한국어: 등대는 밤새 깨어 있다. "  # noqa: RUF001  # awkward characters are the point
    "Emoji: 🎉 👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 . Combining: e\u0301 a\u0308 n\u0303 , the same as é ä ñ . "
    'Separators:\u2028next line\u2029next paragraph. Escapes: "quoted" back\\slash / slash\ttab\nnewline\r\n. '
    "Markup: <b>5 > 3 && 2 < 4</b> 'single' = &amp; </script><!-- no comment -->. "
    "עברית: מגדלור. العربية: منارة. Math: ∑ ∞ 𝔸 𝕏. Zero width: a\u200bb\ufeffc. Control: \u007f and \u0001. End."  # noqa: RUF001
)

WEATHER_ARGUMENTS: Final = '{"city": "Zürich", "unit": "celsius"}'
# Quotes within quotes, a backslash at a cut, escaped and raw characters beyond ASCII, markup, an empty object.
NOTE_ARGUMENTS: Final = (
    '{"title": "He said \\"it\'s a \\\\\\"nested\\\\\\" quote\\"", "body": "line one\\nline two\\ttab \\u00fcber 中文 🎉 \\\\ end", '
    '"tags": ["a/b", "<c>", "d&e"], "meta": {}}'
)
ORDER_ARGUMENTS: Final = '{"order_id": 9007199254740993, "lines": [1, 2, -0.5], "express": true, "note": null}'

WEATHER: Final = Call(name="get_weather", arguments=WEATHER_ARGUMENTS)
# The cuts fall inside escapes (`\` | `"`), inside \u00fc, and within numbers.
NOTE: Final = Call(name="save_note", arguments=NOTE_ARGUMENTS, pieces=tuple(cut(NOTE_ARGUMENTS, (1, 3, 2, 7, 1, 5))))
ORDER: Final = Call(name="find_order", arguments=ORDER_ARGUMENTS, pieces=tuple(cut(ORDER_ARGUMENTS, (4, 11, 3))))
NOW: Final = Call(name="current_time", arguments="{}")

CODE: Final = 'for name in ("Ada", "Grace"):\n    print(f"hello {name}")\n'

_CITY: Final = {"type": "string", "description": "Name of the city"}
TOOLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "get_weather": (
        "The weather in a city, now",
        {
            "type": "object",
            "properties": {"city": _CITY, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    ),
    "save_note": (
        "Keeps a note",
        {
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "body": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "meta": {"type": "object", "properties": {}, "additionalProperties": False},
            },
            "required": ["title", "body", "tags", "meta"],
            "additionalProperties": False,
        },
    ),
    "find_order": (
        "Looks an order up by its number",
        {
            "type": "object",
            "properties": {
                "order_id": {"type": "integer"},
                "lines": {"type": "array", "items": {"type": "number"}},
                "express": {"type": "boolean"},
                "note": {"type": ["string", "null"]},
            },
            "required": ["order_id", "lines", "express", "note"],
            "additionalProperties": False,
        },
    ),
    "current_time": ("The time, now", {"type": "object", "properties": {}, "additionalProperties": False}),
}

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "population": {"type": "integer"},
        "districts": {"type": "array", "items": {"type": "string"}},
        "harbour": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["city", "population", "districts", "harbour"],
    "additionalProperties": False,
}
STRUCTURED: Final = '{"city":"Graz","population":303270,"districts":["Innere Stadt","Lend","Gries"],"harbour":null}'

SEARCH_QUERY: Final = "tallest lighthouse in the world"
FOUND: Final = (
    Citation(
        url="https://example.org/lighthouses/tallest",
        title="The tallest lighthouses",
        quoted="The Jeddah Light in Saudi Arabia is 133 metres tall, and so the tallest of all.",
    ),
    Citation(
        url="https://example.com/guide?topic=lighthouse&lang=en",
        title="A guide to lighthouses & other sea marks",
        quoted="Of those built of stone, the Île Vierge tower in Brittany is the tallest.",
    ),
)
SEARCH_INTRO: Final = "I'll look that up."
CITED: Final = ("The tallest lighthouse is the Jeddah Light, 133 metres high.", "The tallest one built of stone stands on the Île Vierge.")
SEARCH_JOIN: Final = " For comparison: "

PROMPTS: Final = {
    "text": "In two sentences: what does a lighthouse do?",
    "blocks": "Three ways to tell tomorrow's weather without a phone, please.",
    "tools": "What is the weather in Zürich?",
    "parallel-tools": "Save the note, find order 9007199254740993 and tell me the time, all at once.",
    "thinking": "High water was at 10:00 today. When is it tomorrow?",
    "thinking-tools": "Think first, then look up the weather in Zürich.",
    "redacted-thinking": "Think about something that you may not show.",
    "cache-write": "Read the rule book and keep it in mind.",
    "cache-read": "Which chapter of the rule book is about right of way?",
    "structured": "Describe the city of Graz as the schema asks.",
    "refusal": "Please do the thing that you must not do.",
    "length": "List the five oldest harbours on this coast, with a paragraph on each.",
    "stop-sequence": "Count upwards in words, separated by commas.",
    "usage": "In two sentences: what does a lighthouse do? Count the tokens too.",
    "unicode": "Show me every awkward character that you know.",
    "long": "Read me the whole log of the lighthouse.",
    "big-frame": "Give me the whole log in one go.",
    "empty": EMPTY_PROMPT,
    "web-search": "What is the tallest lighthouse in the world? Please search.",
    "custom-tool": "Run a Python loop that greets Ada and Grace.",
    "error-event": "Begin an answer, and break off in the middle.",
    "incomplete": "Write something that a filter will cut.",
    "failed": "Try, and fail.",
    "pause": "Search for a very long time.",
}


def long_text(frames: int, size: int) -> tuple[str, ...]:
    """A log in `frames` pieces of about `size` characters, no two alike."""
    lines = (f"Entry {number}: wind {number % 12}, sea {number % 9}, light burning, nothing seen. " for number in range(1, 100_000))
    text = ""
    while len(text) < frames * size:
        text += next(lines)
    return tuple(cut(text[: frames * size], (size,)))


RULE_BOOK: Final = "".join(f"Rule {number}: keep clear of vessel {number}. " for number in range(1, 120))  # long enough to be cached


def signature(names: Names, length: int = 344) -> str:
    """An Anthropic-looking signature: base64 that begins as theirs do."""
    return names.base64(length - 4, "EqQBCgIYAhIM") + names.base64(4, "")
