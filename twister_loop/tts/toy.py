"""Synthesizer of the toy language, in which a letter is a tone; for tests and first trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..asr._base import BoundRecognizer
from ..audio import io as audio
from ..audio import toy_language
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Utterance
from ._base import Synthesizer


@dataclass(frozen=True)
class ToySynthesizer(Synthesizer):
    """Synthesizer of the toy language; see `twister_loop.audio.toy_language`."""

    # The pool is made of the same tones, and a filter would only add to them.
    sounds_like_the_pool = True

    letters: str = toy_language.LETTERS
    """Letters that it can pronounce without training."""

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Copy the codebook of `start`, or write the standard one; nothing is learned."""
        # As a trained voice keeps its weights in a later round.
        codebook = (
            toy_language.load(start.location)
            if start
            else toy_language.standard_codebook(self.letters)
        )
        toy_language.save(codebook, out)
        return Checkpoint("toy", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield the texts as tones; letters without a tone are an `error`."""
        codebook = toy_language.load(checkpoint.location)
        for text in texts:
            path = out / f"{text.id}.wav"
            unknown = sorted(set(text.text or "") - set(codebook))
            if unknown:
                yield replace(text, error=f"cannot pronounce {''.join(unknown)!r}")
                continue
            duration = audio.write(toy_language.synthesize(text.text or "", codebook), path)
            yield replace(text, audio_filepath=path, duration=duration, made_by="toy")
