"""The contract's claims, each with what shows that this gateway keeps it: `python -m reference_gateway.contract` writes the table."""
