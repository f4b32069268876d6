"""Flows that run rounds; defined in `twister_loop.flows`."""

from twister_loop.flows.refine import one_round, refine, retrain

__all__ = ["one_round", "refine", "retrain"]
