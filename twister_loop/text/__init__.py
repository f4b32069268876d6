"""Text normalizers, scripts, near duplicates and language models."""
