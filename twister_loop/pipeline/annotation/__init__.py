"""Transcription of clips of the pool by people: drawing, decisions, and the set that is written.

`session` is what a page talks to. This has nothing to do with the stage `annotated`, which
estimates columns.
"""
