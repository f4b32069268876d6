"""Error counts, bootstrap intervals, scoreboards and acceptance gates."""
