"""Who may call, and how a caller shows it."""
