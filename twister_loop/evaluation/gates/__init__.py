"""Reasons to refuse a candidate, one a file."""
