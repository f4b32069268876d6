"""How a Coqui voice is trained: the clips, their order, and Coqui's trainer, well-behaved.

Every step draws its batch and its noise from the seed and its own number alone, so a training
that was killed goes on from its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from trainer import Trainer, TrainerArgs
from trainer.io import save_model
from trainer.logging import DummyLogger

from .. import audio
from ..errors import AudioError, ConfigError, EngineError
from ..progress import progress
from ..records import Utterance
from ._coqui_voice import Model, sow, spelled

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 1.0, 12.0
"""Seconds of a clip: shorter ones are mostly not sentences, longer ones need much memory."""
FASTEST = 25.0
"""Characters a second; more is a label that does not belong to its audio."""
FEWEST = 20
"""Clips without which there is no use in trying."""
LEVEL = -23.0
"""Loudness of clips and of synthetic speech, in decibels below full scale."""
LOG_EVERY = 100
"""Steps."""
CHECKPOINT = "checkpoint.pth"

Sample = dict[str, str]


def of_one_speaker(
    lesson: Iterable[Utterance], named: str | None, learned: str | None = None
) -> list[Utterance]:
    """The clips that a voice can learn from: of one speaker.

    That is the one named; else the one that the voice has learned, if there is enough of that
    one's speech; else whoever speaks most. Raises ConfigError where there are too few.
    """
    spoken: defaultdict[str | None, list[Utterance]] = defaultdict(list)
    for each in lesson:
        if each.error is None and SHORTEST <= each.duration <= LONGEST:
            letters = len(spelled(each.text or ""))
            if 0 < letters <= FASTEST * each.duration:
                spoken[each.speaker].append(each)
    minutes = {name: sum(each.duration for each in clips) / 60 for name, clips in spoken.items()}
    speaker = named
    if named is None and len(spoken.get(learned, ())) >= FEWEST:
        speaker = learned
    elif named is None and spoken:
        speaker = max(minutes, key=lambda name: (minutes[name], name or ""))
    clips = spoken.get(speaker, [])
    if len(clips) < FEWEST:
        there = ", ".join(f"{name or 'unknown'} {len(clips)}" for name, clips in spoken.items())
        raise ConfigError(
            f"too little speech to train a voice: at least {FEWEST} labeled clips of "
            f"{SHORTEST:g} to {LONGEST:g} s of one speaker are needed, there are {len(clips)}"
            f"{f' of speaker {speaker}' if speaker else ''} (clips by speaker: {there or 'none'})"
        )
    who, others = speaker or "speakers without a name", len(spoken) - 1
    log.info(
        "the voice learns from %s: %d clips, %.1f minutes; %d other speakers are left out",
        *(who, len(clips), minutes[speaker], others),
    )
    return clips


def write_clips(clips: Iterable[Utterance], folder: Path, ap: Any) -> list[Sample]:
    """Cut the clips out of their files, evenly loud, and list them as Coqui does.

    `ap` is the voice's audio processor. Silence is trimmed here, once, and not at every step.
    """
    samples: list[Sample] = []
    trims, ap.do_trim_silence, broken = ap.do_trim_silence, False, 0
    for number, clip in enumerate(clips):
        text, path = spelled(clip.text or ""), folder / f"{number:06d}.wav"
        try:
            speech = audio.resample(audio.of(clip), audio.SAMPLE_RATE, ap.sample_rate)
            if trims:
                speech = ap.trim_silence(speech)
            if len(speech) / ap.hop_length <= len(text):
                raise AudioError(f"{clip.audio_filepath}: less speech than its label has letters")
        except AudioError as cause:
            broken += 1
            log.warning("left out of the voice's lesson: %s", cause)
            continue
        audio.write(leveled(speech), path, ap.sample_rate)
        sample = {"text": text, "audio_file": str(path), "language": ""}
        names = {"speaker_name": clip.speaker or "", "audio_unique_name": path.stem}
        samples.append({**sample, **names, "root_path": str(folder)})
    if len(samples) < FEWEST:
        raise ConfigError(
            f"too little speech to train a voice: {len(samples)} clips could be used, {broken} "
            f"not, and at least {FEWEST} are needed; see the warnings"
        )
    return samples


def leveled(samples: audio.Samples) -> audio.Samples:
    """Bring speech to `LEVEL`, or as near as its loudest peak allows."""
    peak = float(np.abs(samples).max(initial=1e-6))
    gain = min(10 ** ((LEVEL - audio.loudness(samples)) / 20), 0.95 / peak)
    return (samples * gain).astype(np.float32)


def batches(clips: int, size: int, seed: int) -> Iterator[list[int]]:
    """Yield batches for ever; places are in order of length, so like lengths go together.

    Every clip comes once in an epoch; which ones go together differs from epoch to epoch.
    """
    for epoch in count():
        rng = random.Random(f"{seed} {epoch}")
        order = sorted(range(clips), key=lambda place: place + rng.uniform(0, 2 * size))
        parts = max(1, clips // size)
        cuts = [order[clips * at // parts : clips * (at + 1) // parts] for at in range(parts)]
        rng.shuffle(cuts)
        yield from cuts


@dataclass(frozen=True)
class Loader:
    """What the trainer takes for one epoch: all batches that are still to come."""

    dataset: Any
    """Coqui's, in order of length."""
    order: Sequence[Sequence[int]]

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        for places in self.order:
            yield self.dataset.collate_fn([self.dataset[place] for place in places])


class WellBehavedTrainer(Trainer):
    """Coqui's trainer without what it does to the process that it runs in.

    As it comes it asks git for a branch, changes limits and environment of the process, adds
    log handlers, copies the running script, and exits the process when something fails.
    """

    def __init__(
        self,
        model: Model,
        samples: list[Sample],
        folder: Path,
        seed: int,
        watch: Callable[[int, float | None], None],
    ) -> None:
        begun = folder / CHECKPOINT
        args = TrainerArgs(
            continue_path=str(folder), restore_path=str(begun) if begun.exists() else ""
        )
        super().__init__(
            args,
            model.config,
            model=model,
            train_samples=samples,
            dashboard_logger=DummyLogger(),
            parse_command_line_args=False,
        )
        self.seed, self.watch = seed, watch

    def train(self, steps: int) -> None:
        """Train up to this step, from the one that the checkpoint was left at."""
        dataset: Any = self.get_train_dataloader(self.train_samples).dataset
        order = batches(len(dataset), int(self.config.batch_size), self.seed)
        to_come = list(islice(order, self.total_steps_done, steps))
        self.train_loader = cast(Any, Loader(dataset, to_come))
        self._fit()

    def optimize(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any], float]:
        """One step, drawing from its own seed, whose loss is looked at before it is kept."""
        step = self.total_steps_done
        sow(int.from_bytes(hashlib.sha256(f"{self.seed} {step}".encode()).digest()[:7]))
        outputs, losses, seconds = super().optimize(*args, **kwargs)
        # There is no loss while the normalization layers are initialized from data.
        self.watch(step, losses.get("loss"))
        return outputs, losses, seconds

    def save_checkpoint(self) -> None:
        """Keep the last state alone, and replace it whole."""
        scratch = self.output_path / f".{CHECKPOINT}"
        save_model(
            self.config,
            self.model,
            scratch,
            current_step=self.total_steps_done,
            epoch=0,
            optimizer=self.optimizer,
        )
        scratch.replace(self.output_path / CHECKPOINT)

    @staticmethod
    def init_training(args: Any, coqpit_overrides: Any, config: Any = None) -> tuple[Any, Any]:
        return config, {}

    @staticmethod
    def setup_training_environment(args: Any, config: Any, gpu: Any) -> tuple[bool, int]:
        return torch.cuda.is_available(), min(1, torch.cuda.device_count())

    def _setup_logger_config(self, log_file: str) -> None: ...

    def save_training_script(self) -> None: ...

    def save_best_model(self) -> None: ...

    def update_training_dashboard_logger(self, batch: Any = None, outputs: Any = None) -> None: ...


class Watch:
    """Notes the loss of every step, shows how far it is, and stops what has gone wrong.

    Made before output is captured, for its progress bar keeps the terminal it was made on.
    """

    def __init__(self, notes: Path, steps: int) -> None:
        self.notes, self.steps = notes, steps
        self.bar = progress(range(steps + 1), "training the voice", total=steps)
        next(self.bar)
        self.began: tuple[int, float] | None = None

    def going_on_from(self, step: int) -> None:
        """Forget what was noted of steps that will be repeated."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        kept = [f"{each}\n" for each in lines if json.loads(each)["step"] < step]
        self.notes.write_text("".join(kept))
        for _ in range(step):
            next(self.bar, None)

    def __call__(self, step: int, loss: float | None) -> None:
        """Raise EngineError when the loss is not a number."""
        next(self.bar, None)
        if loss is None:
            return
        if not math.isfinite(loss):
            raise EngineError(
                f"training the voice went wrong at step {step}: the loss is {loss}; "
                "try a smaller learning_rate, and look for odd clips in the lesson"
            )
        with self.notes.open("a") as notes:
            notes.write(json.dumps({"step": step, "loss": round(loss, 4)}) + "\n")
        first, began = self.began = self.began or (step, time.monotonic())
        if step > first and step % LOG_EVERY == 0:
            left = (time.monotonic() - began) / (step - first) * (self.steps - step) / 60
            log.info("step %d of %d, loss %.3f, %.0f min left", step, self.steps, loss, left)
