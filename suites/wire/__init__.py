"""The wire itself, on every surface: the framing of streams, and native routes as byte pipes."""
