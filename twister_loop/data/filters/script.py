"""Drop texts in letters that the language is not written in."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Share, Utterance
from ...text import scripts
from ._base import Filter


@dataclass(frozen=True)
class Script(Filter):
    at_most: Share = 0.0
    """Share of the letters that may be of another script. GigaSpeech 2 allows none."""
    also: tuple[str, ...] = ()
    """Scripts that are welcome too, by their Unicode names: LATIN where languages are switched."""
    characters: str | None = None
    """All that may occur, whatever the case, spaces beside; anything else is an objection."""

    def __post_init__(self) -> None:
        for each in self.also:
            scripts.check(each)

    def objection(self, utterance: Utterance) -> str | None:
        text = utterance.text or ""
        if self.characters is not None:
            allowed = {*self.characters.casefold(), " "}
            if strange := sorted({*text.casefold()} - allowed):
                return f"characters that are not allowed: {' '.join(strange[:10])}"
        foreign, letters = scripts.foreign_letters(text, utterance.lang, self.also)
        share = sum(foreign.values()) / max(letters, 1)
        if not utterance.lang or share <= self.at_most:
            return None
        names = ", ".join(name.lower() for name, _ in foreign.most_common(3))
        return f"{share:.0%} of the letters are {names}, not {utterance.lang}"
