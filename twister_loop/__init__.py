"""twister_loop: a recognizer teaches a voice, the voice teaches the recognizer, gates decide."""

from .approval import approve, refuse
from .errors import (
    AudioError,
    BusyError,
    ConfigError,
    EngineError,
    LeakError,
    ManifestError,
    NothingNew,
    SpaceError,
    StaleError,
    TwisterError,
    Waiting,
)
from .ledger import Approval, Ledger, Round
from .loop import measure_champion, next_round, refine, retrain
from .manifest import Manifest
from .parts import Corpus, Effect, Filter, Gate, Normalizer, Recognizer, Synthesizer
from .plan import Plan, load
from .records import Checkpoint, ErrorCount, Report, Utterance, Verdict, Word
from .trials import Trial

__all__ = [
    "Approval",
    "AudioError",
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
    "Ledger",
    "Manifest",
    "ManifestError",
    "Normalizer",
    "NothingNew",
    "Plan",
    "Recognizer",
    "Report",
    "Round",
    "SpaceError",
    "StaleError",
    "Synthesizer",
    "Trial",
    "TwisterError",
    "Utterance",
    "Verdict",
    "Waiting",
    "Word",
    "approve",
    "load",
    "measure_champion",
    "next_round",
    "refine",
    "refuse",
    "retrain",
]
