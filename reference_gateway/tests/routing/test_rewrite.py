"""What changes in a request body, and that nothing else does."""

import json
import re

import pytest

from reference_gateway import body
from reference_gateway.catalog import Alias
from reference_gateway.routes import Surface
from reference_gateway.routing import rewrite

PEPPER = b"pepper"


def sent(raw: bytes, upstream_id: str = "m", surface: Surface = Surface.CHAT, account: str = "a", alias: Alias | None = None) -> bytes:
    return rewrite.to_upstream(raw, body.read(raw, surface), upstream_id, pepper=PEPPER, account=account, alias=alias)


def test_a_body_with_nothing_to_change_is_the_same_object() -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"\\"prompt_cache_key\\":\\"x\\""}],"n":1.0}'
    assert sent(raw) is raw


@pytest.mark.parametrize(
    "raw",
    [
        b'{"prompt_cache_key" : "tea time","model":"m","n":1.00}',
        b'{"model":"m", "input":[{"prompt_cache_key":"inner"}],"prompt_cache_key":"tea time"}',
        b'{"model":"m","prompt_cach\\u0065_key":"tea time","x":"prompt_cache_key"}',
        b'{"model":"m","prompt_cache_key":"other","prompt_cache_key":"tea time"}',
        b'{"model":"m","x":[1,{"a":"\\u0070"}],"prompt_cache_key":"tea\\u0020time"}',
    ],
)
def test_the_cache_key_is_told_apart_by_account_and_every_other_byte_stays(raw: bytes) -> None:
    ours, theirs = sent(raw, account="ours"), sent(raw, account="theirs")
    own, other = rewrite.cache_key(PEPPER, "ours", "tea time"), rewrite.cache_key(PEPPER, "theirs", "tea time")
    assert json.loads(ours)["prompt_cache_key"] == own != other == json.loads(theirs)["prompt_cache_key"]
    assert re.fullmatch("[0-9a-f]{32}", own)  # the vendor takes 64 characters at most
    assert b"tea" not in ours
    assert ours.replace(own.encode(), b"") == theirs.replace(other.encode(), b"")
    skeleton = re.sub(rb'"(?:tea time|tea\\u0020time|other)"', b'""', raw)
    assert ours.replace(own.encode(), b"") == skeleton
    assert sent(raw, account="ours") == ours


@pytest.mark.parametrize("value", [b"null", b"7", b'""', b'{"a":1}'])
def test_a_cache_key_that_is_no_name_is_the_vendors_to_judge(value: bytes) -> None:
    raw = b'{"model":"m","prompt_cache_key":' + value + b"}"
    assert sent(raw) is raw


def test_the_model_and_the_cache_key_in_one_body() -> None:
    raw = b'{"prompt_cache_key":"k","model":"m","input":"x"}'
    own = rewrite.cache_key(PEPPER, "a", "k").encode()
    assert sent(raw, "m.1", Surface.RESPONSES) == b'{"prompt_cache_key":"' + own + b'","model":"m.1","input":"x"}'


def test_messages_has_no_cache_key() -> None:
    raw = b'{"model":"m","prompt_cache_key":"k","max_tokens":1}'
    assert sent(raw, surface=Surface.MESSAGES) is raw


def test_an_alias_says_whether_to_think_unless_the_request_does() -> None:
    reasoner, chat = Alias(name="r", model="m", thinking=True), Alias(name="c", model="m", thinking=False)
    assert sent(b'{"model": "r","n":1}', alias=reasoner) == b'{"model": "m","thinking":{"type":"enabled"},"n":1}'
    assert sent(b'{"n":1,"model": "c"}', alias=chat) == b'{"n":1,"model": "m","thinking":{"type":"disabled"}}'
    said = b'{"model":"r","thinking":{"type":"disabled"}}'
    assert sent(said, alias=reasoner) == b'{"model":"m","thinking":{"type":"disabled"}}'
    spoken_of = b'{"model":"r","messages":[{"content":"\\"thinking\\":1"}]}'
    assert b'"thinking":{"type":"enabled"}' in sent(spoken_of, alias=reasoner)
    assert sent(b'{"model":"old"}', alias=Alias(name="old", model="m")) == b'{"model":"m"}'
