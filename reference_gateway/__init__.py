"""The reference gateway: a working gateway that obeys spec/contract.md, which people develop against and which keeps the harness honest.

`proxy/` knows sockets and HTTP/1.1; everything else (routing, keys, money, errors) knows nothing of them.
"""
