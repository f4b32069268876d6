"""Training from nothing, or on: it can be killed at any moment, and goes on to the same weights.

To the same bytes on a processor; the gradient of CTC has no fixed order on a GPU.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...audio.augmentation import load_audio
from ...audio.io import SAMPLE_RATE
from ...core import schema
from ...core.errors import AudioError, EngineError
from ...core.manifest import Manifest
from ...core.progress import progress
from ...core.types import Checkpoint, Utterance
from ..whisper.dataset import Example, bucketed, steps_per_epoch
from ..whisper.training import LOG, Line, repeatable
from .architecture import ScratchArchitecture
from .features import HOP, batch_of, enough, features
from .loaded_model import Ear, device, load, room_for
from .tokenizer import Tokens

log = logging.getLogger(__name__)

FASTEST = 4
"""Frames of 10 ms that a token takes at least in any of the models: what they subsample by."""


@dataclass(frozen=True)
class Batch:
    """What one update is made from."""

    speech: torch.Tensor
    """(batch, frames, size)"""
    lengths: torch.Tensor
    """(batch,)"""
    texts: list[torch.Tensor]


def train(
    options: ScratchArchitecture, start: Checkpoint, lesson: Manifest, out: Path, seed: int
) -> Checkpoint:
    """Learn from the lesson, and leave weights and vocabulary in `out`.

    Raises:
        EngineError: the loss is not finite, memory is full, or there is nothing to learn from.
    """
    with torch.random.fork_rng(), repeatable():
        known = load(options, start)
        own = known.part if known else options
        speech = list(_speech(own, lesson))
        if known is None:
            texts = [own.plainly(each.text or "", each.lang) for each in speech]
            tokens = Tokens.learn(own.unit, texts, own.subwords)
            torch.manual_seed(own.seed)
            known = Ear(own, tokens, own.network(len(tokens)).to(device()))
        torch.manual_seed(seed)
        taught = examples(known, speech)
        total = own.epochs * steps_per_epoch(len(taught), own.batch, 1)
        total = min(total, own.max_steps or total)
        size = sum(each.numel() for each in known.model.parameters())
        log.info(
            "%d utterances, %d tokens in the vocabulary, %.2f M parameters, %d steps of training",
            len(taught), len(known.tokens), size / 1e6, total,
        )  # fmt: skip
        trainer = Trainer(known, out, total)
        trainer.resume()
        try:
            trainer.run(lesson, taught, seed)
        except torch.OutOfMemoryError as cause:
            raise EngineError(f"{out}: out of memory; take a smaller `batch`") from cause
        trainer.finish()
    return Checkpoint(options.name, out)


def examples(ear: Ear, speech: Sequence[Utterance]) -> list[Example]:
    """The lesson as tokens; what cannot be learned from is left out, counted and logged."""
    made, copies, strange, silent, crowded = list[Example](), Counter[str](), 0, 0, 0
    for each in speech:
        text = ear.part.plainly(each.text or "", each.lang)
        strange += ear.tokens.strange(text)
        tokens = ear.tokens.encode(text)
        frames = each.duration * SAMPLE_RATE / HOP
        if not tokens:
            silent += 1
        elif FASTEST * room_for(tokens) > frames:
            crowded += 1
        else:
            copies[each.id] += 1
            made.append(Example(each, [], tokens, copy=copies[each.id]))
    if strange:
        log.warning("%d signs of the lesson are not in the vocabulary, and not learned", strange)
    for count, reason in ((silent, "nothing is left of the text"), (crowded, "text too long")):
        if count:
            log.warning("%d utterances of the lesson are left out: %s", count, reason)
    if not made:
        raise EngineError(
            "the lesson holds nothing to learn from; a recognizer that begins from nothing needs "
            "transcribed speech (`human` in the plan), since it cannot label any itself"
        )
    return made


def _speech(options: ScratchArchitecture, lesson: Manifest) -> Iterator[Utterance]:
    left_out = 0
    for each in lesson:
        fine = bool((each.text or "").strip()) and not each.error
        if fine and each.duration <= options.longest:
            yield each
        else:
            left_out += 1
    if left_out:
        log.warning(
            "%d utterances of the lesson are left out: without a text, or longer than %g s",
            left_out, options.longest,
        )  # fmt: skip


class Trainer:
    """The weights on their way, and all that is needed to go on with them."""

    def __init__(self, ear: Ear, out: Path, total: int) -> None:
        self.ear, self.options, self.out, self.total = ear, ear.part, out, total
        self.model = ear.model.train()
        learned, decay = list(self.model.parameters()), self.options.weight_decay
        matrices: dict[str, Any] = {"params": [each for each in learned if each.ndim > 1]}
        others = {"params": [each for each in learned if each.ndim <= 1], "weight_decay": 0.0}
        self.optimizer = torch.optim.AdamW([matrices, others], weight_decay=decay)
        self.done = 0
        """Steps."""
        self.ends: list[dict[str, torch.Tensor]] = []
        """Weights after the last epochs, as many as are averaged."""

    @property
    def state_file(self) -> Path:
        return self.out / "resume" / "state.pt"

    def run(self, source: Manifest, lesson: Sequence[Example], seed: int) -> None:
        """Take the steps that are left."""
        self.source = source
        self.out.mkdir(parents=True, exist_ok=True)
        in_epoch = steps_per_epoch(len(lesson), self.options.batch, 1)
        todo = (each for each in self._steps(lesson, seed) if each[0] > self.done)
        what = f"training {self.options.name}"
        with (self.out / LOG).open("a", encoding="utf-8") as lines:
            for number, batch in progress(self._loaded(todo), what, self.total - self.done):
                epoch = (number - 1) // in_epoch + 1
                rate = self.learning_rate(number)
                line = Line(number, epoch, self.take(number, batch, rate), rate)
                lines.write(f"{schema.to_json_line(line)}\n")
                lines.flush()
                self.done = number
                ends_epoch = number % in_epoch == 0 or number == self.total
                if ends_epoch and self.options.average > 1:
                    copy = {n: w.detach().cpu().clone() for n, w in self.model.state_dict().items()}
                    self.ends = [*self.ends, copy][-self.options.average :]
                if ends_epoch and self.options.keep_epochs:
                    at = self.out / f"epoch-{epoch:02d}"
                    self.options.keep(self.model, self.ear.tokens, at)
                if number % self.options.save_every == 0:
                    self.save()

    def take(self, number: int, batch: Batch | None, rate: float) -> float:
        """One update; gives the loss in nats for a token."""
        if batch is None:
            return 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        tokens = sum(map(len, batch.texts))
        loss = self.options.losses(self.model, batch.speech, batch.lengths, batch.texts) / tokens
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise EngineError(
                f"{self.out}: loss {loss.item()}, gradient {norm.item()} at step {number}; lower "
                "`learning_rate`"
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        return round(loss.item(), 6)

    def learning_rate(self, number: int) -> float:
        """Rises linearly while it warms up, then falls linearly, almost to nothing."""
        warm = math.ceil(self.options.warmup * self.total)
        if number <= warm:
            return self.options.learning_rate * number / warm
        return self.options.learning_rate * (self.total - number + 1) / (self.total - warm + 1)

    def save(self) -> None:
        """Keep what is needed to go on from here; whole or not at all."""
        state = {
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ends": self.ends,
            "random": torch.get_rng_state(),
        }
        scratch = self.state_file.with_name(".state.pt")
        scratch.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, scratch)
        scratch.replace(self.state_file)

    def resume(self) -> None:
        """Go on from what was kept last, if there is such."""
        if self.state_file.is_file():
            state = torch.load(self.state_file, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done, self.ends = state["done"], state["ends"]
            torch.set_rng_state(state["random"])
            log.info("goes on after step %d of %d", self.done, self.total)
        if (self.out / LOG).is_file():
            lines = (self.out / LOG).read_text(encoding="utf-8").splitlines(keepends=True)
            (self.out / LOG).write_text("".join(lines[: self.done]), encoding="utf-8")

    def finish(self) -> None:
        """Write the model, and drop what was kept for going on."""
        if self.ends:
            mean = {
                name: torch.stack([end[name].double() for end in self.ends]).mean(0).to(last.dtype)
                for name, last in self.ends[-1].items()
            }
            self.model.load_state_dict(mean)
        self.options.keep(self.model, self.ear.tokens, self.out)
        shutil.rmtree(self.out / "resume", ignore_errors=True)

    def _steps(
        self, lesson: Sequence[Example], seed: int
    ) -> Iterator[tuple[int, int, list[Example]]]:
        """Every step with its epoch and examples; an epoch's order depends on seed and number."""
        number, epoch = 0, 0
        while number < self.total:
            epoch += 1
            rng = np.random.default_rng([seed, epoch])
            for group in bucketed(lesson, self.options.batch, rng)[: self.total - number]:
                number += 1
                yield number, epoch, group

    def _loaded(
        self, todo: Iterator[tuple[int, int, list[Example]]]
    ) -> Iterator[tuple[int, Batch | None]]:
        """Every step with its batch, read while the step before it is computed."""
        with ThreadPoolExecutor(max_workers=1) as reader:
            pending = None
            for number, epoch, group in todo:
                following = number, reader.submit(self._batch, epoch, group)
                if pending:
                    yield pending[0], pending[1].result()
                pending = following
            if pending:
                yield pending[0], pending[1].result()

    def _batch(self, epoch: int, group: Sequence[Example]) -> Batch | None:
        """Tensors; a clip that cannot be read is left out, and said to be."""
        clips, texts = [], []
        for each in group:
            try:
                heard = load_audio(self.source, each.utterance, epoch, each.copy)
                samples = enough(*heard)
            except AudioError as error:
                log.warning("%s is not learned from: %s", each.utterance.id, error)
                continue
            clips.append(features(samples, self.options.features, self.options.mels))
            texts.append(torch.tensor(each.tokens, device=device()))
        if not clips:
            return None
        speech, lengths = batch_of(clips)
        return Batch(speech.to(device()), lengths.to(device()), texts)
