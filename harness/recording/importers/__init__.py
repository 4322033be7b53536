"""Readers of other recorders' files; each yields Recordings labelled `imported`, and a Skipped for whatever it left out."""
