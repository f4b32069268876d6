"""Shared parts of the recognizers that are trained from scratch."""
