"""Fine-tuning of the GPT part of XTTS: Coqui's recipe, in the trainer of the other voices.

The recipe is `recipes/ljspeech/xtts_v2/train_gpt_xtts.py` of Coqui's repository. Audio is read by
libsndfile: Coqui's own data set calls `torchaudio.load`, which needs torchcodec and FFmpeg.
"""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from TTS.tts.layers.xtts.trainer.dataset import XTTSDataset
from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer, GPTTrainerConfig

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError, EngineError
from ...core.types import Utterance
from . import model_files, training, xtts_files
from . import xtts_model as xtts
from .config_check import check_classes
from .training_clips import MIN_CLIPS

log = logging.getLogger(__name__)

MIN_CLIP_SECONDS, MAX_CLIP_SECONDS = 0.5, 11.6
"""Durations of the clips that Coqui's recipe trains on."""
MIN_PROMPT_SAMPLES, MAX_PROMPT_SAMPLES = 66_150, 132_300
"""Samples of a clip that serve as its reference; 3 to 6 s at 22,050 Hz, as in the recipe."""
MAX_TEXT_TOKENS = 200
"""Most tokens of a text."""
SAMPLES_PER_TOKEN = 1024
"""Samples to a token of sound."""
UNKNOWN_TOKEN = 1
"""Token of everything that is not in the vocabulary."""


@dataclass(frozen=True)
class FineTuningOptions:
    """The options of `XttsSynthesizer` that fine-tuning reads."""

    steps: int
    batch: int
    """Clips in a training step."""
    learning_rate: float
    save_every: int
    """Steps between checkpoints."""


class FineTuningDataset:
    """Data set of the GPT part, in order of length."""

    def __init__(self, model: Any, samples: list[dict[str, Any]]) -> None:
        self.samples, self.sample_rate = samples, model.config.audio.sample_rate
        # Coqui's own collation, called with this object for `self`: it reads no attribute of it.
        self.collate_fn = lambda batch: XTTSDataset.collate_fn(self, batch)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a clip and its prompt: a random stretch of it that stands for its speaker.

        The loss leaves the stretch out, so that the model does not learn to copy it.
        """
        sample = self.samples[index]
        samples = audio.resample(
            audio.read(sample["audio_file"]), audio.SAMPLE_RATE, self.sample_rate
        )
        waveform, token_ids = torch.from_numpy(samples)[None], torch.tensor(sample["tokens"])
        length = random.randint(MIN_PROMPT_SAMPLES, MAX_PROMPT_SAMPLES)
        # Half of a short clip, so that something is left to train on.
        if length > waveform.shape[1]:
            length = waveform.shape[1] // 2
        start = random.randint(0, waveform.shape[1] - length)
        prompt = waveform[:, start : start + length]  # (1, n_samples)
        padding = (0, MAX_PROMPT_SAMPLES - length)
        return {
            "text": token_ids.int(),
            "text_lengths": torch.tensor(len(token_ids)),
            "wav": waveform,
            "wav_lengths": torch.tensor(waveform.shape[1]),
            "filenames": str(sample["audio_file"]),
            "conditioning": torch.nn.functional.pad(prompt, padding)[:, None],
            # NaN makes Coqui mask the stretch by its indices instead of by a length.
            "cond_lens": torch.tensor([float("nan")]),
            "cond_idxs": torch.tensor([start, start + length]),
        }


def fine_tune(
    base: Path,
    earlier: Path,
    filtered_labels: Iterable[Utterance],
    out: Path,
    seed: int,
    options: FineTuningOptions,
) -> None:
    """Fine-tune a model and leave a folder in `out` that `xtts_model.load_model` reads.

    A killed training resumes from its last checkpoint with the same numbers.

    Args:
        base: folder of a published model, with the files that fine-tuning needs.
        earlier: folder of the weights to continue from; `base`, or that of an earlier round.
        filtered_labels: labeled utterances.
        out: folder for the fine-tuned model.
        seed: seed of the batches and prompts.
        options: number and size of the steps.

    Raises:
        ConfigError: there are too few clips.
        EngineError: the model cannot be read, the loss is not a number, or the trainer fails.
    """
    resume = out / "resume"
    monitor = training.LossMonitor(out / "training.jsonl", options.steps)
    with model_files.capture_output(out / "train.log"), model_files.fork_random_state(seed):
        model = _load_trainable_model(base, earlier)
        config = model.config
        config.batch_size, config.lr = options.batch, options.learning_rate
        config.save_step = options.save_every
        samples = _write_clips(model, filtered_labels, resume / "clips")
        training.train_model(
            model,
            FineTuningDataset(model, samples),
            resume=resume,
            seed=seed,
            steps=options.steps,
            monitor=monitor,
        )
        # The weights come last: a folder that has them is complete.
        for name in (xtts_files.CONFIG, xtts_files.VOCABULARY):
            shutil.copyfile(base / name, out / name)
        model_files.save_weights(model.xtts, out)
    shutil.rmtree(resume, ignore_errors=True)


def _load_trainable_model(base: Path, earlier: Path) -> Any:
    """Return Coqui's trainable model, configured as in the recipe."""
    config = GPTTrainerConfig()
    try:
        config.load_json(str(base / xtts_files.CONFIG))
        check_classes(config, base / xtts_files.WEIGHTS)
        args = config.model_args
        args.tokenizer_file = str(base / xtts_files.VOCABULARY)
        args.xtts_checkpoint = str(earlier / xtts_files.WEIGHTS)
        args.mel_norm_file, args.dvae_checkpoint = (
            str(base / name) for name in xtts_files.FINE_TUNING_FILES
        )
        args.gpt_use_masking_gt_prompt_approach = True
        args.min_conditioning_length = MIN_PROMPT_SAMPLES
        args.max_conditioning_length = MAX_PROMPT_SAMPLES
        # `IsolatedTrainer` sets the rate of every step itself.
        config.optimizer, config.lr_scheduler = "AdamW", None
        config.optimizer_params = {"betas": [0.9, 0.96], "eps": 1e-8, "weight_decay": 1e-2}
        config.optimizer_wd_only_on_weights = True
        return GPTTrainer(config)
    except Exception as cause:  # Coqui raises almost any class for broken files
        raise EngineError(f"{base}: no XTTS model that can be fine-tuned ({cause})") from cause


def _write_clips(
    model: Any, filtered_labels: Iterable[Utterance], folder: Path
) -> list[dict[str, Any]]:
    """Copy the clips that the model can be trained on into `folder`; list the shortest first.

    Raises:
        ConfigError: there are fewer than `MIN_CLIPS`.
    """
    args, skipped = model.args, 0
    samples = list[dict[str, Any]]()
    # Less the start and stop tokens that are added to audio and to texts.
    max_audio_tokens, max_text_tokens = args.gpt_max_audio_tokens - 4, args.gpt_max_text_tokens - 2
    max_seconds = min(
        MAX_CLIP_SECONDS, max_audio_tokens * SAMPLES_PER_TOKEN / model.config.audio.sample_rate
    )
    for utterance in filtered_labels:
        if utterance.error or not MIN_CLIP_SECONDS <= utterance.duration <= max_seconds:
            skipped += 1
            continue
        token_ids = xtts.encode_text(model.xtts, utterance.text or "", utterance.lang)
        is_too_long = len(token_ids) > min(MAX_TEXT_TOKENS, max_text_tokens)
        if not token_ids or is_too_long or UNKNOWN_TOKEN in token_ids:
            skipped += 1
            continue
        path = folder / f"{len(samples):06d}.wav"
        try:
            seconds = audio.write(audio.load_utterance(utterance), path)
        except AudioError as cause:
            log.warning("skipping a clip in the training of the voice: %s", cause)
            skipped += 1
            continue
        samples.append({"audio_file": path, "tokens": token_ids, "seconds": seconds})
    if len(samples) < MIN_CLIPS:
        raise ConfigError(
            f"too little speech to fine-tune a voice: {len(samples)} clips could be used and "
            f"{skipped} could not; at least {MIN_CLIPS} are needed, of {MIN_CLIP_SECONDS:g} to "
            f"{max_seconds:.1f} s and in a language of XTTS"
        )
    log.info("fine-tuning XTTS on %d clips, skipping %d", len(samples), skipped)
    # `iterate_batches` expects clips in order of length.
    return sorted(samples, key=lambda sample: float(sample["seconds"]))
