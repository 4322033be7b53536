"""The same answer cut, spelled, coded and paced in every way that a client may not notice."""

from typing import Final

from harness.case import Case, Framing, Pace, Play, Surface
from suites.surfaces import TEXT
from suites.translation.request_cases import MUCH

_QUERIED: Final = {
    Surface.MESSAGES: "/v1/messages?beta=true",  # as the SDK's beta client calls it
    Surface.GEMINI: "/v1beta/models/{model}:generateContent?$alt=json%3Benum-encoding%3Dint",  # as Google's own libraries call it
}
# Over the limits that gateways set: a megabyte where coding agents send such, elsewhere what a web framework takes by default.
_BIG_BYTES: Final = {Surface.CHAT: 200_000, Surface.RESPONSES: 200_000, Surface.MESSAGES: 1_100_000, Surface.GEMINI: 200_000}
# JSON as no SDK writes it and every vendor reads it: what is parsed on the way and written again comes out in other bytes.
_SPELLED: Final = {
    Surface.CHAT: b"""{ "model" : "{model}",\r
\t"temperature": 1.0, "top_p": 1e0, "seed": 9007199254740993, "stop": null, "logit_bias": { },
  "user": "a\\/b \\u00e9 \\u003cb\\u003e <i>&amp;'</i>", "x_new_field": [1.50, -0.0, 1E+2 , {"b": null, "a": 0.10}],
  "messages": [ {"role":"user","content":"\\ud83d\\ude00 \xf0\x9f\x98\x80 {marker}"} ] }
""",
    Surface.RESPONSES: b"""{ "model" : "{model}",\r
\t"temperature": 1.0, "top_p": 1e0, "max_output_tokens": null, "store": false, "metadata": { },
  "user": "a\\/b \\u00e9 \\u003cb\\u003e <i>&amp;'</i>", "x_new_field": [1.50, -0.0, 9007199254740993 , {"b": null, "a": 0.10}],
  "input": [ {"role":"user","content":"\\ud83d\\ude00 \xf0\x9f\x98\x80 {marker}"} ] }
""",
    Surface.MESSAGES: b"""{ "model" : "{model}",\r
\t"max_tokens": 1024, "temperature": 1.0, "top_p": 1e0, "stop_sequences": [ ],
  "system": "a\\/b \\u00e9 \\u003cb\\u003e <i>&amp;'</i>", "x_new_field": [1.50, -0.0, 9007199254740993 , {"b": null, "a": 0.10}],
  "messages": [ {"role":"user","content":"\\ud83d\\ude00 \xf0\x9f\x98\x80 {marker}"} ] }
""",
    Surface.GEMINI: b"""{ "generationConfig" : {\r
\t"temperature": 1.0, "topP": 1e0, "seed": 1234567890, "stopSequences": [ ], "responseSchema": null },
  "systemInstruction": {"parts": [{"text": "a\\/b \\u00e9 \\u003cb\\u003e <i>&amp;'</i>"}]},
  "xNewField": [1.50, -0.0, 9007199254740993 , {"b": null, "a": 0.10}],
  "contents": [ {"role":"user","parts":[ {"text":"\\ud83d\\ude00 \xf0\x9f\x98\x80 {marker}"} ]} ] }
""",
}
_BIG: Final = {
    Surface.CHAT: (b'{"model":"{model}","messages":[{"role":"user","content":"', b' {marker}"}]}'),
    Surface.RESPONSES: (b'{"model":"{model}","input":"', b' {marker}"}'),
    Surface.MESSAGES: (b'{"model":"{model}","max_tokens":1024,"messages":[{"role":"user","content":"', b' {marker}"}]}'),
    Surface.GEMINI: (b'{"contents":[{"role":"user","parts":[{"text":"', b' {marker}"}]}]}'),
}
_CUT_BYTES: Final = 97  # prime, so that writes end inside characters, field names and line ends


def _cases(surface: Surface) -> tuple[Case, ...]:
    unicode = f"{surface}/unicode.stream"
    offers_gzip = (("Accept-Encoding", "gzip"),)
    return (
        *(
            Case(
                id=f"{surface}/framing-{framing}.stream",
                surface=surface,
                stream=True,
                play=Play(recording=unicode, framing=framing, split_every=_CUT_BYTES),
                traits=frozenset({"framing", "unicode"}),
            )
            for framing in (Framing.CRLF, Framing.NO_SPACE, Framing.COMMENTS, Framing.NO_LAST_BLANK)
        ),
        Case(
            id=f"{surface}/cut-anywhere.stream",
            surface=surface,
            stream=True,
            play=Play(recording=unicode, split_every=_CUT_BYTES),
            traits=frozenset({"unicode", "exact"}),
        ),
        Case(
            id=f"{surface}/lockstep.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/tools.stream", pace=Pace.LOCKSTEP),
            traits=frozenset({"lockstep", "tools", "exact"}),
        ),
        Case(
            id=f"{surface}/lockstep-long.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/long.stream", pace=Pace.LOCKSTEP),
            traits=frozenset({"lockstep", "long", "exact"}),
        ),
        Case(
            id=f"{surface}/spelled",
            surface=surface,
            play=Play(recording=f"{surface}/text"),
            body=_SPELLED[surface],
            traits=frozenset({"spelled", "exact"}),
        ),
        Case(
            id=f"{surface}/big-request",
            surface=surface,
            play=Play(recording=f"{surface}/text"),
            body=(b"two words " * (_BIG_BYTES[surface] // 10)).join(_BIG[surface]),
            traits=frozenset({"big-request", "one-model", "exact"}),
            serial=True,  # reading and masking it takes long enough to hold others up
        ),
        Case(
            id=f"{surface}/asked-again",
            surface=surface,
            play=Play(recording=f"{surface}/text"),
            times=2,
            traits=frozenset({"again", "exact"}),
        ),
        Case(
            id=f"{surface}/asked-again.stream",
            surface=surface,
            stream=True,
            play=Play(recording=f"{surface}/text.stream"),
            times=2,
            traits=frozenset({"again", "exact"}),
        ),
        Case(
            id=f"{surface}/gzip",
            surface=surface,
            play=Play(recording=f"{surface}/unicode", gzip=True),
            headers=offers_gzip,
            traits=frozenset({"gzip", "unicode", "exact"}),
        ),
        Case(
            id=f"{surface}/gzip.stream",
            surface=surface,
            stream=True,
            play=Play(recording=unicode, gzip=True, pace=Pace.LOCKSTEP),
            headers=offers_gzip,
            traits=frozenset({"gzip", "unicode", "lockstep", "exact"}),
        ),
    )


CASES: tuple[Case, ...] = (
    *(case for surface in TEXT for case in _cases(surface)),
    *(
        Case(
            id=f"{surface}/with-query",
            surface=surface,
            path=path,
            play=Play(recording=f"{surface}/text"),
            traits=frozenset({"query", "exact"}),
        )
        for surface, path in _QUERIED.items()
    ),
    *(
        Case(
            id=f"{surface}/asked-much",
            surface=surface,
            request=asks(media=True),
            play=Play(recording=f"{surface}/text"),
            traits=frozenset({"asked-much", "one-model", "exact"}),
        )
        for surface, asks in MUCH.items()
    ),
)
