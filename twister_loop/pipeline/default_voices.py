"""Voices of a plan that names none: chosen by what is installed, and kept for the whole run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..asr._base import Recognizer
from ..core.errors import ConfigError
from ..core.types import Language
from ..data.corpora._base import Corpus
from ..data.presets import Spec
from ..tts._base import Synthesizer
from .run_check import read_note, round_number

DEFAULT_VOICES: Mapping[str, Spec] = {
    "splice": {"use": "concatenative", "samples_per_text": 3},
    "kokoro": {"use": "kokoro", "samples_per_text": 1},
}
"""Voices that speak the texts of a plan without `voices`, as a plan would write them. `espeak` is
none of them: it speaks like a machine, and whether that teaches was not measured."""
NOTE_KEY = "default_voices"
"""Key of a round's note that is true if its voices were chosen here."""


@dataclass(frozen=True)
class DefaultVoices:
    """Voices that were chosen for a plan that names none."""

    specs: Mapping[str, Spec]
    """Options of each, as a plan would write them."""
    left_out: Mapping[str, str]
    """Reasons why the others are not used, by name."""

    def describe(self) -> str:
        """Return what was chosen and what was left out, as one sentence.

        >>> DefaultVoices({"splice": {}}, {"kokoro": "not installed"}).describe()
        'the plan names none, so its texts are spoken by splice, without kokoro: not installed'
        """
        chosen = f"spoken by {' and '.join(self.specs)}" if self.specs else "not spoken"
        reasons = "; ".join(f"without {name}: {reason}" for name, reason in self.left_out.items())
        return ", ".join(filter(None, [f"the plan names none, so its texts are {chosen}", reasons]))


def choose_default_voices(
    asr: Recognizer, texts: Iterable[Corpus], language: Language | None
) -> DefaultVoices:
    """Choose the default voices that are installed and can speak the texts.

    Args:
        asr: The recognizer that is fine-tuned.
        texts: The text corpora.
        language: The plan's language.
    """
    languages = {getattr(corpus, "lang", None) or language for corpus in texts}
    specs, left_out = dict[str, Spec](), dict[str, str]()
    for name, spec in DEFAULT_VOICES.items():
        if reason := _find_obstacle(str(spec["use"]), asr, languages):
            left_out[name] = reason
        else:
            specs[name] = dict(spec)
    return DefaultVoices(specs, left_out)


def _find_obstacle(
    synthesizer: str, asr: Recognizer, languages: Iterable[Language | None]
) -> str | None:
    """Return why a voice cannot be used for texts in these languages; None if it can."""
    if not asr.pretrained:
        return f"{asr.name} starts from random weights and could not check what a voice says"
    try:
        part = Synthesizer.build({"use": synthesizer})
    except ConfigError as error:
        return str(error)
    if (status := part.find_weights()) and status.problem:
        return status.problem
    return next(filter(None, map(part.explain_language, languages)), None)


def check_same_voices(default: DefaultVoices | None, round_folders: Sequence[Path]) -> None:
    """Check that a run keeps the voices that were chosen when its last round began.

    Args:
        default: The voices that are chosen now; None if the plan names its voices.
        round_folders: Folders of the run's rounds, in order.

    Raises:
        ConfigError: Others would be chosen now, as if a package was removed since.
    """
    if default is None or not round_folders:
        return
    folder = round_folders[-1]
    note = read_note(folder)
    before = [voice["name"] for voice in note["plan"]["voices"]]
    # Voices that the plan named are its own change, which applies from the next round on.
    if not note.get(NOTE_KEY) or before == list(default.specs):
        return
    raise ConfigError(
        f"voices: the plan names none. Round {round_number(folder)} chose "
        f"{_join(before)}, and now it would be {_join(default.specs)}{_explain(default)}. "
        f"Copy `voices` from {folder / 'plan.yaml'} into the plan to keep them, and install what "
        "is missing; or name others"
    )


def _join(names: Iterable[str]) -> str:
    return " and ".join(names) or "no voice"


def _explain(default: DefaultVoices) -> str:
    """Return the reasons for voices that are left out, in parentheses."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in default.left_out.items())
    return f" ({reasons})" if reasons else ""
