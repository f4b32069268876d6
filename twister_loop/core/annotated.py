"""Speech of the pool that people have transcribed, so that no pseudo-label is made of it.

A clip of a held-out set takes its whole recording out of the pool: the rest of the recording has
the same voice, room and words. A clip for training takes only itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from .artifacts import JsonRecord
from .forgotten import DIGEST_LENGTH, Span
from .types import Utterance

REJECTED_BY = "annotated"
"""Reason of rejection in the list of the pool, and in the pool's cuts."""


@dataclass(frozen=True)
class AnnotatedSpeech(JsonRecord):
    """Recordings and parts of recordings, by the digest with which the id of their file begins."""

    held_out: dict[str, str] = field(default_factory=dict)
    """Place of the held-out set, such as `development.calls`, by the digest of a recording."""
    human: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    """Transcribed parts that are training data already, by the digest of their recording."""

    def __bool__(self) -> bool:
        return bool(self.held_out or self.human)

    @classmethod
    def beside(cls, folder: Path) -> AnnotatedSpeech:
        """Return the record of a folder; an empty one if it has none."""
        return cls.load(folder) if cls._path(folder).is_file() else cls()

    def reject(self, utterance: Utterance) -> Utterance:
        """Return an utterance of the pool, rejected if it was annotated.

        >>> annotated = AnnotatedSpeech(held_out={"0" * 16: "development.calls"})
        >>> annotated.reject(Utterance(id="0" * 16 + "-c1")).objection
        'its recording is in development.calls'
        """
        # What its corpus rejected has a reason already.
        if utterance.rejected_by:
            return utterance
        digest = utterance.id[:DIGEST_LENGTH]
        if place := self.held_out.get(digest):
            reason = f"its recording is in {place}"
            return replace(utterance, rejected_by=REJECTED_BY, objection=reason)
        span = Span(utterance.offset, utterance.offset + utterance.duration, utterance.channel)
        if any(span.overlaps(part) for part in self.human.get(digest, ())):
            reason = "a part of it has a human transcript"
            return replace(utterance, rejected_by=REJECTED_BY, objection=reason)
        return utterance

    def reject_recording(self, recording: Utterance) -> Utterance:
        """Return a recording of the pool, rejected if it is held out.

        Other recordings stay, also those with transcribed parts: the scan rejects these parts.
        """
        return AnnotatedSpeech(self.held_out).reject(recording)
