"""Quotas, windows and caps: how much a key may spend and how many calls an account may have open."""
