"""Acceptance gates, one file each, named as plans name them."""
