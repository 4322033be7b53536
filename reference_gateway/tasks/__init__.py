"""Work that outlives its request: submitted, run, watched, called back (contract:217 to contract:229)."""
