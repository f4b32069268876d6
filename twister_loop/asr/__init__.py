"""Recognizers, one a file."""
