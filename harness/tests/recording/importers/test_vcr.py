import base64
import gzip
import textwrap

import pytest
import yaml

from harness.recording.format import End, Fidelity, Package, Recording, Surface
from harness.recording.importers import vcr
from harness.recording.importers.exchange import Batch, Imported, Skipped

BATCH = Batch(of=Package(name="some-package", version="1.0"), sha256="0" * 64, licence="MIT")
CHAT = b'{\n  "id": "chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj",\n  "object": "chat.completion"\n}\n'
URL = "https://api.openai.com/v1/chat/completions"


def read(cassette: object, path: str = "tests/test_x.yaml", batch: Batch = BATCH) -> list[Imported]:
    text = cassette if isinstance(cassette, str) else yaml.dump(cassette, allow_unicode=True)
    return list(vcr.read(path, text.encode(), batch))


def one(cassette: object, batch: Batch = BATCH) -> Recording:
    (made,) = read(cassette, batch=batch)
    assert isinstance(made, Recording), made
    return made


def vcrpy(url: str = URL, body: object = CHAT, headers: object = None, asked: str = '{"model": "gpt-5"}') -> dict[str, object]:
    sent = {"method": "POST", "uri": url, "headers": {}, "body": asked}
    answer = {"status": {"code": 200, "message": "OK"}, "headers": headers or {}, "body": {"string": body}}
    return {"version": 1, "interactions": [{"request": sent, "response": answer}]}


LAYOUTS = {
    "vcrpy": vcrpy(),
    "vcrpy of httpx": {
        "version": 1,
        "interactions": [
            {
                "request": {"method": "POST", "uri": URL, "headers": {}, "body": '{"model": "gpt-5"}'},
                "response": {"status_code": 200, "headers": {}, "content": CHAT.decode()},
            }
        ],
    },
    "Ruby VCR": {
        "recorded_with": "VCR 6.2.0",
        "http_interactions": [
            {
                "request": {"method": "post", "uri": URL, "headers": {}, "body": {"encoding": "UTF-8", "string": '{"model": "gpt-5"}'}},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {},
                    "body": {"encoding": "ASCII-8BIT", "base64_string": base64.b64encode(CHAT).decode()},
                },
                "recorded_at": "Tue, 04 Mar 2025 10:00:00 GMT",
            }
        ],
    },
    "go-vcr": {
        "version": 2,
        "interactions": [
            {
                "id": 0,
                "request": {"method": "POST", "url": URL, "headers": {}, "body": '{"model": "gpt-5"}'},
                "response": {"code": 200, "status": "200 OK", "headers": {}, "body": CHAT.decode()},
            }
        ],
    },
    "langchain": {
        "requests": [{"method": "POST", "uri": "**REDACTED**", "headers": {}, "body": b'{"model": "gpt-5"}'}],
        "responses": [{"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": CHAT}}],
    },
}


@pytest.mark.parametrize("cassette", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_exchange(cassette: object) -> None:
    made = one(cassette)
    assert (made.vendor, made.surface, made.model, made.status) == ("openai", Surface.CHAT, "gpt-5", 200)
    assert (made.request.method, made.request.path) == ("POST", "/v1/chat/completions")
    assert made.request.body == b'{"model": "gpt-5"}'
    assert [read.data for read in made.reads] == [CHAT]
    assert made.fidelity is Fidelity.EXACT
    assert made.source is not None
    assert (made.source.of, made.source.licence, made.source.path, made.source.index) == (BATCH.of, "MIT", "tests/test_x.yaml", 0)


def test_a_gzipped_cassette_and_a_gzipped_body_are_undone_once_each() -> None:
    cassette = vcrpy(body=gzip.compress(CHAT), headers={"Content-Encoding": ["gzip"], "Content-Length": ["9"], "X-A": ["1", "2"]})
    (made,) = vcr.read("x.yaml.gz", gzip.compress(yaml.dump(cassette).encode()), BATCH)
    assert isinstance(made, Recording)
    assert made.body == CHAT
    assert made.headers == (("X-A", "1"), ("X-A", "2"))
    assert made.notes == ("gzip content coding undone by the importer",)


def test_carriage_returns_and_odd_characters_of_a_stream_stay() -> None:
    body = 'data: {"candidates": [{"finishReason": "STOP", "t": "\u2028é\u200b"}]}\r\n\r\n'
    url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key=AIzaSecret"
    made = one(vcrpy(url, body, asked="{}"))
    assert made.body == body.encode()
    assert (made.surface, made.model, made.stream, made.fidelity) == (Surface.GEMINI, "gemini-x", True, Fidelity.EXACT)
    assert made.request.path.endswith("?alt=sse&key=xxxxxxxxxx")
    assert made.redactions == ("request query",)


def test_what_vcrpy_itself_writes_for_newlines_is_read_back() -> None:
    cassette = textwrap.dedent(
        """\
        version: 1
        interactions:
        - request: {method: POST, uri: 'https://api.anthropic.com/v1/messages', headers: {}, body: '{"stream": true}'}
          response:
            status: {code: 200, message: OK}
            headers: {date: ['Wed, 05 Nov 2025 23:59:59 GMT']}
            body:
              string: 'event: message_stop

                data: {"type":"message_stop"         }


                '
        """
    )
    made = one(cassette)
    assert made.body == b'event: message_stop\ndata: {"type":"message_stop"         }\n\n'
    assert (made.end, str(made.recorded_on)) == (End.EOF, "2025-11-05")


def test_pydantic_ai_bodies_are_values_and_so_labelled() -> None:
    cassette = vcrpy()
    interaction = cassette["interactions"][0]  # type: ignore[index]  # a plain value of the test
    interaction["response"] = {"status": {"code": 200}, "headers": {}, "parsed_body": {"id": "chatcmpl-1", "text": "é"}}
    made = one(cassette)
    assert (made.body, made.fidelity) == ('{"id": "chatcmpl-1", "text": "é"}'.encode(), Fidelity.RESERIALIZED)
    assert made.recorder == "vcrpy (pydantic-ai serializer)"


@pytest.mark.parametrize(
    ("body", "fidelity", "end"),
    [
        (CHAT.decode().rstrip("\n"), Fidelity.RESERIALIZED, End.EOF),
        ('{"id": "chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj"}', Fidelity.RESERIALIZED, End.EOF),
        ('data: {"id":"chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj"}\n\ndata: [DONE]\n\n', Fidelity.EXACT, End.EOF),
        ('data: {"id":"chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj"}\n\ndata: [DONE]\n', Fidelity.RESERIALIZED, End.EOF),
        ('data: {"id":"chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj"}\n\n', Fidelity.EXACT, End.CLIENT_ABORT),
    ],
)
def test_a_body_is_labelled_by_its_layout_and_its_end(body: str, fidelity: Fidelity, end: End) -> None:
    made = one(vcrpy(body=body))
    assert (made.body, made.fidelity, made.end) == (body.encode(), fidelity, end)


def test_secrets_are_cut_and_listed() -> None:
    key = "sk-" + "ant-api03-" + "Ab1" * 10
    made = one(vcrpy(body=CHAT, headers={"Set-Cookie": ["a=b"]}))
    assert made.redactions == ("response header set-cookie",)
    cassette = vcrpy()
    cassette["interactions"][0]["request"] |= {"headers": {"X-Api-Key": [key]}, "body": f'{{"prompt": "my key is {key}"}}'}  # type: ignore[index]  # a plain value of the test
    made = one(cassette)
    assert made.redactions == ("request header x-api-key", "request body anthropic-key")
    assert made.request.body == f'{{"prompt": "my key is {"x" * len(key)}"}}'.encode()
    assert made.request.headers == (("X-Api-Key", "x" * len(key)),)


@pytest.mark.parametrize(
    ("cassette", "reason"),
    [
        (vcrpy("https://api.mistral.ai/v1/chat/completions"), "host of no known vendor"),
        (vcrpy(body=""), "empty body"),
        (vcrpy("**REDACTED**", body="{}"), "no address recorded, and the body does not tell it"),
        (vcrpy(body=b"\x1f\x8b broken"), "content coding that we cannot undo"),
        (vcrpy(body=b"\xff\x00\x01", headers={"content-encoding": ["br"]}), "content coding that we cannot undo"),
        ({"interactions": [{"request": None}]}, "not readable as an interaction"),
        ({"interactions": ["x"]}, "not readable as an interaction"),
        ({"interactions": [{"request": {"method": "GET", "uri": URL}, "response": {"body": None}}]}, "not readable as an interaction"),
        ({"a": 1}, "no VCR cassette"),
        ("{", "not readable as YAML"),
        ("!!python/object/apply:os.getcwd []", "not readable as YAML"),
    ],
)
def test_what_is_left_out_says_why(cassette: object, reason: str) -> None:
    (skipped,) = read(cassette)
    assert isinstance(skipped, Skipped)
    assert (skipped.path, skipped.reason) == ("tests/test_x.yaml", reason)


def test_another_host_is_taken_where_the_vendor_is_named() -> None:
    batch = Batch(of=BATCH.of, sha256=None, licence="MIT", vendor="acme")
    assert one(vcrpy("https://gateway.example/v1/chat/completions"), batch).vendor == "acme"


def test_answers_with_invented_ids_are_left_out_where_that_is_asked() -> None:
    batch = Batch(of=BATCH.of, sha256=None, licence="MIT", vendor_ids_only=True)
    (skipped,) = read(vcrpy(body='{"id": "chatcmpl-123"}'), batch=batch)
    assert isinstance(skipped, Skipped)
    assert (skipped.reason, skipped.detail) == ("id not of the vendor's form", "chatcmpl-123")
    assert one(vcrpy(), batch).body == CHAT


def test_ids_differ_with_content_and_name_package_surface_and_file() -> None:
    first, second = one(vcrpy()), one(vcrpy(body=CHAT + b"\n"))
    assert first.id != second.id
    assert first.id.startswith("some-package/chat/test-x-")
    assert one(vcrpy()).id == first.id
