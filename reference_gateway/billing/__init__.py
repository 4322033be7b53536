"""Money: the ledger's state machine, rolling windows, and the treasury that admits, settles and releases by them."""
