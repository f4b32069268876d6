"""Options of Whisper in a plan, and the checks of their values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Annotated, Literal

from ...core import schema
from ...core.artifacts import not_in_cache_key, used_by
from ...core.ranges import Count, Fraction, PositiveNumber, Range, Span
from ...core.registry import folder_or_name
from ...core.types import Origin, Seconds
from .._precision import Precision

Decoding = Literal["clip", "sequential"]
LongForm = Literal["sequential", "segments"]

LEAST_UPDATES = 60
"""Updates that the default of `epochs` reaches where four epochs can: as many as every arm of the
comparisons in BENCHMARKS.md has. That more are better was not shown."""
MOST_EPOCHS = 4
"""Most epochs that the default takes; more would rather learn a few clips by heart."""


@dataclass(frozen=True)
class EarlyStoppingOptions:
    """Options of early stopping on a development set."""

    set: str
    """Name of the development set."""
    patience: Annotated[int, Range(1, 10000)] = 3
    """Evaluations without improvement after which training ends, 1 or more."""
    every: Count | None = None
    """Steps from one evaluation to the next, 1 or more; null evaluates after each epoch."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@dataclass(frozen=True)
class DecodingOptions:
    """Options of decoding that every engine for Whisper's weights has."""

    model: str = folder_or_name("openai/whisper-base")
    """Folder, relative to the plan, or name on the Hugging Face hub. openai/whisper-base is also
    found in packages."""
    margin: Annotated[Seconds, Range(0, 30)] = 5.0
    """Least seconds of silence after each clip of a held-out set; 30 is the standard full window.
    Clip and margin are rounded up to a multiple of 2.5 s, at most 30 s. A model that was not
    trained with less gets at least 5. For pseudo-labels the smallest margin is used that does not
    change the transcripts."""
    decoding: Decoding = "clip"
    """Algorithm of decoding. `clip` decodes each clip in its own context, without timestamps.
    `sequential` decodes everything as other tools do: 30 s windows one after the other, with
    timestamps, which become `segments`."""
    long_form: LongForm = "sequential"
    """Algorithm for recordings over 30 s where `decoding` is `clip`. `sequential` is that of
    OpenAI's Whisper, in which a window begins where the last timestamp of the one before lies.
    `segments` cuts at pauses, and decodes each segment as a clip."""
    condition_on_previous_text: bool = True
    """Whether a window of `sequential` is decoded after the text of the one before."""
    beam: Annotated[int, Range(1, 100)] = 1
    """Number of hypotheses in beam search; 1 is greedy decoding."""
    nbest: Annotated[int, Range(1, 100)] | None = None
    """Number of hypotheses to store as `alternatives`, the best first; at most `beam`."""
    prompt: str = ""
    """Text that every recording is decoded after, as if it had been said before: names and terms
    that will be said. The end of a text that is too long is used, half of the decoder's context."""

    def __post_init__(self) -> None:
        if self.nbest is not None and self.nbest > self.beam:
            raise ValueError(f"nbest must be at most the size of the beam, {self.beam}")


@dataclass(frozen=True)
class WhisperOptions(DecodingOptions):
    """Options of decoding, and of fine-tuning, which begin at `epochs`."""

    precision: Precision = "auto"
    """Precision of computing: auto, float32 or bfloat16. auto is bfloat16 where the GPU or the
    processor supports it, else float32."""
    temperature: Annotated[float, Range(0, 10)] = 0.0
    """Temperature of sampling; 0 takes the most probable token."""
    # Chosen for the memory of a machine; another machine may read the same results.
    decode_batch: Annotated[int, Range(1, 10000)] = not_in_cache_key(8)
    """Maximum clips per batch in decoding; it does not change the transcripts."""
    epochs: Annotated[int, Range(1, 100000)] | None = used_by("fine_tune", None)
    """Passes over the training set. The default is one, or as many as make 60 updates of a small
    set, at most 4; with `stop` it is 4, which may end earlier."""
    max_steps: Count | None = used_by("fine_tune", None)
    """Maximum number of updates. The learning rate falls to its end in that time."""
    batch: Annotated[int, Range(1, 10000)] = used_by("fine_tune", 8)
    """Clips per batch in training."""
    accumulate: Annotated[int, Range(1, 100000)] = used_by("fine_tune", 1)
    """Batches per update, whose gradients are accumulated."""
    processes: Annotated[int, Range(1, 1024)] = not_in_cache_key(1)
    """Training processes, one per GPU of this machine. They share the batches of an update, so
    `accumulate` must be a multiple."""
    learning_rate: Annotated[float, Range(above=0, high=1)] | None = used_by("fine_tune", None)
    """Peak learning rate. The default depends on the size of the model, a fiftieth of the rate that
    it was pretrained with: tiny 3e-5, base 2e-5, small 1e-5, medium 5e-6, large 4e-6; with `lora`
    1e-3."""
    warmup: Fraction = used_by("fine_tune", 0.1)
    """Share of all updates in which the learning rate rises, 0 to 1."""
    weight_decay: Fraction = used_by("fine_tune", 0.01)
    """Weight decay of AdamW."""
    clip: PositiveNumber = used_by("fine_tune", 1.0)
    """Maximum norm of the gradient; a larger one is scaled down."""
    average: Annotated[int, Range(0, 1000)] = used_by("fine_tune", 0)
    """Number of last epochs whose weights are averaged; 0 uses the last weights."""
    keep_epochs: bool = used_by("fine_tune", False)
    """Whether to keep the weights after each epoch, in `epoch-01`, ... in the same folder."""
    stop: EarlyStoppingOptions | None = used_by("fine_tune", None)
    """Early stopping: {set, patience: 3, every: steps}. The model is evaluated on a development set
    after every epoch, and the best weights are kept. The set is hidden from the gates, since the
    weights were selected on it, unless it is the only development set."""
    freeze_encoder: bool = used_by("fine_tune", False)
    """Whether to train only the decoder."""
    lora: Annotated[int, Range(0, 4096)] = used_by("fine_tune", 0)
    """Rank of LoRA adapters to queries and values, which are trained instead of the weights and
    merged at the end, for models that do not fit into memory otherwise. They need a learning rate
    ten times or more that of the whole model. 0 trains the whole model."""
    checkpointing: bool = used_by("fine_tune", False)
    """Whether to compute activations twice instead of storing them: an update takes about a third
    longer, and much less memory."""
    margins: Annotated[tuple[Seconds, Seconds], Span(0, 30)] = used_by("fine_tune", (1.0, 6.0))
    """Range in seconds from which the margin of each batch is drawn in training. The trained model
    can be decoded with the smallest."""
    full_windows: Fraction = used_by("fine_tune", 0.1)
    """Share of batches that are trained in the full 30 s window, 0 to 1. Without them the model
    slowly forgets it."""
    timestamps: Fraction = used_by("fine_tune", 0.5)
    """Share of labels with timestamps of each sentence, 0 to 1, drawn anew in every epoch, so that
    the model keeps them. The default cost no accuracy without timestamps (BENCHMARKS.md)."""
    previous_text: Fraction = used_by("fine_tune", 0.0)
    """Share of labels after the previous text, 0 to 1: what was said before in the same recording,
    where its cuts follow each other. It takes at most half of the decoder's context."""
    spec_augment: bool = used_by("fine_tune", False)
    """Whether to mask frequencies and times of the features at random (adaptive SpecAugment,
    arXiv 1912.05533)."""
    # `used_by` has no default factory, which a mapping needs.
    loss_weights: Mapping[Origin, PositiveNumber] = field(
        default_factory=dict, metadata={"used_by": "fine_tune"}
    )
    """Weight of each token in the loss by the origin of its speech: human, pseudo, synthetic.
    The default is 1."""
    # Resuming gives the same weights, so how often it is prepared changes nothing.
    save_every: Count = not_in_cache_key(100)
    """Updates between the states that a killed training resumes from."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Sampling from a beam is not implemented: both are ways to get other texts.
        if self.temperature and self.beam > 1:
            raise ValueError("temperature above 0 needs `beam: 1`")
        self._check_training()

    def count_epochs(self, updates_per_epoch: float) -> int:
        """Return the number of passes over a training set.

        Args:
            updates_per_epoch: Updates that one pass takes.

        >>> [WhisperOptions().count_epochs(updates) for updates in (5, 25, 160)]
        [4, 3, 1]
        """
        if self.epochs is not None:
            return self.epochs
        if self.stop:  # one evaluation would have nothing to choose from
            return MOST_EPOCHS
        return min(MOST_EPOCHS, math.ceil(LEAST_UPDATES / max(1, updates_per_epoch)))

    def _check_training(self) -> None:
        if self.average and self.epochs is None:
            raise ValueError(
                f"average takes the weights of the last {self.average} epochs; say how many there "
                "are in all (`epochs`)"
            )
        if self.epochs is not None and self.average > self.epochs:
            raise ValueError(
                f"average takes the weights of the last {self.average} epochs, and there are only "
                f"{self.epochs} (`epochs`)"
            )
        if self.stop and self.average:
            raise ValueError(
                "stop keeps the best weights and average takes the mean of several epochs; "
                "choose one of them"
            )
        # Each process takes equally many batches of a full update, or some would wait for others.
        if self.accumulate % self.processes:
            raise ValueError(f"accumulate must be a multiple of processes, {self.processes}")
        # The package is looked for here: training begins hours into a round.
        if self.lora and find_spec("peft") is None:
            raise ValueError("lora needs `pip install 'twister-loop[lora]'`")
        if self.lora and self.keep_epochs:
            raise ValueError(
                "keep_epochs cannot be used with lora, whose adapters are merged at the end"
            )
