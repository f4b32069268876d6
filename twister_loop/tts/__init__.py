"""Synthesizers, one a file."""
