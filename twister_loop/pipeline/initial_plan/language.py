"""Language of a pool: as a person says, as transcripts and sentences are written, as it is heard.

Text comes before sound: where Whisper is weak it takes one language for another, and is sure of it.
Of eight clips of Czech dialogues Whisper base heard four in Polish.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ...core.types import Language
from .listening import Hearing
from .roles import Group
from .sentences import SentenceList, guess_language, list_languages

MIN_MAJORITY = 0.6
"""Share of the clips in one language from which it is that of the recordings."""
SURE_OF_WORDS = -0.35
"""Mean log-probability of a token above which Whisper knows the language that it hears: base has
-0.13 in Russian prompts, and -0.55 in Czech dialogues, of which it takes half for Polish."""


def choose_language(
    groups: Iterable[Group],
    hearing: Hearing,
    written: WrittenLanguages,
    wished: Language | None,
) -> tuple[Language | None, str]:
    """Return the language of the pool, or None to have it detected, with the reason."""
    # What a person says comes first, then what files name, then their words, then what was heard;
    # but for words of other speech, where Whisper is sure of what it heard.
    if wished:
        return wished, "as you said"
    named = Counter[Language | None]()
    for group in groups:
        script = guess_language(line.text for line in group.transcripts[:200])
        # None for transcripts that tell nothing: they are counted as well.
        named[group.language or script] += len(group.transcripts)
    # Where some transcripts name no language, those that do may be of another one.
    languages = [language for language, _ in named.most_common() if None not in named and language]
    clips = sum(hearing.languages.values())
    if clips:
        first, count = next(iter(hearing.languages.items()))
        _, probability = hearing.count_language(first)
        sentence = f"detected in {count} of {clips} clips, {probability:.0%} sure"
        # A language that Whisper knows badly is often taken for a larger one beside it.
        if languages and first not in languages:
            return languages[0], f"as your transcripts say, although {first} was {sentence}"
        is_clear = count >= MIN_MAJORITY * clips
        if is_clear and written.language in (None, first):
            return first, sentence
        listed = f"of {clips} clips: {list_heard(hearing)}"
        if len(languages) == 1 and not is_clear:
            return languages[0], f"as your transcripts say; {listed}"
        if written.language and written.decides_over(hearing):
            return written.language, f"as your {written.source} are written; {listed}"
        if is_clear:
            return first, sentence
        return None, f"{listed}; so it is detected clip by clip"
    if len(languages) == 1:
        return languages[0], "as your transcripts say"
    if written.language:
        return written.language, f"as your {written.source} are written"
    return None, "not known, so Whisper detects it clip by clip; name it if it is one"


@dataclass(frozen=True)
class WrittenLanguages:
    """Languages that the transcripts of a folder, or else its sentences, are written in."""

    languages: tuple[Language, ...] = ()
    """The most frequent first; empty if they are not known."""
    source: str = ""
    """`transcripts` or `sentences`."""

    @property
    def language(self) -> Language | None:
        """Return the only language; None if there are several, or none is known."""
        return self.languages[0] if len(self.languages) == 1 else None

    def decides_over(self, hearing: Hearing) -> bool:
        """Return whether the text tells more of the pool's language than what was heard."""
        if self.language in hearing.languages:
            return True
        # Sentences may be of something else, and so may transcripts, where Whisper is sure of what
        # it hears. Galician and other languages that it hardly knows are never heard as such.
        return self.source == "transcripts" and not is_sure(hearing)


def identify_written(groups: Iterable[Group], texts: Iterable[SentenceList]) -> WrittenLanguages:
    """Identify the languages of the transcripts that name none, or else of the sentences."""
    transcripts = [
        line.text for group in groups if not group.language for line in group.transcripts
    ]
    if languages := list_languages(transcripts):
        return WrittenLanguages(languages, "transcripts")
    of_files = dict.fromkeys(language for file in texts for language in file.languages)
    return WrittenLanguages(tuple(of_files), "sentences")


def is_sure(hearing: Hearing) -> bool:
    """Return whether Whisper was sure of the words that it heard."""
    return hearing.confidence is not None and hearing.confidence >= SURE_OF_WORDS


def list_heard(hearing: Hearing) -> str:
    """Return the languages that were heard, each with its number of clips."""
    return ", ".join(f"{language} in {count}" for language, count in hearing.languages.items())
