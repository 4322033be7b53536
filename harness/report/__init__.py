"""Reports on a run file. Nothing here judges: what a report says, the run file said."""
