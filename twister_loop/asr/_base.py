"""Interface of a recognizer: the model that is trained, and that transcribes and aligns speech."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ..core.environment import AUDIO_PACKAGES, installed_versions
from ..core.errors import EngineError
from ..core.manifest import Manifest
from ..core.registry import Part
from ..core.types import Checkpoint, Seconds, Share, Utterance
from ._weights_status import WeightsStatus as WeightsStatus


class Recognizer(Part):
    """Automatic speech recognition engine.

    A recognizer is a frozen dataclass whose fields are its options in the plan. It holds no
    weights: every method takes a checkpoint, loads it, and lets go of it when it is done. Four
    methods must be implemented; the others have defaults for a recognizer without that feature.

    The methods over speech are generators, and all follow the same rules:

    - they yield every utterance, in the order in which it came, in a copy made by
      `dataclasses.replace`;
    - an utterance whose `should_skip` is true is yielded as it is;
    - an utterance that cannot be processed is yielded with a reason in `error`; one bad file
      must not end a run of days;
    - they read ahead at most one window of `twister_loop.core.manifest.WINDOW` utterances and
      process each window alone (`core.manifest.iter_windows` cuts the stream), since a run that was
      killed resumes at a window;
    - the same window and checkpoint give the same output.

    Example:
        A recognizer whose transcript is always the most frequent label of its training set. As
        `twister_loop/asr/most_frequent.py` it is `asr: most_frequent` in a plan.

        >>> from collections import Counter
        >>> from dataclasses import replace
        >>> @dataclass(frozen=True)
        ... class MostFrequent(Recognizer):
        ...     initial_text: str = "yes"
        ...
        ...     def initial_checkpoint(self):
        ...         return Checkpoint(self.name, source="no training", digest=self.initial_text)
        ...
        ...     def transcribe(self, checkpoint, speech):
        ...         is_trained = checkpoint.source is None
        ...         path = checkpoint.location / "text"
        ...         text = path.read_text() if is_trained else self.initial_text
        ...         for utterance in speech:
        ...             skip = utterance.should_skip
        ...             yield utterance if skip else replace(utterance, pred_text=text)
        ...
        ...     def align(self, checkpoint, speech):
        ...         for utterance in speech:
        ...             skip = utterance.should_skip
        ...             yield utterance if skip else replace(utterance, error="no alignment")
        ...
        ...     def train(self, start, training_set, out, seed, early_stopping_speech=None):
        ...         counts = Counter(utterance.text for utterance in training_set)
        ...         out.mkdir(parents=True, exist_ok=True)
        ...         (out / "text").write_text(counts.most_common(1)[0][0])
        ...         return Checkpoint(self.name, out)
        >>> asr = MostFrequent(initial_text="no")
        >>> speech = [Utterance(id="a"), Utterance(id="b", error="unreadable")]
        >>> [(u.pred_text, u.error) for u in asr.transcribe(asr.initial_checkpoint(), speech)]
        [('no', None), (None, 'unreadable')]
    """

    package = "twister_loop.asr"
    trainable: ClassVar[bool] = True
    """False for an engine that can neither train nor align. It can still be the `labeler` of a
    plan, and transcribe with weights that another engine trained."""

    pretrained: ClassVar[bool] = True
    """False for an engine that starts from random weights: what it transcribes before the first
    round says nothing about the held-out sets."""
    can_average: ClassVar[bool] = False
    """True for an engine that has `average_weights`."""
    default_averaging: ClassVar[tuple[int, float]] = (1, 1.0)
    """`trainings` and `interpolate` of a plan that does not name them."""

    decoder_version: ClassVar[int] = 1
    """Raise it when the same weights and audio would give another transcript than before."""
    longest_clip: ClassVar[Seconds | None] = None
    """Longest audio that is decoded at once; None for any length. Longer recordings of a held-out
    set are a set of their own, since they are decoded in another way."""

    @abstractmethod
    def initial_checkpoint(self) -> Checkpoint:
        """Return the checkpoint that the first round starts from, such as pretrained weights.

        Its `digest` must change whenever the weights do: results are cached by it.

        Raises:
            ConfigError: the weights are not found; the message says how to get them.
        """

    @abstractmethod
    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        """Transcribe speech.

        Args:
            checkpoint: the weights.
            speech: utterances with audio. If `lang` is set, that language is decoded; otherwise
                it is detected.

        Yields:
            Every utterance with `pred_text`, `lang`, and those of the decoder's statistics that
            the engine has: `confidence`, `compression_ratio`, `no_speech`, `hit_limit`,
            `fallback`, `lang_probability`, `alternatives`, `segments`. Filters use them.

        Raises:
            EngineError: the checkpoint cannot be loaded.
        """

    @abstractmethod
    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        """Align the `text` of speech with its audio, by forced decoding.

        Args:
            checkpoint: the weights.
            speech: utterances with `text`.

        Yields:
            Every utterance with `words`: start and end of each word in seconds from the beginning
            of the utterance, and its log-probability in nats. The last word's log-probability
            includes the end of the text, so that the sum is that of the whole text. An empty text
            has no words; a text that is too long has an `error`.

        Raises:
            EngineError: the checkpoint cannot be loaded, or the engine cannot align.
        """

    @abstractmethod
    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        """Train on labeled speech.

        A training that was killed and is called again with the same arguments must resume, and
        end with the same weights. Its state belongs in `out / "resume"`, which is deleted when
        training ends.

        Args:
            start: weights to start from.
            training_set: utterances with `text`. Load their audio with
                `twister_loop.audio.augmentation.load_audio`, which applies the plan's
                augmentation.
            out: folder for the weights; it may hold the state of a killed training.
            seed: the only source of randomness.
            early_stopping_speech: development set `early_stopping_set`, with reference texts;
                None without early stopping.

        Returns:
            The trained checkpoint, with `out` as its location.

        Raises:
            EngineError: training diverged, memory is full, or no utterance can be used.
        """

    def average_weights(
        self, trained: Sequence[Checkpoint], untouched: Checkpoint, interpolate: float, out: Path
    ) -> Checkpoint:
        """Write the mean of the weights of trainings, moved towards the untouched weights.

        Args:
            trained: what `train` returned, one or more; their mean is rounded once.
            untouched: weights that the run began with.
            interpolate: share of the way from the untouched weights (0) to the mean (1).
            out: folder for the weights.
        """
        raise EngineError(f"{self.name} cannot average the weights of trainings")

    @property
    def early_stopping_set(self) -> str | None:
        """Return the name of the development set for early stopping, or None without it."""
        return None

    def label_length_ratio(self, start: Checkpoint) -> Callable[[Utterance], Share]:
        """Return a function that gives the length of a text, relative to the longest label.

        Packing joins utterances while the sum of their ratios is at most 1. The default is for a
        recognizer without such a limit.

        Args:
            start: checkpoint whose tokenizer counts.
        """
        return lambda utterance: 0.0

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        """Return a function that tells why an utterance cannot be transcribed, or returns None.

        It looks at the duration and the language, and reads no audio. Held-out sets are checked
        with it before the first stage. The default is for a recognizer that takes everything.

        Args:
            checkpoint: checkpoint whose languages count.
        """
        return lambda utterance: None

    def decoding_description(self) -> str:
        """Describe the decoder as far as it changes error rates: beam, padding, precision.

        Scores with different descriptions are not compared.

        >>> from twister_loop.asr.toy import ToyRecognizer
        >>> ToyRecognizer().decoding_description()
        'toy'
        """
        return self.name

    def decoder_identity(self) -> dict[str, str]:
        """Return what decides transcripts beside weights, audio and options, to compare reports.

        >>> from twister_loop.asr.toy import ToyRecognizer
        >>> ToyRecognizer().decoder_identity()["engine"]
        'toy 1'
        """
        return {
            "engine": f"{self.name} {self.decoder_version}",
            "decoding": self.decoding_description(),
            "device": self.find_device(),
            **installed_versions(*AUDIO_PACKAGES, *self.requires),
        }

    def find_device(self) -> str:
        """Return the kind of device that this engine computes on here: `cpu` or `cuda`."""
        return "cpu"

    def full_window(self) -> Self | None:
        """Return this recognizer with the standard decoding that others report scores with.

        For Whisper those are 30 s windows with timestamps. None if it is no different.
        """
        return None

    def full_context(self) -> Self:
        """Return this recognizer without the shortcuts that `faster_variants` take.

        For Whisper each clip is padded to 30 s. The default is for a recognizer without any.
        """
        return self

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        """Return variants of this recognizer that decode these weights, the fastest first.

        Before labeling, each is compared with `full_context` on a sample of the pool, and the
        first whose transcripts agree is used.
        """
        return (self,)

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        """Return this recognizer with beam search or with sampling, or None if it has neither.

        Args:
            beam: number of hypotheses that are followed; 1 is greedy decoding.
            temperature: above 0, tokens are sampled from the softmax at this temperature.
            nbest: number of hypotheses to store in `alternatives`; 0 stores none.
        """
        return None

    def with_prompt(self, text: str) -> Self | None:
        """Return this recognizer with a text that it decodes after, or None if it takes none."""
        return None

    def with_updates(self, updates: int, batch_scale: float = 1.0) -> Self:
        """Return this recognizer with a fixed amount of training, without early stopping.

        Experiments give it to every arm, so that arms differ in their data alone. The default
        changes nothing.

        Args:
            updates: number of updates of the weights.
            batch_scale: factor for the number of utterances per update.
        """
        return self

    def keeping_all_epochs(self) -> Self:
        """Return this recognizer with the weights of each epoch kept in a folder, if it can."""
        return self

    def find_weights(self) -> WeightsStatus:
        """Find the pretrained weights, if it has some, without downloading or converting them."""
        return WeightsStatus(self.name, "needs no pretrained weights")

    def preview_checkpoint(self, status: WeightsStatus) -> Checkpoint | None:
        """Return a checkpoint whose sizes and languages can be told now, for a check of a plan.

        Its weights need not be here, and it transcribes nothing. None if nothing is known of it.
        The default is for a recognizer without pretrained weights.

        Args:
            status: what `find_weights` returned.
        """
        return self.initial_checkpoint()

    def memory_bytes_needed(self, start: Checkpoint) -> int | None:
        """Estimate the bytes of memory at the peak of training; None if it is not known.

        Args:
            start: checkpoint of the size that is trained.
        """
        return None

    def disk_bytes_needed(self, start: Checkpoint, trainings: int = 1) -> int:
        """Estimate the bytes on disk that training needs at its peak, for the check before a run.

        Args:
            start: checkpoint of the size that is trained.
            trainings: number of trainings whose weights are kept until they are averaged.
        """
        return 0

    def preflight_warnings(self, start: Checkpoint) -> Iterator[str]:
        """Yield warnings about training on this machine, such as too little memory.

        Args:
            start: checkpoint of the size that is trained.
        """
        yield from ()


@dataclass(frozen=True)
class BoundRecognizer:
    """Recognizer with its weights, such as the champion that synthesizers and filters use."""

    recognizer: Recognizer
    checkpoint: Checkpoint

    def transcribe(self, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        """Transcribe speech; see `Recognizer.transcribe`."""
        return self.recognizer.transcribe(self.checkpoint, speech)

    def align(self, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        """Align texts with their audio; see `Recognizer.align`."""
        return self.recognizer.align(self.checkpoint, speech)

    def score(self, speech: Iterable[Utterance]) -> Iterator[float | None]:
        """Yield the log-probability of each text given its audio, by forced decoding.

        Yields:
            Nats, the end of the text included; None if the text could not be aligned, for
            example because it is too long.
        """
        for utterance in self.align(speech):
            # The words' log-probabilities add up to that of the text: the last includes the end.
            yield (None if utterance.should_skip else sum(word.logprob for word in utterance.words))
