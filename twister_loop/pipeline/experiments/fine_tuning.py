"""Fine-tuning study: one recognizer zero-shot and fine-tuned, beside others trained from scratch.

The comparison of the Korean study: a recognizer is evaluated before training, after every epoch,
and at the end (with the average of its epochs if the plan says so). Others are trained from random
weights on the same transcribed speech. There is no pool, voice or gate: a study reports, and
nothing is chosen by it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...asr._base import Recognizer
from ...core.artifacts import JsonRecord, cache_key, find_differences, read_json, write_json
from ...core.errors import ConfigError, StaleError
from ...core.manifest import Manifest
from ...core.types import Checkpoint, ErrorCount, Measure, Proportion, Report, Score
from ...evaluation import metrics
from ...evaluation.evidence import Outcome
from ...evaluation.measures import ABBREVIATIONS
from ...evaluation.outcomes import HeldOutSet, get_early_stopping_speech, load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.scoreboard import RateChange
from ..held_out_check import check_held_out_sets
from ..leak_check import check_leaks
from ..plan import Plan
from ..preflight import list_held_out_sets
from ..run_folder import RunFolder
from ..stages.evaluation import evaluate
from ..stages.filtering import filter_transcribed
from ..stages.listing import gather
from ..stages.training import fine_tune

log = logging.getLogger(__name__)

ZERO_SHOT, FINE_TUNED = "zero-shot", "fine-tuned"
TABLE = "study.md"


@dataclass(frozen=True)
class ModelScore:
    """Score of one model on one set."""

    model: str
    score: Score
    change: RateChange | None = None
    """Change of the error rate from zero-shot, by the set's own measure; None for zero-shot."""


@dataclass(frozen=True)
class Study(JsonRecord):
    """Scores of all models on all sets, set by set."""

    rows: tuple[ModelScore, ...]

    def markdown(self) -> str:
        """Return one table per set, as they are written to `study.md`."""
        set_names = dict.fromkeys(row.score.name for row in self.rows)
        return "\n".join(
            line
            for set_name in set_names
            for line in _markdown_table([row for row in self.rows if row.score.name == set_name])
        )


@dataclass(frozen=True)
class _StudyInputs:
    """Speech that a study trains and evaluates on."""

    human: Manifest
    """Transcribed speech without texts that are held out."""
    sets: Mapping[str, HeldOutSet]
    early_stopping_speech: Manifest | None


def run_study(plan: Plan, folder: Path, from_scratch: Sequence[Recognizer]) -> Study:
    """Train and evaluate all models that are not finished, and write the tables.

    Args:
        plan: Plan with transcribed speech (`human`) and held-out sets.
        folder: Folder of the study; one that was interrupted is resumed.
        from_scratch: Recognizers to train from random weights.

    Raises:
        ConfigError: The plan has no transcribed speech.
        LeakError: Held-out speech is also in the training data.
        StaleError: The folder holds a study of other data.
    """
    if not plan.human:
        raise ConfigError(
            "human: a study trains on transcribed speech, and the plan names none under `human`"
        )
    with RunFolder.open(folder).locked():
        inputs = _list_inputs(plan, folder)
        reports = dict(_evaluate_models(plan, folder, inputs, from_scratch))
        rows = tuple(_score_models(plan, reports))
        study = Study(rows).save(folder)
    # Written anew each time, so that the wording of a new version reaches an old study.
    (folder / TABLE).write_text(study.markdown(), encoding="utf-8")
    return study


def _list_inputs(plan: Plan, folder: Path) -> _StudyInputs:
    """List the training data and the held-out sets, and check them."""
    # Training options may change from one call to the next, and only what they touch is redone.
    # Other data would give a table whose rows do not compare.
    data = cache_key({"human": plan.human, "sets": plan.sets, "language": plan.language})
    note = folder / "study-of.json"
    if not note.is_file():
        write_json(data, note)
    if changed := [place for place, _, _ in find_differences(read_json(note), data)]:
        raise StaleError(
            f"{folder} is a study of other data ({', '.join(changed)}); name another folder"
        )
    human = gather(plan.human, plan.language, "human", out=folder / "inputs" / "human")
    sets = list_held_out_sets(plan, folder)
    check_held_out_sets(plan, sets)
    check_leaks(training={"human": human}, sets=sets)
    stopping_speech = get_early_stopping_speech(plan.asr.early_stopping_set, sets)
    filtered = filter_transcribed(
        speech=human,
        held_out=[held_out.speech for held_out in sets.values()],
        normalizer=plan.normalizer,
        out=folder / "filtered_human",
    )
    return _StudyInputs(filtered, sets, stopping_speech)


def _evaluate_models(
    plan: Plan, folder: Path, inputs: _StudyInputs, from_scratch: Sequence[Recognizer]
) -> Iterator[tuple[str, Report]]:
    """Yield every model's name and report, in the order of the table."""

    def evaluate_model(recognizer: Recognizer, checkpoint: Checkpoint, out: Path) -> Report:
        log.info("evaluating %s: %s", recognizer.name, out.name)
        return evaluate(
            recognizer=recognizer,
            checkpoint=checkpoint,
            sets=inputs.sets,
            normalizer=plan.normalizer,
            full_window=False,  # every model decodes with its own options, once
            out=out,
        )

    # All epochs are kept, though a round keeps the last alone: the table shows each of them.
    asr = plan.asr.keeping_all_epochs()
    untouched = asr.initial_checkpoint()
    for warning in asr.preflight_warnings(untouched):
        log.warning("%s: %s", asr.name, warning)
    yield ZERO_SHOT, evaluate_model(asr, untouched, folder / ZERO_SHOT)
    tuned = fine_tune(
        recognizer=asr,
        start=untouched,
        training_set=inputs.human,
        seed=plan.seed,
        augmentation=None,
        early_stopping_speech=inputs.early_stopping_speech,
        out=folder / FINE_TUNED,
    )
    for number, epoch in enumerate(_list_epochs(tuned), 1):
        report = evaluate_model(asr, epoch, folder / f"{epoch.location.name}-report")
        yield f"epoch {number}", report
    yield FINE_TUNED, evaluate_model(asr, tuned, folder / f"{FINE_TUNED}-report")
    for index, recognizer in enumerate(from_scratch):
        # The same recognizer may be listed twice, with other options.
        earlier = sum(before.name == recognizer.name for before in from_scratch[:index])
        name = f"{recognizer.name}-{earlier + 1}" if earlier else recognizer.name
        # No early stopping: its set belongs to the options of the plan's own recognizer.
        trained = fine_tune(
            recognizer=recognizer,
            start=recognizer.initial_checkpoint(),
            training_set=inputs.human,
            seed=plan.seed,
            out=folder / f"scratch-{name}",
        )
        report = evaluate_model(recognizer, trained, folder / f"scratch-{name}-report")
        yield f"from scratch: {name}", report


def _list_epochs(tuned: Checkpoint) -> Iterator[Checkpoint]:
    """Yield the weights after every epoch, which lie in the folder of the final weights."""
    for folder in sorted(tuned.location.glob("epoch-*")):
        # They have no record of their own, so their digest comes of the final weights'.
        yield replace(tuned, location=folder, digest=f"{cache_key(tuned)} {folder.name}")


def _score_models(plan: Plan, reports: Mapping[str, Report]) -> Iterator[ModelScore]:
    """Yield the score of every model on every set, with its change from zero-shot."""
    outcomes = {
        model: load_outcomes(report, plan.normalizer, SET_KINDS)
        for model, report in reports.items()
    }
    for set_name, before in outcomes[ZERO_SHOT].items():
        for model, sets in outcomes.items():
            # All models transcribed the same utterances, so counts pair up.
            after = sets[set_name]
            if model == ZERO_SHOT:
                yield ModelScore(model, after.score)
                continue
            yield ModelScore(
                model,
                after.score,
                change=_compute_change(before, after, after.score.measure, plan.seed),
            )


def _compute_change(before: Outcome, after: Outcome, measure: Measure, seed: int) -> RateChange:
    """Return the change of an error rate, with its interval by paired bootstrap."""
    after_counts, before_counts = after.counts(measure), before.counts(measure)
    drawn = metrics.paired_bootstrap(after_counts, before_counts, seed, groups=after.groups)
    low, high = metrics.percentile_interval_95(drawn)
    after_rate = metrics.sum_counts(after_counts).rate
    before_rate = metrics.sum_counts(before_counts).rate
    return RateChange(
        rate=after_rate - before_rate,
        low=low,
        high=high,
        relative=after_rate / before_rate - 1 if before_rate else 0.0,
        resampling_unit=after.resampling_unit,
    )


def _markdown_table(rows: Sequence[ModelScore]) -> Iterator[str]:
    """Yield the lines of one set's table."""
    first = rows[0].score
    prompt = f"language {first.lang} forced" if first.lang else "language detected"
    yield f"### {first.name} ({first.kind}, {first.utterances} utterances, {prompt})\n"
    # Published studies report both, so both stand here, and the mixed rate where it is needed.
    measures: list[Measure] = ["words", "characters"]
    if first.measure not in measures:
        measures.append(first.measure)
    rates = " | ".join(f"{ABBREVIATIONS[measure]} % | S / D / I" for measure in measures)
    own = ABBREVIATIONS[first.measure]
    yield f"| model | {rates} | change of {own} (95 %) | foreign script |"
    yield "|---" * (2 * len(measures) + 3) + "|"
    for row in rows:
        counts = [row.score.count(measure) for measure in measures]
        errors = " | ".join(f"{100 * count.rate:.2f} | {_format_errors(count)}" for count in counts)
        change = _format_change(row.change)
        foreign_script = _format_share(row.score.foreign_script)
        yield f"| {row.model} | {errors} | {change} | {foreign_script} |"
    yield ""


def _format_errors(count: ErrorCount) -> str:
    return f"{count.substitutions} / {count.deletions} / {count.insertions}"


def _format_change(change: RateChange | None) -> str:
    if change is None:
        return ""
    points = change.in_points()
    return points if change.is_significant else f"{points}: not significant"


def _format_share(proportion: Proportion) -> str:
    # Nothing transcribed is not the same as no foreign letter.
    return f"{proportion.share:.1%}" if proportion.total else ""
