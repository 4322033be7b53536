"""`/test/clock`: GET says the gateway's time, POST moves it ahead, so that a harness need not wait for a window of five hours.

It is served only where the gateway was started with a clock that can be moved (`--demo-clock`); else the path is as unknown as any other.
"""

from __future__ import annotations

from typing import Final

import msgspec

from reference_gateway.clock import ShiftedClock
from reference_gateway.errors import INVALID_REQUEST, METHOD_NOT_ALLOWED, Refusal

PATH: Final = b"/test/clock"
YEAR_S: Final = 366 * 24 * 3600


class _Move(msgspec.Struct):
    advance_s: float


def answer(clock: ShiftedClock, method: bytes, body: bytes) -> bytes:
    """The time after the move, in Unix seconds. Raises Refusal."""
    if method == b"POST":
        try:
            advance_s = msgspec.json.decode(body, type=_Move).advance_s
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal(INVALID_REQUEST, f'The body must be {{"advance_s": seconds}}: {error}.', param="advance_s") from None
        if not 0 <= advance_s <= YEAR_S:
            raise Refusal(INVALID_REQUEST, f"advance_s must be from 0 to {YEAR_S}: a clock goes ahead only.", param="advance_s")
        clock.advance(advance_s)
    elif method != b"GET":
        raise Refusal(METHOD_NOT_ALLOWED, "/test/clock takes GET, POST only.", headers=((b"allow", b"GET, POST"),))
    return msgspec.json.encode({"now": clock()})
