"""Recognizer of the toy language of `twister_loop.audio.toy_language`, for tests and demos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from ..audio import io as audio
from ..audio import toy_language
from ..core.errors import AudioError
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Utterance, Word
from ._base import Recognizer


@dataclass(frozen=True)
class ToyRecognizer(Recognizer):
    """Recognizer that maps the pitch of each tone to a letter.

    It needs no model and no training time, so a test can run whole rounds of the loop. Training
    adds letters to its codebook.
    """

    letters: str = "aeiou "
    """Letters that it recognizes before any training."""
    can_average: ClassVar[bool] = True

    def initial_checkpoint(self) -> Checkpoint:
        return Checkpoint("toy", source="the toy language", digest=self.letters)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        codebook = self._codebook(checkpoint)
        for utterance in speech:
            if utterance.should_skip:
                yield utterance
                continue
            try:
                text, confidence = toy_language.transcribe(
                    audio.load_utterance(utterance), codebook
                )
            except AudioError as error:
                yield replace(utterance, error=str(error))
            else:
                yield replace(utterance, pred_text=text, confidence=confidence)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        letter_seconds = toy_language.SAMPLES_PER_LETTER / audio.SAMPLE_RATE
        for utterance in speech:
            if utterance.should_skip:
                yield utterance
                continue
            # Every letter lasts equally long, so the times follow from the text alone.
            words, start = [], 0.0
            for word in (utterance.text or "").split(" "):
                end = start + len(word) * toy_language.SAMPLES_PER_LETTER / audio.SAMPLE_RATE
                words.append(Word(word=word, start=start, end=end, logprob=-0.1 * len(word)))
                start = end + letter_seconds  # the space between two words
            yield replace(utterance, words=tuple(words))

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        toy_language.save(toy_language.train(self._codebook(start), training_set), out)
        return Checkpoint("toy", out)

    def average_weights(
        self, trained: Sequence[Checkpoint], untouched: Checkpoint, interpolate: float, out: Path
    ) -> Checkpoint:
        mean = toy_language.average([self._codebook(checkpoint) for checkpoint in trained])
        before = self._codebook(untouched)
        # A letter that is unknown before training has no pitch to move towards.
        moved = {
            letter: interpolate * pitch + (1 - interpolate) * before.get(letter, pitch)
            for letter, pitch in mean.items()
        }
        toy_language.save(moved, out)
        return Checkpoint("toy", out)

    def _codebook(self, checkpoint: Checkpoint) -> toy_language.Codebook:
        if checkpoint.source:  # the initial checkpoint, which is no file
            return toy_language.standard_codebook(self.letters)
        return toy_language.load(checkpoint.location)
