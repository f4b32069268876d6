"""Interface of the synthesizers: text-to-speech engines that a plan can name under `voices`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ..asr._base import BoundRecognizer, WeightsStatus
from ..core.manifest import Manifest
from ..core.registry import Part
from ..core.types import Checkpoint, Language, Seconds, Utterance


class Synthesizer(Part):
    """A text-to-speech engine.

    A subclass is a frozen dataclass; its fields are the options that a plan sets. It must define
    `train` and `synthesize`. A synthesizer has no state of its own: what it has learned lies in
    the folder of the checkpoint, and a model lives in the frame of the generator that uses it.

    Example:
        A voice that needs no training and speaks every letter as a tenth of a second of a tone.
        As `twister_loop/tts/beep.py` it is `voices: {beep: {use: beep}}` in a plan.

        >>> import tempfile
        >>> from dataclasses import dataclass, replace
        >>> import numpy as np
        >>> from twister_loop.audio import io as audio
        >>> @dataclass(frozen=True)
        ... class BeepSynthesizer(Synthesizer):
        ...     hertz: float = 440.0
        ...
        ...     def train(self, start, filtered_labels, texts, champion, out, seed):
        ...         return Checkpoint(engine=self.name, location=out)
        ...
        ...     def synthesize(self, checkpoint, texts, out):
        ...         for text in texts:
        ...             if not text.text:
        ...                 yield replace(text, error="the text is empty")
        ...                 continue
        ...             seconds = np.arange(1600 * len(text.text)) / audio.SAMPLE_RATE
        ...             tone = 0.3 * np.sin(2 * np.pi * self.hertz * seconds)
        ...             path = out / f"{text.id}.wav"
        ...             duration = audio.write(tone.astype(np.float32), path)
        ...             yield replace(text, audio_filepath=path, duration=duration, made_by="beep")
        >>> folder = Path(tempfile.mkdtemp())
        >>> voice = BeepSynthesizer().train(None, [], [], None, folder, seed=13)
        >>> texts = [Utterance(id="a", text="hello"), Utterance(id="b", text="")]
        >>> spoken = BeepSynthesizer().synthesize(voice, texts, folder)
        >>> [(utterance.duration, utterance.error) for utterance in spoken]
        [(0.5, None), (0.0, 'the text is empty')]
    """

    package = "twister_loop.tts"
    uses_randomness: ClassVar[bool] = True
    """True if training depends on the seed."""
    sounds_like_the_pool: ClassVar[bool] = False
    """True if its speech has the channel of the filtered labels by itself, as it is made of them.
    All other speech gets that channel by a filter."""
    synthesis_rate: ClassVar[float | None] = None
    """Seconds of speech that are synthesized in a second on one core, for estimates of a round's
    time; None for a voice that takes no time worth telling, or whose rate was not measured."""
    # A reason and not a flag, for the log and the preflight of a round can show it.
    experimental: ClassVar[str] = ""
    """Why the speech of this synthesizer should not be relied on yet; empty for a proven one.
    The reason is logged whenever such a voice is trained."""

    @property
    def continues_from_last_round(self) -> bool:
        """True if a later round starts from this round's voice, provided it passed its trial."""
        return True

    def training_seconds(self) -> Seconds | None:
        """Estimate the time of training on one core; None if no rate was measured.

        The default is for a voice that is trained within seconds.
        """
        return 0.0

    def find_weights(self) -> WeightsStatus | None:
        """Find the pretrained weights without downloading them; None if the voice has none.

        The default is for a voice that is trained on the labels alone.
        """
        return None

    def explain_language(self, lang: Language | None) -> str | None:
        """Return why texts in a language cannot be spoken; None if they can, as by default."""
        return None

    def count_speakable(self, filtered_labels: Manifest, texts: Iterable[Utterance]) -> int | None:
        """Count the texts that the voice can speak at most; None, the default, if it can speak any.

        It is asked before training, with the texts of the trial, so it should take seconds. A voice
        that can speak too few of them is not trained.

        Args:
            filtered_labels: what the voice would be trained on.
            texts: texts of the corpus.
        """
        return None

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
        """Train a voice on labeled speech and leave it in `out`.

        A training that can be resumed keeps what it needs for that in `out`: if the process is
        killed, `train` is called again with the same arguments and with what `out` then holds.

        Args:
            start: the voice of an earlier round to continue from; None in the first round, after
                a failed trial, and if `continues_from_last_round` is False.
            filtered_labels: utterances whose `text` passed the filters, with their audio.
            texts: the text corpus that the voice will be asked to speak. It has no audio; it
                tells which characters or words the voice will need.
            champion: the recognizer that made the labels, for word times (`champion.align`).
            out: folder for the voice. It is read back as `checkpoint.location`.
            seed: seed of everything that is drawn in training.

        Returns:
            The checkpoint of the voice: the name of the engine, and `out`.

        Raises:
            ConfigError: the speech is too little, or `start` is a voice of another kind.
            EngineError: training failed, for instance because its loss is not a number.
        """

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Check before a round begins that this voice could learn to speak the texts.

        The default accepts everything. A check should be cheap: it runs before anything of the
        round is computed, to fail in seconds rather than after hours of transcription.

        Args:
            start: the voice that training will continue from, or None.
            texts: the text corpus that the voice will be asked to speak.
            speech: the manifests that its training set will be taken from, mostly not yet
                labeled.

        Raises:
            ConfigError: the voice could not speak most of the texts, or has nothing to learn from.
        """

    @abstractmethod
    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield one utterance for every text, in the order of the texts.

        The caller resumes a killed synthesis in the middle of the texts, and repeats texts under
        new ids for more samples. Therefore everything that is drawn must be seeded by the id of
        the text alone, never by its place among the others.

        Args:
            checkpoint: a voice that `train` returned.
            texts: what to speak. They are read lazily and may be more than fit into memory.
            out: folder for the audio.

        Yields:
            The text with its id, `audio_filepath` (mono WAV, 16 kHz, in `out`), `duration` in
            seconds, `speaker` if known, and `made_by`. A text that cannot be spoken is yielded
            with `error` instead and without audio.
        """
