"""Synthesizers, one file each; the name of the file is their name in a plan."""
