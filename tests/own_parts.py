"""Parts of one's own in a folder, for tests."""

from pathlib import Path

FILTER = '''"""Filter on the length of the text."""

from dataclasses import dataclass

from twister_loop import Utterance
from twister_loop.parts import Filter

from ._limits import LIMIT


@dataclass(frozen=True)
class Wordy(Filter):
    at_most: int = LIMIT

    def objection(self, utterance: Utterance) -> str | None:
        count = len((utterance.text or "").split())
        return None if count <= self.at_most else f"{count} words"
'''
GATE = '''"""Gate that accepts everything."""

from dataclasses import dataclass

from twister_loop.parts import Gate


@dataclass(frozen=True)
class Lenient(Gate):
    def objection(self, evidence):
        return None
'''
NORMALIZER = '''"""Normalizer without a letter."""

from dataclasses import dataclass

from twister_loop.parts import Normalizer


@dataclass(frozen=True)
class Skeleton(Normalizer):
    dropped: str = "q"

    def normalize(self, text, lang):
        return " ".join(text.lower().replace(self.dropped, "").split())
'''
RECOGNIZER = '''"""Recognizer of the toy language, under another name."""

from dataclasses import dataclass

from twister_loop.asr.toy import ToyRecognizer


@dataclass(frozen=True)
class Parrot(ToyRecognizer):
    pass
'''


def write_parts(folder: Path) -> Path:
    """Write a filter with a helper, a gate, a normalizer and a recognizer; return the folder."""
    for name, source in {
        "filters/wordy.py": FILTER,
        "filters/_limits.py": '"""Limits."""\n\nLIMIT = 30\n',
        "gates/lenient.py": GATE,
        "normalizers/skeleton.py": NORMALIZER,
        "asr/parrot.py": RECOGNIZER,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder
