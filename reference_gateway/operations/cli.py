"""`wireproof gateway`, and `python -m reference_gateway`.

Start the gateway from its configuration, or as a demo before one upstream URL.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import signal
import sqlite3
import sys
import tempfile
import threading
from pathlib import Path

from reference_gateway import app
from reference_gateway.config import Config, ConfigError, load
from reference_gateway.operations.demo import Demo, demo_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, metavar="FILE", help="the configuration (reference_gateway/example.toml shows all of it)")
    source.add_argument("--demo-upstream", metavar="URL", help="run with a made-up configuration whose upstreams all stand at URL")
    demo = parser.add_argument_group("with --demo-upstream")
    demo.add_argument("--demo-key", metavar="KEY", help="this secret for the first key instead of a drawn one")
    demo.add_argument("--demo-accounts", type=int, default=1, metavar="N", help="so many accounts, each with a key of its own")
    demo.add_argument("--demo-first-byte-ms", type=int, default=30_000, metavar="MS", help="how long an upstream may keep silent at first")
    demo.add_argument("--demo-tied", action="store_true", help="stop when standard input closes: when whoever started it is gone")
    demo.add_argument("--demo-idle-ms", type=int, default=300_000, metavar="MS", help="how long an upstream may pause")
    parser.add_argument("--host", help="listen there instead of where the configuration says")
    parser.add_argument("--port", type=int, help="listen there instead of where the configuration says; 0 takes a free port")
    parser.add_argument("--check", action="store_true", help="check the configuration and stop")


def main(args: argparse.Namespace) -> int:
    """0 after an orderly stop, 2 where it could not run (one sentence on stderr)."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        if args.demo_upstream is not None:
            with tempfile.TemporaryDirectory(prefix="wireproof-gateway-") as folder:
                demo = demo_config(
                    args.demo_upstream,
                    Path(folder),
                    keys=[args.demo_key] if args.demo_key else [],
                    accounts=max(1, args.demo_accounts),
                    first_byte_ms=args.demo_first_byte_ms,
                    idle_ms=args.demo_idle_ms,
                )
                return _run(load(demo.config), args, demo)
        return _run(load(args.config), args, None)
    except ConfigError as error:
        return _fail(str(error))
    except sqlite3.Error as error:
        return _fail(f"the database cannot be used: {error}; name another one under [server] database")
    except OSError as error:
        return _fail(f"cannot listen there: {error.strerror}; choose another --host or --port")


def _fail(message: str) -> int:
    sys.stderr.write(f"gateway: {message}\n")
    return 2


def _run(config: Config, args: argparse.Namespace, demo: Demo | None) -> int:
    if args.host is not None:
        config = dataclasses.replace(config, host=args.host)
    if args.port is not None:
        config = dataclasses.replace(config, port=args.port)
    if args.check:
        catalog = config.catalog
        sys.stdout.write(f"{len(catalog.models)} models, {len(config.keys)} keys, {len(catalog.upstreams)} upstreams: in order\n")
        return 0

    def ready(url: str) -> None:
        announcement: dict[str, object] = {"listening": url}
        if demo is not None:
            announcement |= {"keys": list(demo.keys), "narrow_keys": [demo.narrow_key, demo.gpt_key], "poor_key": demo.poor_key}
        sys.stdout.write(json.dumps(announcement) + "\n")
        if sys.stdout.isatty():
            sys.stdout.write(f"OpenAI base URL {url}/v1, Anthropic and Gemini base URL {url}; Ctrl-C stops.\n")
        sys.stdout.flush()

    if demo is not None and args.demo_tied:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    _run_on_best_loop(config, ready)
    return 0


def _stop_with_stdin() -> None:
    """Waits for the end of standard input, then asks for an orderly stop."""
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _run_on_best_loop(config: Config, ready: app.Ready) -> None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        asyncio.run(app.run(config, ready))
    else:
        uvloop.run(app.run(config, ready))
