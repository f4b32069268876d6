"""Fine-tune Whisper with pseudo-labels and synthetic speech, in rounds that gates accept or reject.

`docs/api.md` documents each name. Errors are in `twister_loop.errors`, records that functions
return in `types`, base classes for parts of your own in `parts`, and what people decide about a
candidate in `decisions`.

>>> from twister_loop import Utterance
>>> Utterance(id="a", text="what was said", lang="en").text
'what was said'
"""

from .core.environment import installed_version
from .core.errors import TwisterError
from .core.manifest import Manifest
from .core.types import Utterance
from .evaluation.scoring import score
from .pipeline.loop import evaluate, next_round, refine, retrain
from .pipeline.plan_reader import load
from .pipeline.run_folder import RunFolder
from .pipeline.transcription import transcribe
from .reporting.export import export
from .reporting.summary import summarize

__version__ = installed_version("twister-loop") or "0+unknown"  # not installed: run from its source

# Each has a section in `docs/api.md`, and paths may be strings in all of them.
__all__ = [
    "Manifest",
    "RunFolder",
    "TwisterError",
    "Utterance",
    "evaluate",
    "export",
    "load",
    "next_round",
    "refine",
    "retrain",
    "score",
    "summarize",
    "transcribe",
]
