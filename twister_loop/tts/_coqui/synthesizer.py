"""Base class of the synthesizers that Coqui's trainer trains on characters."""

from __future__ import annotations

import logging
import shutil
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from ...asr._base import BoundRecognizer
from ...audio import io as audio
from ...core.artifacts import not_in_cache_key
from ...core.errors import ConfigError, EngineError
from ...core.manifest import Manifest, iter_windows
from ...core.ranges import Count, NumberFromZero, Range, Span
from ...core.types import Checkpoint, Language, Seconds, Utterance
from ...text.scripts import is_mostly_unknown
from .._base import Synthesizer
from . import voice_files

if TYPE_CHECKING:
    from . import training_clips
    from .model_files import Model

# Coqui and PyTorch take seconds to import, and most commands only read the options: modules that
# need them are imported by the methods that compute.

log = logging.getLogger(__name__)

MEASURED_BATCH = 24
"""Clips in a step of the measured rates."""
MIN_SPEECH_SECONDS, MAX_SPEECH_SECONDS = 0.2, 30.0
"""Output outside of these durations is not taken for speech; 30 s is the window of Whisper."""
TOO_LONG = f"the speech would be longer than {MAX_SPEECH_SECONDS:g} s"

Scale: TypeAlias = NumberFromZero | Annotated[tuple[float, float], Span(0)]
"""A number, or the bounds between which one is drawn for every text and sample."""
Rate: TypeAlias = Annotated[float, Range(0.05, 20)] | Annotated[tuple[float, float], Span(0.05, 20)]
"""A factor of the rate of speech, or the bounds between which one is drawn."""


class SynthesisOutcome(NamedTuple):
    """Speech of one text, or the reason why there is none."""

    speaker: str | None
    samples_or_error: audio.Samples | str
    """Shape (n_samples,) at the model's sample rate, or an error message."""


@dataclass(frozen=True)
class CoquiSynthesizer(Synthesizer):
    """Synthesizer with a neural voice that a later round trains further.

    Signs and digits can only be spoken if labels contain them: spell numbers out in texts.
    """

    requires: ClassVar[tuple[str, ...]] = ("TTS", "torch", "librosa")
    step_seconds: ClassVar[Seconds | None] = None
    """Seconds of a training step with `MEASURED_BATCH` clips, measured on one core in the default
    sizes; None if it was not measured."""
    measured_sizes: ClassVar[tuple[str, ...]] = ()
    """Options that change the time of a step, besides the batch."""
    start: Path | None = None
    """A voice of the same kind to adapt in the first round: a folder with `config.json` and
    `model.pth`, as Coqui's own tools write it, or `model.safetensors`; or the file with the
    weights. Its sizes and sample rate then replace those below. None trains from scratch."""
    sample_rate: Annotated[int, Range(8000, 48000)] = 16000
    """Hertz. The recognizers read 16 kHz, so more is lost. Telephone speech has nothing above
    4 kHz; at 8000 a voice need not learn those empty bands, and trains faster."""
    steps: Count = 1500
    """Training steps."""
    batch: Annotated[int, Range(1, 10000)] = 24
    """Clips in a training step."""
    learning_rate: Annotated[float, Range(above=0, high=1)] = 1e-3
    """Learning rate; over the last 30 % of the steps it falls linearly to zero."""
    noise: Scale = 0.33
    """Spread of the random latent of a text, its tone and timbre; 0 is flat and even. Of two
    numbers, one between them is drawn for every text and sample; so for `speed`."""
    speed: Rate = 1.0
    """Rate of speech; 2 is twice as fast as trained."""
    save_every: Count = not_in_cache_key(50)
    """Steps between checkpoints: the most that a killed training has to repeat."""

    def validation_errors(self) -> Iterator[str]:
        """Yield why `start` cannot be trained further."""
        if self.start is None:
            return
        weights = voice_files.find_weights(self.start)
        if not weights.is_file():
            yield f"start: the file {weights} does not exist"
            return
        try:
            reason = self._explain_unfit(_read_config(weights))
        except EngineError as cause:
            reason = str(cause)
        if reason:
            yield f"start: {reason}"

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Refuse texts if most are in characters that no speech here could teach the voice.

        Raises:
            ConfigError: more than half of the texts are.
        """
        from . import model_files

        earlier = start.location if start else self.start
        characters = set[str]()
        if earlier:
            config = model_files.read_config(voice_files.find_weights(earlier))
            characters = model_files.config_characters(config)
        langs = set[Language]()
        for manifest in speech:
            for utterance in manifest:
                if utterance.lang is None:
                    # It could be in any language, and so teach any character.
                    return
                langs.add(utterance.lang)
                characters.update(model_files.normalize_text(utterance.text or ""))
        unlearnable, example = 0, ""
        for text in texts:
            if is_mostly_unknown(model_files.normalize_text(text.text or ""), langs, characters):
                unlearnable, example = unlearnable + 1, example or text.text or ""
        # A few texts in another script are usual for crawled text. Most of them are a mistake.
        if 2 * unlearnable > len(texts):
            raise ConfigError(
                f"{unlearnable} of {len(texts)} texts are in a script that the voice was not "
                f"trained on and cannot learn from speech in {', '.join(sorted(langs))}, such as "
                f"{example!r}; use texts in a language of the speech, or speech in theirs"
            )
        if unlearnable:
            log.warning(
                "%d texts use characters that the voice cannot learn from the speech, such as %r",
                unlearnable,
                example,
            )

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Train with Coqui's trainer; a killed training resumes with the same numbers.

        Raises:
            ConfigError: there are too few clips, or `start` is another kind of voice.
            EngineError: the loss is not a number, or the trainer fails.
        """
        from . import model_files, training, training_clips

        resume = out / "resume"
        # The weights appear last. If they are there, only the clean-up below is left to do.
        if not (out / voice_files.WEIGHTS).exists():
            out.mkdir(parents=True, exist_ok=True)
            monitor = training.LossMonitor(out / "training.jsonl", self.steps)
            with model_files.capture_output(out / "train.log"), model_files.fork_random_state(seed):
                # The order counts: each of these may draw initial weights.
                earlier = start.location if start else self.start
                model = self._load_model(voice_files.find_weights(earlier)) if earlier else None
                clips = self._select_clips(filtered_labels, model)
                model = self._configure_model(model, clips, _needed_characters(model, clips, texts))
                samples = training_clips.write_clips(clips, resume / "clips", model)
                model.config.batch_size, model.config.save_step = self.batch, self.save_every
                training.train_model(
                    model,
                    self._build_dataset(model, samples),
                    resume=resume,
                    seed=seed,
                    steps=self.steps,
                    monitor=monitor,
                )
                model_files.save_model(model, out)
        # It may be gone already, if an earlier call was killed just here.
        shutil.rmtree(resume, ignore_errors=True)
        return Checkpoint(engine=self.name, location=out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield the texts with their speech; everything drawn for a text is seeded by its id."""
        import torch

        from . import model_files

        # Building a model draws initial weights, although they are overwritten by the loaded ones.
        with model_files.capture_output(), model_files.fork_random_state(0):
            model = self._load_model(checkpoint.location / voice_files.WEIGHTS)
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self._prepare_for_inference(model)
        for window in iter_windows(texts):
            outcomes = self._synthesize_window(model, window)
            for text, (speaker, samples_or_error) in zip(window, outcomes, strict=True):
                synthetic = replace(text, origin="synthetic", made_by=self.name, speaker=speaker)
                if isinstance(samples_or_error, str):
                    yield replace(synthetic, error=samples_or_error)
                    continue
                path = out / f"{text.id}.wav"
                samples = audio.resample(samples_or_error, model.ap.sample_rate)
                yield replace(synthetic, audio_filepath=path, duration=audio.write(samples, path))

    def training_seconds(self) -> Seconds | None:
        if self.start is not None or self.step_seconds is None:
            return None  # a voice of unknown size
        is_measured = all(
            getattr(self, size) == getattr(type(self), size) for size in self.measured_sizes
        )
        factor = self.batch / MEASURED_BATCH
        return self.steps * self.step_seconds * factor if is_measured else None

    @abstractmethod
    def _explain_unfit(self, config: Any) -> str | None:
        """Return why a voice with this configuration cannot be trained further, or None."""

    @abstractmethod
    def _load_model(self, weights: Path) -> Model:
        """Load a voice. Raises EngineError or ConfigError."""

    @abstractmethod
    def _select_clips(
        self, filtered_labels: Iterable[Utterance], model: Model | None
    ) -> Sequence[Utterance]:
        """Return the clips to train on. Raises ConfigError if there are too few."""

    @abstractmethod
    def _configure_model(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        """Return a new model of the sizes in the plan, or the earlier one, extended."""

    @abstractmethod
    def _build_dataset(self, model: Model, samples: list[training_clips.CoquiSample]) -> Any:
        """Return Coqui's data set of the clips, in order of length."""

    @abstractmethod
    def _prepare_for_inference(self, model: Model) -> None:
        """Fold what only training needs into the weights, for faster synthesis."""

    @abstractmethod
    def _synthesize_window(
        self, model: Model, texts: Sequence[Utterance]
    ) -> Iterable[SynthesisOutcome]:
        """Yield or return one outcome for every text, in order."""


def _read_config(weights: Path) -> Any:
    """Return the configuration of a voice, without Coqui if it is plain JSON; see there."""
    if config := voice_files.read_plain_config(weights):
        return config
    from . import model_files

    return model_files.read_config(weights)


def scale_range(scale: Scale) -> tuple[float, float]:
    """Return the smallest and the largest number that can be drawn.

    >>> scale_range(1.0), scale_range((0.9, 1.1))
    ((1.0, 1.0), (0.9, 1.1))
    """
    return scale if isinstance(scale, tuple) else (scale, scale)


def draw_scale(scale: Scale, rng: np.random.Generator) -> float:
    """Return a number of the scale; it draws from `rng` even if the scale is a single number."""
    return float(rng.uniform(*scale_range(scale)))


def explain_too_short(seconds: Seconds) -> str:
    """Return why so short an output is not speech; an empty string if it may be."""
    return f"the speech is only {seconds:.2f} s long" if seconds < MIN_SPEECH_SECONDS else ""


def check_and_level(samples: audio.Samples, sample_rate: int) -> audio.Samples | str:
    """Return the samples at an even loudness, or an error message if they are not speech."""
    if reason := explain_too_short(len(samples) / sample_rate):
        return reason
    if not np.isfinite(samples).all():
        return "the model returned samples that are not numbers"
    from .training_clips import level_loudness

    return level_loudness(samples)


def _needed_characters(model: Model | None, clips: Sequence[Utterance], texts: Manifest) -> str:
    """Return the characters that the voice must have a row of the embedding for."""
    from . import model_files

    labels = {model_files.normalize_text(clip.text or "") for clip in clips}
    needed = model_files.collect_characters(
        labels, (model_files.normalize_text(text.text or "") for text in texts)
    )
    trained = set("".join(labels)) | model_files.model_characters(model)
    if untrained := sorted(set(needed) - trained):
        log.warning(
            "characters of the texts that never occur in the training clips: %s; they may be "
            "mispronounced",
            " ".join(untrained),
        )
    return needed
