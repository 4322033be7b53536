"""Answers to bytes, as each vendor lays them out. Source of every layout: counts over recorded traffic, and the vendors' API references."""
