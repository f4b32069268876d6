"""Stages over many processes."""
