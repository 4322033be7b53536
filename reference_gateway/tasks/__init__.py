"""Tasks: work that outlives its request, submitted, queried, cancelled, followed."""
