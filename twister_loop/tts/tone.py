"""Speaks the toy language of `twister_loop.audio.tones`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..asr._base import Listener
from ..audio import io as audio
from ..audio import tones as tone
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Utterance
from ._base import Synthesizer


@dataclass(frozen=True)
class ToneSynthesizer(Synthesizer):
    letters: str = tone.LETTERS
    """What it can pronounce before it has learnt anything."""

    def train(
        self,
        start: Checkpoint | None,
        lesson: Manifest,
        texts: Manifest,
        champion: Listener,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        known = tone.load(start.location) if start else tone.standard(self.letters)
        tone.save(known, out)
        return Checkpoint("tone", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        codebook = tone.load(checkpoint.location)
        for text in texts:
            path = out / f"{text.id}.wav"
            unknown = sorted(set(text.text or "") - set(codebook))
            if unknown:
                yield replace(text, error=f"cannot pronounce {''.join(unknown)!r}")
                continue
            duration = audio.write(tone.speak(text.text or "", codebook), path)
            yield replace(text, audio_filepath=path, duration=duration, made_by="tone")
