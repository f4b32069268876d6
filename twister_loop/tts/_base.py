"""What a synthesizer is to the rest of the house."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ..asr._base import BoundRecognizer
from ..core.manifest import Manifest
from ..core.registry import Part
from ..core.types import Checkpoint, Utterance


class Synthesizer(Part):
    """A TTS engine: speaks texts."""

    home = "twister_loop.tts"
    uses_randomness: ClassVar[bool] = True
    """Whether training depends on the seed."""

    @property
    def continues_from_last_round(self) -> bool:
        """Whether a later round starts from this round's voice, if that passed its trial."""
        return True

    @abstractmethod
    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Learn to speak from the lesson, and leave the voice in `out`.

        `start` is the voice of an earlier round, None for the first. `texts` is what will be
        asked of it (for its vocabulary), `champion` may be asked for word times.
        """

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Look, before a round begins, whether it can learn to speak texts from such speech.

        `speech` is what the lesson will be made of, mostly without a text yet. Raises ConfigError.
        """

    @abstractmethod
    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield one utterance for every text, in order and with its id, its WAV in `out`.

        A text it cannot speak comes back with `error`. What is random is seeded by the id.
        """
