"""A text of Gemini's that is signed, where nothing is called: in a stream the signature comes last, with an empty text.

Source: google-generate-content, Part.thoughtSignature. MARKER in the text stands for what leads back to the exchange
(harness.case.Play.named): by no other text could a gateway know this one again.
"""

from collections.abc import Iterator
from typing import Final

from harness.case import MARKER
from harness.recording.format import Surface
from harness.recording.scenarios import content, gemini
from harness.recording.scenarios.build import BOTH, Place, Plan, said, traits
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Scenario, Text, Thinking
from harness.recording.scenarios.writers import gemini as writers

TEXT: Final = f"{content.THOUGHT_ANSWER} {MARKER}"
_NAME: Final = "gemini-signed-conversation"
_PLACE: Final = Place(prefix="probes", surface=Surface.GEMINI, vendor="google")


def scenarios() -> Iterator[Scenario]:
    proof = Thinking(text="", signature=Names(f"probes/{_NAME}/signature").base64(500, "EvsDCvgDAQw5"))
    words = Text(text=TEXT, pieces=(content.THOUGHT_ANSWER, f" {MARKER}"))
    for stream in BOTH:
        parts = (words, proof, Text(text="", pieces=("",))) if stream else (proof, words)
        answer = said(*parts, stop="STOP", reasoning=40)
        plan = Plan(
            name=_NAME, model=gemini.MODEL, request=gemini.asks("thinking"), answer=answer, traits=traits("raw", "probe"), live=False
        )
        writer = writers.Writer(Names(_PLACE.scenario_id(_NAME, stream=stream)), plan.model)
        yield _PLACE.scenario(plan, writer.stream(answer) if stream else [writer.body(answer)], stream=stream)
