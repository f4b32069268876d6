"""Flow that waits for a person's approval; defined in `twister_loop.flows`."""

from twister_loop.flows.approval import promote

__all__ = ["promote"]
