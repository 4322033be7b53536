"""`wireproof upstream`: the upstream witness alone, for people who debug their gateway by hand."""

import argparse
import asyncio
import contextlib
import shlex
import sys
import time
from typing import Final

from harness.case import Play, Surface
from harness.recording.format import Recording, RecordingError
from harness.recording.library import Library
from harness.upstream.witness import ListenError, UpstreamWitness

_USUAL: Final = ("chat/text.stream", "responses/text.stream", "messages/text.stream", "gemini/text.stream")
_PORT: Final = 9100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Point your gateway's vendors at it, and send the gateway a prompt that holds one of the printed markers: "
        "the recording beside that marker is the answer. Example: `wireproof upstream messages/parallel-tools.stream`."
    )
    parser.add_argument("recording", nargs="*", default=_USUAL, help=f"ids of recordings to answer with (default: {' '.join(_USUAL)})")
    parser.add_argument("--recordings", default="shipped", metavar="WHICH", help="shipped, corpus or a folder (default: shipped)")
    parser.add_argument("--upstream-port", type=int, default=_PORT, metavar="PORT", help=f"where to listen; 0: any (default: {_PORT})")


def main(arguments: argparse.Namespace) -> int:
    try:
        if not 0 <= arguments.upstream_port < 65536:
            raise ListenError(f"--upstream-port takes a whole number from 0 to 65535, not {arguments.upstream_port}")
        library = Library.open(arguments.recordings)
        recordings = [library.load(name) for name in arguments.recording]
        asyncio.run(_serve(library, recordings, arguments.upstream_port))
    except (RecordingError, ListenError) as error:
        sys.stderr.write(f"wireproof: {error}\n")
        return 2
    return 0


async def _serve(library: Library, recordings: list[Recording], port: int) -> None:
    witness = UpstreamWitness(library.load, port=port)
    await witness.start()
    try:
        for number, recording in enumerate(recordings, 1):
            marker = f"wpm-{number:010x}"
            witness.expect(marker, Play(recording=recording.id), surface=recording.surface, client_progress=None, began=time.perf_counter())
            sys.stdout.write(f"# {marker} is answered with {recording.id}\n{_curl(witness.url, recording, marker)}\n")
        sys.stdout.write(f"# listening at {witness.url}; put your gateway's address and key into the calls above; Ctrl-C stops\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await witness.stop()


def _curl(url: str, recording: Recording, marker: str) -> str:
    """A call that the recording answers, in its surface's smallest form."""
    stream = ', "stream": true' if recording.stream else ""
    prompt = f"Say something. {marker}"
    model = recording.model or "any"
    match recording.surface:
        case Surface.GEMINI:
            path = f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if recording.stream else "generateContent")
            body = f'{{"contents": [{{"parts": [{{"text": "{prompt}"}}]}}]}}'
        case Surface.RESPONSES:
            path, body = "/v1/responses", f'{{"model": "{model}"{stream}, "input": "{prompt}"}}'
        case Surface.MESSAGES | Surface.COUNT_TOKENS:
            path = "/v1/messages" if recording.surface is Surface.MESSAGES else "/v1/messages/count_tokens"
            body = f'{{"model": "{model}", "max_tokens": 1024{stream}, "messages": [{{"role": "user", "content": "{prompt}"}}]}}'
        case _:
            path = "/v1/chat/completions"
            body = f'{{"model": "{model}"{stream}, "messages": [{{"role": "user", "content": "{prompt}"}}]}}'
    return f"curl -N {shlex.quote(url + path)} -H 'content-type: application/json' -d {shlex.quote(body)}"
