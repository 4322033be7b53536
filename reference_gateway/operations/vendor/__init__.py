"""The vendor of the demo: small scripted models behind every protocol the gateway speaks, so that it runs with no key and no network.

It is no model. What it says follows from what it was asked by simple rules (`script`), in the vendors' own layouts (`chat`, `responses`,
`messages`, `gemini`, `images`), so that every client library finds what it would find at the vendor.
"""
