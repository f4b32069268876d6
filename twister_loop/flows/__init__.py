"""The loop as Prefect flows; nothing of the library knows that this room exists.

The run folder is the truth. Prefect schedules, guards and shows: take the decorators away, and
the code still works.
"""
