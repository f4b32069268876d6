"""YAML -> Plan: everything is checked here, at the door, and trusted inside.

The only place that knows yaml. All that is wrong with a plan is said at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from ..asr._base import Recognizer
from ..audio.augmentation import Augmentation, RandomEffect
from ..audio.effects._base import Effect
from ..core import schema
from ..core.artifacts import not_in_cache_key, read_json
from ..core.errors import ConfigError
from ..core.registry import Part
from ..core.types import Language, SetKind
from ..data import presets
from ..data.corpora._base import Corpus
from ..data.filters._base import Filter
from ..data.mixture import MixOptions
from ..data.packing import PackOptions
from ..data.presets import Spec
from ..data.scanning import ScanOptions
from ..evaluation.gates._base import Gate
from ..evaluation.outcomes import find_invalid_sets
from ..text.normalizers._base import Normalizer
from ..text.spelling import lexicon_of
from ..tts._base import Synthesizer
from .execution.shards import Cluster
from .plan_schema import Augment, Document
from .run_folder import NewAudioOptions, PruneOptions
from .stages.rescoring import Repair
from .stages.labeling import LabelOptions
from .stages.voices import VoiceTrialOptions
from .stages.text_selection import TextSelection

P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class VoicePlan:
    """One synthesizer of a plan."""

    name: str
    synthesizer: Synthesizer
    samples_per_text: int = 1
    """How many times it speaks every text."""
    filters: tuple[Filter, ...] = ()
    """What it drops from the lesson, beyond what the plan does."""


@dataclass(frozen=True)
class Labeler:
    """Who hears the pool and synthetic speech, in its fastest way that hears the same."""

    recognizer: Recognizer
    """The one that learns, or another engine with its weights."""
    options: LabelOptions = field(default_factory=LabelOptions)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run, decided."""

    rounds: int = not_in_cache_key(1)
    seed: int
    language: Language | None
    pool: tuple[Corpus, ...]
    texts: tuple[Corpus, ...]
    human: tuple[Corpus, ...]
    replay: tuple[Corpus, ...]
    """Transcribed speech of other languages, trained on so that they are not forgotten."""
    pool_references: Corpus | None
    """What was really said in the pool, or in a part of it: for comparisons alone, and read by
    nothing else."""
    sets: Mapping[str, tuple[SetKind, Corpus]]
    """Development, test and retention sets by their names."""
    minimum_utterances: int = not_in_cache_key(20)
    """A held-out set with fewer is refused."""
    asr: Recognizer
    labeler: Labeler
    """Held-out sets are always heard by `asr` itself."""
    references: Mapping[str, Recognizer]
    """Other untouched models that a candidate is compared with."""
    start: Literal["champion", "untouched"]
    voices: tuple[VoicePlan, ...]
    scan: ScanOptions
    pseudo_filters: tuple[Filter, ...]
    synthetic_filters: tuple[Filter, ...]
    text_filters: tuple[Filter, ...]
    text_selection: TextSelection
    """Of the texts, which are spoken."""
    repair: Repair | None
    trial: VoiceTrialOptions
    mix: MixOptions
    pack: PackOptions | None
    augment: Augmentation | None
    normalizer: Normalizer
    full_window: bool | int
    """How many utterances of every set are also measured as everybody decodes, or all of them."""
    gates: tuple[Gate, ...]
    approval: bool = not_in_cache_key(False)
    """Whether an accepted candidate waits for a person's word before it becomes the champion."""
    new_audio: NewAudioOptions = not_in_cache_key(NewAudioOptions())
    keep: PruneOptions = not_in_cache_key(PruneOptions())
    cluster: Cluster | None = not_in_cache_key(None)
    """Who labels and speaks shard by shard; None is this process."""
    source: str = not_in_cache_key("")
    """The YAML as it was written."""
    folder: Path = not_in_cache_key(Path())
    """What its paths are relative to."""


def load(path: Path, changes: Mapping[str, Any] | None = None) -> Plan:
    """Read a plan; its paths are relative to the YAML, or to the one that a round copied it from.

    `changes` replace top-level keys, as `--set` does on the command line. Raises ConfigError.
    """
    try:
        source = path.read_text(encoding="utf-8")
        data = yaml.safe_load(source)
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path}: no plan that can be read ({cause})") from cause
    except yaml.YAMLError as cause:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(cause).split())})") from cause
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, not {type(data).__name__}")
    try:
        document = schema.parse_data(Document, {**data, **(changes or {})})
    except ValueError as cause:
        raise ConfigError(f"{path}: {cause}") from cause
    if changes:
        source = yaml.safe_dump({**data, **changes}, allow_unicode=True, sort_keys=False)
    return _Builder(path).plan(document, source)


def parse_value(text: str) -> Any:
    """A YAML value from the command line. Raises ConfigError."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as cause:
        raise ConfigError(f"{text!r}: not a YAML value") from cause


class _Builder:
    """Builds all parts of one document, collecting what is wrong on the way."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, _home(path)
        self.wrongs: list[str] = []

    def plan(self, document: Document, source: str) -> Plan:
        pool = self._corpora("pool", document.pool, "audiofolder")
        sets = self._sets(document)
        voices = [self._voice(name, spec) for name, spec in document.voices.items()]
        asr = self._part(Recognizer, "asr", document.asr)
        self._require(
            asr is None or asr.trainable,
            f"asr: {asr and asr.name} only hears; it can be "
            "the `labeler` beside an asr that learns",
        )
        labeler = self._labeler(document.labeler or {}, asr)
        references = {
            name: part
            for name, spec in document.references.items()
            if (part := self._part(Recognizer, f"references.{name}", spec))
        }
        texts = self._corpora("texts", document.texts, "textfile")
        human = self._corpora("human", document.human, "audiofolder")
        replay = self._corpora("replay", document.replay, "audiofolder")
        known = document.pool_references
        pool_references = self._corpus("pool_references", known, "audiofolder") if known else None
        pseudo = self._filters("filters.pseudo", document.filters.pseudo)
        synthetic = self._filters("filters.synthetic", document.filters.synthetic)
        text_filters = self._filters("filters.texts", document.filters.texts)
        for each in (each for each in text_filters if each.needs_context):
            self.wrongs.append(f"filters.texts: {each.name} listens, and a text has no sound yet")
        augment = self._augment(document.augment) if document.augment else None
        normalizer = self._part(Normalizer, "normalizer", document.normalizer)
        gates = self._parts(Gate, "gates", document.gates)
        cluster = self._part(Cluster, "cluster", document.cluster) if document.cluster else None
        self.wrongs += find_invalid_sets(gates, sets, asr.early_stopping_set if asr else None)
        alone = labeler is None or labeler.recognizer is asr
        other = "another engine as `labeler`, such as ctranslate2"
        self.wrongs += [
            f"gates: {e.name} needs {other}" for e in gates if e.needs_labeler_report and alone
        ]
        self._require(document.rounds >= 1, "rounds: at least 1")
        self._require(document.minimum_utterances >= 1, "minimum_utterances: at least 1")
        self._require(bool(document.development), "development: gates need at least one set")
        self._require(bool(document.texts) or not voices, "texts: a voice needs something to say")
        try:
            mix = presets.resolve_mixture(document.mix, bool(human), bool(voices))
        except ValueError as wrong:
            self.wrongs.append(f"mix: {wrong}")
        repair = self._repair(document, asr)
        if self.wrongs or asr is None or labeler is None or normalizer is None:
            raise ConfigError(f"{self.path}: " + "; ".join(self.wrongs))
        return Plan(
            rounds=document.rounds,
            seed=document.seed,
            language=document.language,
            pool=pool,
            texts=texts,
            human=human,
            replay=replay,
            pool_references=pool_references,
            sets=sets,
            minimum_utterances=document.minimum_utterances,
            asr=asr,
            labeler=labeler,
            references=references,
            start=document.start,
            voices=tuple(voice for voice in voices if voice),
            scan=document.scan,
            pseudo_filters=pseudo,
            synthetic_filters=synthetic,
            text_filters=text_filters,
            text_selection=document.text_selection,
            repair=repair,
            trial=document.trial,
            mix=mix,
            pack=document.pack,
            augment=augment,
            normalizer=normalizer,
            full_window=document.full_window,
            gates=gates,
            approval=document.approval,
            new_audio=document.new_audio,
            keep=document.keep,
            cluster=cluster,
            source=source,
            folder=self.folder,
        )

    def _sets(self, document: Document) -> dict[str, tuple[SetKind, Corpus]]:
        sets: dict[str, tuple[SetKind, Corpus]] = {}
        kinds: tuple[SetKind, ...] = ("development", "test", "retention")
        for kind in kinds:
            for name, spec in getattr(document, kind).items():
                self._require(name not in sets, f"{kind}.{name}: another set has this name")
                if corpus := self._corpus(f"{kind}.{name}", spec, "audiofolder"):
                    sets[name] = (kind, corpus)
        return sets

    def _repair(self, document: Document, asr: Recognizer | None) -> Repair | None:
        terms = document.repair
        if terms is None:
            return None
        self._require(bool(document.texts), "repair: needs `texts` to go by")
        if terms.nbest and asr and asr.with_beam(beam := terms.nbest.texts, nbest=beam) is None:
            self.wrongs.append(f"repair.nbest: {asr.name} tells no alternatives")
        if terms.lexicon is None:
            return terms
        terms = replace(terms, lexicon=self.folder / terms.lexicon)
        try:
            lexicon_of(terms.lexicon)
        except ConfigError as wrong:
            self.wrongs.append(f"repair.lexicon: {wrong}")
        return terms

    def _labeler(self, spec: Spec | str, asr: Recognizer | None) -> Labeler | None:
        """Its own options and those of its engine, which is the recognizer if none is named."""
        options = _spec(spec)
        own = {each.name for each in fields(LabelOptions)}
        asked = {name: options.pop(name) for name in own & options.keys()}
        try:
            terms = schema.parse_data(LabelOptions, asked)
        except ValueError as wrong:
            self.wrongs.append(f"labeler: {wrong}")
            return None
        part = self._part(Recognizer, "labeler", options) if options else asr
        return Labeler(part, terms) if part else None

    def _voice(self, name: str, spec: Spec | str) -> VoicePlan | None:
        options = _spec(spec)
        takes, filters = options.pop("samples_per_text", 1), options.pop("filters", [])
        self._require(isinstance(takes, int) and takes >= 1, f"voices.{name}.samples_per_text: at least 1")
        part = self._part(Synthesizer, f"voices.{name}", options)
        found = self._filters(f"voices.{name}.filters", filters)
        return VoicePlan(name, part, takes, found) if part else None

    def _augment(self, terms: Augment) -> Augmentation:
        """Each effect may have a probability of its own."""
        chances = []
        for number, spec in enumerate(terms.effects):
            options, place = _spec(spec), f"augment.effects.{number}"
            chance = options.pop("probability", terms.probability)
            fine = isinstance(chance, int | float) and 0 <= chance <= 1
            self._require(fine, f"{place}.probability: from 0 to 1, not {chance!r}")
            effect = self._part(Effect, place, options)
            chances += [RandomEffect(effect, chance)] if effect else []
        return Augmentation(tuple(chances), terms.when, terms.copies)

    def _corpora(
        self, place: str, specs: list[Spec | str] | Spec | str, shorthand: str
    ) -> tuple[Corpus, ...]:
        found = specs if isinstance(specs, list) else [specs]
        built = (self._corpus(f"{place}.{n}", spec, shorthand) for n, spec in enumerate(found))
        return tuple(corpus for corpus in built if corpus)

    def _corpus(self, place: str, spec: Spec | str, shorthand: str) -> Corpus | None:
        """A bare path is an audiofolder, or a text file."""
        if isinstance(spec, str):
            option = {"audiofolder": "folder", "textfile": "file"}[shorthand]
            spec = {"use": shorthand, option: spec}
        return self._part(Corpus, place, spec)

    def _filters(self, place: str, specs: list[Spec | str] | str) -> tuple[Filter, ...]:
        try:
            return self._parts(Filter, place, presets.expand_presets(specs, presets.FILTERS, Filter))
        except ConfigError as wrong:
            self.wrongs.append(f"{place}: {wrong}")
            return ()

    def _parts(self, kind: type[P], place: str, specs: Iterable[Spec | str]) -> tuple[P, ...]:
        built = (self._part(kind, f"{place}.{n}", spec) for n, spec in enumerate(specs))
        return tuple(part for part in built if part)

    def _part(self, kind: type[P], place: str, spec: Spec | str) -> P | None:
        try:
            return kind.build(_spec(spec), self.folder)
        except ConfigError as wrong:
            self.wrongs.append(f"{place}: {wrong}")
            return None

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrongs.append(otherwise)


def _home(path: Path) -> Path:
    note = path.with_name("plan.json")
    copied = path.name == "plan.yaml" and note.is_file()
    return Path(read_json(note)["folder"]) if copied else path.absolute().parent


def _spec(spec: Spec | str) -> Spec:
    """A part without options may be written as its name alone."""
    return {"use": spec} if isinstance(spec, str) else dict(spec)
