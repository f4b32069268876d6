"""The flow that waits for a person's approval, re-exported where Prefect users look for flows."""

from twister_loop.flows.approval import promote

__all__ = ["promote"]
