import ast
import json
import random
import string
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.recording import redact
from harness.tests import corpus

_RANDOM = random.Random(7)


def _word(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(letters, k=length))


# Made here, so that no scanner takes this file for a leak.
SECRETS = {
    "anthropic-key": "sk-ant-" + "api03-" + _word(80),
    "gateway-key": "sk-byts-" + _word(32),
    "openai-key": "sk-" + _word(48),
    "openai-key ": "sk-proj-" + _word(40) + "-" + _word(40),
    "openrouter-key": "sk-or-v1-" + _word(64, "0123456789abcdef"),
    "google-key": "AIza" + _word(35),
    "google-token": "ya29." + _word(60),
    "bearer-token": "Bearer " + _word(40),
    "jwt": "eyJ" + _word(30) + ".eyJ" + _word(60) + "." + _word(40),
    "aws-key": "AKIA" + _word(16, string.ascii_uppercase),
    "github-token": "ghp_" + _word(36),
    "github-token ": "github_pat_" + _word(22) + "_" + _word(59),
    "slack-token": "xoxb-" + _word(12) + "-" + _word(24),
    "huggingface-token": "hf_" + _word(34),
    "private-key": "-----BEGIN " + "RSA PRIVATE KEY-----\\n" + _word(64) + "\\n" + _word(30) + "==",
}
VENDOR_IDS = [
    "chatcmpl-" + _word(29),
    "msg_01" + _word(22),
    "resp_" + _word(50, "0123456789abcdef"),
    "req_011" + _word(21),
    "toolu_01" + _word(22),
    "call_" + _word(24),
    "fs_" + _word(40),
    "task-proj-" + _word(30),
    "risk-" + _word(30),
    "9b2f3a8e-7c41-4d5f-8a90-1f2e3d4c5b6a",
    "eyJ" + _word(300),
    _word(40) + "/AIza" + _word(60) + "+AKIA" + _word(40, string.ascii_uppercase) + "==",
    "bearer of good news, the bearer token",
    "sk-ant-" + "x" * 3,
    "Incorrect API key provided: sk-proj-" + "*" * 120 + "abcd",
]

pieces = st.sampled_from([*SECRETS.values(), *VENDOR_IDS, "Bearer ", "sk-", "eyJ", "\\n", '"', " ", ".", "-----BEGIN "]) | st.text(
    max_size=5
)
texts = st.lists(pieces, max_size=8).map(lambda parts: "".join(parts).encode())


@pytest.mark.parametrize(("kind", "secret"), SECRETS.items(), ids=SECRETS)
@pytest.mark.parametrize("before", ["", " ", '"', "\\n", "\\u003c", "key=", "%3D", "https://x/", "("])
def test_each_kind_is_found_where_it_stands_and_cut_to_its_length(kind: str, secret: str, before: str) -> None:
    if before == "https://x/" and kind in {"google-key", "aws-key"}:
        return  # after a slash these two are base64 to us
    data = f'{before}{secret}", é'.encode()
    (found,) = redact.find_secrets(data)
    kept = "Bearer " if kind == "bearer-token" else ""
    assert (found.kind, found.offset) == (kind.strip(), len(before + kept))
    cut = redact.redact(data)
    assert cut == f'{before}{kept}{"x" * (len(secret) - len(kept))}", é'.encode()
    assert redact.find_secrets(cut) == []


@pytest.mark.parametrize("text", VENDOR_IDS)
def test_what_vendors_write_is_left_alone(text: str) -> None:
    for data in (text.encode(), json.dumps({"id": text}).encode(), f"data: {text}\n\n".encode()):
        assert redact.find_secrets(data) == []
        assert redact.redact(data) == data


@given(text=texts, cuts=st.lists(st.integers(0, 400)))
@example(text=("sk-" + "a" * 30 + "Bearer " + "b" * 30).encode(), cuts=[3])
def test_a_stream_is_cut_the_same_however_its_reads_fall(text: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    reads = [text[start:stop] for start, stop in pairwise(at)]
    redactor = redact.StreamRedactor()
    out = [redactor.feed(read) for read in reads] + [redactor.feed(b""), redactor.close()]
    assert b"".join(out) == redact.redact(text)
    assert redact.redact(redact.redact(text)) == redact.redact(text)
    assert redactor.kinds >= {secret.kind for secret in redact.find_secrets(text)}
    assert b"".join(redact.redact_reads(reads)) == redact.redact(text)
    assert [len(read) for read in redact.redact_reads(reads)] == [len(read) for read in reads]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_one_byte_a_read_never_shows(secret: str) -> None:
    text = f'data: {{"a": "{secret}"}}\n\n'.encode()
    redactor = redact.StreamRedactor()
    assert b"".join(redactor.feed(bytes([byte])) for byte in text) == redact.redact(text)
    assert redactor.close() == b""
    assert redactor.kinds


def test_only_what_may_begin_a_secret_is_held_back() -> None:
    redactor = redact.StreamRedactor()
    assert redactor.feed(b'data: {"text": "hello') == b'data: {"text": "hello'
    assert redactor.feed(b" sk-a") == b" "
    assert redactor.feed(b"d pi") == b"sk-ad pi"
    assert redactor.feed(b"\n\n") == b"\n\n"
    assert redactor.feed(b" sk-") == b" "
    assert redactor.close() == b"sk-"


def test_secret_headers_keep_name_scheme_and_length() -> None:
    key = SECRETS["anthropic-key"]
    headers = [("Authorization", f"Bearer {key}"), ("X-Api-Key", key), ("set-cookie", "a=b"), ("x-other", f"k {key}"), ("accept", "*/*")]
    cut = redact.redact_headers(headers)
    assert cut == [
        ("Authorization", "Bearer " + "x" * len(key)),
        ("X-Api-Key", "x" * len(key)),
        ("set-cookie", "xxx"),
        ("x-other", "k " + "x" * len(key)),
        ("accept", "*/*"),
    ]
    assert redact.secret_headers(headers) == ["Authorization", "X-Api-Key", "set-cookie", "x-other"]
    assert redact.secret_headers(cut) == []
    assert redact.secret_headers([("x-api-key", "REDACTED"), ("authorization", "**REDACTED**"), ("cookie", "")]) == []


def test_keys_in_a_url_are_cut() -> None:
    key = SECRETS["google-key"]
    cut = redact.redact_path(f"/v1beta/models/g:generateContent?alt=sse&key={key}&token=abc")
    assert cut == f"/v1beta/models/g:generateContent?alt=sse&key={'x' * 39}&token=xxx"
    assert redact.redact_path(cut) == cut
    assert redact.redact_path("/v1/models?pageToken=abc&monkey=d") == "/v1/models?pageToken=abc&monkey=d"


def test_nothing_is_found_in_real_traffic() -> None:
    found = {}
    for exchange in corpus.exchanges():
        body = exchange.body + json.dumps(exchange.request["body"], ensure_ascii=False).encode()
        if secrets := redact.find_secrets(body):
            found[exchange.id] = secrets
    assert found == {}


@pytest.mark.parametrize(("module", "ours"), [("redact", set()), ("format", {"harness.recording.migrations"}), ("migrations", set())])
def test_what_the_capture_add_on_loads_needs_only_the_standard_library(module: str, ours: set[str]) -> None:
    tree = ast.parse(Path(redact.__file__).with_name(f"{module}.py").read_bytes())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names} == ours
