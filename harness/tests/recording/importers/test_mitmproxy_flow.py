from pathlib import Path

from harness.recording.format import End, Recording, Repository, Surface
from harness.recording.importers import mitmproxy_flow
from harness.recording.importers.exchange import Batch, Skipped
from harness.recording.importers.tnetstring import Reader
from harness.tests.recording.importers.test_tnetstring import dump

BATCH = Batch(of=Repository(name="local", commit=None), sha256=None, licence="unpublished", vendor="local")
# Written by mitmdump in front of a scripted server: a gzipped chat answer, a Messages stream, and an answer cut by its server.
FLOWS = (Path(__file__).parent / "samples" / "mitmdump.flow").read_bytes()


def test_flows_of_a_real_mitmdump() -> None:
    chat, messages, cut = mitmproxy_flow.read("mitmdump.flow", FLOWS, BATCH)
    assert isinstance(chat, Recording)
    assert (chat.surface, chat.model, chat.status) == (Surface.CHAT, "gpt-5", 200)
    assert chat.body == b'{\n  "id": "chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj",\n  "object": "chat.completion"\n}\n'
    assert ("Authorization", "Bearer xxxxxxxxxxxxxx") in chat.request.headers
    assert chat.reads[0].at_ms > 0
    assert isinstance(messages, Recording)
    assert (messages.surface, messages.stream, messages.end) == (Surface.MESSAGES, True, End.EOF)
    assert messages.request.path == "/v1/messages"
    assert isinstance(cut, Skipped)
    assert (cut.index, cut.reason) == (2, "body not kept by the recorder")


def test_a_file_cut_short_gives_what_is_whole_and_says_the_rest() -> None:
    *whole, skipped = mitmproxy_flow.read("x.flow", FLOWS[:-1], BATCH)
    assert len(whole) == 2
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "not readable as a mitmproxy flow file"
    assert "ends inside" in skipped.detail


def test_other_flows_and_aborts() -> None:
    (flow, *_) = Reader().feed(FLOWS)
    assert isinstance(flow, dict)

    def read(**change: object) -> object:
        (made,) = mitmproxy_flow.read("x.flow", dump({**flow, **change}), BATCH)  # type: ignore[dict-item]  # values of the test
        return made

    websocket = read(type="tcp")
    assert isinstance(websocket, Skipped)
    assert websocket.reason == "no HTTP flow"
    silent = read(response=None, error={"msg": "connection refused"})
    assert isinstance(silent, Skipped)
    assert (silent.reason, silent.detail) == ("no answer recorded", "connection refused")
    strange = read(request=None)
    assert isinstance(strange, Skipped)
    assert strange.reason == "not readable as a flow"
    left = read(error={"msg": "Client disconnected."})
    assert isinstance(left, Recording)
    assert left.end is End.CLIENT_ABORT
    reset = read(error={"msg": "peer closed connection"})
    assert isinstance(reset, Recording)
    assert reset.end is End.RESET
