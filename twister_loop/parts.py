"""Base classes of what a plan can name: corpora, filters, recognizers, voices, gates and others.

A part is a frozen dataclass whose fields are the options that a plan may set.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class TooShort(Filter):
...     seconds: float = 0.5
...
...     def objection(self, utterance):
...         return "too short" if utterance.duration < self.seconds else None
>>> from twister_loop import Utterance
>>> TooShort(seconds=1).objection(Utterance(id="a", duration=0.8))
'too short'
"""

# Base classes, and what their methods get: the parts themselves are named in plans, not imported.
from .asr._base import BoundRecognizer, Recognizer, WeightsStatus
from .audio.effects._base import Effect
from .data.corpora._base import Corpus
from .data.filters._base import Filter, FilterContext
from .evaluation.evidence import Evidence
from .evaluation.gates._base import Gate
from .text.normalizers._base import Normalizer
from .tts._base import Synthesizer

__all__ = [
    "BoundRecognizer",
    "Corpus",
    "Effect",
    "Evidence",
    "Filter",
    "FilterContext",
    "Gate",
    "Normalizer",
    "Recognizer",
    "Synthesizer",
    "WeightsStatus",
]
