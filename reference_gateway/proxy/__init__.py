"""The data plane: an HTTP/1.1 server, an HTTP/1.1 client and the relay between them, on asyncio protocols and httptools."""
