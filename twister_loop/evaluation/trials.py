"""What must be shown on a few dozen clips, before a whole pool or corpus is given to it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.artifacts import JsonRecord
from ..core.types import ErrorCount, Share


@dataclass(frozen=True)
class VoiceTrial(JsonRecord):
    """How well the champion understood a voice on a few dozen texts."""

    voice: str
    texts: int
    spoken: int
    """Texts that the voice could speak at all."""
    characters: ErrorCount
    limit: Share
    """The character error rate above which the voice is not used."""

    @property
    def passed(self) -> bool:
        return self.spoken > 0 and self.characters.rate <= self.limit

    def __str__(self) -> str:
        said = "passed" if self.passed else "not used"
        return (
            f"voice {self.voice}: CER {self.characters.rate:.2f} on {self.spoken} of "
            f"{self.texts} trial texts, limit {self.limit:.2f}: {said}"
        )


@dataclass(frozen=True)
class DecoderAttempt:
    """How a faster way to hear compares with a careful one, on the same clips and weights."""

    decoding: str
    identical: int
    """Clips of which both made the same text."""
    characters: ErrorCount
    """With what the careful one heard as the reference."""


@dataclass(frozen=True)
class DecoderTrial(JsonRecord):
    """Which of several ways to hear may label: the fastest that hears what a careful one hears."""

    reference: str
    """How that decodes."""
    clips: int
    """Those that the filters keep as it heard them; what they drop is not labeled anyway."""
    limit: Share
    """The character error rate above which a faster way is not used."""
    attempts: tuple[DecoderAttempt, ...]
    """The fastest first, up to the first that was good enough."""

    @property
    def chosen(self) -> int | None:
        """The number of the attempt that was good enough; None if the careful way has to do."""
        last = self.attempts[-1].characters
        good = last.length > 0 and last.rate <= self.limit
        return len(self.attempts) - 1 if good else None

    def __str__(self) -> str:
        tried = "; ".join(
            f"{each.decoding}: CER {each.characters.rate:.2%}, {each.identical} of {self.clips} alike"
            for each in self.attempts
        )
        used = self.reference if self.chosen is None else self.attempts[self.chosen].decoding
        return f"labels are heard by {used} (against {self.reference}: {tried}; limit {self.limit:.2%})"
