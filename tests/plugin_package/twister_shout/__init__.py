"""Parts about people who shout."""
