"""Warning of a language that a plan leaves to detection, although its references tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..asr.whisper.published import LANGUAGES
from ..core.types import Utterance
from ..text.language_identification import identify_languages
from .plan import Plan


def find_unnamed_language(plan: Plan, speech: Mapping[str, Iterable[Utterance]]) -> Iterator[str]:
    """Yield a warning if a plan names no language and its references are all in one.

    Whisper then detects it clip by clip. Where it is weak it takes a language for a neighbor, and
    labels in that language are learned: it hears half of some Czech dialogues in Polish.

    Args:
        plan: The plan.
        speech: Utterances of the held-out sets, by name.
    """
    if plan.language or not plan.asr.pretrained:
        return
    references = [
        utterance.text or ""
        for name, utterances in speech.items()
        if plan.sets[name][0] == "development"
        for utterance in utterances
        if not utterance.lang
    ]
    languages = identify_languages(references, LANGUAGES)
    if len(languages) == 1:
        [language] = languages
        yield (
            "language: the plan names none, so it is detected clip by clip, and a weak model takes "
            f"it for a neighbor; the development references are in {language}: write `language: "
            f"{language}`, if that is what is spoken"
        )
