"""Records that functions of this library return, for annotations and for parts of your own.

>>> from twister_loop.types import ErrorCount
>>> (ErrorCount(substitutions=1, hits=9) + ErrorCount(hits=10)).rate
0.05
"""

# Only what a function of the API returns or takes, so that the rest is free to change.
from .core.types import (
    Checkpoint,
    ErrorCount,
    Objection,
    Report,
    Score,
    Segment,
    Utterance,
    Verdict,
    Word,
)
from .evaluation.trials import VoiceTrial
from .pipeline.plan import Plan
from .pipeline.rollbacks import Rollback
from .pipeline.run_folder import Approval, Round
from .reporting.summary import RoundSummary, Summary

__all__ = [
    "Approval",
    "Checkpoint",
    "ErrorCount",
    "Objection",
    "Plan",
    "Report",
    "Rollback",
    "Round",
    "RoundSummary",
    "Score",
    "Segment",
    "Summary",
    "Utterance",
    "Verdict",
    "VoiceTrial",
    "Word",
]
