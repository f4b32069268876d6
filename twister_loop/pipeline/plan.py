"""The plan of a run: everything that it is made from, checked by `plan_reader` and then trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..asr._base import Recognizer
from ..audio.augmentation import Augmentation
from ..core.artifacts import not_in_cache_key
from ..core.types import Language, SetKind
from ..data.corpora._base import Corpus
from ..data.filters._base import Filter
from ..data.mixture import MixOptions
from ..data.packing import PackOptions
from ..data.scanning import ScanOptions
from ..evaluation.gates._base import Gate
from ..text.normalizers._base import Normalizer
from ..tts._base import Synthesizer
from .default_voices import DefaultVoices
from .execution.shards import Cluster
from .plan_schema import NewAudioOptions
from .run_folder import PruneOptions
from .stages.labeling import LabelOptions
from .stages.rescoring import RescoringOptions
from .stages.text_selection import TextSelection
from .stages.voices import VoiceTrialOptions


@dataclass(frozen=True)
class VoicePlan:
    """A synthesizer of the plan, under the name that the plan gives it."""

    name: str
    synthesizer: Synthesizer
    samples_per_text: int = 1
    """How many times every text is synthesized."""
    filters: tuple[Filter, ...] = ()
    """Filters of the voice's training data, beyond those of the plan."""
    pool_channel: bool = True
    """True if its speech gets band, spectrum, level and noise of clips of the pool."""

    @property
    def gets_pool_channel(self) -> bool:
        """Return whether the channel of the pool is applied: a voice of its recordings has it."""
        return self.pool_channel and not self.synthesizer.sounds_like_the_pool


@dataclass(frozen=True)
class Labeler:
    """The decoder with which the champion transcribes the pool and synthetic speech."""

    recognizer: Recognizer
    """The plan's recognizer, or another engine that decodes with its weights."""
    options: LabelOptions = field(default_factory=LabelOptions)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run is made from, checked."""

    rounds: int = not_in_cache_key(1)
    """Number of rounds that `twister run` finishes."""
    seed: int
    """Decides every random draw of the run."""
    language: Language | None
    """Language of pool, texts and human speech; None lets the recognizer detect it."""
    pool: tuple[Corpus, ...]
    """Unlabeled audio."""
    texts: tuple[Corpus, ...]
    """The text corpus that voices synthesize."""
    human: tuple[Corpus, ...]
    """Transcribed speech that is trained on as it is."""
    replay: tuple[Corpus, ...]
    """Transcribed speech of other languages, trained on so that they are not forgotten."""
    pool_references: Corpus | None
    """Human transcripts of the pool or a part of it. Only comparisons read them."""
    sets: Mapping[str, tuple[SetKind, Corpus]]
    """Development, test and retention sets by name."""
    terms: tuple[str, ...] | None
    """Words and phrases whose recall every report tells, and that labels and texts prefer; None if
    the plan names none."""
    # These two limits, approval, pruning and clusters decide what is run, not what comes out of a
    # stage: they may change between rounds without making any result stale.
    minimum_utterances: int = not_in_cache_key(20)
    """A held-out set with fewer utterances is refused."""
    highest_untouched_error: float = not_in_cache_key(0.9)
    """A held-out set with a higher error rate of the untouched model is refused as broken: with
    references of other recordings it is above 1, in the wrong language 0.93 to 0.99, and 0.81 was
    measured on conversations that Whisper base understands badly (BENCHMARKS.md)."""
    asr: Recognizer
    """The recognizer that is fine-tuned, and that transcribes the held-out sets."""
    labeler: Labeler
    teacher: Recognizer | None = None
    """A pretrained model that labels the pool in the place of the champion; None for none. It is
    never trained, and the champion checks synthetic speech in either case."""
    references: Mapping[str, Recognizer]
    """Other untouched models that a candidate is compared with, by name."""
    start: Literal["champion", "untouched"]
    """The weights that fine-tuning starts from. From the untouched weights of the run, forgetting
    cannot add up over rounds; the champion labels in either case."""
    trainings: int
    """Number of trainings of a round, whose weights are averaged: the same start and training set,
    each with another seed. Their mean has less of the luck of each, and takes as many times as long
    to train."""
    interpolate: float
    """Share of the way from the untouched weights of the run (0) to the trained ones (1), in every
    round. 0.5 keeps most of the gain, and forgets less of what the model could do before (WiSE-FT,
    arXiv 2109.01903)."""
    voices: tuple[VoicePlan, ...]
    default_voices: DefaultVoices | None = not_in_cache_key(None)
    """How `voices` were chosen; None if the plan names them or has no texts."""
    scan: ScanOptions
    pseudo_filters: tuple[Filter, ...]
    synthetic_filters: tuple[Filter, ...]
    text_filters: tuple[Filter, ...]
    text_selection: TextSelection
    """How many texts are drawn from the corpus, and which are preferred."""
    rescore: RescoringOptions | None
    """N-best rescoring of pseudo-labels; None for none."""
    trial: VoiceTrialOptions
    mix: MixOptions
    pack: PackOptions | None
    augment: Augmentation | None
    normalizer: Normalizer
    full_window: bool | int
    """Number of utterances of each set that are also transcribed in standard decoding, 30 s windows
    with timestamps; True for all, False for none."""
    gates: tuple[Gate, ...]
    approval: bool = not_in_cache_key(False)
    """True if an accepted candidate awaits a person's approval before it becomes the champion."""
    new_audio: NewAudioOptions = not_in_cache_key(NewAudioOptions())
    keep: PruneOptions = not_in_cache_key(PruneOptions())
    cluster: Cluster | None = not_in_cache_key(None)
    """Where shards of labeling and synthesis run; None is this process."""
    source: str = not_in_cache_key("")
    """The YAML as it was written."""
    folder: Path = not_in_cache_key(Path())
    """Folder that relative paths of the plan start from."""
    path: Path = not_in_cache_key(Path("PLAN"))
    """The YAML file, for commands in messages."""
