"""`doctor`: looks at everything the gateway needs before it is started, one line each; exit code 1 where something is wrong.

It changes nothing but what a start would (the database is brought to the present schema), and calls no vendor: of an upstream it opens a
connection, over TLS where its URL says so, and closes it again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reference_gateway.config import Config, load
from reference_gateway.operations import books
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.toml_lines import ConfigError

CONNECT_S: Final = 5.0
FILES_WANTED: Final = 4096
BUILT: Final = 1_767_225_600  # the clock cannot stand before the code was written: 2026-01-01, Unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`mend` is empty where all is well."""

    what: str
    told: str
    mend: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  wireproof gateway doctor --config gateway.toml\n"
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration")


def main(args: argparse.Namespace) -> int:
    findings = asyncio.run(examine(args.config))
    for finding in findings:
        sys.stdout.write(f"{'FAIL' if finding.mend else 'ok  '} {finding.what}: {finding.told}\n")
        if finding.mend:
            sys.stdout.write(f"     mend: {finding.mend}\n")
    return int(any(finding.mend for finding in findings))


async def examine(file: Path) -> list[Finding]:
    try:
        config = load(file)
    except ConfigError as error:
        return [Finding(what="configuration", told=str(error), mend="correct that line, then ask again"), *_machine()]
    catalog = config.catalog
    told = f"{len(catalog.models)} models, {len(config.keys)} declared keys; every secret it names is there"
    found = [Finding(what="configuration", told=told), await _database(config)]
    if config.servers.redis:
        found.append(await _redis(config.servers.redis))
    found += await asyncio.gather(*(_upstream(*place) for place in sorted(set(_upstreams(config)))))
    return [*found, *_unreachable(config), *_machine()]


async def _database(config: Config) -> Finding:
    try:
        async with books.database(config) as database:
            await database.write()
            rows = await database.fetch("SELECT version_num FROM alembic_version", {})
    except ConfigError as error:
        return Finding(what="database", told=str(error), mend="name a file under [server] database, unless nothing is to be kept")
    except (OSError, StorageFailed) as error:
        return Finding(what="database", told=str(error), mend="make it reachable and writable, or name another one")
    except Exception as error:  # a driver's own exceptions have no common parent
        return Finding(what="database", told=f"{type(error).__name__}: {error}", mend="make it reachable and writable, or name another one")
    return Finding(what="database", told=f"writable, schema {rows[0]['version_num']}")


async def _redis(url: str) -> Finding:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client: Redis = Redis.from_url(url, socket_timeout=CONNECT_S, socket_connect_timeout=CONNECT_S)
    try:
        await client.get("wireproof:doctor")
    except (RedisError, OSError) as error:  # without its text, which may name the password
        told = f"it does not answer ({type(error).__name__})"
        return Finding(what="redis", told=told, mend="start it, or look at [storage] redis and its password; leave it out to do without")
    finally:
        await client.aclose()
    return Finding(what="redis", told="answers")


def _upstreams(config: Config) -> Iterator[tuple[str, str, int, bool]]:
    for channel in config.catalog.channels.values():
        for endpoint in (channel.endpoint, channel.messages_endpoint):
            if endpoint is not None:
                yield channel.name, endpoint.host, endpoint.port, endpoint.tls is not None


async def _upstream(channel: str, host: str, port: int, tls: bool) -> Finding:
    what = f"channel {channel}"
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context() if tls else None)
    except TimeoutError:
        return Finding(what=what, told=f"{host}:{port} does not answer", mend="look at its base_url and at the network between")
    except ssl.SSLError as error:
        return Finding(what=what, told=f"no TLS with {host}:{port} ({error.reason})", mend="look at its base_url and its certificate")
    except OSError as error:
        told = f"{host}:{port} cannot be reached ({error.strerror or type(error).__name__})"
        return Finding(what=what, told=told, mend="look at its base_url and at the network between")
    writer.close()
    return Finding(what=what, told=f"{host}:{port} answers{' over TLS' if tls else ''}")


def _unreachable(config: Config) -> Iterator[Finding]:
    reached = {model for group in config.catalog.groups.values() for model in group}
    if lost := [name for name in config.catalog.models if name not in reached]:
        yield Finding(what="groups", told=f"no group has {', '.join(lost)}", mend="add them to a group, or take them out")


def _machine() -> Iterator[Finding]:
    now = time.time()
    if now < BUILT:
        told = f"it stands at {time.strftime('%Y-%m-%d', time.gmtime(now))}"
        yield Finding(what="clock", told=told, mend="set the machine's clock: windows, prices and signed links go by it")
    else:
        yield Finding(what="clock", told=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = f"{soft} open files (hard limit {hard}), process {os.getpid()}"
    if soft != resource.RLIM_INFINITY and soft < FILES_WANTED:
        yield Finding(what="file limit", told=told, mend=f"`ulimit -n {FILES_WANTED}`: every stream takes two")
    else:
        yield Finding(what="file limit", told=told)
