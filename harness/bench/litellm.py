"""LiteLLM's proxy, what people start with, from an environment of its own: how much faster than that is a gateway?"""

import socket
from pathlib import Path
from typing import Final

from harness.bench.gateway import MODEL

KEY: Final = "sk-bench"
_CONFIG: Final = """
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/bench, api_base: "{vendor}/v1", api_key: none}}
general_settings: {{master_key: {key}}}
litellm_settings: {{telemetry: false, drop_params: true}}
"""
ENVIRONMENT: Final = {  # nothing is looked up outside, no documentation pages are made
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "NO_DOCS": "True",
    "DISABLE_ADMIN_UI": "True",
}


def command(program: str, vendor_url: str, folder: Path) -> tuple[tuple[str, ...], str]:
    """The words that start it, and the URL that it will serve. `program` is its `litellm`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "litellm.yaml"
    config.write_text(_CONFIG.format(model=MODEL, vendor=vendor_url, key=KEY), encoding="utf-8")
    return (program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"), f"http://127.0.0.1:{port}"
