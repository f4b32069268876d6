"""Prefect flows around the loop; the only room of the package that imports Prefect.

The run folder holds the truth. Prefect schedules, guards and displays rounds: without the
decorators the same code still works.
"""
