"""Whether a vendor was asked what the client asked, where the two speak different protocols.

Each side's request is read by itself (harness/asked.py) and compared, aspect by aspect, with deepdiff. What may differ is what the
vendor's protocol has no word for, which is said here; what the gateway declared beforehand (harness/losses.py); and what it told the
client in the header that it declared for warnings.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby
from typing import Any, Final

from harness.asked import Asked, AskedTool, Kind, Output, Piece, read, spelled, texts
from harness.case import Dialect, Surface
from harness.route_losses import OnRoute
from harness.verdict import Finding, Side

_SHOWN: Final = 160  # characters of a value that a finding shows
_FITTING: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # a tool's name that every vendor takes
_TOLD_LONG: Final = 20  # characters of a thought or a proof that do not stand in a prompt by chance
_LABEL: Final = 80  # characters of a text that a gateway puts before what it moved out of a result
_NUMBERS: Final = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
_LEAST_BUDGET: Final = 1024  # anthropic-thinking: budget_tokens is at least that, and less than max_tokens
_NOT_LITTLE: Final = 4096  # tokens to think with
_LEAST_LIMIT: Final = 1024  # tokens of an answer that the client has not limited
_MOST_MARKS: Final = 4  # anthropic-prompt-caching: up to four breakpoints
_IGNORED_KEYWORDS: Final = {
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "title",
    "examples",
    "propertyOrdering",
    "property_ordering",
    "default",
}
_FAMILY: Final = {
    Dialect.OPENAI_CHAT: "openai",
    Dialect.OPENAI_RESPONSES: "openai",
    Dialect.ANTHROPIC: "anthropic",
    Dialect.GEMINI: "gemini",
    Dialect.DEEPSEEK_CHAT: "deepseek",
    Dialect.DEEPSEEK_ANTHROPIC: "deepseek",
}
# Whose proofs a client's request holds. `thinking_blocks` are how Claude's thoughts come through a chat client.
_OWNER: Final = {Surface.CHAT: "anthropic", Surface.RESPONSES: "openai", Surface.MESSAGES: "anthropic", Surface.GEMINI: "gemini"}


_RANKS: Final = {"minimal": 0, "low": 0, "medium": 1, "high": 2, "xhigh": 2, "max": 2}


class Aspect(StrEnum):
    SYSTEM = "system"
    TEXTS = "texts"
    ORDER = "order"
    IMAGES = "images"
    DOCUMENTS = "documents"
    TITLES = "titles"
    DETAILS = "details"
    CALLS = "calls"
    RESULTS = "results"
    TOOLS = "tools"
    CHOICE = "choice"
    PARALLEL = "parallel"
    LIMIT = "limit"
    SAMPLING = "sampling"
    STOP = "stop"
    OUTPUT = "output"
    THINKING = "thinking"
    EFFORT = "effort"
    TIER = "tier"
    USER = "user"
    REASONING = "reasoning"
    CACHE = "cache"
    WARNED = "warned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`what` was compared; None where the client asked nothing of the kind."""

    what: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Run:
    """What one side says before the other does."""

    role: str
    pieces: list[Piece] = field(default_factory=list)

    @property
    def own(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.kind not in (Kind.RESULT, Kind.CALL, Kind.REASONING)]

    @property
    def results(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.kind is Kind.RESULT]

    @property
    def calls(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.kind is Kind.CALL]


class Warnings:
    """What the answer's header names, each by a path in the client's request."""

    def __init__(self, value: str) -> None:
        self._paths = [entry.partition(" ")[0] for entry in value.split("; ") if entry]
        self._cut = bool(re.search(r"and \d+ more$", value))

    def name(self, path: str) -> bool:
        """Whether it, something in it, or what it stands in is named; a header that was cut may have named all."""
        return self._cut or any(_inside(path, named) or _inside(named, path) for named in self._paths)


def _inside(path: str, outer: str) -> bool:
    return path == outer or (path.startswith(outer) and path[len(outer)] in ".[")


def compare(client: Surface, asked: Any, upstream: Dialect, sent: Any, *, losses: OnRoute, warning: str = "") -> dict[Aspect, Seen]:
    """The two bodies as JSON values. `warning` is the value of the header that `losses` names, as the client got it."""
    told = Warnings(warning)
    return _Comparison(client=client, asked=asked, upstream=upstream, sent=sent, losses=losses, warnings=told).all()


class _Comparison:
    def __init__(self, *, client: Surface, asked: Any, upstream: Dialect, sent: Any, losses: OnRoute, warnings: Warnings) -> None:
        self._client, self._upstream, self._body, self._sent = client, upstream, asked, sent
        self._losses, self._warnings = losses, warnings
        self._lost: list[str] = []  # paths of what was dropped as declared, and of which the client has to be told
        self.want, self.came = read(client, asked), read(upstream.surface, sent)
        self._extra = self._forced_tool()
        came_tools = [tool for tool in self.came.tools if tool is not self._extra]
        self._want_tools = self._offered(came_tools)
        self._names = {tool.name: came.name for tool, came in zip(self._want_tools, came_tools, strict=False)}
        self._came_tools = came_tools
        self._want_runs = _runs([piece for piece in self.want.pieces if self._is_sent(piece)])
        self._came_runs = _runs([piece for piece in self.came.pieces if _says(piece)])
        if not self._want_runs and self._came_runs:  # a request of nothing but a system text is the user's
            self._want_runs = [_Run("user", [replace(piece, role="user") for piece in self.want.pieces])]
            self.want = replace(self.want, pieces=())
        self._unmove()

    def all(self) -> dict[Aspect, Seen]:
        found = {
            Aspect.SYSTEM: self._system(),
            Aspect.TEXTS: self._texts(),
            Aspect.ORDER: self._order(),
            Aspect.IMAGES: self._media(Kind.IMAGE),
            Aspect.DOCUMENTS: self._media(Kind.DOCUMENT),
            Aspect.TITLES: self._titles(),
            Aspect.DETAILS: self._details(),
            Aspect.CALLS: self._calls(),
            Aspect.RESULTS: self._results(),
            Aspect.TOOLS: self._tools(),
            Aspect.CHOICE: self._choice(),
            Aspect.PARALLEL: self._parallel(),
            Aspect.LIMIT: self._limit(),
            Aspect.SAMPLING: self._sampling(),
            Aspect.STOP: self._stop(),
            Aspect.OUTPUT: self._output(),
            Aspect.THINKING: self._thinking(),
            Aspect.EFFORT: self._effort(),
            Aspect.TIER: self._tier(),
            Aspect.USER: self._user(),
            Aspect.REASONING: self._reasoning(),
            Aspect.CACHE: self._cache(),
        }
        return {**found, Aspect.WARNED: self._warned()}  # last, since the others find what is lost

    # what is declared

    def _lose(self, field: str, path: str) -> bool:
        """Whether it may be missing; where the client has to be told, that is judged as WARNED."""
        match self._losses.written(field):
            case "silent":
                return True
            case "dropped":
                self._lost.append(path)
                return True
            case _:
                return self._warnings.name(path)

    def _path(self, name: str) -> str:
        return self.want.paths.get(name, name)

    # the conversation

    def _is_sent(self, piece: Piece) -> bool:
        return piece.kind is not Kind.REASONING and _says(piece)

    def _unmove(self) -> None:
        """Images and documents of results that stand after them go back, for a vendor who reads none in results."""
        for want, came in zip(self._want_runs, self._came_runs, strict=False):
            media = [part.data for result in want.results for part in result.parts if part.data]
            there = [part.data for result in came.results for part in result.parts if part.data]
            if not media or there:
                continue
            left: list[Piece] = []
            for piece in came.pieces:
                if piece.data and piece.data in media:
                    media.remove(piece.data)
                    there.append(piece.data)
                    if left and left[-1].kind is Kind.TEXT and len(left[-1].text) <= _LABEL and left[-1].text not in texts(want.own):
                        left.pop()  # says of which result it is
                else:
                    left.append(piece)
            came.pieces = left
            moved = tuple(Piece(kind=Kind.IMAGE, role="user", path="", data=data) for data in there)
            if came.results:
                last = came.pieces.index(came.results[-1])
                came.pieces[last] = replace(came.pieces[last], parts=(*came.pieces[last].parts, *moved))

    def _system(self) -> Seen:
        wanted = texts([piece for piece in self.want.pieces if piece.role == "system"])
        came = _cut([piece for piece in self.came.pieces if piece.role == "system"], wanted)
        held = self._extra is not None or (self.came.output is not None and self.came.output.schema is not None)
        if self.want.output is not None and not held and came[: len(wanted)] == wanted:
            came = came[: len(wanted)]  # what follows tells the model the form that it has to answer in
        return _seen(wanted, came, f"{len(wanted)} system texts", "/system", always=bool(came))

    def _texts(self) -> Seen:
        wanted = [[run.role, *texts(run.own)] for run in self._want_runs if texts(run.own)]
        came = []
        for place, run in enumerate(self._came_runs):
            told = texts(self._want_runs[place].own) if place < len(self._want_runs) else []
            if said := _cut(run.own, told):
                came.append([run.role, *said])
        return _seen(wanted, came, f"{sum(len(run) - 1 for run in wanted)} texts", "/texts", always=bool(came))

    def _order(self) -> Seen:
        """Of what a user shows and says. An assistant's calls have a place of their own in some protocols."""
        wanted, came = ([_kinds(run.own) for run in runs if run.role == "user"] for runs in (self._want_runs, self._came_runs))
        return _seen(wanted, came, f"the order in {len(wanted)} turns", "/order", always=any(len(kinds) > 1 for kinds in wanted))

    def _media(self, kind: Kind) -> Seen:
        wanted = self._shown(self._want_runs, kind)
        came = self._shown(self._came_runs, kind)
        return _seen(wanted, came, f"{sum(map(len, wanted))} {kind}s", f"/{kind}s", always=bool(came))

    def _shown(self, runs: Sequence[_Run], kind: Kind) -> list[list[str]]:
        """What was moved out of a result and back is what the client said that it is; one under another media type is another."""
        kinds = {part.data: part.kind for run in self._want_runs for result in run.results for part in result.parts}
        said = [piece for run in self._want_runs for piece in (*run.own, *(part for result in run.results for part in result.parts))]
        types = {piece.data: piece.media_type for piece in said if piece.data}

        def told(piece: Piece) -> str:
            wanted = types.get(piece.data)
            return f"{piece.media_type}: {piece.data}" if wanted and piece.media_type not in ("", wanted) else piece.data

        found = []
        for run in runs:
            of_results = [part for result in run.results for part in result.parts if part.data]
            shown = sorted(told(part) for part in of_results if kinds.get(part.data, part.kind) is kind)
            found.append([*shown, *(told(piece) for piece in run.own if piece.kind is kind)])
        return [each for each in found if each]

    def _titles(self) -> Seen:
        """Of documents of PDF and of text; one that the client did not name may get any name."""
        named = [piece for piece in _parts(self.want.pieces) if piece.title]
        came = [(piece.data or piece.text, piece.title) for piece in _parts(self.came.pieces)]
        findings = []
        for piece in named:
            titles = [title for content, title in came if content == (piece.data or piece.text)]
            if piece.title not in titles and not self._lose("turns[].items[Document].name", piece.path):
                findings.append(_wrong(f"the title {_shown(piece.title)}", _shown(titles), f"/{piece.path}"))
        return Seen(what=f"{len(named)} titles", findings=tuple(findings)) if named else Seen()

    def _details(self) -> Seen:
        wanted = [piece for piece in _parts(self.want.pieces) if piece.detail not in ("", "auto")]
        came = {piece.data: piece.detail for piece in _parts(self.came.pieces) if piece.kind is Kind.IMAGE}
        findings = [
            _wrong(f"the detail {piece.detail}", came[piece.data] or "none", f"/{piece.path}")
            for piece in wanted
            if came.get(piece.data, piece.detail) != piece.detail and not self._lose("turns[].items[Image].detail", piece.path)
        ]
        return Seen(what=f"{len(wanted)} details", findings=tuple(findings)) if wanted else Seen()

    def _calls(self) -> Seen:
        def made(runs: Sequence[_Run], names: Mapping[str, str]) -> list[list[dict[str, str]]]:
            return [[{"name": names.get(call.name, call.name), "arguments": call.text} for call in run.calls] for run in runs if run.calls]

        wanted, came = made(self._want_runs, self._fit()), made(self._came_runs, {})
        return _seen(wanted, came, f"{sum(map(len, wanted))} calls", "/calls", always=bool(came))

    def _fit(self) -> dict[str, str]:
        """The client's names of tools as the vendor got them; a name that only a call has may be changed where it does not fit."""
        names = dict(self._names)
        came = [call for run in self._came_runs for call in run.calls]
        for call, theirs in zip((call for run in self._want_runs for call in run.calls), came, strict=False):
            if not _FITTING.fullmatch(call.name):
                names.setdefault(call.name, theirs.name)
        return names

    def _results(self) -> Seen:
        wanted, came = list(self._answered(self._want_runs)), list(self._answered(self._came_runs))
        for mine, theirs in zip(wanted, came, strict=False):
            for result, other in zip(mine, theirs, strict=False):
                other["said"] = _same_text(result["said"], other["said"])
                if result["is_error"] and not other["is_error"] and self._lose("turns[].items[ToolResult].is_error", result["path"]):
                    other["is_error"] = True
                result["name"] = other["name"] and other["name of its call"]  # who goes by the name has to get that of the call
        for results in (*wanted, *came):
            for result in results:
                del result["path"], result["name of its call"]
        return _seen(wanted, came, f"{sum(map(len, wanted))} results, each of its call", "/results", always=bool(came))

    def _answered(self, runs: Sequence[_Run]) -> Iterator[list[dict[str, Any]]]:
        """The results of a turn, in the order of the calls that they answer: protocols that know the calls by order have it so."""
        calls: list[Piece] = []
        for run in runs:
            ids = [call.id for call in calls]
            found = [
                {
                    "of call": ids.index(result.id) if result.id in ids else f"none: {result.id}",
                    "said": "\n".join(texts(result.parts)),
                    "is_error": result.is_error,
                    "name": result.name,
                    "name of its call": next((call.name for call in calls if call.id == result.id), ""),
                    "path": result.path,
                }
                for result in run.results
            ]
            if found:
                yield sorted(found, key=lambda result: (str(type(result["of call"])), result["of call"]))
            calls = run.calls if run.role == "assistant" else calls

    # tools

    def _forced_tool(self) -> AskedTool | None:
        """The tool by which a gateway has a model answer in a form: the last one, where it has one more than the client gave."""
        if self.want.output is None or self.came.output is not None or len(self.came.tools) <= len(self.want.tools):
            return None
        return self.came.tools[-1]

    def _offered(self, came: Sequence[AskedTool]) -> list[AskedTool]:
        """The client's tools, or only those of its choice where the others were left out."""
        wanted = list(self.want.tools)
        if isinstance(self.want.choice, tuple) and len(came) < len(wanted):
            return [tool for tool in wanted if tool.name in self.want.choice]
        return wanted

    def _tools(self) -> Seen:
        wanted, came = [], []
        for tool in self._want_tools:
            theirs = next((other for other in self._came_tools if other.name == self._names.get(tool.name)), None)
            changed = self._warnings.name(tool.path) and theirs is not None
            wanted.append(self._tool(tool, loose=changed))
            if theirs is None:
                continue
            made = self._tool(theirs, loose=changed)
            if not _FITTING.fullmatch(tool.name) and _FITTING.fullmatch(theirs.name):
                made["name"] = tool.name
            if tool.strict and not theirs.strict and self._lose("tools[].strict", tool.path):
                made["strict"] = True
            came.append(made)
        came += [self._tool(tool, loose=False) for tool in self._came_tools if tool.name not in self._names.values()]
        return _seen(wanted, came, f"{len(wanted)} tools", "/tools", always=bool(came))

    def _tool(self, tool: AskedTool, *, loose: bool) -> dict[str, Any]:
        schema = form(tool.schema or {"type": "object", "properties": {}}, loose=loose)
        return {"name": tool.name, "description": tool.description, "strict": tool.strict, "schema": schema}

    def _choice(self) -> Seen:
        wanted, came = self.want.choice, self.came.choice
        if wanted is None or not self.want.tools or self._extra is not None:
            return Seen()
        if isinstance(wanted, tuple):
            wanted = tuple(sorted(self._names.get(name, name) for name in wanted))
            if came in ("required", "auto", None) and {tool.name for tool in self._came_tools} == set(wanted):
                came = wanted  # the others were left out
            came = tuple(sorted(came)) if isinstance(came, tuple) else came
        return _seen(_plain(wanted), _plain("auto" if came is None else came), f"the choice {wanted}", "/choice", always=True)

    def _parallel(self) -> Seen:
        wanted = self.want.parallel
        if wanted is None or not self.want.tools or self._extra is not None:
            return Seen()
        came = self.came.parallel is not False
        if came != wanted and self._lose("parallel_tool_calls", self._path("parallel")):
            came = wanted
        return _seen(wanted, came, f"parallel calls {'allowed' if wanted else 'forbidden'}", "/parallel", always=True)

    # the rest

    def _limit(self) -> Seen:
        """Where the client has none, a gateway makes one up for Messages alone, which has to have one: with room for an answer."""
        came = self.came.numbers.get("limit")
        if "limit" in self.want.numbers:
            return self._number("limit", "max_output_tokens")
        needed = self._upstream.surface is Surface.MESSAGES
        wanted = f"at least {_LEAST_LIMIT}" if needed else "no limit"
        right = came is None or self._warnings.name(self._path("limit")) or (needed and came >= _LEAST_LIMIT)
        return Seen(what=wanted, findings=() if right else (_wrong(wanted, f"{came:g}", "/limit"),))

    def _number(self, name: str, field: str) -> Seen:
        wanted, came = self.want.numbers.get(name), self.came.numbers.get(name)
        if wanted is None:
            return Seen()
        if came != wanted and self._lose(field, self._path(name)):
            came = wanted
        return _seen(wanted, came, f"{name} {wanted}", f"/{name}", always=True)

    def _sampling(self) -> Seen:
        seen = [self._number(name, name) for name in _NUMBERS]
        what = ", ".join(each.what for each in seen if each.what)
        unasked = {name: value for name, value in self.came.numbers.items() if name in _NUMBERS and name not in self.want.numbers}
        extra = _seen({}, unasked, "", "/sampling", always=bool(unasked)).findings
        return Seen(what=what or ("sampling" if extra else None), findings=(*(one for each in seen for one in each.findings), *extra))

    def _stop(self) -> Seen:
        wanted, came = list(self.want.stop), list(self.came.stop)
        if wanted != came and (not came or not any(stop.strip() for stop in wanted)) and self._lose("stop", self._path("stop")):
            came = wanted
        if self._warnings.name(self._path("stop")):
            came = wanted if came == [stop for stop in wanted if stop.strip()] else came
        return _seen(wanted, came, f"{len(wanted)} stop sequences", "/stop", always=bool(came))

    def _output(self) -> Seen:
        """By the vendor's mechanism, by a tool that is forced, or in words: then the client was warned, or any object will do."""
        wanted, came = self.want.output, self.came.output
        if wanted is None:
            return Seen() if came is None else Seen(what="free text", findings=(_wrong("free text", "a form of output", "/output"),))
        how, loose = "its own mechanism", self._warnings.name(self._path("output"))
        if came is None and self._extra is not None:
            came, how, loose = Output(schema=self._extra.schema), "a forced tool", True
            if not _forces(self.came.choice, self._extra.name, bool(self.want.tools)):
                return Seen(
                    what=how, findings=(_wrong(f"the tool {self._extra.name} forced", f"the choice {self.came.choice}", "/choice"),)
                )
        elif wanted.schema is not None and (came is None or came.schema is None):
            told = "".join(texts([piece for piece in self.came.pieces if piece.role == "system"]))
            if form(wanted.schema) == form(_json_in(told)) or (came is None and self._chosen()):
                came, how = wanted, "words"
        elif wanted.schema is None and came is None and self._warnings.name(self._path("output")):
            came = wanted
        mine, theirs = (None if each is None else {"schema": _form_of(each, loose=loose)} for each in (wanted, came))
        has_word = self._upstream in (Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES)
        if wanted.strict and has_word and not loose and mine is not None and theirs is not None:
            mine["strict"], theirs["strict"] = True, came is not None and came.strict
        if has_word and came is not None and mine is not None and theirs is not None:
            called = {"description": (wanted.description, came.description)}
            if _FITTING.fullmatch(wanted.name):
                called["name"] = (wanted.name, came.name)
            for member, (said, told) in called.items():
                mine[member], theirs[member] = said, told if said else ""
        if wanted.schema is None and theirs is not None:
            theirs = mine
        return _seen(mine, theirs, f"output by {how}", "/output", always=True)

    def _chosen(self) -> bool:
        """A call that is forced is the answer: no text has a form then."""
        return isinstance(self.want.choice, tuple) or self.want.choice == "required"

    def _thinking(self) -> Seen:
        wanted, came = self.want.thinks, self.came.thinks
        if wanted is None:
            return Seen()
        if came is None and not wanted:
            came = False  # a model that does not think
        if came != wanted and self._lose("thinking", self._path("thinking")):
            came = wanted
        return _seen(wanted, came, f"thinking {'on' if wanted else 'off'}", "/thinking", always=True)

    def _effort(self) -> Seen:
        """By a word or by a budget, whichever the vendor has. Of words the ranks count, which have other names elsewhere."""
        wanted, came = self.want.effort, self.came.effort
        if (wanted is None and not self.want.budget) or self.want.thinks is False:
            return Seen()
        what = f"the effort {wanted}" if wanted else f"a budget of {self.want.budget} tokens"
        limit, budget = self.came.numbers.get("limit"), self.came.budget
        if self._upstream is Dialect.ANTHROPIC and budget and limit and not _LEAST_BUDGET <= budget < limit:
            return Seen(what=what, findings=(_wrong(f"a budget from {_LEAST_BUDGET} to less than {limit:g}", f"{budget}", "/effort"),))
        if came is None:
            same = bool(budget)
        elif wanted is None:  # tables differ on how much is medium; none calls the least budget much, or so many tokens little
            budget = self.want.budget or 0
            much = self._rank(came) >= _RANKS["high"] and _FAMILY[self._upstream] != "deepseek"
            same = not much if budget <= _LEAST_BUDGET else budget < _NOT_LITTLE or self._rank(came) > _RANKS["low"]
        else:
            same = self._rank(wanted) == self._rank(came)
        if same or self._lose("thinking", self._path("thinking")):
            return Seen(what=what)
        return Seen(what=what, findings=(_wrong(what, f"the effort {came}" if came else "no word of how much", "/effort"),))

    def _rank(self, effort: str) -> int:
        """DeepSeek thinks no less than with high effort (deepseek-thinking, reasoning_effort)."""
        rank = _RANKS.get(effort, -1)
        return max(rank, _RANKS["high"]) if _FAMILY[self._upstream] == "deepseek" else rank

    def _tier(self) -> Seen:
        """One that was not asked for is as wrong: tiers differ in price, and in how long they take."""
        wanted, came = (tier if tier != "auto" else "" for tier in (self.want.tier, self.came.tier))
        if wanted == "default" and _FAMILY[self._upstream] not in ("openai", "anthropic"):
            wanted = ""  # a vendor of one tier has that
        if wanted and came != wanted and self._lose("service_tier", self._path("service_tier")):
            came = wanted
        return _seen(wanted, came, f"the tier {wanted}", "/service_tier", always=bool(came))

    def _user(self) -> Seen:
        """By the client's own name for it, or by another: a gateway may keep names to itself."""
        wanted, came = self.want.user, self.came.user
        if not wanted:
            return Seen()
        if came or self._lose("user", self._path("user")):
            return Seen(what="the client's user")
        return Seen(what="the client's user", findings=(_wrong(f"{wanted}, or another name for it", "none", "/user"),))

    def _reasoning(self) -> Seen:
        """What another family thought reaches no vendor, in no form; what its own did, byte for byte."""
        thoughts = [piece for piece in self.want.pieces if piece.proof or piece.kind is Kind.REASONING]
        if not thoughts:
            return Seen()
        whole = json.dumps(self._sent, ensure_ascii=False)
        family, findings = _FAMILY[self._upstream], []
        proofs = [piece.proof for piece in self.came.pieces if piece.proof]
        for piece in thoughts:
            own = _OWNER[self._client] == family and bool(piece.proof)
            if own and piece.proof not in proofs and not self._has_no_thoughts(piece.path):
                findings.append(_wrong(f"the proof {piece.proof[:24]}", f"{len(proofs)} others", f"/{piece.path}"))
            if own or family == "deepseek":
                continue
            if len(piece.proof) >= _TOLD_LONG and json.dumps(piece.proof, ensure_ascii=False)[1:-1] in whole:
                findings.append(_wrong(f"nothing that proves {_OWNER[self._client]}'s thoughts", piece.proof[:24], f"/{piece.path}"))
            thought = json.dumps(piece.text, ensure_ascii=False)[1:-1] if piece.kind is Kind.REASONING else ""
            if len(thought) >= _TOLD_LONG and thought in whole:
                findings.append(_wrong("no thought of another family", _shown(piece.text), f"/{piece.path}"))
        return Seen(what=f"{len(thoughts)} thoughts and proofs", findings=tuple(findings))

    def _has_no_thoughts(self, path: str) -> bool:
        """By the table alone: a warning is no leave to forget what the vendor itself has thought."""
        field = "turns[].items[Reasoning]"
        return self._losses.written(field) in ("silent", "dropped") and self._lose(field, path)

    def _cache(self) -> Seen:
        """Where the vendor goes by marks: each on the same thing, for as long; up to four of them, no long one after a short one."""
        marks = list(_marks(self.want))
        if not marks:
            return Seen()
        if self._upstream is not Dialect.ANTHROPIC:
            field = "cache" if self._upstream.surface in (Surface.MESSAGES, Surface.GEMINI) else "turns[].items[].cache"
            self._lose(field, "cache_control" if self._warnings.name("cache_control") else marks[0][2])  # one warning for all
            return Seen()
        wanted, came = ([[what, ttl] for what, ttl, _ in found] for found in (marks, _marks(self.came)))
        if len(wanted) > _MOST_MARKS and len(came) == _MOST_MARKS:
            came = [mark for mark in wanted if mark in came] if all(mark in wanted for mark in came) else came
            wanted = came
        return _seen(wanted, came, f"{len(wanted)} cache marks", "/cache", always=True)

    def _warned(self) -> Seen:
        """Each declared drop is told to the client, by its path."""
        lost = [*self._lost, *self._unread()]
        if not lost or not self._losses.warning_header:
            return Seen()
        untold = [path for path in lost if not self._warnings.name(path)]
        findings = tuple(_wrong(f"a warning that names {path}", "none", f"/{path}") for path in untold)
        return Seen(what=f"{len(lost)} declared losses, each named", findings=findings)

    def _unread(self) -> Iterator[str]:
        """Members of the client's request that its reader drops as declared."""
        dropped = {path for path, rule in self._losses.request_in.items() if rule == "dropped"}
        yield from dict.fromkeys(path for path in _members(self._body, "") if re.sub(r"\[\d+\]", "[]", path) in dropped)


def _members(value: Any, at: str) -> Iterator[str]:
    """The path of every member that says something."""
    if isinstance(value, dict):
        for name, member in value.items():
            path = f"{at}.{name}" if at else name
            if member:
                yield path
                yield from _members(member, path)
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _members(member, f"{at}[{number}]")


def _says(piece: Piece) -> bool:
    return piece.kind not in (Kind.TEXT, Kind.REFUSAL, Kind.REASONING) or (piece.kind is not Kind.REASONING and bool(piece.text.strip()))


def _runs(pieces: Sequence[Piece]) -> list[_Run]:
    spoken = [piece for piece in pieces if piece.role != "system"]
    return [_Run(role, list(run)) for role, run in groupby(spoken, key=lambda piece: piece.role)]


def _cut(pieces: Sequence[Piece], wanted: Sequence[str]) -> list[str]:
    """The texts, cut where the wanted ones are: what a gateway puts between them to join them is blank."""
    whole, place = "\n".join(texts(pieces)), 0
    found: list[str] = []
    for text in wanted:
        start = whole.find(text, place)
        if start < 0:
            break
        found += filter(None, [whole[place:start].strip()])
        found.append(text)
        place = start + len(text)
    return [*found, *filter(None, [whole[place:].strip()])]


def _same_text(wanted: str, came: str) -> str:
    """A result that is JSON may be spelled anew, and the texts of one may be joined otherwise."""
    if spelled(wanted) == spelled(came) or "".join(wanted.split()) == "".join(came.split()):
        return wanted
    return came


def _parts(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """With those of results."""
    return (part for piece in pieces for part in (piece, *piece.parts))


def _kinds(pieces: Sequence[Piece]) -> list[str]:
    return [kind for kind, _ in groupby("text" if piece.kind is Kind.REFUSAL else piece.kind.value for piece in pieces)]


def _marks(asked: Asked) -> Iterator[tuple[str, str, str]]:
    """What is marked, for how long, and where: in the order of the prompt, tools first."""
    for tool in asked.tools:
        if tool.cache:
            yield tool.name, tool.cache, tool.path
    for piece in asked.pieces:
        for part in (*piece.parts, piece):
            if part.cache:
                yield part.text or part.data or f"result of {piece.kind}", part.cache, part.path


def _forces(choice: Any, name: str, others: bool) -> bool:
    return choice == (name,) or (others and choice == "required")


def _form_of(output: Output, *, loose: bool) -> Any:
    return None if output.schema is None else form(output.schema, loose=loose)


def _json_in(text: str) -> Any:
    """The JSON value with which a text ends."""
    try:
        return json.loads(text[text.index("{") :])
    except ValueError:
        return None


def form(schema: Any, *, loose: bool = False) -> Any:
    """A JSON schema in one spelling of the several that say the same; `loose` keeps only members and which are required."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        match name:
            case _ if name in _IGNORED_KEYWORDS:
                pass
            case "properties" | "$defs" | "definitions" if isinstance(value, Mapping):
                made["$defs" if name == "definitions" else name] = {key: form(inner, loose=loose) for key, inner in value.items()}
            case "required" if isinstance(value, list):
                made[name] = sorted(map(str, value))
            case "items":
                made[name] = form(value, loose=loose)
            case _ if loose:
                pass
            case "const":
                made["enum"] = [value]
            case "$ref":
                made[name] = str(value).replace("#/definitions/", "#/$defs/")
            case "anyOf" | "oneOf" | "allOf" | "prefixItems" if isinstance(value, list):
                made["anyOf" if name == "oneOf" else name] = [form(inner, loose=loose) for inner in value]
            case "type":
                kinds = value if isinstance(value, list) else [value]
                made[name] = sorted(map(str, kinds))
            case "additionalProperties":
                made[name] = form(value, loose=loose)
            case _:
                made[name] = value
    if loose:
        made.pop("$defs", None)
    if not made.get("required", True):
        del made["required"]
    return made


def _plain(choice: Any) -> Any:
    return list(choice) if isinstance(choice, tuple) else choice


def _wrong(expected: str, got: str, pointer: str) -> Finding:
    return Finding(side=Side.UPSTREAM, expected=expected, got=got, pointer=pointer)


def _seen(wanted: Any, came: Any, what: str, pointer: str, *, always: bool = False) -> Seen:
    """Nothing was asked and nothing came: nothing to judge."""
    if not wanted and not always:
        return Seen()
    return Seen(what=what, findings=tuple(_differences({"": wanted}, {"": came}, pointer)))


def _differences(wanted: Any, came: Any, pointer: str) -> Iterator[Finding]:
    if wanted == came:
        return
    from deepdiff import DeepDiff  # takes long to import, and nothing differs in a run that is green

    for kind, changes in DeepDiff(wanted, came, verbose_level=2).items():
        for place, change in changes.items():
            steps = re.findall(r"\['([^']*)'\]|\[(\d+)\]", place.removeprefix("root['']"))
            at = pointer + "".join(f"/{name or number}" for name, number in steps)
            match kind, change:
                case _, {"old_value": old, "new_value": new}:
                    yield _wrong(_shown(old, new), _shown(new, old), at)
                case _ if kind.endswith("_removed"):
                    yield _wrong(_shown(change), "nothing", at)
                case _:
                    yield _wrong("nothing", _shown(change), at)


def _shown(value: Any, other: Any = None) -> str:
    """A value; of a long text, what stands around the first character that differs."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(other, str) and isinstance(value, str) and len(text) > _SHOWN:
        same = next((place for place, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
        start = max(0, same - 20)
        return f"{text[start : start + _SHOWN - 60]!r} at character {start} of {len(text)}"
    return repr(text[:_SHOWN])
