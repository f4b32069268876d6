"""Comparisons of whole runs."""
