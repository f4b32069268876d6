"""What a recognizer that begins from nothing is made of: its options, its network, its loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from safetensors.torch import save_file

from ...core.artifacts import not_in_cache_key, used_by, write_json
from ...core.types import Seconds, Share
from ...text.normalizers.basic import Basic
from .._base import Recognizer
from . import ctc
from .features import Kind
from .tokenizer import BLANK, Tokens, Unit

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class ScratchArchitecture(Recognizer):
    """Options and network; what hears and trains knows this and no more."""

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
    decode_batch: int = not_in_cache_key(8)
    """Clips that are heard at once."""
    epochs: int = used_by("fine_tune", 20)
    max_steps: int | None = used_by("fine_tune", None)
    """Ends the training early; the learning rate falls to its end all the same."""
    batch: int = used_by("fine_tune", 16)
    """Clips that are learned from at once."""
    learning_rate: float = used_by("fine_tune", 1e-3)
    """At its peak."""
    warmup: Share = used_by("fine_tune", 0.1)
    """Part of all steps in which the learning rate rises."""
    weight_decay: float = used_by("fine_tune", 1e-4)
    clip: float = used_by("fine_tune", 5.0)
    """Norm to which a larger gradient is cut."""
    average: int = used_by("fine_tune", 1)
    """Last epochs whose weights are averaged."""
    keep_epochs: bool = used_by("fine_tune", False)
    """Whether the weights after each epoch are also left, in `epoch-01`, ... in the same folder."""
    longest: Seconds = used_by("fine_tune", 30.0)
    """What is longer is not learned from."""
    save_every: int = not_in_cache_key(100)
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

    def plainly(self, text: str, lang: str | None) -> str:
        """A text as it is learned."""
        return Basic(numbers=False).normalize(text, lang) if self.plain else " ".join(text.split())

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


def trimmed(logprobs: torch.Tensor, frames: torch.Tensor) -> list[ctc.Logprobs]:
    return [
        np.asarray(each[: int(count)].float().cpu())
        for each, count in zip(logprobs, frames, strict=True)
    ]
