"""Images: made, delivered as asked, linked to, and billed by the piece."""
