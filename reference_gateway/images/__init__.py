"""Images: generations and edits, billed per delivered image."""
