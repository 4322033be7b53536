"""Translated routes: what the upstream says reaches a client of another protocol, and what the client asks reaches the upstream."""
