"""What is not served says so in the caller's envelope, and to nobody in particular: no key is asked for (contract:012 to contract:015)."""

from pathlib import Path

import pytest

from reference_gateway.routes import FIXED, Call, Fixed, KeyAction, KeyCall, Nothing, WrongMethod, find
from reference_gateway.tests.scripted import stage

NOT_EXPOSED = (
    *("/v1/files", "/v1/files/file-1", "/v1/files/file-1/content", "/v1/uploads", "/v1/assistants", "/v1/assistants/asst_1"),
    *("/v1/threads", "/v1/threads/runs", "/v1/vector_stores", "/v1/vector_stores/vs_1/files", "/v1/fine_tuning/jobs", "/v1/fine-tunes"),
    *("/v1/batches", "/v1/messages/batches", "/v1/messages/batches/msgbatch_1/results", "/v1/embeddings", "/v1/audio/speech"),
    *("/v1/audio/transcriptions", "/v1/audio/translations", "/v1/rerank", "/v1/moderations", "/v1/completions", "/v1/complete"),
    *("/v1/realtime", "/v1/organization/usage", "/v1beta/cachedContents", "/v1beta/files", "/v1beta/models/gemini-3-1-pro:embedContent"),
    *(
        "/v1/usage",
        "/api/v1/me/webhooks",
        "/api/v1/me",
        "/api/v1/keysmith",
        "/api/v1/keys/",
        "/api/v1/keys/k/other",
        "/api/v1/keys//rotate",
    ),
    *("/", "/v1", "/v1/", "/favicon.ico", "/v1/chat/completions/", "/v1/models/a/b", "/.env", "/v2/models"),
)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_paths_that_serve_nothing(method: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for path in NOT_EXPOSED:
            for headers in ({}, {"authorization": f"Bearer {s.demo.keys[0]}"}, {"x-api-key": "nobody"}):
                answer = await s.call(method, path, b"", headers)
                assert answer.status == 404, path
                assert answer.header("content-type") == "application/json"
                assert answer.header("x-request-id")
                body = answer.json()
                if path.startswith(("/v1/messages", "/v1/complete")) and path != "/v1/completions":
                    assert body["error"]["type"] == "not_found_error"
                elif path.startswith("/v1beta"):
                    assert (body["error"]["code"], body["error"]["status"]) == (404, "NOT_FOUND")
                else:
                    assert (body["error"]["type"], body["error"]["code"]) == ("invalid_request_error", "not_found")
        answer = await s.call(method, "/v1/files", b"", {"anthropic-version": "2023-06-01"})
        assert answer.json()["error"]["type"] == "not_found_error"
        assert s.calls == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("HEAD", "/v1/messages", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/gpt-5-5", "GET, HEAD"),
        ("GET", "/v1beta/models/gemini-3-1-pro:generateContent", "POST"),
        ("PUT", "/api/v1/keys", "GET, POST, HEAD"),
        ("PATCH", "/api/v1/keys/key-1", "GET, PUT, DELETE, HEAD"),
        ("GET", "/api/v1/keys/key-1/rotate", "POST"),
        ("POST", "/api/v1/keys/key-1/reveal", "GET, HEAD"),
        ("GET", "/api/v1/dial/test", "POST"),
        ("DELETE", "/api/v1/me/account", "GET, HEAD"),
    ],
)
async def test_another_method_is_405_and_options_says_which_are_taken(method: str, path: str, allow: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        client = await s.client()
        client.send_request(method, path, b"", {})
        status, headers = await client.head()
        client.close()
        assert (status, dict(headers)["allow"]) == (405, allow)
        options = await s.call("OPTIONS", path, b"", {})
        assert (options.status, options.header("allow"), options.body) == (200, f"{allow}, OPTIONS", b"")
        assert options.header("x-request-id")


async def test_head_is_get_without_the_body(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for path in ("/v1/models", "/api/v1/keys", "/v1/balance"):
            client = await s.client()
            client.send_request("HEAD", path, b"", {"x-api-key": s.demo.keys[0]})
            status, headers = await client.head()
            client.writer.write_eof()
            assert status == 200
            assert int(dict(headers)["content-length"]) > 2
            assert await client.reader.read() == b""
            client.close()


def test_routes_of_keys() -> None:
    assert find(b"GET", b"/api/v1/keys", {}) == KeyCall(action=KeyAction.LIST)
    assert find(b"POST", b"/api/v1/keys", {}) == KeyCall(action=KeyAction.CREATE)
    assert find(b"HEAD", b"/api/v1/keys/key%5F1", {}) == KeyCall(action=KeyAction.SHOW, key_id="key_1")
    assert find(b"POST", b"/api/v1/keys/k/rotate", {}) == KeyCall(action=KeyAction.ROTATE, key_id="k")
    assert find(b"GET", b"/api/v1/keys/k/reveal", {}) == KeyCall(action=KeyAction.REVEAL, key_id="k")
    assert isinstance(find(b"POST", b"/api/v1/keys/k", {}), WrongMethod)
    assert isinstance(find(b"GET", b"/api/v1/keys/k/rotate/", {}), Nothing)


def test_every_fixed_path_is_found_by_get() -> None:
    for path, fixed in FIXED.items():
        assert find(b"GET", path, {}) is fixed
    assert find(b"POST", b"/api/v1/dial/test", {}) is Fixed.DIAL
    assert isinstance(find(b"POST", b"/v1/v1/messages", {}), Call)
