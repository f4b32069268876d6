"""Error counts, intervals, evidence and gates."""
