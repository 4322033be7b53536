"""A client's protocol and an upstream's put together: the request there, the answer back (codec.py has the pieces).

`Translator.of` picks the pieces (halves.py); `ask` reads a request, `prepare` writes it for one upstream, `Passage` brings that upstream's
answer back, whole or as a stream. What is done to an answer on the way is done to its events, so that both come to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import ModuleType
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from reference_gateway.routes import Surface
from reference_gateway.translation import events
from reference_gateway.translation.codec import AnswerReader, Naming, RequestWriter, StreamReader, StreamWriter, Upstream
from reference_gateway.translation.common.glue import Run
from reference_gateway.translation.items import (
    Answer,
    Ask,
    Broken,
    Delta,
    Ended,
    Event,
    JsonObject,
    JsonSchema,
    Loss,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Signed,
    Started,
    Stop,
    Tokens,
    Unsupported,
    Unwritable,
)
from reference_gateway.translation.responses.sealed import Seal
from reference_gateway.translation.structured import Form, Shaper
from reference_gateway.translation.structured import prepare as shape


class Dialect(StrEnum):
    """What an upstream speaks."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"
    DEEPSEEK_CHAT = "deepseek chat"
    DEEPSEEK_MESSAGES = "deepseek messages"


class _Reads(Protocol):
    def __call__(self, body: Mapping[str, Any], *, model: str, stream: bool, seal: Seal) -> Ask: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The client's half. `content_type` is that of a stream."""

    read_request: _Reads
    write_answer: Callable[[Answer, Ask, Naming, Seal], dict[str, Any]]
    stream_writer: Callable[[Ask, Naming, Seal], StreamWriter]
    content_type: bytes = b"text/event-stream; charset=utf-8"


def _all_output(output: JsonObject | JsonSchema, upstream: Upstream) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """The upstream's half. `failure` reads the `error` member of an answer that is none.

    `holds` tells whether there is a mechanism for an output; `thinks_when_forced` whether a thinking model may be made to call a tool.
    """

    write_request: RequestWriter
    read_answer: AnswerReader
    stream_reader: Callable[[], StreamReader]
    failure: Callable[[object], Broken]
    maker: Maker
    holds: Callable[[JsonObject | JsonSchema, Upstream], bool] = _all_output
    thinks_when_forced: bool = True


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it goes to one upstream. `names` maps tool names that had to change to the client's own."""

    body: dict[str, Any]
    names: Mapping[str, str]
    losses: tuple[Loss, ...]
    form: Form | None


_KEEPS: Final = (PartKind.REASONING, PartKind.TOOL_CALL)
_GEMINI_KEEPS: Final = (*_KEEPS, PartKind.TEXT)  # which may be signed
SHORTEST_RUN: Final = 1_000  # bytes of a read: three events; two are read at less cost than they are looked at
_MOST_RUNS: Final = 8  # of one read: more of them would look again and again at one that is not uniform


@cache
def _halves() -> ModuleType:
    from reference_gateway.translation import halves  # a tenth of a start's time, and native routes need none of it

    return halves


class Translator:
    __slots__ = ("client", "seal", "vendor")

    def __init__(self, client: Client, vendor: Vendor, seal: Seal) -> None:
        self.client = client
        self.vendor = vendor
        self.seal = seal

    @classmethod
    def of(cls, surface: Surface, dialect: Dialect, seal: Seal, *, json_array: bool = False) -> Translator:
        """`json_array`: a Gemini client's stream is to be one."""
        halves = _halves()
        return cls(halves.GEMINI_ARRAY if json_array else halves.CLIENTS[surface], halves.VENDORS[dialect], seal)

    def ask(self, body: Mapping[str, Any], *, model: str, stream: bool) -> Ask:
        """Raises Malformed, Unsupported."""
        return self.client.read_request(body, model=model, stream=stream, seal=self.seal)

    def prepare(self, ask: Ask, upstream: Upstream) -> Prepared:
        """Raises Malformed, Unsupported."""
        vendor = self.vendor
        if ask.search and vendor.maker is not Maker.GEMINI:
            path = ask.where("search")
            raise Unsupported(path, f"{path} is not supported for this model: on this surface the web is searched by Gemini alone.")
        asked, form = shape(ask, upstream, lambda output: vendor.holds(output, upstream), forced=vendor.thinks_when_forced)
        written = vendor.write_request(asked, upstream)
        return Prepared(body=written.body, names=written.names, losses=written.losses, form=form)

    def passage(self, ask: Ask, form: Form | None, naming: Naming, estimate: Callable[[int], Tokens]) -> Passage:
        return Passage(self, ask, form, naming, estimate)


class Passage:
    """One answer on its way to the client.

    `estimate` gives the tokens of so many bytes of content where the upstream reports none, so that the client is told what is billed;
    `estimated` says that it reported none at all.
    `end` is None until the answer has ended; `content_bytes` is what the client has been told so far, as UTF-8.
    """

    def __init__(self, translator: Translator, ask: Ask, form: Form | None, naming: Naming, estimate: Callable[[int], Tokens]) -> None:
        self._client, self._vendor, self._seal = translator.client, translator.vendor, translator.seal
        self._ask = ask
        self._naming = naming
        self._estimate = estimate
        self._shaper = None if form is None else Shaper(form)
        self._reader: StreamReader | None = None
        self._writer = self._client.stream_writer(ask, naming, self._seal)
        self._keepsakes = events.Collector()  # calls and thoughts, and texts that may be signed; any other is let go of
        self._keeps = _GEMINI_KEEPS if self._vendor.maker is Maker.GEMINI else _KEEPS
        self._kept: dict[int, list[str]] = {}  # parts of which the deltas are kept too
        self.prompt: Tokens | None = None  # what the upstream said of it at the start
        self.end: Ended | Broken | None = None
        self.estimated = False
        self.content_bytes = 0

    # a stream

    def feed(self, data: bytes) -> bytes:
        """More of the upstream's stream; returns what the client gets of it, b"" after the end."""
        if self.end is not None:
            return b""
        reader = self._reader
        if reader is None:
            reader = self._reader = self._vendor.stream_reader()
        if self._shaper is not None:  # which wants to see each event
            return self._pass(reader.feed(data))
        look = reader.look
        if len(data) < SHORTEST_RUN:
            glue = look.glue
            if glue is not None and (run := glue.take_only(data)) is not None and reader.between_events:
                taken = self._exchange(reader, glue.index, run)
                if taken is not None:
                    return taken
            look.wake()
            said = self._pass(reader.feed(data))
        else:
            look.wake()
            said = self._runs(reader, data)
        look.sleep()
        return said

    def _exchange(self, reader: StreamReader, index: int, run: Run) -> bytes | None:
        """What the client gets of a run; None where its writer has to see each event, and the reader too."""
        said = self._writer.more(index, run)
        if said is not None:
            reader.went_on(run)
            self._note(index, run.text)
        return said

    def _runs(self, reader: StreamReader, data: bytes) -> bytes:
        """Runs of texts are exchanged (common/glue.py), and what is between them is read."""
        look, out, at = reader.look, list[bytes](), 0
        for _ in range(_MOST_RUNS):
            begun = not reader.between_events
            glue = look.glue
            if glue is not None and not begun and (run := glue.take(data, at)) is not None:
                said = self._exchange(reader, glue.index, run)
                if said is None:
                    break
                out.append(said)
                at += run.size
                if at == len(data):
                    return b"".join(out)
            upto = look.plain(data, at, begun=begun)
            out.append(self._pass(reader.feed(data[at:upto])))
            at = upto
            if at == len(data) or self.end is not None:
                return b"".join(out)
        return b"".join((*out, self._pass(reader.feed(data[at:]))))

    def _note(self, index: int, text: str) -> None:
        self.content_bytes += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if (said := self._kept.get(index)) is not None:
            said.append(text)

    def close(self) -> bytes:
        """The upstream's bytes are over; `end` is set from here on."""
        if self.end is not None:
            return b""
        return self._pass((self._reader or self._vendor.stream_reader()).close())

    def fail(self, broken: Broken) -> bytes:
        """The answer ends here, whatever the upstream may still say."""
        self.end = broken
        return self._writer.write((broken,))

    def _pass(self, found: list[Event]) -> bytes:
        if self._shaper is not None:
            found = self._shaper.events(found)
        for place, event in enumerate(found):
            if type(event) is Delta:
                self._note(event.index, event.text)
                continue
            if type(event) is PartEnded:
                continue
            match event:
                case Started(tokens=tokens):
                    self.prompt = tokens
                case PartStarted(index=index, kind=kind) if kind in self._keeps:
                    self._keepsakes.take((event,))
                    self._kept[index] = self._keepsakes.texts[index]
                case Signed(index=index) if index in self._kept:
                    self._keepsakes.take((event,))
                case Ended(tokens=tokens):
                    self.end = found[place] = replace(event, tokens=self._counted(tokens))
                case Broken():
                    self.end = event
                case _:
                    pass
        try:
            return self._writer.write(found)
        except Unwritable as problem:
            return problem.written + self.fail(Broken(status=502, message=str(problem)))

    def _counted(self, tokens: Tokens | None) -> Tokens:
        """What the upstream counted; of what it did not count, what will be billed."""
        if tokens is None:
            self.estimated = True
            return self._estimate(self.content_bytes)
        return tokens if tokens.input_counted else replace(tokens, input=self._estimate(0).input, input_counted=True)

    @property
    def keepsakes(self) -> Answer | Broken:
        """What of an answer that has ended may have to be kept."""
        self._keepsakes.take(() if self.end is None else (self.end,))
        return self._keepsakes.answer()

    # a whole answer

    def whole(self, body: object) -> Answer | Broken:
        """The upstream's answer, which is JSON."""
        if not isinstance(body, dict):
            return Broken(status=502, message="the upstream's answer is no JSON object")
        return self._whole(self._vendor.read_answer(body))

    def gathered(self, data: bytes) -> Answer | Broken:
        """An answer that came as a stream where none was asked for."""
        reader = self._vendor.stream_reader()
        return self._whole(events.collect((*reader.feed(data), *reader.close())))

    def _whole(self, answer: Answer | Broken) -> Answer | Broken:
        if isinstance(answer, Answer) and self._shaper is not None:
            answer = events.collect(self._shaper.events(events.of(answer)))
        if isinstance(answer, Broken):
            self.end = answer
            return answer
        self.content_bytes = events.content_bytes(answer)
        answer = replace(answer, tokens=self._counted(answer.tokens))
        self.end = Ended(stop=answer.stop, tokens=answer.tokens)
        return answer

    def document(self, answer: Answer) -> dict[str, Any]:
        """The whole answer in the client's words. Raises Unwritable."""
        return self._client.write_answer(answer, self._ask, self._naming, self._seal)

    def stream(self, answer: Answer) -> bytes:
        """The whole answer as a stream, where the client asked for one. Raises Unwritable."""
        return self._writer.write(events.of(answer))

    @property
    def content_type(self) -> bytes:
        return self._client.content_type

    @property
    def blocked(self) -> bool:
        """The prompt was refused before any output."""
        return isinstance(self.end, Ended) and self.end.stop is Stop.REFUSAL and not self.content_bytes
