"""Results of a run for people and other tools: summaries, dashboard, export."""
