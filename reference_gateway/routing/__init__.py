"""Which channel serves a model call: priority, failover, stickiness and health."""
