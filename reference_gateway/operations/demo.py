"""A ready configuration whose upstreams all stand at one URL: for the conformance harness and for trying the gateway out.

Its secrets are drawn anew each time and written beside the configuration, readable by their owner only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MODELS: Final = """
[[models]]
id = "gpt-5-5"
max_output_tokens = 128000
context_window = 400000
owned_by = "openai"
family = "gpt"
capabilities = ["text", "vision", "tool_use", "streaming", "thinking", "json_schema", "logprobs"]
prices = { input = "1.25", output = "10.00", cache_read = "0.125", search = "0.01" }

[[models]]
id = "gpt-5-4"
max_output_tokens = 128000
context_window = 400000
owned_by = "openai"
family = "gpt"
capabilities = ["text", "vision", "tool_use", "streaming", "thinking", "json_schema", "logprobs"]
prices = { input = "1.00", output = "8.00", cache_read = "0.10", search = "0.01" }

[[models]]
id = "gpt-5-4-mini"
max_output_tokens = 128000
context_window = 400000
owned_by = "openai"
family = "gpt"
capabilities = ["text", "vision", "tool_use", "streaming", "thinking", "json_schema", "logprobs"]
prices = { input = "0.25", output = "2.00", cache_read = "0.025", search = "0.01" }

[[models]]
id = "gpt-5-4-nano"
max_output_tokens = 128000
context_window = 400000
owned_by = "openai"
family = "gpt"
capabilities = ["text", "vision", "tool_use", "streaming", "thinking", "json_schema", "logprobs"]
prices = { input = "0.05", output = "0.40", cache_read = "0.005", search = "0.01" }

[[models]]
id = "gpt-5-5-pro"
native = ["responses"]
max_output_tokens = 128000
context_window = 400000
owned_by = "openai"
family = "gpt"
capabilities = ["text", "vision", "tool_use", "streaming", "thinking", "json_schema"]
prices = { input = "1.25", output = "10.00", cache_read = "0.125", search = "0.01" }

[[models]]
id = "gpt-4-1"
native = ["chat"]
max_output_tokens = 32768
context_window = 1047576
owned_by = "openai"
family = "gpt"
capabilities = ["text", "vision", "tool_use", "streaming", "json_schema", "logprobs"]
prices = { input = "2.00", output = "8.00", cache_read = "0.50", search = "0.01" }

[[models]]
id = "claude-sonnet-4-6"
max_output_tokens = 64000
context_window = 200000
owned_by = "anthropic"
family = "claude"
capabilities = ["text", "vision", "tool_use", "streaming", "cache_control", "thinking", "json_schema"]
prices = { input = "3.00", output = "15.00", cache_read = "0.30", search = "0.01" }

[[models]]
id = "claude-opus-4-8"
max_output_tokens = 64000
context_window = 200000
owned_by = "anthropic"
family = "claude"
capabilities = ["text", "vision", "tool_use", "streaming", "cache_control", "thinking", "json_schema"]
prices = { input = "5.00", output = "25.00", cache_read = "0.50", search = "0.01" }

[[models]]
id = "claude-haiku-4-5"
max_output_tokens = 64000
context_window = 200000
owned_by = "anthropic"
family = "claude"
capabilities = ["text", "vision", "tool_use", "streaming", "cache_control", "json_schema"]
prices = { input = "1.00", output = "5.00", cache_read = "0.10", search = "0.01" }

[[models]]
id = "gemini-3-1-pro"
max_output_tokens = 65536
context_window = 1048576
owned_by = "google"
family = "gemini"
capabilities = ["text", "vision", "tool_use", "streaming", "thinking", "json_schema"]
prices = { input = "2.00", output = "12.00", cache_read = "0.20", search = "0.014" }

[[models]]
id = "deepseek-v4-pro"
native = ["chat"]
max_output_tokens = 65536
context_window = 131072
owned_by = "deepseek"
family = "deepseek"
capabilities = ["text", "tool_use", "streaming", "thinking"]
prices = { input = "0.28", output = "0.42", cache_read = "0.028" }

[[models]]
id = "deepseek-v4-flash"
native = ["chat"]
max_output_tokens = 65536
context_window = 131072
owned_by = "deepseek"
family = "deepseek"
capabilities = ["text", "streaming", "thinking"]
prices = { input = "0.14", output = "0.28", cache_read = "0.014" }

[[models]]
id = "deepseek-v3-anthropic"
native = ["messages"]
max_output_tokens = 65536
context_window = 131072
owned_by = "deepseek"
family = "deepseek"
capabilities = ["text", "tool_use", "streaming", "thinking"]
prices = { input = "0.28", output = "0.42", cache_read = "0.028", cache_write_5m = "0.28", cache_write_1h = "0.28" }

[[models]]
id = "gpt-image-2"
context_window = 32000
owned_by = "openai"
family = "gpt"
capabilities = ["image_gen", "vision"]
prices = { images = { default = "0.04", low = "0.011", medium = "0.042", high = "0.167" } }

[[models]]
id = "seedream-4-5"
context_window = 32000
owned_by = "volcengine"
family = "seedream"
capabilities = ["image_gen", "vision"]
prices = { images = { default = "0.03" } }

[[models]]
id = "nano-banana"
surfaces = ["images"]
context_window = 32000
owned_by = "google"
family = "gemini"
capabilities = ["image_gen", "vision"]
prices = { images = { default = "0.039" } }

[[models]]
id = "seedance-1-5"
context_window = 32000
owned_by = "volcengine"
family = "seedance"
capabilities = ["video_gen", "vision"]
prices = { video = { second = "0.10", submit = "0.05" } }
"""
GROUPS: Final = """
[groups.default]
models = ["*"]

[groups.claude-default]
models = ["claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-4-5"]

[groups.gpt-default]
models = ["gpt-5-5", "gpt-5-4", "gpt-5-4-mini", "gpt-5-4-nano", "gpt-5-5-pro", "gpt-4-1"]

[groups.gemini-default]
models = ["gemini-3-1-pro", "nano-banana"]

[groups.volcengine-default]
models = ["seedream-4-5", "seedance-1-5"]
"""
OLD_NAMES: Final = """
[aliases.deepseek-chat]
model = "deepseek-v4-flash"
thinking = false
until = 2026-07-24T15:59:00Z

[aliases.deepseek-reasoner]
model = "deepseek-v4-pro"
thinking = true
until = 2026-07-24T15:59:00Z

[hints]
deepseek-coder = "deepseek-v4-pro"
deepseek-r1 = "deepseek-v4-pro"
deepseek-v2 = "deepseek-v4-flash"
deepseek-v3 = "deepseek-v4-flash"
"""
DEAD_AFTER_MS: Final = 3_000  # of processes that share servers: whoever tries them out does not wait long
WINDOWS: Final = 'limit_5h_usd = "1000.00"\nlimit_1d_usd = "2000.00"\nlimit_7d_usd = "5000.00"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where the configuration is, and the secrets of its keys. `keys` are of group default, one an account (`account-1` ...)."""

    config: Path
    keys: Sequence[str] = field(repr=False)
    narrow_key: str = field(repr=False)  # of group claude-default
    gpt_key: str = field(repr=False)  # of group gpt-default
    poor_key: str = field(repr=False)  # its wallet cannot pay for any call
    revoked_key: str = field(repr=False)
    expired_key: str = field(repr=False)
    capped_key: str = field(repr=False)  # on an account that may have one request under way


def demo_config(
    upstream_url: str,
    folder: Path,
    *,
    accounts: int = 8,
    balance_usd: str = "100.00",
    port: int = 0,
    connect_ms: int = 5_000,
    first_byte_ms: int = 30_000,
    answer_ms: int | None = None,
    idle_ms: int = 300_000,
    client_stall_ms: int = 300_000,
    max_body_bytes: int = 32 * 1024 * 1024,
    database: str = "gateway.sqlite3",
    allow_private: bool = False,
    keys: Sequence[str] = (),
    database_env: str = "",
    redis_env: str = "",
) -> Demo:
    """Writes gateway.toml and its secrets into the folder.

    `upstream_url` is a root: `/v1` is added for the OpenAI protocols. `keys` gives secrets for the first accounts instead of drawing
    them; `answer_ms` is as `first_byte_ms` unless given. `database_env` and `redis_env` name environment variables with the URLs of
    servers that several processes share.
    """
    answer_ms = first_byte_ms if answer_ms is None else answer_ms
    folder.mkdir(parents=True, exist_ok=True)
    root = upstream_url.rstrip("/")
    _secret(folder / "pepper", secrets.token_hex(32))
    _secret(folder / "upstream-key", "upstream-" + secrets.token_hex(16))
    timeouts = (
        f"[timeouts]\nconnect_ms = {connect_ms}\nfirst_byte_ms = {first_byte_ms}\nanswer_ms = {answer_ms}\n"
        f"idle_ms = {idle_ms}\nclient_stall_ms = {client_stall_ms}\n"
    )
    # Faults before the demo are scripted, each meant for one request: none of them may close a channel for the next.
    routing = "[routing]\nfailures = 0\n"
    sections = [
        f'[server]\nhost = "127.0.0.1"\nport = {port}\nmax_body_bytes = {max_body_bytes}\n',
        f'database = "{database}"\nsynchronous = "normal"\n',
        timeouts,
        routing,
        f"[media]\nallow_private = {str(allow_private).lower()}\n",
        '[security]\npepper_file = "pepper"\n',
    ]
    if database_env:
        redis = f'redis_env = "{redis_env}"\n' if redis_env else ""
        sections.append(f'[storage]\ndatabase_env = "{database_env}"\n{redis}dead_after_ms = {DEAD_AFTER_MS}\n')
    for name, base, models in (
        ("openai", f"{root}/v1", ["gpt-5-5", "gpt-5-4", "gpt-5-4-mini", "gpt-5-4-nano", "gpt-5-5-pro", "gpt-4-1"]),
        ("anthropic", root, ["claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-4-5"]),
        ("gemini", root, ["gemini-3-1-pro", "nano-banana"]),
        ("openai-images", f"{root}/v1", ["gpt-image-2"]),
        ("seedream", f"{root}/api/v3", ["seedream-4-5"]),
        ("seedance", f"{root}/api/v3", ["seedance-1-5"]),
        ("deepseek", f"{root}/v1", ["deepseek-v4-pro", "deepseek-v4-flash", "deepseek-v3-anthropic"]),
    ):
        more = f'base_url_anthropic = "{root}/anthropic"\n' if name == "deepseek" else ""
        sections.append(
            f'[channels.{name}]\nkind = "{name}"\nbase_url = "{base}"\n{more}key_file = "upstream-key"\nmodels = {json.dumps(models)}\n'
        )
    # A second way to one model, taken when the first fails.
    sections.append(
        f'[channels.openai-spare]\nkind = "openai"\nbase_url = "{root}/v1"\nkey_file = "upstream-key"\n'
        'models = ["gpt-5-4-mini"]\npriority = 2\n'
    )
    sections += [MODELS, GROUPS, OLD_NAMES]
    drawn = list(keys) + [_draw() for _ in range(accounts - len(keys))]
    for number, secret in enumerate(drawn, 1):
        sections.append(f'[accounts.account-{number}]\nbalance_usd = "{balance_usd}"\n')
        sections.append(_key(folder, f"key-{number}", f"account-{number}", "default", secret))
    sections.append(f'[accounts.special]\nbalance_usd = "{balance_usd}"\n')
    sections.append('[accounts.poor]\nbalance_usd = "0.000001"\n')
    sections.append(f'[accounts.capped]\nbalance_usd = "{balance_usd}"\nmax_concurrency = 1\n')
    narrow, gpt, poor, revoked, expired, capped = (_draw() for _ in range(6))
    sections.append(_key(folder, "key-narrow", "special", "claude-default", narrow))
    sections.append(_key(folder, "key-gpt", "special", "gpt-default", gpt))
    sections.append(_key(folder, "key-poor", "poor", "default", poor))
    sections.append(_key(folder, "key-revoked", "special", "default", revoked) + "revoked = true\n")
    sections.append(_key(folder, "key-expired", "special", "default", expired) + "expires_at = 1\n")
    sections.append(_key(folder, "key-capped", "capped", "default", capped))
    config = folder / "gateway.toml"
    config.write_text("\n".join(sections), encoding="utf-8")
    return Demo(
        config=config,
        keys=tuple(drawn),
        narrow_key=narrow,
        gpt_key=gpt,
        poor_key=poor,
        revoked_key=revoked,
        expired_key=expired,
        capped_key=capped,
    )


def _draw() -> str:
    return "sk-byts-" + secrets.token_hex(16)


def _key(folder: Path, id_: str, account: str, group: str, secret: str) -> str:
    _secret(folder / id_, secret)
    return f'[[keys]]\nid = "{id_}"\nsecret_file = "{id_}"\naccount = "{account}"\ngroup = "{group}"\n{WINDOWS}'


def _secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text + "\n", encoding="utf-8")
