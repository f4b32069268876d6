"""Corpora: sources of speech and of texts, one corpus a file."""
