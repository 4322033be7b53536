"""Where ledger, usage rows, keys and tasks are kept: SQLite in one process, PostgreSQL with Redis for several."""
