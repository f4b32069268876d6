"""Hears the toy language of `twister_loop.audio.toy_language`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..audio import io as audio
from ..audio import toy_language
from ..core.errors import AudioError
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Utterance, Word
from ._base import Recognizer


@dataclass(frozen=True)
class ToyRecognizer(Recognizer):
    letters: str = "aeiou "
    """What it can hear before it has learnt anything."""

    def initial_checkpoint(self) -> Checkpoint:
        return Checkpoint("toy", source="the toy language", digest=self.letters)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        codebook = self._codebook(checkpoint)
        for utterance in speech:
            if utterance.skip:
                yield utterance
                continue
            try:
                heard, confidence = toy_language.hear(audio.load_utterance(utterance), codebook)
            except AudioError as error:
                yield replace(utterance, error=str(error))
            else:
                yield replace(utterance, pred_text=heard, confidence=confidence)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for utterance in speech:
            if utterance.skip:
                yield utterance
                continue
            words, at = [], 0.0
            for word in (utterance.text or "").split(" "):
                end = at + len(word) * toy_language.SLOT / audio.SAMPLE_RATE
                words.append(Word(word=word, start=at, end=end, logprob=-0.1 * len(word)))
                at = end + toy_language.SLOT / audio.SAMPLE_RATE
            yield replace(utterance, words=tuple(words))

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        toy_language.save(toy_language.learn(self._codebook(start), training_set), out)
        return Checkpoint("toy", out)

    def _codebook(self, checkpoint: Checkpoint) -> toy_language.Codebook:
        if checkpoint.source:
            return toy_language.standard(self.letters)
        return toy_language.load(checkpoint.location)
