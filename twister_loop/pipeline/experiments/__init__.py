"""Experiments over whole runs: comparison of arms, fine-tuning study, reproduction."""
