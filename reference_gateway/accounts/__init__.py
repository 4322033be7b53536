"""Who calls: keys and groups, and what an account may read and change of its own."""
