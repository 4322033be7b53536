"""Field by field: what the upstream sent, and what the client got for it."""

from collections.abc import Sequence
from typing import Any

from harness.exchange import Seen
from harness.verdict import Finding, Inconclusive, Verdict
from suites.evidence import conclude
from suites.values import keys_of

Pair = tuple[Any, Any, Seen | None]  # sent by the upstream, got by the client, and the client's event where there is a stream

_NOTHING = Inconclusive("there is nothing of the upstream's to compare with, event by event")


def all_kept(pairs: Sequence[Pair]) -> Verdict:
    """No field is missing, and null is null on both sides. Of an object that is gone only its own pointer is told."""
    findings = []
    fields = 0
    for sent, got, seen in pairs:
        theirs, ours = dict(keys_of(sent)), dict(keys_of(got))
        fields += len(theirs)
        for pointer, null in theirs.items():
            if pointer not in ours:
                if pointer.rpartition("/")[0] in ("", *ours):
                    findings.append(_placed("null" if null else "the field", "no such field", pointer, seen))
            elif ours[pointer] is not null:
                findings.append(_placed("null" if null else "a value", "a value" if null else "null", pointer, seen))
    return conclude(findings, f"all of {fields} fields in {len(pairs)} objects") if pairs else _NOTHING


def none_added(pairs: Sequence[Pair]) -> Verdict:
    """No field that the upstream did not send."""
    findings = []
    for sent, got, seen in pairs:
        theirs = dict(keys_of(sent))
        for pointer, _ in keys_of(got):
            if pointer not in theirs and pointer.rpartition("/")[0] in ("", *theirs):
                findings.append(_placed("no such field", "one", pointer, seen))
    return conclude(findings, f"nothing beside the upstream's fields in {len(pairs)} objects") if pairs else _NOTHING


def _placed(expected: str, got: str, pointer: str, seen: Seen | None) -> Finding:
    return Finding(expected=expected, got=got, pointer=pointer, frame=seen.frame if seen else None, offset=seen.offset if seen else None)
