"""Flow that evaluates the champion; defined in `twister_loop.flows`."""

from twister_loop.flows.evaluate import evaluate

__all__ = ["evaluate"]
