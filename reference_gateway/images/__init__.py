"""The images surface: what a caller asks, each vendor's words for it, and what is kept and linked to (contract:210 to contract:215)."""
