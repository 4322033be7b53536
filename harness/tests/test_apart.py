"""The driving process: what it sends arrives, and when it dies nobody waits for it."""

import io
import os
import signal
import threading

import pytest

from harness import driver
from harness.apart import ApartSession
from harness.case import Case, Client, Play, Route, Surface
from harness.plan import Planned
from harness.settings import Settings
from harness.toml_file import UserFileError


def planned(number: int, recording: str = "chat/text") -> Planned:
    case = Case(id=f"chat/apart-{number}", surface=Surface.CHAT, client=Client.RAW, play=Play(recording=recording))
    return Planned(id=f"{case.id}-gpt-5-4", case=case, model="gpt-5-4", route=Route.NATIVE)


def test_messages_come_back_whole_and_a_cut_one_is_an_end() -> None:
    pipe = io.BytesIO()
    driver.write(pipe, threading.Lock(), "told", {"a": b"\x00"})
    driver.write(pipe, threading.Lock(), "outcome", 1, 2)
    whole = pipe.getvalue()
    pipe.seek(0)
    assert [driver.read(pipe), driver.read(pipe), driver.read(pipe)] == [("told", {"a": b"\x00"}), ("outcome", 1, 2), None]
    assert driver.read(io.BytesIO(whole[:-20])) == ("told", {"a": b"\x00"})
    assert driver.read(io.BytesIO(whole[:10])) is None


def test_exchanges_arrive_from_the_other_process() -> None:
    session = ApartSession(Settings(), probe=True, tell=lambda _: None, clients=())
    try:
        session.open()
        futures = session.begin([planned(number) for number in range(5)])
        exchanges = [future.result(timeout=30) for future in futures.values()]
        assert [exchange.errored for exchange in exchanges] == [None] * 5
        for exchange in exchanges:
            assert exchange.client.response is not None
            assert exchange.upstream[0].response is not None
            assert exchange.client.response.text == exchange.upstream[0].response.text
        calls, spent = session.outcome()
        assert calls >= 5
        assert spent > 0
    finally:
        session.close()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_driving_process_that_is_killed_leaves_errored_exchanges_and_nobody_waiting() -> None:
    session = ApartSession(Settings(), probe=True, tell=lambda _: None, clients=())
    try:
        session.open()
        os.kill(session._driver.process.pid, signal.SIGSTOP)
        futures = session.begin([planned(0)])
        os.kill(session._driver.process.pid, signal.SIGKILL)
        exchange = futures[planned(0).id].result(timeout=30)
        assert exchange.errored is not None
        assert "the driving process ended" in exchange.errored
        assert session.outcome() == (0, 0)
    finally:
        session.close()


def test_what_a_user_can_mend_is_raised_in_the_parent() -> None:
    session = ApartSession(Settings(base_url="http://127.0.0.1:9", upstream_port=19_999), probe=True, tell=lambda _: None, clients=())
    with pytest.raises(UserFileError, match="nothing answers at"):
        session.open()


def test_a_driver_started_ahead_is_the_one_that_the_next_session_uses() -> None:
    driver.start_ahead(())
    [ahead] = driver._ahead
    session = ApartSession(Settings(), probe=True, tell=lambda _: None, clients=())
    try:
        assert session._driver is ahead
        assert not driver._ahead
        session.open()
        [future] = session.begin([planned(0)]).values()
        assert future.result(timeout=30).errored is None
    finally:
        session.close()
