"""Gateways that do not know what Google's image models and Ark's videos are: drafts handed on, refusals taken for images, seconds lost."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.mutation.mutant import Answer, Ask, Books, Leg, Mutant, ask_body, on_json
from harness.mutation.mutants.limits import instead

Value = dict[str, Any]

_GENERATE = "/v1beta/models/*:generateContent"
_TASKS = "/api/v3/contents/generations/tasks"
_FILES = "/v1/images/files/*"


def _config(change: Callable[[Value], None]) -> Callable[[Ask], Ask]:
    """`change` works on what a generateContent says of its answer's form."""

    def apply(ask: Ask) -> Ask:
        body = json.loads(ask.body)
        change(body.get("generationConfig", {}))
        return ask_body(lambda _: body)(ask)

    return apply


def _words_only(config: Value) -> None:
    config["responseModalities"] = ["TEXT"]


def _any_ratio(config: Value) -> None:
    config.pop("imageConfig", None)


def _without_picture(ask: Ask) -> Ask:
    body = json.loads(ask.body)
    parts = body["contents"][0]["parts"]
    body["contents"][0]["parts"] = [part for part in parts if "inlineData" not in part]
    return ask_body(lambda _: body)(ask) if len(body["contents"][0]["parts"]) < len(parts) else ask


def _drafts_for_images(answer: Answer) -> Answer:
    """The model's thoughts as if it had said them: the first picture is a draft."""

    def change(document: Value) -> Value:
        for candidate in document.get("candidates", ()):
            for part in candidate.get("content", {}).get("parts", ()):
                part.pop("thought", None)
        return document

    return on_json(change)(answer) if answer.status == 200 and b'"thought"' in answer.body else answer


def _silent_on_the_rest(answer: Answer) -> Answer:
    if answer.status != 200:
        return answer
    return on_json(lambda document: {name: kept for name, kept in document.items() if name != "errors"})(answer)


def _by_the_request(books: Books) -> Books:
    """Every row at the price of the cheapest: that of one image."""
    own = [row["cost_micro_usd"] for row in books.rows if row["request_id"] in books.request_ids]
    rows = [{**row, "cost_micro_usd": min(own)} if row["request_id"] in books.request_ids else row for row in books.rows]
    return replace(books, rows=rows)


def _usual_length(ask: Ask) -> Ask:
    return ask_body(lambda body: {name: kept for name, kept in body.items() if name != "duration"})(ask) if ask.body else ask


def _shorter_than_asked(answer: Answer) -> Answer:
    """What lasts eight seconds counted as six: the price of a second is wrong, or that of a video."""

    def change(document: Value) -> Value:
        return {**document, "duration": 6} if document.get("duration") == 8 else document

    return on_json(change)(answer) if b'"duration"' in answer.body else answer


def _found_after_all(answer: Answer) -> Answer:
    """Some video in the place of the one that was not to be had."""
    if answer.status != 404:
        return answer
    boxes = struct.pack(">I", 24) + b"ftypmp42" + bytes(4) + b"mp42isom" + struct.pack(">I", 8) + b"mdat"
    return replace(answer, status=200, headers=(("content-type", "video/mp4"),), body=boxes)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="images-gemini-words-asked",
        requirement="images/gemini-asked",
        text="Does not say that the answer shall be an image.",
        leg=Leg.UPSTREAM,
        ask=_config(_words_only),
        paths=_GENERATE,
    ),
    Mutant(
        id="images-gemini-edit-of-nothing",
        requirement="images/gemini-asked",
        text="Sends an edit on without its picture.",
        leg=Leg.UPSTREAM,
        ask=_without_picture,
        paths=_GENERATE,
    ),
    Mutant(
        id="images-gemini-any-ratio",
        requirement="images/gemini-size",
        text="Leaves the size out, which generateContent has no member for.",
        leg=Leg.UPSTREAM,
        ask=_config(_any_ratio),
        paths=_GENERATE,
    ),
    Mutant(
        id="images-gemini-draft",
        requirement="images/gemini-delivered",
        text="Hands on the first picture of an answer, though it is a draft among the model's thoughts.",
        leg=Leg.UPSTREAM,
        answer=_drafts_for_images,
        paths=_GENERATE,
    ),
    Mutant(
        id="images-gemini-blocked-502",
        requirement="images/gemini-blocked-451",
        text="Takes an answer without an image for a broken one, whatever it says.",
        answer=instead(502, 451),
    ),
    Mutant(
        id="images-gemini-words-unsaid",
        requirement="images/gemini-words-are-no-image",
        text="Says nothing of an image in whose place there were words.",
        answer=_silent_on_the_rest,
        paths="/v1/images/generations",
    ),
    Mutant(
        id="images-gemini-priced-by-request",
        requirement="images/gemini-billed",
        text="Lists a request for three images at the price of one.",
        books=_by_the_request,
    ),
    Mutant(
        id="tasks-video-of-any-length",
        requirement="tasks/video-asked",
        text="Does not tell the vendor how many seconds are wanted.",
        leg=Leg.UPSTREAM,
        ask=_usual_length,
        paths=_TASKS,
    ),
    Mutant(
        id="tasks-video-as-download",
        requirement="tasks/video-delivered",
        text="Hands a video out as bytes of no known kind.",
        answer=lambda answer: replace(answer, headers=(("content-type", "application/octet-stream"),)) if answer.status == 200 else answer,
        paths=_FILES,
    ),
    Mutant(
        id="tasks-video-seconds-miscounted",
        requirement="tasks/video-billed-by-the-second",
        text="Bills other seconds than were made.",
        leg=Leg.UPSTREAM,
        answer=_shorter_than_asked,
        paths=f"{_TASKS}/*",
    ),
    Mutant(
        id="tasks-video-lost-billed",
        requirement="tasks/video-lost-is-free",
        text="Takes whatever stands at the vendor's link for the video.",
        leg=Leg.UPSTREAM,
        answer=_found_after_all,
        paths="/videos/*",
    ),
)
