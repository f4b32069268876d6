"""Filter on the script (alphabet) of the text."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.ranges import Fraction
from ...core.types import Utterance
from ...text import scripts
from ._base import Filter


@dataclass(frozen=True)
class Script(Filter):
    """Drops texts with letters of a script that their language is not written in.

    With `characters`, also drops texts with any character that is not listed there. A text of
    unknown language is not checked for its script.
    """

    at_most: Fraction = 0.0
    """Largest share of the letters that may be of another script, from 0 to 1. GigaSpeech 2 allows
    none."""
    also: tuple[str, ...] = ()
    """More allowed scripts, by their Unicode names, such as LATIN for code-switched speech."""
    characters: str | None = None
    """All allowed characters, without regard to case; the space is always allowed. None allows
    any."""

    def __post_init__(self) -> None:
        for script in self.also:
            scripts.check_script(script)

    def objection(self, utterance: Utterance) -> str | None:
        text = utterance.text or ""
        if self.characters is not None:
            allowed = {*self.characters.casefold(), " "}
            if not_allowed := sorted({*text.casefold()} - allowed):
                return f"characters that are not allowed: {' '.join(not_allowed[:10])}"
        # Letters only: digits and punctuation belong to no script.
        foreign, letters = scripts.count_letters_by_foreign_script(text, utterance.lang, self.also)
        share = sum(foreign.values()) / max(letters, 1)
        # Without a language there is no wrong script.
        if not utterance.lang or share <= self.at_most:
            return None
        names = ", ".join(name.lower() for name, _ in foreign.most_common(3))
        return f"{share:.0%} of the letters are {names}, not {utterance.lang}"
