"""What the official SDKs make of the answer, on every surface."""
