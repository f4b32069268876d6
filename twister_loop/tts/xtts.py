"""Coqui's XTTS v2, published or fine-tuned: every text in the voice of a reference clip."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from ..asr._base import BoundRecognizer, WeightsStatus
from ..audio import io as audio
from ..core.artifacts import not_in_cache_key
from ..core.errors import AudioError, ConfigError
from ..core.manifest import Manifest
from ..core.ranges import Count, CountOrZero, Range, Span
from ..core.registry import folder_or_name
from ..core.types import Checkpoint, Seconds, Utterance
from ._base import Synthesizer
from ._coqui import xtts_files

log = logging.getLogger(__name__)

MIN_REFERENCE_SECONDS, MAX_REFERENCE_SECONDS = 3.0, 30.0
"""Durations of the clips that can be a reference; XTTS asks for more than three seconds."""


@dataclass(frozen=True)
class XttsSynthesizer(Synthesizer):
    """Synthesizer that imitates the speakers of clips, zero-shot or fine-tuned.

    Experimental: it has only been run on tiny random models of its classes, as the published
    weights were not available.

    XTTS (Casanova et al., arXiv 2406.04904). The published weights are under the Coqui Public
    Model License: they, what is fine-tuned from them, and speech made with either are for
    non-commercial use only.
    """

    requires: ClassVar[tuple[str, ...]] = ("TTS", "torch", "librosa")
    experimental: ClassVar[str] = (
        "it has only been run on tiny random models, and nobody has listened to its speech with "
        "the published weights"
    )

    model: str = folder_or_name("coqui/XTTS-v2")
    """A folder, relative to the plan, with config.json, model.pth and vocab.json, for fine-tuning
    also dvae.pth and mel_stats.pth; or a name on the Hugging Face hub."""
    non_commercial: bool = not_in_cache_key(False)
    """Set to true if you have read the licence of the weights and comply with it."""
    references: Annotated[int, Range(1, 100000)] = 32
    """Clips of the filtered labels that serve as reference voices, spread over all speakers."""
    temperature: Annotated[float, Range(above=0, high=10)] = 0.75
    """Sampling temperature of the tokens: higher varies more, and fails more often."""
    speed: Annotated[tuple[float, float], Span(0.05, 20)] = (0.9, 1.1)
    """Factor of the rate of speech, drawn from this range for every text."""
    steps: CountOrZero = 0
    """Steps of fine-tuning its GPT part on the filtered labels, with Coqui's recipe; 0 is
    zero-shot. Fine-tuning needs a GPU. A later round continues from the fine-tuned weights."""
    batch: Annotated[int, Range(1, 10000)] = 4
    """Clips in a training step."""
    learning_rate: Annotated[float, Range(above=0, high=1)] = 5e-6
    """Learning rate; over the last 30 % of the steps it falls linearly to zero."""
    save_every: Count = not_in_cache_key(500)
    """Steps between checkpoints, which take some 5 GB at the published size."""

    def __post_init__(self) -> None:
        if not self.non_commercial:
            raise ValueError(
                "non_commercial: the weights of XTTS are under the Coqui Public Model License "
                "(https://coqui.ai/cpml); set it to true if you comply with that license"
            )

    @property
    def continues_from_last_round(self) -> bool:
        """True if it is fine-tuned; zero-shot has no weights of its own to continue from."""
        return self.steps > 0

    def training_seconds(self) -> Seconds | None:
        return None if self.steps else 0.0

    def find_weights(self) -> WeightsStatus:
        return xtts_files.find_model_status(self.model, self._more_files)

    def validation_errors(self) -> Iterator[str]:
        """Yield what a local folder of the model lacks; a name on the hub is checked later."""
        # `check` looks a name up on the hub: reading a plan must not need the network.
        if Path(self.model).expanduser().is_dir():
            try:
                self._find_base()
            except ConfigError as error:
                yield str(error)

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Download the weights; refuse texts if most are in languages that XTTS does not speak.

        Raises:
            ConfigError: the weights cannot be had, most texts cannot be spoken, or no recording
                is long enough for a reference.
        """
        from ._coqui import xtts_model as xtts

        base = self._find_base()
        longest = max(
            (utterance.duration for manifest in speech for utterance in manifest), default=0.0
        )
        if longest < MIN_REFERENCE_SECONDS:
            raise ConfigError(
                f"no recording lasts {MIN_REFERENCE_SECONDS:g} s, the least for a reference voice "
                f"(the longest lasts {longest:.1f} s)"
            )
        texts_by_lang = Counter(text.lang for text in texts)
        reasons = {
            lang: reason
            for lang in texts_by_lang
            if (reason := xtts.explain_unsupported_language(base, lang))
        }
        for lang, reason in reasons.items():
            log.warning("%d texts cannot be spoken: %s", texts_by_lang[lang], reason)
        unspeakable, total = sum(texts_by_lang[lang] for lang in reasons), texts_by_lang.total()
        if 2 * unspeakable > total:
            raise ConfigError(
                f"{unspeakable} of {total} texts cannot be spoken: {'; '.join(reasons.values())}"
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
        """Copy the reference clips into `out`, and fine-tune the model if `steps` is not 0.

        Raises:
            ConfigError: no clip is long enough, or there are too few to fine-tune on.
            EngineError: the loss is not a number, or the trainer fails.
        """
        # First of all, for a missing model should not be noticed after the references.
        base = self._find_base()
        rng = np.random.default_rng(seed)
        references = _copy_references(
            select_reference_clips(filtered_labels, self.references, rng), out
        )
        if not references:
            raise ConfigError(
                f"xtts: no filtered label can be read that lasts {MIN_REFERENCE_SECONDS:g} to "
                f"{MAX_REFERENCE_SECONDS:g} s, so there is no reference voice"
            )
        Manifest.write(references, out)
        # The weights appear last: with them the fine-tuning is done.
        if self.steps and not (out / xtts_files.WEIGHTS).exists():
            is_fine_tuned = start and (start.location / xtts_files.WEIGHTS).is_file()
            fine_tuning = _import_fine_tuning()
            fine_tuning.fine_tune(
                base=base,
                earlier=start.location if start and is_fine_tuned else base,
                filtered_labels=filtered_labels,
                out=out,
                seed=seed,
                options=fine_tuning.FineTuningOptions(
                    steps=self.steps,
                    batch=self.batch,
                    learning_rate=self.learning_rate,
                    save_every=self.save_every,
                ),
            )
        return Checkpoint("xtts", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield the texts with their speech.

        The reference, the speed and every token are drawn with the id of the text as seed.
        """
        from ._coqui import model_files
        from ._coqui import xtts_model as xtts

        is_fine_tuned = (checkpoint.location / xtts_files.WEIGHTS).is_file()
        # Building a model draws initial weights, although they are overwritten by the loaded ones.
        with model_files.capture_output(), model_files.fork_random_state(0):
            model = xtts.load_model(checkpoint.location if is_fine_tuned else self._find_base())
        references = list(Manifest.load(checkpoint.location))
        voices: dict[int, xtts.ReferenceVoice] = {}
        for text in texts:
            seed = model_files.derive_seed(text.id)
            rng = np.random.default_rng(seed)
            # The order of the draws must not change, or a seed would stand for another sample.
            index, speed = int(rng.integers(len(references))), float(rng.uniform(*self.speed))
            reference = references[index]
            synthetic = replace(
                text, origin="synthetic", made_by=self.name, speaker=reference.speaker
            )
            if error := xtts.explain_unspeakable(model, text.text or "", text.lang):
                yield replace(synthetic, error=error)
                continue
            if index not in voices:
                voices[index] = xtts.compute_voice(model, audio.load_utterance(reference))
            with model_files.capture_output(), model_files.fork_random_state(seed):
                samples = xtts.synthesize_samples(
                    model,
                    text=text.text or "",
                    lang=text.lang,
                    voice=voices[index],
                    temperature=self.temperature,
                    speed=speed,
                )
            if not len(samples) or not np.isfinite(samples).all():
                yield replace(
                    synthetic, error="the model returned no samples, or some that are not numbers"
                )
                continue
            path = out / f"{text.id}.wav"
            duration = audio.write(audio.resample(samples, xtts.XTTS_SAMPLE_RATE), path)
            yield replace(synthetic, audio_filepath=path, duration=duration)

    def _find_base(self) -> Path:
        """Return the folder of the published model. Raises ConfigError."""
        return xtts_files.find_model_folder(self.model, self._more_files)

    @property
    def _more_files(self) -> tuple[str, ...]:
        """Return the files that fine-tuning needs beside those of the model."""
        return xtts_files.FINE_TUNING_FILES if self.steps else ()


def select_reference_clips(
    filtered_labels: Iterable[Utterance], count: int, rng: np.random.Generator
) -> Sequence[Utterance]:
    """Return up to `count` clips of a suitable length, spread evenly over the speakers."""
    by_speaker: dict[str | None, list[Utterance]] = {}
    for utterance in filtered_labels:
        duration = utterance.duration
        if not utterance.error and MIN_REFERENCE_SECONDS <= duration <= MAX_REFERENCE_SECONDS:
            by_speaker.setdefault(utterance.speaker, []).append(utterance)
    # Rounded up, or few references of many speakers would be none of each.
    clips_per_speaker = math.ceil(count / max(1, len(by_speaker)))
    drawn: list[Utterance] = []
    for clips in by_speaker.values():
        drawn += [clips[index] for index in rng.permutation(len(clips))[:clips_per_speaker]]
    # Rounding up may have drawn too many; some are dropped at random, and the order is kept.
    return [drawn[index] for index in sorted(rng.permutation(len(drawn))[:count])]


def _copy_references(clips: Iterable[Utterance], out: Path) -> list[Utterance]:
    """Copy clips into `out / "audio"` and return them; unreadable ones are skipped.

    With copies the voice depends on no folder but its own.
    """
    references = []
    for number, clip in enumerate(clips):
        path = out / "audio" / f"{number:03d}.wav"
        try:
            duration = audio.write(audio.load_utterance(clip), path)
        except AudioError as error:
            log.warning("%s cannot be used as speaker reference: %s", clip.id, error)
            continue
        references.append(
            replace(clip, audio_filepath=path, offset=0.0, channel=None, duration=duration)
        )
    return references


def _import_fine_tuning() -> Any:
    """Return the module that fine-tunes, and leave the number of torch's threads as it was.

    Importing Coqui's trainer of the GPT part sets that number to one for the whole process.
    """
    import torch

    threads = torch.get_num_threads()
    from ._coqui import xtts_training

    torch.set_num_threads(threads)
    return xtts_training
