"""The flow that evaluates the champion, re-exported where Prefect users look for flows."""

from twister_loop.flows.evaluate import evaluate

__all__ = ["evaluate"]
