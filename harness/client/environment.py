"""What in the environment changes an SDK's requests, and how it is kept out of a run. Source: sdk-and-wire-facts 2.2."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Keys, base URLs, extra headers, profiles, organisations, log levels, tracing: all of them by prefix, so that a new one is covered.
_PREFIXES: Final = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "OTEL_")

# For a pytest run that turns warnings into errors: google-genai warns at an enum value it does not know, then goes on.
SDK_WARNING_FILTERS: Final = ("ignore:.* is not a valid :UserWarning",)


@contextmanager
def scrubbed_environment() -> Iterator[None]:
    """Inside, SDKs see only what a driver hands them. The environment is the process's: enter once for a whole run."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_PREFIXES)}
    with tempfile.TemporaryDirectory(prefix="wireproof-no-profile-") as empty:
        os.environ["ANTHROPIC_CONFIG_DIR"] = empty  # else a profile in the home folder is found
        try:
            yield
        finally:
            del os.environ["ANTHROPIC_CONFIG_DIR"]
            os.environ.update(taken)
