"""Whether a client was told what the upstream said, where the two speak different protocols.

Each side's bytes become a `Transcript` by themselves, with no gateway's code; the two are compared with deepdiff. What may differ is what
the client's protocol has no word for, which is said here, and what the gateway has declared beforehand in its table of losses.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.case import Surface
from harness.transcript import CallKind, Transcript, canonical, of_values
from harness.verdict import Finding
from harness.wire import sse

_SHOWN: Final = 160  # characters of a value that a finding shows
_CLASSES: Final = frozenset({"end", "length", "tools", "refused"})  # of stops, as transcripts call them
_NEWLINES: Final = re.compile(r"\n+")
_IMAGE: Final = re.compile(r"!\[image\]\(([^)\s]*)\)")


@dataclass(frozen=True, slots=True)
class Losses:
    """A gateway's table: what becomes of each member, by protocol, direction and path.

    Directions are request_in, request_out, answer_in, answer_out; what becomes of it is kept, renamed, emulated, dropped or refused.
    """

    rules: Mapping[tuple[str, str, str], str]

    @classmethod
    def read(cls, table: Any) -> "Losses":
        """From JSON: {"chat": [{"path", "direction", "rule", "note"}, ...], ...}. Raises ValueError."""
        try:
            return cls({(protocol, row["direction"], _path(row["path"])): row["rule"] for protocol, rows in table.items() for row in rows})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("a table of losses has for each protocol a list of {path, direction, rule, note}") from error

    def hides_images(self, upstream: Surface) -> bool:
        """Responses makes images with a tool that the vendor runs."""
        return upstream is Surface.RESPONSES and self.rules.get((str(upstream), "answer_in", "output[].*")) == "dropped"

    def of_answer(self, client: Surface, path: str) -> str:
        """What becomes of a part of an answer that is written for `client`; "kept" where the table is silent."""
        return self.rules.get((str(client), "answer_out", path), "kept")


def _path(path: str) -> str:
    """`items[Text]` is `items.Text`."""
    return re.sub(r"^items\[(\w+)\]", r"items.\1", path)


NONE_DECLARED: Final = Losses({})


def heard(surface: Surface, body: bytes, *, as_client: bool = False) -> Transcript:
    """What a body says, whole or streamed. A client drops an event without its blank line; a gateway need not."""
    text = body.removeprefix(sse.BOM).lstrip()
    if text[:1] in (b"{", b"["):
        try:
            value = json.loads(text.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return Transcript(error="not JSON")
        return of_values(surface, value if isinstance(value, list) else [value])
    frames, tail = sse.split(body)
    if tail is not None and not as_client:
        frames = (*frames, tail.frame)
    return of_values(surface, _values(surface, frames))


def _values(surface: Surface, frames: Iterable[sse.Frame]) -> Iterator[Any]:
    for frame in frames:
        if surface is Surface.CHAT and frame.data == "[DONE]":
            return
        value = _json(frame.data)
        if surface is Surface.MESSAGES and isinstance(value, dict) and not value.get("type", ""):
            value["type"] = frame.event  # the event's name says as much
        if value is not None:
            yield value


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


def failed(said: Transcript) -> str | None:
    """Why an upstream's answer is no answer, so that its client has to be told of a failure; None where it is one."""
    if said.error is not None:
        return f"an error: {said.error}"
    if not said.complete:
        return "no end of its own"
    if said.stop not in _CLASSES and not said.order:
        return f"the stop {said.stop!r}, and not a word"
    return None


def compare(
    said: Transcript, got: Transcript, *, upstream: Surface, client: Surface, losses: Losses = NONE_DECLARED
) -> tuple[Finding, ...]:
    """What the client was told otherwise, or not at all; empty where nothing."""
    why = failed(said)
    if why is not None:
        if got.error is None or got.complete:
            return (Finding(expected=f"an error, since the upstream's answer has {why}", got=f"stop {got.stop!r}, error {got.error!r}"),)
        return ()
    if got.error is not None and _unsayable(said):
        return ()
    if not got.complete:
        return (Finding(expected="a whole answer", got=f"stop {got.stop!r}, error {got.error!r}"),)
    wanted, came = _told(said, upstream, client, losses, said), _told(got, upstream, client, losses, said)
    return (*_differences(wanted, came), *_proofs(said, got, client, losses))


def _unsayable(said: Transcript) -> bool:
    """Calls whose arguments are no JSON object: a failure, where they have to be one."""
    return any(not _is_object(call.arguments) for call in said.calls if call.kind is CallKind.FUNCTION)


def _told(spoken: Transcript, upstream: Surface, client: Surface, losses: Losses, said: Transcript) -> dict[str, Any]:
    """One side in the form in which both have to be equal."""
    text, refusal, order = spoken.text, spoken.refusal, list(spoken.order)
    images = len(spoken.images)
    if said.images:  # a text may show them
        found = _IMAGE.findall(text)
        text, images = _IMAGE.sub("", text), images + len(found)
        order = [kind for kind in order if kind != "image" and (kind != "text" or text)]
    if losses.of_answer(client, "items.Refused") == "emulated":
        text, refusal = text + refusal, ""
        order = ["text" if kind == "refusal" else kind for kind in order]
    calls = [call for call in spoken.calls if call.kind is CallKind.FUNCTION]
    if not calls:
        order = [kind for kind in order if kind != "call"]
    told: dict[str, Any] = {
        "text": text,
        "refusal": refusal,
        # A summary's parts have a blank line between them, or none.
        "reasoning": _NEWLINES.sub("", spoken.reasoning) if upstream is Surface.RESPONSES else spoken.reasoning,
        "calls": [
            {
                "id": call.id if theirs.id else "",
                "name": call.name,
                "arguments": _arguments(call.arguments, null=Surface.GEMINI not in (client, upstream))
                if _is_object(theirs.arguments) or said.stop != "length"
                else "cut by the limit",
            }
            for call, theirs in _beside(calls, said)
        ],
        "images": 0 if losses.hides_images(upstream) else images,
        # An upstream may say that it stops for tools and call none; a client that is told so waits for calls.
        "stop": spoken.stop if spoken is not said and spoken.stop == "tools" else _stop(spoken, bool(calls)),
    }
    if losses.of_answer(client, "items.order") != "dropped":
        told["order"] = _merged(order)
    if said.stop_sequence and losses.of_answer(client, "stop_sequence") != "dropped":
        told["stop_sequence"] = spoken.stop_sequence
    if said.usage:
        told["usage"] = _usage(spoken, client)
        if "input" not in said.usage:  # the gateway's own estimate stands there
            del told["usage"]["input"]
    return told


def _beside(calls: Sequence[Any], said: Transcript) -> Iterator[tuple[Any, Any]]:
    """Each call with the upstream's at its place, which tells what can be compared."""
    theirs = [call for call in said.calls if call.kind is CallKind.FUNCTION]
    for place, call in enumerate(calls):
        yield call, theirs[place] if place < len(theirs) else call


def _arguments(text: str, *, null: bool) -> str:
    """Google's SDK leaves null members out, so a transcript of Gemini's has none."""
    if not null and _is_object(text):
        text = json.dumps({name: value for name, value in json.loads(text or "{}").items() if value is not None})
    return canonical(text)


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments or "{}"), dict)
    except ValueError:
        return False


def _stop(spoken: Transcript, calls: bool) -> str | None:
    """An unknown word ends an answer that said something (translation.md 3.7)."""
    if spoken.stop == "tools" and not calls:
        return "refused" if spoken.refusal else "end"
    if spoken.stop not in _CLASSES:
        return "tools" if calls else "refused" if spoken.refusal else "end"
    return spoken.stop


def _merged(order: Sequence[str]) -> list[str]:
    return [kind for place, kind in enumerate(order) if place == 0 or order[place - 1] != kind]


def _usage(spoken: Transcript, client: Surface) -> dict[str, int]:
    """What is not counted is 0: most protocols have no other way to say it."""
    usage = {name: spoken.usage.get(name, 0) for name in ("input", "output", "cache_read", "cache_write", "reasoning")}
    if client is Surface.GEMINI:  # has no word for what was written to a cache: it is part of the prompt
        usage["input"] += usage.pop("cache_write")
    return usage


def _differences(wanted: dict[str, Any], came: dict[str, Any]) -> Iterator[Finding]:
    if wanted == came:  # as nearly all are, and deepdiff takes its time
        return
    from deepdiff import DeepDiff  # takes long to import, and nothing differs in a run that is green

    for kind, changes in DeepDiff(wanted, came, verbose_level=2).items():
        for place, change in changes.items():
            pointer = "".join(f"/{a or b}" for a, b in re.findall(r"\['(\w+)'\]|\[(\d+)\]", place))
            match kind, change:
                case _, {"old_value": old, "new_value": new}:
                    yield Finding(expected=_shown(old, new), got=_shown(new, old), pointer=pointer)
                case _ if kind.endswith("_removed"):
                    yield Finding(expected=_shown(change), got="nothing", pointer=pointer)
                case _:
                    yield Finding(expected="nothing", got=_shown(change), pointer=pointer)


def _shown(value: Any, other: Any = None) -> str:
    """A value; of a long text, what stands around the first character that differs."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(other, str) and len(text) > _SHOWN:
        same = next((place for place, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
        start = max(0, same - 20)
        return f"{text[start : start + _SHOWN - 60]!r} at character {start} of {len(text)}"
    return repr(text[:_SHOWN])


def proofs_to_tell(said: Transcript, client: Surface, losses: Losses) -> list[str]:
    """The signatures that a client of that protocol is told, in order."""
    if losses.of_answer(client, "items.Reasoning.signature") == "dropped":
        return []
    wanted = list(said.signatures)
    if losses.of_answer(client, "items.ToolCall.signature") == "dropped":
        for signature in said.call_signatures:
            wanted.remove(signature)
    if losses.of_answer(client, "items.Text.signature") == "dropped":
        for signature in said.text_signatures:
            wanted.remove(signature)
    return wanted


def _proofs(said: Transcript, got: Transcript, client: Surface, losses: Losses) -> Iterator[Finding]:
    """Each signature comes through byte for byte, alone or inside what the gateway made of it; a sealed one at least stands there."""
    wanted = proofs_to_tell(said, client, losses)
    if not wanted:
        return
    sealed = client is Surface.RESPONSES and losses.of_answer(client, "items.Reasoning.signature") in ("renamed", "emulated")
    came = [form for signature in got.signatures for form in forms(signature)]
    for number, signature in enumerate(wanted):
        if not (got.signatures if sealed else any(signature.encode() in form for form in came)):
            yield Finding(
                expected=f"the signature {_shown(signature)}", got=f"{len(got.signatures)} others", pointer=f"/signatures/{number}"
            )


def forms(signature: str) -> Iterator[bytes]:
    """In what it may stand: as it is, and what it is the base64 of."""
    yield signature.encode()
    try:
        yield base64.b64decode(signature.translate(str.maketrans("-_", "+/")) + "=" * (-len(signature) % 4), validate=True)
    except (binascii.Error, ValueError):
        return
