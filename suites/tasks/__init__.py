"""Tasks: work that goes on when its caller has left, and is told of once."""
