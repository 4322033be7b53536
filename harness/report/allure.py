"""Evidence for Allure: with `--alluredir`, each item carries what was sent, what came, and what was wrong with it.

allure-pytest is optional. Where it is missing or not switched on, attaching does nothing.
"""

from types import ModuleType
from typing import Final

import pytest

from harness.exchange import Exchange, Hop, Request, Response
from harness.judged import Judged
from harness.requirement import Requirement, Severity
from harness.run_secrets import RunSecrets, mask_url
from harness.verdict import Failed

_SEVERITY: Final = {
    Severity.SECURITY: "blocker",
    Severity.SILENT_WRONG: "critical",
    Severity.COST: "critical",
    Severity.BREAKS_SDK: "normal",
    Severity.COSMETIC: "minor",
}


def active(config: pytest.Config) -> ModuleType | None:
    """The allure module, where this pytest run writes Allure results."""
    if not getattr(config.option, "allure_report_dir", None):
        return None
    import allure

    return allure


def attach(config: pytest.Config, requirement: Requirement, judged: Judged, exchange: Exchange | None, secrets: RunSecrets) -> None:
    """Attach to the item that is running. `secrets` are masked, as in a run file."""
    allure = active(config)
    if allure is None:
        return
    allure.dynamic.title(f"{requirement.id} [{judged.case}]")
    allure.dynamic.description(
        f"{requirement.text}\n\n{requirement.clause.source}, {requirement.clause.section}: {requirement.clause.says}"
    )
    allure.dynamic.severity(_SEVERITY[requirement.severity])
    allure.dynamic.parameter("model", judged.model)
    allure.dynamic.feature(requirement.id.rpartition("/")[0])
    text = allure.attachment_type.TEXT
    if isinstance(judged.verdict, Failed):
        findings = "\n".join(str(finding) for finding in judged.verdict.findings)
        allure.attach(secrets.mask(_bytes(findings)), "findings", text)
    if exchange is None:
        return
    hops = _hops(exchange)
    for _, hop in hops:
        secrets.learn_from(hop.request.target, hop.request.headers)
    for name, hop in hops:
        allure.attach(request_bytes(hop.request, secrets), f"{name}: request", text)
        if hop.response is not None:
            allure.attach(response_bytes(hop.response, secrets), f"{name}: response", text)


def _hops(exchange: Exchange) -> list[tuple[str, Hop]]:
    """Every hop with its name, in order."""
    if not exchange.steps:
        return [("client", exchange.client), *((f"upstream {number}", hop) for number, hop in enumerate(exchange.upstream, 1))]
    return [
        (f"{step.name}, {side} {number}", hop)
        for step in exchange.steps
        for side, hops in (("client", step.calls), ("upstream", step.upstream))
        for number, hop in enumerate(hops, 1)
    ]


def request_bytes(request: Request, secrets: RunSecrets) -> bytes:
    """The request as one reads it: head, blank line, body as it was sent."""
    return _message(f"{request.method} {mask_url(request.target)}", request.headers, request.body, secrets)


def response_bytes(response: Response, secrets: RunSecrets) -> bytes:
    """The response as one reads it: head, blank line, body after content-decoding."""
    return _message(f"HTTP {response.status}", response.headers, response.text, secrets)


def _message(first: str, headers: tuple[tuple[str, str], ...], body: bytes, secrets: RunSecrets) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in secrets.headers(headers))]
    return secrets.mask(_bytes("\n".join(lines)) + b"\n\n" + body)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
