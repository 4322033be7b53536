"""Responses: requests and answers of `/v1/responses`, read and written (translation.md 3.6)."""
