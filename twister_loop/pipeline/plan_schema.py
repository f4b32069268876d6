"""A plan as it is written: its keys, and what they are if nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..audio.augmentation import Augmentation
from ..core import schema
from ..core.types import Language, Share
from ..data.packing import PackOptions
from ..data.presets import Spec
from ..data.scanning import ScanOptions
from .run_folder import NewAudioOptions, PruneOptions
from .stages.label_correction import Repair
from .stages.labeling import VoiceTrialOptions
from .stages.text_selection import TextSelection

GATES = ["no_regression", "retention", "significant", "sane_output"]


@dataclass(frozen=True)
class Filters:
    pseudo: list[Spec | str] | str = "default"
    synthetic: list[Spec | str] | str = "round_trip"
    texts: list[Spec | str] | str = "speakable"

    __pydantic_config__ = schema.STRICT


@dataclass(frozen=True, kw_only=True)
class Augment(Augmentation):
    effects: list[Spec | str]  # type: ignore[assignment]
    probability: Share = 0.5


@dataclass(frozen=True, kw_only=True)
class Document:
    """The YAML as written."""

    pool: list[Spec | str] | Spec | str
    asr: Spec | str
    development: dict[str, Spec | str]
    rounds: int = 1
    seed: int = 13
    language: Language | None = None
    texts: list[Spec | str] | Spec | str = field(default_factory=list)
    human: list[Spec | str] | Spec | str = field(default_factory=list)
    replay: list[Spec | str] | Spec | str = field(default_factory=list)
    pool_references: Spec | str | None = None
    test: dict[str, Spec | str] = field(default_factory=dict)
    retention: dict[str, Spec | str] = field(default_factory=dict)
    minimum_utterances: int = 20
    labeler: Spec | str | None = None
    references: dict[str, Spec | str] = field(default_factory=dict)
    start: Literal["champion", "untouched"] = "champion"
    text_selection: TextSelection = field(default_factory=TextSelection)
    repair: Repair | None = None
    voices: dict[str, Spec | str] = field(default_factory=dict)
    scan: ScanOptions = field(default_factory=ScanOptions)
    filters: Filters = field(default_factory=Filters)
    trial: VoiceTrialOptions = field(default_factory=VoiceTrialOptions)
    mix: Spec | str = field(default_factory=dict)
    pack: PackOptions | None = None
    augment: Augment | None = None
    normalizer: Spec | str = "basic"
    full_window: bool | int = 100
    gates: list[Spec | str] = field(default_factory=lambda: list(GATES))
    approval: bool = False
    new_audio: NewAudioOptions = field(default_factory=NewAudioOptions)
    keep: PruneOptions = field(default_factory=PruneOptions)
    cluster: Spec | str | None = None

    __pydantic_config__ = schema.STRICT
