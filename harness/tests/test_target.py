from pathlib import Path

import pytest

from harness.case import Dialect, Key, Route, Surface
from harness.target import Bases, Turn, read_target, served_by
from harness.toml_file import UserFileError

GOOD = """
[target]
name = "ours"
base_url = "http://127.0.0.1:8080/v1"
upstream_port = 9100

[keys]
good = ["WP_KEY_A", "WP_KEY_B"]
other_group = ["WP_KEY_C"]

[[models]]
id = "gpt-5-4"
surfaces = { chat = "native", messages = "translated" }

[[models]]
id = "claude-sonnet-4-6"

[account]
dialect = "wireproof"
settle_ms = 50

[[not_applicable]]
requirement = "billing/*"
reason = "prepaid"
"""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ABC":
        monkeypatch.setenv(f"WP_KEY_{name}", f"secret-{name}-000000")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "target.toml"
    path.write_text(text)
    return path


@pytest.mark.usefixtures("keys")
def test_a_target_file_says_it_all(tmp_path: Path) -> None:
    target = read_target(written(tmp_path, GOOD))
    assert target.bases == Bases.of("http://127.0.0.1:8080")
    assert target.bases.openai == "http://127.0.0.1:8080/v1"
    assert target.good_keys == ("secret-A-000000", "secret-B-000000")
    assert target.other_keys == {Key.OTHER_GROUP: ("secret-C-000000",)}
    assert target.models[0].surfaces == {Surface.CHAT: Route.NATIVE, Surface.MESSAGES: Route.TRANSLATED}
    assert target.models[1].surfaces == {Surface.MESSAGES: Route.NATIVE}
    assert target.declared("billing/zero-on-failure") == "prepaid"
    assert target.declared("sse/framing") is None
    assert "secret" not in repr(target)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("upstream_port", "upstraem_port", "line 5: [target] has no key `upstraem_port`; did you mean `upstream_port`?"),
        ("[account]", "[acount]", "line 18: a target file has no key `acount`; did you mean `account`?"),
        ('"http://127.0.0.1:8080/v1"', '"localhost:8080"', "line 4: base_url 'localhost:8080' is not a URL"),
        ('dialect = "wireproof"', 'dialect = "bank"', "line 19: `dialect` must be one of wireproof, none, not 'bank'"),
        ("settle_ms = 50", 'settle_ms = "fast"', "line 20: `settle_ms` in [account] must be a whole number, not 'fast'"),
        ("WP_KEY_C", "WP_KEY_UNSET", "the environment variable WP_KEY_UNSET is not set"),
        ('chat = "native"', 'chat = "natve"', "line 13: `chat` must be one of native, translated, not 'natve'"),
        ('chat = "native"', 'chatt = "native"', "line 13: `chatt` is not a surface"),
        ('reason = "prepaid"', "", "[[not_applicable]] entry needs `requirement` and `reason`"),
        ("[target]", "[target", "is not TOML"),
    ],
)
def test_a_mistake_is_named_by_file_and_line_in_one_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserFileError) as caught:
        read_target(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match="cannot be read"):
        read_target(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("model", "surfaces"),
    [
        ("gpt-5-5", {Surface.CHAT, Surface.RESPONSES}),
        ("claude-opus-4-8", {Surface.MESSAGES}),
        ("gemini-3-1-pro", {Surface.GEMINI}),
        ("deepseek-v4-pro", {Surface.CHAT}),
    ],
)
def test_a_family_is_known_by_its_name(model: str, surfaces: set[Surface]) -> None:
    assert set(served_by(model)) == surfaces


def test_a_model_whose_upstream_is_named_is_reached_on_all_four_surfaces(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_text('[target]\nbase_url = "http://127.0.0.1:1"\n[[models]]\nid = "m"\nupstream = "deepseek-anthropic"\n')
    model = read_target(file).models[0]
    assert model.surfaces[Surface.MESSAGES] is Route.NATIVE
    assert {surface for surface, route in model.surfaces.items() if route is Route.TRANSLATED} == {
        Surface.CHAT,
        Surface.RESPONSES,
        Surface.GEMINI,
    }
    assert {model.dialect_on(surface) for surface in model.surfaces} == {Dialect.DEEPSEEK_ANTHROPIC}


def test_an_upstream_that_nobody_speaks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_text('[target]\nbase_url = "http://127.0.0.1:1"\n[[models]]\nid = "m"\nupstream = "telex"\n')
    with pytest.raises(UserFileError, match="must be one of openai-chat"):
        read_target(file)


@pytest.mark.usefixtures("keys")
def test_nodes_are_asked_in_turn(tmp_path: Path) -> None:
    urls = ["http://10.0.0.1:8080", "http://10.0.0.2:8080/v1"]
    target = read_target(written(tmp_path, f"[target]\nbase_urls = {urls}\n[process]\nrestart = 'restart {{node}}'\nsweep_ms = 9\n"))
    first, second = (Bases.of(url) for url in urls)
    assert (target.name, target.nodes) == ("http://10.0.0.1:8080", (first, second))
    assert (target.restarts, target.restart, target.sweep_ms) == (True, "restart {node}", 9)
    turn = Turn(target.nodes, 3)
    assert [turn() for _ in range(3)] == [second, first, second]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "[target] needs one of `base_url`, the gateway's address, and `base_urls`, its nodes'"),
        ("base_url = 'http://a'\nbase_urls = ['http://a']", "[target] needs one of `base_url`"),
        ("base_urls = []", "`base_urls` is a list of one URL for each node"),
        ("base_urls = ['http://a', 'b']", "base_urls 'b' is not a URL"),
        ("base_urls = ['http://a']\nopenai_base = 'http://a/v1'", "with `base_urls` the SDKs' bases follow from them"),
    ],
)
def test_nodes_that_cannot_be_meant_are_refused(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserFileError) as refused:
        read_target(written(tmp_path, f"[target]\n{text}\n"))
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["seedance-1-5", "sora-2", "veo-3.1-generate", "text-embedding-3-large", "whisper-1", "gpt-4o-mini-tts"])
def test_a_model_whose_name_shows_another_trade_is_asked_for_no_text(name: str) -> None:
    assert served_by(name) == {}


def test_what_vendors_call_a_model_is_told_to_checks_of_that_model(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_text(
        '[target]\nbase_url = "http://127.0.0.1:1"\n[[models]]\nid = "m"\nupstream_ids = ["m-1", "m-2"]\n[[models]]\nid = "n"\n'
    )
    target = read_target(file)
    assert target.promises(None, "m")["upstream_ids"] == ["m-1", "m-2"]
    assert "upstream_ids" not in {**target.promises(None, "n"), **target.promises()}
    file.write_text('[target]\nbase_url = "http://127.0.0.1:1"\n[[models]]\nid = "m"\nupstream_ids = [1]\n')
    with pytest.raises(UserFileError, match="`upstream_ids` is a list of the names"):
        read_target(file)
