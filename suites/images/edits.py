"""Edits: pictures sent in a form, what reaches the vendor of them, what comes back, and what that costs."""

import re
import struct
import zlib
from typing import Final

from harness.case import MARKER, Case, Play, Step, Surface
from harness.exchange import Exchange, Hop, StepSeen, value
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause
from suites.images.made import decoded, images_of, items_of
from suites.steps import at, failed, new_rows, not_called, row_of, status, unmet

BOUNDARY: Final = "wireproof-edit-7d1f"
_FORM: Final = (("content-type", f"multipart/form-data; boundary={BOUNDARY}"),)


def _picture(grey: int) -> bytes:
    """One pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes([0, grey]), 0)) + chunk(b"IEND", b"")


PICTURES: Final = (_picture(40), _picture(200))
MASK: Final = _picture(90)


def form(fields: dict[str, str], files: tuple[tuple[str, bytes], ...]) -> bytes:
    """As the official SDKs write it. Braces stand for something in a step's body, so no file may have any."""
    parts = [f'content-disposition: form-data; name="{name}"\r\n\r\n{text}'.encode() for name, text in fields.items()]
    parts += [
        f'content-disposition: form-data; name="{name}"; filename="{number}.png"\r\ncontent-type: image/png\r\n\r\n'.encode() + data
        for number, (name, data) in enumerate(files)
    ]
    edge = f"--{BOUNDARY}".encode()
    return b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"


def _edit(name: str, files: tuple[tuple[str, bytes], ...], plays: tuple[Play, ...], count: int = 1, **more: str) -> Step:
    fields = {
        "model": "{model}",
        "prompt": f"The same with a red roof. {MARKER}",
        "n": str(count),
        "size": "1024x1024",
        "quality": "medium",
        **more,
    }
    return Step(name=name, surface=Surface.IMAGES, path="/v1/images/edits", headers=_FORM, body=form(fields, files), plays=plays)


_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{20,}={0,2}")
_ONE: Final = (Play(recording="images/one"),)
_TWO_FILES: Final = (("image[]", PICTURES[0]), ("image[]", PICTURES[1]), ("mask", MASK))
_ASKED: Final = {"edit": 1, "edit-partial": 3, "edit-link": 1}

CASES: tuple[Case, ...] = (
    Case(
        id="images/edited",
        surface=Surface.IMAGES,
        play=None,
        steps=(
            _edit("edit", _TWO_FILES, _ONE, response_format="b64_json"),
            _edit("edit-partial", (("image", PICTURES[0]),), (Play(recording="images/partial"),), 3, response_format="b64_json"),
            _edit("edit-link", (("image", PICTURES[0]),), _ONE),
            _edit("edit-nothing", (), ()),
        ),
        traits=frozenset({"one-model", "images-edited"}),
        account=True,
    ),
)


FORWARDED = Requirement(
    id="images/edit-forwarded",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("9", "Images: POST /v1/images/generations, /v1/images/edits, synchronous"),
    text="Each picture of an edit, and its mask, reaches the vendor byte for byte, with the prompt.",
    claims=("contract:009",),
)
DELIVERED = Requirement(
    id="images/edit-delivered",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("9, 211", "{created, data:[{url, revised_prompt}]}"),
    text="What the vendor made of an edit comes back, in the answer or by link as was asked.",
    claims=("contract:009", "contract:211"),
)
BILLED = Requirement(
    id="images/edit-billed-by-the-image",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("159, 169", "Image: per image, n multiplies; an undeliverable asset counts as a failure"),
    text="An edit costs each image that was delivered, as a generation does, and nothing for one that is missing.",
    claims=("contract:159", "contract:169"),
)
NEEDS_PICTURE = Requirement(
    id="images/edit-needs-a-picture",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("203", "400 invalid_param"),
    text="An edit of nothing is refused by name, before a vendor is called.",
    claims=("contract:203",),
)


def _sent(seen: StepSeen) -> Hop | None:
    return seen.upstream[0] if seen.upstream else None


def check_forwarded(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "edit", "edit-partial")) is not None:
        return why
    findings = []
    for name, files in (("edit", (*PICTURES, MASK)), ("edit-partial", PICTURES[:1])):
        seen = exchange.step(name)
        hop = _sent(seen)
        if hop is None:
            findings.append(at(seen, expected="a call of the vendor", got=f"none, and status {seen.status}"))
            continue
        body = hop.request.body
        kind = value(hop.request.headers, "content-type") or ""
        here = [file in body or _in_base64(file, body) for file in files]
        if not all(here):
            findings.append(Finding(side=Side.UPSTREAM, expected=f"{len(files)} pictures", got=f"{sum(here)} of them, as {kind[:40]}"))
        if b"a red roof" not in body:
            findings.append(Finding(side=Side.UPSTREAM, expected="the prompt", got="a form without it"))
    return conclude(findings, "three pictures and one, with their prompts")


def _in_base64(file: bytes, body: bytes) -> bool:
    """A vendor that takes no forms has it so."""
    return any(decoded(word.decode("ascii")) == file for word in _BASE64.findall(body))


def check_delivered(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "edit", "edit-link")) is not None:
        return why
    edit, link = exchange.step("edit"), exchange.step("edit-link")
    made, came = [image for hop in edit.upstream for image in images_of(hop.response)], images_of(edit.answer)
    findings = [] if came and came == made else [at(edit, expected=f"the vendor's {len(made)} image", got=f"{len(came)} of other bytes")]
    urls = [item.get("url") for item in items_of(link.answer)]
    if len(urls) != 1 or not isinstance(urls[0], str) or not urls[0]:
        findings.append(at(link, expected="one link", got=f"{len([url for url in urls if url])}", pointer="/data/0/url"))
    return conclude(findings, "one in the answer, one by link")


def check_billed(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, *_ASKED)) is not None:
        return why
    if exchange.account is None:
        return Inconclusive("the account was not read")
    one = row_of(exchange, exchange.step("edit"))
    if one is None or not one.cost_micro_usd:
        return conclude([Finding(side=Side.ACCOUNT, expected="a row of the one image", got="none, or one without a cost")], "")
    findings = []
    for name in _ASKED:
        seen = exchange.step(name)
        row, count = row_of(exchange, seen), len(items_of(seen.answer))
        wanted, got = one.cost_micro_usd * count, row.cost_micro_usd if row is not None else 0
        if got != wanted:
            findings.append(Finding(side=Side.ACCOUNT, expected=f"{wanted} micro-USD for {count} images", got=f"{got} micro-USD"))
    total = sum(row.cost_micro_usd for row in new_rows(exchange).values())
    if exchange.account.charged_micro_usd != total:
        told = f"{exchange.account.charged_micro_usd} micro-USD"
        findings.append(Finding(side=Side.ACCOUNT, expected=f"{total} micro-USD, as the rows say", got=told))
    return conclude(findings, f"{one.cost_micro_usd} micro-USD an image")


def check_needs_picture(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "edit-nothing")) is not None:
        return why
    seen = exchange.step("edit-nothing")
    return conclude([*status(seen, 400), *not_called(seen)], "400 for an edit of nothing")


_ON: Final = Given(surfaces=frozenset({Surface.IMAGES}), steps=True, traits=frozenset({"images-edited"}))

RULES: tuple[Rule, ...] = (
    Rule(FORWARDED, check_forwarded, _ON),
    Rule(DELIVERED, check_delivered, _ON),
    Rule(BILLED, check_billed, _ON),
    Rule(NEEDS_PICTURE, check_needs_picture, _ON),
)
