"""Fine-tune Whisper with pseudo-labels and synthetic speech, in rounds that gates accept or reject.

>>> from twister_loop import Utterance
>>> Utterance(id="a", text="what was said", lang="en").text
'what was said'
"""

from .asr._base import Recognizer
from .audio.effects._base import Effect
from .core.environment import installed_version
from .core.errors import (
    AudioError,
    AwaitingApproval,
    BusyError,
    ConfigError,
    EngineError,
    LeakError,
    ManifestError,
    NothingNew,
    SpaceError,
    StaleError,
    TwisterError,
)
from .core.manifest import Manifest
from .core.types import Checkpoint, ErrorCount, Report, Utterance, Verdict, Word
from .data.corpora._base import Corpus
from .data.filters._base import Filter
from .evaluation.gates._base import Gate
from .evaluation.trials import VoiceTrial
from .pipeline.approval import approve, refuse
from .pipeline.loop import measure_champion, next_round, refine, retrain
from .pipeline.plan import Plan
from .pipeline.plan_reader import load
from .pipeline.rollback import roll_back
from .pipeline.run_folder import Approval, Round, RunFolder
from .text.normalizers._base import Normalizer
from .tts._base import Synthesizer

__version__ = installed_version("twister-loop") or "0+unknown"  # not installed: run from its source

__all__ = [
    "Approval",
    "AudioError",
    "AwaitingApproval",
    "BusyError",
    "Checkpoint",
    "ConfigError",
    "Corpus",
    "Effect",
    "EngineError",
    "ErrorCount",
    "Filter",
    "Gate",
    "LeakError",
    "Manifest",
    "ManifestError",
    "Normalizer",
    "NothingNew",
    "Plan",
    "Recognizer",
    "Report",
    "Round",
    "RunFolder",
    "SpaceError",
    "StaleError",
    "Synthesizer",
    "TwisterError",
    "Utterance",
    "Verdict",
    "VoiceTrial",
    "Word",
    "approve",
    "load",
    "measure_champion",
    "next_round",
    "refine",
    "refuse",
    "retrain",
    "roll_back",
]
