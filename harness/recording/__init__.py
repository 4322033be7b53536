"""Recorded vendor exchanges: the file format, redaction, importers, lint, and the pull of public recordings.

`format` and `redact` import the standard library only, because the capture add-on loads them inside mitmproxy's own environment.
"""
