"""What an operator does and sees: the commands, the demo, metrics, traces, the access log."""
