"""What Coqui's voices share: they learn letters from the lesson, and speak line by line."""

from __future__ import annotations

import logging
import shutil
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from ...asr._base import BoundRecognizer
from ...audio import io as audio
from ...core.artifacts import not_in_cache_key
from ...core.errors import ConfigError, EngineError
from ...core.manifest import Manifest, iter_windows
from ...core.types import Checkpoint, Language, Seconds, Utterance
from ...text.scripts import is_mostly_unknown
from .._base import Synthesizer
from . import model_files, training, training_clips
from .model_files import Model

log = logging.getLogger(__name__)

MIN_SPEECH_SECONDS, MAX_SPEECH_SECONDS = 0.2, 30.0
"""Seconds; what comes out shorter or longer is no speech."""
TOO_LONG = f"spoken, it would take more than {MAX_SPEECH_SECONDS:g} s"

Scale: TypeAlias = float | tuple[float, float]
"""A number, or the two between which one is drawn for every text and take."""


class SynthesisOutcome(NamedTuple):
    """What became of one text."""

    speaker: str | None
    samples_or_error: audio.Samples | str
    """At the voice's rate, or why there are none."""


@dataclass(frozen=True)
class CoquiSynthesizer(Synthesizer):
    """A voice that Coqui's trainer trains, and that a later round goes on from.

    Signs and digits are spoken only as far as the lesson held them: spell numbers out in texts.
    """

    start: Path | None = None
    """A voice of the same kind to adapt in the first round: a folder with `config.json` and
    `model.pth`, as Coqui's own tools write it, or `model.safetensors`; or the file with the
    weights. Its sizes and sample rate then replace those below. None learns from nothing."""
    sample_rate: int = 16000
    """Hertz. The loop hears 16 kHz, so more is never heard; telephone speech holds nothing above
    4 kHz, and a voice that need not learn the silence up there (8000) learns sooner."""
    steps: int = 1500
    """Updates."""
    batch: int = 24
    """Clips in an update."""
    learning_rate: float = 1e-3
    """At first; over the last three tenths of the steps it goes down to nothing."""
    noise: Scale = 0.33
    """Spread of what is drawn anew for every text, its tone and timbre; 0 is flat and even. Two
    numbers: drawn between them for every text and take, as `speed` may be."""
    speed: Scale = 1.0
    """How fast it speaks; 2 is twice as fast."""
    save_every: int = not_in_cache_key(50)
    """Steps between checkpoints: what a kill may cost."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.save_every) < 1 or not self.learning_rate > 0:
            raise ValueError("steps, batch and save_every are 1 or more, learning_rate above 0")
        if not 8000 <= self.sample_rate <= 48000:
            raise ValueError("sample_rate is 8000 to 48000")
        if not 0 < scale_range(self.speed)[0] <= scale_range(self.speed)[1]:
            raise ValueError("speed is above 0; of two, the smaller one first")
        if not 0 <= scale_range(self.noise)[0] <= scale_range(self.noise)[1]:
            raise ValueError("noise is not below 0; of two, the smaller one first")

    def validation_errors(self) -> Iterator[str]:
        if self.start is None:
            return
        weights = model_files.find_weights(self.start)
        if not weights.is_file():
            yield f"start: {weights} is not there"
            return
        try:
            why = self._explain_unfit(model_files.read_config(weights))
        except EngineError as cause:
            why = str(cause)
        if why:
            yield f"start: {why}"

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Refuse texts of which most are in letters that nothing here would ever teach it."""
        earlier = start.location if start else self.start
        known = (
            model_files.config_characters(
                model_files.read_config(model_files.find_weights(earlier))
            )
            if earlier
            else set()
        )
        langs = set[Language]()
        for each in (one for manifest in speech for one in manifest):
            if each.lang is None:
                return  # it may be in any
            langs.add(each.lang)
            known.update(model_files.normalize_text(each.text or ""))
        strange, example = 0, ""
        for each in texts:
            if is_mostly_unknown(model_files.normalize_text(each.text or ""), langs, known):
                strange, example = strange + 1, example or each.text or ""
        if 2 * strange > len(texts):
            raise ConfigError(
                f"{strange} of {len(texts)} texts are in letters that the voice has never seen "
                f"and cannot learn from speech in {', '.join(sorted(langs))}, such as "
                f"{example!r}; give it texts in a language of the speech, or speech in theirs"
            )
        if strange:
            log.warning("%d texts are in letters that it cannot learn, as %r", strange, example)

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Train with Coqui's trainer; killed, it goes on from the last checkpoint, unchanged.

        Raises ConfigError where the lesson is too small or `start` is another kind of voice, and
        EngineError where the loss is not a number or the trainer fails.
        """
        resume = out / "resume"
        if not (out / model_files.WEIGHTS).exists():
            out.mkdir(parents=True, exist_ok=True)
            watch = training.LossMonitor(out / "training.jsonl", self.steps)
            with model_files.capture_output(out / "train.log"), model_files.fork_random_state(seed):
                earlier = start.location if start else self.start
                model = self._load_model(model_files.find_weights(earlier)) if earlier else None
                clips = self._select_clips(filtered_labels, model)
                model = self._configure_model(model, clips, _characters(model, clips, texts))
                samples = training_clips.write_clips(clips, resume / "clips", model)
                model.config.batch_size, model.config.save_step = self.batch, self.save_every
                dataset = self._build_dataset(model, samples)
                training.train_model(model, dataset, resume, seed, self.steps, watch)
                model_files.save_model(model, out)
        shutil.rmtree(resume, ignore_errors=True)
        return Checkpoint(engine=self.name, location=out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Whatever is drawn to speak a text is drawn by its id."""
        with (
            model_files.capture_output(),
            model_files.fork_random_state(0),
        ):  # building it draws weights, to be overwritten
            model = self._load_model(checkpoint.location / model_files.WEIGHTS)
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self._prepare_for_inference(model)
        for window in iter_windows(texts):
            for text, said in zip(window, self._synthesize_window(model, window), strict=True):
                spoken = replace(text, origin="synthetic", made_by=self.name, speaker=said.speaker)
                if isinstance(said.samples_or_error, str):
                    yield replace(spoken, error=said.samples_or_error)
                    continue
                path = out / f"{text.id}.wav"
                samples = audio.resample(said.samples_or_error, model.ap.sample_rate)
                yield replace(spoken, audio_filepath=path, duration=audio.write(samples, path))

    @abstractmethod
    def _explain_unfit(self, config: Any) -> str | None:
        """Why a voice with this configuration cannot be gone on with."""

    @abstractmethod
    def _load_model(self, weights: Path) -> Model:
        """Raises EngineError or ConfigError."""

    @abstractmethod
    def _select_clips(
        self, lesson: Iterable[Utterance], model: Model | None
    ) -> Sequence[Utterance]:
        """The clips of the lesson that it learns from. Raises ConfigError for too few."""

    @abstractmethod
    def _configure_model(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        """A new voice of the sizes asked for, or the earlier one with room for what is new."""

    @abstractmethod
    def _build_dataset(self, model: Model, samples: list[training_clips.CoquiSample]) -> Any:
        """Coqui's, in order of length."""

    @abstractmethod
    def _prepare_for_inference(self, model: Model) -> None:
        """Fold what was only of use in training, so that it speaks sooner."""

    @abstractmethod
    def _synthesize_window(
        self, model: Model, texts: Sequence[Utterance]
    ) -> Iterable[SynthesisOutcome]:
        """One for every text, in order."""


def scale_range(scale: Scale) -> tuple[float, float]:
    """The smallest and the largest."""
    return scale if isinstance(scale, tuple) else (scale, scale)


def draw_scale(scale: Scale, rng: np.random.Generator) -> float:
    return float(rng.uniform(*scale_range(scale)))


def explain_too_short(seconds: Seconds) -> str:
    """Why so short a sound is no speech; empty where it may be."""
    return f"spoken, it takes only {seconds:.2f} s" if seconds < MIN_SPEECH_SECONDS else ""


def check_and_level(samples: audio.Samples, rate: int) -> audio.Samples | str:
    """What was spoken, evenly loud, or why that is no speech."""
    if wrong := explain_too_short(len(samples) / rate):
        return wrong
    return (
        training_clips.level_loudness(samples)
        if np.isfinite(samples).all()
        else "no speech came out"
    )


def _characters(model: Model | None, clips: Sequence[Utterance], texts: Manifest) -> str:
    """What the voice must have a place for."""
    heard = {model_files.normalize_text(each.text or "") for each in clips}
    characters = model_files.collect_characters(
        heard, (model_files.normalize_text(each.text or "") for each in texts)
    )
    if unheard := sorted(
        set(characters) - set("".join(heard)) - model_files.model_characters(model)
    ):
        log.warning("letters of the texts that no clip holds: %s", " ".join(unheard))
    return characters
