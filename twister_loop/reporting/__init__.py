"""What a run came to: summaries, dashboard, export."""
