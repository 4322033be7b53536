"""The reference gateway as the bench runs it: its own process, its own command, and a configuration with all that costs time switched on.

The harness knows it by its command and its configuration's format only, never by its code.
"""

import secrets
import sys
from pathlib import Path
from typing import Final

MODEL: Final = "gpt-5-4"
_CONFIG: Final = """
[server]
database = "{name}.sqlite3"
synchronous = "{synchronous}"
[security]
pepper_file = "{name}.pepper"
[operations]
admin_port = 0
[channels.vendor]
kind = "openai"
base_url = "{vendor}/v1"
key_file = "{name}.upstream"
models = ["{model}"]
[[models]]
id = "{model}"
prices = {{ input = "1.00", output = "8.00", cache_read = "0.10" }}
[groups.default]
models = ["*"]
[accounts.bench]
balance_usd = "1000000.00"
[[keys]]
id = "bench"
secret_file = "{name}.key"
account = "bench"
group = "default"
limit_5h_usd = "1000000.00"
limit_1d_usd = "1000000.00"
limit_7d_usd = "1000000.00"
"""


def command(vendor_url: str, folder: Path, name: str, synchronous: str) -> tuple[tuple[str, ...], str]:
    """The words that start it, and the key that it takes. `synchronous` is the ledger's durability."""
    key = "sk-byts-" + secrets.token_hex(16)
    config = folder / f"{name}.toml"
    text = _CONFIG.format(name=name, synchronous=synchronous, vendor=vendor_url, model=MODEL)
    for file, secret in ((f"{name}.pepper", secrets.token_hex(32)), (f"{name}.upstream", "none"), (f"{name}.key", key)):
        (folder / file).write_text(secret + "\n", encoding="utf-8")
        (folder / file).chmod(0o600)
    config.write_text(text, encoding="utf-8")
    return (sys.executable, "-m", "reference_gateway", "serve", "--config", str(config), "--port", "0"), key
