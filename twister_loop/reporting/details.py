"""Details of a round beside its error rates: plan, machine, training curves and sample utterances.

Like `summary`, they are read from the run's folders alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..core.artifacts import find_differences, read_json
from ..core.differences import OWN_CODE
from ..core.environment import Environment
from ..core.manifest import Manifest
from ..core.types import Language, Seconds, Utterance
from ..evaluation.metrics import AlignmentChunk, alignment_chunks
from ..pipeline.run_folder import RunFolder, round_number
from ..pipeline.stage_table import (
    FILTERED_LABELS,
    INPUT_LISTS,
    INPUTS,
    SYNTHETIC,
    VOICE,
    find_trainings,
)
from ..text.normalizers.basic import Basic
from .record_cache import cached_record, memoize_on_folders
from .round_folders import (
    EARLY_STOPPING_LOG,
    MANIFEST,
    REJECTED,
    TRAINING_LOG,
    VOICES,
    load_if_written,
    voice_folders,
)

SCHEMA_VERSION = 5
"""Version of `Details` in the cache; see `record_cache.cached_record`."""
SAMPLES = 6
"""Sample utterances of each kind that can be listened to."""
SAMPLES_PER_FILTER = 3
"""Sample utterances of what each filter rejected."""
DRAWN_PER_SAMPLE = 40
"""Utterances drawn from a manifest for each of `SAMPLES`. Filters that reject one utterance in a
hundred should be represented, and the manifest may be too long to be read whole."""
CURVE_POINTS = 300
"""Points of a training curve; more steps are averaged in groups. A plot is about as wide."""


@dataclass(frozen=True)
class GateConfig:
    """A gate of the plan with its options."""

    gate: str
    options: dict[str, Any]


@dataclass(frozen=True)
class FieldDiff:
    """A difference between two rounds in plan, data or machine."""

    field: str
    """Path of the field, e.g. `plan.mix.human`."""
    # Texts, because a field may have changed its type and because they are only displayed.
    before: str
    now: str


@dataclass(frozen=True)
class TrainingCurve:
    """Loss of one training by step; averaged over groups of steps if there are many."""

    name: str
    """`candidate`, `trainings/NUMBER` or `voices/NAME`."""
    step: tuple[int, ...]
    """Last step of each group."""
    loss: tuple[float, ...]
    """Mean loss of each group."""


@dataclass(frozen=True)
class EarlyStoppingCurve:
    """Error rate by step on the development set that early stopping watches."""

    set_name: str
    training: str
    """Folder of the training in the round."""
    step: tuple[int, ...]
    error_rate: tuple[float, ...]
    """Errors per reference unit, 0.1 is 10 %."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An utterance to read and to listen to."""

    kind: str
    """`pseudo`, `rejected`, or `synthetic`."""
    voice: str | None = None
    id: str
    text: str
    alignment: tuple[AlignmentChunk, ...] = ()
    """Text and transcript of synthetic speech, or a label after and before rescoring."""
    lang: Language | None = None
    duration: Seconds = 0.0
    confidence: float | None = None
    """Mean log-probability of a token, as in `Utterance.confidence`."""
    objection: str | None = None
    """Filter that rejected it, with its reason."""


@dataclass(frozen=True)
class Details:
    """Everything about one round that is not an error rate or an amount."""

    number: int
    plan: str
    """The plan as YAML."""
    gates: tuple[GateConfig, ...]
    changes: tuple[FieldDiff, ...]
    """Differences in plan, data and machine to the round before; none in the first round."""
    environment: Environment | None
    inputs: dict[str, int]
    """List in `inputs/` -> number of its lines."""
    curves: tuple[TrainingCurve, ...]
    samples: tuple[Sample, ...]
    early_stopping: EarlyStoppingCurve | None = None
    """None unless the plan stops early."""


def details(run: Path) -> tuple[Details, ...]:
    """Return the details of every round, in order.

    Raises:
        ConfigError: `run` is not the folder of a run.
    """
    return tuple(round_details(folder) for folder in RunFolder.read(run).round_folders)


def round_details(round_folder: Path) -> Details:
    """Return the details of one round; those of a finished round are read from the cache."""
    return cached_record(_read_details, Details, "details", SCHEMA_VERSION, round_folder)


def _read_details(round_folder: Path) -> Details:
    number = round_number(round_folder)
    plan_json, plan_yaml = round_folder / "plan.json", round_folder / "plan.yaml"
    # A round that is being prepared has no plan yet.
    gates = read_json(plan_json)["plan"].get("gates", ()) if plan_json.is_file() else ()
    return Details(
        number=number,
        plan=plan_yaml.read_text(encoding="utf-8") if plan_yaml.is_file() else "",
        gates=tuple(_gate_config(gate) for gate in gates),
        # Before the first round there is no folder, and so there are no changes.
        changes=tuple(diff_rounds(round_folder.with_name(f"round-{number - 1:02d}"), round_folder)),
        environment=load_if_written(Environment, round_folder),
        inputs=_count_inputs(round_folder),
        curves=tuple(_training_curves(round_folder)),
        early_stopping=_early_stopping_curve(round_folder),
        samples=tuple(
            _sample(kind, voice, utterance)
            for kind, voice, utterance in listening_samples(round_folder)
        ),
    )


def _gate_config(gate: dict[str, Any]) -> GateConfig:
    options = {name: option for name, option in gate.items() if name not in ("use", OWN_CODE)}
    # Its digest would tell a reader nothing; where it changes, the differences show it.
    if own_code := gate.get(OWN_CODE):
        options["from"] = own_code["from"]
    return GateConfig(gate["use"], options)


def listening_samples(round_folder: Path) -> Iterator[tuple[str, str | None, Utterance]]:
    """Yield some utterances of each kind, as kind, voice (or None) and utterance.

    The draw depends on the round alone, so the same utterances come every time: their clips were
    copied once and outlive the recordings.
    """
    filtered_labels = FILTERED_LABELS.path(round_folder)
    for kind, utterance in memoize_on_folders(_draw_samples, filtered_labels, round_folder):
        yield ("pseudo" if kind == "kept" else kind), None, utterance
    for voice_folder in voice_folders(round_folder):
        name = voice_folder.name
        synthetic = SYNTHETIC.path(round_folder, voice=name)
        for kind, utterance in memoize_on_folders(_draw_samples, synthetic, round_folder):
            yield ("synthetic" if kind == "kept" else kind), name, utterance


def _draw_samples(filter_stage: Path, round_folder: Path) -> list[tuple[str, Utterance]]:
    """Draw utterances that a filter stage kept or rejected, with `kept` or `rejected`.

    A draw reads the whole manifest, which takes seconds for a million lines, and the page is
    written after every stage: so callers memoize this function.
    """
    samples: list[tuple[str, Utterance]] = []
    for kind, folder in (("kept", filter_stage), ("rejected", filter_stage / REJECTED)):
        if not (folder / MANIFEST).is_file():
            continue
        drawn = Manifest(folder).draw(DRAWN_PER_SAMPLE * SAMPLES, seed=round_number(round_folder))
        # Filtered labels contain human speech too, which says nothing about the labels.
        fitting = [
            utterance for utterance in drawn if kind != "kept" or utterance.origin != "human"
        ]
        count = SAMPLES_PER_FILTER if kind == "rejected" else SAMPLES
        for group in _group_by_filter(fitting):
            # A pool often repeats a prompt; one recording of each is enough.
            distinct = {utterance.text or utterance.id: utterance for utterance in group}
            samples += ((kind, utterance) for utterance in islice(distinct.values(), count))
    return samples


def _group_by_filter(utterances: Iterable[Utterance]) -> list[list[Utterance]]:
    """Group utterances by the filter that rejected them; kept utterances are one group."""
    groups = defaultdict[str, list[Utterance]](list)
    for utterance in utterances:
        groups[utterance.rejected_by or ""].append(utterance)
    # Sorted, so that the filters stand in the same order in every round.
    return [groups[name] for name in sorted(groups)]


def _sample(kind: str, voice: str | None, utterance: Utterance) -> Sample:
    alignment: tuple[AlignmentChunk, ...] = ()
    if kind == "synthetic" or utterance.text_before_rescoring:
        # Only so that the diff is readable: no error is counted here.
        normalize, lang = Basic().normalize, utterance.lang
        reference = normalize(utterance.text or "", lang)
        hypothesis = normalize(utterance.pred_text or "", lang)
        alignment = tuple(alignment_chunks(reference, hypothesis))
    objection = None
    if utterance.rejected_by:
        objection = f"{utterance.rejected_by}: {utterance.objection or ''}"
    return Sample(
        kind=kind,
        voice=voice,
        id=utterance.id,
        # Filters before the labeling reject utterances that have no text.
        text=utterance.text or utterance.pred_text or "",
        alignment=alignment,
        lang=utterance.lang,
        duration=utterance.duration,
        confidence=utterance.confidence,
        objection=objection,
    )


def diff_rounds(before: Path, after: Path) -> Iterator[FieldDiff]:
    """Yield the differences in plan, data and machine between the folders of two rounds.

    Yields nothing if one of the folders has no plan, e.g. because it does not exist.
    """
    if not (before / "plan.json").is_file() or not (after / "plan.json").is_file():
        return
    for field, old, new in find_differences(_round_facts(before), _round_facts(after)):
        yield FieldDiff(field, _to_text(old), _to_text(new))


def _round_facts(round_folder: Path) -> dict[str, Any]:
    """Return plan, amounts of data and machine of a round as nested plain data."""
    environment = load_if_written(Environment, round_folder)
    return {
        "plan": _lists_to_mappings(read_json(round_folder / "plan.json")["plan"]),
        "inputs": _count_inputs(round_folder),
        "machine": vars(environment) if environment else {},
    }


def _lists_to_mappings(plan: Any) -> Any:
    """Turn lists of parts into mappings by name.

    Otherwise one more part at the beginning of a list would look like a change of all the parts
    behind it. A list in which a name occurs twice stays a list.

    >>> _lists_to_mappings([{"use": "retention"}, {"use": "significant"}])
    {'retention': {'use': 'retention'}, 'significant': {'use': 'significant'}}
    """
    if isinstance(plan, dict):
        return {key: _lists_to_mappings(part) for key, part in plan.items()}
    if isinstance(plan, list) and plan and all(isinstance(part, dict) for part in plan):
        names = [part.get("name") or part.get("use", "") for part in plan]
        if len(set(names)) == len(names):
            return {name: _lists_to_mappings(part) for name, part in zip(names, plan, strict=True)}
    return plan


def _to_text(option: Any) -> str:
    if option is None:
        return "none"
    return option if isinstance(option, str) else json.dumps(option, ensure_ascii=False)


def _count_inputs(round_folder: Path) -> dict[str, int]:
    """Return the number of lines of each list that the round begins with."""
    folders = {name: round_folder / INPUTS / name for name in INPUT_LISTS}
    return {
        # Lists are counted once per process: the list of a large pool has millions of lines.
        name: memoize_on_folders(_count_lines, folder)
        for name, folder in folders.items()
        if (folder / MANIFEST).is_file()
    }


def _count_lines(folder: Path) -> int:
    return len(Manifest(folder))


def _training_curves(round_folder: Path) -> Iterator[TrainingCurve]:
    """Yield the curve of every training that logs its loss, finished or in progress."""
    trainings = {
        folder.relative_to(round_folder).as_posix(): folder
        for folder in find_trainings(round_folder)
    }
    for voice_folder in voice_folders(round_folder):
        name = voice_folder.name
        trainings[f"{VOICES}/{name}"] = VOICE.path(round_folder, voice=name)
    # Curves are shown during the training, too: it works in a hidden folder until it is finished.
    for name, finished in trainings.items():
        for folder in (finished, finished.with_name(f".{finished.name}")):
            if (folder / TRAINING_LOG).is_file():
                yield TrainingCurve(name, *_read_losses(folder / TRAINING_LOG))
                break


def _read_losses(log: Path) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the steps and the losses of a training log, in at most `CURVE_POINTS` groups."""
    # The last line of a training in progress may be incomplete.
    lines = [json.loads(line) for line in log.read_bytes().splitlines() if line.endswith(b"}")]
    size = -(-len(lines) // CURVE_POINTS) or 1
    groups = [lines[start : start + size] for start in range(0, len(lines), size)]
    losses = (sum(line["loss"] for line in group) / len(group) for group in groups)
    return tuple(group[-1]["step"] for group in groups), tuple(round(loss, 4) for loss in losses)


def _early_stopping_curve(round_folder: Path) -> EarlyStoppingCurve | None:
    # Of several trainings the first is shown, which is drawn with the seed of the round.
    training, *_ = find_trainings(round_folder)
    log = training / EARLY_STOPPING_LOG
    if not log.is_file():
        return None
    # Written after the training at once, so that no line is incomplete.
    evaluations = [json.loads(line) for line in log.read_bytes().splitlines()]
    options = read_json(round_folder / "plan.json")["plan"]["asr"]["stop"]
    return EarlyStoppingCurve(
        set_name=options["set"],
        training=training.relative_to(round_folder).as_posix(),
        step=tuple(evaluation["step"] for evaluation in evaluations),
        # A set of silence has no reference units; its errors count as they are.
        error_rate=tuple(
            round(evaluation["errors"] / max(evaluation["of"], 1), 4) for evaluation in evaluations
        ),
    )
