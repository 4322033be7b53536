"""Recorded vendor traffic through the native routes: every answer of a served surface reaches the caller byte for byte."""

import json
from pathlib import Path

from harness.tests import corpus
from harness.tests.corpus import Recorded
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import request

SURFACES = {"chat": Surface.CHAT, "responses": Surface.RESPONSES, "messages": Surface.MESSAGES, "gemini": Surface.GEMINI}
NOT_SERVED = ("/input_items", "/input_tokens", "/cancel", "/compact", "response.deleted")
CUT = "without the vendor's end mark"


def cut(case: Recorded) -> bool:
    return CUT in str(json.loads(case.file.read_bytes())["notes"])


def served(case: Recorded) -> bool:
    return (
        case.api in SURFACES and not any(word in str(case.request["path"]) for word in NOT_SERVED) and b"response.deleted" not in case.body
    )


async def test_recorded_answers_reach_the_caller_byte_for_byte(tmp_path: Path) -> None:
    cases = {case.id: case for case in corpus.exchanges() if served(case)}

    async def script(call: Upstream) -> None:
        case = cases[call.header("x-stainless-case")[0]]
        if case.is_sse:
            await call.head(case.status or 200)
            for start in range(0, len(case.body), 4096):
                await call.chunk(case.body[start : start + 4096])
            await call.end()
        else:
            await call.answer(case.body, case.status or 200)

    unbilled = 0
    async with stage(tmp_path, script, balance_usd="10000.00") as s:
        for case in cases.values():
            surface = SURFACES[case.api]
            path, body, headers = request(surface, stream=case.is_sse)
            if surface is Surface.GEMINI and case.body.lstrip().startswith(b"["):
                path = path.replace(":generateContent", ":streamGenerateContent")
            before = await s.spent()
            answer = await s.post(path, body, x_stainless_case=case.id, **headers)
            spent = await s.spent() - before
            assert answer.status == (case.status or 200), case.id
            if cut(case):  # an honest recording of a stream that broke: it must be told so, and cost nothing
                assert answer.body.startswith(case.body), case.id
                assert b'"error"' in answer.body[len(case.body) :], case.id
                assert spent == 0, case.id
                continue
            assert answer.body == case.body, case.id
            if answer.status >= 400:
                assert spent == 0, case.id
            else:
                unbilled += not spent
    assert len(cases) > 700
    assert unbilled < 20  # answers of no output, blocked prompts, responses that were only queued
