"""Construction of a plan from its document; all errors are collected on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from ..asr._base import Recognizer
from ..audio.augmentation import Augmentation, RandomEffect
from ..audio.effects._base import Effect
from ..core import schema
from ..core.errors import ConfigError, TwisterError
from ..core.ranges import Fraction, Range, TrueOrFalse
from ..core.registry import Part, PartError, UnknownPart
from ..core.types import SetKind
from ..data import presets
from ..data.corpora._base import Corpus
from ..data.filters._base import Filter
from ..data.mixture import MixOptions
from ..data.presets import Spec
from ..evaluation.gates._base import Gate
from ..evaluation.outcomes import find_invalid_sets
from ..text.normalizers._base import Normalizer
from ..tts._base import Synthesizer
from . import plan_checks
from .default_recipe import choose_averaging, choose_rescoring
from .default_voices import choose_default_voices
from .execution.shards import Cluster
from .plan import Labeler, Plan, VoicePlan
from .plan_schema import DEFAULT_GATES, AugmentationSpec, PlanDocument
from .plan_terms import read_terms
from .stages.labeling import LabelOptions

P = TypeVar("P", bound=Part)
SamplesPerText = Annotated[int, Range(1, 1000)]


class PlanError(ConfigError):
    """Everything that is wrong in a plan, each error with the key that it stands under."""

    def __init__(self, errors: list[str], unknown_parts: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors
        self.unknown_parts = unknown_parts


class PlanBuilder:
    """Builds all parts of one document.

    Args:
        path: The YAML file.
        folder: Folder that relative paths start from.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.errors: list[str] = []
        self.unknown_parts: list[str] = []

    def build(self, document: PlanDocument, source: str) -> Plan:
        """Return the plan.

        Args:
            document: The keys of the plan.
            source: The YAML as it was written.

        Raises:
            PlanError: A part cannot be built, or keys contradict each other.
        """
        self.errors += plan_checks.check_names(document)
        self.errors += plan_checks.check_data(document)
        pool = self._corpora("pool", document.pool, "audiofolder")
        sets = self._sets(document)
        asr = self._part(Recognizer, "asr", document.asr)
        labeler = self._labeler(document.labeler or {}, asr)
        teacher = self._part(Recognizer, "teacher", document.teacher) if document.teacher else None
        # Without a recognizer its own error is listed already.
        if asr:
            self.errors += plan_checks.check_recognizers(document, asr, labeler, teacher)
        references = {
            name: part
            for name, spec in document.references.items()
            if (part := self._part(Recognizer, f"references.{name}", spec))
        }
        texts = self._corpora("texts", document.texts, "textfile")
        default_voices = None
        if document.voices is None and texts and asr:
            default_voices = choose_default_voices(asr, texts, document.language)
        decoders = plan_checks.list_label_decoders(asr, labeler, teacher) if asr else []
        rescore = choose_rescoring(document.rescore, decoders, has_texts=bool(texts))
        voice_specs = default_voices.specs if default_voices else document.voices or {}
        voices = [self._voice(name, spec) for name, spec in voice_specs.items()]
        human = self._corpora("human", document.human, "audiofolder")
        replay = self._corpora("replay", document.replay, "audiofolder")
        pool_references = (
            self._corpus("pool_references", document.pool_references, "audiofolder")
            if document.pool_references
            else None
        )
        text_filters = self._filters("filters.texts", document.filters.texts)
        self.errors += plan_checks.check_filters(text_filters)
        pseudo_filters = self._filters("filters.pseudo", document.filters.pseudo)
        synthetic_filters = self._filters("filters.synthetic", document.filters.synthetic)
        normalizer = self._part(Normalizer, "normalizer", document.normalizer)
        key_terms = self._terms(document, normalizer)
        gates = self._gates(document)
        self.errors += find_invalid_sets(gates, sets, asr.early_stopping_set if asr else None)
        self.errors += plan_checks.check_gates(document, gates, asr, labeler)
        mix = self._mix(document, [*pool, *texts, *human, *replay], synthetic=bool(voices))
        augment = self._augmentation(document.augment) if document.augment else None
        cluster = self._part(Cluster, "cluster", document.cluster) if document.cluster else None
        trainings, interpolate = choose_averaging(document, asr) if asr else (1, 1.0)
        # A part that could not be built has left its error above, so None means errors here.
        if self.errors or not (asr and labeler and normalizer and mix):
            raise PlanError(self.errors, self.unknown_parts)
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
            terms=key_terms,
            minimum_utterances=document.minimum_utterances,
            highest_untouched_error=document.highest_untouched_error,
            asr=asr,
            labeler=labeler,
            teacher=teacher,
            references=references,
            start=document.start,
            trainings=trainings,
            interpolate=interpolate,
            voices=tuple(voice for voice in voices if voice),
            default_voices=default_voices,
            scan=document.scan,
            pseudo_filters=pseudo_filters,
            synthetic_filters=synthetic_filters,
            text_filters=text_filters,
            text_selection=document.text_selection,
            rescore=rescore,
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
            path=self.path,
        )

    def _terms(
        self, document: PlanDocument, normalizer: Normalizer | None
    ) -> tuple[str, ...] | None:
        """Read the key terms, which are listed in the plan or in a text file."""
        source: list[str] | tuple[Corpus, ...] = (
            self._corpora("terms", document.terms, "textfile")
            if isinstance(document.terms, str)
            else document.terms
        )
        # Without a normalizer or a file its own error is listed already.
        if not normalizer or not source:
            return None
        try:
            return read_terms(source, normalizer, document.language)
        except TwisterError as error:
            self.errors.append(f"terms: {error}")
            return None

    def _gates(self, document: PlanDocument) -> tuple[Gate, ...]:
        names = list(DEFAULT_GATES) if document.gates is None else document.gates
        return self._parts(Gate, "gates", names)

    def _sets(self, document: PlanDocument) -> dict[str, tuple[SetKind, Corpus]]:
        sets: dict[str, tuple[SetKind, Corpus]] = {}
        kinds: tuple[SetKind, ...] = ("development", "test", "retention")
        for kind in kinds:
            for name, spec in getattr(document, kind).items():
                if corpus := self._corpus(f"{kind}.{name}", spec, "audiofolder"):
                    sets[name] = (kind, corpus)
        return sets

    def _mix(
        self, document: PlanDocument, corpora: Iterable[Corpus], *, synthetic: bool
    ) -> MixOptions | None:
        try:
            return presets.resolve_mixture(
                document.mix,
                human=bool(document.human),
                synthetic=synthetic,
                replay=bool(document.replay),
                corpora={corpus.title for corpus in corpora},
            )
        except schema.RecordError as error:
            self._add_mistakes("mix", error.mistakes)
        except ValueError as error:
            self.errors.append(f"mix: {error}")
        return None

    def _labeler(self, spec: Spec | str, asr: Recognizer | None) -> Labeler | None:
        """Separate the labeler's options from those of its engine, which is `asr` by default."""
        engine_options = _as_spec(spec)
        # A plan writes both kinds of options side by side under `labeler`.
        own_names = {option.name for option in fields(LabelOptions)}
        own_options = {name: engine_options.pop(name) for name in own_names & engine_options.keys()}
        try:
            options = schema.parse_data(LabelOptions, own_options)
        except schema.RecordError as error:
            self._add_mistakes("labeler", error.mistakes)
            return None
        part = self._part(Recognizer, "labeler", engine_options) if engine_options else asr
        return Labeler(part, options) if part else None

    def _voice(self, name: str, spec: Spec | str) -> VoicePlan | None:
        options = _as_spec(spec)
        samples_per_text = self._number(
            f"voices.{name}.samples_per_text", SamplesPerText, options.pop("samples_per_text", 1)
        )
        filters = self._filters(f"voices.{name}.filters", options.pop("filters", []))
        pool_channel = self._number(
            f"voices.{name}.pool_channel", TrueOrFalse, options.pop("pool_channel", True)
        )
        part = self._part(Synthesizer, f"voices.{name}", options)
        return VoicePlan(name, part, samples_per_text, filters, pool_channel) if part else None

    def _augmentation(self, spec: AugmentationSpec) -> Augmentation:
        """Build the effects; each may have a probability of its own."""
        random_effects = []
        for effect_spec in spec.effects:
            options = _as_spec(effect_spec)
            place = f"augment.effects.{options.get('use')}"
            probability = self._number(
                f"{place}.probability", Fraction, options.pop("probability", spec.probability)
            )
            if effect := self._part(Effect, place, options):
                random_effects.append(RandomEffect(effect, probability))
        return Augmentation(tuple(random_effects), spec.when, spec.copies)

    def _corpora(
        self, place: str, specs: list[Spec | str] | Spec | str, shorthand: str
    ) -> tuple[Corpus, ...]:
        # A single corpus stands under the key itself, and its errors name that key.
        if not isinstance(specs, list):
            corpus = self._corpus(place, specs, shorthand)
            return (corpus,) if corpus else ()
        built = (
            self._corpus(f"{place}.{number}", spec, shorthand) for number, spec in enumerate(specs)
        )
        return tuple(corpus for corpus in built if corpus)

    def _corpus(self, place: str, spec: Spec | str, shorthand: str) -> Corpus | None:
        """Build a corpus; a bare path is an audiofolder, or a text file."""
        if isinstance(spec, str):
            option = {"audiofolder": "folder", "textfile": "file"}[shorthand]
            spec = {"use": shorthand, option: spec}
        return self._part(Corpus, place, spec)

    def _filters(self, place: str, specs: Any) -> tuple[Filter, ...]:
        try:
            expanded = presets.expand_presets(specs, presets.FILTERS, Filter)
        except ConfigError as error:
            self._add_error(place, error)
            return ()
        return self._parts(Filter, place, expanded)

    def _parts(self, kind: type[P], place: str, specs: Iterable[Spec | str]) -> tuple[P, ...]:
        # By name and not by number, as a preset among them stands for several parts.
        built = (self._part(kind, f"{place}.{_as_spec(spec).get('use')}", spec) for spec in specs)
        return tuple(part for part in built if part)

    def _part(self, kind: type[P], place: str, spec: Spec | str) -> P | None:
        try:
            return kind.build(_as_spec(spec), self.folder)
        except PartError as error:
            self._add_mistakes(place, error.mistakes)
        except ConfigError as error:
            self._add_error(place, error)
        return None

    def _add_error(self, place: str, error: ConfigError) -> None:
        self.errors.append(f"{place}: {error}")
        if isinstance(error, UnknownPart):
            self.unknown_parts.append(error.name)

    def _number(self, place: str, allowed: Any, number: Any) -> Any:
        """Return a number that stands beside a part's options, if it is in its range."""
        try:
            return schema.parse_data(allowed, number)
        except schema.RecordError as error:
            self._add_mistakes(place, error.mistakes)
            return number

    def _add_mistakes(self, place: str, mistakes: Iterable[schema.Mistake]) -> None:
        """Keep mistakes among the options that stand under `place`."""
        for mistake in mistakes:
            option = ".".join([place, *map(str, mistake.place)])
            message = plan_checks.MOVED_OPTIONS.get(option, mistake.message)
            self.errors.append(f"{option}: {message}")


def _as_spec(spec: Spec | str) -> Spec:
    """Return a part's name and options; a part without options may be written as its name alone."""
    return {"use": spec} if isinstance(spec, str) else dict(spec)
