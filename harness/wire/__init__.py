"""Sans-IO codecs: bytes to typed events and back, one file per protocol.

What is decoded and encoded again loses nothing: unknown fields and events, nulls, key order and number spelling stay.
Nothing in here opens a socket, reads a clock, or knows a gateway.
"""

from harness.wire.wire_error import WireError

__all__ = ["WireError"]
