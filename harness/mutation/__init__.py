"""Detection power, measured: named corruptions, the proxy that commits them, and which check notices each."""
