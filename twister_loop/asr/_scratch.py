"""What recognizers that begin from nothing share: they hear, align and learn by CTC."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .. import schema
from ..artifact import only_for, read_json, unsigned, write_json
from ..errors import AudioError, EngineError
from ..manifest import Manifest, windows
from ..normalizers.basic import Basic
from ..parts import Recognizer
from ..records import Checkpoint, Seconds, Share, Utterance, Word
from . import _scratch_ctc as ctc
from ._scratch_features import FRAMES_A_SECOND, Kind, batch_of, features, hearable
from ._scratch_tokens import BLANK, Tokens, Unit

UNTRAINED = "untrained: there are no weights yet, so it hears nothing"
Answer = Callable[[Sequence[Utterance], torch.Tensor, torch.Tensor], list[Utterance]]
"""Of a batch: its utterances, features (batch, frames, size) and lengths (batch,)."""
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class ScratchRecognizer(Recognizer):
    """A recognizer whose weights are drawn from `seed` when its first training begins.

    Before that it hears nothing, and says so with empty texts; what writes them is learned from
    the first lesson, and kept with the weights. A later lesson cannot add letters.
    """

    shape: ClassVar[tuple[str, ...]] = ()
    """Options that the weights depend on; a checkpoint's own count, whatever the plan says."""
    seed: int = 0
    """Of the weights at the start."""
    features: Kind = "filter_bank"
    mels: int = 80
    """Bands of the features that have any."""
    unit: Unit = "character"
    """What it writes with; `grapheme` takes Korean syllables apart into jamo."""
    subwords: int = 5000
    """Sentence pieces, where those are the unit; KoSpeech's number for Korean."""
    plain: bool = True
    """Whether it learns to write small letters without punctuation."""
    decode: Literal["greedy", "beam"] = "greedy"
    beam: int = 10
    """Texts that a beam goes on with."""
    decode_batch: int = unsigned(8)
    """Clips that are heard at once."""
    epochs: int = only_for("train", 20)
    max_steps: int | None = only_for("train", None)
    """Ends the training early; the learning rate falls to its end all the same."""
    batch: int = only_for("train", 16)
    """Clips that are learned from at once."""
    learning_rate: float = only_for("train", 1e-3)
    """At its peak."""
    warmup: Share = only_for("train", 0.1)
    """Part of all steps in which the learning rate rises."""
    weight_decay: float = only_for("train", 1e-4)
    clip: float = only_for("train", 5.0)
    """Norm to which a larger gradient is cut."""
    average: int = only_for("train", 1)
    """Last epochs whose weights are averaged."""
    keep_epochs: bool = only_for("train", False)
    """Whether the weights after each epoch are also left, in `epoch-01`, ... in the same folder."""
    longest: Seconds = only_for("train", 30.0)
    """What is longer is not learned from."""
    save_every: int = unsigned(100)
    """Steps between the states kept to go on from after a kill."""

    def __post_init__(self) -> None:
        counts = ("mels", "beam", "decode_batch", "epochs", "batch", "average", "save_every")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be 1 at least, not {getattr(self, name)}")

    @abstractmethod
    def network(self, tokens: int) -> torch.nn.Module:
        """The model for a vocabulary, its weights drawn from torch's random state."""

    def losses(
        self,
        model: torch.nn.Module,
        speech: torch.Tensor,
        lengths: torch.Tensor,
        texts: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        """Sum over a batch of what is to become small: here CTC alone, in nats."""
        logprobs, frames = model(speech, lengths)
        return ctc_loss(logprobs, frames, texts)

    def readings(
        self, model: torch.nn.Module, speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Reading]:
        """The likeliest text of each clip of a batch."""
        logprobs, frames = model(speech, lengths)
        return [self.search(each)[0] for each in trimmed(logprobs, frames)]

    def search(self, logprobs: ctc.Logprobs) -> list[ctc.Reading]:
        """Texts, the likeliest first."""
        if self.decode == "greedy":
            return [ctc.greedy(logprobs)]
        return ctc.beam(logprobs, self.beam)

    def base(self) -> Checkpoint:
        shape = {name: getattr(self, name) for name in self._architecture()}
        drawn = f"untrained, weights drawn from seed {self.seed}"
        known = json.dumps([self.seed, shape])
        digest = hashlib.sha256(known.encode()).hexdigest()[:16]
        return Checkpoint(self.name, source=drawn, digest=digest)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        ear = self.loaded(checkpoint)
        for window in windows(speech):
            if ear is None:
                yield from (each if each.error else replace(each, pred_text="") for each in window)
            else:
                yield from ear.work(window, ear.heard)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        ear = self.loaded(checkpoint)
        for window in windows(speech):
            if ear is None:
                yield from (replace(each, error=each.error or UNTRAINED) for each in window)
            else:
                yield from ear.work(window, ear.aligned)

    def train(
        self,
        start: Checkpoint,
        lesson: Manifest,
        out: Path,
        seed: int,
        watched: Manifest | None = None,
    ) -> Checkpoint:
        from ._scratch_train import train  # which knows this class

        return train(self, start, lesson, out, seed)

    def decoding(self) -> str:
        return "greedy CTC" if self.decode == "greedy" else f"CTC beam of {self.beam}"

    def searching(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        return None if temperature or nbest else replace(self, decode="beam", beam=beam)

    def with_updates(self, count: int, clips: float = 1.0) -> Self:
        batch = max(1, round(self.batch * clips))
        return replace(self, max_steps=count, epochs=count, batch=batch)

    def keeping_epochs(self) -> Self:
        return replace(self, keep_epochs=True)

    def disk(self, base: Checkpoint) -> int:
        with torch.device("meta"):
            count = sum(each.numel() for each in self.network(self.subwords + 1).parameters())
        # The weights, and two states for going on (each with AdamW's two moments and averages).
        kept = self.epochs if self.keep_epochs else 0
        return 4 * count * (1 + 2 * (3 + self.average) + kept)

    def plainly(self, text: str, lang: str | None) -> str:
        """A text as it is learned."""
        return Basic(numbers=False).normalize(text, lang) if self.plain else " ".join(text.split())

    def loaded(self, checkpoint: Checkpoint) -> Ear | None:
        """What a checkpoint hears with; None if it is untrained.

        Raises EngineError where the weights are another engine's, or do not fit.
        """
        if checkpoint.engine != self.name:
            raise EngineError(f"{self.name} cannot read weights of {checkpoint.engine}")
        if checkpoint.source:
            return None
        folder = checkpoint.location
        try:
            config: dict[str, Any] = read_json(folder / CONFIG)
            own = schema.read(type(self), {**_options(self), **config["shape"]})
            weights = load_file(folder / WEIGHTS)
            tokens = Tokens.load(folder, config["tokens"])
            model = own.network(len(tokens))
            model.load_state_dict(weights)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as cause:
            raise EngineError(f"{folder}: no {self.name} that can be loaded ({cause})") from cause
        return Ear(own, tokens, model.to(device()).eval())

    def keep(self, model: torch.nn.Module, tokens: Tokens, out: Path) -> None:
        """Write what `loaded` reads."""
        shape = {name: getattr(self, name) for name in self._architecture()}
        out.mkdir(parents=True, exist_ok=True)
        tokens.save(out)
        weights = {
            name: each.detach().cpu().contiguous() for name, each in model.state_dict().items()
        }
        save_file(weights, out / WEIGHTS)
        write_json({"engine": self.name, "shape": shape, "tokens": tokens.digest}, out / CONFIG)

    def _architecture(self) -> tuple[str, ...]:
        return ("features", "mels", "unit", "plain", *self.shape)


@dataclass(frozen=True)
class Ear:
    """Weights, and what they mean."""

    part: ScratchRecognizer
    tokens: Tokens
    model: torch.nn.Module

    @torch.inference_mode()
    def work(self, window: Sequence[Utterance], answer: Answer) -> list[Utterance]:
        """One window, by length in batches; the answers in its own order."""
        answers = {place: each for place, each in enumerate(window) if each.error}
        clips: dict[int, torch.Tensor] = {}
        for place, each in enumerate(window):
            if place not in answers:
                try:
                    clips[place] = features(hearable(each), self.part.features, self.part.mels)
                except AudioError as error:
                    answers[place] = replace(each, error=str(error))
        order = sorted(clips, key=lambda place: (-len(clips[place]), place))
        size = self.part.decode_batch
        for first in range(0, len(order), size):
            group = order[first : first + size]
            speech, lengths = (each.to(device()) for each in batch_of([clips[p] for p in group]))
            found = answer([window[place] for place in group], speech, lengths)
            answers |= dict(zip(group, found, strict=True))
        return [answers[place] for place in range(len(window))]

    def heard(
        self, group: Sequence[Utterance], speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[Utterance]:
        readings = self.part.readings(self.model, speech, lengths)
        return [self._answer(each, reading) for each, reading in zip(group, readings, strict=True)]

    def aligned(
        self, group: Sequence[Utterance], speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[Utterance]:
        logprobs, frames = self.model(speech, lengths)
        return [
            self._timed(each, said, int(length) / len(said) / FRAMES_A_SECOND)
            for each, said, length in zip(group, trimmed(logprobs, frames), lengths, strict=True)
        ]

    def _answer(self, utterance: Utterance, reading: ctc.Reading) -> Utterance:
        text = self.tokens.decode(reading.tokens)
        data = text.encode()
        said = max(len(reading.tokens), 1)
        return replace(
            utterance,
            pred_text=text,
            confidence=round(reading.logprob / said, 4),
            compression_ratio=round(len(data) / len(zlib.compress(data)), 4),
        )

    def _timed(self, utterance: Utterance, logprobs: ctc.Logprobs, frame: Seconds) -> Utterance:
        """The utterance with the words of its text, each `frame` as long as one of the model's."""
        words = self.tokens.words(self.part.plainly(utterance.text or "", utterance.lang))
        if not words:
            return replace(utterance, words=())
        if any(not tokens for _, tokens in words):
            return replace(utterance, error="a word of its text has no letter that is known")
        path = ctc.forced(logprobs, [token for _, tokens in words for token in tokens])
        if path is None:
            return replace(utterance, error="its text is longer than the audio can say")
        found, at = [], 0
        space = self.tokens.encode(" ")
        for word, tokens in words:
            own = path[at : at + len(tokens)]
            at += len(tokens)
            letters = own[1:] if space and tokens[:1] == space and len(own) > 1 else own
            found.append(
                Word(
                    word=word,
                    start=round(letters[0][0] * frame, 3),
                    end=round(letters[-1][1] * frame, 3),
                    logprob=round(sum(each[2] for each in own), 4),
                )
            )
        return replace(utterance, words=tuple(found))


def ctc_loss(
    logprobs: torch.Tensor, frames: torch.Tensor, texts: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Sum over the batch; a text that does not fit counts nothing."""
    counts = torch.tensor([len(text) for text in texts], device=logprobs.device)
    return torch.nn.functional.ctc_loss(
        logprobs.transpose(0, 1),
        torch.cat(list(texts)),
        frames,
        counts,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def room_for(tokens: Sequence[int]) -> int:
    """Frames that a text needs at least: between two equal tokens stands a blank."""
    return len(tokens) + sum(one == two for one, two in pairwise(tokens))


def trimmed(logprobs: torch.Tensor, frames: torch.Tensor) -> list[ctc.Logprobs]:
    return [
        np.asarray(each[: int(count)].float().cpu())
        for each, count in zip(logprobs, frames, strict=True)
    ]


def _options(part: ScratchRecognizer) -> dict[str, Any]:
    return {each.name: getattr(part, each.name) for each in dataclasses.fields(part)}
