"""Images of Google's: generateContent makes one a call, thinks in pictures, and refuses with a 200; the caller sees nothing of that."""

import base64
import binascii
from typing import Any, Final

from harness import schema
from harness.case import MARKER, Case, Fault, FaultKind, Key, Need, Play, Step, Surface
from harness.exchange import Exchange, Hop, Response, StepSeen, value
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.errors.reading import said
from suites.evidence import conclude, contract_clause, in_books, shown
from suites.images.cases import asked
from suites.images.edits import BOUNDARY, PICTURES, form
from suites.images.made import images_of, items_of
from suites.steps import at, failed, got, json_of, new_rows, row_of, status, unmet

_MODEL: Final = "{gemini-images}"
_RATIO: Final = "3:2"  # of 1536x1024
_IMAGES: Final = tuple(Play(recording=f"media/gemini-image-{number}") for number in (1, 2, 3))
_WORDS: Final = Play(recording="media/gemini-words")
_FAILS: Final = Play(recording="media/gemini-image-1", fault=Fault(kind=FaultKind.STATUS, status=500))
_ASKED: Final = {"single": 1, "several": 3, "link": 1, "edit": 1}
_REFUSED: Final = ("prompt-blocked", "image-blocked", "failing")


def _step(name: str, *plays: Play, count: int = 1, **more: Any) -> Step:
    request = {name: value for name, value in asked(count, **more).items() if name != "quality"} | {"size": "1536x1024"}
    return Step(name=name, surface=Surface.IMAGES, model=_MODEL, request=request, plays=plays)


def _edit() -> Step:
    fields = {"model": _MODEL, "prompt": f"A lighthouse with a red roof. {MARKER}", "size": "1536x1024", "response_format": "b64_json"}
    headers = (("content-type", f"multipart/form-data; boundary={BOUNDARY}"),)
    body = form(fields, (("image", PICTURES[0]),))
    return Step(name="edit", surface=Surface.IMAGES, path="/v1/images/edits", headers=headers, body=body, plays=_IMAGES[1:2])


CASES: tuple[Case, ...] = (
    Case(
        id="images/gemini",
        surface=Surface.IMAGES,
        play=None,
        steps=(
            _step("single", _IMAGES[0]),
            _step("several", *_IMAGES, count=3),
            _step("some", _IMAGES[0], _WORDS, count=2),
            _step("link", _IMAGES[2], form="url"),
            got("fetched", "{link:/data/0/url}", key=Key.MISSING),
            _edit(),
            _step("prompt-blocked", Play(recording="gemini/blocked")),
            _step("image-blocked", Play(recording="media/gemini-image-safety")),
            _step("failing", _FAILS),
        ),
        needs=frozenset({Need.GEMINI_IMAGES}),
        traits=frozenset({"one-model", "images-gemini"}),
        account=True,
    ),
)


ASKED = Requirement(
    id="images/gemini-asked",
    severity=Severity.SILENT_WRONG,
    basis=Basis.SCHEMA,
    clause=Clause(
        source="gemini-generate-content",
        section="generationConfig",
        says="responseModalities: the modalities of the response, such as IMAGE",
    ),
    text="Each image is one generateContent of its own: for an image, with the prompt and, of an edit, its picture byte for byte.",
    claims=("contract:009", "contract:210"),
)
SIZE = Requirement(
    id="images/gemini-size",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="gemini-generate-content", section="generationConfig.imageConfig", says="aspectRatio: the ratio of width to height"
    ),
    text="The size that the caller wants is asked for as the ratio that it has.",
    claims=("contract:210",),
)
DELIVERED = Requirement(
    id="images/gemini-delivered",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("210, 211", "images.generate works for nano-banana; {created, data:[{url, revised_prompt}]}"),
    text="What is delivered, in the answer or by link, is each image that the model answers with, and none that it thought with.",
    claims=("contract:210", "contract:211"),
)
BLOCKED = Requirement(
    id="images/gemini-blocked-451",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("208, 158", "451 for a safety-blocked image prompt; a 200 whose body is an error is rewritten to 4xx"),
    text="A 200 by which the model refuses the prompt, or its own image, is a 451 in OpenAI's envelope.",
    claims=("contract:158", "contract:200", "contract:208"),
)
WORDS = Requirement(
    id="images/gemini-words-are-no-image",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("159, 212", "an undeliverable asset counts as a failure; n images, each billed"),
    text="Where the model answers in words, an image is missing: the client is told of it and pays for those that came.",
    claims=("contract:159",),
)
BILLED = Requirement(
    id="images/gemini-billed",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("153, 169, 208", "Image: per image, n multiplies; failures never bill"),
    text="Each image costs the same, by whatever request it came, and what was blocked or failed nothing.",
    claims=("contract:153", "contract:169", "contract:208"),
)


def _parts(document: Any) -> list[dict[str, Any]]:
    """Of the first content of a request, or of the first candidate of an answer."""
    holders = document.get("contents") or document.get("candidates") if isinstance(document, dict) else None
    first = holders[0] if isinstance(holders, list) and holders and isinstance(holders[0], dict) else {}
    content = first.get("content", first)
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _pictures(document: Any) -> list[bytes]:
    """Those that stand among the parts, drafts of thoughts left out."""
    inline = [part.get("inlineData") for part in _parts(document) if part.get("thought") is not True]
    return [data for blob in inline if isinstance(blob, dict) and (data := _decoded(blob.get("data"))) is not None]


def _decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except binascii.Error:
        return None


def _config(hop: Hop) -> dict[str, Any]:
    body = hop.request.json
    config = body.get("generationConfig") if isinstance(body, dict) else None
    return config if isinstance(config, dict) else {}


def _up(seen: StepSeen, expected: str, found: str, pointer: str | None = None) -> Finding:
    return Finding(step=seen.name, side=Side.UPSTREAM, expected=expected, got=found, pointer=pointer)


def check_asked(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *_ASKED)) is not None:
        return why
    findings = []
    for name, count in _ASKED.items():
        seen = exchange.step(name)
        if len(seen.upstream) != count:
            findings.append(_up(seen, f"{count} calls", f"{len(seen.upstream)}"))
        for hop in seen.upstream:
            if not hop.request.path.endswith(":generateContent"):
                findings.append(_up(seen, "a call of generateContent", hop.request.path))
                continue
            findings += [_up(seen, each.expected, each.got, each.pointer) for each in schema.findings("gemini/request", hop.request.json)]
            wanted = _config(hop).get("responseModalities")
            if not isinstance(wanted, list) or "IMAGE" not in wanted:
                findings.append(_up(seen, "IMAGE", shown(wanted), "/generationConfig/responseModalities"))
            texts = [text for part in _parts(hop.request.json) if isinstance(text := part.get("text"), str)]
            if not any("A lighthouse" in text for text in texts):
                findings.append(_up(seen, "the prompt", shown(texts), "/contents/0/parts"))
            if name == "edit" and _pictures(hop.request.json) != [PICTURES[0]]:
                findings.append(_up(seen, "the picture", f"{len(_pictures(hop.request.json))} others", "/contents/0/parts"))
    return conclude(findings, f"{sum(_ASKED.values())} calls for as many images")


def check_size(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "single", "edit")) is not None:
        return why
    findings = []
    for name in ("single", "edit"):
        for hop in exchange.step(name).upstream:
            shape = _config(hop).get("imageConfig")
            if not isinstance(shape, dict) or shape.get("aspectRatio") != _RATIO:
                findings.append(_up(exchange.step(name), f"aspectRatio {_RATIO}", shown(shape), "/generationConfig/imageConfig"))
    return conclude(findings, f"{_RATIO} for 1536x1024")


def _made(seen: StepSeen) -> list[bytes]:
    """What the vendor made for the step. Several calls go out at once, so their order tells nothing."""
    return sorted(image for hop in seen.upstream if hop.response is not None for image in _pictures(hop.response.json))


def check_delivered(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *_ASKED, "fetched")) is not None:
        return why
    findings, images = [], 0
    for name in ("single", "several", "edit"):
        seen = exchange.step(name)
        made, came = _made(seen), sorted(images_of(seen.answer))
        images += len(came)
        if not came or came != made:
            findings.append(at(seen, expected=f"the model's {len(made)} images", got=f"{len(came)}, not the same", pointer="/data"))
    fetched: Response | None = exchange.step("fetched").answer
    if fetched is not None and (
        [fetched.text] != _made(exchange.step("link")) or not (value(fetched.headers, "content-type") or "").startswith("image/")
    ):
        findings.append(at(exchange.step("fetched"), expected="the model's image", got=f"{len(fetched.text)} other bytes"))
    return conclude(findings, f"{images} images in answers, one by link")


def check_blocked(exchange: Exchange) -> Verdict:
    names = ("prompt-blocked", "image-blocked")
    if (why := unmet(exchange, *names)) is not None:
        return why
    findings = []
    for name in names:
        seen = exchange.step(name)
        cause = said("openai", json_of(seen))
        findings += status(seen, 451)
        if cause is None or not cause.message or not cause.type:
            findings.append(at(seen, expected="the OpenAI error envelope", got=shown(json_of(seen)), pointer="/error"))
    return conclude(findings, "451 for the prompt and for the image")


def check_words(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "single", "some")) is not None:
        return why
    seen, document = exchange.step("some"), json_of(exchange.step("some"))
    findings = []
    if len(images_of(seen.answer)) != 1:
        findings.append(at(seen, expected="one image", got=f"{len(items_of(seen.answer))}", pointer="/data"))
    if not (isinstance(document, dict) and any(document.get(name) for name in ("errors", "error", "warnings", "warning"))):
        findings.append(at(seen, expected="a word on the missing image", got=shown(document)))
    one, row = row_of(exchange, exchange.step("single")), row_of(exchange, seen)
    if exchange.account is not None and one is not None and (row is None or row.cost_micro_usd != one.cost_micro_usd):
        findings.append(in_books(f"{one.cost_micro_usd} micro-USD for one image", f"{row.cost_micro_usd if row else 0} micro-USD"))
    return conclude(findings, "one of two, told and billed as one")


def check_billed(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *_ASKED)) is not None:
        return why
    if (why := unmet(exchange, *_REFUSED)) is not None:
        return why
    if exchange.account is None or exchange.account.new_rows is None:
        return Inconclusive("the account was not read")
    single = row_of(exchange, exchange.step("single"))
    price = single.cost_micro_usd if single is not None else 0
    findings = [] if price else [in_books("a row of the one image, with its cost", "none")]
    for name, count in _ASKED.items():
        row = row_of(exchange, exchange.step(name))
        cost = row.cost_micro_usd if row is not None else 0
        if cost != count * price:
            findings.append(in_books(f"{count * price} micro-USD for {name}", f"{cost} micro-USD"))
    findings += [
        in_books(f"no row for {name}", shown(row.request_id))
        for name in _REFUSED
        if (row := row_of(exchange, exchange.step(name))) is not None
    ]
    total = sum(row.cost_micro_usd for row in new_rows(exchange).values())
    if exchange.account.charged_micro_usd != total:
        findings.append(in_books(f"{total} micro-USD, as the rows say", f"{exchange.account.charged_micro_usd} micro-USD"))
    return conclude(findings, f"{price} micro-USD an image, {len(_REFUSED)} refusals free")


_ON: Final = Given(surfaces=frozenset({Surface.IMAGES}), steps=True, traits=frozenset({"images-gemini"}))

RULES: tuple[Rule, ...] = (
    Rule(ASKED, check_asked, _ON),
    Rule(SIZE, check_size, _ON),
    Rule(DELIVERED, check_delivered, _ON),
    Rule(BLOCKED, check_blocked, _ON),
    Rule(WORDS, check_words, _ON),
    Rule(BILLED, check_billed, _ON),
)
