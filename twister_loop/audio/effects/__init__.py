"""Effects for data augmentation, one a file."""
