"""Whether what went wrong in an exchange may be our own doing: our loop stood still, and somebody gave up waiting.

On a machine that has too much to do nobody is in time. What the client lacks then, or what a timeout says, is no fault of the gateway's.
"""

from collections.abc import Iterator
from typing import Final

from harness.case import Outcome, Play
from harness.exchange import End, Exchange, Hop

STOOD_STILL_MS: Final = 200  # of our own loop, beyond which its times tell little
_TOO_LONG_MS: Final = 1000  # for anything that was driven meanwhile: what the vendor says that we play came later than a vendor speaks
_STILL_COMING_MS: Final = 5000  # a body that was silent for longer was not cut off by our own patience


def excuse(exchange: Exchange) -> str | None:
    """Why nothing here can be laid at the target's door; None where it can."""
    if exchange.lag_ms < STOOD_STILL_MS or (who := _gave_up(exchange)) is None:
        return None
    return f"{who} while our own loop stood still for {exchange.lag_ms} ms: drive it again where there is less to do"


def is_doubtful(exchange: Exchange) -> bool:
    """Whether it is worth asking once more: our loop stood still, and it shows, or for so long that it need not."""
    if exchange.lag_ms >= _TOO_LONG_MS:
        return True
    missed = any(hop.lockstep_missed for hop in exchange.upstream)
    return exchange.lag_ms >= STOOD_STILL_MS and (missed or _gave_up(exchange) is not None)


def _gave_up(exchange: Exchange) -> str | None:
    """Who did, though nothing in the case makes them."""
    for client, upstream in _undisturbed(exchange):
        if _was_still_coming(client):
            return "our client gave up on a body that was still coming"
        if any(hop.closed_ms is not None for hop in upstream):
            return "the gateway gave up on the vendor"
    return None


def _was_still_coming(client: Hop) -> bool:
    response = client.response
    if response is None or response.end is not End.TIMEOUT or not response.reads:
        return False
    return response.end_ms - response.reads[-1].at_ms < _STILL_COMING_MS


def _undisturbed(exchange: Exchange) -> Iterator[tuple[Hop, tuple[Hop, ...]]]:
    """The calls that no fault of the vendor's and no leaving of the client's was to break, each with those that the gateway made for it."""
    case = exchange.case
    if not case.steps and case.outcome is not Outcome.ABORTED and _answers(case.play):
        yield exchange.client, exchange.upstream
    for step, seen in zip(case.steps, exchange.steps, strict=False):
        if step.storm is None and not step.open and step.abort_after_frames is None and seen.calls and all(map(_answers, step.plays)):
            yield seen.calls[0], seen.upstream


def _answers(play: Play | None) -> bool:
    return play is None or play.fault is None
