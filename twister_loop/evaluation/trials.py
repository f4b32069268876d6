"""Trials on a few dozen clips, run before a voice or decoder gets a whole corpus or pool."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.artifacts import JsonRecord
from ..core.types import ErrorCount, Share

MAX_SUGGESTED: Share = 0.15
"""Character error rate up to which a faster decoder may be no worse, where the model is weak. On
Czech dialogues, of which untouched Whisper base gets two words in three wrong, 5 s of padding
changed 11 % of the characters, with 66.7 % of the words wrong instead of 67.1 (BENCHMARKS.md)."""


@dataclass(frozen=True)
class VoiceTrial(JsonRecord):
    """Intelligibility of a voice: the champion's transcripts of a few dozen synthesized texts."""

    voice: str
    texts: int
    """Texts of the trial."""
    synthesized: int
    """Texts that the voice could synthesize, or can at most if it was not trained for want of
    words."""
    characters: ErrorCount
    """Character errors of the transcripts, with the texts as references; without characters if
    nothing was synthesized."""
    limit: Share
    """Character error rate above which the voice is not used."""
    least_share: Share = 0.0
    """Share of the texts below which the voice is not used."""

    @property
    def passed(self) -> bool:
        """Return whether the voice is good enough to speak the texts."""
        # A voice that synthesizes nothing has no errors, but is of no use.
        return (
            self.synthesized > 0
            and self.synthesized >= self.least_share * self.texts
            and self.characters.rate <= self.limit
        )

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed, so the voice is not used"
        share = self.synthesized / self.texts if self.texts else 0.0
        errors = f"CER {self.characters.rate:.2f}, limit {self.limit:.2f}; "
        return (
            f"voice {self.voice}: {errors if self.characters.length else ''}speaks "
            f"{self.synthesized} of {self.texts} trial texts ({share:.0%}), at least "
            f"{self.least_share:.0%}: {verdict}"
        )


@dataclass(frozen=True)
class DecoderAttempt:
    """Agreement of a faster decoder with the reference decoder, on the same clips and weights."""

    decoding: str
    """Decoder in words: padding, window, precision."""
    identical: int
    """Clips with the same transcript from both."""
    characters: ErrorCount
    """Character errors, with the transcripts of the reference decoder as references."""


@dataclass(frozen=True)
class DecoderTrial(JsonRecord):
    """Search for the fastest decoder whose transcripts match those of the reference decoder."""

    reference: str
    """Reference decoder in words."""
    clips: int
    """Clips compared: those whose reference transcripts pass the filters, since transcripts that
    are filtered out are not trained on."""
    limit: Share
    """Character error rate above which a faster decoder is not used."""
    attempts: tuple[DecoderAttempt, ...]
    """Decoders tried, fastest first; the trial ends at the first within the limit."""

    @property
    def chosen(self) -> int | None:
        """Index of the attempt within the limit; None if the reference decoder is used."""
        # The trial ends at the first attempt within the limit, so only the last one can be.
        last = self.attempts[-1].characters
        # Without a single character to compare, nothing shows that the decoders agree.
        is_within_limit = last.length > 0 and last.rate <= self.limit
        return len(self.attempts) - 1 if is_within_limit else None

    @property
    def suggested_limit(self) -> Share | None:
        """Limit within which the closest decoder would be; None if that says nothing for it.

        >>> attempt = DecoderAttempt("margin 5 s", 12, ErrorCount(substitutions=9, hits=95))
        >>> DecoderTrial("margin 30 s", 86, limit=0.05, attempts=(attempt,)).suggested_limit
        0.09
        """
        closest = min(attempt.characters.rate for attempt in self.attempts)
        # Rounded up, so that the decoder is within it. Without a clip to compare the rate is 0.
        limit = math.ceil(100 * closest) / 100
        return limit if self.limit < limit <= MAX_SUGGESTED else None

    def __str__(self) -> str:
        attempts = "; ".join(
            f"{attempt.decoding}: CER {attempt.characters.rate:.2%}, "
            f"{attempt.identical} of {self.clips} transcripts identical"
            for attempt in self.attempts
        )
        used = self.reference if self.chosen is None else self.attempts[self.chosen].decoding
        return (
            f"labeling with {used} (compared with {self.reference}: {attempts}; "
            f"limit CER {self.limit:.2%})"
        )
