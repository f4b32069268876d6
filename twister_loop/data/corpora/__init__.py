"""Sources of speech and of texts, one a file."""
