"""twister_loop: a recognizer teaches a voice, the voice teaches the recognizer, gates decide."""

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
)
from .ledger import Ledger
from .loop import next_round, refine
from .manifest import Manifest
from .parts import Corpus, Effect, Filter, Gate, Normalizer, Recognizer, Synthesizer
from .plan import Plan, load
from .records import Checkpoint, ErrorCount, Report, Round, Trial, Utterance, Verdict, Word

__all__ = [
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
    "Word",
    "load",
    "next_round",
    "refine",
]
