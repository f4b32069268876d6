"""What a recognizer is to the rest of the house."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ..core.manifest import Manifest
from ..core.registry import Part
from ..core.types import Checkpoint, Share, Utterance


class Recognizer(Part):
    """An ASR engine: hears speech."""

    home = "twister_loop.asr"
    trainable: ClassVar[bool] = True
    """Whether it also aligns and trains; one that does not can hear with another's weights."""

    @abstractmethod
    def initial_checkpoint(self) -> Checkpoint:
        """The checkpoint to start the first round from: the model as it came."""

    @abstractmethod
    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        """Yield every utterance, in order, with `pred_text` and the decoder's statistics.

        `lang` is forced where the utterance has one, else detected and filled in. It reads
        ahead no further than a window; an utterance it cannot handle comes back with `error`.
        """

    @abstractmethod
    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        """Yield every utterance, in order, with the `words` of its `text`: forced decoding."""

    @abstractmethod
    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None,
    ) -> Checkpoint:
        """Learn from labeled speech, beginning at `start`, and leave the weights in `out`.

        `watched` is the speech of the set that it `stops_by`. What is needed to go on after a kill
        lies in `out / "resume"`, which is gone at the end.
        """

    @property
    def early_stopping_set(self) -> str | None:
        """The development set on whose errors training ends early; None where on none."""
        return None

    def label_length_ratio(self, start: Checkpoint) -> Callable[[Utterance], Share]:
        """How much of the longest label that it can learn a text takes, with its timestamps."""
        return lambda utterance: 0.0

    def decoding_description(self) -> str:
        """What is to be known of the decoder to compare two scores: margin, guard, precision."""
        return self.name

    def full_window(self) -> Self | None:
        """The same, decoding as everybody does; None where that is no different."""
        return None

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        """Itself in faster ways to hear with these weights, the fastest first.

        Each is tried on some of the pool before its labels are believed.
        """
        return (self,)

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        """The same, by a beam whose `nbest` texts are noted, or drawn tokens; None if it cannot."""
        return None

    def with_updates(self, updates: int, batch_scale: float = 1.0) -> Self:
        """The same with so many updates, each by `clips` times as many utterances; or itself."""
        return self

    def keeping_all_epochs(self) -> Self:
        """The same, also leaving the weights after each epoch, in `epoch-01`, ...; or itself."""
        return self

    def disk_bytes_needed(self, start: Checkpoint) -> int:
        """Bytes that training needs at its peak."""
        return 0

    def preflight_warnings(self, start: Checkpoint) -> Iterator[str]:
        """What may go wrong when this machine trains it, such as too little memory."""
        yield from ()


@dataclass(frozen=True)
class BoundRecognizer:
    """A recognizer with the weights it hears by: the champion, as a voice meets it."""

    recognizer: Recognizer
    checkpoint: Checkpoint

    def transcribe(self, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        return self.recognizer.transcribe(self.checkpoint, speech)

    def align(self, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        return self.recognizer.align(self.checkpoint, speech)

    def score(self, speech: Iterable[Utterance]) -> Iterator[float | None]:
        """How likely every text is to it, forced: a natural logarithm, the text's end included.

        None where a text could not be forced, such as one too long.
        """
        for each in self.align(speech):
            yield None if each.should_skip else sum(word.logprob for word in each.words)
