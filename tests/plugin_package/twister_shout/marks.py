"""Marks that people shout with; a helper, so an edit of it has to be noticed, too."""

MARKS = "!?"
