"""`wireproof recordings lint`: whether a folder of recordings may be published and is all in use."""

import hashlib
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from harness.recording import classify, redact
from harness.recording import format as recordings
from harness.recording.format import SUFFIX, Origin, Recording, RecordingError, Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong with one file."""

    path: str  # below the root
    rule: str
    says: str


def lint(root: Path, used: Set[str] | None = None) -> Iterator[Finding]:
    """Findings on every file below `root`, in the order of the paths.

    `used` are the ids that the suites' cases name; None: which are used is not known, and none is called dead.
    """
    seen: dict[str, str] = {}
    paths = sorted(path for path in root.rglob("*") if path.is_file() and SUFFIX in path.name)
    for path in paths:
        inside = path.relative_to(root).as_posix()
        yield from (Finding(path=inside, rule=rule, says=says) for rule, says in _file(path, root, seen))
        identity = inside.removesuffix(SUFFIX)
        if used is not None and identity not in used:
            yield Finding(path=inside, rule="dead", says="no case plays it: use it in a case or delete it")
    there = {path.relative_to(root).as_posix().removesuffix(SUFFIX) for path in paths}
    for missing in sorted((used or frozenset()) - there):
        yield Finding(path=missing + SUFFIX, rule="missing", says="a case plays it and it is not there: record it or mend the case")


def _file(path: Path, root: Path, seen: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not path.name.endswith(SUFFIX):
        yield "name", f"is not named *{SUFFIX}: a writer that was killed may have left it, so delete or rename it"
        return
    raw = path.read_bytes()
    # Beside the fields one by one: a secret may stand where no field is, or in a file that cannot be read.
    for secret in redact.find_secrets(raw):
        line = raw.count(b"\n", 0, secret.offset) + 1
        yield "secret", f"line {line} holds what looks like a secret ({secret.kind}): cut it, and revoke it if it was real"
    try:
        recording = recordings.load(path, root)
        recordings.check_id(recording.id)
    except RecordingError as error:
        yield "schema", str(error)
        return
    if recordings.dump(recording) != raw:
        yield "form", "is not written as our writer writes it: load and save it again"
    yield from _secrets(recording)
    yield from _labels(recording)
    digest = hashlib.sha256(
        f"{recording.status} {recording.request.method} {recording.request.path}\n".encode() + recording.body
    ).hexdigest()
    # Two prompts may well get one error body, so only the same question with the same answer is a duplicate.
    digest += hashlib.sha256(recording.request.body).hexdigest()
    if first := seen.get(digest):
        yield "duplicate", f"has the request and body of {first}: delete one"
    seen.setdefault(digest, recording.id)


def _secrets(recording: Recording) -> Iterator[tuple[str, str]]:
    for name in redact.secret_headers([*recording.request.headers, *recording.headers]):
        yield "secret", f"header {name} has its value: redact it, and revoke it if it was real"
    if redact.redact_path(recording.request.path) != recording.request.path:
        yield "secret", "the request's path has a key in its query: redact it, and revoke it if it was real"
    # JSON escapes hide a key from a search of the file, base64 does too.
    for where, body in (("request", recording.request.body), ("response", recording.body)):
        for secret in redact.find_secrets(body):
            yield "secret", f"byte {secret.offset} of the {where} body begins what looks like a secret ({secret.kind}): cut it"


def _labels(recording: Recording) -> Iterator[tuple[str, str]]:
    if recording.origin is Origin.IMPORTED and recording.source is None:
        yield "label", "is imported and names no source: say package or repository, version and licence"
    if recording.origin is Origin.SYNTHETIC and recording.source is not None:
        yield "label", "is synthetic and names a source: what was taken from elsewhere is `imported`"
    if recording.origin is Origin.CAPTURED and not recording.redactions:
        yield "label", "is captured and says of no redaction: a live call always has a key to cut"
    told = classify.surface_of(recording.request.method, recording.request.path)
    if told is not Surface.OTHER and told is not recording.surface:
        yield "label", f"is labelled {recording.surface} and its path {recording.request.path} is {told}"
    folder = recording.id.split("/")[0]
    surfaces = {surface.value for surface in Surface}
    # Anthropic counts tokens under /v1/messages.
    home = Surface.MESSAGES if recording.surface is Surface.COUNT_TOKENS and folder == Surface.MESSAGES else recording.surface
    if "/" in recording.id and folder in surfaces and folder != home:
        yield "path", f"lies in {folder}/ and is of {recording.surface}: move it"
    asks = classify.stream_asked(recording.request.path, recording.request.body)
    if recording.request.body and recording.surface is not Surface.OTHER and asks is not recording.stream:
        yield "label", f"says stream {recording.stream} and its request says {asks}"
