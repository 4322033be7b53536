"""One protocol's words in another's: a client of any surface reaches an upstream of any kind (contract 1.4 to 1.8).

Every direction is one reader and one writer with `items` between them: no direction takes two lossy hops, and a native route never
comes here. Pure and sans-IO: bytes and JSON values in, bytes and JSON values out; no clock, no randomness, no socket.

    request:  client's protocol --read--> items.Ask --write--> upstream's protocol
    answer:   upstream's protocol --read--> items.Event ... --write--> client's protocol

A protocol's folder has `losses` (what it cannot keep, as data), `request_in`, `request_out`, `answer_in`, `answer_out`.
"""
