"""Options of a recognizer that is trained from scratch, and the interface of its network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ...core.artifacts import not_in_cache_key, used_by, write_json
from ...core.ranges import Count, Fraction, PositiveNumber, Range
from ...core.types import Seconds
from ...text.normalizers.basic import Basic
from .._base import Recognizer
from . import ctc
from .feature_kinds import FeatureKind
from .tokenizer import Tokenizer, Unit

if TYPE_CHECKING:
    import torch

# Here are options, which every command reads; importing PyTorch takes seconds, so the methods that
# compute import it, and the networks.

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class ScratchArchitecture(Recognizer):
    """Options, network, loss and decoding: all that training and transcription need to know.

    A subclass must define the network; its loss and its decoder are those of CTC unless it has
    others.
    """

    requires: ClassVar[tuple[str, ...]] = ("torch", "torchaudio", "safetensors", "transformers")
    network_options: ClassVar[tuple[str, ...]] = ()
    """Names of the options that the weights depend on, besides those of the features and units. A
    trained checkpoint's own values are used, whatever the plan says."""
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    """Seed of the random weights before the first training."""
    features: FeatureKind = "filter_bank"
    mels: Annotated[int, Range(4, 256)] = 80
    """Mel bands of the features, 4 or more; not used by `log_spectrogram`."""
    unit: Unit = "character"
    """Unit of the vocabulary; `grapheme` decomposes Korean syllables into jamo."""
    subwords: Annotated[int, Range(2, 1000000)] = 5000
    """Size of the vocabulary for `unit: subword`; KoSpeech's number for Korean."""
    plain: bool = True
    """Learn to write lower case without punctuation."""
    decode: Literal["greedy", "beam"] = "greedy"
    beam: Annotated[int, Range(1, 1000)] = 10
    """Hypotheses that beam search keeps after each frame."""
    decode_batch: Annotated[int, Range(1, 10000)] = not_in_cache_key(8)
    """Clips that are decoded at once."""
    epochs: Annotated[int, Range(1, 100000)] = used_by("fine_tune", 20)
    max_steps: Count | None = used_by("fine_tune", None)
    """Largest number of training steps; the learning rate falls to its end within them."""
    batch: Annotated[int, Range(1, 10000)] = used_by("fine_tune", 16)
    """Clips in a training step."""
    learning_rate: Annotated[float, Range(above=0, high=1)] = used_by("fine_tune", 1e-3)
    """Learning rate at its peak."""
    warmup: Fraction = used_by("fine_tune", 0.1)
    """Share of all steps in which the learning rate rises, from 0 to 1."""
    weight_decay: Fraction = used_by("fine_tune", 1e-4)
    clip: PositiveNumber = used_by("fine_tune", 5.0)
    """Largest norm of the gradient; a longer one is scaled down to it."""
    average: Annotated[int, Range(1, 1000)] = used_by("fine_tune", 1)
    """Number of last epochs whose weights are averaged; 1 keeps the last weights."""
    keep_epochs: bool = used_by("fine_tune", False)
    """Also write the weights after each epoch, to `epoch-01`, ... in the same folder."""
    longest: Annotated[Seconds, Range(above=0, high=3600)] = used_by("fine_tune", 30.0)
    """Longer clips are left out of training; seconds."""
    save_every: Count = not_in_cache_key(100)
    """Training steps between two resume states; one is also saved after each epoch."""

    def __post_init__(self) -> None:
        if self.average > self.epochs:
            raise ValueError(
                f"average takes the weights of the last {self.average} epochs, and there are only "
                f"{self.epochs} (`epochs`)"
            )

    def _check_heads(self, width: int, heads: int, name: str) -> None:
        """Check that attention can be cut into its heads.

        Args:
            width: of the hidden states.
            heads: of the attention.
            name: of the option that gives the width, for the message.

        Raises:
            ValueError: The heads would have different widths.
        """
        if width % heads:
            raise ValueError(f"heads must divide {name}, which is {width}, and {heads} does not")

    @abstractmethod
    def build_network(self, vocabulary_size: int) -> torch.nn.Module:
        """Return the network, its weights drawn from torch's random state.

        Args:
            vocabulary_size: number of tokens, CTC's blank included.
        """

    def compute_loss(
        self,
        network: torch.nn.Module,
        features: torch.Tensor,
        lengths: torch.Tensor,
        texts: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        """Return the loss summed over a batch, in nats; here that of CTC alone.

        Args:
            network: the one that `build_network` has returned.
            features: (batch, frames, feature size).
            lengths: frames of every clip, (batch,).
            texts: tokens of every clip, each (tokens,).
        """
        from .ctc_network import ctc_loss

        logprobs, frames = network(features, lengths)
        return ctc_loss(logprobs, frames, texts)

    def transcribe_batch(
        self, network: torch.nn.Module, features: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Hypothesis]:
        """Return the most likely text of each clip of a batch, shaped as in `compute_loss`."""
        from .ctc_network import unpad_logprobs

        logprobs, frames = network(features, lengths)
        return [self.decode_logprobs(clip)[0] for clip in unpad_logprobs(logprobs, frames)]

    def decode_logprobs(self, logprobs: ctc.Logprobs) -> list[ctc.Hypothesis]:
        """Return hypotheses for one clip, the most likely first; greedy decoding has one."""
        if self.decode == "greedy":
            return [ctc.decode_greedy(logprobs)]
        return ctc.decode_beam(logprobs, self.beam)

    def normalize_text(self, text: str, lang: str | None) -> str:
        """Return a text as the model learns to write it."""
        # Digits stay: spelling them out may give other words than were spoken.
        return Basic(numbers=False).normalize(text, lang) if self.plain else " ".join(text.split())

    def save(self, network: torch.nn.Module, tokenizer: Tokenizer, folder: Path) -> None:
        """Write weights, vocabulary and configuration to a folder, for `loaded_model.load`."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(folder)
        # safetensors refuses tensors that are not contiguous.
        weights = {
            name: weight.detach().cpu().contiguous()
            for name, weight in network.state_dict().items()
        }
        save_file(weights, folder / WEIGHTS)
        # These keys are the format of trained checkpoints: renaming one makes them unreadable.
        config = {
            "engine": self.name,
            "shape": self.architecture(),
            "tokens": tokenizer.digest,
        }
        write_json(config, folder / CONFIG)

    def architecture(self) -> dict[str, object]:
        """Return the options that the weights depend on, by name."""
        names = ("features", "mels", "unit", "plain", *self.network_options)
        return {name: getattr(self, name) for name in names}
