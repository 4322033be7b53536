"""Structured output: whether what the answer says is JSON by the schema that the client itself sent."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jsonschema_rs

from harness.verdict import Failed, Finding, Inconclusive, Verdict
from suites.evidence import conclude, shown


def obeys(said: str, wanted: dict[str, Any]) -> Verdict:
    """`said` is the answer's whole text; a schema that cannot be read is the client's fault and judges nothing."""
    try:
        validator = jsonschema_rs.Draft202012Validator(wanted)
    except (ValueError, jsonschema_rs.ValidationError) as wrong:
        return Inconclusive(f"the client's own schema cannot be read: {str(wrong)[:200]}")
    try:
        value = json.loads(said)
    except ValueError as wrong:
        return Failed(Finding(expected="JSON", got=f"{shown(said)} ({wrong})"))
    findings = [
        Finding(
            expected=f"what the client's schema asks: {error.message[:200]}",
            got=shown(value),
            pointer="".join(f"/{step}" for step in error.instance_path),
        )
        for error in validator.iter_errors(value)
    ]
    return conclude(findings, f"{len(said)} characters of JSON that obey the client's schema")


def all_obey(texts: Sequence[tuple[str, str]], wanted: dict[str, Any]) -> Verdict:
    """Every text of an answer, each with its JSON pointer. None at all judges nothing."""
    if not texts:
        return Inconclusive("no text was finished")
    findings = []
    for pointer, said in texts:
        match obeys(said, wanted):
            case Inconclusive() as unread:
                return unread
            case Failed(findings=wrong):
                findings += [replace(finding, pointer=f"{pointer}{finding.pointer or ''}") for finding in wrong]
            case _:
                pass
    return conclude(findings, f"{len(texts)} texts are JSON as the client asked for")
