"""How each process of the bench runs: on uvloop where there is one, and with one line of JSON that says where it listens."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any


def run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        asyncio.run(work)
    else:
        uvloop.run(work)


async def serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    """Listen on a free port of loopback until the process is ended."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"listening": f"http://127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    await server.serve_forever()
