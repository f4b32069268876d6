"""Decisions of people about the champion of a run: approve or refuse a candidate, or go back.

>>> refuse("runs/a", note="it mishears names")
Traceback (most recent call last):
    ...
twister_loop.core.errors.ConfigError: runs/a: no run here; `twister run PLAN runs/a` begins one
"""

# Apart from the rounds, since these are for people: they are recorded with a name.
from .pipeline.approval import approve, refuse
from .pipeline.rollback import roll_back

__all__ = ["approve", "refuse", "roll_back"]
