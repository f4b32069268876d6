"""Perturbations of speech, one a file."""
