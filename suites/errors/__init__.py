"""Every answer that is no success: in whose envelope, with which status, and why."""
