"""What an image request is answered with, and what it costs."""

import base64
import binascii
from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, Response, StepSeen, value
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.schema import findings as schema_findings
from harness.verdict import Failed, Finding, Inconclusive, Side, Verdict
from suites.errors.reading import said
from suites.evidence import conclude, contract_clause, in_books, shown
from suites.steps import at, failed, header, json_of, new_rows, not_called, row_of, status, unmet

_ASKED: Final = {"one": 1, "three": 3, "partial": 3, "link": 1}


SHAPE = Requirement(
    id="images/shape",
    severity=Severity.BREAKS_SDK,
    basis=Basis.SCHEMA,
    clause=Clause(source="openai-images", section="The image generation response", says="created, data: the list of generated images"),
    text="Images are answered in OpenAI's form, whatever vendor made them.",
    claims=("contract:009", "contract:210", "contract:211"),
)
AS_ASKED = Requirement(
    id="images/delivered-as-asked",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("210 to 212", "data[0].url present; n 1 to 4; url or b64_json"),
    text="As many images come as were asked for, in the answer or by link as was asked.",
    claims=("contract:210", "contract:211", "contract:212"),
)
BYTES = Requirement(
    id="images/bytes-kept",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("211", "{created, data:[{url, revised_prompt}]}"),
    text="Each image is the very one that the vendor made, byte for byte and in order.",
    claims=("contract:211",),
)
LINK = Requirement(
    id="images/link",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("211", "URL presigned, 24 h"),
    text="The link leads to the image without a key, under the content type of an image.",
    claims=("contract:159", "contract:211"),
)
FORGED = Requirement(
    id="images/link-not-forged",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("211", "URL presigned, 24 h"),
    text="A link that was changed leads nowhere.",
    claims=("contract:211",),
)
PER_IMAGE = Requirement(
    id="images/billed-by-the-image",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("169, 212", "Image: per image, n multiplies; each billed"),
    text="What is billed is each image that was delivered: three cost thrice as much as one, and one that is missing nothing.",
    claims=("contract:159", "contract:169", "contract:212"),
)
PARTIAL = Requirement(
    id="images/partial-declared",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("159, 212", "an undeliverable asset counts as a failure; n images, each billed"),
    text="Where fewer images come than were asked for, the answer says so.",
    claims=("contract:159", "contract:212"),
)
BLOCKED = Requirement(
    id="images/blocked-451",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("208", "451 for a safety-blocked image or video prompt, unbilled"),
    text="A prompt that the vendor's safety system refuses is answered 451 in OpenAI's envelope.",
    claims=("contract:200", "contract:208"),
)
FREE = Requirement(
    id="images/failure-is-free",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("153, 159, 208", "Failures never bill; moderation rejection counts as a failure"),
    text="What was blocked, refused or failed costs nothing and has no row.",
    claims=("contract:153", "contract:159", "contract:208"),
)
BOUNDED = Requirement(
    id="images/count-bounded",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("212", "n 1 to 4"),
    text="More images than four at a time are refused by name, before a vendor is called.",
    claims=("contract:203", "contract:212"),
)
SDK_READS = Requirement(
    id="images/sdk-reads",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-python", section="images.generate", says="returns an ImagesResponse with its data"),
    text="The official SDK reads every image of the answer.",
    claims=("contract:005", "contract:210"),
)


def items_of(response: Response | None) -> list[dict[str, Any]]:
    document = response.json if response is not None else None
    data = document.get("data") if isinstance(document, dict) else None
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def images_of(response: Response | None) -> list[bytes]:
    """The images that stand in the answer itself."""
    return [image for item in items_of(response) if (image := decoded(item.get("b64_json"))) is not None]


def decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except binascii.Error:
        return None


def _made(seen: StepSeen) -> list[bytes]:
    """The images that the vendor gave for the step."""
    return [image for hop in seen.upstream for image in images_of(hop.response)]


def check_shape(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "one", "three", "link")) is not None:
        return why
    findings = []
    for name in ("one", "three", "link"):
        seen = exchange.step(name)
        wrong = status(seen, 200) or [
            at(seen, expected=each.expected, got=each.got, pointer=each.pointer)
            for each in schema_findings("images/response", json_of(seen))
        ]
        findings += wrong
    return conclude(findings, "three answers in OpenAI's form")


def check_as_asked(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "one", "three", "link")) is not None:
        return why
    findings = []
    for name, form in (("one", "b64_json"), ("three", "b64_json"), ("link", "url")):
        seen = exchange.step(name)
        found = [item for item in items_of(seen.answer) if isinstance(item.get(form), str) and item[form]]
        if len(found) != _ASKED[name]:
            findings.append(at(seen, expected=f"{_ASKED[name]} with {form}", got=f"{len(found)}", pointer="/data"))
    return conclude(findings, "1, 3 and 1 images, as asked")


def check_bytes(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "one", "three", "partial")) is not None:
        return why
    findings, seen_images = [], 0
    for name in ("one", "three", "partial"):
        seen = exchange.step(name)
        made, came = _made(seen), images_of(seen.answer)
        seen_images += len(came)
        if came != made:
            sizes = f"images of {[len(image) for image in made]} bytes"
            findings.append(at(seen, expected=f"the vendor's {sizes}", got=f"others, of {[len(image) for image in came]} bytes"))
    return conclude(findings, f"{seen_images} images")


def check_link(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "link")) is not None:
        return why
    if (why := unmet(exchange, "fetched")) is not None:
        return why
    seen, made = exchange.step("fetched"), _made(exchange.step("link"))
    findings = status(seen, 200)
    if seen.answer is not None and not findings:
        kind = value(seen.answer.headers, "content-type") or ""
        if not kind.startswith("image/"):
            findings.append(at(seen, expected="content-type image/…", got=shown(kind)))
        if made and seen.answer.text != made[0]:
            findings.append(at(seen, expected=f"the vendor's {len(made[0])} bytes", got=f"{len(seen.answer.text)} others"))
    return conclude(findings, "the image, without a key")


def check_forged(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "link", "fetched")) is not None:
        return why
    if (why := unmet(exchange, "forged")) is not None:
        return why
    return conclude(status(exchange.step("forged"), 400, 401, 403, 404), f"status {exchange.step('forged').status}")


def check_per_image(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "one", "three", "partial")) is not None:
        return why
    if exchange.account is None:
        return Inconclusive("the account was not read")
    one = row_of(exchange, exchange.step("one"))
    if one is None or not one.cost_micro_usd:
        return conclude([in_books("a row of the one image", "none, or one without a cost")], "")
    findings = []
    for name in ("three", "partial"):
        seen = exchange.step(name)
        row, count = row_of(exchange, seen), len(items_of(seen.answer))
        wanted, got = one.cost_micro_usd * count, row.cost_micro_usd if row is not None else 0
        if got != wanted:
            findings.append(in_books(f"{wanted} micro-USD for {count} images", f"{got} micro-USD"))
    total = sum(row.cost_micro_usd for row in new_rows(exchange).values())
    if exchange.account.charged_micro_usd != total:
        findings.append(in_books(f"{total} micro-USD, as the rows say", f"{exchange.account.charged_micro_usd} micro-USD"))
    return conclude(findings, f"{one.cost_micro_usd} micro-USD an image")


def check_partial(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "partial")) is not None:
        return why
    seen = exchange.step("partial")
    count = len(items_of(seen.answer))
    if seen.status != 200 or count >= _ASKED["partial"]:
        return Inconclusive(f"answered {seen.status} with {count} images")
    document = json_of(seen)
    told = [name for name in ("errors", "error", "warnings", "warning") if isinstance(document, dict) and document.get(name)]
    told += [name for name, text in (seen.answer.headers if seen.answer else ()) if "delivered" in name.lower() and text.isdigit()]
    wrong = [] if told else [at(seen, expected=f"a word on the {_ASKED['partial'] - count} missing images", got=shown(document))]
    return conclude(wrong, f"{count} of {_ASKED['partial']}, told in {', '.join(told)}")


def check_blocked(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "blocked")) is not None:
        return why
    seen = exchange.step("blocked")
    cause = said("openai", json_of(seen))
    findings = status(seen, 451)
    if cause is None or not cause.message or not cause.type:
        findings.append(at(seen, expected="the OpenAI error envelope", got=shown(json_of(seen)), pointer="/error"))
    return conclude(findings, f"451 {cause.code if cause else ''}")


def check_free(exchange: Exchange) -> Verdict:
    names = ("blocked", "failed", "too-many")
    if (why := unmet(exchange, *names)) is not None:
        return why
    if exchange.account is None or exchange.account.new_rows is None:
        return Inconclusive("the account was not read")
    refused = [exchange.step(name) for name in names if (exchange.step(name).status or 0) >= 400]
    findings = [
        in_books(f"no row for {seen.name}", shown(row.request_id)) for seen in refused if (row := row_of(exchange, seen)) is not None
    ]
    known = {header(seen, "x-request-id") for seen in exchange.steps if seen.status == 200}
    findings += [in_books("a row of a call that succeeded", shown(name)) for name in new_rows(exchange) if name not in known]
    return conclude(findings, f"{len(refused)} refusals without a row") if refused else Inconclusive("nothing was refused")


def check_bounded(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "too-many")) is not None:
        return why
    seen = exchange.step("too-many")
    findings = [*status(seen, 400), *not_called(seen)]
    document = json_of(seen)
    error = document.get("error") if isinstance(document, dict) else None
    if not findings and (not isinstance(error, dict) or error.get("param") != "n"):
        findings.append(at(seen, expected="param n", got=shown(error), pointer="/error/param"))
    return conclude(findings, "400 for nine at a time")


def check_sdk(exchange: Exchange) -> Verdict:
    response, reading = exchange.client.response, exchange.sdk
    if response is None or not response.ok or reading is None:
        return Inconclusive("no images reached the SDK")
    if reading.error is not None:
        return Failed(Finding(side=Side.SDK, expected="no exception", got=f"{reading.error.type}: {reading.error.message}"[:200]))
    read = reading.final.get("data") if isinstance(reading.final, dict) else None
    images = [_place(item) for item in read or () if isinstance(item, dict)]
    wanted = [_place(item) for item in items_of(response)]
    wrong = [] if images and images == wanted else [Finding(side=Side.SDK, expected=f"{len(wanted)} images", got=f"{len(images)} others")]
    return conclude(wrong, f"{len(images)} images")


def _place(item: dict[str, Any]) -> Any:
    return item.get("b64_json") or item.get("url")


_ON: Final = Given(surfaces=frozenset({Surface.IMAGES}), steps=True, traits=frozenset({"images-made"}))

RULES: tuple[Rule, ...] = (
    Rule(SHAPE, check_shape, _ON),
    Rule(AS_ASKED, check_as_asked, _ON),
    Rule(BYTES, check_bytes, _ON),
    Rule(LINK, check_link, _ON),
    Rule(FORGED, check_forged, _ON),
    Rule(PER_IMAGE, check_per_image, _ON),
    Rule(PARTIAL, check_partial, _ON),
    Rule(BLOCKED, check_blocked, _ON),
    Rule(FREE, check_free, _ON),
    Rule(BOUNDED, check_bounded, _ON),
    Rule(SDK_READS, check_sdk, Given(surfaces=frozenset({Surface.IMAGES}), sdk=True, traits=frozenset({"images-sdk"}))),
)
