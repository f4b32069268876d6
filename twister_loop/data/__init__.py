"""Corpora, filters, deduplication, packing and mixtures."""
