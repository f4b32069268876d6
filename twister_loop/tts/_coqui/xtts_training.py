"""How XTTS is fine-tuned: Coqui's recipe for its GPT part, in the trainer of the other voices.

The recipe is `recipes/ljspeech/xtts_v2/train_gpt_xtts.py` of Coqui's repository. Audio is read by
libsndfile: Coqui's own data set calls `torchaudio.load`, which needs torchcodec and FFmpeg.
"""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from TTS.tts.layers.xtts.trainer.dataset import XTTSDataset
from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer, GPTTrainerConfig

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError, EngineError
from ...core.types import Utterance
from . import model_files, training
from . import xtts_model as xtts
from .training_clips import MIN_CLIPS

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 0.5, 11.6
"""Seconds of a clip that Coqui's recipe learns from."""
PROMPT = 66_150, 132_300
"""Samples of a clip that are heard as the reference: 3 to 6 s."""
TOKENS = 200
"""Of a text, at most."""
CODE = 1024
"""Samples to a token of sound."""
UNKNOWN = 1
"""The token for what is in no vocabulary."""


class FineTuningDataset:
    """What the GPT part learns from, in order of length."""

    def __init__(self, model: Any, samples: list[dict[str, Any]]) -> None:
        self.samples, self.rate = samples, model.config.audio.sample_rate
        self.collate_fn = lambda batch: XTTSDataset.collate_fn(self, batch)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: int) -> dict[str, Any]:
        """A clip, and a random stretch of it that stands for its speaker, not learned by heart."""
        sample = self.samples[place]
        heard = audio.resample(audio.read(sample["audio_file"]), audio.SAMPLE_RATE, self.rate)
        wave, tokens = torch.from_numpy(heard)[None], torch.tensor(sample["tokens"])
        length = random.randint(*PROMPT)
        if length > wave.shape[1]:
            length = wave.shape[1] // 2
        start = random.randint(0, wave.shape[1] - length)
        prompt = wave[:, start : start + length]  # (1, n_samples)
        return {
            "text": tokens.int(),
            "text_lengths": torch.tensor(len(tokens)),
            "wav": wave,
            "wav_lengths": torch.tensor(wave.shape[1]),
            "filenames": str(sample["audio_file"]),
            "conditioning": torch.nn.functional.pad(prompt, (0, PROMPT[1] - length))[:, None],
            "cond_lens": torch.tensor([float("nan")]),  # the stretch is masked instead
            "cond_idxs": torch.tensor([start, start + length]),
        }


def fine_tune(
    base: Path,
    earlier: Path,
    lesson: Iterable[Utterance],
    out: Path,
    seed: int,
    options: tuple[int, int, float, int],
) -> None:
    """Fine-tune a model on the lesson, and leave a folder in `out` that XTTS is loaded from.

    `base` has what a published model has beside its weights, `earlier` the weights to go on from;
    `options` are steps, clips in a step, learning rate, and steps between checkpoints. Killed, it
    goes on from the last one. Raises ConfigError for too small a lesson, and EngineError where the
    model cannot be read, the loss is not a number, or the trainer fails.
    """
    steps, batch, rate, save_every = options
    resume = out / "resume"
    watch = training.LossMonitor(out / "training.jsonl", steps)
    with model_files.capture_output(out / "train.log"), model_files.fork_random_state(seed):
        model = _model(base, earlier)
        config = model.config
        config.batch_size, config.lr, config.save_step = batch, rate, save_every
        samples = _written(model, lesson, resume / "clips")
        training.train_model(model, FineTuningDataset(model, samples), resume, seed, steps, watch)
        for name in (xtts.CONFIG, xtts.VOCABULARY):
            shutil.copyfile(base / name, out / name)
        model_files.save_weights(model.xtts, out)
    shutil.rmtree(resume, ignore_errors=True)


def _model(base: Path, earlier: Path) -> Any:
    config = GPTTrainerConfig()
    try:
        config.load_json(str(base / xtts.CONFIG))
        args = config.model_args
        args.tokenizer_file = str(base / xtts.VOCABULARY)
        args.xtts_checkpoint = str(earlier / xtts.WEIGHTS)
        args.mel_norm_file, args.dvae_checkpoint = (
            str(base / each) for each in xtts.FINE_TUNING_FILES
        )
        args.gpt_use_masking_gt_prompt_approach = True
        args.min_conditioning_length, args.max_conditioning_length = PROMPT
        config.optimizer, config.lr_scheduler = "AdamW", None
        config.optimizer_params = {"betas": [0.9, 0.96], "eps": 1e-8, "weight_decay": 1e-2}
        config.optimizer_wd_only_on_weights = True
        return GPTTrainer(config)
    except Exception as cause:
        raise EngineError(f"{base}: no XTTS model that can be fine-tuned ({cause})") from cause


def _written(model: Any, lesson: Iterable[Utterance], folder: Path) -> list[dict[str, Any]]:
    """The clips that the model can learn from, copied out of the lesson, the shortest first."""
    args, left_out = model.args, 0
    samples = list[dict[str, Any]]()
    longest = min(LONGEST, (args.gpt_max_audio_tokens - 4) * CODE / model.config.audio.sample_rate)
    most = min(TOKENS, args.gpt_max_text_tokens - 2)
    for each in lesson:
        if each.error or not SHORTEST <= each.duration <= longest:
            left_out += 1
            continue
        tokens = xtts.encode_text(model.xtts, each.text or "", each.lang)
        if not tokens or len(tokens) > most or UNKNOWN in tokens:
            left_out += 1
            continue
        path = folder / f"{len(samples):06d}.wav"
        try:
            seconds = audio.write(audio.load_utterance(each), path)
        except AudioError as cause:
            log.warning("left out of the voice's lesson: %s", cause)
            left_out += 1
            continue
        samples.append({"audio_file": path, "tokens": tokens, "seconds": seconds})
    if len(samples) < MIN_CLIPS:
        raise ConfigError(
            f"too little speech to fine-tune a voice: {len(samples)} clips could be used, "
            f"{left_out} not, and at least {MIN_CLIPS} are needed, of {SHORTEST:g} to {longest:.1f} s "
            "and in a language of XTTS"
        )
    log.info("XTTS learns from %d clips, %d are left out", len(samples), left_out)
    return sorted(samples, key=lambda sample: float(sample["seconds"]))
