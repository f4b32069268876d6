"""Read a plan from YAML and check it completely; all of its errors are reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from ..asr._base import Recognizer
from ..audio.augmentation import Augmentation, RandomEffect
from ..audio.effects._base import Effect
from ..core import schema
from ..core.artifacts import read_json
from ..core.errors import ConfigError
from ..core.registry import Part
from ..core.types import SetKind
from ..data import presets
from ..data.corpora._base import Corpus
from ..data.filters._base import Filter
from ..data.mixture import MixOptions
from ..data.presets import Spec
from ..evaluation.gates._base import Gate
from ..evaluation.outcomes import FULL_WINDOW_SUFFIX, find_invalid_sets
from ..text.normalizers._base import Normalizer
from ..tts._base import Synthesizer
from .execution.shards import Cluster
from .plan import Labeler, Plan, VoicePlan
from .plan_schema import DEFAULT_GATES, AugmentationSpec, PlanDocument
from .stages.labeling import LabelOptions
from .yaml_format import YAMLError, dump_yaml, parse_yaml

P = TypeVar("P", bound=Part)

SAFE_NAME = re.compile(r"\w[\w.-]{0,59}")
"""A name that is a plain folder name on every system: no separator, no leading dot."""
MIN_FULL_WINDOW_UTTERANCES = 200
"""Fewest utterances that represent a set in standard decoding. With fewer, the interval of the
error rate is too wide to compare it with anybody's."""


def load(path: Path, changes: Mapping[str, Any] | None = None) -> Plan:
    """Read and check a plan.

    Relative paths in it start from the folder of the YAML file; those of a round's `plan.yaml` from
    the folder of the file that it was copied from.

    Args:
        path: The YAML file.
        changes: Top-level keys to replace, as `--set` does on the command line.

    Raises:
        ConfigError: The file cannot be read, or something in it is wrong; the message names all of
            it.
    """
    try:
        source = path.read_text(encoding="utf-8")
        content = parse_yaml(source)
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path}: cannot read plan: {cause}") from cause
    except YAMLError as cause:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(cause).split())}") from cause
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, not {type(content).__name__}")
    try:
        document = schema.parse_data(PlanDocument, {**content, **(changes or {})})
    except ValueError as cause:
        raise ConfigError(f"{path}: {cause}") from cause
    if changes:
        source = dump_yaml({**content, **changes})
    return _PlanBuilder(path).build(document, source)


def parse_value(text: str) -> Any:
    """Parse a YAML value from the command line.

    Raises:
        ConfigError: It is not valid YAML.

    >>> parse_value("[1, 2]")
    [1, 2]
    """
    try:
        return parse_yaml(text)
    except YAMLError as cause:
        raise ConfigError(f"{text!r}: not a YAML value") from cause


class _PlanBuilder:
    """Builds all parts of one document, and collects the errors on the way."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, _base_folder(path)
        self.errors: list[str] = []

    def build(self, document: PlanDocument, source: str) -> Plan:
        self._check_names(document)
        pool = self._corpora("pool", document.pool, "audiofolder")
        sets = self._sets(document)
        voices = [self._voice(name, spec) for name, spec in document.voices.items()]
        asr = self._part(Recognizer, "asr", document.asr)
        self._require(
            asr is None or asr.trainable,
            f"asr: {asr and asr.name} cannot be trained; it can be the `labeler` beside an asr "
            "that can",
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
        pool_references = (
            self._corpus("pool_references", document.pool_references, "audiofolder")
            if document.pool_references
            else None
        )
        text_filters = self._filters("filters.texts", document.filters.texts)
        for filter_ in text_filters:
            self._require(
                not filter_.needs_context,
                f"filters.texts: {filter_.name} transcribes speech, and a text has no audio yet",
            )
        normalizer = self._part(Normalizer, "normalizer", document.normalizer)
        gates = self._gates(document)
        self.errors += find_invalid_sets(gates, sets, asr.early_stopping_set if asr else None)
        # With the recognizer itself as labeler there are no two engines to compare.
        has_other_engine = labeler is not None and labeler.recognizer is not asr
        for gate in gates:
            self._require(
                has_other_engine or not gate.needs_labeler_report,
                f"gates: {gate.name} needs another engine as `labeler`, such as ctranslate2",
            )
        self._check_full_window(document.full_window, gates)
        self._require(document.rounds >= 1, "rounds: at least 1")
        self._require(document.minimum_utterances >= 1, "minimum_utterances: at least 1")
        self._require(bool(document.development), "development: gates need at least one set")
        self._require(
            bool(document.texts) or not voices, "texts: a voice needs texts to synthesize"
        )
        mix = self._mix(document, has_human=bool(human), has_voices=bool(voices))
        self._check_rescoring(document, asr)
        pseudo_filters = self._filters("filters.pseudo", document.filters.pseudo)
        synthetic_filters = self._filters("filters.synthetic", document.filters.synthetic)
        augment = self._augmentation(document.augment) if document.augment else None
        cluster = self._part(Cluster, "cluster", document.cluster) if document.cluster else None
        # A part that could not be built has left its error above, so None means errors here.
        if self.errors or not (asr and labeler and normalizer and mix):
            raise ConfigError(f"{self.path}: " + "; ".join(self.errors))
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
            pseudo_filters=pseudo_filters,
            synthetic_filters=synthetic_filters,
            text_filters=text_filters,
            text_selection=document.text_selection,
            rescore=document.rescore,
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

    def _gates(self, document: PlanDocument) -> tuple[Gate, ...]:
        """Build the gates; one that would have nothing to look at is refused, not passed."""
        if document.gates is None:
            # Nobody asked for the retention gate by name, and a plan may have no retention set.
            names = [name for name in DEFAULT_GATES if name != "retention" or document.retention]
            return self._parts(Gate, "gates", names)
        gates = self._parts(Gate, "gates", document.gates)
        for gate in gates:
            self._require(
                gate.name != "retention" or bool(document.retention),
                "gates: retention needs a `retention` set; add one, or leave the gate out",
            )
            self._require(
                gate.name != "best_untouched" or bool(document.references),
                "gates: best_untouched needs other models under `references`; add one, or leave "
                "the gate out",
            )
        return gates

    def _check_full_window(self, full_window: bool | int, gates: Iterable[Gate]) -> None:
        self._require(
            isinstance(full_window, bool) or full_window >= MIN_FULL_WINDOW_UTTERANCES,
            f"full_window: at least {MIN_FULL_WINDOW_UTTERANCES} utterances of each set, or true "
            f"for all of them, or false for none, not {full_window}",
        )
        for gate in gates:
            self._require(
                full_window is not False or getattr(gate, "decoding", "clip") == "clip",
                f"gates: {gate.name} reads standard decoding, which `full_window: false` leaves "
                "out; remove one of the two",
            )

    def _check_names(self, document: PlanDocument) -> None:
        """Names of sets, voices and references become folders of the run, so they must be safe."""
        for place in ("development", "test", "retention", "voices", "references"):
            for name in getattr(document, place):
                is_safe = SAFE_NAME.fullmatch(name) and not name.endswith(FULL_WINDOW_SUFFIX)
                self._require(
                    bool(is_safe),
                    f"{place}.{name[:40]!r}: the name becomes a folder, so it must begin with a "
                    "letter or a digit, hold at most 60 letters, digits, `_`, `-` and `.`, and not "
                    f"end in {FULL_WINDOW_SUFFIX!r}",
                )

    def _sets(self, document: PlanDocument) -> dict[str, tuple[SetKind, Corpus]]:
        sets: dict[str, tuple[SetKind, Corpus]] = {}
        kinds: tuple[SetKind, ...] = ("development", "test", "retention")
        for kind in kinds:
            for name, spec in getattr(document, kind).items():
                self._require(name not in sets, f"{kind}.{name}: another set has this name")
                if corpus := self._corpus(f"{kind}.{name}", spec, "audiofolder"):
                    sets[name] = (kind, corpus)
        return sets

    def _mix(
        self, document: PlanDocument, *, has_human: bool, has_voices: bool
    ) -> MixOptions | None:
        try:
            return presets.resolve_mixture(document.mix, has_human, has_voices)
        except ValueError as error:
            self.errors.append(f"mix: {error}")
            return None

    def _check_rescoring(self, document: PlanDocument, asr: Recognizer | None) -> None:
        options = document.rescore
        if options is None:
            return
        self._require(bool(document.texts), "rescore: needs `texts` for its language model")
        if asr and asr.with_beam(options.texts, nbest=options.texts) is None:
            self.errors.append(f"rescore: {asr.name} has no beam search with alternatives")

    def _labeler(self, spec: Spec | str, asr: Recognizer | None) -> Labeler | None:
        """Separate the labeler's options from those of its engine, which is `asr` by default."""
        engine_options = _as_spec(spec)
        # A plan writes both kinds of options side by side under `labeler`.
        own_names = {option.name for option in fields(LabelOptions)}
        own_options = {name: engine_options.pop(name) for name in own_names & engine_options.keys()}
        try:
            options = schema.parse_data(LabelOptions, own_options)
        except ValueError as error:
            self.errors.append(f"labeler: {error}")
            return None
        part = self._part(Recognizer, "labeler", engine_options) if engine_options else asr
        own_model = getattr(asr, "model", None)
        named_model = engine_options.get("model", own_model)
        self._require(
            named_model == own_model,
            f"labeler: it decodes with the champion's weights, so `model: {named_model}` would "
            f"never be used; leave `model` out, or put {own_model!r} there too",
        )
        return Labeler(part, options) if part else None

    def _voice(self, name: str, spec: Spec | str) -> VoicePlan | None:
        options = _as_spec(spec)
        samples_per_text = options.pop("samples_per_text", 1)
        self._require(
            isinstance(samples_per_text, int) and samples_per_text >= 1,
            f"voices.{name}.samples_per_text: at least 1",
        )
        filters = self._filters(f"voices.{name}.filters", options.pop("filters", []))
        part = self._part(Synthesizer, f"voices.{name}", options)
        return VoicePlan(name, part, samples_per_text, filters) if part else None

    def _augmentation(self, spec: AugmentationSpec) -> Augmentation:
        """Build the effects; each may have a probability of its own."""
        random_effects = []
        for number, effect_spec in enumerate(spec.effects):
            options, place = _as_spec(effect_spec), f"augment.effects.{number}"
            probability = options.pop("probability", spec.probability)
            self._require(
                isinstance(probability, int | float) and 0 <= probability <= 1,
                f"{place}.probability: from 0 to 1, not {probability!r}",
            )
            if effect := self._part(Effect, place, options):
                random_effects.append(RandomEffect(effect, probability))
        return Augmentation(tuple(random_effects), spec.when, spec.copies)

    def _corpora(
        self, place: str, specs: list[Spec | str] | Spec | str, shorthand: str
    ) -> tuple[Corpus, ...]:
        listed = specs if isinstance(specs, list) else [specs]
        built = (
            self._corpus(f"{place}.{number}", spec, shorthand) for number, spec in enumerate(listed)
        )
        return tuple(corpus for corpus in built if corpus)

    def _corpus(self, place: str, spec: Spec | str, shorthand: str) -> Corpus | None:
        """Build a corpus; a bare path is an audiofolder, or a text file."""
        if isinstance(spec, str):
            option = {"audiofolder": "folder", "textfile": "file"}[shorthand]
            spec = {"use": shorthand, option: spec}
        return self._part(Corpus, place, spec)

    def _filters(self, place: str, specs: list[Spec | str] | str) -> tuple[Filter, ...]:
        try:
            expanded = presets.expand_presets(specs, presets.FILTERS, Filter)
        except ConfigError as error:
            self.errors.append(f"{place}: {error}")
            return ()
        return self._parts(Filter, place, expanded)

    def _parts(self, kind: type[P], place: str, specs: Iterable[Spec | str]) -> tuple[P, ...]:
        built = (self._part(kind, f"{place}.{number}", spec) for number, spec in enumerate(specs))
        return tuple(part for part in built if part)

    def _part(self, kind: type[P], place: str, spec: Spec | str) -> P | None:
        try:
            return kind.build(_as_spec(spec), self.folder)
        except ConfigError as error:
            self.errors.append(f"{place}: {error}")
            return None

    def _require(self, condition: bool, message: str) -> None:
        if not condition:
            self.errors.append(message)


def _base_folder(path: Path) -> Path:
    """Return the folder that relative paths start from."""
    note = path.with_name("plan.json")
    # A round's copy of the plan must find its data where the original found it.
    is_copy = path.name == "plan.yaml" and note.is_file()
    return Path(read_json(note)["folder"]) if is_copy else path.absolute().parent


def _as_spec(spec: Spec | str) -> Spec:
    """Return a part's name and options; a part without options may be written as its name alone."""
    return {"use": spec} if isinstance(spec, str) else dict(spec)
