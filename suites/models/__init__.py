"""The model list in three dialects."""
