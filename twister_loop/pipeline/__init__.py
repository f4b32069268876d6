"""Plan, stages, loop, run folder."""
