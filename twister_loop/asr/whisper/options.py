"""What a plan can say of Whisper: the options, and what of them cannot be meant together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from ...core import schema
from ...core.artifacts import not_in_cache_key, used_by
from ...core.types import Origin, Seconds, Share
from .._precision import Precision
from . import weights


@dataclass(frozen=True)
class EarlyStoppingOptions:
    """When a training ends early."""

    set: str
    """The development set by its name."""
    patience: int = 3
    """Looks at it without a gain, after which training ends."""
    every: int | None = None
    """Steps from one look to the next; an epoch if that is null."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        if self.patience < 1 or (self.every is not None and self.every < 1):
            raise ValueError("patience, every: 1 at least")


@dataclass(frozen=True)
class WhisperOptions:
    model: str = "openai/whisper-base"
    """A folder, or a name on the hub; openai/whisper-base is found in packages too."""
    margin: Seconds = 5.0
    """Silence that the encoder hears after a clip of a held-out set; 30 is the usual full window. A
    model that was not trained for less gets 5 s at least. For labels the smallest is found that
    does not change what is heard."""
    precision: Precision = "auto"
    """What it computes in; auto is bfloat16 where the processor computes with it."""
    beam: int = 1
    """Texts that a decode goes on with, of which the best wins; 1 takes the likeliest token."""
    nbest: int | None = None
    """Of the beam's texts so many are noted in every line, as `alternatives`, the best first."""
    temperature: float = 0.0
    """At which tokens are drawn; 0 takes the likeliest."""
    decode_batch: int = not_in_cache_key(8)
    """Clips that are heard at once."""
    epochs: int = used_by("fine_tune", 2)
    max_steps: int | None = used_by("fine_tune", None)
    """Ends the training early; the learning rate falls to its end all the same."""
    batch: int = used_by("fine_tune", 8)
    """Clips that are learned from at once."""
    accumulate: int = used_by("fine_tune", 1)
    """Batches that make one step together."""
    processes: int = not_in_cache_key(1)
    """Processes that train together, one a GPU of this machine. They share the batches of a step,
    so `accumulate` is a multiple of them."""
    learning_rate: float | None = used_by("fine_tune", None)
    """At its peak. Left out it goes by the size of the model, a fortieth of what that was trained
    with: tiny 3.75e-5, base 2.5e-5, small 1.25e-5, medium 6.25e-6, large 5e-6; with `lora` 1e-3."""
    warmup: Share = used_by("fine_tune", 0.1)
    """Part of all steps in which the learning rate rises."""
    weight_decay: float = used_by("fine_tune", 0.01)
    clip: float = used_by("fine_tune", 1.0)
    """Norm to which a larger gradient is cut."""
    average: int = used_by("fine_tune", 0)
    """Last epochs whose weights are averaged, instead of taking the last ones; 0 is none."""
    keep_epochs: bool = used_by("fine_tune", False)
    """Whether the weights after each epoch are also left, in `epoch-01`, ... in the same folder."""
    stop: EarlyStoppingOptions | None = used_by("fine_tune", None)
    """A development set on which what was learned is tried after every epoch: {set, patience: 3,
    every: steps}. The best weights are kept, and training ends when they get no better. What chose
    the weights is no judge of them: gates are not shown that set, unless it is the only one."""
    interpolate: Share = used_by("fine_tune", 1.0)
    """How far the weights go from those at the start to the trained ones. Half way keeps most of
    what was won, and loses less of what was known (WiSE-FT, arXiv 2109.01903)."""
    freeze_encoder: bool = used_by("fine_tune", False)
    """Whether only the decoder learns."""
    lora: int = used_by("fine_tune", 0)
    """Rank of adapters to queries and values that learn in place of the weights, to which they are
    added at the end (LoRA): for models that do not fit otherwise. They want a larger
    `learning_rate`, ten times and more that of the whole model. 0 is none."""
    checkpointing: bool = used_by("fine_tune", False)
    """Whether going back computes activations again instead of keeping them: a step takes about a
    third longer, and much less memory."""
    margins: tuple[Seconds, Seconds] = used_by("fine_tune", (1.0, 6.0))
    """Margins are drawn from this range in training; the least of them is then allowed."""
    full_windows: Share = used_by("fine_tune", 0.1)
    """Part of the batches that are heard in the usual 30 s window, or it is slowly forgotten."""
    timestamps: Share = used_by("fine_tune", 0.0)
    """Part of the labels that tell when each sentence is said, drawn anew in every epoch."""
    previous_text: Share = used_by("fine_tune", 0.0)
    """Part of the labels that come after what the same speaker said before, where packing knows
    it; at most half of what the decoder holds."""
    spec_augment: bool = used_by("fine_tune", False)
    """Whether bands and stretches of what is heard are masked anew each time (adaptive
    SpecAugment, arXiv 1912.05533)."""
    loss_weights: Mapping[Origin, float] = field(
        default_factory=dict, metadata={"used_by": "fine_tune"}
    )
    """How much a token counts by where its speech is from: human, pseudo, synthetic; 1 unless
    said."""
    save_every: int = not_in_cache_key(100)
    """Steps between the states kept to go on from after a kill."""

    def __post_init__(self) -> None:
        counts = "beam decode_batch epochs batch accumulate save_every processes".split()
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be 1 at least, not {getattr(self, name)}")
        if self.learning_rate is not None and self.learning_rate <= 0:
            raise ValueError("learning_rate: above 0, or left out to go by the model's size")
        if self.stop and self.average:
            raise ValueError("stop: keeps the best weights, `average` means several; choose one")
        if self.accumulate % self.processes:
            raise ValueError(f"accumulate: a multiple of processes: {self.processes}")
        if self.lora < 0 or (self.lora and find_spec("peft") is None):
            raise ValueError("lora: a rank, and `pip install 'twister-loop[lora]'`; 0 is none")
        if self.lora and self.keep_epochs:
            raise ValueError("keep_epochs: not with `lora`, whose adapters are added at the end")
        if self.average < 0 or any(each <= 0 for each in self.loss_weights.values()):
            raise ValueError("average: 0 or more; loss_weights: above 0 (`mix` leaves things out)")
        if not (0 <= self.timestamps <= 1 and 0 <= self.previous_text <= 1):
            raise ValueError("timestamps, previous_text: parts of a whole, from 0 to 1")
        if self.margin < 0 or not 0 <= self.margins[0] <= self.margins[1]:
            raise ValueError("margin, margins: seconds, the smaller one first")
        if self.temperature < 0 or (self.temperature and self.beam > 1):
            raise ValueError("temperature: not below 0, and with a beam of 1")
        if self.nbest is not None and not 1 <= self.nbest <= self.beam:
            raise ValueError(f"nbest: from 1 to what the beam holds, {self.beam}")
        weights.check_folder(self.model)
