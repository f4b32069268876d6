"""The keys of a plan as it is written in YAML, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ..audio.augmentation import Augmentation
from ..core import schema
from ..core.ranges import (
    MAX_COUNT,
    Count,
    Fraction,
    MinLen,
    NumberFromZero,
    PositiveNumber,
    Range,
    TrueOrFalse,
)
from ..core.types import Language, Seconds
from ..data.packing import PackOptions
from ..data.presets import Spec
from ..data.scanning import ScanOptions
from .run_folder import PruneOptions
from .stages.rescoring import RescoringOptions
from .stages.text_selection import TextSelection
from .stages.voices import VoiceTrialOptions

MIN_FULL_WINDOW_UTTERANCES = 200
"""Fewest utterances that represent a set in standard decoding. With fewer, the interval of the
error rate is too wide to compare it with anybody's."""
DEFAULT_GATES = ["no_regression", "retention", "significant", "sane_output"]
"""Gates of a plan that names none."""


@dataclass(frozen=True)
class NewAudioOptions:
    """Options that tell `twister retrain` when a round is worth its cost."""

    minutes: NumberFromZero = 10.0
    """Minutes of new audio that the pool must have: audio that no round has listed yet."""
    settled: Annotated[Seconds, Range(0)] = 30.0
    """Seconds that a file must be unchanged, since a newer one may still be written to."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@dataclass(frozen=True)
class FilterSpecs:
    """Filters and presets for pseudo-labels, for synthetic speech and for texts."""

    pseudo: list[Spec | str] | str = "default"
    synthetic: list[Spec | str] | str = "round_trip"
    texts: list[Spec | str] | str = "speakable"

    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@dataclass(frozen=True, kw_only=True)
class AugmentationSpec(Augmentation):
    """Effects as they are written: each may have a probability of its own."""

    effects: Annotated[list[Spec | str], MinLen(1)]  # type: ignore[assignment]
    probability: Fraction = 0.5
    """Probability of each effect that names none."""


@dataclass(frozen=True, kw_only=True)
class PlanDocument:
    """The YAML of a plan; `plan.Plan` documents each key."""

    pool: list[Spec | str] | Spec | str
    asr: Spec | str
    development: dict[str, Spec | str]
    rounds: Annotated[int, Range(1, 100000)] = 1
    seed: Annotated[int, Range(0, 2**63 - 1)] = 13
    language: Language | None = None
    texts: list[Spec | str] | Spec | str = field(default_factory=list)
    human: list[Spec | str] | Spec | str = field(default_factory=list)
    replay: list[Spec | str] | Spec | str = field(default_factory=list)
    pool_references: Spec | str | None = None
    test: dict[str, Spec | str] = field(default_factory=dict)
    retention: dict[str, Spec | str] = field(default_factory=dict)
    terms: list[str] | str = field(default_factory=list)
    minimum_utterances: Count = 20
    highest_untouched_error: PositiveNumber = 0.9
    labeler: Spec | str | None = None
    teacher: Spec | str | None = None
    references: dict[str, Spec | str] = field(default_factory=dict)
    start: Literal["champion", "untouched"] = "untouched"
    trainings: Annotated[int, Range(1, 16)] | None = None
    interpolate: Annotated[float, Range(above=0, high=1)] | None = None
    text_selection: TextSelection = field(default_factory=TextSelection)
    rescore: RescoringOptions | TrueOrFalse | None = None
    voices: dict[str, Spec | str] | None = None
    scan: ScanOptions = field(default_factory=ScanOptions)
    filters: FilterSpecs = field(default_factory=FilterSpecs)
    trial: VoiceTrialOptions = field(default_factory=VoiceTrialOptions)
    mix: Spec | str = field(default_factory=dict)
    pack: PackOptions | None = None
    augment: AugmentationSpec | None = None
    normalizer: Spec | str = "basic"
    full_window: TrueOrFalse | Annotated[int, Range(MIN_FULL_WINDOW_UTTERANCES, MAX_COUNT)] = 200
    gates: list[Spec | str] | None = None
    approval: bool = False
    new_audio: NewAudioOptions = field(default_factory=NewAudioOptions)
    keep: PruneOptions = field(default_factory=PruneOptions)
    cluster: Spec | str | None = None

    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS
