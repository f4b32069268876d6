"""Scripts, spelling, normalizers, language models."""
