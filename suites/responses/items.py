"""The grammar of one output item in a Responses stream: announced, told in deltas, closed by what they add up to."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, Seen
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Verdict
from suites.blame import gateway_only
from suites.evidence import at, conclude, first_difference, shown, shows, whole_stream
from suites.responses.reading import JOINED, TERMINAL, WHOLE, Place, client_answer, events, kind, objects, of_kind, place, text

_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_NO_ITEM: Final = Inconclusive("no output item reached the client")
_CUT: Final = Inconclusive("the stream was broken off")
_TEXTS: Final = ("response.output_text", "response.refusal")
_REASONING: Final = ("response.reasoning_text", "response.reasoning_summary_text")
_OPAQUE: Final = frozenset({"encrypted_content", "fingerprint"})  # sealed anew each time that the vendor tells the item


def _seen_in_traffic(says: str) -> Clause:
    return Clause(source="wireproof-corpus", section="OpenAI responses", says=says)


def _documented(event: str, says: str) -> Clause:
    return Clause(source="openai-responses-streaming", section=event, says=says)


INDEX_IN_ORDER = Requirement(
    id="responses/items/index-in-order",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("output_index in order (n of n)"),
    text="Items are added at output_index 0, 1, 2 in their order, each index once.",
    claims=("contract:102",),
    defects=("BerriAI/litellm#36375", "lemonade-sdk/lemonade#3607"),
)
PAIRED = Requirement(
    id="responses/items/paired",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_documented("response.output_item.done", "Emitted when an output item is marked done."),
    text="Each item that was added is done once, later, with the id and type that it was added with.",
    defects=("BerriAI/litellm#30072", "BerriAI/litellm#36375"),
)
NAMED_BY_ID = Requirement(
    id="responses/items/named-by-id",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("added/done ids agree (n of n)"),
    text="Every event about an item names it by the output_index and id under which it was added.",
    defects=("BerriAI/litellm#30072", "lemonade-sdk/lemonade#3607"),
)
WHILE_OPEN = Requirement(
    id="responses/items/while-open",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="openai-python",
        section="lib/streaming/responses",
        says="output_item.added before its deltas; an index that was not added raises IndexError",
    ),
    text="Events about an item come between its added and its done.",
    defects=("BerriAI/litellm#36375",),
)
PARTS_PAIRED = Requirement(
    id="responses/items/parts-paired",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=_documented("response.content_part.done", "Emitted when a content part is done."),
    text="Each content part is added before its text and done after it, once; the same holds for each part of a reasoning summary.",
    defects=("BerriAI/litellm#30072",),
)
TEXT_JOINS = Requirement(
    id="responses/items/text-joins",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("output_text.done = joined deltas (n of n)"),
    text="The deltas of a text or refusal add up to the text of its done event.",
    claims=("contract:102",),
    defects=("NousResearch/hermes-agent#86572",),
)
ARGUMENTS_JOIN = Requirement(
    id="responses/items/arguments-join",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented("response.function_call_arguments.done", "Emitted when function-call arguments are finalized."),
    text="The deltas of a call's arguments, input, command or code add up to its done event.",
    defects=("lidge-jun/opencodex#361",),
)
REASONING_JOINS = Requirement(
    id="responses/items/reasoning-joins",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented("response.reasoning_summary_text.done", "Emitted when a reasoning summary text is completed."),
    text="The deltas of a reasoning summary or text add up to its done event.",
)
DONE_IS_THE_ITEM = Requirement(
    id="responses/items/done-is-the-item",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=_seen_in_traffic("added/done ids agree, output_text.done = joined deltas (n of n)"),
    text="The finished item says what the done events of its texts, arguments and parts said.",
    defects=("abundantbeing/hermes-browser-extension#11",),
)
LISTED_IN_THE_END = Requirement(
    id="responses/items/listed-in-the-end",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-responses", section="output", says="An array of content items generated by the model."),
    text="The output of the last response is the list of items done, in the order of output_index; only sealed blobs may differ.",
    claims=("contract:99", "contract:102"),
    defects=("BerriAI/litellm#36375", "BerriAI/litellm#37946"),
)
ANNOTATIONS_TOLD = Requirement(
    id="responses/items/annotations-told",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=_documented("response.output_text.annotation.added", "Emitted when an annotation is added to output text content."),
    text="The annotations added to a text one by one are those that its finished part lists.",
)


def check_index_in_order(exchange: Exchange) -> Verdict:
    met = of_kind(exchange.client_events, _ADDED)
    findings = [
        at(seen, pointer="/output_index", expected=str(index), got=shown(seen.data.get("output_index")))
        for index, seen in enumerate(met)
        if seen.data.get("output_index") != index
    ]
    return conclude(findings, f"{len(met)} items at 0 to {len(met) - 1}") if met else _NO_ITEM


def _item(seen: Seen) -> dict[str, Any]:
    found = seen.data.get("item")
    return found if isinstance(found, dict) else {}


def check_paired(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return _CUT
    open_items: dict[Any, Seen] = {}
    closed = 0
    findings = []
    for seen in of_kind(exchange.client_events, _ADDED, _DONE):
        index = seen.data.get("output_index")
        if kind(seen) == _ADDED:
            open_items[index] = seen
            continue
        added = open_items.pop(index, None)
        closed += 1
        if added is None:
            findings.append(at(seen, pointer="/output_index", expected="an item that is open", got=shown(index)))
            continue
        findings += [
            at(seen, pointer=f"/item/{key}", expected=shown(_item(added).get(key)), got=shown(_item(seen).get(key)))
            for key in ("id", "type", "call_id")
            if _item(seen).get(key) != _item(added).get(key)
        ]
    if not closed and not open_items:
        return _NO_ITEM
    if not of_kind(exchange.client_events, "response.failed"):  # what failed may have been in the middle of an item
        findings += [
            at(seen, expected=f"item {index} to be done", got="no response.output_item.done for it") for index, seen in open_items.items()
        ]
    return conclude(findings, f"{closed} items added and done")


def check_named_by_id(exchange: Exchange) -> Verdict:
    ids: dict[Any, Any] = {}
    met = 0
    findings = []
    for seen in events(exchange.client_events):
        data = seen.data
        if kind(seen) == _ADDED:
            ids[data.get("output_index")] = _item(seen).get("id")
        elif "item_id" in data:
            met += 1
            index = data.get("output_index")
            if index not in ids:
                findings.append(at(seen, pointer="/output_index", expected="that of an item added before", got=shown(index)))
            elif data["item_id"] != ids[index]:
                findings.append(at(seen, pointer="/item_id", expected=shown(ids[index]), got=shown(data["item_id"])))
    return (
        conclude(findings, f"{met} events name the item they are about")
        if met
        else Inconclusive("no event with an item_id reached the client")
    )


def check_while_open(exchange: Exchange) -> Verdict:
    open_items: set[Any] = set()
    met = 0
    findings = []
    for seen in events(exchange.client_events):
        index = seen.data.get("output_index")
        if kind(seen) == _ADDED:
            open_items.add(index)
        elif kind(seen) == _DONE:
            open_items.discard(index)
        elif "output_index" in seen.data:
            met += 1
            if index not in open_items:
                findings.append(
                    at(seen, pointer="/output_index", expected=f"one of the open items, {sorted(map(str, open_items))}", got=shown(index))
                )
    return conclude(findings, f"{met} events about an open item") if met else Inconclusive("no event inside an item reached the client")


_PARTS: Final = {  # the event that opens a part, the one that closes it, and the stems of those in between
    "response.content_part": ("response.output_text", "response.refusal", "response.reasoning_text"),
    "response.reasoning_summary_part": ("response.reasoning_summary_text",),
}


def check_parts_paired(exchange: Exchange) -> Verdict:
    if not whole_stream(exchange):
        return _CUT
    pairs = 0
    findings = []
    for opener, stems in _PARTS.items():
        open_parts: dict[Place, Seen] = {}
        known: set[Place] = set()
        for seen in events(exchange.client_events):
            here, name = place(seen), kind(seen)
            if name == f"{opener}.added":
                if here in known:
                    findings.append(at(seen, expected="a part that was not added before", got=f"{name} again at {here}"))
                known.add(here)
                open_parts[here] = seen
            elif name == f"{opener}.done":
                pairs += 1
                if open_parts.pop(here, None) is None:
                    findings.append(at(seen, expected="an open part", got=f"{name} at {here}"))
            elif name.removesuffix(".delta").removesuffix(".done") in stems and here not in open_parts:
                findings.append(at(seen, expected=f"{opener}.added before it", got=f"{name} at {here}"))
        if not of_kind(exchange.client_events, "response.failed"):
            findings += [at(seen, expected=f"{opener}.done", got="a part that stays open") for seen in open_parts.values()]
    return conclude(findings, f"{pairs} parts added and done") if pairs or findings else Inconclusive("no content part reached the client")


def _check_joins(stems: Iterable[str], exchange: Exchange) -> Verdict:
    findings: list[Finding] = []
    whole = size = 0
    for stem in stems:
        said: dict[Place, str] = {}
        for seen in of_kind(exchange.client_events, f"{stem}.delta", f"{stem}.done"):
            here = place(seen)
            if kind(seen) == f"{stem}.delta":
                said[here] = said.get(here, "") + text(seen.data.get("delta"))
                continue
            whole += 1
            told, joined = text(seen.data.get(JOINED[stem])), said.pop(here, "")
            size += len(joined)
            if told != joined:
                expected, got = first_difference(joined, told)
                findings.append(at(seen, pointer=f"/{JOINED[stem]}", expected=f"the deltas, {expected}", got=got))
    return conclude(findings, f"{whole} texts of {size} characters are their deltas") if whole else Inconclusive("no such text was done")


check_text_joins = partial(_check_joins, _TEXTS)
check_reasoning_joins = partial(_check_joins, _REASONING)
check_arguments_join = partial(_check_joins, tuple(stem for stem in JOINED if stem not in (*_TEXTS, *_REASONING)))


def check_done_is_the_item(exchange: Exchange) -> Verdict:
    finished = {seen.data.get("output_index"): _item(seen) for seen in of_kind(exchange.client_events, _DONE)}
    met = 0
    findings = []
    for seen in events(exchange.client_events):
        item = finished.get(seen.data.get("output_index"))
        if item is None:
            continue
        for pointer, told, in_item in _twice_told(seen, item):
            met += 1
            if told != in_item:
                findings.append(at(seen, pointer=pointer, expected=f"what the finished item says, {shown(in_item)}", got=shown(told)))
    return conclude(findings, f"{met} done events say what their item says") if met else _NO_ITEM


def _twice_told(seen: Seen, item: dict[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    """What a done event says and its finished item says too: pointer, the event's word, the item's word."""
    data = seen.data
    match kind(seen):
        case "response.output_text.done" | "response.refusal.done":
            field = JOINED[kind(seen).removesuffix(".done")]
            yield f"/{field}", data.get(field), _nth(item.get("content"), data.get("content_index")).get(field)
        case "response.content_part.done":
            yield "/part", _said(data.get("part")), _said(_nth(item.get("content"), data.get("content_index")))
        case "response.reasoning_summary_text.done":
            yield "/text", data.get("text"), _nth(item.get("summary"), data.get("summary_index")).get("text")
        case "response.function_call_arguments.done" | "response.mcp_call_arguments.done":
            yield "/arguments", data.get("arguments"), item.get("arguments")
        case "response.custom_tool_call_input.done":
            yield "/input", data.get("input"), item.get("input")
        case _:
            return


def _said(part: Any) -> Any:
    """A part without its logprobs, which only the finished item has."""
    return {key: value for key, value in part.items() if key != "logprobs"} if isinstance(part, dict) else part


def _nth(values: Any, index: Any) -> dict[str, Any]:
    found = objects(values)
    return found[index] if type(index) is int and 0 <= index < len(found) else {}


def check_listed_in_the_end(exchange: Exchange) -> Verdict:
    ends = of_kind(exchange.client_events, *TERMINAL)
    answer = client_answer(exchange)
    if not ends or answer is None:
        return Inconclusive("no terminal event reached the client")
    done = {seen.data.get("output_index"): _item(seen) for seen in of_kind(exchange.client_events, _DONE)}
    listed = objects(answer.get("output"))
    if not done and not listed:
        return Inconclusive("the answer has no items")
    told = [_unsealed(done[index]) for index in sorted(done, key=lambda index: index if type(index) is int else -1)]
    findings = []
    if len(told) != len(listed):
        findings.append(
            at(ends[-1], pointer="/response/output", expected=f"the {len(told)} items that were done", got=f"{len(listed)} items")
        )
    findings += [
        at(
            ends[-1],
            pointer=f"/response/output/{index}",
            expected=first_difference(shown(one), shown(_unsealed(other)))[0],
            got=shown(_unsealed(other)),
        )
        for index, (one, other) in enumerate(zip(told, listed, strict=False))
        if one != _unsealed(other)
    ]
    return conclude(findings, f"{len(listed)} items, as they were done")


def _unsealed(value: Any) -> Any:
    """The value with every sealed blob left out, apart from that it is there."""
    if isinstance(value, dict):
        return {key: bool(item) if key in _OPAQUE else _unsealed(item) for key, item in value.items()}
    return [_unsealed(item) for item in value] if isinstance(value, list) else value


def check_annotations_told(exchange: Exchange) -> Verdict:
    said: dict[Place, list[Any]] = {}
    for seen in of_kind(exchange.client_events, "response.output_text.annotation.added"):
        said.setdefault(place(seen), []).append(seen.data.get("annotation"))
    findings = []
    listed = 0
    for seen in of_kind(exchange.client_events, "response.content_part.done"):
        part = seen.data.get("part")
        annotations = part.get("annotations") if isinstance(part, dict) else None
        told = said.get(place(seen), [])
        listed += len(annotations) if isinstance(annotations, list) else 0
        if (annotations or []) != told:
            findings.append(
                at(seen, pointer="/part/annotations", expected=f"the {len(told)} that were added: {shown(told)}", got=shown(annotations))
            )
    return (
        conclude(findings, f"{listed} annotations, each added before")
        if listed or findings
        else Inconclusive("no annotation reached the client")
    )


def _showing(*traits: str) -> Given:
    return Given(surfaces=frozenset({Surface.RESPONSES}), stream=True, without=WHOLE, also=shows(*traits))


_WITH_ITEMS: Final = Given(surfaces=frozenset({Surface.RESPONSES}), stream=True, without=WHOLE | {"failed"})
_WITH_PARTS: Final = _showing("text", "refusal", "empty")

RULES: tuple[Rule, ...] = (
    Rule(INDEX_IN_ORDER, gateway_only(check_index_in_order), _WITH_ITEMS),
    Rule(PAIRED, gateway_only(check_paired), _WITH_ITEMS),
    Rule(NAMED_BY_ID, gateway_only(check_named_by_id), _WITH_ITEMS),
    Rule(WHILE_OPEN, gateway_only(check_while_open), _WITH_ITEMS),
    Rule(PARTS_PAIRED, gateway_only(check_parts_paired), _WITH_PARTS),
    Rule(TEXT_JOINS, gateway_only(check_text_joins), _WITH_PARTS),
    Rule(ARGUMENTS_JOIN, gateway_only(check_arguments_join), _showing("tools")),
    Rule(REASONING_JOINS, gateway_only(check_reasoning_joins), _showing("summary")),
    Rule(DONE_IS_THE_ITEM, gateway_only(check_done_is_the_item), _WITH_ITEMS),
    Rule(LISTED_IN_THE_END, gateway_only(check_listed_in_the_end), _WITH_ITEMS),
    Rule(ANNOTATIONS_TOLD, gateway_only(check_annotations_told), _showing("citations")),
)
