"""`serve`: the gateway from its configuration, as a demo with vendors of its own, or as a demo before one upstream URL."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from reference_gateway import app
from reference_gateway.clock import ShiftedClock, system
from reference_gateway.config import Config, load
from reference_gateway.operations.demo import Demo, demo_config

DEMO_PORT: Final = 8080
DEMO_PAUSE_MS: Final = 15
SAMPLE: Final = '{"model":"gpt-5-4","messages":[{"role":"user","content":"ping"}]}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False
    parser.epilog = """examples:
  wireproof gateway serve --demo                          a key and scripted vendors, on port 8080
  wireproof gateway serve --config gateway.toml --port 0  a free port; the address is the first line on stdout
  wireproof gateway serve --demo-upstream http://127.0.0.1:9100 --demo-key KEY --port 8080
"""
    source = parser.add_mutually_exclusive_group(required=True)
    add_sources(source)
    source.add_argument("--demo", action="store_true", help="run with scripted vendors that ship: no vendor key, no network; prints a key")
    add_details(parser)
    parser.add_argument("--json", action="store_true", help="with --demo: say where it listens and its key as one line of JSON")
    parser.add_argument(
        "--demo-pause-ms", type=int, default=DEMO_PAUSE_MS, metavar="MS", help="with --demo: time between two events of a stream"
    )


def add_sources(source: argparse._MutuallyExclusiveGroup) -> None:
    source.add_argument("--config", type=Path, metavar="FILE", help="the configuration (reference_gateway/example.toml shows all of it)")
    source.add_argument("--demo-upstream", metavar="URL", help="run with a made-up configuration whose upstreams all stand at URL")


def add_details(parser: argparse.ArgumentParser) -> None:
    demo = parser.add_argument_group("with --demo-upstream")
    demo.add_argument("--demo-key", metavar="KEY", help="this secret for the first key instead of a drawn one (with --demo too)")
    demo.add_argument("--demo-accounts", type=int, default=1, metavar="N", help="so many accounts, each with a key of its own")
    demo.add_argument("--demo-first-byte-ms", type=int, default=30_000, metavar="MS", help="how long an upstream may keep silent at first")
    demo.add_argument("--demo-tied", action="store_true", help="stop when standard input closes (with --config too)")
    demo.add_argument("--demo-clock", action="store_true", help="serve /test/clock, which moves the gateway's time (with --config too)")
    demo.add_argument("--demo-idle-ms", type=int, default=300_000, metavar="MS", help="how long an upstream may pause")
    demo.add_argument("--demo-folder", type=Path, metavar="DIR", help="write configuration and books there, and leave them")
    demo.add_argument("--demo-database-env", default="", metavar="NAME", help="environment variable with the URL of a PostgreSQL to share")
    demo.add_argument(
        "--demo-redis-env", default="", metavar="NAME", help="environment variable with the URL of a Redis or Valkey beside it"
    )
    parser.add_argument("--host", help="listen there instead of where the configuration says")
    parser.add_argument("--port", type=_port, help="listen there instead of where the configuration says; 0 takes a free port")


def _port(text: str) -> int:
    """A TCP port. The event loop would take 99999 for another one, and serve there."""
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is no port: give a whole number from 0 to 65535, 0 being any free one")
    return int(text)


def main(args: argparse.Namespace) -> int:
    if args.demo_tied and not getattr(args, "demo", False):
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    clock = ShiftedClock() if args.demo_clock else system
    if args.config is not None:
        config = _listening(load(args.config), args)
        _run(app.run(config, _announce, reload=lambda: load(args.config), clock=clock))
        return 0
    with tempfile.TemporaryDirectory(prefix="wireproof-gateway-") as folder:
        if getattr(args, "demo", False):
            _run(_demo(args, Path(folder)))
            return 0
        demo = demo_config(
            args.demo_upstream,
            args.demo_folder or Path(folder),
            keys=[args.demo_key] if args.demo_key else [],
            accounts=max(1, args.demo_accounts),
            first_byte_ms=args.demo_first_byte_ms,
            idle_ms=args.demo_idle_ms,
            database_env=args.demo_database_env,
            redis_env=args.demo_redis_env,
        )
        _run(app.run(_listening(load(demo.config), args), lambda url: _announce(url, demo), clock=clock))
    return 0


async def _demo(args: argparse.Namespace, folder: Path) -> None:
    from reference_gateway.operations.vendor.server import Vendor

    async with Vendor(args.demo_pause_ms / 1000) as vendor:
        demo = demo_config(vendor.url, folder, accounts=1, port=DEMO_PORT, keys=[args.demo_key] if args.demo_key else [])
        config = _listening(load(demo.config), args)
        if args.demo_tied:
            threading.Thread(target=_stop_with_stdin, daemon=True).start()
        await app.run(config, lambda url: _announce(url, demo) if args.json else _welcome(url, demo.keys[0], config))


def _listening(config: Config, args: argparse.Namespace) -> Config:
    if args.host is not None:
        config = dataclasses.replace(config, host=args.host)
    if args.port is not None:
        config = dataclasses.replace(config, port=args.port)
    return config


def _announce(url: str, demo: Demo | None = None) -> None:
    announcement: dict[str, object] = {"listening": url}
    if demo is not None:
        announcement |= {"keys": list(demo.keys), "narrow_keys": [demo.narrow_key, demo.gpt_key], "poor_key": demo.poor_key}
        announcement |= {"revoked_key": demo.revoked_key, "expired_key": demo.expired_key, "capped_key": demo.capped_key}
    sys.stdout.write(json.dumps(announcement) + "\n")
    if sys.stdout.isatty():
        sys.stdout.write(f"OpenAI base URL {url}/v1, Anthropic and Gemini base URL {url}; Ctrl-C stops.\n")
    sys.stdout.flush()


def _welcome(url: str, key: str, config: Config) -> None:
    sys.stdout.write(
        f"""The demo listens at {url}. Its vendors are scripts: no key of yours is needed, nothing leaves this machine, nothing is kept.

  export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key}
  export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={key}

  curl {url}/v1/chat/completions -H 'authorization: Bearer {key}' -H 'content-type: application/json' -d '{SAMPLE}'
  curl {url}/api/v1/me/account -H 'authorization: Bearer {key}'

Models: {", ".join(config.catalog.models)}
Ctrl-C stops.
"""
    )
    sys.stdout.flush()


def _stop_with_stdin() -> None:
    """Waits for the end of standard input, then asks for an orderly stop."""
    while os.read(0, 4096):  # not by sys.stdin, whose lock would be held while the interpreter goes down
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _run(serving: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        asyncio.run(serving)
    else:
        uvloop.run(serving)
