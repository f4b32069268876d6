"""Flows that run rounds, re-exported where Prefect users look for flows."""

from twister_loop.flows.refine import one_round, refine, retrain

__all__ = ["one_round", "refine", "retrain"]
