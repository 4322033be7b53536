from pathlib import Path

import pytest

from reference_gateway.accounts.keys import digest
from reference_gateway.config import ConfigError, load
from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface

EXAMPLE = Path(__file__).parents[1] / "example.toml"
ENVIRONMENT = {
    "GATEWAY_PEPPER": "pepper",
    "OPENAI_API_KEY": "openai-key",
    "ANTHROPIC_API_KEY": "anthropic-key",
    "GEMINI_API_KEY": "gemini-key",
    "DEEPSEEK_API_KEY": "deepseek-key",
    "ARK_API_KEY": "ark-key",
    "GATEWAY_FIRST_KEY": "sk-byts-first",
}


def test_the_example_is_in_order(tmp_path: Path) -> None:
    config = load(EXAMPLE, ENVIRONMENT)
    openai = config.catalog.channels["openai"]
    assert (openai.endpoint.host, openai.endpoint.port, openai.endpoint.base_path, openai.auth(Surface.CHAT)) == (
        "api.openai.com",
        443,
        b"/v1",
        (b"authorization", b"Bearer openai-key"),
    )
    assert openai.endpoint.tls is not None
    sonnet = config.catalog.models["claude-sonnet-4-6"].prices
    assert (sonnet.input, sonnet.cache_write_5m, sonnet.cache_write_1h) == (3_000_000, 3_750_000, 6_000_000)  # C22
    gpt = config.catalog.models["gpt-5-5"].prices
    assert gpt.cache_write_5m == gpt.input
    assert config.keys[0].hash == digest(b"pepper", b"sk-byts-first")
    assert "openai-key" not in repr(config)
    assert "pepper" not in repr(config)


def test_the_demo_is_in_order_and_keeps_its_secrets_out_of_the_file(tmp_path: Path) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=3, keys=["sk-mine"])
    config = load(demo.config)
    assert demo.keys[0] == "sk-mine"
    assert len(config.keys) == 3 + 6
    text = demo.config.read_text()
    for secret in (*demo.keys, demo.narrow_key, demo.gpt_key, demo.poor_key, demo.revoked_key, demo.expired_key):
        assert secret not in text
    assert (tmp_path / "key-1").stat().st_mode & 0o077 == 0


BROKEN = [
    ("[server]\nport = 80x\n", 2, "not TOML"),
    ("[server]\nprot = 80\n", 2, "unknown key prot"),
    ("# a\n[server]\n\nport = -1\n", 4, "cannot be negative"),
    ('[server]\nport = "80"\n', 2, "must be a whole number"),
    ('[server]\nsynchronous = "off"\n', 2, '"normal" or "full"'),
    ("[server]\n[serverr]\n", 2, "unknown key serverr"),
    ('[channels.o]\nkind = "opnai"\nbase_url = "http://h"\nkey_env = "K"\n', 2, "must be one of openai, anthropic, gemini, deepseek"),
    ('[channels.o]\nkind = "openai"\nbase_url = "h:80/v1"\nkey_env = "K"\n', 3, "must be http(s)://host"),
    ('[channels.o]\nkind = "openai"\nbase_url = "http://h"\n', 1, "needs one of key_env"),
    ('[channels.o]\nkind = "openai"\nbase_url = "http://h"\nkey_env = "NONE"\n', 4, "export NONE"),
    ('[channels.o]\nkind = "openai"\nbase_url = "http://h"\nkey_file = "none"\n', 4, "cannot be read"),
    ('{o}base_url_anthropic = "http://h"\n', 6, "unknown key base_url_anthropic"),
    ("{o}weight = 0\n", 6, "weight is 0; it must be 1 or more"),
    ("{o}[routing]\nattempts = 0\n", 7, "attempts is 0; it must be 1 or more"),
    ("{o}", 5, "model m is not defined; add [[models]]"),
    ('[[models]]\nid = "m"\n', 2, "model m is served by no channel; add it to the models of a channel"),
    ('{o}[[models]]\nid = "gpt-5.5"\n', 7, "must be lower-case words with dashes"),
    ('{o}[[models]]\nid = "m"\nsurfaces = ["images"]\n', 8, "surface images is not one that its channels can serve (chat, res"),
    ('{o}[[models]]\nid = "m"\nnative = ["messages"]\n', 8, "native messages is not one that its channels speak (chat, responses)"),
    ('{o}[[models]]\nid = "m"\n', 6, "lacks input"),
    ('{o}[[models]]\nid = "m"\nprices = { input = "1" }\n', 8, "lacks output"),
    ('{o}[[models]]\nid = "m"\nprices = { input = 1.5, output = "1" }\n', 8, "must be a string"),
    ('{o}[[models]]\nid = "m"\n[models.prices]\ninput = "one"\noutput = "1"\n', 9, "must be a USD amount"),
    ('{o}[[models]]\nid = "m"\n[models.prices]\ninput = "0.0000001"\noutput = "1"\n', 9, "at most six decimals"),
    ('{m}[[models.later_prices]]\nvalid_from = "May"\ninput = "1"\noutput = "2"\n', 10, "must be a date such as 2026-07-24"),
    ('{m}[[models.later_prices]]\nvalid_from = 2026-05-01T10:00:00\ninput = "1"\noutput = "2"\n', 10, "add Z for UTC"),
    ('{m}[groups.g]\nmodels = ["m"]\nchannels = ["x"]\n', 11, "channel x is not defined; add [channels.x]"),
    ('{m}{q}[groups.g]\nmodels = ["m"]\nchannels = ["q"]\n', 15, "group g: none of its channels serves model m"),
    ('{m}[aliases.old]\nmodel = "x"\n', 10, "alias old: model x is not defined"),
    ('{m}[aliases.m]\nmodel = "m"\n', 9, "alias m is the id of a model too"),
    ('{m}[hints]\nold = "x"\n', 10, "model x is not defined; name one that is"),
    ('{m}[hints]\nm = "m"\n', 10, "a hint is for a name that is neither"),
    ("{m}{m}", 10, "stands here a second time"),
    (
        '{o}[[models]]\nid = "m"\ncapabilities = ["tools"]\nprices = { input = "1", output = "1" }\n',
        8,
        "capability tools is not one of text, ",
    ),
    ('[server]\ntrusted_proxies = ["10.0.0.1/8"]\n', 2, "write 10.0.0.0/8"),
    ('[accounts.a]\ngroups = ["g"]\n', 2, "account a: group g is not defined; add [groups.g]"),
    ('[[keys]]\nid = "k"\nsecret_env = "K"\naccount = "a"\ngroup = "g"\nip_allow = ["here"]\n', 6, "'here' is not a network"),
    ('[groups.g]\nmodels = ["m"]\n', 2, "model m is not defined"),
    ('[accounts.a]\nbalance_usd = "-1"\n', 2, "from 0 up"),
    ('[[keys]]\nid = "k"\nhash = "hmac-sha256:zz"\naccount = "a"\ngroup = "g"\n', 3, "64 hexadecimal digits"),
    ('[[keys]]\nid = "k"\nsecret_env = "K"\naccount = "a"\ngroup = "g"\n', 4, "account a is not defined; add [accounts.a]"),
    ('[accounts.a]\n[[keys]]\nid = "k"\nsecret_env = "K"\naccount = "a"\ngroup = "g"\n', 6, "group g is not defined"),
]
CHANNEL = '[channels.o]\nkind = "openai"\nbase_url = "http://h"\nkey_env = "K"\nmodels = ["m"]\n'
OTHER = '[channels.q]\nkind = "openai"\nbase_url = "http://h"\nkey_env = "K"\nmodels = []\n'
MODEL = '[[models]]\nid = "m"\nprices = { input = "1", output = "1" }\n'


@pytest.mark.parametrize(("text", "line", "says"), BROKEN)
def test_an_error_names_the_line_and_how_to_mend_it(text: str, line: int, says: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    text = text.replace("{m}{m}", CHANNEL + MODEL + MODEL).replace("{m}", CHANNEL + MODEL)
    text = text.replace("{o}", CHANNEL).replace("{q}", OTHER)
    file.write_text(text + '\n[security]\npepper_env = "K"\n')
    with pytest.raises(ConfigError) as raised:
        load(file, {"K": "hush-hush"})
    message = str(raised.value)
    assert message.startswith(f"{file}:{line}: ")
    assert says in message
    assert "\n" not in message
    assert "hush-hush" not in message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a configuration file that can be read"):
        load(tmp_path / "none.toml")
